"""Agreement over candidates, on candidates made so that the right structure is known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from analysis import Hierarchy, consensus, detect_modules
from analysis.evidence import wilson
from sculpting import SparseNetwork

SPLIT = [np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]]), np.eye(2)]  # two modules, 6 edges
JOINED = [np.array([[1.0, 1, 1, 1], [0, 0, 0, 0]]), np.array([[1.0, 0], [1, 0]])]  # one module, 6 edges
WIDE = [np.ones((2, 4)), np.ones((2, 2))]  # one module, 12 edges


def without(weights: list[np.ndarray], edge: tuple[int, int]) -> list[np.ndarray]:
    changed = [w.copy() for w in weights]
    changed[0][edge] = 0.0
    return changed


def of_seed(seed: int, weights: list[np.ndarray], rate: float = 0.1) -> SparseNetwork:
    origin = {"seed": seed, "model": 0, "learning_rate": rate, "unit_step": 70}
    return SparseNetwork(tuple(weights), tuple(np.zeros(len(w)) for w in weights), ("relu", "identity"), origin=origin)


def test_the_most_frequent_structure_wins_over_the_sparsest() -> None:
    sparsest = without(JOINED, (0, 0))  # 5 edges, of which one input is unused
    others = [
        SPLIT,
        [SPLIT[0][::-1].copy(), SPLIT[1][::-1].copy()[:, ::-1][::-1].copy()],
        [SPLIT[0][::-1].copy(), SPLIT[1][:, ::-1].copy()],
    ]
    found = consensus([sparsest, *others], halving=1.0, unit_cost=0)
    assert isinstance(found, Hierarchy)
    assert [m.inputs for m in found.modules] == [(0, 1), (2, 3)]
    vote = 2**-0.8  # of no known seed, and of 6 edges where the sparsest has 5; of the three others two are distinct
    assert found.support == pytest.approx(2 * vote / (1 + 2 * vote))


def test_candidates_with_the_same_edges_count_once() -> None:
    scaled = [[w * s for w in SPLIT] for s in (1.0, 2.0, -3.0)]
    found = consensus([*scaled, JOINED, without(JOINED, (0, 3))], halving=1e9)
    assert found.support == pytest.approx(1 / 3)


def test_edges_that_carry_nothing_do_not_count() -> None:
    dangling = [np.vstack([SPLIT[0], [1.0, 1, 1, 1]]), np.hstack([SPLIT[1], np.zeros((2, 1))])]
    found = consensus([dangling, WIDE], halving=0.03)
    assert found.support == 1.0
    assert found.network is dangling


def test_a_vote_halves_with_every_so_many_more_edges_until_there_is_none() -> None:
    # Every one of these has two hidden units, and a seed of its own.
    split = of_seed(8, SPLIT)
    wides = [of_seed(4 * i + j, without(WIDE, (i, j))) for i in range(2) for j in range(4)]  # eight of 11 edges, one module, beside 6 edges
    assert consensus([split, *wides], halving=0.1).support == pytest.approx(1 / (1 + 8 * 2**-5))  # 5 edges more than 6 + 2 x 2
    assert consensus([split, wides[0]]).support == pytest.approx(1 / (1 + 2**-2.5))  # by 0.2 of these when left out
    assert consensus([split, *wides], halving=0.15).support == pytest.approx(1 / (1 + 8 * 2 ** (-5 / 1.5)))
    found = consensus([split, *wides], halving=1.0, unit_cost=0)
    assert len(found.modules) == len(detect_modules(wides[0]).modules)
    assert found.support == pytest.approx(8 * 2 ** (-5 / 6) / (1 + 8 * 2 ** (-5 / 6)))
    assert consensus([split, *wides], halving=5 / 60 + 1e-9).support < 1.0  # just within the sixth halving
    assert consensus([split, *wides], halving=5 / 60 - 1e-9).support == 1.0


def test_votes_of_no_known_seed_halve_four_times_as_fast() -> None:
    wide = without(WIDE, (0, 0))
    for strangers in ([SPLIT, wide], [of_seed(0, SPLIT), wide]):
        assert consensus(strangers, halving=0.5).support == pytest.approx(1 / (1 + 2**-4))
    assert consensus([SPLIT, of_seed(0, wide)], halving=0.5).support == pytest.approx(1 / (1 + 2**-1))


def test_a_hidden_unit_counts_for_so_many_edges() -> None:
    # Sizes are edges + unit_cost x hidden units: SPLIT has 6 and 2; the other, of one module, 6 and 1.
    split, one = of_seed(0, SPLIT), of_seed(1, [np.array([[1.0, 1, 1, 1]]), np.ones((2, 1))])
    for cost, vote in ((0.0, 1.0), (2.0, 2 ** -(2 / 8)), (5.0, 2 ** -(5 / 11))):
        found = consensus([split, one], halving=1.0, unit_cost=cost)
        assert found.support == pytest.approx(1 / (1 + vote))
        assert found.network is (one if cost else split)
    dangling = of_seed(
        0, [np.vstack([SPLIT[0], [1.0, 1, 1, 1]]), np.hstack([SPLIT[1], np.zeros((2, 1))])]
    )  # a third unit that nothing reads
    assert consensus([dangling, one], halving=1.0).support == pytest.approx(1 / (1 + 2 ** -(2 / 8)))  # 2 by default


def test_a_seed_shares_its_vote_among_its_candidates() -> None:
    # Edges alone: SPLIT 6, of seed 0; of seed 1 five that join the outputs, of 11 edges.
    wides = [of_seed(1, without(WIDE, (i, j))) for i in range(2) for j in range(2)] + [of_seed(1, without(WIDE, (0, 3)))]
    found = consensus([of_seed(0, SPLIT), *wides], halving=1.0, unit_cost=0)
    assert found.support == pytest.approx(1 / (1 + 2 ** -(5 / 6)))
    assert [m.outputs for m in found.modules] == [(0,), (1,)]
    assert consensus([of_seed(0, SPLIT), *wides], halving=5 / 36 - 1e-9, unit_cost=0).support == 1.0  # past the sixth halving: no vote
    # Within a seed shares halve with every 0.15 of it: 7 edges beside 6.
    other = [np.array([[1.0, 1, 1, 1], [0, 0, 0, 1]]), np.eye(2)]
    found = consensus([of_seed(0, SPLIT), of_seed(0, other)], halving=1.0, unit_cost=0)
    assert found.support == pytest.approx(1 / (1 + 2 ** -(1 / 0.9)))
    assert found.support_interval == pytest.approx(wilson(found.support, 1.0))  # one seed
    # Seeds that came to the same edges count each; what one seed came to twice counts once.
    joined = [of_seed(seed, JOINED) for seed in (0, 1)]
    assert consensus([*joined, of_seed(2, SPLIT)], unit_cost=0).support == pytest.approx(2 / 3)
    assert consensus([joined[0], joined[0], of_seed(2, SPLIT)], unit_cost=0).support == pytest.approx(1 / 2)
    # The same wiring in other units is the same: of seed 0 one unit is left, the first or the second.
    second = of_seed(0, [JOINED[0][::-1].copy(), JOINED[1][:, ::-1].copy()])
    shares = [of_seed(0, without(JOINED, (0, 0))), *(of_seed(0, without(w, e)) for w, e in ((JOINED, (0, 1)), (second.weights, (1, 1))))]
    assert consensus(shares, unit_cost=0).support == consensus(shares[:2], unit_cost=0).support
    assert consensus([joined[0], second, of_seed(0, SPLIT)], unit_cost=0).support == pytest.approx(1 / 2)
    # Other widths are another start, and so is another learning rate.
    wide = replace(joined[0], origin={**joined[0].origin, "widths": [4, 9, 2]})
    assert consensus([joined[0], wide, of_seed(0, SPLIT)], unit_cost=0, halving=0.5).support == pytest.approx(3 / 4)
    assert consensus([joined[0], of_seed(0, JOINED, 0.2), of_seed(0, SPLIT)], unit_cost=0, halving=0.5).support == pytest.approx(3 / 4)


def test_groups_of_inputs_and_outputs_are_agreed_on_before_the_number_of_modules() -> None:
    # Three candidates join the outputs in three modules; four keep them apart, two in two modules and two in four.
    joined = [np.array([[0.0, 0, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0]]), np.array([[0.0, 1, 0], [1, 1, 1]])]
    two = [np.array([[0.0, 0, 1, 1], [0, 1, 0, 0], [1, 0, 0, 0]]), np.array([[0.0, 1, 1], [1, 0, 0]])]
    four = [np.array([[0.0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]), np.array([[0.0, 0, 1], [1, 1, 0]])]
    shuffled = [[[w[0][order], w[1][:, order]] for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1])] for w in (joined, two, four)]
    assert [{len(h.modules) for h in detect_modules(networks, method="published")} for networks in shuffled] == [{3}, {2}, {4}]
    found = consensus([*shuffled[0], *shuffled[1][:2], *shuffled[2][:2]], halving=1e9, method="published")
    assert [m.outputs for m in found.modules] == [(0,), (1,)]
    assert found.support == pytest.approx(2 / 7)
    assert len(consensus([*shuffled[0], *shuffled[1][:1], *shuffled[2][:2]], halving=1e9, method="published").modules) == 4


def test_equally_frequent_structures_go_to_the_smallest_then_the_first() -> None:
    assert len(consensus([SPLIT, JOINED], unit_cost=0).modules) == 2
    assert len(consensus([JOINED, SPLIT], unit_cost=0).modules) == len(detect_modules(JOINED).modules)
    assert consensus([SPLIT, without(JOINED, (0, 0))], halving=1e9).support == pytest.approx(0.5)


def test_the_network_is_the_smallest_that_has_the_structure() -> None:
    more = [SPLIT[0].copy(), np.eye(2)]
    more[0] = np.vstack([SPLIT[0], [1.0, 0, 0, 0]])
    more[1] = np.array([[1.0, 0, 1.0], [0, 1.0, 0]])
    networks = [SparseNetwork(tuple(w), tuple(np.zeros(len(m)) for m in w), ("relu", "identity")) for w in (more, SPLIT)]
    found = consensus(networks, halving=1.0)
    assert found.network is networks[1]
    assert found.support == 1.0


@pytest.mark.parametrize(
    ("candidates", "options", "text"),
    [
        ([], {}, "at least one candidate; got none"),
        ([SPLIT], {"halving": 0}, "halving must be above 0"),
        ([SPLIT], {"unit_cost": -1}, "unit_cost must be at least 0"),
        ([SPLIT], {"halving": "0.2"}, "halving must be above 0, .* got '0.2'"),
        ([SPLIT], {"unit_cost": float("nan")}, "unit_cost must be at least 0"),
        ([SPLIT], {"unit_cost": float("inf")}, "unit_cost must be at least 0 and finite, .* got inf"),
        ([SPLIT], {"unit_cost": "2"}, "unit_cost must be at least 0 and finite, .* got '2'"),
        ([SPLIT, [np.ones((2, 3)), np.eye(2)]], {}, r"the same numbers of inputs and outputs; got \[\(3, 2\), \(4, 2\)\]"),
        ([SPLIT], {"merge_threshold": 2}, "merge_threshold must be"),
    ],
)
def test_bad_candidates_are_refused(candidates: list, options: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        consensus(candidates, **options)


def test_a_result_is_read_with_its_candidates() -> None:
    candidates = (of_seed(0, SPLIT), of_seed(1, SPLIT), of_seed(2, JOINED))
    found = consensus(SimpleNamespace(candidates=candidates, network=candidates[0]))
    expected = consensus(candidates)
    assert (found.support, found.network) == (expected.support, expected.network)
    with pytest.raises(ValueError, match="consensus needs at least one candidate; got none"):
        consensus(SimpleNamespace(candidates=(), network=None))


def test_results_of_one_network_each_are_candidates_with_the_seeds_of_their_networks() -> None:
    networks = [of_seed(0, SPLIT), of_seed(0, WIDE), of_seed(1, JOINED)]
    found, expected = consensus([SimpleNamespace(network=network) for network in networks]), consensus(networks)
    assert (found.support, found.network) == (expected.support, expected.network)


def test_what_is_not_several_networks_is_refused() -> None:
    with pytest.raises(TypeError, match=r"candidates must be several networks, such as result\.candidates; got SparseNetwork"):
        consensus(of_seed(0, SPLIT))
    with pytest.raises(TypeError, match=r"candidates must be several networks, .* got list of ndarray. Give one network in a list"):
        consensus(SPLIT)


def test_the_support_has_a_wilson_interval() -> None:
    # p = 2/3 of n = 3, z = 1.95996: centre (p + z^2 / 2n) / (1 + z^2 / n) = 1.30691 / 2.28049 = 0.57308, half width
    # z / 2.28049 * sqrt(p (1 - p) / n + z^2 / 4 n^2) = 0.85945 * sqrt(0.074074 + 0.106707) = 0.36542.
    # The fourth candidate, of 12 edges, has no vote, and the others have one each.
    found = consensus([SPLIT, [SPLIT[0][::-1].copy(), SPLIT[1][:, ::-1].copy()], JOINED, WIDE], halving=0.1, unit_cost=0)
    assert found.support == pytest.approx(2 / 3)
    assert found.support_interval == pytest.approx((0.20766, 0.93850), abs=1e-5)
    # With unequal votes n is that of as many equal ones: 1, v and v for 5, 6 and 6 edges.
    vote = 2**-0.8
    swapped = [SPLIT[0][::-1].copy(), SPLIT[1][:, ::-1].copy()]
    unequal = consensus([SPLIT, swapped, without(JOINED, (0, 0))], halving=1.0, unit_cost=0)
    assert unequal.support_interval == pytest.approx(wilson(unequal.support, (1 + 2 * vote) ** 2 / (1 + 2 * vote**2)))
    # One of one: from 1 / (1 + z^2) to 1.
    assert consensus([SPLIT]).support_interval == pytest.approx((0.20655, 1.0), abs=1e-5)
    assert detect_modules(SPLIT).support_interval is None
