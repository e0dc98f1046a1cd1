"""Pictures of large networks: when units are drawn in groups, that nothing is lost without a word, and that it takes seconds."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from test_drawing import _check_texts
from unit_graphs import attention, residual

from analysis import Hierarchy, LayeredGraph, UnitGraph, detect_modules, report_html
from analysis.drawing import draw
from analysis.drawing.entries import widest_link
from analysis.drawing.images import pixel_maps
from analysis.drawing.placeholders import layout_with_maps
from analysis.layout.collapsing import MOST_GROUPS, MOST_MODULES, TooLarge, as_groups, collapsed, is_large
from analysis.layout.groups import Groups
from analysis.layout.links import MOST_LINKS
from analysis.layout.rows import drawn


def chain(widths: list[int], labels: list[np.ndarray], weights: list[np.ndarray] | None = None) -> Hierarchy:
    """A chain, dense where no weights (row = source) are given."""
    matrices = [np.ones(pair) for pair in pairwise(widths)] if weights is None else weights
    return Hierarchy(LayeredGraph.from_weights(matrices, orientation="in_out"), tuple(labels), tuple(labels))


def as_units(case: Hierarchy) -> Hierarchy:
    """The same as a graph of units."""
    return Hierarchy(UnitGraph(case.graph.layers, case.graph.blocks), case.labels, case.labels)


def of_units(count: int) -> Hierarchy:
    """One module with so many units, 100 of them inputs, and few edges."""
    widths = [100, count - 101, 1]
    weights = [np.zeros((100, widths[1])), np.ones((widths[1], 1))]
    weights[0][0] = 1
    return chain(widths, [np.zeros(width, dtype=np.int64) for width in widths], weights)


def of_edges(count: int) -> Hierarchy:
    """One module with 70 units and so many edges."""
    first = np.zeros(35 * 35)
    first[:count] = 1
    return chain([35, 35], [np.zeros(35, dtype=np.int64)] * 2, [first.reshape(35, 35)])


def many(modules: int = 60, layers: int = 4, seed: int = 0) -> Hierarchy:
    """Modules side by side of two to six units in each layer, with random edges, most of them inside."""
    rng = np.random.default_rng(seed)
    labels = [np.repeat(np.arange(modules), rng.integers(2, 7, size=modules)) for _ in range(layers)]
    weights = []
    for below, above in pairwise(labels):
        share = np.where(below[:, None] == above, 0.7, 0.01)
        weights.append(rng.normal(size=share.shape) * (rng.random(share.shape) < share))
    return chain([len(found) for found in labels], labels, weights)


def image_case(hidden: int = 200) -> Hierarchy:
    """An image of 6 x 8 pixels, the left half and the right half in modules of their own with half of the hidden units each."""
    rng = np.random.default_rng(1)
    side = np.tile(np.arange(8) // 4, 6)
    owner = np.arange(hidden) * 2 // hidden
    first = rng.normal(size=(48, hidden)) * (side[:, None] == owner)
    return chain([48, hidden, 4], [side, owner, np.full(4, 2)], [first, rng.normal(size=(hidden, 4))])


def texts_of(case: Hierarchy, **options: object) -> list[str]:
    return [text.get_text() for text in draw(case, **options).texts]  # type: ignore[arg-type, union-attr]


@pytest.mark.parametrize("kind", [lambda case: case, as_units], ids=["chain", "graph of units"])
def test_the_border_is_at_150_units_and_600_edges(kind) -> None:  # type: ignore[no-untyped-def]
    assert [is_large(kind(of_units(count))) for count in (150, 151)] == [False, True]
    assert [is_large(kind(of_edges(count))) for count in (600, 601)] == [False, True]
    assert [as_groups(kind(of_edges(count))).links is not None for count in (600, 601)] == [False, True]


def of_modules(count: int) -> Hierarchy:
    """As many units side by side on two layers, each a module of its own, and an edge from one to the next."""
    below = count // 2
    weights = np.eye(below, count - below) + np.eye(below, count - below, k=1)
    return chain([below, count - below], [np.arange(below), np.arange(below, count)], [weights])


@pytest.mark.parametrize("kind", [lambda case: case, as_units], ids=["chain", "graph of units"])
def test_more_than_60_modules_are_drawn_in_groups(kind) -> None:  # type: ignore[no-untyped-def]
    """With 150 modules of one unit and 584 edges no number could be read."""
    assert [is_large(kind(of_modules(count))) for count in (60, 61)] == [False, True]
    assert any("the 24 largest of 61 modules are shown" in text for text in texts_of(kind(of_modules(61))))


def test_modules_of_pixels_alone_do_not_count() -> None:
    labels = [np.arange(64), np.full(2, 64), np.full(1, 64)]
    case = chain([64, 2, 1], labels, [np.ones((64, 2)), np.ones((2, 1))])
    assert is_large(case)
    assert not is_large(case, pixels=True)


def test_only_units_and_edges_of_modules_count() -> None:
    labels = [np.zeros(35, dtype=np.int64), np.zeros(35, dtype=np.int64)]
    labels[0][:20] = -1
    assert not is_large(chain([35, 35], labels))  # 525 of 1,225 edges
    carried = UnitGraph(
        [("x", "input", 20), ("r", "residual", 20), ("s", "residual", 20), ("y", "output", 20)],
        [(0, 1, np.ones((20, 20))), (1, 2, np.eye(20), "carry"), (2, 3, np.eye(20) + np.eye(20, k=1))],
    )
    assert carried.edge_count == 439
    mine = tuple(np.zeros(20, dtype=np.int64) for _ in range(4))
    assert not is_large(Hierarchy(carried, mine, mine))


def test_pixels_do_not_count_and_lines_from_a_map_are_one_each() -> None:
    case = image_case(100)  # 4,800 weights, half of them zero; 100 lines from maps and 400 edges
    assert is_large(case)
    assert not is_large(case, pixels=True)
    assert is_large(image_case(122), pixels=True)  # 122 lines and 488 edges
    assert [is_large(image_case(count), pixels=True) for count in (120, 121)] == [False, True]


def test_collapse_decides() -> None:
    small, large = of_edges(10), of_edges(601)
    assert as_groups(small, collapse=True).links is not None
    assert as_groups(large, collapse=False).hierarchy is large
    with pytest.raises(TooLarge, match="got 1,600"):
        draw(of_units(1600), collapse=False)


@pytest.mark.parametrize("case", [many(), many(24), many(3), as_units(many(30)), detect_modules(residual(tasks=9))])
def test_every_unit_is_in_one_group(case: Hierarchy) -> None:
    groups = collapsed(case)
    units = sorted((layer, unit) for (layer, _), members in groups.members.items() for unit in members)
    assert units == [(i, int(k)) for i, labels in enumerate(case.labels) for k in np.flatnonzero(labels >= 0)]
    for (layer, index), members in groups.members.items():
        number = groups.number(int(groups.hierarchy.labels[layer][index]))
        assert all((int(case.labels[layer][unit]) == number) or number is None for unit in members)
    shown = {number for number in groups.numbers if number is not None}
    assert len(shown) + groups.rest == len(case.modules)
    resting = {int(case.labels[layer][unit]) for (layer, index), members in groups.members.items() for unit in members} - shown
    assert len(resting) == groups.rest


@pytest.mark.parametrize("case", [many(), many(24), many(3), as_units(many(30)), detect_modules(residual(tasks=9))])
def test_links_drawn_and_left_out_are_all(case: Hierarchy) -> None:
    groups = collapsed(case)
    place = {(layer, unit): group for group in groups.members for layer, unit in [(group[0], u) for u in groups.members[group]]}
    edges: dict[tuple, list[float]] = {}
    for edge in drawn(case):
        edges.setdefault((place[edge.source], place[edge.target], edge.carry), []).append(abs(edge.weight))
    assert groups.links is not None
    assert (groups.links.all, groups.links.all_edges) == (len(edges), sum(map(len, edges.values())))
    links = list(drawn(groups.hierarchy))
    assert groups.links.drawn == len(links)
    assert groups.links.drawn_edges == sum(len(edges[link.source, link.target, link.carry]) for link in links)
    for link in links:
        own = edges[link.source, link.target, link.carry]
        assert link.weight == pytest.approx(len(own) if link.carry else sum(own))


def test_the_strongest_links_are_drawn_and_every_group_keeps_its_own() -> None:
    groups, every = collapsed(many()), collapsed(many())
    assert groups.links is not None
    assert MOST_LINKS <= groups.links.drawn < groups.links.all
    weights: dict[tuple, float] = {}
    case = many()
    place = {(layer, u): (layer, k) for (layer, k), members in every.members.items() for u in members}
    for edge in drawn(case):
        key = place[edge.source], place[edge.target]
        weights[key] = weights.get(key, 0.0) + abs(edge.weight)
    kept = {(link.source, link.target) for link in drawn(groups.hierarchy)}
    assert set(sorted(weights, key=lambda key: -weights[key])[:MOST_LINKS]) <= kept
    for end in (0, 1):
        for group in {key[end] for key in weights}:
            assert max((key for key in weights if key[end] == group), key=lambda key: weights[key]) in kept
    extra = kept - set(sorted(weights, key=lambda key: -weights[key])[:MOST_LINKS])
    best = [{max((k for k in weights if k[end] == key[end]), key=lambda k: weights[k]) for end in (0, 1)} for key in extra]
    assert all(key in own for key, own in zip(extra, best, strict=True))


def test_the_modules_with_the_most_units_are_shown_of_equal_ones_those_with_the_most_edges() -> None:
    count = 40
    labels = [np.repeat(np.arange(count), np.where(np.arange(count) == 33, 3, 2)), np.arange(count)]
    weights = np.zeros((len(labels[0]), count))
    for module in range(count):
        rows = np.flatnonzero(labels[0] == module)
        weights[rows[: 1 if module < 10 else 2], module] = 1.0  # the first ten have half of the edges
    groups = collapsed(chain([len(labels[0]), count], labels, [weights]))
    shown = [number for number in groups.numbers if number is not None]
    assert shown == [*range(10, 33), 33]
    assert (len(shown), groups.rest) == (MOST_MODULES, 16)


def test_deep_networks_show_fewer_modules() -> None:
    groups = collapsed(many(20, layers=40))
    assert len(groups.members) <= MOST_GROUPS
    assert groups.rest == 20 - (MOST_GROUPS - 40) // 40


def test_the_notes_say_what_is_together_and_what_is_left_out() -> None:
    case = many()
    groups = collapsed(case)
    rest = sum(len(units) for (i, k), units in groups.members.items() if groups.number(int(groups.hierarchy.labels[i][k])) is None)
    units = sum(int((labels >= 0).sum()) for labels in case.labels)
    links = groups.links
    assert links is not None
    assert groups.notes == (
        f"{units - rest:,} units drawn as 96 groups of one module in one layer",
        f"the 24 largest of 60 modules are shown; the {rest:,} units of the others are together in each layer, “rest”",
        f"left out: {links.all - links.drawn} of {links.all} links between groups, the weakest, "
        f"with {links.all_edges - links.drawn_edges} of {links.all_edges:,} edges",
    )
    ax = draw(case)
    texts = {text.get_gid(): text.get_text() for text in ax.texts}  # type: ignore[union-attr]
    assert tuple(texts[f"note-{line}"] for line in (1, 2, 3)) == groups.notes
    assert f"summed |weight| of edges, up to {widest_link(groups):.3g} or more, in the colour of the module they leave" in texts.values()
    assert all(f">{note}<" in report_html(case).replace("\n", "") for note in groups.notes)
    _check_texts(ax)


def test_the_rest_is_a_region_of_its_own_in_grey() -> None:
    ax = draw(many())
    regions = [patch.get_gid() for patch in ax.patches if (patch.get_gid() or "").startswith("module-")]  # type: ignore[union-attr]
    assert len(regions) == len(set(regions)) == 25
    assert "module-rest" in regions
    (fill,) = [patch.get_facecolor() for patch in ax.patches if patch.get_gid() == "module-rest"]  # type: ignore[union-attr]
    assert max(fill[:3]) - min(fill[:3]) < 0.01


def test_the_widest_line_is_that_of_the_largest_link_outside_the_rest() -> None:
    case = many()
    groups = collapsed(case)
    inside = [link.weight for link in drawn(groups.hierarchy) if groups.within_rest(link.source, link.target)]
    outside = [link.weight for link in drawn(groups.hierarchy) if not groups.within_rest(link.source, link.target)]
    assert max(inside) > max(outside) == widest_link(groups)
    lines = [c for c in draw(case).collections if re.fullmatch(r"edges-.*", c.get_gid() or "")]  # type: ignore[union-attr]
    widths = {c.get_gid(): c.get_linewidths() for c in lines}
    widest = max(np.max(found) for found in widths.values())
    assert np.allclose(widths["edges-rest-rest"], widest)
    assert max(np.max(found) for name, found in widths.items() if name != "edges-rest-rest") == pytest.approx(widest)


def unread(count: int, read: tuple[int, int] = (1, 3)) -> Hierarchy:
    """Two outputs with a module, and others that read nothing, each of them a module of its own."""
    last = np.zeros((2, count + 2))
    last[[0, 1], read] = 1.0
    return detect_modules(LayeredGraph.from_weights([np.eye(2), last], orientation="in_out"))


def test_outputs_that_read_nothing_are_one_group() -> None:
    case = unread(1000)
    assert len(case.modules) == 1002
    ax = draw(case)
    assert "1,000 outputs that read nothing drawn as 1 group" in [text.get_text() for text in ax.texts]  # type: ignore[union-attr]
    (rings,) = [c for c in ax.collections if c.get_gid() == "units-none"]  # type: ignore[union-attr]
    assert len(rings.get_paths()) == 1
    names = [text.get_text() for text in ax.texts]  # type: ignore[union-attr]
    assert {"y1", "y3", "y0, y2, …", "1000"} <= set(names)
    regions = {patch.get_gid() for patch in ax.patches if (patch.get_gid() or "").startswith("module-")}  # type: ignore[union-attr]
    read = [int(case.labels[-1][output]) for output in (1, 3)]
    assert regions == {f"module-{number}" for number in read}
    _check_texts(ax)


@pytest.mark.parametrize("kind", [lambda case: case, as_units], ids=["chain", "graph of units"])
def test_units_keep_their_place_beside_outputs_that_read_nothing(kind) -> None:  # type: ignore[no-untyped-def]
    case = kind(unread(3))
    groups = as_groups(case)
    last = len(case.labels) - 1
    assert [groups.units((last, k)) for k in range(3)] == [(0, 2, 4), (1,), (3,)]
    assert groups.links is None
    assert [(edge.source, edge.weight) for edge in drawn(groups.hierarchy)] == [(edge.source, edge.weight) for edge in drawn(case)]
    assert texts_of(case, collapse=False).count("1") == 0
    assert {f"y{k}" for k in range(5)} <= set(texts_of(case, collapse=False))


def test_a_single_output_that_reads_nothing_stays_as_it_is() -> None:
    case = unread(1, (0, 2))
    assert as_groups(case).hierarchy is case


def test_names_of_groups_stay_different_and_escaped(tmp_path: Path) -> None:
    names = ["a", "b", "a, b", '<b>&"]]>', *(f"o{k}" for k in range(4))]
    graph = LayeredGraph.from_weights(
        [np.eye(3), np.eye(3, 8) * 0], orientation="in_out", output_names=tuple(names), input_names=("<script>", "x", "y")
    )
    labels = (np.array([0, 0, 1]), np.array([0, 0, 1]), np.array([0, 0, 1, -1, -1, -1, -1, -1]))
    case = Hierarchy(graph, labels, labels)
    for collapse in (None, True):
        draw(case, tmp_path / "a.svg", collapse=collapse)
        draw(case, tmp_path / "a.html", collapse=collapse)
        ElementTree.parse(tmp_path / "a.svg")
        content = (tmp_path / "a.html").read_text()
        assert "<script>, x" not in content
        assert "<b>" not in content
    first = np.eye(3, 8)
    first[1, 1] = 1.0
    joined = Hierarchy(LayeredGraph.from_weights([np.eye(3), first], orientation="in_out", output_names=tuple(names)), labels, labels)
    found = collapsed(joined).hierarchy.graph.output_names
    assert found == ("a, b", "a, b (2)", '<b>&"]]>, o0, …')


def test_with_an_image_hidden_units_are_groups_and_maps_stay() -> None:
    case = image_case()
    groups = as_groups(case, pixels=True)
    assert {unit: len(members) for unit, members in groups.members.items()} == {(1, 0): 100, (1, 1): 100, (2, 0): 4}
    for whole, mine in zip(pixel_maps(case, (6, 8)), pixel_maps(groups.hierarchy, (6, 8)), strict=True):
        assert np.allclose(whole.weights, mine.weights)
    layout, frames = layout_with_maps(groups.hierarchy, pixel_maps(groups.hierarchy, (6, 8)))
    assert {unit for unit in layout.positions if unit[0]} == set(groups.members)
    assert len(frames.maps) == 2
    ax = draw(case, image=(6, 8))
    assert "204 units drawn as 3 groups of one module in one layer" in [text.get_text() for text in ax.texts]  # type: ignore[union-attr]
    lines = [c for c in ax.collections if (c.get_gid() or "").endswith("-pixels") and c.get_gid().startswith("edges")]  # type: ignore[union-attr]
    assert sorted(c.get_gid() for c in lines) == ["edges-0-0-pixels", "edges-1-1-pixels"]
    _check_texts(ax)
    assert texts_of(image_case(20), image=(6, 8), collapse=True).count("10") == 2


@pytest.mark.parametrize(
    "case",
    [many(), as_units(many(40, 6)), unread(300), detect_modules(attention(tasks=5, density=0.6))],
    ids=["chain", "units", "unread", "heads"],
)
def test_large_pictures_are_clear_quick_and_the_same_twice(case: Hierarchy, tmp_path: Path) -> None:
    start = time.process_time()
    draw(case, tmp_path / "a.svg")
    assert time.process_time() - start < 5
    draw(case, tmp_path / "b.svg")
    first = (tmp_path / "a.svg").read_bytes()
    assert first == (tmp_path / "b.svg").read_bytes()
    ids = re.findall(r'<g id="([^"]+)"', first.decode())
    assert len(ids) == len(set(ids))
    _check_texts(draw(case, title="A title"))


def test_weights_without_bounds_are_drawn() -> None:
    labels = [np.zeros(30, dtype=np.int64), np.zeros(30, dtype=np.int64)]
    case = chain([30, 30], labels, [np.full((30, 30), 1e308)])
    groups = as_groups(case)
    assert isinstance(groups, Groups)
    assert widest_link(groups) == np.finfo(np.float64).max
    _check_texts(draw(case))
