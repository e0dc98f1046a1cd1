"""Members in which one part may change: what is free, what is grown, and what stays."""

from __future__ import annotations

import numpy as np
import pytest
from test_resculpt import network

from sculpting.models.shape import Shape
from sculpting.resculpting.growth import Base, Growth, grown
from sculpting.resculpting.parts import Part, Wiring, everything

P, READERS = (1, 1), [(2, 0), (2, 2)]


def base(inputs: int = 6, seed: int = 0) -> Base:
    """The network of the other tests, with further inputs that nothing reads, and random gradients."""
    weights = list(network().weights)
    weights[0] = np.pad(weights[0], ((0, 0), (0, inputs - 6)))
    values = tuple(np.concatenate([w, b[:, None]], axis=1) for w, b in zip(weights, network().biases, strict=True))
    masks = tuple(w != 0 for w in weights)
    mask = tuple(np.concatenate([m, m.any(axis=1)[:, None]], axis=1).astype(np.float32) for m in masks)
    random = np.random.default_rng(seed)
    return Base(values, mask, tuple(random.random(v.shape, dtype=np.float32) for v in values), Wiring.of(masks))


def parts(growth: Growth, of: Base) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Values, mask and what is free of a member, as matrices."""
    member = grown(of, growth)
    assert member is not None
    shapes = [value.shape for value in of.values]
    ends = np.cumsum([a * b for a, b in shapes])[:-1]
    first, second, third = ([p.reshape(s) for p, s in zip(np.split(flat, ends), shapes, strict=True)] for flat in member)
    return first, second, third


@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize("spare", [0, 2])
@pytest.mark.parametrize("part", [Part((P,)), Part(((2, 0),)), Part(((3, 0),)), Part((P, (1, 3)))])
def test_only_what_is_free_differs_and_masked_values_are_zero(part: Part, spare: int, start: int) -> None:
    of = base()
    values, mask, free = parts(Growth(part, spare, start), of)
    for value, kept, open_, old, was in zip(values, mask, free, of.values, of.mask, strict=True):
        assert (value[open_ == 0] == old[open_ == 0]).all()
        assert (kept[open_ == 0] == was[open_ == 0]).all()
        assert (kept[open_ == 1] == 1).all()
        assert (value[kept == 0] == 0).all()
        assert set(np.unique(open_)) <= {0, 1}


def test_the_part_reads_all_live_units_below_from_its_weights_or_fresh_ones() -> None:
    values, mask, free = parts(Growth(Part(((2, 0),)), 0, 0), base())
    assert np.flatnonzero(free[1][0]).tolist() == [1, 3, 5, 8]  # the gates, and its bias
    assert np.flatnonzero(np.delete(free[1], 0, axis=0)).size == 0
    assert values[1][0, [1, 3, 5]].tolist() == [1, 1, 0]
    assert not free[0].any()
    assert not free[2].any()
    fresh, _, _ = parts(Growth(Part(((2, 0),)), 0, 1), base())
    assert (fresh[1][0, [1, 3, 5]] != values[1][0, [1, 3, 5]]).all()
    low, _, _ = parts(Growth(Part(((2, 0),)), 0, 2), base())
    assert (low[1][0] == values[1][0]).all()
    other, _, _ = parts(Growth(Part(((2, 0),)), 0, 1, seed=1), base())
    assert (other[1][0, [1, 3, 5]] != fresh[1][0, [1, 3, 5]]).all()
    assert [Growth(Part((P,)), 0, start).rate for start in range(5)] == [0, 0, 1, 1, 0]
    assert mask[1][0, 5] == 1


def test_readers_learn_to_read_spare_units_and_the_part_but_keep_their_biases() -> None:
    _, _, free = parts(Growth(Part((P,)), 2, 0), base())
    spare = base().wiring.spare(1)[:2]
    for _, reader in READERS:
        assert sorted(np.flatnonzero(free[1][reader]).tolist()) == sorted([1, *spare])
    assert not free[1][4].any()
    assert free[0][spare].all()
    assert not free[2].any()


def test_an_output_takes_spare_units_of_the_layer_below_and_in_odd_starts_of_all() -> None:
    of = base()
    for start, lower in ((0, False), (1, True)):
        _, _, free = parts(Growth(Part(((3, 1),)), 1, start), of)
        above, below = of.wiring.spare(2)[0], of.wiring.spare(1)[0]
        assert free[2][1, above] == 1
        assert free[1][above, below] == lower
        assert bool(free[0][below].any()) == lower


def test_a_member_needs_as_many_spare_units_as_it_asks_for() -> None:
    assert grown(base(), Growth(Part((P,)), 5, 0)) is not None
    assert grown(base(), Growth(Part((P,)), 6, 0)) is None


def test_of_many_masked_edges_those_with_the_largest_gradient_are_grown() -> None:
    of = base(inputs=400)
    _, mask, free = parts(Growth(Part((P,)), 1, 0, most=20), of)
    masked = np.flatnonzero(of.mask[0][1, :-1] == 0)
    steepest = masked[np.argsort(-of.gradient[0][1, masked])[:20]]
    assert set(np.flatnonzero(free[0][1, :-1])) == {0, 1, *steepest}
    spare = of.wiring.spare(1)[0]
    assert set(np.flatnonzero(mask[0][spare, :-1])) == {*range(6), *steepest}  # what anyone reads
    _, few, _ = parts(Growth(Part((P,)), 0, 0, most=398), of)
    assert few[0][1].all()


def test_the_whole_network_grows_so_many_edges() -> None:
    of = base()
    _, mask, free = parts(Growth(everything(of.wiring), 0, 0, most=7), of)
    edges = sum(int(m[:, :-1].sum()) for m in mask)
    assert edges == sum(int(m[:, :-1].sum()) for m in of.mask) + 7
    assert sum(int(f[:, :-1].sum()) for f in free) == edges
    assert Shape((6, 8, 8, 3), ("relu", "relu", "identity")).size == sum(m.size for m in mask)
