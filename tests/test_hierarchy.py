"""What a hierarchy says of itself: labels, modules, the graph between them, GraphML."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np
import pytest

from analysis import Hierarchy, LayeredGraph, Module, compare
from analysis.graph import as_graph
from analysis.hierarchy import first_appearance
from analysis.report.frames import records_of

WEIGHTS = [np.array([[1.0, -2, 0, 0, 0], [0, 0, 1, 3, 0]]), np.array([[1.0, 0.5], [0, -4]])]


@pytest.fixture
def found() -> Hierarchy:
    """Two input modules; y0 reads the first; y1 reads both; x4 is not used."""
    graph = LayeredGraph.from_weights(WEIGHTS, input_names=tuple("abcde"))
    labels = (np.array([7, 7, 3, 3, -1]), np.array([7, 3]), np.array([9, 3]))
    return Hierarchy(graph, labels, labels)


def test_labels_are_numbered_by_first_appearance(found: Hierarchy) -> None:
    assert [labels.tolist() for labels in found.labels] == [[0, 0, 1, 1, -1], [0, 1], [2, 1]]
    assert [clusters.tolist() for clusters in found.clusters] == [[0, 0, 1, 1, -1], [0, 1], [0, 1]]


def test_first_appearance_by_hand() -> None:
    arrays = [np.array([5, -1, 2]), np.array([], dtype=int), np.array([2, 9])]
    assert [a.tolist() for a in first_appearance(arrays)] == [[0, -1, 1], [], [1, 2]]


def test_modules_have_units_inputs_and_outputs(found: Hierarchy) -> None:
    assert found.modules == (
        Module(0, ((0, 0), (0, 1), (1, 0)), (0, 1), ()),
        Module(1, ((0, 2), (0, 3), (1, 1), (2, 1)), (2, 3), (1,)),
        Module(2, ((2, 0),), (), (0,)),
    )


def test_the_graph_between_modules_counts_and_weighs_edges(found: Hierarchy) -> None:
    graph = found.to_networkx()
    assert dict(graph.nodes[1]) == {"inputs": "[2, 3]", "outputs": "[1]", "units": "[[0, 2], [0, 3], [1, 1], [2, 1]]"}
    assert {(a, b): (f["edges"], f["weight"]) for a, b, f in graph.edges(data=True)} == {(0, 2): (1, 1.0), (1, 2): (1, 0.5)}
    other = found.to_igraph()
    assert (other.vcount(), other.ecount(), other.is_directed()) == (3, 2, True)
    assert other.vs[1]["inputs"] == "[2, 3]"


FORMATS = [(nx.write_graphml, nx.read_graphml), (nx.write_gexf, nx.read_gexf), (nx.write_gml, nx.read_gml)]
FILES = pytest.mark.parametrize(("write", "read"), FORMATS, ids=["GraphML", "GEXF", "GML"])


@FILES
def test_the_graph_between_modules_comes_back_from_files(found: Hierarchy, tmp_path: Path, write: Any, read: Any) -> None:
    write(found.to_networkx(), tmp_path / "modules")
    back = read(tmp_path / "modules")
    labels = [np.full(len(part), -1) for part in found.labels]
    for node, facts in back.nodes(data=True):
        for layer, index in json.loads(facts["units"]):
            labels[layer][index] = int(node)
    assert [part.tolist() for part in labels] == [part.tolist() for part in found.labels]
    assert {(a, b): (f["edges"], f["weight"]) for a, b, f in back.edges(data=True)} == {("0", "2"): (1, 1.0), ("1", "2"): (1, 0.5)}
    comparison = compare(found, back)
    assert (comparison.exact, comparison.connected) == (True, True)


@FILES
def test_a_network_comes_back_from_files_with_its_names(tmp_path: Path, write: Any, read: Any) -> None:
    names = ("sepal length (cm)", "É π 年", 'a < "b" & c', "[1, 2]", "line\nfeed \x01")
    graph = LayeredGraph.from_weights(WEIGHTS, input_names=names, output_names=("1", "None"), biases=([0.1, -2], [3, 1e-9]))
    write(graph.to_networkx(), tmp_path / "network")
    back = as_graph(read(tmp_path / "network"))
    assert (back.input_names, back.output_names) == ((*names[:4], "line\nfeed  "), ("1", "None"))
    for part, expected in zip((*back.weights, *back.biases), (*graph.weights, *graph.biases), strict=True):
        np.testing.assert_array_equal(part, expected)


def test_graphml_holds_weights_names_and_modules(found: Hierarchy, tmp_path: Path) -> None:
    graph = nx.read_graphml(found.write_graphml(tmp_path / "new" / "network.graphml"))
    assert graph.edges["0:1", "1:0"]["weight"] == -2.0
    assert graph.nodes["0:3"] == {"layer": 0, "bias": 0.0, "name": "d", "module": 1}
    assert graph.nodes["0:4"]["module"] == -1
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (9, 7)


def test_rows_of_modules_and_units(found: Hierarchy) -> None:
    assert records_of(found)[1] == {"module": 1, "inputs": ("c", "d"), "outputs": ("y1",), "hidden": 1, "reads": ()}
    assert [(row["hidden"], row["reads"]) for row in records_of(found)] == [(1, ()), (1, ()), (0, (0, 1))]
    units = records_of(found, "units")
    assert units[4] == {"layer": 0, "index": 4, "name": "e", "module": -1, "cluster": -1}
    assert [row["module"] for row in units] == np.concatenate(found.labels).tolist()
    assert [row["name"] for row in units[5:]] == ["h1.0", "h1.1", "y0", "y1"]
    with pytest.raises(ValueError, match=r"rows must be one of \['modules', 'units'\]; got 'edges'"):
        found.frame("edges")


def test_a_data_frame_has_these_rows_or_says_what_it_needs(found: Hierarchy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    for rows in ("modules", "units"):
        assert found.frame(rows) == records_of(found, rows)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas; got none installed"):
        found.frame()


def test_labels_that_do_not_fit_the_network_are_refused(found: Hierarchy) -> None:
    with pytest.raises(
        ValueError, match=r"labels must be arrays of shapes \[\(5,\), \(2,\), \(2,\)\], one for each layer; got \[\(5,\), \(2,\)\]"
    ):
        Hierarchy(found.graph, found.labels[:2], found.clusters)


@pytest.mark.parametrize(("outputs", "got"), [([0.7, 1.0], "an array of float64"), ([-5, 1], "-5"), ([False, True], "an array of bool")])
def test_labels_that_are_no_labels_are_refused(found: Hierarchy, outputs: list, got: str) -> None:
    wrong = (*found.labels[:2], np.array(outputs))
    for name, parts in (("labels", (wrong, found.clusters)), ("clusters", (found.labels, wrong))):
        with pytest.raises(ValueError, match=rf"{name}\[2\] must hold integers from 0, and -1 for removed units; got {got}"):
            Hierarchy(found.graph, *parts)


def test_a_printed_hierarchy_is_its_report(found: Hierarchy) -> None:
    assert str(found).startswith("3 modules in a network of widths 5-2-2\nedges: 7 of 14")
