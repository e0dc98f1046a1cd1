"""Names that are code, markup or control characters stay text in every output."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pytest

from analysis import Hierarchy, LayeredGraph, UnitGraph, detect_modules, report_html, report_text, score_scatter, write_report
from analysis.graph import read_graph_file

NAMES = [
    "<script>alert(1)</script>",
    "]]>",
    '"quoted\' & \\"',
    "nul\0here",
    "two\nlines\r\n",
    "\u202eright to left",
    "\N{GRINNING FACE}",
    "a" * 10_000,
    "\\G \\N \\T \\l",
    "<b>bold</b>",
    "<img src=x onerror=alert(1)>",
    "../../etc/passwd",
    "=1+1",
    "\ud800\ufffe\x1b[31m",
    "M0: inputs none\nM1: outputs all",
    "$title ${rows} $$",
]


def hierarchies() -> Iterator[Hierarchy]:
    graph = LayeredGraph.from_weights([[[1.0] * len(NAMES)], [[1.0]]], input_names=tuple(NAMES), output_names=("</svg><script>",))
    yield detect_modules(graph)
    layers = [("</text><script>", "input", len(NAMES), tuple(NAMES)), ("h\0", "neu<ron", 1), ("y\n", "output", 1, ("<script>y",))]
    yield detect_modules(UnitGraph(layers, [(0, 1, [[1.0]] * len(NAMES), "k<ind\0"), (1, 2, [[1.0]]), (0, 2, [[1.0]] * len(NAMES))]))


class Tags(HTMLParser):
    """The elements of a page, and the attributes that run code."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]


@pytest.mark.filterwarnings("ignore:no installed font")
def test_a_page_has_no_script_but_its_own() -> None:
    for found in hierarchies():
        pages = []
        for evidence in ({}, {"<script>": "</pre><script>alert(1)</script>"}):
            tags = Tags()
            page = report_html(found, title="</title><script>alert(1)</script>", evidence=evidence)
            tags.feed(page)
            assert "\0" not in page
            pages.append(tags.found)
        assert pages[0].count("script") == pages[1].count("script") == 2  # the data and the code
        assert "b" not in pages[0]
        assert "img" not in pages[0]


@pytest.mark.filterwarnings("ignore:no installed font")
def test_what_a_page_says_of_candidates_rounds_and_settings_is_text() -> None:
    bad = "</script><script>alert(1)</script><!--"
    graph = LayeredGraph.from_weights([[[1.0, 1.0]], [[1.0]]], input_names=(bad, "<img src=x onerror=alert(1)>"), output_names=("y'\"",))
    found = detect_modules(graph)
    rounds = SimpleNamespace(
        attempts=(SimpleNamespace(phase=bad, density=1.0, accuracy=float("nan")),),
        removed_in=tuple(np.ones(weights.T.shape, int) for weights in graph.weights),
    )
    candidates = [(bad, found, rounds), (f"{bad}2", detect_modules(graph), bad)]
    page = report_html(found, title=bad, evidence={bad: bad}, candidates=candidates, settings={bad: bad})
    tags = Tags()
    tags.feed(page)
    assert tags.found.count("script") == page.count("<script") == 2
    assert not {"img", "b"} & set(tags.found)
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert data[0]["units"][0][0] == bad
    assert data[0]["rounds"] == [[bad, 3, 1.0, None]]


@pytest.mark.filterwarnings("ignore:no installed font")
def test_pictures_are_well_formed_whatever_the_names(tmp_path: Path) -> None:
    for found in hierarchies():
        found.draw(tmp_path / "a.svg", title="]]></svg><script>\0" + "t" * 10_000)
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(tmp_path / "a.svg").iter()}
        assert not tags & {"script", "b", "img"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


@pytest.mark.filterwarnings("ignore:no installed font")
def test_dot_files_keep_names_as_text(tmp_path: Path) -> None:
    for found in hierarchies():
        found.draw(tmp_path / "a.dot", title="<b>\\G</b>\0")
        text = (tmp_path / "a.dot").read_text()
        assert "\0" not in text
        assert "label=<" not in text
        if shutil.which("dot"):
            subprocess.run(["dot", "-Tcanon", str(tmp_path / "a.dot")], check=True, capture_output=True)


def test_graph_files_are_well_formed_and_read_back(tmp_path: Path) -> None:
    for found in hierarchies():
        path = found.write_graphml(tmp_path / "a.graphml")
        ElementTree.parse(path)
        assert len(read_graph_file(path)) == sum(found.graph.widths)
        if isinstance(found.graph, UnitGraph):
            ElementTree.parse(found.graph.write_graphml(tmp_path / "b.graphml"))
        nx.write_gexf(found.to_networkx(), tmp_path / "a.gexf")
        ElementTree.parse(tmp_path / "a.gexf")


def test_a_name_makes_no_line_of_a_report(tmp_path: Path) -> None:
    for found in hierarchies():
        text = report_text(found, evidence={"odd\nheading": "text"})
        assert len(text.splitlines()) == 3 + 1 + len(found.modules) + 3
        assert not set(text) & {"\0", "\x1b", "\u202e"}
        write_report(found, tmp_path / "report.txt")


def test_a_figure_of_scores_is_well_formed_xml() -> None:
    ax = score_scatter({"<script>\0": ([0.1], [0.2])}, title="\0<b>", xlabel="\x1b", ylabel="]]>")
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="svg")
    assert "script" not in {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(buffer.getvalue()).iter()}
