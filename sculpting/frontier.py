"""The frontier: candidates that no other beats both in edges and in accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .metrics import Figure, Metric, figure_of, metric_of
from .surroundings import set_aside
from .tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Frontier", "FrontierPoint", "scores_of"]


@dataclass(frozen=True)
class FrontierPoint:
    """One network of the frontier.

    Attributes
    ----------
    network : SparseNetwork or SparseModule
    validation : Figure
        On the rows that decided: optimistic.
    test : Figure or None
        On the rows that decided nothing; None without any.
    """

    network: Any
    validation: Figure
    test: Figure | None

    @property
    def edges(self) -> int:
        """Edges that are left."""
        return self.network.edge_count


@dataclass(frozen=True)
class Frontier:
    """The candidates that no other beats both in edges and on the validation rows, the sparsest first.

    Attributes
    ----------
    points : tuple of FrontierPoint
    dense : FrontierPoint or None
        The first dense network, with figures that are the mean over all of them.
    metric : str
    candidates : tuple of SparseNetwork or SparseModule
        All of them.
    """

    points: tuple[FrontierPoint, ...]
    dense: FrontierPoint | None
    metric: str
    candidates: tuple[Any, ...] = ()

    @classmethod
    def of(cls, candidates: Sequence[Any], dense: Sequence[Any], task: Task) -> Frontier:
        """The frontier of some networks, on the rows of a task."""
        metric = metric_of(task.metric, task.loss)
        points: list[FrontierPoint] = []
        for network in sorted(candidates, key=lambda each: (each.edge_count, -each.accuracy)):
            if not points or network.accuracy > points[-1].network.accuracy:
                points.append(_point([network], task, metric))
        return cls(tuple(points), _point(dense, task, metric) if dense else None, metric.name, tuple(candidates))

    def __str__(self) -> str:
        lines = [f"edges   validation {self.metric}   test {self.metric}"]
        named = [("", point) for point in self.points] + ([("  dense", self.dense)] if self.dense else [])
        for name, point in named:
            lines.append(f"{point.edges:5d}   {point.validation.value:.3f}   {point.test or 'no test rows'}{name}")
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Edges against the figures on the validation and the test rows, with 95 % intervals of the latter; returns the axes.

        Small points are all candidates on the validation rows.
        """
        from matplotlib.figure import Figure as Canvas
        from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

        if ax is None:
            ax = Canvas(figsize=(4.5, 3.2), layout="constrained").subplots()
        edges = [point.edges for point in self.points]
        ax.plot([c.edge_count for c in self.candidates], [c.accuracy for c in self.candidates], ".", color="0.75", markersize=3)
        decided = [point.validation.value for point in self.points]
        ax.plot(edges, decided, "o--", color="0.55", markersize=3, linewidth=1, label="validation, decided")
        for points, marker, name in ((self.points, "o-", "test"), ((self.dense,) if self.dense else (), "s", "dense, test")):
            tests = [(point.edges, point.test) for point in points if point.test is not None]
            if tests:
                errors = [[t.value - t.low for _, t in tests], [t.high - t.value for _, t in tests]]
                values = [t.value for _, t in tests]
                ax.errorbar([e for e, _ in tests], values, errors, fmt=marker, markersize=4, linewidth=1.2, capsize=2, label=name)
        ax.set(xscale="log", xlabel="edges", ylabel=self.metric)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
        return ax


@set_aside()
def scores_of(network: Any, task: Task, metric: Metric, part: str) -> Tensor:
    """What each validation or test row adds to the metric of a network: float64 ``(K, rows)``."""
    x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
    with torch.no_grad():
        z = network.model()(*(x if isinstance(x, tuple) else (x,)))
    z = z.unsqueeze(1) if z.ndim == 1 else z
    if network.head == "sigmoid":
        z = z - 0.5  # decisions are the signs
    return metric.rows(z.t().unsqueeze(0), y.t())[0]


def _point(networks: Sequence[Any], task: Task, metric: Metric) -> FrontierPoint:
    def figure(part: str) -> Figure | None:
        targets: Any = getattr(task, f"y_{part}")
        if targets is None:
            return None
        return figure_of(torch.stack([scores_of(network, task, metric, part) for network in networks]).mean(dim=0), metric, len(targets))

    validation = figure("validation")
    assert validation is not None
    return FrontierPoint(networks[0], validation, figure("test"))
