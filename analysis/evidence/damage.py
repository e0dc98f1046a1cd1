"""Lesions: what each output loses when a module is silenced, against random sets of units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from math import comb, prod
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..graph import chain_of
from ..hierarchy import Hierarchy, Members, check_hierarchy, members_of
from ..tables import table
from .silencing import Held, losses_of, replayed

__all__ = ["Lesions", "lesions"]

# m modules, o outputs.
FEWEST = 100  # random sets
LEVEL = 0.05
# Losses closer than this are tied, and changes of a value closer than this fraction of the value: far above rounding, far below any real
# difference.
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Lesions:
    """The result of ``lesions``. Printed, it is a table.

    Attributes
    ----------
    drop, change : arrays of shape (m, o)
        The loss of an output when a module is silenced: the drop of its accuracy, a fraction, and the mean absolute change of its value.
    focus : array of shape (m,)
        Whether few outputs change: the sum of the squared shares of the outputs in the total change. It runs from 1/o for equal shares to
        1 for a single output, and is 0 where nothing changes.
    drop_p, change_p : arrays of shape (m, o)
        Empirical p-value: the fraction of random sets, with as many units in each layer, with at least the same loss of the output.
    focus_p : array of shape (m,)
        The fraction of these random sets with at least the same focus.
    sets : tuple of int
        For each module, the number of random sets.
    exhaustive : tuple of bool
        For each module, whether these are all possible sets; the module itself is then one of them.
    units : tuple of int
        For each module, the number of silenced units: 0 for a module of outputs only.
    rows : int
        Of the data.
    names : tuple of str
        Of the outputs.
    members : tuple of tuple of (layer, index), or None
        The units of each module: by them a report knows the hierarchy that this is about. None where they are not known.
    """

    drop: NDArray[np.float64]
    change: NDArray[np.float64]
    focus: NDArray[np.float64]
    drop_p: NDArray[np.float64]
    change_p: NDArray[np.float64]
    focus_p: NDArray[np.float64]
    sets: tuple[int, ...]
    exhaustive: tuple[bool, ...]
    units: tuple[int, ...]
    rows: int
    names: tuple[str, ...]
    members: Members | None = field(default=None, repr=False)

    def __str__(self) -> str:
        shown = [m for m, count in enumerate(self.units) if count]
        lines = [f"each module's inputs and hidden units held at their mean over {self.rows} rows"]
        for what, loss, p_values in (("accuracy lost", self.drop, self.drop_p), ("mean change of the value", self.change, self.change_p)):
            cells = [[f"{loss[m, o]:.2f}{'*' if p_values[m, o] <= LEVEL else ' '}" for o in range(len(self.names))] for m in shown]
            lines += ["", f"{what}, by output", *table([f"M{m}" for m in shown], [f"{name} " for name in self.names], cells)]
        focus = [f"M{m} {self.focus[m]:.2f} (p = {self.focus_p[m]:.2g})" for m in shown]
        lines += ["", f"focus on few outputs, from {1 / len(self.names):.2f} for all alike to 1 for one: {', '.join(focus)}"]
        lines += ["", f"* p <= {LEVEL}: at most that share of random sets, of as many units in each layer, costs the output as much"]
        return "\n".join(lines + self._notes(shown))

    def _notes(self, shown: Sequence[int]) -> list[str]:
        few = [m for m in shown if self.sets[m] * LEVEL < 1]
        notes = [f"M{m}: only {_such_sets(int(self.sets[m]))}, so p is at least {1 / self.sets[m]:.2g}" for m in few]
        outputs = ", ".join(f"M{m}" for m, count in enumerate(self.units) if not count)
        return [*notes, f"{outputs}: outputs only, nothing to silence"] if outputs else notes


def lesions(hierarchy: Hierarchy, x: ArrayLike, *, y: ArrayLike | None = None, random_sets: int = 200, seed: int = 0) -> Lesions:
    """The loss of every output when a module is silenced, against random sets of as many units.

    A module is silenced by holding its inputs and hidden units at their mean over ``x``. Its outputs are not silenced; they are measured.

    Parameters
    ----------
    hierarchy : Hierarchy
        Its graph is evaluated, so it must have the biases and activations of the network.
    x : array of shape (rows, inputs)
        For example a whole truth table.
    y : array of shape (rows, outputs), optional
        The correct bits, 0 or 1; one-hot for classes. Of shape (rows,): the bits of a single output, or the number of the class from 0.
        The decisions of the network itself when left out.
    random_sets : int
        At least 100. If there are no more possible sets than this, all of them are used.
    seed : int

    Returns
    -------
    Lesions

    Raises
    ------
    TypeError
        When ``hierarchy`` is not a hierarchy.
    ValueError
        When ``x``, ``y`` or ``random_sets`` does not fit.

    Notes
    -----
    The decisions of outputs follow from the loss that the network was trained with: see ``LayeredGraph.decisions``. For classes, the
    accuracy of an output is how often it is correctly chosen or not chosen. Random sets are drawn from the units that have a module, with
    as many units in each layer as the module has. If k of n drawn sets have at least the same loss, ``p = (1 + k) / (1 + n)``. If all sets
    are used, the module is one of them and ``p = k / n``. P-values are not corrected for multiple tests.

    Where outputs depend on most units, most random sets damage an output as much as a module does, and ``drop_p`` is large. ``focus`` and
    ``focus_p`` show whether a module affects some outputs and not the others, which few random sets do.

    Examples
    --------
    Each of two outputs adds up a pair of inputs and decides whether either is 1. When the pair is silenced the output always has its
    mean, 1, which is wrong in one of four rows:

    >>> from analysis import LayeredGraph, detect_modules
    >>> graph = LayeredGraph.from_weights([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]])
    >>> rows = [[a, b, c, d] for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in (0, 1)]
    >>> lesions(detect_modules(graph), rows).drop.tolist()
    [[0.25, 0.0], [0.0, 0.25]]
    """
    check_hierarchy(hierarchy)
    if isinstance(random_sets, bool) or not isinstance(random_sets, Integral) or random_sets < FEWEST:
        raise ValueError(f"random_sets must be an integer of at least {FEWEST}; got {random_sets!r}")
    replay, rng = replayed(chain_of(hierarchy.graph, "lesions"), x, y), np.random.default_rng(seed)
    kept = [np.flatnonzero(labels >= 0) for labels in hierarchy.labels[:-1]]
    held = [[np.flatnonzero(labels == m.index) for labels in hierarchy.labels[:-1]] for m in hierarchy.modules]
    sizes = [tuple(len(units) for units in h) for h in held]
    # Modules of equal sizes are compared with the same random sets.
    chance = {size: np.array([losses_of(replay, s) for s in _random_sets(kept, size, random_sets, rng)]) for size in dict.fromkeys(sizes)}
    exhaustive = [_set_count(kept, size) <= random_sets for size in sizes]
    losses = np.array([losses_of(replay, h) for h in held])
    outputs = len(hierarchy.graph.output_names)
    ties = TOLERANCE * np.concatenate([np.ones(outputs), np.abs(replay.outputs).max(axis=0), [1]])
    p_values = np.array([_p_values(loss, chance[size], ties, e) for loss, size, e in zip(losses, sizes, exhaustive, strict=True)])
    parts = [(part[:, :outputs], part[:, outputs:-1], part[:, -1]) for part in (losses, p_values)]
    counts = tuple(len(chance[size]) for size in sizes), tuple(exhaustive), tuple(map(sum, sizes))
    return Lesions(*parts[0], *parts[1], *counts, len(replay.x), hierarchy.graph.output_names, members_of(hierarchy))


def _set_count(kept: Held, sizes: Sequence[int]) -> int:
    return prod(comb(len(units), size) for units, size in zip(kept, sizes, strict=True))


def _random_sets(kept: Held, sizes: Sequence[int], count: int, rng: np.random.Generator) -> list[Held]:
    layers = list(zip(kept, sizes, strict=True))
    if _set_count(kept, sizes) > count:
        return [[rng.choice(units, size, replace=False) for units, size in layers] for _ in range(count)]
    choices = product(*(combinations(units.tolist(), size) for units, size in layers))
    return [[np.array(chosen, dtype=np.int64) for chosen in choice] for choice in choices]


def _such_sets(count: int) -> str:
    return "one such set exists" if count == 1 else f"{count} such sets exist"


def _p_values(losses: NDArray[np.float64], chance: NDArray[np.float64], ties: NDArray[np.float64], exhaustive: bool) -> NDArray[np.float64]:
    reached = (chance >= losses - ties).sum(axis=0)
    return reached / len(chance) if exhaustive else (1 + reached) / (1 + len(chance))
