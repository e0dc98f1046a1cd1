"""Members first or last in memory: the same numbers in every product, batch and round."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest
import torch

from sculpting.data import table_of
from sculpting.mlp.batches import batches, hidden_noise
from sculpting.mlp.memory_layout import buffer, lie_last, pay_last, product, put_last
from sculpting.models.shape import Shape
from sculpting.randomness import keys, normals, normals_between


@pytest.mark.parametrize("bound", [1, 10_000])
def test_products_are_those_of_the_blas(bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculpting.mlp.memory_layout.TERM_BY_TERM", bound)
    generator = torch.Generator().manual_seed(0)
    a, b, shared = (torch.randn(shape, generator=generator) for shape in ((7, 3, 4), (7, 4, 5), (4, 6)))
    for first, second in ((a, b), (a, shared)):
        torch.testing.assert_close(product(first, second, last=False), first @ second)
        last = product(put_last(first), put_last(second) if second.ndim == 3 else second, last=True)
        torch.testing.assert_close(last, first @ second)
        assert lie_last(last)
        assert not lie_last(first)
    turned = product(put_last(a).transpose(1, 2), put_last(torch.ones(7, 3, 2)), last=True)
    torch.testing.assert_close(turned, a.transpose(1, 2) @ torch.ones(7, 3, 2))


def in_all_layouts(matrix: torch.Tensor) -> Iterator[torch.Tensor]:
    """The same matrices ``(N, i, j)``, rows or columns side by side in memory, without gaps and with."""
    yield matrix
    yield matrix.transpose(1, 2).contiguous().transpose(1, 2)
    yield torch.nn.functional.pad(matrix, (1, 2, 1, 1))[:, 1:-1, 1:-2]
    yield torch.nn.functional.pad(matrix, (1, 1, 1, 2)).transpose(1, 2).contiguous().transpose(1, 2)[:, 1:-2, 1:-1]


@pytest.mark.parametrize("members", [1, 3])
def test_large_products_are_those_of_the_blas_however_they_lie_in_memory(members: int, monkeypatch: pytest.MonkeyPatch) -> None:
    handed, there = [], torch.backends.mkldnn.is_available()
    monkeypatch.setattr("sculpting.mlp.memory_layout.LARGE", 3 * 4 * 5)
    if there:
        linear = torch.ops.mkldnn._linear_pointwise
        monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", lambda *given: handed.append(given[1]) or linear(*given))
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(members, 3, 4, generator=generator), torch.randn(members, 4, 5, generator=generator)
    for first in in_all_layouts(a):
        for second in in_all_layouts(b):
            torch.testing.assert_close(product(first, second, last=False), a @ b)
            torch.testing.assert_close(product(first, second[0], last=False), a @ b[0])
    assert len(handed) == (16 * (members + 1) if there else 0)
    assert all(weight.is_contiguous() or weight.t().is_contiguous() for weight in handed)  # or it is a thousand times slower
    handed.clear()
    torch.testing.assert_close(product(a[:, :2], b, last=False), a[:, :2] @ b)
    assert not handed


def test_the_input_of_a_layer_ends_in_the_one_of_the_biases_and_keeps_the_memory_layout() -> None:
    first = torch.rand(5, 3)
    for like in (first, put_last(first)):
        made = buffer((5, 2, 4), like)
        assert made.shape == (5, 2, 4)
        assert bool((made[:, -1] == 1).all())
        assert lie_last(made) == lie_last(like)
    assert not lie_last(torch.rand(1, 3))


def test_members_lie_last_where_layers_are_small_and_members_many() -> None:
    def shape(width: int) -> Shape:
        return Shape((4, width, 4), ("relu", "identity"))

    cpu = torch.device("cpu")
    assert pay_last(shape(8), 8, 100, cpu)
    assert not pay_last(shape(8), 8, 4, cpu)
    assert not pay_last(shape(8), 64, 100, cpu)
    assert not pay_last(shape(80), 8, 100, cpu)
    assert not pay_last(shape(8), 8, 100, torch.device("cuda"))


@pytest.mark.parametrize("kept", [None, torch.tensor([0, 2])])
def test_batches_do_not_depend_on_the_memory_layout(kept: torch.Tensor | None) -> None:
    generator = torch.Generator().manual_seed(0)
    table = table_of(torch.randn(10, 3, generator=generator), torch.randn(10, 2, generator=generator))
    first, last = (list(batches(table, 2, 4, 3, 0.1, keys(range(5)), kept, last=flag)) for flag in (False, True))
    assert len(first) == len(last) == 9
    for pair in zip(first, last, strict=True):
        for a, b in zip(*pair, strict=True):
            assert torch.equal(a, b)
            assert lie_last(b)


@pytest.mark.parametrize("kept", [None, torch.tensor([0, 2])])
def test_batches_do_not_depend_on_how_rows_of_data_lie_in_memory(kept: torch.Tensor | None, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = torch.rand(10, 3), torch.rand(10, 2)
    found = []
    for many in (64, 1):
        for module in ("data", "mlp.batches"):
            monkeypatch.setattr(f"sculpting.{module}.MANY_COLUMNS", many)
        table = table_of(x, y)
        assert table.shape == (6, 10)
        assert (table.stride(1) == 1) == (many > 1)
        found.append([*chain(*batches(table, 2, 4, 3, 0.1, keys(range(5)), kept, last=False))])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    inputs, targets = found[0][0][0].t(), found[0][1][0].t()
    fed = x if kept is None else x[:, kept]
    row = (y == targets[0]).all(dim=1).nonzero().item()
    assert inputs[0, -1] == 1
    assert (inputs[0, :-1] - fed[row]).abs().max() < 0.5  # the noise is 0.1


def test_normals_do_not_depend_on_the_memory_layout() -> None:
    key = keys(range(4))
    for length in (6, 7):
        assert torch.equal(normals(key, length, 3, 2), normals(key, length, 3, 2, last=True))


@pytest.mark.parametrize(("length", "first", "end"), [(9, 0, 9), (9, 4, 9), (8, 2, 7), (1, 0, 1)])
def test_part_of_a_draw_is_drawn_alone(length: int, first: int, end: int) -> None:
    key = keys(range(4))
    whole = normals(key, length, start=5, deviation=0.3)[:, 0]
    assert torch.equal(normals_between(key, length, first, end, 5, 0.3), whole[:, first:end])
    assert torch.equal(whole, normals(key, length, start=5)[:, 0].mul(0.3))


@pytest.mark.parametrize(("rows", "size"), [(8, 4), (10, 4), (7, 2), (9, 3)])
def test_noise_is_the_same_drawn_whole_by_batches_and_by_epochs(rows: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    units = [torch.tensor([[0, 2], [1, 3], [0, 1]]), torch.tensor([[5], [0], [2]])]
    found = {}
    for how, layer, chunk in (("together", 10**9, 10**9), ("by epochs", 10**9, 1), ("by batches", 0, 1)):
        monkeypatch.setattr("sculpting.mlp.batches.LAYER_FLOATS", layer)
        monkeypatch.setattr("sculpting.mlp.batches.CHUNK_FLOATS", chunk)
        found[how] = list(hidden_noise(units, rows, size, 3, 0.3, keys(range(3)), last=False))
    assert len(found["together"]) == 3 * -(-rows // size)
    for noises in zip(*found.values(), strict=True):
        for whole, *others in zip(*noises, strict=True):
            assert whole.shape[:2] in {(3, 2), (3, 1)}
            assert all(torch.equal(whole, other) for other in others)
    assert found["by batches"][0][0].is_contiguous() == (size % 2 == 0)


@pytest.mark.parametrize("gaps", [False, True])
def test_a_product_is_added_to_what_is_given(gaps: bool) -> None:
    a, b, added = torch.rand(5, 8, 9), torch.rand(5, 9, 32), torch.rand(5, 16, 32)[:, :8]
    expected = torch.bmm(a, b) + added
    added = added if gaps else added.contiguous()
    before = added.clone()
    assert torch.equal(product(a, b, False, added), expected)
    assert torch.equal(added, before if gaps else expected)  # written over only where it has no gaps
    last = product(put_last(a), put_last(b), True, put_last(before))
    torch.testing.assert_close(last, expected)
