"""What the published Boolean study reached, and the targets of this one with a single setting: plain counts.

Source: the figures of success rates that Patil, Michael and Dovrolis (NeurIPS 2023) released with their code. Bars stand for 12
networks (three widths, four seeds), cells of the heat maps for 36 (three depths as well); bars were read to the nearest twelfth, and
printed values of two digits to the nearest thirty-sixth. Detecting the modules of the released networks again confirms all but a few.
A network counts there as right when any of several equally sparse candidates is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..common.success_rates import Count, layers

__all__ = [
    "EXEMPLAR_RATES", "HIERARCHY", "HIERARCHY_RATES", "OVERLAP_FAMILIES", "OVERLAP_RATES", "REUSE", "REUSE_RATES", "RIGHT_MEMBERS",
    "TARGETS", "TUNING_TASKS", "USES", "Target", "TargetCell", "published_count", "task_name",
]  # fmt: skip

USES = (1, 2, 4, 6, 8)  # outputs that copy one function; tasks have twice as many outputs
TUNING_TASKS = ("[4, 2, 4]", "[6, 3, 3, 3]", "[4, 1, 4]", "[4, 1, 2, 16]", "[8, 2, 1, 2, 4]", "[6, 3, 2, 4]")
REUSE, HIERARCHY = (4, 1, 2), (8, 2, 1, 2)
OVERLAP_FAMILIES = ((8, 2), (7, 3, 2), (6, 3, 2), (5, 3, 2), (4, 1, 2, 2))  # with 0, 1, ... 4 inputs that both functions read


def task_name(family: Sequence[int], use: int) -> str:
    """The name of the task of a family in which ``use`` outputs copy one function.

    Examples
    --------
    >>> task_name((4, 1, 2), 8)
    '[4, 1, 2, 16]'
    """
    return str([*family, 2 * use])


def _of(total: int, *successes: int) -> dict[int, Count]:
    return {use: (count, total) for use, count in zip(USES, successes, strict=True)}


# By task, then by hidden layers.
EXEMPLAR_RATES: dict[str, dict[int, Count]] = {
    "[4, 2, 4]": dict.fromkeys((1, 2, 3), (12, 12)),
    "[4, 1, 2, 16]": {1: (0, 12), 2: (12, 12), 3: (11, 12)},
    "[6, 3, 3, 3]": dict.fromkeys((1, 2, 3), (12, 12)),
    "[4, 1, 4]": dict.fromkeys((1, 2, 3), (12, 12)),
}
# By hidden layers, then by use. With one hidden layer the reused functions cannot be apart from the outputs, which was counted as failure.
REUSE_RATES: dict[int, dict[int, Count]] = {
    1: _of(12, 0, 0, 0, 0, 0),
    2: _of(12, 7, 11, 12, 12, 12),
    3: _of(12, 8, 9, 10, 10, 11),
}
# The figure leaves out use 1.
HIERARCHY_RATES: dict[int, dict[int, Count]] = {
    2: {2: (12, 12), 4: (12, 12), 6: (12, 12), 8: (10, 12)},
    3: {2: (6, 12), 4: (10, 12), 6: (12, 12), 8: (12, 12)},
    4: {2: (9, 12), 4: (11, 12), 6: (12, 12), 8: (12, 12)},
}
# By column of the study's rows, then by overlap and use.
OVERLAP_RATES: dict[str, dict[int, dict[int, Count]]] = {
    "inputs_right": {
        0: _of(36, 36, 36, 36, 36, 36),
        1: _of(36, 35, 36, 36, 36, 36),
        2: _of(36, 33, 36, 36, 36, 36),
        3: _of(36, 23, 26, 28, 32, 31),
        4: _of(36, 34, 34, 36, 36, 32),
    },
    "outputs_right": {
        0: _of(36, 36, 36, 36, 36, 36),
        1: _of(36, 36, 36, 36, 36, 36),
        2: _of(36, 35, 36, 36, 36, 36),
        3: _of(36, 21, 21, 25, 24, 26),
        4: _of(36, 9, 11, 16, 19, 22),
    },
    "hidden_right": {
        0: _of(36, 36, 36, 36, 36, 36),
        1: _of(36, 36, 36, 36, 36, 36),
        2: _of(36, 36, 36, 36, 36, 36),
        3: _of(36, 0, 0, 1, 2, 2),
        4: _of(36, 0, 0, 2, 6, 6),
    },
}
# At overlap 3 groups of inputs counted as right by their sizes alone. The released networks whose groups have the right members:
RIGHT_MEMBERS: dict[int, Count] = _of(36, 19, 21, 25, 31, 31)


def published_count(task: str, depth: int) -> Count | None:
    """How many networks of a task and depth were right in all modules, where that was published.

    Examples
    --------
    >>> published_count("[8, 2, 1, 2, 16]", 2), published_count("[8, 2, 4]", 2)
    ((10, 12), None)
    """
    families = ((REUSE, REUSE_RATES), (HIERARCHY, HIERARCHY_RATES))
    by_use = {task_name(family, use): counts[use] for family, rates in families for use in USES if use in (counts := rates.get(depth, {}))}
    return EXEMPLAR_RATES.get(task, {}).get(depth) or by_use.get(task)


@dataclass(frozen=True)
class TargetCell:
    """One count to reach, of the rows of ``tasks``, at one depth or at all of them."""

    name: str
    tasks: tuple[str, ...]
    depth: int | None
    published: Count
    least: Count


@dataclass(frozen=True)
class Target:
    """A line of the table of targets.

    ``verdict`` is the column that says what is right; with ``lenient``, other valid decompositions count as well.
    """

    group: str
    verdict: str
    lenient: bool
    cells: tuple[TargetCell, ...]


def _depths(task: str, depths: Sequence[int], least: int) -> Target:
    cells = (TargetCell(layers(d), (task,), d, EXEMPLAR_RATES[task][d], (least, 12)) for d in depths)
    return Target(f"`{task.replace(' ', '')}`, {', '.join(map(str, depths))} hidden layers", "modules_right", False, tuple(cells))


def _uses(what: str, family: Sequence[int], depth: int, published: dict[int, Count], least: Sequence[int]) -> Target:
    cells = (
        TargetCell(f"use {use}", (task_name(family, use),), depth, count, (successes, 12))
        for (use, count), successes in zip(published.items(), least, strict=True)
    )
    return Target(f"{what}, use {', '.join(map(str, published))}, {layers(depth)}", "modules_right", True, tuple(cells))


def _every_use(overlap: int, side: str) -> Target:
    family, published = OVERLAP_FAMILIES[overlap], OVERLAP_RATES[f"{side}_right"][overlap]
    cells = (TargetCell(f"use {use}", (task_name(family, use),), None, published[use], (36, 36)) for use in USES)
    return Target(f"overlap {overlap}, {side}, use {', '.join(map(str, USES))}", f"{side}_right", False, tuple(cells))


def _mean_use(what: str, overlap: int, side: str, published: dict[int, Count], least: Count) -> Target:
    tasks = tuple(task_name(OVERLAP_FAMILIES[overlap], use) for use in USES)
    # Every use has as many networks, so that the mean over use is the rate of all of them.
    successes, total = map(sum, zip(*published.values(), strict=True))
    cell = TargetCell("all uses", tasks, None, (successes, total), least)
    return Target(f"overlap {overlap}, {what}, mean over use", f"{side}_right", False, (cell,))


TARGETS: tuple[Target, ...] = (
    *(_depths(task, (1, 2, 3), 12) for task in ("[4, 2, 4]", "[6, 3, 3, 3]", "[4, 1, 4]")),
    _depths("[4, 1, 2, 16]", (2, 3), 12),
    _uses("reuse", REUSE, 2, REUSE_RATES[2], (11, 12, 12, 12, 12)),
    _uses("reuse", REUSE, 3, REUSE_RATES[3], (11, 11, 12, 12, 12)),
    _uses("hierarchy", HIERARCHY, 3, HIERARCHY_RATES[3], (10, 12, 12, 12)),
    _uses("hierarchy", HIERARCHY, 4, HIERARCHY_RATES[4], (11, 12, 12, 12)),
    *(_every_use(overlap, side) for overlap in (0, 1, 2) for side in ("inputs", "outputs")),
    _mean_use("inputs with the right members", 3, "inputs", RIGHT_MEMBERS, (162, 180)),
    _mean_use("outputs", 3, "outputs", OVERLAP_RATES["outputs_right"][3], (162, 180)),
    _mean_use("outputs", 4, "outputs", OVERLAP_RATES["outputs_right"][4], (135, 180)),
)
