"""Pictures of graphs of units: captions, marks of units, edges without weights, groups of units, and what stays inside."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from test_drawing import _check_texts, ands_and_ors
from unit_graphs import attention, residual

from analysis import Hierarchy, Layer, UnitGraph, detect_modules
from analysis.drawing import NEGATIVE, POSITIVE, draw
from analysis.drawing.captions import full_caption, short_captions, short_layers
from analysis.drawing.colours import region_colours
from analysis.drawing.entries import legend_of
from analysis.drawing.marks import mark_of
from analysis.drawing.page_layout import plan_page
from analysis.layout import layered_layout
from analysis.layout.collapsing import as_groups, collapsed
from analysis.layout.groups import Groups
from analysis.layout.rows import drawn
from analysis.report import report_html

GPT = [
    ("transformer.wte.weight", "input"), ("transformer", "residual"), ("transformer.h.0.attn.c_attn", "query-key"),
    ("transformer.h.0.attn pattern", "gate"), ("transformer.h.0.attn", "value"), ("transformer.h.0", "residual"),
    ("transformer.h.0.mlp.c_fc", "neuron"), ("transformer.h.0 stage", "residual"), ("transformer.wte", "output"),
]  # fmt: skip


def channels(images: np.ndarray | None = None) -> Hierarchy:
    """Three channels, the last of them dead, in one module with an input and an output."""
    if images is None:
        images = np.array([[[1.0, -0.5], [0.0, 0.25]], [[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]])
    layers = [Layer("x", "input", 1), Layer("c", "channel", 3, (), images), Layer("y", "output", 1)]
    graph = UnitGraph(layers, [(0, 1, [[2.0, 1.0, 1.0]], "conv"), (1, 2, [[1.0], [-1.0], [0.0]])])
    labels = (np.array([0]), np.array([0, 0, -1]), np.array([0]))
    return Hierarchy(graph, labels, labels)


@cache
def large() -> Hierarchy:
    """180 units in five modules."""
    return detect_modules(residual(tasks=5, blocks=3, seed=1))


CASES = {
    "attention": lambda: detect_modules(attention(density=0.8)),
    "attention, dense": lambda: detect_modules(attention(tasks=1)),
    "residual": lambda: detect_modules(residual(density=0.7)),
    "residual, large": large,
    "channels": channels,
}
every_case = pytest.mark.parametrize("name", CASES)
both_ways = pytest.mark.parametrize("collapse", [True, False])


def of_names(layers: list[tuple[str, str]], blocks: Any = ()) -> Any:
    return SimpleNamespace(graph=SimpleNamespace(layers=[Layer(name, kind, 1) for name, kind in layers], blocks=blocks))


def level_by_level(layers: list[tuple[str, str]]) -> Any:
    return SimpleNamespace(rows=(1,) * len(layers), level=tuple(range(len(layers))))


def test_captions_leave_out_what_all_names_begin_with_and_say_what_units_are() -> None:
    found = short_captions(of_names(GPT, [SimpleNamespace(kind="product", target=3)]), level_by_level(GPT))
    assert found == [
        "wte.weight\ninputs", "transformer\nstream", "h.0.attn.c_attn\nqueries and keys", "h.0.attn\nheads", "h.0.attn\nvalues",
        "h.0\nstream", "h.0.mlp.c_fc\nneurons", "h.0 (2)\nstream", "wte\noutputs",
    ]  # fmt: skip
    assert full_caption(of_names(GPT), level_by_level(GPT), 3) == "transformer.h.0.attn pattern (gate)"


def test_short_names_of_layers_keep_numbers_with_their_word_and_stay_different() -> None:
    assert short_layers(of_names([("a.layers.0.up", "neuron"), ("a.layers.1.up", "neuron")])) == ["layers.0.up", "layers.1.up"]
    assert short_layers(of_names([("0", "neuron"), ("1.layers.0.up", "neuron"), ("1.layers.1", "output")])) == [
        "0",
        "layers.0.up",
        "layers.1",
    ]
    assert short_layers(of_names([("m.x", "neuron"), ("m.y", "neuron"), ("x", "neuron")])) == ["m.x", "m.y", "x"]
    assert short_layers(of_names([("only.one", "neuron")])) == ["only.one"]
    assert short_layers(of_names([("a stage", "word of mine")])) == ["a stage"]


def test_captions_of_chains_and_plain_names_stay_as_they_are() -> None:
    case = ands_and_ors()
    assert short_captions(case, layered_layout(case)) == ["inputs", "hidden 1", "hidden 2", "outputs"]
    plain = [("inputs", "input"), ("hidden 1", "neuron"), ("output", "output")]
    assert short_captions(of_names(plain), level_by_level(plain)) == ["inputs", "hidden 1", "output"]


def test_long_names_of_layers_take_two_lines_and_lose_their_middle() -> None:
    layers = [("vision_model.encoder.layers.10.self_attn.q_proj", "neuron"), ("x" * 80, "neuron")]
    first, second = (caption.split("\n") for caption in short_captions(of_names(layers), level_by_level(layers)))
    assert first == ["vision_model.encoder.", "…10.self_attn.q_proj", "neurons"]
    assert second == [f"{'x' * 10}…{'x' * 10}", "neurons"]
    for lines in (first, second):
        assert len(lines) <= 3
        assert all(len(line) <= 22 for line in lines)


def test_the_title_of_a_caption_in_an_svg_is_the_whole_name(tmp_path: Path) -> None:
    detect_modules(attention()).draw(tmp_path / "a.svg")
    groups = {g.get("id"): g for g in ElementTree.parse(tmp_path / "a.svg").iter("{http://www.w3.org/2000/svg}g")}
    titles = {name: g.findtext("{http://www.w3.org/2000/svg}title") for name, g in groups.items() if (name or "").startswith("caption-")}
    assert titles["caption-2"] == "q (query), k (key), v (value)"
    assert titles["caption-3"] == "pattern (gate)"


@every_case
@both_ways
def test_texts_do_not_overlap_and_stay_inside(name: str, collapse: bool) -> None:
    ax = draw(CASES[name](), title="A title", collapse=collapse)
    _check_texts(ax)


@every_case
@both_ways
def test_marks_and_lines_stay_inside_and_marks_apart(name: str, collapse: bool) -> None:
    groups = as_groups(CASES[name](), collapse)
    page = plan_page(groups.hierarchy, layered_layout(groups.hierarchy), None, groups=groups)
    boxes = [mark_of(groups, unit, page).get_extents() for unit in page.layout.positions]
    for box in boxes:
        assert 0 < box.x0 < box.x1 < page.width
        assert 0 < box.y0 < box.y1 < page.height
    for a, b in combinations(boxes, 2):
        assert a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
    ax = draw(CASES[name](), collapse=collapse)
    points = [p for c in ax.collections if hasattr(c, "get_segments") for s in c.get_segments() for p in s]  # type: ignore[union-attr]
    assert all(0 < x < page.width and 0 < y < page.height for x, y in points)


@every_case
def test_lanes_are_upright_beside_the_regions_of_a_level(name: str) -> None:
    case = CASES[name]()
    page = plan_page(case, layout := layered_layout(case), None)
    regions = {module: page.box(region) for module, region in layout.regions.items()}
    for bundle in layout.lanes:
        lane = page.lane(bundle)
        for (x, low), (same, high) in zip(lane[::2], lane[1::2], strict=True):
            assert x == same
            crossed = [m for m, (left, bottom, right, top) in regions.items() if left < x < right and bottom < high and low < top]
            assert set(crossed) <= {bundle[0], bundle[1]} if bundle[0] == bundle[1] else not crossed


def test_gates_are_squares_with_their_number_and_channels_squares_with_their_kernel() -> None:
    case = CASES["attention"]()
    groups = Groups(case, case)
    page = plan_page(case, layered_layout(case), None)
    shapes = {unit: type(mark_of(groups, unit, page)) for unit in page.layout.positions}
    gates = {unit for unit in shapes if case.graph.layers[unit[0]].kind == "gate"}
    assert len(gates) == 4
    assert {unit for unit, shape in shapes.items() if shape is Rectangle} == gates
    texts = [(text.get_text(), text.get_position()) for text in draw(case).texts]  # type: ignore[union-attr]
    assert all((str(index), page.place((layer, index))) in texts for layer, index in gates)
    assert {"head", "product or gate: no weight"} <= {text for text, _ in texts}


def test_the_pixels_of_a_kernel_are_where_they_belong_and_bear_its_signs() -> None:
    case = channels()
    page = plan_page(case, layered_layout(case), None)
    ax = draw(case)
    (pixels,) = [c for c in ax.collections if c.get_gid() == "units-0-kernels"]  # type: ignore[union-attr]
    x, y = page.place((1, 0))
    centres = np.array([path.vertices[:4].mean(axis=0) for path in pixels.get_paths()]) - (x, y)
    half = page.half / 2
    assert np.allclose(centres, [(-half, half), (half, half), (half, -half)])
    colors = pixels.get_facecolors()
    assert to_hex(colors[0]) == POSITIVE.lower()
    assert np.allclose(colors[1][:3], (1 + np.array([0xD5, 0x5E, 0x00]) / 255) / 2)
    assert NEGATIVE == "#D55E00"
    texts = [text.get_text() for text in ax.texts]  # type: ignore[union-attr]
    assert {"mean kernel of a channel", "positive weight, or norm of several"} <= set(texts)
    groups = Groups(case, case)
    assert [type(mark_of(groups, (1, k), page)) for k in (0, 1)] == [Rectangle, Circle]  # a blank kernel is none


def test_edges_without_weights_are_dashed_and_do_not_set_the_widths_of_others() -> None:
    graph = attention(tasks=1)
    small = UnitGraph(graph.layers, [(b.source, b.target, b.weights * (0.01 if b.kind not in ("product", "gate", "carry") else 1), b.kind)
                                     for b in graph.blocks])  # fmt: skip
    ax = draw(detect_modules(small))
    dashed = [c for c in ax.collections if (c.get_gid() or "").endswith("-unweighted")]  # type: ignore[union-attr]
    assert sum(len(c.get_segments()) for c in dashed) == sum(b.weights.nnz for b in graph.blocks if b.kind in ("product", "gate"))  # type: ignore[union-attr]
    widths = [c.get_linewidths() for c in ax.collections if re.fullmatch(r"edges-\d+-\d+", c.get_gid() or "")]  # type: ignore[union-attr]
    assert np.concatenate(widths).max() > 1


def test_groups_hold_every_unit_once_and_sum_the_weights_between_them() -> None:
    case = large()
    groups = as_groups(case)
    assert groups.members
    units = [(layer, unit) for (layer, _), members in groups.members.items() for unit in members]
    living = [(i, int(k)) for i, labels in enumerate(case.labels) for k in np.flatnonzero(labels >= 0)]
    assert sorted(units) == living
    coarse = groups.hierarchy
    for (layer, index), members in groups.members.items():
        assert {int(case.labels[layer][unit]) for unit in members} == {int(coarse.labels[layer][index])}
    assert groups.links is not None
    assert groups.links.drawn == groups.links.all == sum(1 for _ in drawn(coarse))
    assert groups.links.drawn_edges == groups.links.all_edges == sum(1 for _ in drawn(case))
    for weighted in (True, False):
        sums = sum(edge.weight for edge in drawn(coarse) if edge.weighted is weighted)
        assert sums == pytest.approx(sum(abs(edge.weight) for edge in drawn(case) if edge.weighted is weighted))
    assert [m.index for m in coarse.modules] == [m.index for m in case.modules]
    assert groups.hierarchy.graph.depths == case.graph.depths


def test_large_graphs_are_drawn_as_groups_and_it_is_said() -> None:
    case = large()
    living = sum(int((labels >= 0).sum()) for labels in case.labels)
    assert living > 150
    ax = draw(case)
    texts = [text.get_text() for text in ax.texts]  # type: ignore[union-attr]
    groups = as_groups(case)
    assert f"{living:,} units drawn as {len(groups.members):,} groups of one module in one layer" in texts
    largest = max(edge.weight for edge in drawn(groups.hierarchy) if edge.weighted)
    assert f"summed |weight| of edges, up to {largest:.3g}, in the colour of the module they leave" in texts
    assert not any("groups of one module" in text.get_text() for text in draw(case, collapse=False).texts)  # type: ignore[union-attr]
    sizes = [str(len(members)) for members in groups.members.values() if len(members) > 1]
    assert all(texts.count(size) >= sizes.count(size) for size in sizes)
    for lines in (c for c in ax.collections if (c.get_gid() or "").startswith("edges-")):  # type: ignore[union-attr]
        module = int(lines.get_gid().split("-")[1])
        assert {to_hex(color) for color in lines.get_colors()} == {region_colours(module)[1]}


def test_labels_of_modules_count_units_and_not_groups() -> None:
    count = 10
    layers = [("x", "input", 3), *((f"h{i}", "neuron", 2) for i in range(count)), ("y", "output", 1)]
    blocks = [block for i in range(1, count + 1) for block in ((0, i, np.ones((3, 2))), (i, count + 1, np.ones((2, 1))))]
    labels = tuple(np.zeros(size, int) for _, _, size in layers)
    ax = draw(Hierarchy(UnitGraph(layers, blocks), labels, labels), collapse=True)
    assert "M0: 3 inputs, 20 hidden, 1 output" in [text.get_text() for text in ax.texts]  # type: ignore[union-attr]


def test_chains_are_grouped_as_other_graphs_are() -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(200) % 2, np.arange(10) % 2, np.array([-1, 0]))
    from analysis import LayeredGraph

    case = Hierarchy(LayeredGraph.from_weights([rng.normal(size=(10, 200)), rng.normal(size=(2, 10))]), labels, labels)
    assert not as_groups(case, collapse=False).members
    groups = as_groups(case)
    assert groups.members == as_groups(case, collapse=True).members
    assert {unit: len(members) for unit, members in groups.members.items()} == {
        (0, 0): 100, (0, 1): 100, (1, 0): 5, (1, 1): 5, (2, 0): 1, (2, 1): 1,
    }  # fmt: skip
    page = plan_page(groups.hierarchy, layered_layout(groups.hierarchy), None, groups=groups)
    assert {type(mark_of(groups, unit, page)) for unit in groups.members} == {Circle, FancyBboxPatch}
    _check_texts(draw(case, collapse=True))


def test_a_layer_without_units_of_modules_has_no_group() -> None:
    graph = UnitGraph([("x", "input", 2), ("h", "neuron", 2), ("y", "output", 1)], [(0, 1, np.eye(2)), (1, 2, np.zeros((2, 1)))])
    labels = (np.array([-1, -1]), np.array([-1, -1]), np.array([-1]))
    groups = collapsed(Hierarchy(graph, labels, labels))
    assert (groups.hierarchy.graph.widths, groups.members) == ((1, 1, 1), {(2, 0): (0,)})
    assert groups.notes == ()
    assert draw(Hierarchy(graph, labels, labels), collapse=True) is not None


def test_the_legend_says_only_what_is_there() -> None:
    case = CASES["residual"]()
    legend = legend_of(Groups(case, case))
    assert [entry.text for entry in legend.lines] == ["positive weight", "negative weight", "carried on"]
    assert (legend.marks, legend.notes, legend.rows) == ((), (), 1)


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf", "html"])
@both_ways
def test_the_same_picture_twice(suffix: str, collapse: bool, tmp_path: Path) -> None:
    case = CASES["attention"]()
    for name in ("a", "b"):
        case.draw(tmp_path / f"{name}.{suffix}", collapse=collapse)
    first = (tmp_path / f"a.{suffix}").read_bytes()
    assert first == (tmp_path / f"b.{suffix}").read_bytes()
    if suffix in ("svg", "html"):
        ids = re.findall(r'<g id="([^"]+)"', first.decode())
        assert len(ids) == len(set(ids))
        assert ("78 units drawn as 22 groups" in first.decode()) == collapse


def test_dot_has_each_unit_with_its_marks(tmp_path: Path) -> None:
    large().draw(tmp_path / "a.dot")
    assert len(re.findall(r"^\s*u\d+_\d+ \[", (tmp_path / "a.dot").read_text(), re.MULTILINE)) > 150
    CASES["attention"]().draw(tmp_path / "b.dot")
    text = (tmp_path / "b.dot").read_text()
    assert text.count("shape=square") == 4
    unweighted = [edge for edge in drawn(CASES["attention"]()) if not edge.weighted and not edge.carry]
    assert text.count("style=dashed") == len(unweighted) > 20


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    case = ands_and_ors()
    with pytest.raises(ValueError, match=r"collapse must be True, False or None; got 'yes'"):
        draw(case, collapse="yes")  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"collapse=True must go with engine=\"native\".*got engine='native' and a path that ends in '.dot'"
    ):
        draw(case, tmp_path / "a.dot", collapse=True)
    with pytest.raises(ValueError, match=r"collapse must be True, False or None; got 1"):
        report_html(case, collapse=1)  # type: ignore[arg-type]
