"""What ``sculpt`` is given, checked at the door."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .models import Chain
from .scores import EDGE_SCORES, UNIT_SCORES
from .tasks.task import Task
from .training import Round

__all__ = [
    "DENSE_ROUNDS", "DENSE_ROUNDS_UNMARKED", "EDGE_STEPS", "EPOCHS", "LARGE_EDGE_STEPS", "LARGE_UNIT_STEPS", "LEAST_STEPS", "MOST_STEPS",
    "UNIT_STEPS",
    "check_arguments", "check_chains", "check_counts", "check_inputs", "device_of", "round_of", "steps_of",
]  # fmt: skip

UNIT_STEPS: tuple[float, ...] = tuple(range(70, 0, -5))
EDGE_STEPS: tuple[float, ...] = (2.5, 2.0, 1.5, 1.0, 0.5)
LARGE_UNIT_STEPS: tuple[float, ...] = (50, 20)
LARGE_EDGE_STEPS: tuple[float, ...] = (2.0, 1.0)
DENSE_ROUNDS, DENSE_ROUNDS_UNMARKED = 10, 50  # where it is known how accurate to be, and where a network is trained while it gains
EPOCHS, LEAST_STEPS, MOST_STEPS = 30, 60, 120  # of a round: so many epochs, between so many steps
LARGE = 20_000  # weights from which on a network takes the smaller grid: a round takes seconds, not milliseconds


def check_chains(chains: Sequence[Chain]) -> None:
    """Refuse models that cannot stand in one population."""
    if not chains:
        raise ValueError("model must be a module or a list of at least one; got an empty one")
    first = chains[0].shape
    for chain in chains[1:]:
        ends = (chain.shape.widths[0], chain.shape.widths[-1], chain.shape.activations, chain.head)
        if ends != (first.widths[0], first.widths[-1], first.activations, chains[0].head):
            raise ValueError(
                "models that are sculpted together must have the same inputs, outputs, depth and activations, and differ in widths only; "
                f"got {chain.shape.widths} {list(chain.shape.activations)} beside {first.widths} {list(first.activations)}"
            )


def steps_of(
    chains: Sequence[Chain], unit_steps: Sequence[float] | None, edge_steps: Sequence[float] | None
) -> tuple[Sequence[float], Sequence[float]]:
    """The first steps of chains of units and of edges: as given, otherwise by the size of the largest model."""
    large = max(len(chain.shape.weight_positions()) for chain in chains) > LARGE
    usual = (LARGE_UNIT_STEPS, LARGE_EDGE_STEPS) if large else (UNIT_STEPS, EDGE_STEPS)
    return (usual[0] if unit_steps is None else unit_steps), (usual[1] if edge_steps is None else edge_steps)


def check_inputs(chain: Chain, task: Task) -> None:
    """Refuse data of another width than the model's."""
    if task.x.shape[1] != chain.shape.widths[0]:
        raise ValueError(f"x must have {chain.shape.widths[0]} columns, one for each input of the model; got {task.x.shape[1]}")


def check_arguments(
    chain: Chain,
    task: Task,
    min_accuracy: float | None,
    tolerance: float,
    steps: tuple[Sequence[float], Sequence[float]],
    scores: tuple[str, str],
    initial: str,
) -> None:
    """Refuse what does not fit the model or the data, or is not known."""
    check_inputs(chain, task)
    if min_accuracy is not None and not 0 < min_accuracy <= 1:
        raise ValueError(f"min_accuracy must be a fraction in (0, 1]; got {min_accuracy}")
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance must be a fraction in [0, 1), such as 0.005 for half a percentage point; got {tolerance}")
    for name, values in zip(("unit_steps", "edge_steps"), steps, strict=True):
        if isinstance(values, (int, float)) or not all(0 < v < 100 for v in values):
            raise ValueError(f"{name} must be a sequence of percentages in (0, 100); got {values!r}")
    if not any(map(len, steps)):
        raise ValueError("unit_steps and edge_steps are both empty, so there is nothing to prune; give at least one step")
    for name, score, known in zip(("unit_score", "edge_score"), scores, (UNIT_SCORES, EDGE_SCORES), strict=True):
        if score not in known:
            raise ValueError(f"{name} must be one of {sorted(known)}; got {score!r}")
    if initial not in ("fresh", "model"):
        raise ValueError(f"initial must be 'fresh' or 'model'; got {initial!r}")


def check_counts(**counts: int) -> None:
    """Refuse what is no whole number of at least 1."""
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1; got {value!r}")


def round_of(
    task: Task,
    rates: Sequence[float],
    batch_size: int | None,
    *,
    steps: int | None,
    final_rate: float,
    rate_width: int | None,
    least_rows: int,
    weight_decay: float,
    noises: tuple[float, float],
) -> tuple[Round, int]:
    """The settings of a round, and how often each row stands in an epoch; ``noises`` are those on inputs and on hidden units."""
    check_counts(least_rows=least_rows, **({} if rate_width is None else {"rate_width": rate_width}))
    copies = max(1, least_rows // len(task.x))
    batch = min(64, max(1, copies * len(task.x) // 2)) if batch_size is None else batch_size
    check_counts(batch_size=batch)
    if steps is None:
        steps = min(max(EPOCHS * -(-copies * len(task.x) // batch), LEAST_STEPS), MOST_STEPS)
    check_counts(steps=steps)
    for name, value in zip(("weight_decay", "input_noise", "hidden_noise"), (weight_decay, *noises), strict=True):
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0; got {value}")
    if not rates or not all(rate > 0 for rate in rates):
        raise ValueError(f"learning_rate must be positive, one number or a sequence of them; got {rates[0] if len(rates) == 1 else rates}")
    if not 0 <= final_rate <= 1:
        raise ValueError(f"final_rate must be a fraction of the learning rate, in [0, 1]; got {final_rate}")
    return Round(steps, batch, rates[0], final_rate, weight_decay, *noises, rate_width=rate_width), copies


def device_of(name: str | torch.device) -> torch.device:
    """A device that is there."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise ValueError(f"device must be one that is there: {', '.join(there)}; got {str(name)!r}") from error
    return device
