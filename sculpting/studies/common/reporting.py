"""What the reports of several studies share: rates in words, figures as files, and a picture of what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ...store import Row
from ...study import Read
from .networks import network_file, network_from
from .success_rates import NOT_RUN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis import Rate

__all__ = ["consensus_rows", "draw_found", "hours", "pictures", "spread", "with_changed", "with_interval"]

Report = Callable[[Sequence[Row], Read], dict[str, bytes]]


def consensus_rows(rows: Iterable[Row], seeds: int, **facts: Any) -> list[Row]:
    """The rows by consensus of so many seeds, of the cells that the facts are true of."""
    wanted = {"rule": "consensus", "seeds": seeds, **facts}
    return [row for row in rows if all(row[name] == fact for name, fact in wanted.items())]


def hours(rows: Iterable[Row]) -> str:
    """The time that rows took, in words.

    Examples
    --------
    >>> hours([{"seconds": 1800.0}, {"seconds": 900.0}])
    '0.75 hours of one core'
    """
    return f"{sum(row['seconds'] for row in rows) / 3600:.2f} hours of one core"


def with_changed(report: Report, changed: Mapping[str, Any]) -> Report:
    """The report, whose summary first says which settings are not the default.

    Examples
    --------
    >>> def report(rows, read):
    ...     return {"summary.md": b"# Functions\\n\\n8 results.\\n"}
    >>> print(with_changed(report, {"unit_tries": 1})([], None)["summary.md"].decode())
    # Functions
    <BLANKLINE>
    Not by the default setting: `unit_tries=1`.
    <BLANKLINE>
    8 results.
    <BLANKLINE>
    """

    def named(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
        files = report(rows, read)
        title, rest = files["summary.md"].decode().split("\n\n", 1)
        other = ", ".join(f"`{name}={value}`" for name, value in changed.items())
        return {**files, "summary.md": f"{title}\n\nNot by the default setting: {other}.\n\n{rest}".encode()}

    return named if changed else report


def with_interval(rate: Rate | None) -> str:
    """A rate with its interval.

    Examples
    --------
    >>> from analysis import Rate
    >>> with_interval(Rate(15, 16)), with_interval(None)
    ('15/16 (0.72-0.99)', 'not run')
    """
    return NOT_RUN if rate is None else "{} ({:.2f}-{:.2f})".format(rate, *rate.interval)


def spread(values: Iterable[float | None], form: str) -> str:
    """The smallest and the largest value, None left out.

    Examples
    --------
    >>> spread([0.5, None, 0.25], ".2f"), spread([3, 3], "d"), spread([None], "d")
    ('0.25-0.50', '3', '')
    """
    known = [value for value in values if value is not None]
    ends = [f"{end:{form}}" for end in (min(known), max(known))] if known else [""]
    return "-".join(dict.fromkeys(ends))


def pictures(**figures: Axes) -> dict[str, bytes]:
    """Each figure as ``NAME.svg`` and ``NAME.png``."""
    from analysis.drawing import picture_bytes

    return {f"{name}.{kind}": picture_bytes(ax, kind) for name, ax in figures.items() for kind in ("svg", "png")}


def draw_found(
    rows: Sequence[Row], name: Callable[[Row], str], read: Read, image: tuple[int, int] | None = None, **detection: Any
) -> bytes | None:
    """A picture, as SVG, of what was found in one of the cells, a right one where there is one; None when no network was kept.

    Parameters
    ----------
    rows : sequence of dict
        By the consensus of four seeds.
    name : callable
        The name of the cell of a row.
    read : callable
        The content of a file of the study.
    image : (int, int), optional
        As of ``draw``.
    **detection
        Passed on to ``detect_modules``.
    """
    from analysis import detect_modules

    # A right one first; of equals the first.
    ordered = sorted((row for row in rows if row["edges"] is not None), key=lambda row: not row["modules_right"])
    kept = ((row, content) for row in ordered if (content := read(network_file(name(row)))) is not None)
    chosen, content = next(kept, (None, b""))
    if chosen is None:
        return None
    hierarchy = detect_modules(network_from(content), **detection)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "found.svg"
        hierarchy.draw(path, image=image, title=f"{chosen['task']}, units {chosen['units']}, {chosen['edges']} edges")
        return path.read_bytes()
