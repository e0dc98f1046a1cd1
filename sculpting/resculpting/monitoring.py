"""A monitor of batches: whether the accuracy of a network, or the activations of its units, differ from those on reference rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..activations import ACTIVATIONS
from ..checks import is_real, shown
from ..models.network import SparseNetwork
from ..surroundings import set_aside
from .parts import Unit
from .results import live_units

__all__ = ["Alarm", "monitor"]

LEAST_ROWS = 2


@dataclass(frozen=True)
class Alarm:
    """What a monitor says of one batch.

    Attributes
    ----------
    batch : int
        Its number, from 0.
    changed : bool
        Whether any statistic differs from the reference, at the false-alarm rate of all of them together.
    p_value : float
        The smallest of the statistics, times their number, at most 1: the chance of such a difference where nothing has changed.
    accuracy : float or None
        The fraction of the rows that the network answers rightly; None where the batch has no targets.
    less_accurate : bool
        Whether the accuracy is among the statistics that differ.
    units : tuple of (layer, index)
        The live hidden units whose activations differ.
    """

    batch: int
    changed: bool
    p_value: float
    accuracy: float | None
    less_accurate: bool
    units: tuple[Unit, ...]


@set_aside()
def monitor(result: Any, batches: Iterable[Any], reference: Any, *, rate: float = 0.001) -> Iterator[Alarm]:
    """For each batch, whether the network still meets what it met in the reference rows.

    The activations of every live hidden unit are compared by the two-sample test of Kolmogorov and Smirnov; where targets are given, the
    rows answered rightly by Fisher's exact test. Each is made at ``rate`` divided by the number of tests (Bonferroni), so that a batch of
    which nothing has changed raises an alarm with a probability of at most ``rate``. Both tests take rows as drawn independently. Batches
    are compared with the same reference, so alarms of several batches are not independent: a reference of many rows makes them nearly so.

    Parameters
    ----------
    result : SparseNetwork, or any object whose ``network`` is one
    batches : iterable of arrays x, or of pairs (x, y)
        ``x`` of shape (rows, inputs); ``y`` bits or real values of shape (rows, outputs), or class numbers of shape (rows,). Real values
        have no rows that are right, so that ``y`` is then not used.
    reference : array x, or pair (x, y)
        Rows on which the network is as it should be, such as validation rows, but none that it was trained on.
    rate : float in (0, 1)
        False alarms a batch, at most.

    Yields
    ------
    Alarm

    Raises
    ------
    TypeError, ValueError
        When there is no such network, rows do not fit it, or an argument is out of range.

    Examples
    --------
    >>> network = SparseNetwork((np.ones((1, 1)), np.ones((1, 1))), (np.zeros(1), np.zeros(1)), ("relu", "identity"), loss="mse")
    >>> rows = np.random.default_rng(0).random((200, 1))
    >>> [alarm.changed for alarm in monitor(network, [rows[:100] + 0.0, rows[:100] + 0.5], rows[100:])]
    [False, True]
    """
    if not is_real(rate) or not 0 < rate < 1:
        raise ValueError(f"rate must be a fraction in (0, 1), such as 0.001; got {shown(rate)}")
    network = result if isinstance(result, SparseNetwork) else getattr(result, "network", None)
    if not isinstance(network, SparseNetwork):
        raise TypeError(f"monitor needs a SparseNetwork or a result that has one; got {type(result).__name__}")
    units = sorted(live_units(network))
    known = _facts(network, reference, units, "reference")
    return (_compared(number, known, _facts(network, batch, units, "a batch"), units, rate) for number, batch in enumerate(batches))


@dataclass(frozen=True, eq=False)
class _Facts:
    """Activations ``(rows, units)``, and which rows are right, bool ``(rows,)``, or None."""

    activations: NDArray[np.float32]
    right: NDArray[np.bool_] | None


def _compared(number: int, reference: _Facts, batch: _Facts, units: list[Unit], rate: float) -> Alarm:
    from scipy.stats import fisher_exact, ks_2samp

    pairs = zip(reference.activations.T, batch.activations.T, strict=True)
    found = np.array([ks_2samp(before, now).pvalue if len({*before, *now}) > 1 else 1.0 for before, now in pairs])
    accuracy, of_accuracy = None, np.array([])
    if batch.right is not None:
        accuracy = float(batch.right.mean())
        if reference.right is not None:
            table = [[int(each.sum()), int((~each).sum())] for each in (reference.right, batch.right)]
            of_accuracy = np.array([fisher_exact(table).pvalue])
    tests = max(1, len(found) + len(of_accuracy))  # a network without hidden edges, and no targets, leave none
    smallest = float(min([1.0, *found, *of_accuracy]))
    differ = tuple(unit for unit, value in zip(units, found, strict=True) if value <= rate / tests)
    worse = bool((of_accuracy <= rate / tests).any())
    return Alarm(number, bool(differ) or worse, min(1.0, smallest * tests), accuracy, worse, differ)


def _facts(network: SparseNetwork, rows: Any, units: list[Unit], what: str) -> _Facts:
    x, y = rows if isinstance(rows, (tuple, list)) and len(rows) == 2 else (rows, None)
    values = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    if values.ndim != 2 or values.shape[1] != network.widths[0] or len(values) < LEAST_ROWS:
        raise ValueError(f"{what} must have x of shape (rows, {network.widths[0]}), at least {LEAST_ROWS} rows; got {tuple(values.shape)}")
    if not bool(values.isfinite().all()):
        raise ValueError(f"{what} must be finite; got NaN or infinite values")
    layers = [values]
    for weight, bias, name in zip(network.weights[:-1], network.biases, network.activations, strict=False):
        sums = layers[-1] @ torch.from_numpy(weight.copy()).T + torch.from_numpy(bias.copy())
        layers.append(ACTIVATIONS[name].apply(sums, torch.empty_like(sums)))
    activations = [layers[layer][:, index].numpy() for layer, index in units]
    right = None if y is None or network.loss == "mse" else _right(network.predict(values), np.asarray(y), what)
    return _Facts(np.stack(activations, axis=1) if units else np.empty((len(values), 0), dtype=np.float32), right)


def _right(answers: NDArray[Any], y: NDArray[Any], what: str) -> NDArray[np.bool_]:
    """Which rows are answered rightly, in all outputs: bool ``(rows,)``."""
    if y.ndim == 2 and answers.ndim == 1:  # one-hot classes
        y = y.argmax(axis=1)
    if y.ndim == 1 and answers.ndim == 2:
        y = y[:, None]
    if y.shape != answers.shape:
        raise ValueError(f"{what} must have y of shape {answers.shape}, as the network answers; got {y.shape}")
    same = answers == y
    right: NDArray[np.bool_] = same if same.ndim == 1 else same.all(axis=1)
    return right
