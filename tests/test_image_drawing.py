"""Pixels as heat maps: each in its place and shade, in its module's region, and described in the report."""

import re
from base64 import b64decode
from functools import cache
from io import BytesIO
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from test_drawing import MAGIC, _apart, _check_texts, hierarchy, random_modules

from analysis import report_html, report_text, write_report
from analysis.drawing import draw
from analysis.drawing.colours import HUES, region_colours, shades
from analysis.drawing.images import PixelMap, largest_weight, picture_of, pixel_maps
from analysis.drawing.page_layout import plan_page, region_label
from analysis.drawing.placeholders import layout_with_maps

IMAGE = (3, 4)


def two_sides(**fields):
    """An image of 3 x 4 pixels: M0 reads three on the right, M1 two on the left; one pixel is read by a removed unit only."""
    first = np.zeros((4, 12))
    first[0, [2, 3]], first[1, [3, 7]], first[2, [4, 8]], first[3, 0] = (1.0, -2.0), (3.0, 0.5), (-1.0, 1.0), 9.0
    labels = np.full(12, -1)
    labels[[2, 3, 7]], labels[[4, 8]] = 0, 1
    return hierarchy([first, np.eye(2, 4)], (labels, [0, 2, 1, -1], [0, 3]), **fields)


def planted(modules=2, size=14, hidden=10, seed=0, outputs=4):
    """Vertical stripes of an image twice as wide as high, a module each, from pixels to hidden units; outputs read all."""
    rng = np.random.default_rng(seed)
    stripe = np.tile(np.arange(2 * size) * modules // (2 * size), size)
    owner = np.arange(modules * hidden) // hidden
    keep = rng.random((len(owner), len(stripe))) < 0.2
    first = rng.normal(size=keep.shape) * keep * (owner[:, None] == stripe)
    labels = np.where(first.any(axis=0), stripe, -1)
    return hierarchy([first, rng.normal(size=(outputs, len(owner)))], (labels, owner, modules + np.arange(outputs)))


def many_modules():
    """Eleven modules: module m holds the pixels m and 11 + m and so on, one to three of them, and one hidden unit.

    The heaviest pixel is in the last, which is not among the eight biggest.
    """
    own = np.arange(24) % 11
    own[[11 + 4, 11 + 7]] = -1
    first = (np.arange(11)[:, None] == own) * np.where(np.arange(24) == 21, 220.0, 1.0 + np.arange(24))
    return hierarchy([first, np.ones((2, 11))], (own, np.arange(11), [11, 12]))


def pixels_alone():
    """Ten modules of pixels and no hidden unit in them, which one module reads."""
    return hierarchy([np.ones((2, 20)), np.ones((1, 2))], (np.arange(20) // 2, [10, 10], [10]))


CASES = {
    "two sides": (two_sides(), IMAGE),
    "planted": (planted(), (14, 28)),
    "wide layers": (planted(hidden=40), (14, 28)),
    "eight stripes": (planted(8), (14, 28)),
    "many modules": (many_modules(), (4, 6)),
    "pixels alone": (pixels_alone(), (4, 5)),
    "one row": (pixels_alone(), (1, 20)),
    "one column": (pixels_alone(), (20, 1)),
    "no hidden layer": (hierarchy([[[1.0, 1, 0, 0], [0, 0, -1, 1]]], ([0, 0, 1, 1], [0, -1])), (2, 2)),
    **{f"random {seed}": (random_modules(seed), IMAGE) for seed in range(4)},
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@cache
def placed(case):
    found, image = case
    layout, frames = layout_with_maps(found, pixel_maps(found, image))
    return layout, frames, plan_page(found, layout, None, frames)


def test_weights_of_pixels_by_hand():
    right, left = pixel_maps(two_sides(), IMAGE)
    assert (right.module, left.module) == (0, 1)
    assert right.weights.tolist() == [[0, 0, 1, 5], [0, 0, 0, 0.5], [0, 0, 0, 0]]
    assert left.weights.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert largest_weight((left, right)) == 5


def test_what_is_said_of_a_map():
    weights = np.zeros((4, 5))
    weights[1, 1], weights[2, 2], weights[2, 4], weights[3, 3] = 0.1, 0.2, 0.3, 0.4
    one = PixelMap(3, weights)
    assert (one.count, one.rows, one.columns, one.halves) == (4, (1, 3), (1, 4), (0.25, 0.5))
    assert pixel_maps(two_sides(), (2, 6))[0].halves == (2 / 3, 1 / 3)


def test_modules_without_a_pixel_that_is_read_have_no_map():
    case = hierarchy([[[1.0, 0.0, 0.0]]], ([0, 1, 1], [0]))
    assert [one.module for one in pixel_maps(case, (1, 3))] == [0]
    assert draw(case, image=(3, 1)).patches
    nothing = hierarchy([np.zeros((2, 3))], ([-1] * 3, [-1] * 2))
    assert pixel_maps(nothing, (1, 3)) == ()
    assert "Pixels: 0 of 3 read" in report_text(nothing, image=(1, 3))
    assert "0 of 3 read" in report_html(nothing, image=(1, 3))


def test_squares_stand_where_the_pixels_are_and_are_as_dark_as_they_weigh():
    ax = draw(two_sides(), image=IMAGE)
    for one in pixel_maps(two_sides(), IMAGE):
        left, bottom, width, height = _frames(ax)[one.module]
        assert width / height == pytest.approx(4 / 3)
        (squares,) = _named(ax.collections, f"pixels-{one.module}")
        centres = np.array([path.vertices[:4].mean(axis=0) for path in squares.get_paths()])
        columns, rows = ((centres - (left, bottom)) / (width / 4) - 0.5).T
        assert np.column_stack([2 - rows, columns]).round(6).tolist() == np.argwhere(one.weights).tolist()
        assert np.allclose(squares.get_facecolors()[:, :3], shades(one.module, one.weights[one.weights > 0] / 5))
        assert all(np.ptp(path.vertices, axis=0) == pytest.approx((width / 4, width / 4)) for path in squares.get_paths())


def test_shades_go_from_what_is_seen_on_white_to_dark_and_bear_the_hue():
    for module in (*range(len(HUES)), None):
        colors = shades(module, np.linspace(0, 1, 9))
        luminance = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(luminance) < 0).all()
        assert 1.05 / (luminance[0] + 0.05) > 1.2
        assert luminance[0] / luminance[-1] > 10
        if module is not None:
            assert to_hex(shades(module, np.array([0.5]))[0]) == region_colours(module)[1]


@every_case
def test_maps_lie_in_their_own_region_and_apart(case):
    layout, frames, page = placed(case)
    boxes = {module: page.box(region) for module, region in layout.regions.items()}
    for (a, first), (b, second) in combinations(boxes.items(), 2):
        assert _apart(first, second), f"M{a} and M{b} overlap"
    for one in frames.maps:
        left, bottom, right, top = page.frame(one.module)
        box = boxes[one.module]
        assert box[0] < left < right < box[2]
        assert box[1] < bottom < top < box[3]
        circles = [page.place(unit) for unit in layout.positions]
        assert all(x + page.radius < left or right < x - page.radius or top < y - page.radius for x, y in circles)


@every_case
def test_all_units_but_the_inputs_are_drawn_with_their_module(case):
    found, (layout, _, _) = case[0], placed(case)
    last = len(found.graph.weights)
    kept = {(i, int(u)) for i, labels in enumerate(found.labels) for u in np.flatnonzero((labels >= 0) | (i == last)) if i}
    assert set(layout.positions) == kept
    for unit in kept:
        label = found.labels[unit[0]][unit[1]]
        if label >= 0:
            assert layout.regions[label].left < layout.positions[unit][0] < layout.regions[label].right


@every_case
def test_one_line_from_each_map_to_each_unit_that_reads_it(case):
    found, image = case
    layout, frames, page = placed(case)
    ax = draw(found, image=image)
    drawn, widths, sums = {}, [], []
    for lines in ax.collections:
        if match := re.fullmatch(r"edges-(\d+)-(\d+)-pixels", lines.get_gid()):
            module, reader = map(int, match.groups())
            assert to_hex(lines.get_colors()[0]) == region_colours(module)[1]
            for segment, width in zip(lines.get_segments(), lines.get_linewidths(), strict=True):
                unit = next(u for u in layout.positions if u[0] == 1 and np.allclose(page.place(u), segment[1]))
                assert found.labels[1][unit[1]] == reader
                drawn.setdefault(module, {})[unit[1]] = segment
                widths.append(width)
                sums.append(np.abs(found.graph.weights[0][found.labels[0] == module, unit[1]]).sum())
    for one in frames.maps:
        read = np.abs(found.graph.weights[0][found.labels[0] == one.module]).sum(axis=0) > 0
        assert set(drawn[one.module]) == set(np.flatnonzero(read & (found.labels[1] >= 0)).tolist())
        left, _, right, top = page.frame(one.module)
        ends = sorted((end[0], start[0], start[1]) for start, end in drawn[one.module].values())
        assert all(left < start < right and y == pytest.approx(top) for _, start, y in ends)
        assert [start for _, start, _ in ends] == sorted(start for _, start, _ in ends)
    assert set(drawn) == {one.module for one in frames.maps}
    order = np.argsort(sums, kind="stable")
    assert (np.diff(np.array(widths)[order]) > -1e-9).all()
    assert np.ptp(widths) > 0 or np.ptp(sums) < 1e-9


def test_no_edge_of_a_pixel_is_drawn_by_itself():
    case = planted()
    segments = [len(c.get_segments()) for c in draw(case, image=(14, 28)).collections if re.fullmatch(r"edges-\d+-\d+", c.get_gid())]
    assert sum(segments) == np.count_nonzero(case.graph.weights[1])


def test_the_left_of_the_image_is_on_the_left():
    first = np.array([[0, 0, 0, 1.0, 0, 0, 0, 0], [0, 0, 0, 0, 1.0, 0, 0, 0]])  # M0 is on the right, since it has the first pixel
    frames = _frames(draw(hierarchy([first, np.ones((1, 2))], ([-1, -1, -1, 0, 1, -1, -1, -1], [0, 1], [2])), image=(2, 4)))
    assert frames[1][0] < frames[0][0]
    frames = _frames(draw(planted(4), image=(14, 28)))
    assert sorted(frames, key=lambda module: frames[module][0]) == [0, 1, 2, 3]


def test_of_many_modules_the_biggest_are_shown_and_the_rest_is_counted():
    case = many_modules()
    ax = draw(case, image=(4, 6))
    assert [one.count for one in pixel_maps(case, (4, 6))] == [3, 3, 2, 2, 1, 2, 2, 1, 2, 2, 2]
    assert sorted(_frames(ax)) == [0, 1, 2, 3, 5, 6, 8, 9]
    texts = [text.get_text() for text in ax.texts]
    assert "not shown: 4 pixels of 3 smaller modules" in texts
    assert {"M0: 3 pixels", "M9: 2 pixels"} <= set(texts)
    assert not any(text.startswith("not shown") for text in [t.get_text() for t in draw(planted(8), image=(14, 28)).texts])


def test_modules_keep_their_number_and_colour_where_others_are_left_out():
    ax = draw(many_modules(), image=(4, 6))
    regions = {int(p.get_gid()[7:]): to_hex(p.get_facecolor()) for p in ax.patches if (p.get_gid() or "").startswith("module-")}
    assert regions == {module: region_colours(module)[0] for module in range(13)}
    alone = draw(pixels_alone(), image=(4, 5))
    regions = [p.get_gid() for p in alone.patches if (p.get_gid() or "").startswith("module-")]
    assert regions == [f"module-{m}" for m in (*range(8), 10)]


def test_labels_speak_of_pixels_and_shrink_with_the_room():
    module = two_sides().modules[0]
    assert [region_label(module, room, 60, pixels=True) for room in (500, 80, 20)] == [
        "M0: 3 pixels, 1 hidden, 1 output",
        "M0: 3 pixels",
        "M0",
    ]
    assert region_label(module, 80, 60) == "M0"


def test_maps_are_as_large_where_layers_are_wide():
    for hidden in (5, 100):
        for _, _, width, height in _frames(draw(planted(hidden=hidden), image=(14, 28), collapse=False)).values():
            assert 120 < width < 200
            assert width == pytest.approx(2 * height)


def test_the_legend_gives_the_heaviest_weight_in_any_map():
    texts = [text.get_text() for text in draw(two_sides(), image=IMAGE).texts]
    assert {"summed |weight| of a pixel, up to 5", "summed |weight| from a map to a unit", "positive weight"} <= set(texts)
    assert "summed |weight| of a pixel, up to 220" in [text.get_text() for text in draw(many_modules(), image=(4, 6)).texts]
    assert not any("summed" in text.get_text() for text in draw(two_sides()).texts)


@pytest.mark.parametrize(("name", "texts"), [("many modules", ("not shown", "summed", "positive")), ("planted", ("summed", "positive"))])
def test_notes_and_legends_stand_clear_of_regions_and_of_each_other(name, texts):
    ax = draw(CASES[name][0], image=CASES[name][1])
    regions = [p for p in ax.patches if (p.get_gid() or "").startswith("module-")]
    lowest = min(region.get_window_extent().y0 for region in regions)
    for start in texts:
        box = next(text for text in ax.texts if text.get_text().startswith(start)).get_window_extent()
        points = (lowest - box.y1) * 72 / ax.figure.get_dpi()
        assert points > {"not shown": 2, "summed": 5, "positive": 0}[start]
        lowest = box.y0


@every_case
def test_texts_do_not_overlap_and_stay_inside(case):
    _check_texts(draw(case[0], title="A title", image=case[1]))


@pytest.mark.parametrize("size", [(3.4, 2.5), (2, 8), (12, 9)])
def test_texts_do_not_overlap_on_axes_of_any_size(size):
    for case, image in (CASES["planted"], CASES["many modules"]):
        ax = Figure(figsize=size).add_subplot()
        assert draw(case, ax=ax, image=image) is ax
        _check_texts(ax)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf", ".html"])
def test_every_format_is_written_and_the_same_twice(tmp_path, suffix):
    case, image = CASES["planted"]
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    assert case.draw(first, image=image) is not None
    draw(case, second, image=image)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(MAGIC.get(suffix, b""))
    if suffix == ".html":
        assert "<h2>Pixels</h2>" in first.read_text()
    if suffix == ".svg":
        ids = [element.get("id") for element in ElementTree.parse(first).iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        assert {"module-0", "label-1", "pixels-0", "pixels-1", "pixels-1-frame", "edges-0-0-pixels", "edges-0-2"} <= set(ids)
        assert not {"units-none"} & set(ids)


def test_mnist_size_comes_out():
    case = planted(size=28, hidden=20)
    ax = draw(case, image=(28, 56))
    squares = {int(c.get_gid()[7:]): len(c.get_paths()) for c in ax.collections if c.get_gid().startswith("pixels-")}
    assert squares == {m: int((case.labels[0] == m).sum()) for m in (0, 1)}
    assert max(ax.figure.get_size_inches()) < 12
    _check_texts(ax)


def test_errors_say_what_to_do(tmp_path):
    case = two_sides()
    wrong = {
        (3, 5): r"got \(3, 5\), which has 15. Leave it out where the inputs are not an image",
        (12,): r"got \(12,\). Leave",
        (3, 4, 1): r"got \(3, 4, 1\). Leave",
        (-3, -4): r"got \(-3, -4\). Leave",
        (3.0, 4.0): r"got \(3.0, 4.0\). Leave",
        (True, 12): r"got \(True, 12\). Leave",
        (): r"got \(\). Leave",
        "ab": "got 'ab'. Leave",
        12: "got 12. Leave",
    }
    for image, message in wrong.items():
        for call in (draw, report_text, report_html):
            with pytest.raises(ValueError, match=r"image must be \(height, width\) of 12 pixels in all, one for each input; " + message):
                call(case, image=image)
        with pytest.raises(ValueError, match=r"image must be \(height, width\) of 12 pixels"):
            write_report(case, tmp_path / "a.html", image=image)
    for path, engine in (("a.svg", "graphviz"), ("a.DOT", "native"), ("a.dot", "graphviz")):
        with pytest.raises(
            ValueError,
            match=rf'image must go with engine="native" and no ".dot" file.*got image=.*engine=\'{engine}\' and path=\'.*{path}\'',
        ):
            draw(case, tmp_path / path, engine=engine, image=IMAGE)
    assert not list(tmp_path.iterdir())


def test_report_text_gives_the_pixels_of_each_module(tmp_path):
    text = report_text(two_sides(), evidence={"Chance": "p < 1"}, image=IMAGE)
    assert (
        "\n\nPixels: 5 of 12 read, of an image 3 high and 4 wide\n"
        "M0: pixels 3; rows 0 to 1; columns 2 to 3; left half 0.00; right half 1.00\n"
        "M1: pixels 2; rows 1 to 2; columns 0 to 0; left half 1.00; right half 0.00\n\nChance:\np < 1"
    ) in text
    assert "Pixels" not in report_text(two_sides())
    assert write_report(two_sides(), tmp_path / "a.txt", evidence={"Chance": "p < 1"}, image=IMAGE).read_text() == text + "\n"


def test_report_html_shows_every_map():
    case = many_modules()
    page = report_html(case, image=(4, 6))
    assert "<h2>Pixels</h2>" not in report_html(case)
    section = page[page.index("<h2>Pixels</h2>") :]
    assert "22 of 24 read, of an image 4 high and 6 wide" in section
    assert re.findall(r'<tr data-module="(\d+)"', section) == [str(m) for m in range(11)]
    [row] = re.findall(r"<tr[^>]*>(<th[^>]*>M4<.*?)</tr>", section)
    assert re.sub(r"<img[^>]*>|<[^>]+>", "|", row).replace("||", "|").split("|")[1:-2] == ["M4", "1", "0 to 0", "4 to 4", "0.00", "1.00"]
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', section)
    maps = pixel_maps(case, (4, 6))
    for one, data in zip(maps, pictures, strict=True):
        assert b64decode(data) == picture_of(one, 220.0)
    assert section.count('style="width: 14rem"') == 11
    assert 'style="width: 8rem"' in report_html(pixels_alone(), image=(5, 4))
    assert report_html(case, image=(4, 6)) == page
    assert len(re.findall(r"<image ", page)) == 8  # in the picture


def test_picture_of_a_map_has_a_dot_for_each_pixel():
    right, _ = pixel_maps(two_sides(), IMAGE)
    dots = imread(BytesIO(picture_of(right, 5.0)), format="png")
    assert dots.shape[:2] == IMAGE
    assert (dots[right.weights == 0] == 1).all()
    assert np.allclose(dots[right.weights > 0][:, :3], shades(0, np.array([0.2, 1.0, 0.1])), atol=1 / 255)
    assert not np.allclose(dots[0, 2, :3], to_rgb("white"), atol=0.05)


def _named(artists, name):
    return [artist for artist in artists if artist.get_gid() == name]


def _frames(ax):
    """Left, bottom, width and height of the map of each module."""
    frames = {p.get_gid(): p for p in ax.patches if re.fullmatch(r"pixels-\d+-frame", p.get_gid() or "")}
    return {int(name.split("-")[1]): (*p.get_xy(), p.get_width(), p.get_height()) for name, p in frames.items()}
