"""Layout and pictures: nothing overlaps, every format is written, the same input gives the same bytes."""

import re
import subprocess
import sys
from functools import cache
from itertools import combinations, pairwise
from xml.etree import ElementTree

import graphviz
import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis import write_report
from analysis.drawing import draw
from analysis.drawing.colours import HUES, TINTS, region_colours
from analysis.drawing.dot import to_dot
from analysis.drawing.page_layout import plan_page
from analysis.graph import LayeredGraph
from analysis.hierarchy import Hierarchy
from analysis.layout import crossings, layered_layout

MAGIC = {".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-"}


def hierarchy(matrices, labels, **fields):
    graph = matrices if isinstance(matrices, LayeredGraph) else LayeredGraph.from_weights(matrices)
    labels = tuple(np.array(layer) for layer in labels)
    return Hierarchy(graph, labels, labels, **fields)


def ands_and_ors(**fields):
    ands = np.kron(np.eye(3), [1.0, 0.7])
    ors = np.array([[1.0, 1.0, 0.0], [0.0, -0.6, -0.6], [0.8, 0.0, 0.8]])
    return hierarchy([ands, ors, np.eye(3)], ([0, 0, 1, 1, 2, 2], [0, 1, 2], [3, 4, 5], [3, 4, 5]), **fields)


def even_and_odd(names=None):
    rng = np.random.default_rng(0)
    graph = LayeredGraph.from_weights([rng.normal(size=(3, 4)), rng.normal(size=(2, 3)), np.tile(np.eye(2), (8, 1))])
    if names:
        graph = LayeredGraph.from_weights(
            graph.weights, orientation="in_out", input_names=names, output_names=tuple(f"is class {i}" for i in range(16))
        )
    return hierarchy(graph, ([0] * 4, [0] * 3, [1, 2], [1, 2] * 8))


def five_modules():
    first = np.kron(np.eye(2), np.ones((3, 4)))
    second = np.kron([[1, 0], [0, -1]], np.ones((1, 3)))
    labels = ([0] * 4 + [1] * 4, [0] * 3 + [1] * 3, [2, 2], [3, 4], [3, 4] * 8)
    return hierarchy([first, second, np.ones((2, 2)), np.tile(np.eye(2), (8, 1))], labels)


def with_removed_units():
    first, second = np.zeros((4, 5)), np.zeros((4, 4))
    first[0, [0, 1]], first[2, 3], first[1, 2], second[0, 0], second[2, 2] = 1, -1, 1, 1, 1
    return hierarchy([first, second], ([0, 0, -1, 1, -1], [0, -1, 1, -1], [2, -1, 3, -1]))


