"""Significance: p-values counted by hand, calibration on random networks, and published networks."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from analysis import Hierarchy, LayeredGraph, detect_modules
from analysis.evidence import Significance, significance

SHARED = Path(os.environ.get("SCULPTING_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
PUBLISHED = SHARED / "published_networks" / "networks.json.gz"
PAIR = np.kron(np.eye(2), np.ones((2, 2)))  # two units wired to two, twice


def random_graph(rng: np.random.Generator, widths: Sequence[int], density: float = 0.5) -> LayeredGraph:
    shapes = pairwise(widths)
    return LayeredGraph.from_weights(
        tuple(rng.normal(size=shape) * (rng.random(shape) < density) for shape in shapes), orientation="in_out"
    )


def test_p_value_and_z_score_by_hand() -> None:
    found = Significance(0.5, np.array([0.1, 0.5, 0.7, 0.3]), "rewired")
    assert (found.reached, found.tied) == (2, 1)
    assert found.p_value == pytest.approx(3 / 5)
    # Mean 0.4, deviations 0.3, 0.1, 0.3, 0.1: variance 0.2 / 4.
    assert found.z_score == pytest.approx(0.1 / 0.05**0.5)
    assert found.verdict == "not more than chance"


@pytest.mark.parametrize(
    ("nulls", "verdict"),
    [
        ([0.1] * 19, "more than chance"),
        ([0.1] * 18 + [0.9], "not more than chance"),
        ([0.1] * 18 + [0.5 + 1e-12], "cannot be told from chance"),
        ([0.1] * 38 + [0.9], "more than chance"),
    ],
)
def test_verdicts(nulls: list[float], verdict: str) -> None:
    assert Significance(0.5, np.array(nulls), "rewired").verdict == verdict


def test_two_wired_blocks_are_as_likely_as_counted() -> None:
    # 4-4-4 with two edges in and out of every unit. Of 90 arrangements of a layer, 3 * 6 = 18 make two blocks; both layers do with
    # 1/25, and with 1/3 they pair the hidden units alike. Only then are all edges within two modules, with separation 1/2
    # (equal within a block, nothing in common across) and modularity 1 - 2 (1/2)^2 = 1/2.
    found = significance(detect_modules([PAIR, PAIR]), nulls=400, seed=1)
    assert found.quality == pytest.approx(1)
    assert found.null_qualities.max() <= 1 + 1e-9
    assert found.reached == found.tied
    assert binomtest(found.reached, 400, 1 / 75).pvalue > 0.05
    assert str(found).startswith("Modular structure: more than chance (p = 0.0")


def test_a_structure_forced_by_its_counts_cannot_be_told_from_chance() -> None:
    # Six inputs with one edge each into three units with two: three pairs in every rewiring. Three units with two edges each into
    # three with two: each output misses another unit in every rewiring.
    first, second = np.kron(np.eye(3), np.ones((1, 2))), 1 - np.eye(3)
    found = significance(detect_modules([first, second]), nulls=50)
    assert found.tied == 50
    assert found.p_value == 1
    assert np.isnan(found.z_score)
    assert "the numbers of edges per unit leave too little choice for this test" in str(found)
    assert "z =" not in str(found)


def test_heavy_edges_within_modules() -> None:
    # Two blocks, and one edge from a hidden unit across. It weighs least of nine: shuffling puts the least weight there once in nine times.
    second = PAIR.copy()
    second[3, 0] = 0.1
    detect = partial(detect_modules, merge_threshold=0.6)
    found = significance(detect([PAIR, second]), null="shuffled", nulls=400, detect=detect)
    assert len(detect([PAIR, second]).modules) == 2
    assert len(set(np.round(found.null_qualities, 9))) > 1
    assert found.reached == found.tied
    assert binomtest(found.reached, 400, 1 / 9).pvalue > 0.05
    assert str(found).startswith("Weight within modules: cannot be told from chance")


def test_units_that_carry_nothing_make_no_difference() -> None:
    seen = []

    def detect(graph: LayeredGraph) -> Hierarchy:
        seen.append([int(a.sum()) for a in graph.alive()])
        return detect_modules(graph)

    first, second = np.zeros((6, 5)), np.zeros((4, 6))
    first[:4, :4], first[4, 4], second[:, :4], second[:, 5] = PAIR, 1, PAIR, 1  # unit 4 leads nowhere, unit 5 reads nothing
    found = significance(detect_modules([first, second]), nulls=20, detect=detect)
    assert found.quality == pytest.approx(1)
    assert seen == [[4, 4, 4]] * 21


@pytest.mark.parametrize("null", ["rewired", "shuffled"])
def test_a_seed_repeats_the_nulls(null: str) -> None:
    found = detect_modules(random_graph(np.random.default_rng(0), (8, 6, 4)))
    a, b, c = (significance(found, null=null, nulls=20, seed=seed, detect=detect_modules).null_qualities for seed in (1, 1, 2))
    assert len(a) == 20
    assert (a == b).all()
    assert null == "shuffled" or (a != c).any()


def test_random_networks_are_as_good_as_their_nulls() -> None:
    # A random network and its nulls are alike, so its rank among them is uniform, with ties broken at random.
    rng = np.random.default_rng(5)
    ranks, p_values = [], []
    for trial in range(30):
        graph = random_graph(rng, [(6, 5, 4, 3), (8, 6, 4), (7, 7, 7, 3)][trial % 3], 0.45)
        found = significance(detect_modules(graph), nulls=20, seed=trial)
        ranks.append((found.reached - found.tied + rng.random() * (found.tied + 1)) / 21)
        p_values.append(found.p_value)
    assert kstest(ranks, "uniform").pvalue > 0.05
    for level in (0.1, 0.25, 0.5):
        assert binomtest(sum(p <= level for p in p_values), 30, level, alternative="greater").pvalue > 0.01


@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"the published networks are not at {PUBLISHED}; set SCULPTING_SHARED_DATA")
@pytest.mark.parametrize(
    ("task", "layers", "verdict"),
    [
        ([4, 2, 4], 3, "more than chance"),
        ([8, 2, 1, 2, 16], 3, "more than chance"),
        ([8, 2, 1, 2, 16], 6, "more than chance"),
        ([6, 3, 3, 3], 4, "cannot be told from chance"),
        ([4, 1, 4], 4, "cannot be told from chance"),
    ],
)
def test_published_networks(task: list[int], layers: int, verdict: str) -> None:
    networks = json.loads(gzip.decompress(PUBLISHED.read_bytes()))
    network = next(n for n in networks if n["task"] == task and len(n["widths"]) == layers)
    weights = [np.zeros(shape) for shape in pairwise(network["widths"])]
    for weight, edges in zip(weights, network["edges"], strict=True):
        weight[tuple(np.transpose(edges))] = 1
    assert significance(detect_modules(LayeredGraph.from_weights(tuple(weights), orientation="in_out")), nulls=100).verdict == verdict


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"null": "random"}, r"null must be one of \['rewired', 'shuffled'\]; got 'random'"),
        ({"nulls": 18}, "nulls must be an integer of at least 19, fewer never give p <= 0.05; got 18"),
        ({"nulls": True}, "nulls must be an integer"),
        ({"nulls": 50.0}, "nulls must be an integer"),
        (
            {"detect": partial(detect_modules, merge_threshold=1)},
            "must be the detector that found the hierarchy, which has 2 modules; got one that finds 8 others. Give its settings",
        ),
    ],
)
def test_bad_settings_are_refused(options: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        significance(detect_modules([PAIR, PAIR]), **options)


def test_a_detector_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="detect must be the detector that found the hierarchy, such as detect_modules; got NoneType"):
        significance(detect_modules([PAIR, PAIR]), detect=None)
