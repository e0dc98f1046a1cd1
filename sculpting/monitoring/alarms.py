"""A monitor of batches: whether the accuracy of a network, or what its units or modules do, differs from the rows of a reference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import is_real, shown
from ..models.live import Unit, live_units
from ..models.network import SparseNetwork
from ..randomness import check_seed
from ..surroundings import set_aside
from ..tasks.task import Task
from .differences import of_groups, of_shares, of_values
from .facts import Facts, facts_of

__all__ = ["Alarm", "monitor"]

SHUFFLES = 2  # at most, as a multiple of the number below which no p-value could raise an alarm
MOST_SHUFFLES = 100_000  # of a module and batch: 3 s for 600 rows and 3 units


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
        The live hidden units whose activations differ; none where modules are compared.
    modules : tuple of int
        The labels of the modules whose units differ; none where units are compared.
    """

    batch: int
    changed: bool
    p_value: float
    accuracy: float | None
    less_accurate: bool
    units: tuple[Unit, ...]
    modules: tuple[int, ...] = ()


@set_aside()
def monitor(
    result: Any, batches: Iterable[Any], reference: Any = None, *, modules: Any = None, rate: float = 0.001, seed: int = 0
) -> Iterator[Alarm]:
    """For each batch, whether the network still meets what it met in the reference rows.

    The activations of every live hidden unit are compared by the two-sample test of Kolmogorov and Smirnov. With ``modules`` there is one
    test for each module that has such units, of the largest distance over these, by shuffling rows between batch and reference. Where
    targets are given, the rows answered rightly are compared by Fisher's exact test. Each test is made at ``rate`` divided by the number
    of tests (Bonferroni), so that a batch of which nothing has changed raises an alarm with a probability of at most ``rate``. All of
    them take rows as drawn independently. Batches are compared with the same reference, so alarms of several batches are not independent:
    a reference of many rows makes them nearly so.

    Parameters
    ----------
    result : SparseNetwork, or any object whose ``network`` is one
    batches : iterable of arrays x, or of pairs (x, y)
        ``x`` of shape (rows, inputs); ``y`` bits or real values of shape (rows, outputs), or class numbers of shape (rows,). Real values
        have no rows that are right, so that ``y`` is then not used.
    reference : array x, or pair (x, y), optional
        Rows on which the network is as it should be, but none that it was trained on. When left out, the test rows of the ``task`` of the
        result, or all rows of a complete table.
    modules : Hierarchy, or sequence of int arrays of shape (units,), one a layer, optional
        The module of every unit, inputs and outputs included, such as ``detect_modules(result.network)``. -1 is for units in no module,
        which no live hidden unit may be.
    rate : float in (0, 1)
        False alarms a batch, at most. With ``modules`` at least 0.00001 times the number of tests, since a module is compared by at
        most 100,000 shuffles.
    seed : int
        Of the shuffles.

    Yields
    ------
    Alarm

    Raises
    ------
    TypeError, ValueError
        When there is no such network or no reference, rows or modules do not fit it, or an argument is out of range.

    Examples
    --------
    >>> network = SparseNetwork((np.ones((1, 1)), np.ones((1, 1))), (np.zeros(1), np.zeros(1)), ("relu", "identity"), loss="mse")
    >>> rows = np.random.default_rng(0).random((200, 1))
    >>> [alarm.changed for alarm in monitor(network, [rows[:100] + 0.0, rows[:100] + 0.5], rows[100:])]
    [False, True]
    >>> [alarm.modules for alarm in monitor(network, [rows[:100], rows[:100] + 0.5], rows[100:], modules=[[0], [0], [1]])]
    [(), (0,)]
    """
    if not is_real(rate) or not 0 < rate < 1:
        raise ValueError(f"rate must be a fraction in (0, 1), such as 0.001; got {shown(rate)}")
    network = result if isinstance(result, SparseNetwork) else getattr(result, "network", None)
    if not isinstance(network, SparseNetwork):
        raise TypeError(f"monitor needs a SparseNetwork or a result that has one; got {type(result).__name__}")
    units = sorted(live_units(network))
    rows = _reference_of(result) if reference is None else reference
    compared = _Monitor(units, facts_of(network, rows, units, "reference"), _groups(network, units, modules), float(rate), check_seed(seed))
    compared.check_rate()
    try:
        numbered = enumerate(batches)
    except TypeError as error:
        raise TypeError(f"batches must be an iterable of arrays x, or of pairs (x, y); got {shown(batches)}") from error
    return (compared.alarm(number, facts_of(network, batch, units, "a batch")) for number, batch in numbered)


