"""Sensors, scenes and expressions: tasks like real ones whose structure follows from how they are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ...study import Study
from ...tasks import Task, expression_parity, sensor_fusion, sprite_scenes
from ...tasks.task import SAMPLED
from ..common.command import Command, check_kinds
from ..common.sampled import key_of_study
from ..common.settings import settings_of_sampled
from .cells import KINDS, NULLS, WIDTH, cells_of, known_cell
from .report import known_report

__all__ = ["COMMAND", "study"]

MAKERS: dict[str, Callable[..., Task]] = {
    "sensor-fusion": sensor_fusion,
    "sprite-scenes": sprite_scenes,
    "expression-parity": expression_parity,
}


def study(kinds: Sequence[str] | None = None) -> Study:
    """The study of tasks of known structure.

    Seven kinds of tasks, three samples each: other rows where rows are drawn, and other seeds of the networks for all. Networks have two
    hidden layers, as many as the deepest truth has levels of modules, of 24 units, or a quarter of the pixels. A cell is four seeds,
    sculpted in one population. The results are the consensus of all four and of each seed alone, and beside each the sparsest candidate.
    A cell that was killed goes on where it was.

    Parameters
    ----------
    kinds : sequence of str, optional
        Only these, such as ``"two-sensors"``.

    Returns
    -------
    Study
        Ten rows a cell. ``kind``, ``task`` (its name), ``depth``, ``sample``, ``seeds`` (4 or 1), ``seed`` (the first), ``rule``; of the
        selected network ``density`` in [0, 1], ``edges``, ``units``; ``verdict``, ``reason`` and ``score`` of :func:`~analysis.compare`,
        ``modules_right`` (every module of the truth and nothing else), ``right`` (the verdict is exact, coarser, finer or valid);
        ``modules`` and ``true_modules``, how many there are; ``inputs_read``, and of these ``outside``, which are in no module of the
        truth; ``p_value`` and ``chance``, the verdict, of :func:`~analysis.significance`; ``test_accuracy`` and ``dense_test_accuracy``
        (of the dense networks of the same seeds, their mean), fractions of bits, ``worst_accuracy``, that of the worst output, and
        ``test_rows``, all rows of a complete table; ``support`` of a consensus; ``seconds`` (the cell's, times the row's share of the
        seeds). Where no candidate was accepted, the verdict is ``"none"``, those that are bool are False and the rest is None.

    Raises
    ------
    ValueError
        When kinds are not among those of the study.
    """
    check_kinds(kinds, KINDS)
    settings = settings_of_sampled(MAKERS, {"sampled": (SAMPLED["training"], SAMPLED["schedule"])}) | {"width": WIDTH, "nulls": NULLS}
    work = partial(known_cell, study=key_of_study(settings))
    return Study(cells_of([kind for kind in KINDS if kinds is None or kind in kinds]), work, settings, known_report)


COMMAND = Command(
    study,
    "sensors, scenes and expressions: is the structure found that they were made with?",
    {"--kinds": {"nargs": "+", "metavar": "KIND", "help": f"only these (default: {', '.join(KINDS)})"}},
)
