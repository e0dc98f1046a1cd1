"""Which network a study shows: the structure that a rule selects among the candidates of some seeds, and its accuracy on test rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...losses import LOSSES
from ...models.network import SparseNetwork
from ...store import Row
from ...tasks.task import Task
from .settings import SEEDS

__all__ = ["RULES", "Selected", "accuracies_on_test", "groups_of", "select", "selected_of", "share_seconds"]

RULES = ("consensus", "sparsest")


@dataclass(frozen=True)
class Selected:
    """What a rule selects among the candidates of some seeds: a ``Hierarchy``, None where no candidate was accepted."""

    seeds: range
    rule: str
    found: Any

    @property
    def columns(self) -> Row:
        """The seeds, the rule, and the size of the network."""
        network = self.found and self.found.network
        return {
            "seeds": len(self.seeds),
            "seed": self.seeds[0],
            "rule": self.rule,
            "density": network and network.density,
            "edges": network and network.edge_count,
            "units": network and "-".join(map(str, network.unit_counts)),
        }


def groups_of(seeds: int, size: int) -> list[range]:
    """Seeds from 0 on in groups of one size.

    Examples
    --------
    >>> groups_of(8, 4)
    [range(0, 4), range(4, 8)]
    """
    return [range(first, first + size) for first in range(0, seeds, size)]


def select(candidates: Sequence[SparseNetwork], rule: str, **options: Any) -> Any:
    """The hierarchy that a rule selects: ``"consensus"``, or ``"sparsest"``, which takes the first."""
    from analysis import consensus, detect_modules

    return consensus(candidates, **options) if rule == "consensus" else detect_modules(candidates[0], **options)


def selected_of(candidates: Iterable[SparseNetwork], seeds: range, rule: str, options: Mapping[str, Any]) -> Selected:
    """What a rule selects among the candidates of some of the seeds; ``options`` go to ``consensus`` or ``detect_modules``."""
    candidates = [candidate for candidate in candidates if candidate.origin["seed"] in seeds]
    return Selected(seeds, rule, select(candidates, rule, **options) if candidates else None)


def accuracies_on_test(networks: Sequence[SparseNetwork], task: Task) -> list[float]:
    """The accuracy of each network on the test rows of a task."""
    assert task.x_test is not None
    assert task.y_test is not None
    with torch.no_grad():
        outputs = torch.stack([network.model()(task.x_test).t() for network in networks])
    accuracies: list[float] = LOSSES[task.loss].accuracy(outputs, task.y_test.t()).tolist()
    return accuracies


def share_seconds(rows: Sequence[Row], seconds: float, seeds: int = SEEDS) -> list[Row]:
    """The rows with ``seconds``: those of the whole cell, times the row's share of the seeds."""
    return [{**row, "seconds": round(seconds * row["seeds"] / seeds, 3)} for row in rows]
