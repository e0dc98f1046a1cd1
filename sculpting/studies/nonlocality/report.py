"""The study of nonlocality in words: targets, accuracies by sparsity, and how attribution agrees with ablation."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from ...store import Row
from ...study import Read
from ..common.agreement import AGREEMENT_HEADER, KINDS, PUBLISHED_AGREEMENT, WHAT_SCORES_ARE, agreement_line, mean_and_range
from ..common.reporting import hours, pictures, spread, with_interval
from ..common.success_rates import NOT_RUN, reached, table
from .cells import NETWORKS, SEEDS, SIZES
from .drawing import (
    COLUMNS,
    NAMES,
    accuracy_figure,
    attribution_figure,
    network_figure,
    rows_of,
    score_figure,
)
from .published import BESIDE, CHANCE, GONE, KEPT, KEPT_UNTIL, MINUTES, PUBLISHED, RECOVERED, REVIVED, REVIVED_AT

__all__ = ["nonlocality_report", "nonlocality_summary"]

TARGET_HEADER = ("width", "network", "what", "target", "ours", "reached?")
FULL_HEADER = ("width", "published, median", "published, range", "ours, median", "ours, range", "within 0.05?")
HEADER = ("width", "network", "sparsity", "units left", *COLUMNS.values())
MEANING = (
    "Networks learn parities and two sums of them, A and B. Units with the least ablation scores on A are removed in one shot, of both "
    "hidden layers together. *Pruned*: without training; *recovered*: after training on A alone; *revived*: after training on B alone. "
    "Accuracies are on rows that decide nothing, mean and range over seeds; 0.5 is chance. Intervals are Wilson's."
)
AGREEMENT = (
    "Scores of A of every hidden unit before any is removed, on the same rows, both layers together; mean and range over seeds. "
    f"{WHAT_SCORES_ARE} What the subgradient leaves of unneeded units scores next to nothing: there, logarithms tell these from the needed "
    f"ones more than they order the needed. {PUBLISHED_AGREEMENT}"
)


def nonlocality_report(rows: Sequence[Row], read: Read, *, size: str) -> dict[str, bytes]:
    """``summary.md`` and the figures ``accuracy``, ``attribution``, ``scores`` and ``networks`` as SVG and PNG.

    Rows have their ``scores`` and ``attributions``, and ``read`` has the networks of the first seed.
    """
    figures = {
        "accuracy": accuracy_figure(rows),
        "attribution": attribution_figure(rows),
        "scores": score_figure(rows, size),
        "networks": network_figure(rows, read, size),
    }
    axes = {name: figure.axes[0] for name, figure in figures.items()}
    return {"summary.md": nonlocality_summary(rows, size).encode(), **pictures(**axes)}


def nonlocality_summary(rows: Sequence[Row], size: str) -> str:
    """The summary of the study of nonlocality, as markdown.

    Examples
    --------
    >>> print(nonlocality_summary([], "reduced").splitlines()[2])
    0 networks were trained: m = 4 parities of k = 3 bits, A and B the sums of two.
    """
    known = SIZES[size]
    done = len({(row["width"], row["seed"]) for row in rows})
    halves = {4: "two", 6: "three"}.get(known.m, str(known.m // 2))
    counts = f"{done} networks were trained: m = {known.m} parities of k = {known.k} bits, A and B the sums of {halves}."
    targets = table(TARGET_HEADER, [*_targets(rows, known.widths[0]), _time(rows)])
    if size == "full":
        targets = table(FULL_HEADER, [_beside(rows, width) for width in known.widths])
    lines = [line for width in known.widths for network in NETWORKS for line in _lines(rows, width, network, _shown(known.sparsities))]
    agreement = [_agreement(rows, width, network, kind) for width in known.widths for network in NETWORKS for kind in KINDS]
    parts = ["# Pruning and nonlocality", counts, MEANING, "## Targets", targets, "## Accuracies", table(HEADER, lines)]
    parts += ["## Attribution against ablation", AGREEMENT, table(("width", "network", *AGREEMENT_HEADER), agreement)]
    return "\n\n".join([*parts, "## Time", f"{hours(rows)}."]) + "\n"


def _shown(sparsities: Sequence[float]) -> Sequence[float]:
    """All of few, and of many each tenth and the last."""
    return sparsities if len(sparsities) <= 10 else [*sparsities[9::10], sparsities[-1]]


def _targets(rows: Sequence[Row], width: int) -> list[list[str]]:
    """A line for each target of the reduced study."""
    comes_back = f"B comes back to at least {REVIVED:g} at sparsity {REVIVED_AT:g}"
    stays = f"A is at least {KEPT:g} without recovery up to sparsity {KEPT_UNTIL:g}"
    gone = f"B stays within {GONE:g} of {CHANCE:g}, revived, at every sparsity"
    lines = [_target(rows, width, "plain", comes_back, lambda row: row["sparsity"] != REVIVED_AT or row["b_revived"] >= REVIVED)]
    for network, lasso in NETWORKS.items():
        if lasso is not None:
            lines += [
                _target(rows, width, network, stays, lambda row: row["sparsity"] > KEPT_UNTIL or row["a_pruned"] >= KEPT),
                _target(rows, width, network, gone, lambda row: abs(row["b_revived"] - CHANCE) <= GONE),
            ]
    return lines


def _target(rows: Sequence[Row], width: int, network: str, what: str, right: Callable[[Row], bool]) -> list[str]:
    """A line: of how many seeds every row is right."""
    from analysis import Rate

    verdicts = {
        seed: all(right(row) for row in rows_of(rows, width, network) if row["seed"] == seed)
        for seed in dict.fromkeys(row["seed"] for row in rows_of(rows, width, network))
    }
    seeds = len(verdicts)
    rate, target = Rate(sum(verdicts.values()), seeds) if seeds else None, Rate(seeds or SEEDS, seeds or SEEDS)
    return [str(width), NAMES[network], what, str(target), with_interval(rate), reached(rate, target)]


def _time(rows: Sequence[Row]) -> list[str]:
    minutes = sum(row["seconds"] for row in rows) / 120
    ours = [f"{minutes:.1f}", "yes" if minutes <= MINUTES else "no"] if rows else [NOT_RUN, NOT_RUN]
    return ["all", "all", "minutes of two cores at most", f"{MINUTES:g}", *ours]


def _beside(rows: Sequence[Row], width: int) -> list[str]:
    """The largest sparsity at which A, recovered, is accurate, beside what was published; 0 where it never is."""
    part, known = rows_of(rows, width, "plain"), PUBLISHED[width]
    facts = [str(width), f"{statistics.median(known):.2f}", spread(known, ".2f")]
    if not part:
        return [*facts, NOT_RUN, "", NOT_RUN]
    largest = [
        max((row["sparsity"] for row in part if row["seed"] == seed and row["a_recovered"] >= RECOVERED), default=0.0)
        for seed in dict.fromkeys(row["seed"] for row in part)
    ]
    ours = statistics.median(largest)
    near = abs(ours - statistics.median(known)) <= BESIDE + 1e-9
    return [*facts, f"{ours:.2f}", spread(largest, ".2f"), "yes" if near else "no"]


def _lines(rows: Sequence[Row], width: int, network: str, sparsities: Sequence[float]) -> list[list[str]]:
    """A line for each sparsity; one in all where the network was not run."""
    facts, found = [str(width), NAMES[network]], rows_of(rows, width, network)
    lines = []
    for sparsity in sparsities if found else []:
        part = [row for row in found if row["sparsity"] == sparsity]
        means = [mean_and_range([row[name] for row in part]) for name in COLUMNS]
        lines.append([*facts, f"{sparsity:g}", spread([row["units"] for row in part], "d"), *means])
    return lines or [[*facts, NOT_RUN, *[""] * (len(COLUMNS) + 1)]]


def _agreement(rows: Sequence[Row], width: int, network: str, kind: str) -> list[str]:
    """How an attribution agrees with ablation, by seeds; every row of a seed says it."""
    seeds = list({row["seed"]: row for row in rows_of(rows, width, network)}.values())
    return [str(width), NAMES[network], *agreement_line(seeds, kind, 2 * width)]