@dataclass(frozen=True, eq=False)
class _Monitor:
    """What batches are compared with. ``groups`` are the columns of each module, by its label; None where units are compared."""

    units: Sequence[Unit]
    reference: Facts
    groups: dict[int, NDArray[np.int64]] | None
    rate: float
    seed: int

    def check_rate(self) -> None:
        """Refuse a rate that so many shuffles cannot show."""
        tests = len(self.groups or ()) + (self.reference.right is not None)
        if self.groups and self.rate < tests / MOST_SHUFFLES:
            raise ValueError(
                f"rate must be at least {tests / MOST_SHUFFLES:g} with {len(self.groups)} modules, {tests} tests in all, since a module is "
                f"compared by at most {MOST_SHUFFLES:,} shuffles; got {self.rate:g}. Give a larger rate, or leave modules out"
            )

    def alarm(self, number: int, batch: Facts) -> Alarm:
        accuracy, of_accuracy = None, np.array([])
        if batch.right is not None:
            accuracy = float(batch.right.mean())
            if self.reference.right is not None:
                of_accuracy = np.array([of_shares(self.reference.right, batch.right)])
        tests = max(1, len(self.units if self.groups is None else self.groups) + len(of_accuracy))  # there may be none
        limit = self.rate / tests
        found = self._of_units(batch) if self.groups is None else self._of_modules(batch, limit, number)
        smallest, worse = float(min([1.0, *found, *of_accuracy])), bool((of_accuracy <= limit).any())
        differ = np.flatnonzero(found <= limit).tolist()
        units = tuple(self.units[i] for i in differ) if self.groups is None else ()
        modules = () if self.groups is None else tuple([*self.groups][i] for i in differ)
        return Alarm(number, smallest <= limit, min(1.0, smallest * tests), accuracy, worse, units, modules)

    def _of_units(self, batch: Facts) -> NDArray[np.float64]:
        pairs = zip(self.reference.activations.T, batch.activations.T, strict=True)
        return np.array([of_values(before, now) for before, now in pairs])

    def _of_modules(self, batch: Facts, limit: float, number: int) -> NDArray[np.float64]:
        assert self.groups is not None
        random, most = np.random.default_rng([self.seed, number]), min(math.ceil(SHUFFLES / limit), MOST_SHUFFLES)
        before, now = self.reference.activations, batch.activations
        return np.array([of_groups(before[:, columns], now[:, columns], most, random) for columns in self.groups.values()])


def _reference_of(result: Any) -> Any:
    """The rows of a result that decided nothing, or all of a complete table."""
    task = getattr(result, "task", None)
    if isinstance(task, Task) and task.x_test is not None:
        return task.x_test, task.y_test
    if isinstance(task, Task) and task.complete:
        return task.x_validation, task.y_validation
    raise ValueError("monitor needs reference rows, since the result has no test rows: give reference=(x, y)")


def _groups(network: SparseNetwork, units: Sequence[Unit], modules: Any) -> dict[int, NDArray[np.int64]] | None:
    """The positions of the units of each module among ``units``, by its label."""
    if modules is None:
        return None
    expected = [(width,) for width in network.widths]
    what = f"modules must be a Hierarchy of the network, or arrays of int of shapes {expected}"
    try:
        labels = [np.asarray(layer) for layer in getattr(modules, "labels", modules)]
    except (TypeError, ValueError) as error:  # no sequence, or layers of ragged lists
        raise type(error)(f"{what}; got {shown(modules)}") from error
    if [layer.shape for layer in labels] != expected or any(layer.dtype.kind not in "iu" for layer in labels):
        raise ValueError(f"{what}; got {shown([f'{layer.dtype} {layer.shape}' for layer in labels])}")
    of_units = np.array([labels[layer][index].astype(np.int64) for layer, index in units], dtype=np.int64)
    if (of_units < 0).any():
        first = int(np.flatnonzero(of_units < 0)[0])
        layer, index = units[first]
        raise ValueError(f"modules must have a label from 0 for every live hidden unit; got {of_units[first]} for h{layer}.{index}")
    return {int(label): np.flatnonzero(of_units == label) for label in np.unique(of_units)}
