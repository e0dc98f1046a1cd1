"""Figures of scores against scores: which points there are, what is left out and counted, that texts stay apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_figures import check_texts

from analysis.drawing.encoding import picture_bytes
from analysis.figures import score_scatter

ACROSS, UP = [0.1, 0.0, 3.0, 2.0, 0.0], [0.2, 5.0, 0.0, 2e-4, 0.0]
LABELS = {"xlabel": "attribution, nats", "ylabel": "ablation, nats"}


def points(ax: Any) -> dict[str, list[list[float]]]:
    return {part.get_gid(): part.get_offsets().tolist() for part in ax.collections}


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_points_with_a_zero_are_left_out_and_counted() -> None:
    ax = score_scatter({"first order": (ACROSS, UP)}, title="as trained", **LABELS)
    assert points(ax) == {"first order": [[0.1, 0.2], [2.0, 2e-4]]}
    assert legend(ax) == ["first order: 2 units, 3 more with a 0"]
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) == ("as trained", "attribution, nats", "ablation, nats")
    assert legend(score_scatter({"a": ([1.0], [2.0])})) == ["a: 1 units"]


def test_every_series_is_in_the_legend_whatever_its_name() -> None:
    pair = [1.0], [2.0]
    assert legend(score_scatter({"_hidden": pair, "b": pair})) == ["_hidden: 1 units", "b: 1 units"]


def test_the_smallest_scores_have_a_place() -> None:
    ax = score_scatter({"a": ([5e-324], [1e-310])})
    assert points(ax) == {"a": [[5e-324, 1e-310]]}
    assert ax.get_xlim() == ax.get_ylim() == (5e-324, pytest.approx(1e-309))


@pytest.mark.parametrize(
    ("pair", "ends", "ticks"),
    [
        (([40.0], [1.0]), (-1, 2), [-1, 0, 1, 2]),
        (([3e-5, 60.0], [1e-3, 0.0]), (-5, -2), [-5, -4, -3, -2]),  # what is left out does not count
        (([1e-12, 4.9], [1.0, 1e-7]), (-13, 1), [-13, -10, -7, -4, -1]),
        (([5.1], [4.0]), (0, 2), [0, 1, 2]),  # no point at the very edge
    ],
)
def test_both_axes_are_logarithmic_and_alike_and_the_line_says_where_scores_are_equal(
    pair: Any, ends: tuple[int, int], ticks: list[int]
) -> None:
    ax = score_scatter({"a": pair})
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    edges = pytest.approx([10.0 ** ends[0], 10.0 ** ends[1]])
    assert list(ax.get_xlim()) == list(ax.get_ylim()) == edges
    (line,) = ax.lines
    assert line.get_gid() == "equal"
    assert line.get_xdata().tolist() == line.get_ydata().tolist() == edges
    assert ax.get_xticks().tolist() == ax.get_yticks().tolist() == pytest.approx([10.0**tick for tick in ticks])
    assert len(ax.get_xticks(minor=True)) == 0


def test_axes_show_the_points_of_all_series() -> None:
    ax = score_scatter({"a": ([1e-3], [1e-2]), "b": ([300.0], [1.0])})
    assert list(ax.get_xlim()) == pytest.approx([1e-4, 1e3])


def test_two_series_are_distinguishable_without_colour() -> None:
    ax = score_scatter({"a": ([1.0], [2.0]), "b": ([1.0], [3.0])})
    first, second = ax.collections
    assert len(first.get_facecolors()) == 1
    assert len(second.get_facecolors()) == 0
    assert not np.array_equal(first.get_paths()[0].vertices, second.get_paths()[0].vertices)
    assert legend(ax) == ["a: 1 units", "b: 1 units"]


def test_marks_of_many_units_cover_no_more_than_those_of_few() -> None:
    (few,), (many,) = ((ax.collections[0].get_sizes()) for ax in (score_scatter({"a": (np.arange(1, n + 1),) * 2}) for n in (200, 800)))
    assert 800 * many == pytest.approx(200 * few)
    assert score_scatter({"a": ([1.0], [1.0])}).collections[0].get_sizes() == few


def test_marks_of_many_units_fade_but_not_in_the_legend() -> None:
    few, many = (score_scatter({"a": (np.arange(1, n + 1),) * 2}) for n in (200, 800))
    assert [ax.collections[0].get_alpha() for ax in (few, many)] == [1.0, 0.4]
    assert [ax.get_legend().legend_handles[0].get_alpha() for ax in (few, many)] == [1.0, 1.0]


@pytest.mark.parametrize("pair", [([], []), ([0.0, 1.0], [1.0, 0.0])])
def test_without_points_there_are_axes(pair: Any) -> None:
    ax = score_scatter({"a": pair})
    assert points(ax) == {"a": []}
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((0.1, 10.0))
    assert legend(ax)[0].startswith("a: 0 units")


def test_what_is_given_is_not_changed_and_ax_is_drawn_on() -> None:
    scores, figure = {"a": (np.array([1.0, 0.0]), np.array([2.0, 1.0]))}, Figure()
    ax = figure.add_subplot()
    assert score_scatter(scores, ax=ax) is ax
    assert figure.axes == [ax]
    assert [part.tolist() for part in scores["a"]] == [[1.0, 0.0], [2.0, 1.0]]


def test_texts_stay_apart_and_inside_in_panels_and_alone() -> None:
    scores = {name: (10 ** np.linspace(-7, 1, 128), 10 ** np.linspace(-9, 0, 128)) for name in ("first order", "activation x gradient")}
    scores["first order"][0][:99] = 0
    figure = Figure(figsize=(9.0, 3.3), layout="constrained")
    for ax in figure.subplots(1, 3):
        score_scatter(scores, ax=ax, title="group lasso, subgradient, 64 wide", **LABELS)
    check_texts(figure)
    check_texts(score_scatter(scores, title="a $b$", **LABELS).figure)
    first, second = (picture_bytes(score_scatter(scores, title="a $b$"), "svg") for _ in range(2))
    assert first == second
    assert b"a $b$" in first


@pytest.mark.parametrize("wrong", [-0.5, float("nan"), float("inf")])
@pytest.mark.parametrize("place", [0, 1])
def test_scores_that_are_no_scores_are_refused(wrong: float, place: int) -> None:
    pair: list[list[float]] = [[1.0, 2.0], [3.0, 4.0]]
    pair[place][1] = wrong
    with pytest.raises(ValueError, match=rf"scores\['a'\] must be finite and at least 0; got {wrong}. Give absolute values"):
        score_scatter({"a": (pair[0], pair[1])})


def test_series_must_be_one_or_two_and_their_scores_of_the_same_units() -> None:
    pair = ([1.0], [1.0])
    for some in ({}, dict.fromkeys("abc", pair)):
        with pytest.raises(ValueError, match=rf"scores must be of one or two series, .*; got \{list(some)}"):
            score_scatter(some)
    for across, up in (([1.0, 2.0], [1.0]), ([[1.0, 2.0]], [[1.0, 2.0]])):
        with pytest.raises(ValueError, match=r"scores\['b'\] must be two arrays of one shape \(H,\), a score for each unit; got \("):
            score_scatter({"a": pair, "b": (across, up)})
