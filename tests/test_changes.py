"""What changed between two networks: modules, their units, and the drift of edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis import Hierarchy, LayeredGraph, changes, detect_modules, keep_modules


def hierarchy(weights: list[Any], labels: list[list[int]], biases: list[Any] = []) -> Hierarchy:  # noqa: B006 (is not changed)
    graph = LayeredGraph.from_weights([np.array(w, dtype=float) for w in weights], biases=[np.array(b, dtype=float) for b in biases])
    return Hierarchy(graph, tuple(map(np.array, labels)), tuple(map(np.array, labels)))


# Two gates of two inputs each, read by one output each; the labels are those of the gates and of the outputs.
FIRST, LAST = [[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]], [[1, 0, 0], [0, 1, 0]]
LABELS = [[0, 0, 1, 1], [0, 1, -1], [2, 3]]
STATUSES = ("kept", "changed", "split", "merged", "born", "dead")


def statuses(found: Any) -> dict[str, list[int | None]]:
    return {status: [m.before if m.before is not None else m.after for m in found.modules if m.status == status] for status in STATUSES}


def test_the_same_network_is_kept_whole() -> None:
    found = changes(hierarchy([FIRST, LAST], LABELS), hierarchy([FIRST, LAST], LABELS))
    assert [module.status for module in found.modules] == ["kept"] * 4
    assert (found.drift, found.named) == (0.0, ())
    assert found.null_drift > 0.5
    assert found.p_value < 0.5  # of two renamings of two gates, one is as near


def test_a_unit_is_changed_by_its_bias_or_weights_and_names_its_module() -> None:
    other = hierarchy([[[1, 2, 0, 0], *FIRST[1:]], LAST], LABELS)
    found = changes(hierarchy([FIRST, LAST], LABELS), other)
    assert statuses(found)["changed"] == [0]
    assert found.named[0].units == ("h1.0",)
    assert found.drift == pytest.approx(1 - 5 / 6)
    bias = hierarchy([FIRST, LAST], LABELS, [[0, 3, 0], [0, 0]])
    assert statuses(changes(hierarchy([FIRST, LAST], LABELS), bias))["changed"] == [1]


def test_a_reader_that_adapts_to_a_changed_module_is_not_changed_itself() -> None:
    first = [[1, 1, 0, 0], [0, 0, 1, 1], [2, -1, 0, 0]]  # a new unit in the first gate, and the output reads both
    labels = [[0, 0, 1, 1], [0, 1, 0], [2, 3]]
    found = changes(hierarchy([FIRST, LAST], LABELS), hierarchy([first, [[5, 0, -5], [0, 1, 0]]], labels))
    # The gate has a unit more; but the weight from its old unit, which did not change, is the reader's own.
    assert statuses(found) == {"kept": [1, 3], "changed": [0, 2], "split": [], "merged": [], "born": [], "dead": []}
    first[0] = [3, 1, 0, 0]
    found = changes(hierarchy([FIRST, LAST], LABELS), hierarchy([first, [[5, 0, -5], [0, 1, 0]]], labels))
    assert statuses(found)["changed"] == [0]
    assert found.named[0].units == ("h1.0", "h1.2")
    # In its own module a reader of a changed unit is changed with it.
    same = [[0, 0, 1, 1], [0, 1, 0], [0, 3]]
    before = hierarchy([FIRST, LAST], [LABELS[0], LABELS[1], [0, 3]])
    found = changes(before, hierarchy([first, [[5, 0, -5], [0, 1, 0]]], same))
    assert found.named[0].units == ("h1.0", "h1.2", "y0")


def test_modules_are_born_and_die() -> None:
    with_third = [*FIRST[:2], [1, 0, 1, 0]]
    more = hierarchy([with_third, [*LAST]], [[0, 0, 1, 1], [0, 1, 4], [2, 3]])
    fewer = hierarchy([FIRST, LAST], LABELS)
    assert statuses(changes(fewer, more))["born"] == [2]
    assert changes(fewer, more).named[0].units == ("h1.2",)
    assert statuses(changes(more, fewer))["dead"] == [2]


def test_modules_split_and_merge() -> None:
    one, two = [[0] * 4, [0, 0, -1], [1, 1]], [[0, 0, 1, 1], [0, 1, -1], [2, 2]]
    whole, parted = hierarchy([FIRST, LAST], one), hierarchy([FIRST, LAST], two)
    split, merged = changes(whole, parted), changes(parted, whole)
    assert [(m.status, m.before, m.after, m.overlap) for m in split.modules[:2]] == [("split", 0, 0, 0.5), ("split", 0, 1, 0.5)]
    assert [(m.status, m.before, m.after) for m in merged.modules] == [("merged", 0, 0), ("merged", 1, 0), ("kept", 2, 1)]
    far = changes(whole, parted, threshold=0.5)
    assert statuses(far)["dead"] == [0]
    assert statuses(far)["born"] == [0, 1]


def test_inputs_and_outputs_go_by_name() -> None:
    names = {"input_names": ["a", "b", "c", "d"], "output_names": ["y", "z"]}
    graphs = [LayeredGraph.from_weights([np.array(FIRST, float), np.array(LAST, float)], **names)]
    turned = [np.array(FIRST, float)[:, ::-1], np.array(LAST, float)]
    graphs.append(LayeredGraph.from_weights(turned, input_names=names["input_names"][::-1], output_names=names["output_names"]))
    found = changes(*map(detect_modules, graphs))
    assert found.drift == 0
    assert not found.named


def test_the_null_renames_hidden_units_within_their_layers() -> None:
    random = np.random.default_rng(0)
    weights = [random.normal(size=(8, 4)), random.normal(size=(2, 8))]
    labels = [[0] * 4, [0] * 8, [1, 1]]
    one = hierarchy(weights, labels)
    order = random.permutation(8)
    renamed = hierarchy([weights[0][order], weights[1][:, order]], labels)
    found = changes(one, renamed)
    fixed = np.mean(order == np.arange(8))
    assert found.drift == pytest.approx(1 - fixed, abs=0.2)
    assert found.p_value > 0.05
    assert found.null_drift == pytest.approx(7 / 8, abs=0.05)  # one unit of eight stays in its place
    assert changes(one, one).p_value == pytest.approx(1 / 1000)
    assert changes(one, renamed, seed=1).null_drift != found.null_drift


def null_of(one: Hierarchy, other: Hierarchy, renamings: int, seed: int) -> list[float]:
    """The drift for each renaming of live hidden units, edge by edge."""
    edges, live = [], set()
    for h in (one, other):
        edges.append({((b.source, int(i)), (b.target, int(j))): b.weights[i, j] for b in h.graph.blocks for i, j in np.argwhere(b.weights)})
        live |= {(layer, int(i)) for layer, labels in enumerate(h.labels) for i in np.flatnonzero(labels >= 0)}
    random, found = np.random.default_rng(seed), []
    for _ in range(renamings):
        names: dict[Any, Any] = {}
        for layer in range(1, len(one.labels) - 1):
            units = [(layer, i) for i in range(len(one.labels[layer])) if (layer, i) in live]
            names |= dict(zip(units, (units[i] for i in random.permutation(len(units))), strict=True))
        renamed = {(names.get(a, a), names.get(b, b)): weight for (a, b), weight in edges[1].items()}
        same = sum(renamed.get(ends) == weight for ends, weight in edges[0].items())
        found.append(1 - same / len(edges[0].keys() | renamed.keys()))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_the_null_is_that_of_a_loop_over_all_edges(seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = [random.integers(-1, 3, size=shape).astype(float) for shape in ((6, 4), (5, 6), (2, 5))]
    others = [np.where(random.random(w.shape) < 0.8, w, random.integers(-1, 3, size=w.shape)) for w in weights]
    one, other = (detect_modules(LayeredGraph.from_weights(part)) for part in (weights, others))
    found, null = changes(one, other, renamings=40, seed=seed), null_of(one, other, 40, seed)
    assert found.null_drift == pytest.approx(np.mean(null), abs=1e-12)
    assert found.p_value == (1 + sum(drift <= found.drift + 1e-12 for drift in null)) / 41
    assert len(set(null)) > 3


def test_networks_without_edges_have_not_drifted() -> None:
    empty = hierarchy([np.zeros((2, 2)), np.zeros((1, 2))], [[-1, -1], [-1, -1], [0]])
    found = changes(empty, empty, renamings=3)
    assert (found.drift, found.null_drift, found.p_value) == (0.0, 0.0, 1.0)
    more = hierarchy([[[1.0, 0], [0, 0]], [[1.0, 0]]], [[0, -1], [0, -1], [0]])
    assert changes(empty, more, renamings=3).drift == 1.0
    assert changes(more, empty, renamings=3).drift == 1.0


# --- Modules that are kept ----------------------------------------------------------------------------------------------------

CAME = [*FIRST[:2], [1, 0, 1, 0]]


def labels_of(found: Hierarchy) -> list[list[int]]:
    return [labels.tolist() for labels in found.labels]


def test_units_keep_their_modules_and_one_that_came_goes_with_a_changed_unit_that_it_is_detected_with() -> None:
    before = hierarchy([FIRST, LAST], LABELS)
    # The unit h1.2 came for y1, which changed; the detector has put both, and y0, into one module.
    after = hierarchy([CAME, [[1, 0, 0], [0, 2, 3]]], [[0, 0, 1, 1], [0, 1, 2], [2, 2]], [[0, 0, 0], [0, 5]])
    kept = keep_modules(before, after)
    assert labels_of(kept) == [[0, 0, 1, 1], [0, 1, 2], [3, 2]]
    assert kept.graph is after.graph
    assert [module.units for module in changes(before, after).named] == [("h1.2",), ("h1.2", "y1")]  # both modules are merged
    found = changes(before, kept)
    assert statuses(found) == {"kept": [0, 1, 2], "changed": [3], "split": [], "merged": [], "born": [], "dead": []}
    assert found.named[0].units == ("h1.2", "y1")


def test_a_unit_that_came_to_units_that_did_not_change_is_a_module_of_its_own() -> None:
    before = hierarchy([FIRST, LAST], LABELS)
    after = hierarchy([CAME, [[1, 0, 0], [0, 1, 3]]], [[0, 0, 1, 1], [0, 1, 1], [2, 3]])
    kept = keep_modules(before, after)
    assert labels_of(kept) == [[0, 0, 1, 1], [0, 1, 2], [3, 4]]
    assert statuses(changes(before, kept))["born"] == [2]
    assert statuses(changes(before, after))["changed"] == [1]


def test_of_several_modules_that_changed_the_one_with_most_units_takes_a_unit_that_came() -> None:
    before = hierarchy([FIRST, LAST], LABELS)
    together = [[0, 0, 1, 1], [0, 1, 0], [0, 0]]
    after = hierarchy([[[2, 1, 0, 0], FIRST[1], CAME[2]], [[2, 0, 1], [0, 1, 0]]], together, [[0, 0, 0], [7, 0]])
    assert labels_of(keep_modules(before, after))[1] == [0, 1, 0]  # of the first gate and its output, equally many, the first
    whole = hierarchy([FIRST, LAST], [[0, 0, 1, 1], [2, 1, -1], [2, 3]])
    assert labels_of(keep_modules(whole, after))[1][2] == labels_of(keep_modules(whole, after))[2][0]


def test_modules_are_kept_in_the_same_network_and_dead_units_have_none() -> None:
    before = hierarchy([FIRST, LAST], LABELS)
    assert labels_of(keep_modules(before, hierarchy([FIRST, LAST], [[0, 0, 0, 0], [1, 1, -1], [2, 2]]))) == LABELS
    less = hierarchy([[FIRST[0], [0] * 4, [0] * 4], [LAST[0], [0] * 3]], [[0, 0, -1, -1], [0, -1, -1], [1, -1]])
    assert labels_of(keep_modules(before, less)) == [[0, 0, -1, -1], [0, -1, -1], [1, -1]]
    with pytest.raises(ValueError, match="both networks must have the same layers; got 3 and 2"):
        keep_modules(before, hierarchy([[[1.0]]], [[0], [1]]))
    with pytest.raises(TypeError, match="expected a Hierarchy"):
        keep_modules(before, before.graph)  # type: ignore[arg-type]


def shrunken() -> tuple[Hierarchy, Hierarchy]:
    """One module of ten units loses seven inputs of eight; the other stays."""
    other, last = np.r_[np.zeros(8), 1, 1], np.eye(2)
    weights = [[np.vstack([np.r_[np.ones(inputs), np.zeros(10 - inputs)], other]), last] for inputs in (8, 1)]
    one, two = (detect_modules(LayeredGraph.from_weights(part)) for part in weights)
    return one, two


def test_a_module_that_only_shrank_or_grew_is_changed() -> None:
    one, two = shrunken()
    for before, after in ((one, two), (two, one)):
        for seen in (keep_modules(before, after), after):
            found = changes(before, seen)
            touched = [module for module in found.modules if module.before == 0]
            assert [module.status for module in touched] == ["changed"]
            assert 0 < touched[0].overlap <= 0.3
            assert not {"dead", "born", "split", "merged"} & {module.status for module in found.modules}
            assert found.named == tuple(touched)


def test_kept_modules_are_numbered_anew_where_one_is_gone() -> None:
    before = hierarchy([FIRST, LAST], LABELS)
    gone = hierarchy([[[0] * 4, *FIRST[1:]], [[0] * 3, LAST[1]]], [[-1, -1, 0, 0], [-1, 0, -1], [-1, 1]])
    found = changes(before, keep_modules(before, gone))
    assert statuses(found)["dead"] == [0, 2]
    assert [(module.before, module.after) for module in found.modules if module.status == "kept"] == [(1, 0), (3, 1)]


def test_the_table_lists_every_module() -> None:
    text = str(changes(hierarchy([FIRST, LAST], LABELS), hierarchy([[[1, 2, 0, 0], *FIRST[1:]], LAST], LABELS)))
    lines = text.splitlines()
    assert lines[0].split() == ["before", "after", "overlap", "units"]
    assert lines[1].split() == ["changed", "M0", "M0", "1.00", "h1.0"]
    assert lines[-1].startswith("drift 0.17; units renamed at random")


def test_what_does_not_fit_is_refused() -> None:
    one = hierarchy([FIRST, LAST], LABELS)
    with pytest.raises(TypeError, match="expected a Hierarchy"):
        changes(one, one.graph)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="both networks must have the same layers; got 3 and 2"):
        changes(one, hierarchy([[[1.0]]], [[0], [1]]))
    with pytest.raises(ValueError, match=r"threshold must be a fraction in \[0, 1\); got 1"):
        changes(one, one, threshold=1)
    with pytest.raises(ValueError, match="renamings must be a whole number of at least 1; got 0"):
        changes(one, one, renamings=0)
    with pytest.raises(ValueError, match="renamings must be a whole number of at least 1; got True"):
        changes(one, one, renamings=True)
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0; got -1"):
        changes(one, one, seed=-1)
