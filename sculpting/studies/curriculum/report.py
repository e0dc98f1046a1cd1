"""The study of curricula in words and pictures: targets, every arm, and the curves of the composite parity."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...store import Row, table_bytes
from ...study import Read
from ..common.reporting import hours, pictures, spread, with_interval
from ..common.success_rates import NOT_RUN, reached, table
from .cells import PROTOCOLS, UNDER
from .published import BROAD_BY, BROAD_TARGET, MINUTES, NARROW_AT, NARROW_BITS, PUBLISHED, SLOWER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis import Rate

__all__ = ["curriculum_report", "curriculum_summary"]

NAMES = {
    "broad": "broad, 2 hidden layers",
    "narrow": "composite alone, 2 hidden layers",
    "shallow": "broad, 1 hidden layer",
    "shallow-wide": "broad, 1 wide hidden layer",
}
TARGET_HEADER = ("what", "target", "ours", "reached?")
HEADER = (
    "arm", "width", "samples at most", "composite under 0.1 bit", "published, full size", "samples to it, median", "range",
    "bits at the end", "every atomic one before it",
)  # fmt: skip
MEANING = (
    "Networks learn atomic parities and their sum, the composite, in equal parts on fresh rows at every step, or the composite alone. "
    "Samples are of all codes together; losses are in bits, 1 being chance. A seed counts as published: from the first batch on whose rows "
    "of the composite, not learnt from yet, had a loss under 0.1 bit. *Fixed rows* are the same for all and looked at every 50 steps, and "
    "say the losses at the end and in the picture. Where some seeds never came under 0.1 bit, the median counts them as later than all "
    "others: *above* the samples they had. Intervals are Wilson's."
)
NOTE = (
    "Published counts are those of Michaud, Parker-Sartori and Tegmark (NeurIPS 2025) at the full size, m = 4, k = 4, n = 64: of 40 seeds, "
    "those with a loss under 0.1 bit in the last 100 of 2e9 samples' batches."
)
STYLES: dict[str, dict[str, Any]] = {
    "broad": {"color": "#0072B2", "linestyle": "-"},
    "narrow": {"color": "#D55E00", "linestyle": (0, (4, 1.5))},
    "shallow": {"color": "#1a1a1a", "linestyle": (0, (1, 1))},
    "shallow-wide": {"color": "#6b6b6b", "linestyle": (0, (4, 1, 1, 1))},
}


def curriculum_report(rows: Sequence[Row], read: Read, *, protocol: str) -> dict[str, bytes]:
    """``curves.csv``, ``summary.md`` and the figure ``curves`` as SVG and PNG. Rows have their ``curve``."""
    names = ("arm", "seed", "code")
    points = [{**{name: row[name] for name in names}, "samples": samples, "bits": bits} for row in rows for samples, bits in row["curve"]]
    summary = curriculum_summary(rows, protocol).encode()
    return {"curves.csv": table_bytes(points), "summary.md": summary, **pictures(curves=_figure(rows, protocol))}


def curriculum_summary(rows: Sequence[Row], protocol: str) -> str:
    """The summary of the study of curricula, as markdown.

    Examples
    --------
    >>> print(curriculum_summary([], "reduced").splitlines()[2])
    0 of 60 networks were trained: m = 3 parities of k = 3 bits among n = 40.
    """
    known = PROTOCOLS[protocol]
    done = sum(len(_composite(rows, arm)) for arm in known.arms)
    size = f"m = {known.m} parities of k = {known.k} bits among n = {known.n}"
    counts = f"{done} of {known.seeds * len(known.arms)} networks were trained: {size}."
    targets = ["## Targets", table(TARGET_HEADER, _targets(rows))] if protocol == "reduced" else []
    arms = table(HEADER, [_line(rows, protocol, arm) for arm in known.arms])
    parts = ["# Curriculum and depth", counts, MEANING, *targets, "## Every arm", arms, NOTE, "## Time", f"{hours(rows)}."]
    return "\n\n".join(parts) + "\n"


def _composite(rows: Sequence[Row], arm: str) -> list[Row]:
    return [row for row in rows if row["arm"] == arm and (arm == "narrow" or "+" in row["code"])]


def _targets(rows: Sequence[Row]) -> list[list[str]]:
    """A line for each target of the reduced study."""
    from analysis import Rate

    broad, narrow = _composite(rows, "broad"), _composite(rows, "narrow")
    early, later = (
        _rate([row[name] is not None and row[name] <= BROAD_BY for row in broad]) for name in ("samples_fresh", "samples_under")
    )
    stuck = _rate([row["bits"] > NARROW_BITS and row["samples"] >= NARROW_AT for row in narrow])
    by = f"{NAMES['broad']}: under {UNDER:g} bit by {_short(BROAD_BY)} samples"
    counts = [
        (f"{by}, as published", Rate(*BROAD_TARGET), early),
        (f"{by}, on fixed rows", Rate(*BROAD_TARGET), later),
        (f"{NAMES['narrow']}: above {NARROW_BITS:g} bit at {_short(NARROW_AT)} samples", Rate(*[PROTOCOLS["reduced"].seeds] * 2), stuck),
    ]
    lines = ([what, str(target), with_interval(rate), reached(rate, target)] for what, target, rate in counts)
    return [*lines, _slower(rows), _time(rows)]


def _slower(rows: Sequence[Row]) -> list[str]:
    """How many times the samples one hidden layer takes, by medians; at least so many where most seeds never came there."""
    facts = [f"{NAMES['shallow']}: samples to {UNDER:g} bit, of those with 2", f"{SLOWER:g}"]
    deep, shallow = (_composite(rows, arm) for arm in ("broad", "shallow"))
    if not deep or not shallow:
        return [*facts, NOT_RUN, NOT_RUN]
    (least, known), (below, exact) = _median(shallow), _median(deep)
    if not exact:
        return [*facts, "2 hidden layers did not get there", "no"]
    ratio = least / below
    return [*facts, f"{'' if known else 'above '}{ratio:.1f}", "yes" if ratio >= SLOWER else "no" if known else "open"]


def _time(rows: Sequence[Row]) -> list[str]:
    minutes = sum(row["seconds"] for row in rows) / 120
    verdict = ("yes" if minutes <= MINUTES else "no") if rows else NOT_RUN
    return ["minutes of two cores at most", f"{MINUTES:g}", f"{minutes:.1f}" if rows else NOT_RUN, verdict]


def _line(rows: Sequence[Row], protocol: str, arm: str) -> list[str]:
    from analysis import Rate

    known, some = PROTOCOLS[protocol].arms[arm], _composite(rows, arm)
    facts = [NAMES[arm], str(known.width), _short(known.samples)]
    published = with_interval(Rate(*PUBLISHED[arm]))
    if not some:
        return [*facts, NOT_RUN, published, *[""] * 4]
    samples, exact = _median(some)
    under = with_interval(_rate([row["samples_fresh"] is not None for row in some]))
    median = f"{'' if exact else 'above '}{_short(samples)}"
    times = sorted(row["samples_fresh"] for row in some if row["samples_fresh"] is not None)
    between = "-".join(dict.fromkeys(_short(time) for time in (times[0], times[-1]))) if times else ""
    return [*facts, under, published, median, between, spread([row["bits"] for row in some], ".3f"), _atomic_first(rows, arm)]


def _median(some: Sequence[Row]) -> tuple[float, bool]:
    """The median of the samples until 0.1 bit, and whether it is exact; otherwise, where the middle never came there, it is larger."""
    exact = statistics.median(math.inf if row["samples_fresh"] is None else row["samples_fresh"] for row in some)
    if math.isfinite(exact):
        return exact, True
    return statistics.median(row["samples"] if row["samples_fresh"] is None else row["samples_fresh"] for row in some), False


def _atomic_first(rows: Sequence[Row], arm: str) -> str:
    """Of the seeds that learnt the composite, in how many every atomic parity was learnt by then."""
    if arm == "narrow":
        return ""
    samples = {row["seed"]: row["samples_fresh"] for row in _composite(rows, arm) if row["samples_fresh"] is not None}
    atomic = [row for row in rows if row["arm"] == arm and "+" not in row["code"] and row["seed"] in samples]
    late = {row["seed"] for row in atomic if row["samples_fresh"] is None or row["samples_fresh"] >= samples[row["seed"]]}
    return with_interval(_rate([seed not in late for seed in samples])) if samples else ""


def _rate(verdicts: Sequence[bool]) -> Rate | None:
    from analysis import Rate

    return Rate(sum(verdicts), len(verdicts)) if verdicts else None


def _short(samples: float) -> str:
    """As ``6e6`` or ``4.75e6``."""
    digits, power = f"{samples:.2e}".split("e")
    return f"{float(digits):g}e{int(power)}"


def _figure(rows: Sequence[Row], protocol: str) -> Axes:
    """The composite's loss by samples, a line for each seed."""
    from analysis.drawing import FAINT, FONT, SMALL
    from analysis.figures import axes_of, letter

    known = PROTOCOLS[protocol]
    ax = axes_of(None, 5.2, 3.2)
    for arm in known.arms:
        for k, row in enumerate(_composite(rows, arm)):
            ax.plot(*zip(*row["curve"], strict=True), **STYLES[arm], linewidth=0.9, alpha=0.7, label="" if k else NAMES[arm], gid=arm)
    ax.axhline(UNDER, color=FAINT, linewidth=0.6)
    first, last = min(row["curve"][0][0] for row in rows), max(row["curve"][-1][0] for row in rows)
    powers = [10**k for k in range(12) if first <= 10**k <= last]
    ax.set(xscale="log", xlim=(first, last), ylim=(-0.02, 1.25), yticks=(0.0, 0.5, 1.0))
    ax.set_xticks(powers, [_short(power) for power in powers], minor=False)
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
    letter(ax, f"The sum of {known.m} parities of {known.k} bits among {known.n}", "samples of all codes", "loss of the sum in bits")
    ax.figure.legend(loc="outside lower center", ncols=3, frameon=False, prop={"family": FONT, "size": SMALL})
    return ax
