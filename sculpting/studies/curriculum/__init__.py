"""Curricula and depth: is a composite parity learnt alone, and what does depth add?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...store import Row
from ...study import Study
from ..common.command import Command, full_size
from .cells import PROTOCOLS, cells_of, curriculum_cell, settings_of
from .report import curriculum_report

__all__ = ["COMMAND", "study"]


def study(protocol: str = "reduced") -> Study:
    """The study of curricula.

    Networks learn several parities and the sum of all of them (*broad*), with two hidden layers or with one (*shallow*), or the sum
    alone (*narrow*), on fresh rows at every step. All start from the same weights, seed by seed, where their shapes are the same.

    Parameters
    ----------
    protocol : {"reduced", "full"}
        Three parities of 3 bits among 40, 20 seeds; or as published, four of 4 among 64, 40 seeds and up to 2e9 samples.

    Returns
    -------
    Study
        A row for each arm, seed and code: ``arm``, ``hidden_layers``, ``width``, ``seed``, ``code`` (as ``0+1+2``), ``samples_fresh``
        (of all codes, behind the network when the code's rows of a batch, not learnt from yet, first had a loss under 0.1 bit; None where
        they never had), ``samples_under`` (the same of fixed validation rows, every 50 steps), ``bits`` (their loss at the end, 1 is
        chance), ``samples`` (by then), ``seconds`` (the cell's, shared equally by its rows).

    Raises
    ------
    ValueError
        When the protocol is not known.

    Notes
    -----
    Published: Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025. There a network counts where the sum's
    loss on fresh rows was under 0.1 bit at any of the last 100 steps, which comes true at the first such step, and every network is
    trained to the last sample; here those of a cell are, until all of them have the sum under 0.1 bit on the validation rows. As there,
    networks have two outputs and the loss of their softmax: of one output and its sigmoid, which is the same class of functions, Adam
    learns more slowly.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {list(PROTOCOLS)}; got {protocol!r}")
    report = partial(curriculum_report, protocol=protocol)
    return Study(cells_of(protocol), curriculum_cell, settings_of(protocol), report, table=_table)


def _table(rows: Sequence[Row]) -> list[Row]:
    """The rows without their curves, which are in ``curves.csv``."""
    return [{name: value for name, value in row.items() if name != "curve"} for row in rows]


COMMAND = Command(study, "a composite parity learnt beside its parts or alone, with two hidden layers or one", full_size("protocol"))
