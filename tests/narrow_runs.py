"""Short runs of ``narrow`` that tests interrupt, and all that they gave, to be compared bit by bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sculpting import SparseModule
from sculpting.narrow import Lasso, NarrowResult, narrow
from sculpting.tasks import cmsp

__all__ = ["CHAIN", "FORGET", "KEEP", "RUNS", "chain", "facts", "narrowed"]

KEEP, FORGET = cmsp(2, 2, codes=[[0]]), cmsp(2, 2, codes=[[1]])
SHORT: dict[str, Any] = {
    "seeds": 2, "steps": 60, "recovery_steps": 60, "revival_steps": 40, "check_every": 10, "batch_size": 16, "learning_rate": 0.01,
}  # fmt: skip


class Images(nn.Module):
    """What keeps states of its own while it is trained: BatchNorm and Dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.norm, self.out = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4 * 16, 2)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.dropout(torch.relu(self.norm(self.into(x))).flatten(1)))


def chain() -> nn.Module:
    return nn.Sequential(nn.Linear(KEEP.x.shape[1], 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 1))


def images() -> tuple[Tensor, Tensor]:
    x = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    y = torch.arange(60) % 2
    x[y == 0, :, :3] += 1
    return x, y


def seeded(make: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


CHAIN, MODULE = seeded(chain), seeded(Images)
# Each has another state: captured networks, several teachers, a target that ends training, fresh rows, noise, buffers.
RUNS: dict[str, dict[str, Any]] = {
    "captured": {"units": [10, 6], "capture_sizes": True, "lasso": Lasso(2.5)},
    "dead units": {"lasso": Lasso(2.0)},
    "in parts": {"units": [8, 6], "method": "ablation", "max_members": 3, "input_noise": 0.1},
    "teachers": {"units": 8, "method": "distill", "target": 0.9},
    "scratch": {"units": [9, 5], "method": "scratch"},
    "module": {"units": 3, "method": "first-order"},
    "module captured": {"units": [3, 2], "capture_sizes": True, "lasso": Lasso(5.0), "max_members": 1},
}


def narrowed(name: str, checkpoint: Path | None = None, **changes: Any) -> NarrowResult:
    settings = SHORT | RUNS[name] | changes | {"checkpoint": checkpoint}
    if name.startswith("module"):
        return narrow(MODULE, images(), images(), **settings)
    model = [CHAIN, seeded(lambda: [chain(), chain()])[1]] if name == "teachers" else CHAIN
    return narrow(model, KEEP, FORGET, **settings)


def facts(result: NarrowResult) -> str:
    """All that it says; NaN are equal here."""
    networks = [one.network for one in result.narrowed]
    parts = [n.state.values() if isinstance(n, SparseModule) else (*n.weights, *n.biases) for n in networks]
    numbers = [(one.seed, one.asked, one.examples, one.reached, one.accuracy_validation, one.accuracy_revived) for one in result.narrowed]
    return repr((numbers, result.history, result.path, [[torch.as_tensor(part).numpy().tobytes() for part in each] for each in parts]))
