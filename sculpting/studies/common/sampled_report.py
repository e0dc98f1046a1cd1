"""What the reports of the studies of sampled tasks share: answers, rates in words, the files, and a picture of what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...files import write_file
from ...models.network import SparseNetwork
from ...store import Row
from .sampled import network_path
from .success_rates import NOT_RUN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis import Rate

__all__ = ["consensus_rows", "draw_found", "spread", "with_interval", "write_sampled_report"]


def consensus_rows(rows: Iterable[Row], seeds: int, **facts: Any) -> list[Row]:
    """The answers by consensus of so many seeds, of the cells that the facts are true of."""
    wanted = {"rule": "consensus", "seeds": seeds, **facts}
    return [row for row in rows if all(row[name] == fact for name, fact in wanted.items())]


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


def draw_found(
    answers: Sequence[Row], name: Callable[[Row], str], path: Path, image: tuple[int, int] | None = None, **detection: Any
) -> list[Path]:
    """Draw what was found in one of the cells, a right one where there is one; returns the path, if there is a picture.

    Parameters
    ----------
    answers : sequence of dict
        Of the consensus of four seeds.
    name : callable
        The name of the cell of a row.
    path : Path
        In the folder of the study, which has the networks.
    image : (int, int), optional
        As of ``draw``.
    **detection
        Passed on to ``detect_modules``.
    """
    from analysis import detect_modules

    # A right one first; of equals the first.
    ordered = sorted((row for row in answers if row["edges"] is not None), key=lambda row: not row["modules_right"])
    there = [(row, kept) for row in ordered if (kept := network_path(path.parent, name(row))).exists()]
    if not there:
        return []
    chosen, network = there[0]
    hierarchy = detect_modules(SparseNetwork.load(network), **detection)
    hierarchy.draw(path, image=image, title=f"{chosen['task']}, units {chosen['units']}, {chosen['edges']} edges")
    return [path]


def write_sampled_report(folder: Path, summary: str, ax: Axes) -> list[Path]:
    """Write ``summary.md``, ``success.svg`` and ``success.png``; returns the paths."""
    from analysis.drawing import picture_bytes

    written = [write_file(folder / "summary.md", summary.encode())]
    return written + [write_file(folder / f"success.{kind}", picture_bytes(ax, kind)) for kind in ("svg", "png")]
