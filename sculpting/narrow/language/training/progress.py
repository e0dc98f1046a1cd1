"""The bar of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ....progress import Progress, tqdm

__all__ = ["training_bar"]


@contextmanager
def training_bar(progress: Progress, first: int, steps: int, tokens: int, *, shown: bool) -> Iterator[Callable[[int, float], None]]:
    """A function to call with the steps so far and the loss of the last; ``tokens`` are those of a step.

    Parameters
    ----------
    shown : bool
        Whether this process shows a bar; a callable is called by every process.
    """
    hidden = progress is not True or not shown
    with tqdm(total=steps * tokens, initial=first * tokens, unit="token", unit_scale=True, desc="training", disable=hidden) as bar:

        def show(step: int, loss: float) -> None:
            if not hidden:
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                bar.update(step * tokens - bar.n)
            if callable(progress):
                progress(step, steps)

        yield show
