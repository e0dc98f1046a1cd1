"""How far a call is: a bar, a function of the user's, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from .checks import shown

if find_spec("ipywidgets") is None:  # without it tqdm.auto warns in a notebook, and then shows the same bar
    from tqdm.std import tqdm
else:
    from tqdm.auto import tqdm

__all__ = ["Progress", "check_progress", "progress_bar", "tqdm"]

Progress = bool | Callable[[int, int], None]


def check_progress(progress: object, parts: str) -> None:
    """Refuse what is neither a truth value nor a function of (``parts`` ended, all ``parts``)."""
    if not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress must be True, False or a function of ({parts} ended, all {parts}); got {shown(progress)}")


@contextmanager
def progress_bar(progress: Progress, total: int, what: str, unit: str) -> Iterator[Callable[[int], None]]:
    """A function to call with the number of parts that have ended; ``what`` and ``unit`` are words of the bar."""
    if progress is not True:  # even a bar that is not shown starts a thread
        yield (lambda ended: progress(ended, total)) if callable(progress) else (lambda ended: None)
        return
    with tqdm(total=total, desc=what, unit=unit, leave=False) as bar:
        yield lambda ended: bar.update(ended - bar.n) and None
