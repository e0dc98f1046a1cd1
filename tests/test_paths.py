"""Path weights: published values, sums over paths, and counts worked out by hand."""

from __future__ import annotations

import gzip
import json
import os
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from analysis import LayeredGraph, carrying_units, path_products, path_separation

SHARED = Path(os.environ.get("SCULPTING_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
PUBLISHED = SHARED / "published_networks" / "networks.json.gz"
HALVES = [(0, 1), (2, 3)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), widths=st.lists(st.integers(1, 4), min_size=2, max_size=4))
def test_path_products_sum_over_all_paths(seed: int, widths: list[int]) -> None:
    rng = np.random.default_rng(seed)
    weights = tuple(rng.normal(size=s) for s in pairwise(widths))
    found = path_products(LayeredGraph.from_weights(weights, orientation="in_out"))
    assert found.shape == (widths[0], widths[-1])
    expected = np.zeros(found.shape)
    for path in product(*map(range, widths)):
        expected[path[0], path[-1]] += np.prod([abs(w[a, b]) for w, a, b in zip(weights, path, path[1:], strict=False)])
    assert found == pytest.approx(expected)


def test_path_separation_of_the_published_network() -> None:
    # Pruned [4,2,4] of the paper: path weights 54.2 and 56.8 from the first pair to its two outputs, 72.4 and 70.3 from the second, none
    # across; t = -73.9 and -113.9 there. By hand for the first: means 55.5 and 0, sum of squares 4 * 1.3^2 = 6.76, over 6 degrees
    # of freedom 1.1267, standard error sqrt(1.1267 (1/4 + 1/4)) = 0.7506, t = 73.945. The second is sensitive to the rounded digits.
    products = np.zeros((4, 4))
    products[:2, :2], products[2:, 2:] = (54.2, 56.8), (72.4, 70.3)
    found = path_separation(LayeredGraph.from_weights((products,), orientation="in_out"), HALVES, HALVES)
    assert found.statistic == pytest.approx([73.945, 117.7], abs=0.05)
    assert found.p_value == pytest.approx([4.1e-10, 2.5e-11], rel=0.05)
    assert found.own == pytest.approx([55.5, 71.35])
    assert found.other.tolist() == [0, 0]
    assert str(found).splitlines()[0] == "group 0: mean path weight 55.5 to its own outputs, 0 to the others (t = 73.95, p = 4.1e-10)"


def test_groups_may_overlap_and_signs_do_not_matter() -> None:
    weights = np.array([[-5.0, 4, 1, 1], [3, -6, 2, -1]])
    found = path_separation(LayeredGraph.from_weights((weights,), orientation="in_out"), [(0, 1), (1,)], [(0, 1), (3, 1)])
    assert found.statistic == pytest.approx([ttest_ind([5, 4, 3, 6], [1, 1, 2, 1]).statistic, ttest_ind([6, 1], [3, 2]).statistic])
    assert found.own.tolist() == [4.5, 3.5]
    assert found.other.tolist() == [1.25, 2.5]


def test_equal_entries_have_an_infinite_statistic_or_none() -> None:
    found = path_separation(LayeredGraph.from_weights((np.kron(np.eye(2), np.ones((2, 2))),), orientation="in_out"), HALVES, HALVES)
    assert found.statistic.tolist() == [np.inf, np.inf]
    assert found.p_value.tolist() == [0, 0]
    assert np.isnan(path_separation(LayeredGraph.from_weights((np.ones((4, 4)),), orientation="in_out"), HALVES, HALVES).statistic).all()


def test_carrying_units_by_hand() -> None:
    # Weight through the hidden units: 1 * (1+1), (2+2) * (1+3), 4 * 1 = 2, 16, 4 of 22. 90 % = 19.8 needs two, 91 % (20.02) three.
    first, second = np.array([[1.0, -2, 0], [0, 2, 4]]), np.array([[1.0, 1], [-1, 3], [0, 1]])
    graph = LayeredGraph.from_weights((first, second), orientation="in_out")
    # Inputs: x0 1*2 + 2*4 = 10, x1 2*4 + 4*1 = 12. Outputs: y0 1*1 + 4*1 = 5, y1 1 + 12 + 4 = 17: 17 / 22 = 0.77.
    assert carrying_units(graph) == (2, 2, 2)
    assert carrying_units(graph, share=0.91) == (2, 3, 2)
    assert carrying_units(graph, share=0.77) == (2, 2, 1)
    assert carrying_units(graph, share=0.5) == (1, 1, 1)


@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"the published networks are not at {PUBLISHED}; set SCULPTING_SHARED_DATA")
def test_published_networks_have_as_many_units_as_the_task_has_gates() -> None:
    # Three ANDs and two ORs, the figure of the paper: 3 units in the first hidden layer, 2 in the second.
    networks = [n for n in json.loads(gzip.decompress(PUBLISHED.read_bytes())) if n["task"] == [4, 1, 2, 16] and len(n["widths"]) == 4]
    assert networks
    for network in networks:
        weights = [np.zeros(shape) for shape in pairwise(network["widths"])]
        for weight, edges in zip(weights, network["edges"], strict=True):
            weight[tuple(np.transpose(edges))] = 1
        assert carrying_units(LayeredGraph.from_weights(tuple(weights), orientation="in_out"))[1:3] == (3, 2)


@pytest.mark.parametrize(("share", "count"), [(0.9, 9), (0.91, 10), (1, 10), (0.3, 3), (0.1, 1), (1e-9, 1)])
def test_rounding_asks_for_no_further_unit(share: float, count: int) -> None:
    assert carrying_units([np.full((10, 3), 0.1), np.full((1, 10), 0.7)], share=share)[1] == count


def test_no_path_needs_no_unit() -> None:
    assert carrying_units([np.array([[1.0], [0.0]]), np.array([[0.0, 5.0]])]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        (([(0, 1)], HALVES), "as many output groups as input groups, at least one; got 2 and 1"),
        (([], []), "at least one; got 0 and 0"),
        (([(0, 1), (2, 4)], HALVES), r"input_groups must hold different positions from 0 to 3; got \(2, 4\)"),
        (([(0, -1), (2, 3)], HALVES), r"input_groups must hold different positions from 0 to 3; got \(0, -1\)"),
        ((HALVES, [(0, 1), (2, 2)]), r"output_groups must hold different positions from 0 to 3; got \(2, 2\)"),
        (([(0, 1), (2,)], [(0, 1), (2,)]), "two to the others; got 1 and 3 for group 1"),
        (([(0, 1)], [(0, 1, 2, 3)]), "two to the others; got 8 and 0 for group 0"),
        (([(), (2, 3)], HALVES), "got 0 and 0 for group 0"),
    ],
)
def test_bad_groups_are_refused(groups: tuple, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        path_separation(LayeredGraph.from_weights((np.eye(4),), orientation="in_out"), *groups)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, 90, float("nan")])
def test_a_share_must_be_a_fraction(share: float) -> None:
    with pytest.raises(ValueError, match=r"share must be a fraction in \(0, 1\]; got .*Give a percentage divided by 100"):
        carrying_units([[[1.0]]], share=share)


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_units_that_carry_are_counted_for_weights_of_any_size(scale: float) -> None:
    weights = [np.array([[1.0, 0.0], [0.0, 9.0]]), np.array([[1.0, 1.0]])]
    for share in (0.9, 0.95):
        assert carrying_units([scale * w for w in weights], share=share) == carrying_units(weights, share=share)


def test_path_weights_that_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match=r"path weights must be finite; got 1 of 2 that overflow. Divide"):
        path_products([[[1e200, 1.0]], [[1e200]]])
