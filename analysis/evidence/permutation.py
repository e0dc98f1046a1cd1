"""Importance of inputs: what each output loses when an input is permuted over the rows, and in which direction it moves."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..graph import LayeredGraph, chain_of
from ..hierarchy import Hierarchy
from ..tables import table
from .silencing import Replay, replayed

__all__ = ["Importance", "importance"]

# n inputs, o outputs, R rows, B bootstrap samples of the rows.
ENDS = (2.5, 97.5)  # percentiles
LISTED = 24  # inputs; of more only those that count most are printed


@dataclass(frozen=True, eq=False)
class Importance:
    """The result of ``importance``. Printed, it is a table.

    Attributes
    ----------
    drop, effect : arrays of shape (n, o)
        The accuracy that an output loses when the input is permuted, a fraction; and how much its value moves for each unit by which the
        input is raised, on average, with its sign.
    drop_interval, effect_interval : arrays of shape (n, o, 2)
        Their 95 % intervals.
    inputs, outputs : tuple of str
        Names.
    rows : int
        Of the data.
    """

    drop: NDArray[np.float64]
    effect: NDArray[np.float64]
    drop_interval: NDArray[np.float64]
    effect_interval: NDArray[np.float64]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rows: int

    @property
    def sign(self) -> NDArray[np.int64]:
        """1 or -1 where the interval of the effect is on one side of 0, otherwise 0; shape (n, o)."""
        low, high = np.moveaxis(self.effect_interval, -1, 0)
        return (low > 0).astype(int) - (high < 0)

    def __str__(self) -> str:
        order = np.argsort(-self.drop.max(axis=1), kind="stable")
        shown = np.sort(order[:LISTED])
        rest = f", of the {LISTED} that count most" if len(order) > LISTED else ""
        parts = (
            (f"accuracy lost when an input is permuted over {self.rows} rows{rest}", ".2f", self.drop, self.drop_interval),
            ("change of the value for each unit by which the input is raised", "+.2f", self.effect, self.effect_interval),
        )
        lines = []
        for what, form, means, ends in parts:
            cells = [[f"{m:{form}} [{low:{form}}, {high:{form}}]" for m, (low, high) in zip(means[i], ends[i], strict=True)] for i in shown]
            lines += [f"{what}, by output, with 95 % interval", *table([self.inputs[i] for i in shown], self.outputs, cells), ""]
        return "\n".join(lines[:-1])


def importance(
    network: Any, x: ArrayLike, *, y: ArrayLike | None = None, repeats: int = 10, samples: int = 1000, seed: int = 0
) -> Importance:
    """The importance of each input to each output, with its sign and intervals.

    Parameters
    ----------
    network : Hierarchy, or anything that ``detect_modules`` takes as one network
        With its biases and activations.
    x : array of shape (rows, inputs)
        Rows of data, or a whole truth table.
    y : array of shape (rows, outputs), optional
        As for :func:`lesions`.
    repeats : int
        How often each input is permuted.
    samples : int
        Bootstrap samples of the rows.
    seed : int

    Raises
    ------
    TypeError
        When ``network`` cannot be read as a network.
    ValueError
        When ``x`` or ``y`` does not fit, or ``repeats`` or ``samples`` is not a whole number above 0.

    Notes
    -----
    Permutation importance (Breiman, Machine Learning 45, 5 (2001)), for each output apart, of the decisions that
    ``LayeredGraph.decisions`` describes. The effect is the slope ``sum(dx dv) / sum(dx^2)`` over rows and permutations, where ``dx`` is
    the change of the input and ``dv`` that of the output. It is 0 for an input that raises an output in as many rows as it lowers it, such
    as one of an XOR. Intervals are percentiles over bootstrap samples of the rows (Efron, Annals of Statistics 7, 1 (1979)): they show how
    few the rows are, for this network; not how other networks would differ. Of inputs that go together each may do for the other, and
    both have little importance.

    Examples
    --------
    The output reads the first input only, and falls with it:

    >>> rows = [[a, b] for a in (0, 1) for b in (0, 1)] * 10
    >>> found = importance([[[-2.0, 0.0]]], rows)
    >>> found.effect.round(2).tolist(), found.sign.tolist()
    ([[-2.0], [0.0]], [[-1], [0]])
    """
    for name, count in (("repeats", repeats), ("samples", samples)):
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise ValueError(f"{name} must be a whole number of at least 1; got {count!r}")
    graph = chain_of(network.graph if isinstance(network, Hierarchy) else network, "importance")
    replay, rng = replayed(graph, x, y), np.random.default_rng(seed)
    rows = len(replay.x)
    weights = rng.multinomial(rows, np.full(rows, 1 / rows), size=samples)
    shape = graph.widths[0], graph.widths[-1]
    means, ends = np.zeros((2, *shape)), np.zeros((2, *shape, 2))
    for index in np.flatnonzero(graph.alive()[0]):
        parts = _permuted(replay, int(index), repeats, rng)
        means[:, index] = _estimates(np.ones((1, rows)), *parts)[:, 0]
        ends[:, index] = np.moveaxis(np.percentile(_estimates(weights, *parts), ENDS, axis=1), 0, -1)
    return Importance(means[0], means[1], ends[0], ends[1], graph.input_names, graph.output_names, rows)


def _permuted(
    replay: Replay, index: int, repeats: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """For each row, means over permutations of an input: correct decisions lost (R, o), and the parts of the slope (R, o) and (R, 1)."""
    graph: LayeredGraph = replay.graph
    right = graph.decisions(replay.outputs) == replay.right
    lost, product, square = np.zeros(right.shape), np.zeros(right.shape), np.zeros((len(right), 1))
    for _ in range(repeats):
        moved = replay.x.copy()
        moved[:, index] = rng.permutation(moved[:, index])
        values, step = graph.evaluate(moved), (moved - replay.x)[:, [index]]
        lost += right * 1.0 - (graph.decisions(values) == replay.right)
        product += step * (values - replay.outputs)
        square += step * step
    return lost / repeats, product, square


def _estimates(
    weights: NDArray[Any], lost: NDArray[np.float64], product: NDArray[np.float64], square: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Drop and effect for each sample of the rows, which ``weights`` (B, R) counts; shape (2, B, o)."""
    squares = weights @ square
    return np.stack([weights @ lost / weights.sum(axis=1, keepdims=True), weights @ product / np.where(squares > 0, squares, 1)])
