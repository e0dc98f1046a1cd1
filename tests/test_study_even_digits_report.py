"""The report of the study of even digits, on rows made so that every number is known."""

from __future__ import annotations

from typing import Any

import pytest
from test_figures import check_texts
from test_study_even_digits import COLUMNS, COMPARED

from sculpting.store import Row
from sculpting.studies.even_digits import report as even_report_module
from sculpting.studies.even_digits.cells import METHODS, PROTOCOLS
from sculpting.studies.even_digits.frontier import Frontier, frontier, frontier_figure, published_near, thousands, verdict
from sculpting.studies.even_digits.report import even_report, even_summary

# Images of each method at 30 units and at every other size; scratch at 30 never got there, nor did half of the random ones.
IMAGES = {"scratch": (80_000, 20_000), "distillation": (60_000, 4_000), "activation-gradient": (70_000, 5_000), "random": (90_000, 0)}


def fake_rows() -> list[Row]:
    rows = [_fake("teacher", 800, seed, 3e-3, None, 166_740, True) for seed in range(5)]
    for cell in PROTOCOLS["reduced"].cells.values():
        for size in cell["units"]:
            for seed in range(5):
                images = IMAGES.get(cell["method"], (50_000, 25_000))[size > 30]
                there = size > 30 or not (cell["method"] == "scratch" or (cell["method"] == "random" and seed > 2))
                # The higher rate is the better one, by a thousand images where there are so many.
                images += 1_000 * (cell["rate"] == 1e-3) + 10 * seed * (images > 0)
                rows.append(_fake(cell["method"], size, seed, cell["rate"], cell["strength"], images, there))
    return rows


def _fake(method: str, size: int, seed: int, rate: float, strength: float | None, images: int, there: bool) -> Row:
    units, curve = size - seed * (strength is not None), [[320, 700, 0.96]] if strength is not None and size == 30 else None
    compared: list[Any] = [None] * len(COMPARED)
    if method == "teacher":
        attributions = {"first_order": [0.01 * (seed + 1)] * 799 + [0.0], "activation_gradient": [0.02] * 800}
        compared = [0.6 + 0.01 * seed, 0.8, None, 3 * seed, 0.7, -0.25, 0.95, 0, [0.1] * 800, attributions]
    values = [method, size, seed, rate, strength, units, images, there, 0.97 if there else 0.96, 0.97 + seed / 1000, curve, *compared, 2.0]
    return dict(zip(COLUMNS, values, strict=True))


def test_below_is_said_only_where_it_is_known() -> None:
    small, large = (lambda exact, images=images: Frontier([], images, exact) for images in (1.0, 2.0))
    assert [small(a).below(large(b)) for a, b in ((True, True), (True, False), (False, True), (False, False))] == [True, True, None, None]
    assert [large(a).below(small(b)) for a, b in ((True, True), (True, False), (False, True), (False, False))] == [False, None, False, None]
    assert small(True).below(small(True)) is False


def test_the_best_learning_rate_is_that_with_which_most_seeds_get_there() -> None:
    rows = [_fake("scratch", 30, seed, rate, None, images, there) for seed in (0, 1) for rate, images, there in (
        (1e-3, 100, seed == 0), (3e-3, 900, True), (6e-3, 800 + 50 * seed, True), (8e-3, 825, True),
    )]  # fmt: skip
    best = frontier(rows, "scratch", 30)
    assert best is not None
    assert ({row["learning_rate"] for row in best.rows}, best.images, best.exact, str(best)) == ({6e-3}, 825, True, "0.8k")
    assert frontier(rows, "scratch", 50) is frontier(rows, "random", 30) is None
    censored = frontier(rows[:1] + rows[4:5], "scratch", 30)
    assert censored is not None
    assert (censored.exact, str(censored)) == (False, "above 0.1k")
    assert verdict(rows, "scratch", "random", 30) is None


def test_published_points_stand_where_they_are_near() -> None:
    assert [published_near("scratch", size) for size in (30, 200, 220)] == ["53.5k", "21.4k at 160", ""]
    assert published_near("group-lasso", 50) == "21.0k at 46"
    assert published_near("random", 50) == ""
    assert [thousands(images) for images in (0, 480, 12_345)] == ["0.0k", "0.5k", "12.3k"]


