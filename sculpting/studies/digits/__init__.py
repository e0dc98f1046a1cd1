"""Two digits side by side, and the XOR of their bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...study import Study
from ...tasks import mnist_pair
from ..common.command import SOURCE, Command
from ..common.sampled import key_of_study
from ..common.settings import settings_of_sampled
from .cells import DEPTHS, DETECTION, MAKERS, SETTINGS, cells_of, digits_cell
from .report import digits_report

__all__ = ["COMMAND", "study"]


def study(
    tasks: Sequence[str] | None = None, sizes: Sequence[int] = (14,), source: str = "mnist", data_dir: str | Path | None = None
) -> Study:
    """The study of two digits side by side.

    Two digits are named by networks of 2 and 3 hidden layers, the XOR of their bits by ones of 4 and 5; of a quarter of the pixels in
    width and, below size 28, of half of them too. A cell is four seeds, sculpted in one population. The results are the consensus of all
    four and of each seed alone, and beside each the sparsest candidate. A cell that was killed goes on where it was.

    Parameters
    ----------
    tasks : sequence of {"mnist-pair", "mnist-xor"}, optional
        Only these.
    sizes : sequence of int
        Pixels of a side of one digit: 14, 28 or both.
    source, data_dir
        Where the images come from: see :func:`~sculpting.tasks.mnist_pair`. A folder is of one source, and cells read the images where
        they run.

    Returns
    -------
    Study
        Ten rows a cell. ``task``, ``size``, ``width``, ``depth``, ``seeds`` (4 or 1), ``seed`` (the first), ``rule``; of the selected
        network ``density`` in [0, 1], ``edges``, ``units``, ``pixels_read``; of its modules the numbers ``modules``,
        ``input_modules``, ``output_modules`` and ``middle_modules`` (with neither pixels nor outputs); as bool ``sides_apart`` (pixels of
        both digits are read, and no module holds some of both), ``inputs_right`` and ``outputs_right`` (grouped as in the truth; outputs
        that nothing leads to are not right), ``modules_right`` (every module of the truth and nothing else), ``exact`` (and connected
        alike); for the XOR the columns of :func:`~sculpting.studies.digits.bits.bit_columns`; ``validation_accuracy``, ``test_accuracy``
        and ``dense_test_accuracy`` (of the dense networks of the same seeds, their mean), fractions of bits; ``support`` of a consensus;
        ``seconds`` (the cell's, times the row's share of the seeds). Where no candidate was accepted, verdicts are False and the rest is
        None.

    Raises
    ------
    ValueError, FileNotFoundError
        When a task, a size, the source or the images do not fit.
    """
    tasks = tuple(DEPTHS) if tasks is None else tasks
    if not set(tasks) <= set(DEPTHS):
        raise ValueError(f"tasks must be some of {', '.join(DEPTHS)}; got {', '.join(tasks)}")
    for size in sizes:
        mnist_pair(size=size, source=source, data_dir=data_dir, pairs=100, validation=100, test=100)  # refuses what does not fit
    settings = {**settings_of_sampled(MAKERS, SETTINGS, **DETECTION), "source": source}
    work = partial(digits_cell, source=source, data_dir=data_dir, study=key_of_study(settings))
    return Study(cells_of(tasks, sizes), work, settings, digits_report)


COMMAND = Command(
    study,
    "two digits side by side, and the XOR of their bits: are left and right, and the bits, apart?",
    {
        "--tasks": {"nargs": "+", "metavar": "TASK", "help": "only mnist-pair or mnist-xor (default: both)"},
        "--size": {
            "nargs": "+", "type": int, "default": [14], "dest": "sizes",
            "help": "pixels of a side of one digit: 14 (default), 28 or both",
        },
        **SOURCE,
    },
)  # fmt: skip
