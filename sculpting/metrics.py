"""Metrics: how good answers are, row by row, so that two networks can be compared on the same rows.

N = members, k = outputs, K = parts that are judged one by one, S = rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .checks import check_counts, shown

__all__ = ["METRICS", "Figure", "Metric", "figure_of", "group_accuracy", "metric_of"]

NORMAL = 1.96  # standard errors of a 95 % interval


@dataclass(frozen=True)
class Metric:
    """A named figure of merit; higher is better.

    Attributes
    ----------
    name : str
    rows : function of (z, y)
        From outputs ``(N, k, S)`` and targets ``(k, S)`` it returns what each row adds, float64 ``(N, K, S)``: the mean over the rows is
        the figure of one part. Bits and real values have a part for each output, classes have one.
    """

    name: str
    rows: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval.

    Attributes
    ----------
    value, low, high : float
        The interval is Wilson's for an accuracy, and 1.96 standard errors of the mean over the rows for others.
    rows : int
    metric : str
    """

    value: float
    low: float
    high: float
    rows: int
    metric: str

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{self.value:.3f} ({self.rows} rows)"
        return f"{self.value:.3f} (95 % interval {self.low:.3f} to {self.high:.3f}, {self.rows} rows)"


def _right_bits(z: Tensor, y: Tensor) -> Tensor:
    return ((z > 0) == (y > 0.5)).double()


def _right_classes(z: Tensor, y: Tensor) -> Tensor:
    return (z.argmax(dim=1, keepdim=True) == y.argmax(dim=0)).double()


def _explained(z: Tensor, y: Tensor) -> Tensor:
    """1 - (z - y)^2 / variance of y, for each output; the mean over the rows is R squared."""
    y = y.double()
    variance = (y - y.mean(dim=1, keepdim=True)).square().mean(dim=1, keepdim=True)
    return 1 - (z.double() - y).square() / torch.where(variance > 0, variance, 1.0)


def _balanced_bits(z: Tensor, y: Tensor) -> Tensor:
    """Right bits, weighted so that the rows of 0 and those of 1 count equally."""
    ones = y.double().mean(dim=1, keepdim=True)
    present = (ones > 0).double() + (ones < 1).double()
    return _right_bits(z, y) / torch.where(y > 0.5, ones, 1 - ones) / present


def _balanced_classes(z: Tensor, y: Tensor) -> Tensor:
    """Right classes, weighted so that all classes count equally."""
    share = y.double().mean(dim=1)
    return _right_classes(z, y) / (share[y.argmax(dim=0)] * (share > 0).sum())


METRICS: dict[str, dict[str, Metric]] = {
    "bce": {"accuracy": Metric("accuracy", _right_bits), "balanced accuracy": Metric("balanced accuracy", _balanced_bits)},
    "ce": {"accuracy": Metric("accuracy", _right_classes), "balanced accuracy": Metric("balanced accuracy", _balanced_classes)},
    "mse": {"R2": Metric("R2", _explained)},
}


def group_accuracy(groups: int) -> Metric:
    """The accuracy of each of so many groups of outputs, whose targets are one-hot: a part for each, whose answer is its largest output.

    Parameters
    ----------
    groups : int
        Groups of the same number of outputs, one after the other.

    Raises
    ------
    ValueError
        When ``groups`` is no whole number of at least 1.

    Examples
    --------
    >>> z, y = torch.tensor([[[0.1], [0.3], [-2.0], [-1.0]]]), torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    >>> group_accuracy(2).rows(z, y).tolist()
    [[[1.0], [0.0]]]
    """
    check_counts(groups=groups)
    return Metric("group accuracy", partial(_right_groups, groups=groups))


def _right_groups(z: Tensor, y: Tensor, groups: int) -> Tensor:
    if groups < 1 or y.shape[-2] % groups:
        raise ValueError(f"groups must divide the {y.shape[-2]} outputs; got {groups}")
    answers, classes = (each.unflatten(-2, (groups, -1)).argmax(dim=-2) for each in (z, y))
    return (answers == classes).double()


def metric_of(metric: str | Metric | Callable[[Any, Any], float] | None, loss: str) -> Metric:
    """The metric of this name, or of this function, for networks with this loss; the usual one for None, and a ``Metric`` as it is.

    Parameters
    ----------
    metric : {"accuracy", "balanced accuracy", "R2"}, Metric, or function of (targets, answers), optional
        A function gets arrays as those of scikit-learn's metrics do: classes of shape (rows,), bits or real values of shape (rows,
        outputs). Higher is better. It is known for all rows together only, so it has neither an interval nor a test. Underscores count
        as spaces, capitals as small letters.

    Raises
    ------
    ValueError
        When the name is not known for this loss.

    Examples
    --------
    >>> metric_of(None, "mse").name
    'R2'
    """
    known = METRICS[loss]
    if metric is None:
        return next(iter(known.values()))
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        return Metric(str(getattr(metric, "__name__", "metric")), _of_all_rows(metric, loss))
    plain = metric.lower().replace("_", " ") if isinstance(metric, str) else ""
    for name, each in known.items():
        if name.lower() == plain:
            return each
    raise ValueError(f"metric must be one of {list(known)} for loss {loss!r}, or a function of (targets, answers); got {shown(metric)}")


def _of_all_rows(metric: Callable[[Any, Any], float], loss: str) -> Callable[[Tensor, Tensor], Tensor]:
    def rows(z: Tensor, y: Tensor) -> Tensor:
        if loss == "ce":
            pairs = [(y.argmax(dim=0), each.argmax(dim=0)) for each in z]
        else:
            pairs = [(y.t(), (each > 0).float().t() if loss == "bce" else each.t()) for each in z]
        values = [float(metric(targets.cpu().numpy(), answers.cpu().numpy())) for targets, answers in pairs]
        return torch.tensor(values, dtype=torch.float64, device=z.device).view(-1, 1, 1)

    return rows


def figure_of(scores: Tensor, metric: Metric, rows: int) -> Figure:
    """The figure of one network, from what each of this number of rows adds, ``(K, S)``.

    Examples
    --------
    >>> right = torch.tensor([[1.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    >>> print(figure_of(right, METRICS["ce"]["accuracy"], 4))
    0.750 (95 % interval 0.301 to 0.954, 4 rows)
    """
    each = scores.mean(dim=0)
    value = float(each.mean())
    if len(each) < rows or rows < 2:
        low, high = float("nan"), float("nan")
    elif metric.name == "accuracy":
        from scipy.stats import binomtest

        interval = binomtest(round(value * rows), rows).proportion_ci(method="wilson")
        low, high = float(interval.low), float(interval.high)
    else:
        error = NORMAL * float(each.std()) / rows**0.5
        low, high = value - error, value + error
    return Figure(value, low, high, rows, metric.name)
