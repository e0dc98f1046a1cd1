"""The study of functions in words and pictures: verdicts by kind, and function by function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...store import Row
from ...study import Read
from ..common.reporting import consensus_rows, hours, pictures, spread, with_interval
from ..common.settings import SEEDS
from ..common.success_rates import NOT_RUN, table
from .cells import KINDS, function_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis import Rate

__all__ = ["functions_report", "functions_summary"]

WORDS = ("exact", "coarser", "finer", "valid", "mixed", "wrong", "none")
RIGHT, VALID = ("exact", "coarser", "finer", "valid"), ("exact", "valid")
NAMES = {
    "circuit": "circuits with a name",
    "tuning": "random hierarchies, even seeds (tuning)",
    "reported": "random hierarchies, odd seeds (reported)",
}
MEANING = (
    "One setting for all functions. The result is the consensus of the candidates of four seeds; beside it, of each seed alone. The "
    "verdict is that of `compare` against the truth at that depth, the first word that is true. *Exact or valid* also counts coarser and "
    "finer results that are valid decompositions too. *None*: no network was accepted. Intervals are Wilson's."
)
OTHERS = (
    "*Levels*: the size of a network also counts the levels beyond two that its decisions need of its units. *Published*: modules as the "
    "paper finds them. *Sparsest*: the sparsest of all candidates."
)


def functions_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md`` and the figure ``verdicts`` as SVG and PNG."""
    return {"summary.md": functions_summary(rows).encode(), **pictures(verdicts=_figure(rows))}


def functions_summary(rows: Sequence[Row]) -> str:
    """The summary of the study of functions, as markdown.

    Examples
    --------
    >>> print(functions_summary([]).splitlines()[2])
    0 results: a function at a depth.
    """
    found = consensus_rows(rows, SEEDS)
    parts = [
        "# Functions",
        f"{len(found)} results: a function at a depth.",
        *(MEANING, "## Verdicts", _kinds(rows)),
        *("## Other rules", OTHERS, _rules(rows)),
        *("## Every function and depth", _functions(found)),
        *("## Time", f"{hours(found)}."),
    ]
    return "\n\n".join(parts) + "\n"


def _kinds(rows: Sequence[Row]) -> str:
    header = ["", "results", *WORDS, "exact, coarser, finer or valid", "exact or valid", "score, mean", "one seed: exact to valid"]
    lines = []
    for kind, name in [*NAMES.items(), ("", "all")]:
        some, single = ([row for row in consensus_rows(rows, size) if kind in ("", row["kind"])] for size in (SEEDS, 1))
        counts = Counter(row["verdict"] for row in some)
        scores = [row["score"] for row in some if row["score"] is not None]
        lines.append([
            name, str(len(some) or NOT_RUN), *(str(counts[word]) for word in WORDS), with_interval(_rate(some, RIGHT)),
            with_interval(_rate(some, VALID)), f"{sum(scores) / len(scores):.2f}" if scores else "", with_interval(_rate(single, RIGHT)),
        ])  # fmt: skip
    return table(header, lines)


def _rules(rows: Sequence[Row]) -> str:
    """Each kind of function, and all, by each rule, four seeds."""
    lines = []
    for rule in ("consensus", "levels", "published", "sparsest"):
        mine = [row for row in rows if row["rule"] == rule and row["seeds"] == SEEDS]
        cells = []
        for kind in (*KINDS, ""):
            some = [row for row in mine if kind in ("", row["kind"])]
            cells.append(f"{_rate(some, RIGHT)}, {_rate(some, VALID)}" if some else NOT_RUN)
        lines.append([rule, *cells])
    return table(["exact to valid, exact or valid", *KINDS, "all"], lines)


def _rate(rows: Sequence[Row], words: Sequence[str]) -> Rate | None:
    """How many rows have one of these verdicts; a valid decomposition has more than one word."""
    from analysis import Rate

    right = sum(row["verdict"] in words or ("valid" in words and bool(row["valid"])) for row in rows)
    return Rate(right, len(rows)) if rows else None


def _functions(found: Sequence[Row]) -> str:
    size = ("support", "edges", "units")
    header = ("function", "kind", "gates", "hidden layers", "verdict", "score", "found/true modules", *size, "why", "seconds")
    lines = []
    for row in sorted(found, key=lambda row: KINDS.index(row["kind"])):
        gates = function_of(row["function"]).gates
        assert gates is not None
        formulas = ", ".join(f"{name} = {formula}" for name, formula in gates.gates.items()).replace("|", "\\|")
        word = row["verdict"] + ", valid" * (row["valid"] and row["verdict"] not in VALID)
        lines.append([
            row["function"], row["kind"], formulas, str(row["depth"]), word, spread([row["score"]], ".2f"),
            f"{row['modules']}/{row['true_modules']}", spread([row["support"]], ".2f"), str(row["edges"]), row["units"] or "",
            row["reason"].replace("|", "\\|"), f"{row['seconds']:.0f}",
        ])  # fmt: skip
    return table(header, lines)


def _figure(rows: Sequence[Row]) -> Axes:
    """Bars of exact verdicts by kind, and of valid ones."""
    from analysis.figures import success_bars

    sizes = {"consensus of 4 seeds": SEEDS, "one seed": 1}
    strict, lenient = (
        {
            kind: {name: _rate([row for row in consensus_rows(rows, size) if row["kind"] == kind], words) for name, size in sizes.items()}
            for kind in KINDS
        }
        for words in (VALID[:1], VALID)
    )
    return success_bars(strict, lenient=lenient, title="Functions: exactly the truth", xlabel="kind of function")
