"""Transformers with a truth: do two sums in one sequence fall apart, and are programs found in larger weights?"""

from __future__ import annotations

from functools import partial

from ...study import Study
from ...tasks import two_sums
from ..common.command import Command, groups
from ..common.module_cells import settings_of_modules
from ..common.sampled import key_of_study
from .cells import FILLINGS, MODULUS, NORMS, cells_of, transformer_cell
from .report import transformer_report

__all__ = ["COMMAND", "study"]

GROUPS = 4


def study(groups: int = GROUPS) -> Study:
    """The study of transformers.

    Two independent sums modulo 5 in one sequence, with no norm, RMSNorm and LayerNorm, four seeds a cell; and programs compiled into the
    weights of a larger transformer, whose edges are scored.

    Parameters
    ----------
    groups : int
        Groups of four seeds for each norm.

    Returns
    -------
    Study
        Ten rows a cell of two sums: ``task``, ``norm``, ``seeds`` (4 or 1), ``seed`` (the first), ``rule``; of the selected network
        ``density``, ``edges``, ``units``, ``accuracy`` by bit and ``groups`` by sum, ``apart`` (no unit leads to both sums), ``modules``,
        ``null_apart`` (the fraction of rewired networks that are apart); the same of the dense networks; ``support`` and ``seconds``.
        One row a program and filling: ``edges`` of the program, and ``auroc_`` of each score.
    """
    settings = settings_of_modules({"two-sums": two_sums(MODULUS)}, NORMS, groups) | {"fillings": FILLINGS}
    return Study(cells_of(groups), partial(transformer_cell, study=key_of_study(settings)), settings, transformer_report)


COMMAND = Command(study, "transformers with a truth: two sums at once, and compiled programs", groups(GROUPS))
