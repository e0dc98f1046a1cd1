"""The study of other methods in words and a figure: every method beside the pipeline of this library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import mean, median
from typing import TYPE_CHECKING

from ...store import Row
from ...study import Read
from ..common.reporting import pictures, with_interval
from ..common.settings import SEEDS
from ..common.success_rates import LENIENT, NOT_RUN, STRICT, rate_of, table
from .cells import KINDS
from .methods import METHODS, OURS, setting_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["chosen_settings", "other_report", "other_summary"]

WORDS = ("exact", "coarser", "finer", "valid", "mixed", "wrong", "none")
NAMES = {
    "tuning": "Boolean, tuning",
    "held-out": "Boolean, held out",
    "functions": "functions",
    "digits": "two digits and their XOR",
}
MEANING = (
    "Every network is of one seed; *four seeds* is the consensus of four. In each field: networks whose modules are all those of the truth "
    "and no others, with Wilson's 95 % interval; those or another valid decomposition; the median score of `compare`; the median seconds "
    "a network. The four networks of a task are not independent, so that intervals are rather too narrow."
)
DETAILS = (
    "Held-out Boolean tasks and functions, networks of one seed. *Inputs*, *outputs*: grouped as in the truth. *Computes*: networks that "
    "have all rows right. Edges and accuracy are medians; those of dense networks are all their weights."
)
PAIRED = (
    "In how many tasks more of the four networks of ours are right, and fewer; the rest is equal. *p*: of a two-sided sign test over the "
    "tasks, so that networks of one task count once."
)
TUNING = "The mean score over the six tuning tasks and four seeds, of each setting that was tried. The best was used everywhere else."


def other_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md`` and the figure ``methods`` as SVG and PNG."""
    return {"summary.md": other_summary(rows).encode(), **pictures(methods=_figure(rows))}


def other_summary(rows: Sequence[Row]) -> str:
    """The summary of the study, as markdown.

    Examples
    --------
    >>> other_summary([]).splitlines()[2]
    '0 tasks.'
    """
    used = _used(rows)
    tasks = {(row["kind"], str(row["task"])) for row in used}
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in used)]
    parts = [
        *("# Other ways to find structure", f"{len(tasks)} tasks.", MEANING),
        table(["", *(NAMES[kind] for kind in kinds)], _main_lines(used, kinds)),
        *("## What is found", DETAILS, table(DETAIL_HEADER, _detail_lines(used))),
        *("## Task by task", PAIRED, table(PAIRED_HEADER, _paired_lines(used))),
        *("## Settings", TUNING, table(["method", "setting", "mean score", "chosen"], _tuning_lines(rows))),
    ]
    return "\n\n".join(parts) + "\n"


def chosen_settings(rows: Sequence[Row]) -> dict[str, str]:
    """The setting of each method with the best mean score over the rows of tuning, of equal ones the first."""
    chosen = {OURS: "default"}
    for name, method in METHODS.items():
        means = {text: value for text in map(setting_text, method.settings) if (value := _tuned(rows, name, text)) is not None}
        if means:
            chosen[name] = max(means, key=lambda text: means[text])
    return chosen


def _tuned(rows: Sequence[Row], name: str, setting: str) -> float | None:
    scores = [row["score"] for row in rows if (row["kind"], row["method"], row["setting"]) == (KINDS[0], name, setting) and _of_seed(row)]
    return mean(scores) if scores else None


def _used(rows: Sequence[Row]) -> list[Row]:
    """The rows of the settings that were chosen."""
    chosen = chosen_settings(rows)
    return [row for row in rows if row["setting"] == chosen.get(row["method"])]


def _of_seed(row: Row) -> bool:
    return int(row["seeds"]) == 1


def _main_lines(used: Sequence[Row], kinds: Sequence[str]) -> list[list[str]]:
    lines = []
    for name in (OURS, *METHODS):
        for seeds, words in ((1, name), (SEEDS, f"{name}: four seeds")):
            mine = [row for row in used if row["method"] == name and row["seeds"] == seeds]
            if mine:
                lines.append([words, *(_field([row for row in mine if row["kind"] == kind]) for kind in kinds)])
    return lines


