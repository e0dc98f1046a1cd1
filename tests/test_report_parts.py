"""The parts of the page: rounds, removed units, the graph of modules, charts, evidence in the table, and its doors."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pytest
from test_drawing import ands_and_ors, five_modules, hierarchy, with_removed_units

from analysis import Candidate, Hierarchy, LayeredGraph, UnitGraph, detect_modules, function_map, lesions, report_html, significance
from analysis.report.chart import charts
from analysis.report.fading import gone_elements, places_between
from analysis.report.findings import columns_of
from analysis.report.flow import flow_svg
from analysis.report.rounds import edges_left, first_shown
from analysis.report.scene import scene_of


def attempts(*densities: float) -> tuple[Any, ...]:
    return tuple(SimpleNamespace(phase="edges", density=density, accuracy=1.0) for density in densities)


def page_data(page: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: list[dict[str, Any]] = json.loads(found[1])
    return data


def chain(*widths: int) -> Any:
    """A chain of which the first units of each layer are one path, and its rounds: units 1 to the last go in round 1, 2, ..."""
    weights = [np.zeros((b, a)) for a, b in pairwise(widths)]
    removed = []
    for matrix in weights:
        matrix[0, 0] = 1.0
        part = np.ones(matrix.shape, int)
        part[0, 0] = 3
        part[-1, -1] = 2
        removed.append(part)
    return detect_modules(weights), SimpleNamespace(attempts=attempts(1.0, 0.5, 0.1), removed_in=tuple(removed))


def test_edges_are_counted_by_the_round_that_removed_them() -> None:
    _, rounds = chain(3, 3, 1)
    assert edges_left(rounds) == [9 + 3, 2 + 2, 2]
    rounds.removed_in[0][1, 1] = 0  # never there
    assert edges_left(rounds) == [11, 4, 2]


def test_wide_networks_begin_with_the_first_round_that_can_be_drawn() -> None:
    found, rounds = chain(100, 60, 1)
    assert edges_left(rounds) == [6060, 4, 2]
    assert first_shown(rounds) == 1
    page = report_html(found, rounds=rounds)
    assert "The slider begins with round 2, the first with at most 5,000 edges." in page
    assert '<input type="range" min="1" max="2" step="1" value="2">' in page
    assert len(page_data(page)[0]["rounds"]) == 3
    assert "The slider begins" not in report_html(*chain(3, 3, 1)[:1], rounds=chain(3, 3, 1)[1])


def test_the_legend_says_whose_colours_earlier_rounds_have() -> None:
    found, rounds = chain(3, 3, 1)
    text = "in earlier rounds, too, colours are those of the modules of the last; what it has lost is grey"
    assert report_html(found, rounds=rounds).count(f"<li>{text}</li>") == 1
    assert text not in report_html(found)


def test_networks_that_end_with_too_many_edges_have_charts_without_a_slider() -> None:
    found = hierarchy([np.ones((60, 100)), np.ones((1, 60))], ([0] * 100, [0] * 60, [0]))
    removed = tuple(np.full(weights.T.shape, 2) for weights in found.graph.weights)
    page = report_html(found, rounds=SimpleNamespace(attempts=attempts(1.0, 1.0), removed_in=removed))
    assert "The picture has no slider: even the last network has more than 5,000 edges." in page
    assert "The slider begins" not in page
    assert 'type="range"' not in page
    assert 'class="charts still"' in page
    assert "edge that pruning removes later" not in page
    assert page_data(page)[0]["rounds"] == []


def test_removed_units_have_places_of_their_own_in_their_layer() -> None:
    found, rounds = chain(3, 4, 1)
    scene = scene_of(found, (), None)
    gone = ElementTree.fromstring(f"<g>{gone_elements(scene, rounds, 0)}</g>")
    circles = [each for each in gone if each.tag == "circle"]
    assert [each[0].text for each in circles] == [f"{unit}, removed by pruning" for unit in ("x1", "x2", "h1.1", "h1.2", "h1.3")]
    assert [each.get("data-until") for each in circles] == ["1", "2", "1", "1", "2"]
    heights = [each.get("cy") for each in circles]
    assert heights[0] == heights[1] != heights[2] == heights[3] == heights[4]
    places = {(each.get("cx"), each.get("cy")) for each in circles}
    living = {tuple(f"{value:g}" for value in scene.flip(scene.page.place(mark.unit))) for mark in scene.marks}
    assert len(places) == 5
    assert not places & living
    counts = {each.get("data-until"): int(each.get("data-count") or 0) for each in gone if each.tag == "path"}
    # all but the path's own edges: 12 - 1 and 4 - 1, of which the last of each matrix stays a round longer
    assert counts == {"1": 11 - 1 + 3 - 1, "2": 2}


def test_edges_that_are_left_at_units_without_a_module_are_not_in_the_last_picture() -> None:
    found = with_removed_units()
    removed = tuple(np.where(weights.T != 0, 2, 1) for weights in found.graph.weights)
    rounds = SimpleNamespace(attempts=attempts(1.0, 0.2), removed_in=removed)
    gone = gone_elements(scene_of(found, (), None), rounds, 0)
    assert set(re.findall(r'data-until="(\d)"', gone)) == {"1"}


def test_places_are_kept_clear_while_there_is_room() -> None:
    taken = np.array([0.0, 30.0, 60.0])
    places = places_between((0.0, 60.0), taken, 6, 5.0)
    assert len(set(places)) == 6
    assert (np.abs(places[:, None] - taken) >= 5).all()
    assert len(places_between((0.0, 60.0), taken, 500, 20.0)) == 500


def test_rounds_must_be_those_of_the_network() -> None:
    found, rounds = chain(3, 3, 1)
    other = SimpleNamespace(attempts=rounds.attempts, removed_in=rounds.removed_in[:1])
    with pytest.raises(ValueError, match=r"removed_in must have the shapes \[\(3, 3\), \(1, 3\)\].*; got \[\(3, 3\)\]"):
        report_html(found, rounds=other)
    wrong = SimpleNamespace(attempts=rounds.attempts, removed_in=tuple(np.ones_like(part) for part in rounds.removed_in))
    with pytest.raises(ValueError, match="and 3 for each edge of the network; got others at 2 edges"):
        report_html(found, rounds=wrong)
    with pytest.raises(TypeError, match=r"rounds must have attempts and removed_in, or be a text .*; got int"):
        report_html(found, rounds=3)
    with pytest.raises(ValueError, match="rounds must have at least one attempt"):
        report_html(found, rounds=SimpleNamespace(attempts=(), removed_in=()))
    with pytest.raises(TypeError, match=r"candidates must be names with hierarchies, .*; got str and int"):
        report_html(found, candidates=[("seed 0", 3)])
    with pytest.raises(TypeError, match=r"candidates must be names with hierarchies, .*; got Hierarchy"):
        report_html(found, candidates=[found])
    for wrong in (None, found):
        with pytest.raises(TypeError, match=r"candidates must be a sequence of names with hierarchies; got (NoneType|Hierarchy)"):
            report_html(found, candidates=wrong)
    with pytest.raises(TypeError, match="facts of a candidate must be a mapping of names to values; got str"):
        report_html(found, candidates=[("seed 0", found, None, None, "text")])
    with pytest.raises(TypeError, match="settings must be a mapping of names to values; got NoneType"):
        report_html(found, settings=None)


def test_a_page_says_why_it_has_no_slider() -> None:
    found, rounds = chain(3, 3, 1)
    assert "the report was made from the network alone" in report_html(found)
    assert "not shown: no &lt;trail&gt;" in report_html(found, rounds="no <trail>")
    page = report_html(found, rounds=SimpleNamespace(attempts=rounds.attempts, removed_in=()))
    assert "The picture has no slider" in page
    assert page.count('class="chart"') == 2  # all the same
    assert 'type="range"' not in page


def test_the_hierarchy_itself_is_the_first_of_the_candidates() -> None:
    first, other = ands_and_ors(), five_modules()
    named = re.compile(r'value="(\d)"[^>]*> ([^<]+)<')
    assert named.findall(report_html(first, candidates=[("b", other), ("a", first)])) == [("0", "a"), ("1", "b")]
    assert named.findall(report_html(first, candidates=[Candidate("b", other)])) == [("0", "this network"), ("1", "b")]
    assert named.findall(report_html(first)) == []


def test_the_graph_of_modules_has_readers_above_what_they_read() -> None:
    found = ands_and_ors()
    svg = ElementTree.fromstring(flow_svg(found))
    heights = {int(node.get("data-module") or ""): float(node[0].get("y") or 0) for node in svg if node.get("class") == "node"}
    pairs = {(int(line.get("data-from") or ""), int(line.get("data-to") or "")) for line in svg if line.tag == "path"}
    assert pairs == {(0, 3), (1, 3), (1, 4), (2, 4), (0, 5), (2, 5)}
    assert all(heights[a] > heights[b] for a, b in pairs)


def test_modules_that_read_one_another_have_a_graph_too() -> None:
    ones = np.ones((2, 2))
    found = hierarchy([ones, ones, ones], ([0, 1], [1, 0], [0, 1], [1, 0]))
    svg = ElementTree.fromstring(flow_svg(found))
    assert sorted(line.get("class") or "" for line in svg if line.tag == "path") == ["flow", "flow back"]


def test_charts_say_their_ends_and_are_flat_where_nothing_changes() -> None:
    rounds = SimpleNamespace(attempts=attempts(1.0, 0.5, 0.25), removed_in=())
    density, accuracy = (ElementTree.fromstring(part) for part in re.findall(r"<svg.*?</svg>", charts(rounds, "R2")))
    assert density.get("aria-label") == "density (log scale) from 1 in round 1 to 0.25 in round 3"
    assert accuracy.get("aria-label") == "R2 from 1 in round 1 to 1 in round 3"
    heights = [float(spot.get("cy") or 0) for spot in density.iter("circle")]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.011)  # halves are equally far apart
    assert len({spot.get("cy") for spot in accuracy.iter("circle")}) == 1


def test_evidence_about_modules_is_in_their_table() -> None:
    graph = LayeredGraph.from_weights([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]])
    found = detect_modules(graph)
    rows = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1).T
    evidence = {"Lesions": lesions(found, rows, random_sets=100), "Chance": significance(found, nulls=19)}
    [(name, cells)] = columns_of(found, evidence).items()
    assert name == "accuracy lost without it"
    assert [cell.split(" (p = ")[0].rstrip("*") for cell in cells] == ["y0 0.25", "y1 0.25"]
    page = report_html(found, evidence=evidence)
    assert re.search(r"<dt>p-value</dt><dd>[\d.]+ against 19 rewired networks: ", page)
    assert columns_of(five_modules(), evidence) == {}


def test_evidence_of_another_hierarchy_is_not_in_the_table() -> None:
    graph = LayeredGraph.from_weights([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]], biases=([-1, -1], [-0.5, -0.5]))
    found = detect_modules(graph)
    other = Hierarchy(graph, ([0, 0, 0, 1], [0, 1], [0, 1]), found.clusters)  # as many modules
    x = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1).T
    p, q = x[:, 0] & x[:, 1], x[:, 2] & x[:, 3]
    truth = nx.DiGraph(x=x, y=np.stack([p, q], axis=1), gates={"p": p, "q": q}, users={"p": (0,), "q": (1,)})
    evidence = {"Lesions": lesions(other, x, random_sets=100), "Gates": function_map(other, truth)}
    assert len(other.modules) == len(found.modules)
    assert columns_of(found, evidence) == {}
    assert list(columns_of(other, evidence)) == ["accuracy lost without it", "computes"]
    unknown = {heading: replace(what, members=None) for heading, what in evidence.items()}
    assert columns_of(other, unknown) == {}
    page = report_html(found, evidence=evidence)
    assert "<th>computes</th>" not in page
    assert "<h2>Gates</h2>" in page  # its text is there all the same


def test_a_graph_of_units_has_a_page_with_marks_of_every_kind() -> None:
    images = np.array([[[1.0, -1.0]], [[0.0, 0.5]]])
    layers = [("x", "input", 2), ("c", "channel", 2, (), images), ("g", "gate", 2), ("y", "output", 2)]
    eye = np.eye(2)
    found = detect_modules(UnitGraph(layers, [(0, 1, eye, "conv"), (1, 2, eye, "gate"), (2, 3, eye), (1, 3, eye, "carry")]))
    page = report_html(found)
    assert page.count('class="kernel"') == 2
    assert page.count('class="edge plain"') == page.count('class="edge rail"') == 2
    assert {kind for *_, kind in page_data(page)[0]["edges"]} == {"weight", "plain", "carry"}


def test_groups_of_a_large_network_are_marks_with_their_numbers() -> None:
    page = report_html(five_modules(), collapse=True)
    data = page_data(page)[0]
    assert len(data["units"]) == 9
    assert ["4 units", "inputs", 0] in data["units"]
    assert page.count('class="edge of-module"') == len(data["edges"])


def test_a_picture_that_is_too_large_is_replaced_by_a_sentence() -> None:
    page = report_html(hierarchy([np.ones((1, 1600))], (list(range(1600)), [0])), collapse=False)
    assert "a picture must have at most 1,500 units" in page
    assert 'class="picture"' not in page
    assert "Not drawn: it has 1600 modules" in page
    assert page_data(page)[0]["units"] == []


def test_hierarchies_write_reports_and_are_pictures(tmp_path: Path) -> None:
    found = ands_and_ors()
    assert found.report(tmp_path / "a.html", title="T").read_text() == report_html(found, title="T")
    assert found.report(tmp_path / "a.txt").read_text() == f"{found}\n"
    ElementTree.fromstring(found._repr_svg_() or "")
    large = hierarchy([np.ones((200, 1)), np.ones((1, 200))], ([0], [0] * 200, [0]))
    assert "units drawn as" in (large._repr_svg_() or "")
