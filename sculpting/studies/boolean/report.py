"""The Boolean study in words and pictures: what had to be reached, every task, held-out tasks apart, and the time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...store import Row
from ...tasks import boolean_tasks
from ..common.success_rates import LENIENT, NOT_RUN, STRICT, answers_of, rate_of, table
from .cells import shapes, study_hours
from .figures import FIGURES
from .published import OVERLAP_FAMILIES, OVERLAP_RATES, RIGHT_MEMBERS, TUNING_TASKS, USES, layers, published_count, task_name
from .targets import floor_table

__all__ = ["boolean_summary", "write_boolean_report"]

TASKS = tuple(str(list(key)) for key in boolean_tasks())
OTHERS = (("sparsest", 4), ("consensus", 1), ("sparsest", 1))
RESULTS = (
    "consensus of 4 seeds, strict",
    "95 % interval",
    "counting valid",
    *(f"{rule} of {seeds}, strict / counting valid" for rule, seeds in OTHERS),
)
MEANING = (
    "One setting and one rule for all tasks. An answer is the consensus of the candidates of four seeds; at each depth a task has one for "
    "each width and each group of seeds. *Strict*: every module of the truth at that depth was found, with its inputs and outputs, and "
    "nothing else. *Counting valid*: or another valid decomposition of the function. No rule looks at the truth, and no answer is the best "
    "of several. Intervals are Wilson's."
)
FLOOR_NOTE = (
    "The floor holds for the figure in bold. For overlap, *strict* means that the inputs, or the outputs, are grouped as in the truth. "
    "Published rates count a network as right when any of its tied candidates is, with a setting for each task, width and depth. "
    "*Open*: what was run neither reaches the floor nor rules it out."
)
TASK_NOTE = (
    "Published, where it is known of a task and depth: networks right in all modules. With one hidden layer the truth of `[4,1,2,k]` is "
    "one module, where the published criterion asks for three and so counts none as right: these two are not comparable."
)
OVERLAP_NOTE = (
    "*Inputs* and *outputs*: grouped as in the truth. *Hidden units*: every hidden layer has units of the two modules that hold the "
    "outputs, and of no other. With 3 shared inputs, groups of the right sizes were published as right whatever their members; of the "
    f"released networks {', '.join(str(count) for count, _ in RIGHT_MEMBERS.values())} of 36 have the right ones."
)


def write_boolean_report(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write ``summary.md`` and the figures exemplars, reuse, hierarchy and overlap, each as SVG and PNG; returns the paths.

    Parameters
    ----------
    rows : sequence of dict
        Those of :func:`~sculpting.studies.boolean.cells.boolean_study`; any part of them will do.
    folder : Path
        Files of these names are replaced.
    """
    from analysis.drawing import picture_bytes
    from analysis.files import write_file

    written = [write_file(Path(folder) / "summary.md", boolean_summary(rows).encode())]
    for name, figure in FIGURES.items():
        ax = figure(rows)
        written += [write_file(Path(folder) / f"{name}.{kind}", picture_bytes(ax, kind)) for kind in ("svg", "png")]
    return written


def boolean_summary(rows: Sequence[Row]) -> str:
    """The summary of the Boolean study, as markdown.

    Examples
    --------
    >>> print(boolean_summary([]).splitlines()[2])
    0 of 342 cells (task, width, depth) were run; 0 answers.
    """
    run = len({_cell(row) for row in rows})
    total = sum(len(widths) * len(depths) for widths, depths in map(shapes, boolean_tasks()))
    parts = [
        "# The Boolean study",
        f"{run} of {total} cells (task, width, depth) were run; {len(answers_of(rows, TASKS))} answers.",
        *(MEANING, "## What has to be reached", floor_table(rows), FLOOR_NOTE),
        *("## Every task and depth", _task_table(rows), TASK_NOTE),
        *("## Overlap, all widths and depths", _overlap_table(rows), OVERLAP_NOTE),
        *("## Tuning tasks and held-out tasks", "The default setting was chosen on the tuning tasks alone.", _totals(rows)),
        *("## Time", _time(rows)),
    ]
    return "\n\n".join(parts) + "\n"


def _task_table(rows: Sequence[Row]) -> str:
    lines = []
    for key in boolean_tasks():
        task = str(list(key))
        mine = [row for row in rows if row["task"] == task]
        for depth in shapes(key)[1]:
            count = published_count(task, depth)
            published = f"{count[0]}/{count[1]}" if count else ""
            lines.append([_short(task), _kind(task), str(depth), published, *_results(mine, (task,), depth)])
    return table(["task", "", "hidden layers", "published", *RESULTS], lines)


def _results(rows: Sequence[Row], tasks: Sequence[str], depth: int | None = None) -> list[str]:
    """The cells under ``RESULTS``."""
    answers = answers_of(rows, tasks, depth)
    strict = rate_of(answers, STRICT)
    interval = "{:.2f}-{:.2f}".format(*strict.interval) if strict else ""
    beside = (answers_of(rows, tasks, depth, rule=rule, seeds=seeds) for rule, seeds in OTHERS)
    others = (f"{rate_of(some, STRICT)} / {rate_of(some, LENIENT)}" if some else NOT_RUN for some in beside)
    return [str(strict or NOT_RUN), interval, str(rate_of(answers, LENIENT) or NOT_RUN), *others]


def _kind(task: str) -> str:
    return "tuning" if task in TUNING_TASKS else "held out"


def _short(task: str) -> str:
    return f"`{task.replace(' ', '')}`"


def _overlap_table(rows: Sequence[Row]) -> str:
    lines = []
    for overlap, family in enumerate(OVERLAP_FAMILIES):
        for use in USES:
            answers = answers_of(rows, (task_name(family, use),))
            cells = [str(rate_of(answers, (verdict,)) or NOT_RUN) for verdict in OVERLAP_RATES]
            published = ["{}/{}".format(*rates[overlap][use]) for rates in OVERLAP_RATES.values()]
            lines.append([str(overlap), str(use), *(text for pair in zip(cells, published, strict=True) for text in pair)])
    return table(["shared inputs", "use", *(text for what in ("inputs", "outputs", "hidden units") for text in (what, "published"))], lines)


def _totals(rows: Sequence[Row]) -> str:
    groups = {kind: [task for task in TASKS if _kind(task) == kind] for kind in ("tuning", "held out")}
    lines = [[f"{kind}, {len(tasks)} tasks", *_results(rows, tasks)] for kind, tasks in {**groups, "all": TASKS}.items()]
    return table(["", *RESULTS], lines)


def _cell(row: Row) -> tuple[str, int, int]:
    return row["task"], row["width"], row["depth"]


def _time(rows: Sequence[Row]) -> str:
    seconds: dict[tuple[str, int, int], float] = {}
    for row in answers_of(rows, TASKS):
        seconds[_cell(row)] = seconds.get(_cell(row), 0.0) + row["seconds"]
    if not seconds:
        return "Nothing was run."
    task, width, depth = longest = max(seconds, key=seconds.__getitem__)
    return (
        f"{study_hours(rows):.2f} hours of one core for {len(seconds)} cells, {sum(seconds.values()) / len(seconds):.1f} s in the mean. "
        f"The longest, {_short(task)} with {layers(depth)} of {width} units, took {seconds[longest]:.1f} s."
    )
