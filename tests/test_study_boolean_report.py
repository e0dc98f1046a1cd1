"""The report of the Boolean study, on rows made so that every count is known."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any
from xml.etree import ElementTree

import pytest
from test_figures import check_texts

from sculpting.studies.boolean import published
from sculpting.studies.boolean.cells import shapes
from sculpting.studies.boolean.figures import FIGURES
from sculpting.studies.boolean.report import boolean_report, boolean_summary
from sculpting.tasks import boolean_tasks

VERDICTS = ("inputs_right", "outputs_right", "hidden_right", "modules_right", "exact", "valid")
RULES = (("consensus", 4), ("sparsest", 4), ("consensus", 1), ("sparsest", 1))


def rows_of(
    task: str, depth: int, groups: int = 4, *, rules: tuple[tuple[str, int], ...] = RULES, seconds: float = 1.0, **right: int
) -> list:
    """The rows of a task at one depth, where of the rows of each rule the first ``right[verdict]`` are right, and all by default."""
    family = tuple(json.loads(task)[:-1])
    overlap = published.OVERLAP_FAMILIES.index(family) if family in published.OVERLAP_FAMILIES else None
    common = {"task": task, "use": json.loads(task)[-1] // 2, "overlap": overlap}
    rows: list[dict[str, Any]] = []
    for rule, seeds in rules:
        places = product(shapes(json.loads(task))[0], range(0, 4 * groups, seeds))
        for i, (width, seed) in enumerate(places):
            facts = {"width": width, "depth": depth, "seeds": seeds, "seed": seed, "rule": rule, "density": 0.01, "edges": 15}
            network = {"units": "6-3-3", "accuracy": 1.0, "support": 0.5 if rule == "consensus" else None}
            verdicts = {verdict: i < right.get(verdict, 10**6) for verdict in VERDICTS}
            rows.append({**common, **facts, **network, **verdicts, "seconds": seconds * seeds / (4 * groups)})
    return rows


def everything(**options: Any) -> list:
    return [row for key in boolean_tasks() for depth in shapes(key)[1] for row in rows_of(str(list(key)), depth, **options)]


def cells_under(summary: str, heading: str) -> list[list[str]]:
    """The cells of the table of a section, without its header."""
    section = summary.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in section.splitlines() if line.startswith("|")][2:]


def targets(rows: list) -> dict[str, list[str]]:
    return {line[0]: line[1:] for line in cells_under(boolean_summary(rows), "Targets")}


REUSE = "reuse, use 1, 2, 4, 6, 8, 2 hidden layers"


def reuse(*counts: int, depth: int = 2, **more: Any) -> list:
    tasks = zip(published.USES, counts, strict=True)
    return [row for use, n in tasks for row in rows_of(f"[4, 1, 2, {2 * use}]", depth, modules_right=n, valid=n, exact=n, **more)]


def test_a_target_for_every_group_and_all_are_reached_by_rows_that_are_all_right() -> None:
    lines = targets(everything(rules=RULES[:1]))
    assert list(lines) == [
        "`[4,2,4]`, 1, 2, 3 hidden layers",
        "`[6,3,3,3]`, 1, 2, 3 hidden layers",
        "`[4,1,4]`, 1, 2, 3 hidden layers",
        "`[4,1,2,16]`, 2, 3 hidden layers",
        REUSE,
        "reuse, use 1, 2, 4, 6, 8, 3 hidden layers",
        "hierarchy, use 2, 4, 6, 8, 3 hidden layers",
        "hierarchy, use 2, 4, 6, 8, 4 hidden layers",
        *(f"overlap {o}, {side}, use 1, 2, 4, 6, 8" for o in (0, 1, 2) for side in ("inputs", "outputs")),
        "overlap 3, inputs with the right members, mean over use",
        "overlap 3, outputs, mean over use",
        "overlap 4, outputs, mean over use",
    ]
    assert {line[-1] for line in lines.values()} == {"yes"}
    assert [line[:2] for line in lines.values()] == [
        *[["12, 12, 12 of 12", "12, 12, 12 of 12"]] * 3,
        ["12, 11 of 12", "12, 12 of 12"],
        ["7, 11, 12, 12, 12 of 12", "11, 12, 12, 12, 12 of 12"],
        ["8, 9, 10, 10, 11 of 12", "11, 11, 12, 12, 12 of 12"],
        ["6, 10, 12, 12 of 12", "10, 12, 12, 12 of 12"],
        ["9, 11, 12, 12 of 12", "11, 12, 12, 12 of 12"],
        *[["36, 36, 36, 36, 36 of 36"] * 2] * 2,
        ["35, 36, 36, 36, 36 of 36", "36, 36, 36, 36, 36 of 36"],
        ["36, 36, 36, 36, 36 of 36"] * 2,
        ["33, 36, 36, 36, 36 of 36", "36, 36, 36, 36, 36 of 36"],
        ["35, 36, 36, 36, 36 of 36", "36, 36, 36, 36, 36 of 36"],
        ["127 of 180 (0.71)", "162 of 180 (0.90)"],
        ["117 of 180 (0.65)", "162 of 180 (0.90)"],
        ["77 of 180 (0.43)", "135 of 180 (0.75)"],
    ]


def test_nothing_run_and_nothing_right() -> None:
    assert {tuple(line[2:]) for line in targets([]).values()} == {
        ("not run", "**not run**", "not run"),
        ("**not run**", "not run", "not run"),
    }
    assert {line[-1] for line in targets(everything(rules=RULES[:1], **dict.fromkeys(VERDICTS, 0))).values()} == {"no"}


def test_reuse_counts_valid_decompositions_and_shows_the_strict_figure_beside() -> None:
    rows = rows_of("[4, 1, 2, 2]", 2, modules_right=7, exact=7, valid=11)
    for use in (2, 4, 6, 8):
        rows += rows_of(f"[4, 1, 2, {2 * use}]", 2)
    assert targets(rows)[REUSE][2:] == ["7, 12, 12, 12, 12 of 12", "**11, 12, 12, 12, 12 of 12**", "yes"]
    # One of them is right in its modules and no valid decomposition.
    rows[0]["valid"] = False
    assert targets(rows)[REUSE][2:] == ["7, 12, 12, 12, 12 of 12", "**11, 12, 12, 12, 12 of 12**", "yes"]


def test_an_exemplar_is_strict_whatever_else_is_valid() -> None:
    rows = [row for depth in (1, 2, 3) for row in rows_of("[4, 2, 4]", depth, modules_right=12 - (depth == 2))]
    assert targets(rows)["`[4,2,4]`, 1, 2, 3 hidden layers"][2:] == ["**12, 11, 12 of 12**", "12, 12, 12 of 12", "no: 2 hidden layers"]


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [((11, 12, 12, 12, 12), "yes"), ((10, 12, 12, 12, 12), "no: use 1"), ((12, 11, 12, 12, 11), "no: use 2, use 8")],
)
def test_a_target_of_several_cells_names_those_that_fail(counts: tuple[int, ...], verdict: str) -> None:
    assert targets(reuse(*counts))[REUSE][-1] == verdict


@pytest.mark.parametrize(
    ("overlap", "side", "counts", "verdict"),
    [
        (3, "inputs", (18, 36, 36, 36, 36), "162 of 180 (0.90) yes"),
        (3, "inputs", (17, 36, 36, 36, 36), "161 of 180 (0.89) no"),
        (3, "outputs", (33, 33, 33, 33, 30), "162 of 180 (0.90) yes"),
        (4, "outputs", (27, 27, 27, 27, 27), "135 of 180 (0.75) yes"),
        (4, "outputs", (27, 27, 27, 27, 26), "134 of 180 (0.74) no"),
    ],
)
def test_overlap_is_the_mean_over_use_of_inputs_or_outputs(overlap: int, side: str, counts: tuple[int, ...], verdict: str) -> None:
    rows = []
    for use, count in zip(published.USES, counts, strict=True):
        for depth, part in zip((1, 2, 3), (min(12, count), min(12, max(0, count - 12)), max(0, count - 24)), strict=True):
            verdicts = {**dict.fromkeys(VERDICTS, 0), f"{side}_right": part}
            rows += rows_of(published.task_name(published.OVERLAP_FAMILIES[overlap], use), depth, **verdicts)
    (line,) = [line for group, line in targets(rows).items() if group.startswith(f"overlap {overlap}, {side}")]
    assert f"{line[2].strip('*')} {line[-1]}" == verdict


def test_overlap_of_two_inputs_is_judged_in_every_cell() -> None:
    rows = [row for use in published.USES for depth in (1, 2, 3) for row in rows_of(f"[6, 3, 2, {2 * use}]", depth)]
    next(row for row in rows if row["task"] == "[6, 3, 2, 8]")["outputs_right"] = False
    lines = targets(rows)
    assert lines["overlap 2, inputs, use 1, 2, 4, 6, 8"][2] == "**36, 36, 36, 36, 36 of 36**"
    assert lines["overlap 2, outputs, use 1, 2, 4, 6, 8"][2:] == ["**36, 36, 35, 36, 36 of 36**", "36, 36, 36, 36, 36 of 36", "no: use 4"]


def test_parts_of_a_study_are_open_until_the_verdict_is_certain() -> None:
    def verdict(right: int, groups: int) -> str:
        return targets(rows_of("[4, 1, 2, 2]", 2, groups, modules_right=right, valid=right) + reuse(12, 12, 12, 12, 12)[120:])[REUSE][-1]

    assert verdict(9, 3) == "open: use 1"  # 9 of 9; 12 could still fail
    assert verdict(8, 3) == "open: use 1"  # 8 of 9 and then 3 of 3 would do
    assert verdict(7, 3) == "no: use 1"
    assert verdict(11, 4) == "yes"
    assert verdict(14, 5) == "yes"  # more groups than asked for: 14 of 15 is at least 11 of 12
    assert verdict(13, 5) == "no: use 1"
    partly = rows_of("[4, 1, 2, 2]", 2, 3, modules_right=8, valid=8) + rows_of("[4, 1, 2, 4]", 2, 1, modules_right=2, valid=2)
    assert targets(partly)[REUSE][2:] == [
        "8/9, 2/3, not run, not run, not run",
        "**8/9, 2/3, not run, not run, not run**",
        "no: use 2; open: use 1; not run: use 4, use 6, use 8",
    ]
    enough = [row for use in (1, 2, 4, 6) for depth in (1, 2, 3) for row in rows_of(f"[4, 1, 2, 2, {2 * use}]", depth)]
    assert targets(enough)["overlap 4, outputs, mean over use"][2:] == ["**144 of 144 (1.00)**", "144 of 144 (1.00)", "yes"]
    assert targets(rows_of("[4, 1, 2, 2]", 2, rules=(("sparsest", 4), ("consensus", 1))))[REUSE][-1] == "not run"


def test_every_task_with_all_rules_and_the_interval() -> None:
    rows = []
    for rule, right in zip(RULES, (9, 6, 24, 12), strict=True):
        rows += rows_of("[4, 1, 2, 2]", 3, rules=(rule,), modules_right=right, exact=right, valid=right + 1)
    lines = cells_under(boolean_summary(rows), "Every task and depth")
    assert len(lines) == 38 * 3
    # p = 3/4 of n = 12, z^2 = 3.84146: centre (0.75 + 0.16006) / 1.32012 = 0.68938, half width
    # 1.95996 / 1.32012 * sqrt(0.015625 + 0.0066692) = 0.22168.
    row = ["`[4,1,2,2]`", "held out", "3", "8/12", "9/12", "0.47-0.91", "10/12", "6/12 / 7/12", "24/48 / 25/48", "12/48 / 13/48"]
    assert row in lines
    assert ["`[8,2,2]`", "held out", "1", "", "not run", "", "not run", *["not run"] * 3] in lines
    assert {line[0] for line in lines if line[1] == "tuning"} == {task.join("``").replace(" ", "") for task in published.TUNING_TASKS}


def test_totals_part_tuning_tasks_from_the_rest() -> None:
    rows = rows_of("[4, 2, 4]", 1) + rows_of("[4, 2, 4]", 2, modules_right=10) + rows_of("[8, 2, 2]", 1, modules_right=3, valid=5)
    tuning, held, both = cells_under(boolean_summary(rows), "Tuning tasks and held-out tasks")
    assert tuning[:5] == ["tuning, 6 tasks", "22/24", "0.74-0.98", "24/24", "22/24 / 24/24"]
    assert held == ["held out, 32 tasks", "3/12", "0.09-0.53", "5/12", "3/12 / 5/12", "3/48 / 5/48", "3/48 / 5/48"]
    assert both[:2] == ["all, 38 tasks", "25/36"]
    assert boolean_summary(rows).splitlines()[2] == "9 of 342 cells (task, width, depth) were run; 36 results."


def test_overlap_beside_the_published_rates() -> None:
    verdicts = {"inputs_right": 11, "outputs_right": 9, "hidden_right": 2}
    rows = [row for depth in (1, 2, 3) for row in rows_of("[5, 3, 2, 16]", depth, **verdicts)]
    lines = cells_under(boolean_summary(rows), "Overlap, all widths and depths")
    assert len(lines) == 25
    assert lines[19] == ["3", "8", "33/36", "31/36", "27/36", "26/36", "6/36", "2/36"]
    assert lines[0] == ["0", "1", *["not run", "36/36"] * 3]


def test_the_time_is_counted_once() -> None:
    rows = rows_of("[4, 2, 4]", 1, seconds=1800) + rows_of("[6, 3, 3, 3]", 3, seconds=600)
    assert "2.00 hours of one core for 6 cells, 1200.0 s in the mean. The longest, `[4,2,4]` with 1 hidden layer of " in boolean_summary(
        rows
    )
    assert "units, took 1800.0 s." in boolean_summary(rows)
    assert "Nothing was run." in boolean_summary([])


def test_published_counts_are_the_printed_rates() -> None:
    printed = {
        ("inputs_right", 1): (0.97, 1, 1, 1, 1),
        ("inputs_right", 2): (0.92, 1, 1, 1, 1),
        ("outputs_right", 2): (0.97, 1, 1, 1, 1),
        ("inputs_right", 3): (0.64, 0.72, 0.78, 0.89, 0.86),
        ("outputs_right", 3): (0.58, 0.58, 0.69, 0.67, 0.72),
        ("hidden_right", 3): (0, 0, 0.03, 0.06, 0.06),
        ("inputs_right", 4): (0.94, 0.94, 1, 1, 0.89),
        ("outputs_right", 4): (0.25, 0.31, 0.44, 0.53, 0.61),
        ("hidden_right", 4): (0, 0, 0.06, 0.17, 0.17),
    }
    for verdict, rates in published.OVERLAP_RATES.items():
        for overlap, counts in rates.items():
            fractions = tuple(round(successes / total, 2) for successes, total in counts.values())
            assert fractions == printed.get((verdict, overlap), (1, 1, 1, 1, 1))
    names = {str(list(key)) for key in boolean_tasks()}
    assert {task for target in published.TARGETS for cell in target.cells for task in cell.tasks} < names
    assert set(published.EXEMPLAR_RATES) | set(published.TUNING_TASKS) < names
    assert published.published_count("[4, 1, 2, 16]", 3) == published.REUSE_RATES[3][8] == published.EXEMPLAR_RATES["[4, 1, 2, 16]"][3]
    assert published.published_count("[8, 2, 1, 2, 4]", 3) == (6, 12)
    assert published.published_count("[8, 2, 1, 2, 2]", 3) is None
    assert all(cell.least >= cell.published for target in published.TARGETS for cell in target.cells)


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_bars_stand_for_the_counts() -> None:
    rows = rows_of("[4, 1, 2, 2]", 2, modules_right=6, exact=6, valid=9) + rows_of("[4, 1, 2, 16]", 3, modules_right=0, valid=0)
    ax = FIGURES["reuse"](rows)
    assert texts(ax)[1:16] == ["–", "6/12", "–", *["–"] * 11, "0/12"]
    assert texts(ax)[17:32] == ["–", "9/12", "–", *["–"] * 11, "0/12"]
    assert texts(ax)[33:48] == [f"{n}/12" for n in (0, 7, 8, 0, 11, 9, 0, 12, 10, 0, 12, 10, 0, 12, 11)]
    assert [bar.get_height() for bar in ax.patches] == [0.5, 0.25, 0.0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "4", "6", "8"]
    assert [t.get_text() for t in ax.get_legend().get_texts()][:3] == ["1 hidden layer", "2 hidden layers", "3 hidden layers"]
    exemplars = FIGURES["exemplars"](rows)
    assert "reused\n[4,1,2,16]" in [label.get_text() for label in exemplars.get_xticklabels()]
    assert texts(exemplars)[1:13] == [*["–"] * 5, "0/12", *["–"] * 6]
    hierarchy = FIGURES["hierarchy"](rows_of("[8, 2, 1, 2, 4]", 4, modules_right=7))
    assert texts(hierarchy)[1:16] == [*["–"] * 5, "7/12", *["–"] * 9]
    counts = ((12, 6, 9), (12, 10, 11), (12, 12, 12), (10, 12, 12))
    assert texts(hierarchy)[33:48] == [*["–"] * 3, *(f"{n}/12" for use in counts for n in use)]


def test_maps_pool_widths_and_depths() -> None:
    rows = [row for depth in (1, 2, 3) for row in rows_of("[4, 1, 2, 2, 4]", depth, inputs_right=12, outputs_right=6, hidden_right=1)]
    figure = FIGURES["overlap"](rows).figure
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "Inputs in their groups",
        "Outputs in their groups",
        "Hidden units in two modules",
    ]
    for ax, ours in zip(
        figure.axes, (["1.00", "36/36", "publ. 0.94"], ["0.50", "18/36", "publ. 0.31"], ["0.08", "3/36", "publ. 0.00"]), strict=True
    ):
        assert texts(ax)[-9:-6] == ours[:3]
        assert len(texts(ax)) == 25 * 2 + 1
        assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("name", FIGURES)
def test_texts_of_the_figures_stay_apart(name: str) -> None:
    check_texts(FIGURES[name](everything(groups=1, rules=RULES[:1])).figure)


@pytest.mark.slow
def test_files_are_pictures_and_the_same_twice() -> None:
    rows = rows_of("[4, 1, 2, 2]", 2, modules_right=6) + rows_of("[8, 2, 4]", 1)
    files = boolean_report(rows, lambda name: None)
    assert list(files) == [
        "summary.md",
        *(f"{name}.{kind}" for name in ("exemplars", "reuse", "hierarchy", "overlap") for kind in ("svg", "png")),
    ]
    assert files["summary.md"].decode() == boolean_summary(rows)
    for name, content in files.items():
        if name.endswith(".png"):
            assert content.startswith(b"\x89PNG\r\n\x1a\n")
        elif name.endswith(".svg"):
            assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
            assert re.search(r"<text[^>]*>.*12/12|<text[^>]*>.*36/36|<text[^>]*>.*publ", content.decode())
    assert boolean_report(rows, lambda name: None) == files
