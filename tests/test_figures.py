"""Rates and their figures: the intervals, what is drawn for each count, and that texts stay apart and inside."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis import Rate
from analysis.drawing.encoding import picture_bytes
from analysis.figures import series_panels, success_bars, success_lines, success_map

DEPTHS = ("1 layer", "2 layers", "3 layers")
GRID = {
    "use 1": dict(zip(DEPTHS, (Rate(0, 12), Rate(7, 12), Rate(12, 12)), strict=True)),
    "use 2": dict(zip(DEPTHS, (Rate(3, 12), None, Rate(11, 12)), strict=True)),
}
MORE = {
    "use 1": dict(zip(DEPTHS, (Rate(0, 12), Rate(10, 12), Rate(12, 12)), strict=True)),
    "use 2": dict(zip(DEPTHS, (Rate(6, 12), None, Rate(11, 12)), strict=True)),
}
KNOWN = {"use 1": {"1 layer": Rate(0, 12), "3 layers": Rate(6, 12)}}
VALUES = {"30": Rate(2, 6), "60": Rate(6, 6), "120": None, "240": Rate(0, 6)}


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def intervals(ax: Any) -> list[list[float]]:
    lines = [collection for collection in ax.collections if collection.get_gid() == "interval"]
    return [line.get_segments()[0][:, 1].tolist() for line in lines]


# By hand with z^2 = 3.841459: centre (p + z^2 / 2n) / (1 + z^2 / n), half width z sqrt(p (1 - p) / n + z^2 / 4n^2) / (1 + z^2 / n).
@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [(0, 12, 0.0, 0.24249), (12, 12, 0.75751, 1.0), (11, 12, 0.64612, 0.98513), (18, 36, 0.34473, 0.65527), (1, 1, 0.20655, 1.0)],
)
def test_wilson_intervals(successes: int, total: int, low: float, high: float) -> None:
    rate = Rate(successes, total)
    assert rate.interval == pytest.approx((low, high), abs=2e-5)
    z, n, p = 1.959964, total, successes / total
    half = z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    assert rate.interval == pytest.approx([(p + z**2 / (2 * n) + side * half) / (1 + z**2 / n) for side in (-1, 1)], abs=1e-6)
    assert (str(rate), rate.fraction) == (f"{successes}/{total}", p)


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (-1, 3), (4, 3), (0.5, 3), (1, 2.0), (True, 3)])
def test_impossible_counts_are_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match=rf"total >= 1 .* got successes={successes} and total={total}. Use None where there are no trials"):
        Rate(successes, total)


def test_bars_have_the_height_of_the_rate_and_zero_is_seen() -> None:
    ax = success_bars(GRID, title="Reuse", xlabel="use")
    assert [bar.get_height() for bar in ax.patches] == [0.0, 7 / 12, 1.0, 0.25, 11 / 12]
    assert ax.patches[0].get_linewidth() > 0
    assert ax.get_ylim()[0] < 0 < 1 < ax.get_ylim()[1]
    places = [bar.get_x() + bar.get_width() / 2 for bar in ax.patches]
    assert places == pytest.approx([-0.8 / 3, 0, 0.8 / 3, 1 - 0.8 / 3, 1 + 0.8 / 3])
    assert texts(ax) == ["ours", "0/12", "7/12", "12/12", "3/12", "–", "11/12"]
    assert intervals(ax) == [list(rate.interval) for row in GRID.values() for rate in row.values() if rate]
    assert (ax.get_title(loc="left"), ax.get_xlabel()) == ("Reuse", "use")
    assert [label.get_text() for label in ax.get_xticklabels()] == list(GRID)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [*DEPTHS, "95 % interval"]
    # The captions and counts stand one above the other.
    assert ax.texts[1].xy == (places[0], 1)


def test_valid_decompositions_stand_on_top_and_carry_the_interval() -> None:
    ax = success_bars(GRID, lenient=MORE)
    on_top = [bar for bar in ax.patches if bar.get_gid() == "lenient"]
    assert [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in on_top] == [
        (7 / 12, pytest.approx(10 / 12)),
        (0.25, pytest.approx(0.5)),
    ]
    assert all(bar.get_hatch() for bar in on_top)
    assert intervals(ax) == [list(rate.interval) for row in MORE.values() for rate in row.values() if rate]
    assert texts(ax)[:7] == ["strict", "0/12", "7/12", "12/12", "3/12", "–", "11/12"]
    assert texts(ax)[7:] == ["counting valid", "0/12", "10/12", "12/12", "6/12", "–", "11/12"]
    heights = [ax.texts[i].xyann[1] for i in (0, 7)]
    assert heights[0] > heights[1] > 0
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == [*DEPTHS, "another valid decomposition", "95 % interval, counting valid"]
    # A key to what is not there would be looked for in vain.
    assert [text.get_text() for text in success_bars(GRID, lenient=GRID).get_legend().get_texts()] == [*DEPTHS, legend[-1]]


def test_published_rates_are_open_diamonds_in_another_colour() -> None:
    ax = success_bars(GRID, published=KNOWN)
    markers = [line for line in ax.lines if line.get_gid() == "published"]
    assert [marker.get_ydata()[0] for marker in markers] == [0.0, 0.5]
    bars = [bar.get_x() + bar.get_width() / 2 for bar in ax.patches]
    assert [bool(abs(marker.get_xdata()[0] - bars[i]) < 0.13) for marker, i in zip(markers, (0, 2), strict=True)] == [True, True]
    assert {(marker.get_marker(), marker.get_markerfacecolor()) for marker in markers} == {("D", "white")}
    assert texts(ax)[7:] == ["published", "0/12", "–", "6/12", "–", "–", "–"]
    assert ax.texts[7].get_color() == markers[0].get_markeredgecolor() != ax.texts[0].get_color()
    assert ax.get_legend().get_texts()[-1].get_text() == "published"


def test_series_are_distinguishable_in_grey() -> None:
    greys = [np.dot(bar.get_facecolor()[:3], [0.299, 0.587, 0.114]) for bar in success_bars(GRID).patches[:3]]
    assert greys == sorted(greys, reverse=True)
    assert np.diff(greys).max() < -0.12


def test_maps_print_rate_count_and_published_rate() -> None:
    ax = success_map(GRID, published=KNOWN, title="Inputs", xlabel="depth", ylabel="use")
    assert texts(ax) == [
        *("0.00", "0/12", "publ. 0.00"), *("0.58", "7/12"), *("1.00", "12/12", "publ. 0.50"), *("0.25", "3/12"), "–", *("0.92", "11/12"),
    ]  # fmt: skip
    (mesh,) = ax.collections
    values = np.ma.filled(mesh.get_array(), np.nan).reshape(2, 3)
    np.testing.assert_array_equal(values, [[0, 7 / 12, 1], [0.25, np.nan, 11 / 12]])
    assert (ax.texts[0].get_position()[0], ax.texts[1].get_position()[1]) == (0.5, 0.5)
    assert ax.texts[-1].get_position()[1] > 1
    assert ax.get_ylim() == (2, 0)  # the first row on top
    assert [label.get_text() for label in ax.get_yticklabels()] == list(GRID)
    assert [label.get_text() for label in ax.get_xticklabels()] == list(DEPTHS)
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) == ("Inputs", "depth", "use")
    sizes = [text.get_fontsize() for text in ax.texts[:3]]
    assert sizes == sorted(set(sizes), reverse=True)


@pytest.mark.parametrize("successes", range(0, 37, 2))
def test_letters_on_every_shade_can_be_read(successes: int) -> None:
    ax = success_map({"row": {"column": Rate(successes, 36)}})
    FigureCanvasAgg(ax.figure).draw()
    ground, ink = ax.collections[0].get_facecolor()[0][:3], to_rgb(ax.texts[0].get_color())
    light, dark = sorted((luminance(ground), luminance(ink)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 4  # 3 is WCAG AA for large letters, 4.5 for small ones


def luminance(colour: Any) -> float:
    channels = np.array(colour)
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_lines_show_rates_intervals_and_the_default() -> None:
    ax = success_lines(VALUES, default="60", title="steps")
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [0, 1, 3]
    assert line.get_ydata().tolist() == pytest.approx([1 / 3, 1, 0])
    assert texts(ax) == ["2/6", "6/6", "–", "0/6"]
    assert intervals(ax) == [list(rate.interval) for rate in VALUES.values() if rate]
    assert [label.get_fontweight() for label in ax.get_xticklabels()] == ["normal", "bold", "normal", "normal"]
    (band,) = ax.patches
    assert band.get_gid() == "default"
    assert ax.transData.inverted().transform(band.get_extents())[:, 0].mean() == pytest.approx(1)
    assert not success_lines(VALUES).patches


def test_lenient_lines_are_dashed_with_open_markers() -> None:
    ax = success_lines(VALUES, lenient={"30": Rate(4, 6), "240": Rate(0, 6)})
    lenient, strict = ax.lines
    assert lenient.get_ydata().tolist() == pytest.approx([4 / 6, 0])
    assert (lenient.get_markerfacecolor(), lenient.get_linestyle()) == ("white", "--")
    assert (strict.get_linestyle(), strict.get_label(), lenient.get_label()) == ("-", "strict", "counting valid")


def test_panels_of_other_series_or_parameters_are_refused() -> None:
    grid = {"steps": VALUES}
    with pytest.raises(ValueError, match=r"series must be one or two, with at least one value for each parameter; got \{\}"):
        series_panels({}, defaults={})
    for wrong in ({"a": {}}, {"a": {"steps": {}}}, dict.fromkeys("abc", grid)):
        with pytest.raises(ValueError, match="series must be one or two, with at least one value"):
            series_panels(wrong, defaults={})
    for other in ({"noise": VALUES}, {"steps": {"30": None}}):
        with pytest.raises(ValueError, match=r"all series must have the parameters and values of the first, .*; got"):
            series_panels({"a": grid, "b": other}, defaults={})
    for name in ("defaults", "notes"):
        with pytest.raises(ValueError, match=rf"{name} must name parameters of series, \['steps'\]; got \['noise'\]"):
            series_panels({"a": grid}, **{"defaults": {}, name: {"noise": "30"}})
        with pytest.raises(TypeError, match=rf"{name} must be a dict of texts; got \{{'steps': 30\}}"):
            series_panels({"a": grid}, **{"defaults": {}, name: {"steps": 30}})


def test_lines_without_a_value_are_refused() -> None:
    with pytest.raises(ValueError, match="rates must have at least one value; got none"):
        success_lines({})


def test_what_is_no_rate_is_refused() -> None:
    text = r"{}\['a'\]\['x'\] must be a Rate, such as Rate\(11, 12\), or None where nothing was run; got 0.5"
    right, wrong = {"a": {"x": Rate(1, 2)}}, {"a": {"x": 0.5}}
    for draw in (success_bars, success_map):
        with pytest.raises(TypeError, match=text.format("rates")):
            draw(wrong)
    for draw, name in ((success_bars, "published"), (success_map, "published"), (success_bars, "lenient")):
        with pytest.raises(TypeError, match=text.format(name)):
            draw(right, **{name: wrong})


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"rates must have at least one group of at least one rate; got \{\}"):
        success_bars({})
    with pytest.raises(ValueError, match=r"at least one group of at least one rate; got \{'a': \{\}\}"):
        success_map({"a": {}})
    with pytest.raises(
        ValueError, match=r"rates\['b'\] must have the names of rates\['a'\], \['x'\], in that order; got \['y'\]. Use None"
    ):
        success_bars({"a": {"x": Rate(1, 2)}, "b": {"y": Rate(1, 2)}})
    with pytest.raises(ValueError, match=r"published must have names of rates only; got 'use 3', which is not in \['use 1', 'use 2'\]"):
        success_map(GRID, published={"use 3": {}})
    with pytest.raises(ValueError, match=r"lenient must have names of rates only; got '4 layers', which is not in \['1 layer'"):
        success_bars(GRID, lenient={"use 1": {"4 layers": Rate(1, 12)}})
    for wrong in (Rate(6, 12), Rate(7, 13), None):
        with pytest.raises(ValueError, match=rf"lenient\['use 1'\]\['2 layers'\] must have the trials of .* 7/12, and .* got {wrong}"):
            success_bars(GRID, lenient={"use 1": {"2 layers": wrong}})
    with pytest.raises(ValueError, match=r"must have the trials of .*, None, and at least its successes; got 1/12"):
        success_bars(GRID, lenient={"use 2": {"2 layers": Rate(1, 12)}})
    with pytest.raises(ValueError, match=r"default must be one of the values \['30', '60', '120', '240'\]; got '45'"):
        success_lines(VALUES, default="45")
    with pytest.raises(ValueError, match=r"must have the trials of .* 2/6, and at least its successes; got 1/6"):
        success_lines(VALUES, lenient={"30": Rate(1, 6)})


@pytest.mark.parametrize("groups", [1, 2, 5])
@pytest.mark.parametrize("series", [1, 3])
def test_texts_stay_apart_and_inside(groups: int, series: int) -> None:
    names = [f"{i + 1} hidden layers" for i in range(series)]
    grid = {f"use {g}\n[8,2,1,2,16]": dict.fromkeys(names, Rate(12, 12)) for g in range(groups)}
    ax = success_bars(
        grid, lenient=grid, published=grid, title="Reuse [4,1,2,k]", xlabel="outputs that copy one function\n(as in the truth)"
    )
    check_texts(ax.figure)
    check_texts(success_map(grid, published=grid, title="Inputs", xlabel="hidden layers", ylabel="use").figure)
    check_texts(success_lines(dict.fromkeys(names, Rate(12, 12)) if series == 1 else VALUES, title="steps", xlabel="steps a round").figure)


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_files_are_the_same_twice_and_texts_stay_texts(kind: str) -> None:
    first, second = (picture_bytes(success_bars(GRID, lenient=MORE, published=KNOWN, title="a $b$ <c>"), kind) for _ in range(2))
    assert first == second
    if kind == "svg":
        found = {element.text for element in ElementTree.fromstring(first).iter("{http://www.w3.org/2000/svg}text")}
        assert {"strict", "counting valid", "published", "7/12", "a $b$ <c>"} <= found
        assert b"<image" not in first
        assert b"<image" not in picture_bytes(success_map(GRID), "svg")


def test_ax_is_drawn_on_and_nothing_global_changes() -> None:
    before = dict(mpl.rcParams)
    figure = Figure(figsize=(12, 3))
    axes = figure.subplots(1, 4)
    for ax, draw in zip(axes, (success_bars, success_map, success_lines), strict=False):
        assert draw(VALUES if draw is success_lines else GRID, ax=ax) is ax
        assert ax.texts
    assert not axes[3].texts
    assert len(figure.axes) == 4
    assert dict(mpl.rcParams) == before


def check_texts(figure: Any) -> None:
    """All texts lie inside the picture and none on another."""
    figure.set_dpi(300)  # extents are rounded to pixels
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    shown = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer()).extents) for text in shown]
    assert len(boxes) > 5
    for text, box in boxes:
        assert figure.bbox.x0 <= box[0] <= box[2] <= figure.bbox.x1, f"{text!r} leaves the picture"
        assert figure.bbox.y0 <= box[1] <= box[3] <= figure.bbox.y1, f"{text!r} leaves the picture"
    for (a, first), (b, second) in combinations(boxes, 2):
        apart = first[2] <= second[0] or second[2] <= first[0] or first[3] <= second[1] or second[3] <= first[1]
        assert apart, f"{a!r} and {b!r} overlap"
