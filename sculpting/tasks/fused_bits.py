"""Targets of independent bits: each alone, or a gate of each two neighbours; and the ground truth that follows.

S = rows, m = bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice, shown
from .pixel_truth import Inputs, Module, some_inputs_truth

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["TARGETS", "Bits", "balanced_bits", "check_rows", "check_targets", "fused", "fused_names", "fused_structure"]

Bits = NDArray[np.bool_]

ALONE = "alone"
GATES: dict[str, Callable[[Bits, Bits], Bits]] = {"xor": np.logical_xor, "and": np.logical_and}
TARGETS = (ALONE, *GATES)
LEAST_ROWS, MOST_BYTES = 100, 4 * 10**9


def check_targets(targets: object) -> str:
    """Refuse what names no targets."""
    check_choice("targets", targets, TARGETS)
    return str(targets)


def check_rows(rows: tuple[Any, Any, Any], bytes_of_row: int) -> None:
    """Refuse numbers of training, validation and test rows that are too few, or too many to be drawn."""
    for name, size in zip(("rows", "validation", "test"), rows, strict=True):
        if not isinstance(size, Integral) or isinstance(size, bool) or size < LEAST_ROWS:
            raise ValueError(f"{name} must be a whole number of at least {LEAST_ROWS}; got {shown(size)}")
    if sum(rows) * bytes_of_row > MOST_BYTES:
        raise ValueError(f"rows must take at most {MOST_BYTES // 10**9} GB; got {sum(rows):,} rows in all. Give fewer")


def balanced_bits(rows: int, m: int, generator: np.random.Generator) -> Bits:
    """Rows of bits (S, m) in random order, in which every combination occurs equally often, give or take one.

    Examples
    --------
    >>> sorted(balanced_bits(4, 2, np.random.default_rng(0)).tolist())
    [[False, False], [False, True], [True, False], [True, True]]
    """
    kinds = generator.permutation(generator.permutation(2**m)[np.arange(rows) % 2**m])
    return (kinds[:, None] >> np.arange(m)) % 2 == 1


def fused(bits: Bits, targets: str) -> Bits:
    """Each bit, or the gate of each bit and the next.

    Examples
    --------
    >>> fused(np.array([[True, False, False]]), "xor").tolist()
    [[True, False]]
    """
    return bits if targets == ALONE else GATES[targets](bits[:, :-1], bits[:, 1:])


def fused_names(names: Sequence[str], targets: str) -> tuple[str, ...]:
    """The names of these targets, from those of the bits.

    Examples
    --------
    >>> fused_names(("a", "b", "c"), "and")
    ('a and b', 'b and c')
    """
    if targets == ALONE:
        return tuple(names)
    return tuple(f"{first} {targets} {second}" for first, second in pairwise(names))


def fused_structure(inputs: Sequence[Inputs], names: Sequence[str], targets: str) -> Callable[[int], nx.DiGraph]:
    """The truth as a function of the depth: a module for each bit, of the inputs that show it, and one for each gate of two.

    No bit is an output where gates read it, so that the truth is the same at every depth: see
    :func:`~sculpting.tasks.truth_graph` on outputs whose value is read elsewhere too.

    Examples
    --------
    >>> truth = fused_structure([(0, 1), (2,)], ("a", "b"), "xor")(2)
    >>> truth.nodes[2]["function"], sorted(truth.edges)
    ('a xor b', [(0, 2), (1, 2)])
    """
    outputs = fused_names(names, targets)
    if targets == ALONE:
        return partial(some_inputs_truth, [(read, (i,), name) for i, (read, name) in enumerate(zip(inputs, names, strict=True))], [])
    modules: list[Module] = [(read, (), name) for read, name in zip(inputs, names, strict=True)]
    gates = range(len(names), len(names) + len(outputs))
    edges = [(i + side, gate) for i, gate in enumerate(gates) for side in (0, 1)]
    return partial(some_inputs_truth, [*modules, *(((), (i,), name) for i, name in enumerate(outputs))], edges)