def thirty_modules():
    rng = np.random.default_rng(3)
    picks = rng.permutation(20).reshape(10, 2)
    first, second, third = np.zeros((10, 20)), np.zeros((10, 10)), np.zeros((10, 10))
    for i in range(10):
        first[i, picks[i]] = rng.normal(size=2)
        second[i, rng.choice(10, 2, replace=False)] = 1
        third[i, rng.choice(10, 2, replace=False)] = 1
    return hierarchy([first, second, third], (np.argsort(picks.ravel()) // 2, range(10), range(10, 20), range(20, 30)))


def random_modules(seed, widths=(12, 8, 6, 5), modules=5, density=0.3):
    """Labels at random: modules skip layers, share all of them, and hold units without edges."""
    rng = np.random.default_rng(seed)
    matrices = [rng.normal(size=(b, a)) * (rng.random((b, a)) < density) for a, b in pairwise(widths)]
    return hierarchy(matrices, [rng.integers(-1, modules, size=n) for n in widths])


CASES = {
    "ands and ors": ands_and_ors(),
    "even and odd": even_and_odd(),
    "long names": even_and_odd(("left digit", "$x^2", '<b>&"', "a name that goes on and on and on and on")),
    "five modules": five_modules(),
    "one module": hierarchy([np.ones((2, 3)), -np.ones((1, 2))], ([0] * 3, [0] * 2, [0])),
    "removed units": with_removed_units(),
    "nothing left": hierarchy([np.zeros((2, 3))], ([-1] * 3, [-1] * 2)),
    "no hidden layer": hierarchy([[[1.0, 1, 0, 0], [0, 0, -1, 1]]], ([0, 0, 1, 1], [0, 1])),
    "thirty modules": thirty_modules(),
    "many inputs": random_modules(5, (100, 40, 20, 10), 7, 0.05),
    **{f"random {seed}": random_modules(seed) for seed in range(6)},
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@cache
def layout_of(case):
    return layered_layout(case)


@every_case
def test_regions_are_disjoint_and_hold_their_own_units(case):
    page = plan_page(case, layout := layout_of(case), None)
    boxes = {module: page.box(region) for module, region in layout.regions.items()}
    for (a, first), (b, second) in combinations(boxes.items(), 2):
        assert _apart(first, second), f"M{a} and M{b} overlap"
    for (layer, index), _ in layout.positions.items():
        x, y = page.place((layer, index))
        inside = [
            m for m, (left, bottom, right, top) in boxes.items() if left < x - page.radius and x + page.radius < right and bottom < y < top
        ]
        assert inside == [m for m in [case.labels[layer][index]] if m >= 0]


@every_case
def test_all_that_is_drawn_has_a_place(case):
    kept = {(i, int(u)) for i, labels in enumerate(case.labels) for u in np.flatnonzero(labels >= 0)}
    outputs = {(len(case.graph.weights), u) for u in range(case.graph.widths[-1])}
    assert set(layout_of(case).positions) == kept | outputs


@every_case
def test_units_of_a_module_stand_side_by_side_and_apart(case):
    positions = layout_of(case).positions
    for layer in range(len(case.labels)):
        row = sorted((place, case.labels[i][u]) for (i, u), place in positions.items() if i == layer)
        runs = [label for k, (_, label) in enumerate(row) if label >= 0 and (k == 0 or row[k - 1][1] != label)]
        assert len(runs) == len(set(runs))
        for (x, r), (y, s) in combinations([place for place, _ in row], 2):
            assert r != s or abs(x - y) > 0.999


def test_layout_is_the_same_twice():
    assert layered_layout(thirty_modules()) == layered_layout(thirty_modules())


def test_layout_crosses_less_than_the_order_of_the_units():
    """Ladders planted under shuffled names: as drawn, nothing crosses."""
    rng = np.random.default_rng(1)
    shuffles = [rng.permutation(8) for _ in range(3)]
    matrices = [np.eye(8)[np.ix_(b, a)] for a, b in pairwise(shuffles)]
    planted = hierarchy(matrices, [shuffle // 2 for shuffle in shuffles])
    assert _crossings(planted, [range(8)] * 3) > 20
    assert _crossings(planted, _drawn_order(planted)) == 0


def test_thirty_modules_cross_less_than_half_as_often():
    case = thirty_modules()
    natural = [range(n) for n in case.graph.widths]
    assert _crossings(case, _drawn_order(case)) < _crossings(case, natural) / 2


def test_of_two_mirror_images_the_one_with_the_first_inputs_on_the_left_is_drawn():
    """Here the other one has the outputs in their order."""
    case = hierarchy([[[1.0, 1.0], [1.0, 0.0]]], ([0, 1], [2, 3]))
    inputs, outputs = _drawn_order(case)
    assert (list(inputs), list(outputs)) == ([0, 1], [1, 0])
    assert _crossings(case, [inputs, outputs]) == 0


def test_crossings_counts_parallel_edges():
    assert crossings(np.array([[0, 2], [3, 0]])) == 6
    assert crossings(np.array([[1, 1], [1, 1]])) == 1
    assert crossings(np.array([[2, 0], [0, 3]])) == 0


def test_wide_layers_take_several_rows():
    wide = hierarchy([np.ones((2, 400)), np.ones((1, 2))], ([0] * 400, [0] * 2, [0]))
    layout = layered_layout(wide)
    assert layout.rows == (6, 1, 1)
    assert {row for (layer, _), (_, row) in layout.positions.items() if layer == 0} == set(range(6))


@every_case
def test_texts_do_not_overlap_and_stay_inside(case):
    _check_texts(draw(case, title="A title"))


@pytest.mark.parametrize("size", [(3.4, 2.5), (2, 8), (12, 9)])
def test_texts_do_not_overlap_on_axes_of_any_size(size):
    for case in (CASES["long names"], CASES["thirty modules"]):
        _check_texts(draw(case, ax=Figure(figsize=size).add_subplot()))


def test_sixteen_outputs_are_named_in_readable_size():
    names = [text for text in draw(even_and_odd()).texts if re.fullmatch(r"y\d+", text.get_text())]
    assert len(names) == 16
    assert min(text.get_fontsize() for text in names) >= 7


def test_names_without_room_are_left_out_and_counted():
    wide = hierarchy([np.ones((2, 400)), np.eye(2)], ([0] * 400, [0] * 2, [0, 0]))
    texts = [text.get_text() for text in draw(wide, collapse=False).texts]
    assert "x0" not in texts
    assert {"y0", "M0: 400 inputs, 2 hidden, 2 outputs"} <= set(texts)


def test_widths_and_colours_of_edges():
    ax = draw(hierarchy([[[1.0, -2.0]]], ([0, 0], [0])))
    (lines,) = [c for c in ax.collections if c.get_gid() == "edges-0-0"]
    assert np.argmax(lines.get_linewidths()) == 1
    assert len({tuple(color) for color in lines.get_colors()}) == 2


def test_no_edge_of_a_removed_unit_is_drawn():
    case = with_removed_units()
    drawn = sum(len(c.get_segments()) for c in draw(case).collections if c.get_gid().startswith("edges"))
    assert (drawn, case.graph.edge_count) == (5, 6)


def test_regions_of_two_dozen_modules_differ_and_carry_dark_text():
    fills = [region_colours(m)[0] for m in range(len(HUES) * len(TINTS))]
    assert len(set(fills)) == 24
    for fill in fills:
        channels = np.array([int(fill[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        luminance = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        assert (luminance + 0.05) / (0.0103 + 0.05) > 7  # WCAG AAA against the ink


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf", ".html", ".dot"])
def test_every_format_is_written_and_the_same_twice(tmp_path, suffix):
    case = CASES["long names"]
    first, second = tmp_path / f"new/folder/a{suffix}", tmp_path / f"b{suffix}"
    assert case.draw(first) is not None
    draw(case, str(second))
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert [p.name for p in first.parent.iterdir()] == [first.name]
    assert content.startswith(MAGIC.get(suffix, b""))
    if suffix == ".svg":
        ids = {element.get("id") for element in ElementTree.fromstring(content).iter()}
        assert {"module-0", "module-2", "units-1", "label-2", "edges-0-0", "edges-0-1"} <= ids
        assert b'<b>&amp;"' in content or b"&lt;b&gt;&amp;" in content


@pytest.mark.parametrize("engine", ["native", "graphviz"])
def test_characters_that_no_file_may_hold_are_left_out(tmp_path, engine):
    bad = "".join(map(chr, [*range(9), 11, 12, *range(14, 32), 127, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF]))
    case = even_and_odd((f"a{bad}b", "c", "d", "e"))
    draw(case, tmp_path / "a.dot", engine=engine, title=f"A{bad}B")
    write_report(case, tmp_path / "a.txt", evidence={f"C{bad}": bad})
    case.write_graphml(tmp_path / "a.graphml")
    if engine == "native":
        draw(case, tmp_path / "a.svg", title=f"A{bad}B")
        write_report(case, tmp_path / "a.html", title=f"A{bad}B", evidence={f"C{bad}": bad})
        ElementTree.parse(tmp_path / "a.svg")
    ElementTree.parse(tmp_path / "a.graphml")
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not set(bad) & set(text)
        assert re.search(r"a\s+b", text)
        assert path.suffix in (".txt", ".graphml") or re.search(r"A\s+B", text)


@pytest.mark.parametrize("suffix", [".svg", ".html", ".dot"])
def test_a_title_that_is_no_string_is_refused(tmp_path, suffix):
    with pytest.raises(TypeError, match="title must be a string; got int"):
        draw(ands_and_ors(), tmp_path / f"a{suffix}", title=5)
    with pytest.raises(TypeError, match="title must be a string; got int"):
        write_report(ands_and_ors(), tmp_path / "a.html", title=5)


def test_what_is_no_axes_is_refused():
    for wrong in (5, Figure()):
        with pytest.raises(TypeError, match=f"ax must be matplotlib Axes; got {type(wrong).__name__}"):
            draw(ands_and_ors(), ax=wrong)


def test_dot_mentions_every_module_unit_and_edge():
    case = with_removed_units()
    source = to_dot(case, 'a "title"').source
    assert re.findall(r"subgraph (cluster_\d)", source) == [f"cluster_{m}" for m in range(4)]
    assert re.findall(r"label=(M\d)", source) == ["M0", "M1", "M2", "M3"]
    assert len(re.findall(r"u\d_\d -> u\d_\d", source)) == 5
    assert "u0_4" not in source
    assert all(name in source for name in ("x0", "y1", "y3"))


def test_graphviz_draws_where_it_is_installed(tmp_path):
    try:
        graphviz.version()
    except graphviz.ExecutableNotFound:
        pytest.skip("the program `dot` is not installed")
    assert draw(CASES["long names"], tmp_path / "a.svg", engine="graphviz", title='<b> & "') is None
    titles = [e.text for e in ElementTree.parse(tmp_path / "a.svg").iter("{http://www.w3.org/2000/svg}title")]
    assert {"cluster_0", "cluster_1", "cluster_2"} <= set(titles)


def test_graphviz_says_that_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"must find the program `dot` on the PATH; got none. Install Graphviz"):
        draw(ands_and_ors(), tmp_path / "a.svg", engine="graphviz")
    draw(ands_and_ors(), tmp_path / "a.dot", engine="graphviz")
    assert [p.name for p in tmp_path.iterdir()] == ["a.dot"]


def test_errors_say_what_to_do(tmp_path):
    case = ands_and_ors()
    with pytest.raises(
        ValueError, match=r"path must end in one of \['.svg', '.pdf', '.png', '.html', '.dot'\] with engine='native'; got 'a.jpg'"
    ):
        draw(case, "a.jpg")
    with pytest.raises(ValueError, match=r"path must end in .* with engine='graphviz'; got 'a.html'"):
        draw(case, "a.html", engine="graphviz")
    with pytest.raises(ValueError, match=r"engine must be one of \['native', 'graphviz'\]; got 'dot'"):
        draw(case, engine="dot")
    with pytest.raises(ValueError, match=r"must have a path to write to and no ax; got path=None and no ax. Use engine=\"native\""):
        draw(case, engine="graphviz")
    with pytest.raises(ValueError, match=r"path must end in .html or .txt; got 'a.md'"):
        write_report(case, "a.md")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.svg"
    path.write_text("old")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        draw(ands_and_ors(), path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.svg", "old")]


def test_ax_is_drawn_on_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figure = Figure(figsize=(6, 3))
    left, right = figure.subplots(1, 2)
    assert draw(ands_and_ors(), ax=right) is right
    assert right.patches
    assert not left.patches
    assert not list(tmp_path.iterdir())
    draw(ands_and_ors(), "both.png", ax=left)
    assert (tmp_path / "both.png").read_bytes().startswith(MAGIC[".png"])


def test_no_global_state_of_matplotlib(tmp_path):
    before = dict(matplotlib.rcParams)
    for suffix in (".svg", ".png", ".pdf", ".html"):
        draw(ands_and_ors(), tmp_path / f"a{suffix}")
    assert dict(matplotlib.rcParams) == before


def test_importing_loads_no_matplotlib_and_drawing_no_figure_of_pyplot():
    code = (
        "import sys, analysis, analysis.drawing, analysis.figures, analysis.report; assert 'matplotlib' not in sys.modules\n"
        "import numpy as np; labels = (np.array([0]), np.array([0]))\n"
        "analysis.Hierarchy(analysis.LayeredGraph.from_weights([[[1.0]]]), labels, labels).draw()\n"
        # igraph imports pyplot, so only what it holds can tell.
        "pyplot = sys.modules.get('matplotlib.pyplot'); assert pyplot is None or pyplot.get_fignums() == []"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("collapse", [None, False])
def test_large_networks_come_out(collapse):
    rng = np.random.default_rng(0)
    first = rng.normal(size=(40, 500)) * (rng.random((40, 500)) < 0.05)
    case = hierarchy([first, np.kron(np.eye(2), np.ones((5, 20)))], (np.arange(500) % 2, np.arange(40) // 20, np.arange(10) // 5))
    ax = draw(case, collapse=collapse)
    assert max(ax.figure.get_size_inches()) < 12
    _check_texts(ax)


def _apart(first, second):
    return first[2] <= second[0] or second[2] <= first[0] or first[3] <= second[1] or second[3] <= first[1]


def _check_texts(ax):
    ax.figure.set_dpi(400)  # Agg rounds extents to pixels
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    ax.apply_aspect()
    boxes = [(text.get_text(), text.get_window_extent(renderer).extents) for text in ax.texts]
    assert len(boxes) >= 4
    for (a, first), (b, second) in combinations(boxes, 2):
        assert _apart(first, second), f"{a!r} and {b!r} overlap"
    paper = ax.get_window_extent(renderer)
    for text, box in boxes:
        assert paper.x0 <= box[0] <= box[2] <= paper.x1, f"{text!r} leaves the picture"
        assert paper.y0 <= box[1] <= box[3] <= paper.y1, f"{text!r} leaves the picture"


def _drawn_order(case):
    positions = layout_of(case).positions
    layers = range(len(case.graph.widths))
    return [[u for _, u in sorted((x, u) for (i, u), (x, _) in positions.items() if i == layer)] for layer in layers]


def _crossings(case, order):
    return sum(crossings((weight != 0)[np.ix_(order[i], order[i + 1])].astype(int)) for i, weight in enumerate(case.graph.weights))
