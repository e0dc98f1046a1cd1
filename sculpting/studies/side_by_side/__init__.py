"""Data sets side by side: are they kept apart?"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...study import Study
from ...tasks import known_set, side_by_side
from ...tasks.digits import VARIABLE
from ...tasks.known_sets import BUNDLED, MNIST
from ...tasks.task import SAMPLED
from ..common.command import SOURCE, Command
from ..common.sampled import key_of_study
from ..common.settings import settings_of_sampled
from .cells import ALL_KINDS, KINDS, WIDTH, cells_of, side_by_side_cell
from .report import side_by_side_report

__all__ = ["COMMAND", "study"]


def study(sets: Sequence[str] | None = None, data_dir: str | Path | None = None) -> Study:
    """The study of data sets side by side.

    Pairs and triples of wine, iris, breast cancer and the small digits of scikit-learn, wine and iris also with a joint output, and each
    with MNIST; networks of 1 and 2 hidden layers of 24 units; two samples of held-out rows and pairs. A cell is four seeds, sculpted in
    one population. The results are the consensus of all four and of each seed alone, and beside each the sparsest candidate. A cell that
    was killed goes on where it was.

    Parameters
    ----------
    sets : sequence of str, optional
        Only these, such as ``"wine+iris"`` and ``"wine+mnist"``, with the joint output where they have one.
    data_dir : str or Path, optional
        The folder with the files of MNIST, which are not fetched; the variable ``SCULPTING_DATA`` when left out.

    Returns
    -------
    Study
        Ten rows a cell. ``task``, ``sets``, ``joint`` (``"and"`` or None), ``depth``, ``split`` (the seed of the sample), ``seeds`` (4 or
        1), ``seed`` (the first), ``rule``; of the selected network ``density`` in [0, 1], ``edges``, ``units``; ``apart``, whether every
        set is answered and no path leads from inputs of one set to outputs of another, the joint output aside; ``modules_right`` (every
        module of the truth and nothing else), ``verdict`` of :func:`~analysis.compare`, ``modules`` and ``inputs_read``, how many there
        are; ``test_accuracy`` and ``dense_test_accuracy`` (of the dense networks of the same seeds, their mean), fractions of bits;
        ``support`` of a consensus; ``seconds`` (the cell's, times the row's share of the seeds). Where no candidate was accepted, the
        verdict is ``"none"``, those that are bool are False and the rest is None.

    Raises
    ------
    ValueError
        When sets are not among those of the study.
    FileNotFoundError
        When sets with MNIST are asked for and its files are missing.

    Warns
    -----
    UserWarning
        When all sets are meant and those with MNIST are left out, since its files are missing.
    """
    names = list(dict.fromkeys("+".join(kind[0]) for kind in ALL_KINDS))
    if sets is not None and not set(sets) <= set(names):
        raise ValueError(f"sets must be some of {', '.join(names)}; got {', '.join(sets)}")
    chosen = [kind for kind in ALL_KINDS if sets is None or "+".join(kind[0]) in sets]
    if any(MNIST in kind[0] for kind in chosen):
        try:
            _find_mnist(data_dir)
        except FileNotFoundError as error:
            if sets is not None:
                raise
            warnings.warn(f"sets with MNIST are left out: {error}", stacklevel=2)
            chosen = list(KINDS)
    settings = settings_of_sampled({"side-by-side": side_by_side}, {"side-by-side": (SAMPLED["training"], SAMPLED["schedule"])})
    settings |= {"width": WIDTH, "bundled": BUNDLED}
    work = partial(side_by_side_cell, study=key_of_study(settings), data_dir=data_dir)
    return Study(cells_of(chosen), work, settings, side_by_side_report)


def _find_mnist(data_dir: str | Path | None) -> None:
    if not (data_dir or os.environ.get(VARIABLE)):
        raise FileNotFoundError(f"no folder holds the MNIST files. Name it with data_dir=, --data-dir or {VARIABLE}")
    known_set(MNIST, data_dir)  # refuses what does not fit


COMMAND = Command(
    study,
    "data sets side by side: does any output depend on the inputs of another set?",
    {
        "--sets": {"nargs": "+", "metavar": "SETS", "help": "only these, such as wine+iris or wine+mnist (default: all there are)"},
        "--data-dir": SOURCE["--data-dir"],
    },
)
