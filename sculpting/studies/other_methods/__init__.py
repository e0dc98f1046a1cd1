"""Other ways to find structure in a network, beside the pipeline of this library: the same tasks, truth and tuning effort."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...study import Study
from ..common.command import SOURCE, Command, check_kinds
from ..common.settings import settings_of_sampled
from ..digits.cells import MAKERS, SETTINGS
from .cells import KINDS, cells_of, given_rows, needs_of, other_cell
from .clustering import WEAK
from .methods import METHODS, setting_text
from .pruning import STEPS
from .report import other_report

__all__ = ["COMMAND", "study"]


def study(
    kinds: Sequence[str] | None = None,
    functions: str | Path | None = None,
    digits: str | Path | None = None,
    source: str = "mnist",
    data_dir: str | Path | None = None,
) -> Study:
    """The study of other methods.

    All published Boolean tasks, each at its smallest width and middle depth; the functions of the study of functions that are not for
    tuning, at their smaller depth; two digits of 14 x 14 pixels and their XOR. A cell is a task with four seeds: the pipeline of this
    library, and every other method on the same dense networks or, where it trains, from them on. The settings of a method are those with
    the best mean score over the six tuning tasks, among six.

    Parameters
    ----------
    kinds : sequence of {"tuning", "held-out", "functions", "digits"}, optional
        Only these; those of tuning are always there, since they choose the settings.
    functions, digits : str or Path, optional
        A ``rows.csv`` of the study of functions, or of digits, whose results are taken as ours; they are sculpted when left out.
    source, data_dir
        Where the images come from: see :func:`~sculpting.tasks.mnist_pair`.

    Returns
    -------
    Study
        A row for each method and seed, and of the tuning tasks for each setting too. ``kind``, ``task``, ``width``, ``depth``, ``method``,
        ``setting``, ``seeds`` (1, or 4 for a consensus), ``seed`` (the first); ``edges`` of the network; ``verdict``, ``modules_right``
        (every module of the truth and no other), ``valid`` (or another valid decomposition), ``score``, ``inputs_right`` and
        ``outputs_right`` of :func:`~analysis.compare`; ``modules``, how many were found; ``accuracy`` of the network (fraction of bits, of
        all rows of a table, or of test rows); ``seconds``, with those of dense training. What a given table lacks is None.

    Raises
    ------
    ValueError
        When kinds are not among those of the study.
    """
    check_kinds(kinds, KINDS)
    given = {kind: given_rows(path) for kind, path in (("functions", functions), ("digits", digits)) if path is not None}
    cells = cells_of(KINDS if kinds is None else kinds, given)
    tried = {name: [setting_text(setting) for setting in method.settings] for name, method in METHODS.items()}
    own = {"methods": tried, "penalty_steps": STEPS, "weak_links": WEAK, "source": source}
    work = partial(other_cell, source=source, data_dir=data_dir)
    return Study(cells, work, settings_of_sampled(MAKERS, SETTINGS) | own, other_report, needs_of(cells))


COMMAND = Command(
    study,
    "other ways to find structure: clustering of weights or activations, probes, L1, distance cost, pruning once",
    {
        "--kinds": {"nargs": "+", "metavar": "KIND", "help": f"only these beside tuning (default: {', '.join(KINDS)})"},
        "--functions": {"type": Path, "metavar": "FILE", "help": "rows.csv of the study of functions, taken as our results"},
        "--digits": {"type": Path, "metavar": "FILE", "help": "rows.csv of the study of digits, taken as our results"},
        **SOURCE,
    },
)  # fmt: skip
