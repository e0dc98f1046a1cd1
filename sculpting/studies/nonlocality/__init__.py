"""Pruning and nonlocality: does pruning for one skill take another away?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...options import check_counts
from ...study import Study
from ..common.agreement import without_lists
from ..common.command import Command, at_most, full_size
from .cells import NETWORKS, SEEDS, SIZES, cells_of, needs_of, nonlocality_cell, settings_of
from .report import nonlocality_report

__all__ = ["COMMAND", "study"]


def study(size: str = "reduced", widths: Sequence[int] | None = None, seeds: int = SEEDS, lasso: bool = True) -> Study:
    """The study of nonlocality.

    Networks of two hidden layers learn parities and two sums of them, A and B. Units are pruned by what their ablation does to A, at many
    sparsities; then A is trained again (*recovered*), or B is (*revived*). The same after a group lasso while only A is trained.

    Parameters
    ----------
    size : {"reduced", "full"}
        Four parities of 3 bits, 64 units in a layer, 7 sparsities; or as published, six parities of 3 bits, 64, 128 and 256 units, 98
        sparsities.
    widths : sequence of int, optional
        Only these of the size.
    seeds : int
        From 0 on; five were published.
    lasso : bool
        Whether there is a group lasso at all, or only the networks as they were trained; a later call adds the others.

    Returns
    -------
    Study
        A row for each width, seed, network and sparsity: ``width``, ``seed``, ``network`` (``plain``, or after a group lasso of that step),
        ``loss`` (of all codes in nats, once trained), ``sparsity`` (fraction of hidden units removed), ``units`` (those left that are not
        zero), and accuracies in [0, 1] on rows that decide nothing: ``a_pruned``, ``b_pruned``, ``a_recovered``, ``b_revived``; of the
        network before any is removed how ``first_order`` and ``activation_gradient`` attribution of A agree with ablation over all
        hidden units, ``first_order_pearson`` and so on (see ``ScoreCorrelation``; None where it is not defined); ``seconds`` (the
        cell's, shared equally by its rows).

    Raises
    ------
    ValueError
        When the size or a width is not known, or ``seeds`` is below 1.

    Notes
    -----
    Published: Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025; the subgradient of strength 1e-3 is
    theirs. The reduced size has their 10,000 steps of it too: after 3,000, B came back to 0.79 in one network of five.
    """
    if size not in SIZES:
        raise ValueError(f"size must be one of {list(SIZES)}; got {size!r}")
    known = SIZES[size].widths
    if widths is not None and not (widths and set(widths) <= set(known)):
        raise ValueError(f"widths must be some of {', '.join(map(str, known))}; got {', '.join(map(str, widths)) or 'none'}")
    check_counts(seeds=seeds)
    cells = cells_of(size, widths or known, seeds, list(NETWORKS) if lasso else ["plain"])
    report = partial(nonlocality_report, size=size)
    return Study(cells, nonlocality_cell, settings_of(size), report, needs=needs_of(cells), table=without_lists)


COMMAND = Command(
    study,
    "parities pruned for one skill: does another come back, also after a group lasso?",
    {
        **full_size("size"),
        "--widths": {"nargs": "+", "type": int, "help": "only these of the full size's 64, 128 and 256 (default: all)"},
        "--seeds": {"type": at_most(10_000), "default": SEEDS, "help": f"networks of each width, from seed 0 on (default {SEEDS})"},
        "--no-lasso": {
            "action": "store_false", "dest": "lasso",
            "help": "only networks as they were trained; a later run adds the group lasso",
        },
    },
)  # fmt: skip
