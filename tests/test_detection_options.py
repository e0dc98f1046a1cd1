"""Every option of the detector: by hand, in every combination, and what symmetric ties promise."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layered import SEEDS, lists, permuted, planted_blocks, random_graph, same
from published import NETWORKS, differences, read

from analysis.detection.modules import CHOICES, detect_modules
from analysis.hierarchy import first_appearance


def test_incoming_paths_are_those_of_the_network_read_backwards() -> None:
    # x0 and x1 feed h0, x2 feeds h1; y0 and y1 read h0, y2 reads h1: outputs are clusters by what reaches them, inputs on their own.
    weights = [np.array([[1.0, 1, 0], [0, 0, 1]]), np.array([[1.0, 0], [1, 0], [0, 1]])]
    found = detect_modules(weights, direction="incoming")
    assert lists(found.clusters) == [[0, 1, 2], [0, 1], [0, 0, 1]]
    assert lists(found.labels) == [[0, 0, 1], [0, 1], [0, 0, 1]]
    backwards = detect_modules([weights[1].T, weights[0].T])
    assert [same(a, b) for a, b in zip(found.clusters, backwards.clusters[::-1], strict=True)] == [True] * 3
    assert same(np.concatenate(found.labels), np.concatenate(backwards.labels[::-1]))


def test_both_directions_part_units_that_either_parts() -> None:
    # Four hidden units: the first two read x0, and the first and third feed y0.
    weights = [np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]]), np.array([[1.0, 0, 1, 0], [0, 1, 0, 1]])]
    hidden = [detect_modules(weights, method="published", direction=direction).clusters[1].tolist() for direction in CHOICES["direction"]]
    assert hidden == [[0, 1, 0, 1], [0, 0, 1, 1], [0, 1, 2, 3]]
    # Outputs that read the same are one cluster where incoming paths count, and each its own where they do not.
    copies = [np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]]), np.array([[1.0, 0], [1, 0], [0, 1]])]
    assert detect_modules(copies).clusters[2].tolist() == [0, 1, 2]
    assert detect_modules(copies, direction="both").clusters[2].tolist() == [0, 0, 1]


def test_strengths_part_inputs_that_reach_the_same() -> None:
    weights = [[[9, 8, 0.1, 0.1], [0.1, 0.1, 9, 8]], np.eye(2)]
    assert lists(detect_modules(weights).clusters)[0] == [0, 0, 0, 0]
    assert lists(detect_modules(weights, features="weighted").clusters)[0] == [0, 0, 1, 1]


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    layer=st.integers(0, 3),
    merge_threshold=st.sampled_from([0.0, 0.3, 0.5, 0.9]),
    options=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items() if name != "ties"}),
)
def test_with_symmetric_ties_permuting_any_layer_permutes_its_labels(seed: int, layer: int, merge_threshold: float, options: dict) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, (6, 5, 7, 4), density=rng.uniform(0.15, 0.6))
    order = rng.permutation(graph.widths[layer])
    found, other = (
        detect_modules(g, ties="symmetric", merge_threshold=merge_threshold, **options) for g in (graph, permuted(graph, layer, order))
    )
    for mine, theirs in ((found.labels, other.labels), (found.clusters, other.clusters)):
        moved = [part[order] if i == layer else part for i, part in enumerate(mine)]
        if mine is found.labels:
            assert same(np.concatenate(moved), np.concatenate(theirs))
        assert all(same(a, b) for a, b in zip(moved, theirs, strict=True))


@settings(max_examples=20, deadline=None)
@given(
    seed=SEEDS,
    reach=st.sampled_from([None, 1, 2]),
    features=st.sampled_from(CHOICES["features"]),
    direction=st.sampled_from(CHOICES["direction"]),
)
def test_detecting_changes_no_array(seed: int, reach: int | None, features: str, direction: str) -> None:
    weights = [w.T.copy() for w in random_graph(np.random.default_rng(seed), (5, 6, 4, 3)).weights]
    before = [w.copy() for w in weights]
    hierarchy = detect_modules(weights, reach=reach, features=features, direction=direction)
    assert all((a == b).all() for a, b in zip(weights, before, strict=True))
    assert hierarchy.network is weights


# --- Options ------------------------------------------------------------------------------------------------------------------

OPTIONS = [dict(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())]
PLANTED = {
    "four blocks of two": [np.repeat(np.arange(4), 2)] * 3,
    "three blocks of three, out of order": [np.random.default_rng(i).permutation(np.repeat(np.arange(3), 3)) for i in range(3)],
    "one block": [np.zeros(3, dtype=int)] * 3,
}
UNEVEN = [np.array([0, 1, 1, 1, 2, 2]), np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 2, 2, 2])]


@pytest.mark.parametrize("criterion", CHOICES["criterion"])
@pytest.mark.parametrize("name", PLANTED)
def test_every_combination_of_options_finds_planted_modules(name: str, criterion: str) -> None:
    graph, wrong = planted_blocks(PLANTED[name]), []
    for options in (o for o in OPTIONS if o["criterion"] == criterion):
        if not same(np.concatenate(detect_modules(graph, **options).labels), np.concatenate(PLANTED[name])):
            wrong.append(options)
    assert not wrong


def test_modules_of_unequal_size_are_found_by_what_units_have_in_common() -> None:
    for options in (o for o in OPTIONS if o["distance"] != "euclidean"):
        assert same(np.concatenate(detect_modules(planted_blocks(UNEVEN), **options).labels), np.concatenate(UNEVEN)), options


@pytest.mark.parametrize("criterion", CHOICES["criterion"])
def test_every_combination_of_options_gives_a_canonical_hierarchy(criterion: str) -> None:
    rng = np.random.default_rng(0)
    graphs = [read(NETWORKS["three ANDs and three ORs"]), random_graph(rng, (6, 7, 3), density=0.45)]
    for options in (o for o in OPTIONS if o["criterion"] == criterion):
        for graph in graphs:
            hierarchy = detect_modules(graph, **options)
            assert [a.tolist() for a in first_appearance(hierarchy.labels)] == lists(hierarchy.labels)
            for layer, (labels, clusters, alive) in enumerate(zip(hierarchy.labels, hierarchy.clusters, graph.alive(), strict=True)):
                assert ((labels >= 0) == alive).all(), (options, layer)
                assert ((clusters >= 0) == alive).all(), (options, layer)
                assert first_appearance([clusters])[0].tolist() == clusters.tolist()
                # A module holds clusters whole.
                assert len(set(zip(clusters.tolist(), labels.tolist(), strict=True))) == len(set(clusters.tolist()))


@pytest.mark.parametrize("name", [*CHOICES, "merge_threshold", "modularity_threshold", "reach"])
def test_every_option_has_an_effect(name: str) -> None:
    rng = np.random.default_rng(1)
    graphs = [random_graph(rng, (8, 9, 8, 4), density=0.35) for _ in range(15)]
    values = {"merge_threshold": [0.4], "modularity_threshold": [1], "reach": [1]} | CHOICES
    default = detect_modules(graphs)
    values["ties"] = ("symmetric", "published")
    for value in values[name][1:] or values[name]:
        found = detect_modules(graphs, **{name: value})
        assert any(lists(a.labels) != lists(b.labels) for a, b in zip(found, default, strict=True)), value


def test_the_published_method_is_the_published_detector() -> None:
    graph = read(NETWORKS["overlap of one input, uneven"])
    published = detect_modules(
        graph,
        method="published",
        features="binary",
        direction="outgoing",
        linkage="average",
        distance="cosine",
        criterion="modularity",
        ties="published",
        merge_threshold=0.9,
        modularity_threshold=0.2,
        reach=None,
    )
    assert lists(published.labels) == lists(detect_modules(graph, method="published").labels)
    assert lists(published.labels) == lists(detect_modules(graph, ties="published").labels)  # it has no lone readers
    assert differences(published, NETWORKS["overlap of one input, uneven"]) == []


@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_option_is_refused_with_the_known_ones(name: str) -> None:
    known = ", ".join(map(repr, CHOICES[name]))
    with pytest.raises(ValueError, match=f"{name} must be one of {known}; got 'ward'"):
        detect_modules([[[1.0]]], **{name: "ward"})


@pytest.mark.parametrize("name", ["merge_threshold", "modularity_threshold"])
@pytest.mark.parametrize("value", [-0.1, 1.01, 90, float("nan"), "0.9", None])
def test_a_threshold_must_be_a_fraction(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be a fraction in \[0, 1\]; got .*Give a percentage divided by 100"):
        detect_modules([[[1.0]]], **{name: value})


@pytest.mark.parametrize("value", [0, 1, np.float32(0.5)])
def test_both_ends_are_fractions(value: float) -> None:
    assert len(detect_modules([[[1.0]]], merge_threshold=value, modularity_threshold=value).labels) == 2