def _field(rows: Sequence[Row]) -> str:
    """Right networks, valid ones, the median score and the median seconds."""
    if not rows:
        return NOT_RUN
    scores = [row["score"] for row in rows if row["score"] is not None]
    parts = [with_interval(rate_of(rows)), str(rate_of(rows, LENIENT))] if scores else [with_interval(rate_of(rows))]
    parts += [f"{median(scores):.2f}"] if scores else []
    return ", ".join([*parts, f"{median(row['seconds'] for row in rows):.1f} s"])


DETAIL_HEADER = ("method", "networks", *WORDS, "inputs", "outputs", "found modules", "computes", "accuracy", "edges")


def _detail_lines(used: Sequence[Row]) -> list[list[str]]:
    lines = []
    for name in (OURS, *METHODS):
        mine = [row for row in used if row["method"] == name and _of_seed(row) and row["kind"] in KINDS[1:3]]
        if not mine:
            continue
        counts = Counter(row["verdict"] for row in mine)
        sides = [_share([row[side] for row in mine if row[side] is not None]) for side in ("inputs_right", "outputs_right")]
        found = [row for row in mine if row["edges"] is not None]
        middles = [f"{median(row['accuracy'] for row in found):.3f}", f"{median(row['edges'] for row in found):.0f}"]
        computes = f"{sum(row['accuracy'] == 1 for row in found)}/{len(mine)}"
        modules = f"{median(row['modules'] for row in found):.0f}"
        lines.append([name, str(len(mine)), *(str(counts[word]) for word in WORDS), *sides, modules, computes, *middles])
    return lines


PAIRED_HEADER = ("method", *(f"{NAMES[kind]}: {what}" for kind in KINDS[1:3] for what in ("right", "or valid")))


def _paired_lines(used: Sequence[Row]) -> list[list[str]]:
    """For each method in how many tasks ours is better and worse."""
    lines = []
    for name in METHODS:
        fields = [_paired(used, name, kind, verdicts) for kind in KINDS[1:3] for verdicts in (STRICT, LENIENT)]
        if any(field != NOT_RUN for field in fields):
            lines.append([name, *fields])
    return lines


def _paired(used: Sequence[Row], name: str, kind: str, verdicts: Sequence[str]) -> str:
    from scipy.stats import binomtest

    right: dict[str, Counter[str]] = {OURS: Counter(), name: Counter()}
    tasks = set()
    for row in used:
        if row["kind"] == kind and row["method"] in right and _of_seed(row):
            tasks.add(str(row["task"]))
            right[row["method"]][str(row["task"])] += any(row[verdict] for verdict in verdicts)
    if not tasks:
        return NOT_RUN
    better, worse = (sum(right[a][task] > right[b][task] for task in tasks) for a, b in ((OURS, name), (name, OURS)))
    p = binomtest(better, better + worse).pvalue if better + worse else 1.0
    return f"{better} better, {worse} worse, p = {p:.2g}"


def _share(values: Sequence[bool]) -> str:
    return f"{sum(values)}/{len(values)}"


def _tuning_lines(rows: Sequence[Row]) -> list[list[str]]:
    chosen, lines = chosen_settings(rows), []
    for name, method in METHODS.items():
        for text in map(setting_text, method.settings):
            value = _tuned(rows, name, text)
            if value is not None and text:
                lines.append([name, text, f"{value:.3f}", "yes" if text == chosen[name] else ""])
    return lines


def _figure(rows: Sequence[Row]) -> Axes:
    """Bars of networks of one seed by method: all modules right, and valid, of held-out Boolean tasks and of functions."""
    from analysis.figures import success_bars

    used = [row for row in _used(rows) if _of_seed(row)]
    strict, lenient = (
        {
            _wrapped(name): {
                NAMES[kind]: rate_of([row for row in used if (row["method"], row["kind"]) == (name, kind)], verdicts) for kind in KINDS[1:3]
            }
            for name in (OURS, *METHODS)
        }
        for verdicts in (STRICT, LENIENT)
    )
    return success_bars(strict, lenient=lenient, title="All modules of the truth and no others, networks of one seed")


def _wrapped(name: str) -> str:
    """A name of two lines at most."""
    return name.replace(", ", ",\n").replace(" ", "\n", "," not in name)
