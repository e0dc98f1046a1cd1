"""What ``sculpt`` is given, checked at the door."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from .mlp.scores import EDGE_SCORES, UNIT_SCORES
from .mlp.training import Round
from .models.chain import Chain
from .tasks.task import Task

__all__ = [
    "DENSE_ROUNDS", "DENSE_ROUNDS_UNMARKED", "EDGE_STEPS", "EPOCHS", "LARGE_EDGE_STEPS", "LARGE_UNIT_STEPS", "LEAST_STEPS", "MOST_STEPS",
    "UNIT_STEPS",
    "check_amounts", "check_arguments", "check_chains", "check_counts", "check_finite", "check_inputs", "check_spread", "device_of",
    "rates_of", "round_of", "steps_of",
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
) -> tuple[list[float], list[float]]:
    """The first steps of chains of units and of edges: as given, otherwise by the size of the largest model."""
    large = max(len(chain.shape.weight_positions()) for chain in chains) > LARGE
    usual = (LARGE_UNIT_STEPS, LARGE_EDGE_STEPS) if large else (UNIT_STEPS, EDGE_STEPS)
    found = [
        _percentages("unit_steps", usual[0] if unit_steps is None else unit_steps),
        _percentages("edge_steps", usual[1] if edge_steps is None else edge_steps),
    ]
    if not any(found):
        raise ValueError("unit_steps and edge_steps are both empty, so there is nothing to prune; give at least one step")
    return found[0], found[1]


def _percentages(name: str, values: Any) -> list[float]:
    try:
        steps = [0.0] if isinstance(values, str) else [float(value) for value in values]
    except (TypeError, ValueError):
        steps = [0.0]
    if not all(0 < step < 100 for step in steps):
        raise ValueError(f"{name} must be a sequence of percentages in (0, 100); got {values!r}")
    return steps


def rates_of(learning_rate: Any) -> list[float]:
    """One learning rate or several."""
    one = isinstance(learning_rate, Real) or getattr(learning_rate, "ndim", 1) == 0
    try:
        rates = [float(rate) for rate in ([learning_rate] if one else learning_rate)]
    except (TypeError, ValueError):
        rates = []
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise ValueError(f"learning_rate must be positive, one number or a sequence of them; got {learning_rate!r}")
    return rates


def check_finite(chain: Chain) -> None:
    """Refuse a model whose own weights cannot be used."""
    bad = int((~torch.isfinite(chain.values)).sum())
    if bad:
        raise ValueError(f"the model's weights and biases must be finite; got {bad} NaN or infinite values")


def check_spread(loss: str, y: Tensor, what: str) -> None:
    """Refuse real targets of which the coefficient of determination is not defined."""
    if loss == "mse" and bool((y == y[0]).all()):
        raise ValueError(
            f"the {len(y)} rows {what} must have different targets, or the coefficient of determination is not defined; got all the same. "
            "Give more rows, or a validation"
        )


def check_inputs(chain: Chain, task: Task) -> None:
    """Refuse data of another width than the model's, and names that do not fit the data."""
    if task.x.shape[1] != chain.shape.widths[0]:
        raise ValueError(f"x must have {chain.shape.widths[0]} columns, one for each input of the model; got {task.x.shape[1]}")
    for kind, names, count in (("input", task.input_names, task.x.shape[1]), ("output", task.output_names, task.y.shape[1])):
        if len(names) and not len(names) == len(set(names)) == count:
            raise ValueError(f"{kind}_names of the task must be {count} different names or none; got {list(names)}")


def check_arguments(
    chain: Chain,
    task: Task,
    min_accuracy: float | None,
    tolerance: float,
    scores: tuple[str, str],
    initial: str,
) -> None:
    """Refuse what does not fit the model or the data, or is not known."""
    check_inputs(chain, task)
    check_spread(task.loss, task.y_check, "that decide acceptance")
    if min_accuracy is not None and not 0 < min_accuracy <= 1:
        raise ValueError(f"min_accuracy must be a fraction in (0, 1]; got {min_accuracy}")
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance must be a fraction in [0, 1), such as 0.005 for half a percentage point; got {tolerance}")
    for name, score, known in zip(("unit_score", "edge_score"), scores, (UNIT_SCORES, EDGE_SCORES), strict=True):
        if score not in known:
            raise ValueError(f"{name} must be one of {sorted(known)}; got {score!r}")
    if initial not in ("fresh", "model"):
        raise ValueError(f"initial must be 'fresh' or 'model'; got {initial!r}")
    if initial == "model":
        check_finite(chain)


def check_counts(**counts: int) -> None:
    """Refuse what is no whole number of at least 1."""
    for name, value in counts.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1; got {value!r}")


def check_amounts(**amounts: float) -> None:
    """Refuse what is below 0 or not finite."""
    for name, value in amounts.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be at least 0, and finite; got {value}")


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
    check_amounts(weight_decay=weight_decay, input_noise=noises[0], hidden_noise=noises[1])
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