def test_the_summary_has_every_line() -> None:
    summary = even_summary(fake_rows(), "reduced")
    for part in (
        "360 of 360 networks were trained, of 5 seeds, 5 methods, 6 sizes and their learning rates; 346 got to 97 %.",
        "| pruned by activation x gradient: fewer images than scratch, of all sizes | 6/6 | 6/6 (0.61-1.00) | yes |",
        "| pruned at random: fewer images than scratch, of all sizes | 6/6 | 5/6 (0.44-0.97) | open |",
        "| group lasso: fewer images than scratch, of all sizes | 6/6 | 1/6 (0.03-0.56) | no |",
        "| minutes of two cores at most | 10 | 6.1 | yes |",
        "| 30 | above 80.0k | 60.0k | 70.0k | above 90.0k | 50.0k | yes, open, yes | group lasso |",
        "| 50 | 20.0k | 4.0k | 5.0k | 0.0k | 25.0k | yes, yes, no | pruned at random |",
        "Distillation needs fewer images than scratch at 30, 50, 100, 200, 400, 600; than pruned by activation x gradient at 30, 50, "
        "100, 200, 400, 600; than pruned at random at 30; than group lasso at 50, 100, 200, 400, 600.",
        "| 30 | scratch | 0/5 | 30 | above 80.0k | 80.0k | 53.5k | 0.972 (0.970-0.974) | 0.003 |  |",
        "| 100 | group lasso | 5/5 | 96-100 | 25.0k | 25.0k | 14.0k at 87 | 0.972 (0.970-0.974) | 0.003 | 0.005 |",
        "| 4 | 800 | 166.7k | 0.970 | 0.974 |",
        "On the 480 training images that units are scored on",
        "| attribution | Pearson | Pearson of logarithms | Spearman | with a 0, of hidden units |",
        "| first order | 0.62 (0.60-0.64) | 0.80 (0.80) | not defined | 0-12 of 800 |",
        "| activation x gradient | 0.70 (0.70) | -0.25 (-0.25) | 0.95 (0.95) | 0 of 800 |",
        "0.20 hours of one core.",
    ):
        assert part in summary, part


def test_the_summary_of_a_part_says_what_was_not_run() -> None:
    rows = [row for row in fake_rows() if row["asked"] == 50 and row["method"] != "random"]
    summary = even_summary(rows, "reduced")
    assert "| pruned by activation x gradient: fewer images than scratch, of all sizes | 6/6 | 1/1 (0.21-1.00) | open |" in summary
    assert "| pruned at random: fewer images than scratch, of all sizes | 6/6 | not run | not run |" in summary
    assert "| 50 | 20.0k | 4.0k | 5.0k | not run | 25.0k | yes, not run, no | open |" in summary
    assert "minutes of two cores" not in even_summary([], "full")
    assert "| first order | not run |  |  |  |\n| activation x gradient | not run |  |  |  |\n\n## Time" in even_summary([], "full")


def test_the_figure_has_a_line_for_each_method() -> None:
    ax = frontier_figure(fake_rows(), "reduced")
    lines = {line.get_gid(): line for line in ax.lines if line.get_gid() in METHODS}
    assert list(lines) == list(METHODS)
    assert lines["activation-gradient"].get_xdata().tolist() == [30, 50, 100, 200, 400, 600]
    assert lines["activation-gradient"].get_ydata().tolist() == [70_020, *[5_020] * 5]
    assert lines["group-lasso"].get_xdata().tolist() == [28, 48, 98, 198, 398, 598]
    points = [line for line in ax.lines if line.get_gid() == "point"]
    assert len(points) == 30
    assert [point.get_markerfacecolor() == "white" for point in points[::6]] == [True, False, False, True, False]
    assert len(ax.collections) == 5
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (20_000, 80_040)
    published = [line for line in ax.lines if line.get_gid() == "published"]
    assert published[0].get_xdata().tolist() == [30, 50, 100, 160, 280, 400, 600]
    (legend,) = ax.figure.legends
    assert [text.get_text() for text in legend.get_texts()][-2:] == ["published", "lower bound: some seeds failed"]
    check_texts(ax.figure)


def test_the_figure_of_attribution_is_of_the_first_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    agreement_scatter = even_report_module.agreement_scatter
    monkeypatch.setattr(even_report_module, "agreement_scatter", lambda *a, **b: drawn.append(agreement_scatter(*a, **b)) or drawn[0])
    files = even_report(fake_rows(), lambda name: None, protocol="reduced")
    names = {"curves.csv", "summary.md", *(f"{name}.{kind}" for name in ("frontier", "attribution") for kind in ("svg", "png"))}
    assert set(files) == names
    (ax,) = drawn
    points = {part.get_gid(): part.get_offsets().tolist() for part in ax.collections}
    assert points == {"first order": [[0.01, 0.1]] * 799, "activation x gradient": [[0.02, 0.1]] * 800}
    assert ax.get_title(loc="left") == "Even digits: the first teacher"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("attribution, nats", "ablation, nats")
    check_texts(ax.figure)
    assert files["attribution.svg"] != files["frontier.svg"]
