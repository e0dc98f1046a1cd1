"""Checks of the arguments of ``sculpt`` and ``narrow``, and the settings that follow from them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checks import check_amounts, check_choice, check_counts, check_flags, is_real, listed, shown
from .metrics import metric_of
from .mlp.scores import EDGE_SCORES, UNIT_SCORES
from .models.chain import Chain, read_model
from .settings import MOST_RATES, ScheduleSettings, TrainingSettings
from .tasks.task import Task

__all__ = [
    "EDGE_STEPS", "LARGE_EDGE_STEPS", "LARGE_UNIT_STEPS", "UNIT_STEPS",
    "check_accuracy", "check_amounts", "check_call", "check_choice", "check_counts", "check_finite", "check_inputs", "check_members",
    "check_names", "check_parameters", "check_path", "check_schedule", "check_spread", "check_training", "device_of",
    "read_models", "settings_of", "steps_of",
]  # fmt: skip

ELSEWHERE = {"epochs": "steps", "lr": "learning_rate", "batch": "batch_size", "target_accuracy": "min_accuracy"}  # as other libraries say
UNIT_STEPS: tuple[float, ...] = tuple(round(0.05 * i, 2) for i in range(14, 0, -1))
EDGE_STEPS: tuple[float, ...] = (0.025, 0.02, 0.015, 0.01, 0.005)
LARGE_UNIT_STEPS: tuple[float, ...] = (0.5, 0.2)
LARGE_EDGE_STEPS: tuple[float, ...] = (0.02, 0.01)
MOST_STEPS = 1_000  # first steps of units, and of edges
MOST_ROWS = 10_000_000
MOST_CHAINS = 1_000_000
MOST_BYTES = 32 * 10**9
BYTES_OF_WEIGHT = 16  # values and mask, and their copies while they are trained
LARGE = 20_000  # weights above which a model gets the smaller grid: its rounds take seconds, not milliseconds


def check_path(checkpoint: object) -> None:
    """Refuse a checkpoint that is no path."""
    if checkpoint is not None and not isinstance(checkpoint, (str, Path)):
        raise TypeError(f"checkpoint must be a path, or None for no checkpoint; got {shown(checkpoint)}")


def read_models(model: nn.Module | Sequence[nn.Module]) -> list[Chain]:
    """One model or several, read as chains of layers that fit into one population.

    Raises
    ------
    TypeError, ValueError
        When a model cannot be read, the list is empty, or models differ in more than widths.
    """
    models: Sequence[Any] = model if isinstance(model, (list, tuple)) else [model]
    chains = [read_model(each) for each in models]
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
    return chains


def settings_of(
    task: Task,
    training: TrainingSettings | None,
    schedule: ScheduleSettings | None,
    given: Mapping[str, Any],
    arguments: Iterable[str] = (),
) -> tuple[TrainingSettings, ScheduleSettings]:
    """The settings of a call: ``training`` and ``schedule``, or else those of the task, with the fields in ``given`` replaced.

    ``arguments`` are the other names that the call knows, of which a misspelt one may be meant.

    Raises
    ------
    TypeError
        When ``training`` or ``schedule`` has another type, or a name is no field of either.
    """
    for name, value, kind in (("training", training, TrainingSettings), ("schedule", schedule, ScheduleSettings)):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} must be {kind.__name__}; got {type(value).__name__}")
    of_training, of_schedule = ({field.name for field in fields(kind)} for kind in (TrainingSettings, ScheduleSettings))
    unknown = sorted(given.keys() - of_training - of_schedule)
    if unknown:
        known = f"fields of TrainingSettings, {sorted(of_training)}, or of ScheduleSettings, {sorted(of_schedule)}"
        near = difflib.get_close_matches(unknown[0], [*arguments, *of_training, *of_schedule], n=1)
        meant = ELSEWHERE.get(unknown[0], near[0] if near else "")
        raise TypeError(f"settings must be {known}; got {shown(unknown[0])}" + f". Did you mean {meant}?" * bool(meant))
    return (
        replace(training or task.training, **{name: value for name, value in given.items() if name in of_training}),
        replace(schedule or task.schedule, **{name: value for name, value in given.items() if name in of_schedule}),
    )


def steps_of(edges: int, settings: ScheduleSettings) -> tuple[list[float], list[float]]:
    """The first steps of the chains of unit and edge pruning: as given, otherwise by the edges of the largest model."""
    large = edges > LARGE
    usual = (LARGE_UNIT_STEPS, LARGE_EDGE_STEPS) if large else (UNIT_STEPS, EDGE_STEPS)
    found = [
        _fractions("unit_steps", usual[0] if settings.unit_steps is None else settings.unit_steps),
        _fractions("edge_steps", usual[1] if settings.edge_steps is None else settings.edge_steps),
    ]
    if not any(found):
        raise ValueError("unit_steps and edge_steps are both empty, so there is nothing to prune; give at least one step")
    return found[0], found[1]


def _fractions(name: str, values: Any) -> list[float]:
    usual = "(0.02, 0.01)" if name == "edge_steps" else "(0.5, 0.2)"
    given = listed(name, values, MOST_STEPS, f"a sequence of fractions in (0, 1), such as {usual}", ValueError)
    steps = [float(value) if is_real(value) and 0 < value < 1 else 0.0 for value in given]
    if not all(0 < step < 1 for step in steps):
        raise ValueError(
            f"{name} must be a sequence of fractions in (0, 1), such as {usual}; got {shown(values)}{_percent(values, *given)}"
        )
    return steps


def check_call(
    task: Task, training: TrainingSettings, schedule: ScheduleSettings, initial: str, min_accuracy: float | None, fits: Callable[[], None]
) -> None:
    """Refuse what does not fit the data, or is out of range; ``fits`` refuses what does not fit the model."""
    check_training(training)
    check_schedule(schedule)
    check_choice("unit_score", schedule.unit_score, [*UNIT_SCORES])
    check_choice("edge_score", schedule.edge_score, [*EDGE_SCORES])
    check_choice("initial", initial, ("fresh", "model"))
    fits()
    check_spread(task.loss, task.y_validation, "that decide acceptance")
    usual = metric_of(None, task.loss).name
    if metric_of(task.metric, task.loss).name != usual and (task.complete or schedule.confidence is None):
        why = "the rows are a complete table" if task.complete else "confidence is None"
        raise ValueError(f"metric must be {usual!r} where no paired test decides; got {shown(task.metric)}, and {why}. Leave metric out")
    check_accuracy(min_accuracy)


def check_training(settings: TrainingSettings) -> None:
    """Refuse settings of training rounds that are out of range."""
    rate: Any = settings.learning_rate
    rates = [rate] if is_real(rate) else listed("learning_rate", rate, MOST_RATES, "positive, one number or a sequence of them", ValueError)
    if not rates or not all(is_real(each) and 0 < each < math.inf for each in rates):
        raise ValueError(f"learning_rate must be positive, one number or a sequence of them; got {shown(rate)}")
    check_flags(keep_last=settings.keep_last)
    optional = {name: getattr(settings, name) for name in ("steps", "batch_size", "rate_width")}
    check_counts(least_rows=settings.least_rows, **{name: value for name, value in optional.items() if value is not None})
    if settings.least_rows > MOST_ROWS:
        raise ValueError(
            f"least_rows must be at most {MOST_ROWS:,}, rows of an epoch that are held in memory; got {shown(settings.least_rows)}"
        )
    check_amounts(weight_decay=settings.weight_decay, input_noise=settings.input_noise, hidden_noise=settings.hidden_noise)
    if not is_real(settings.final_rate) or not 0 <= settings.final_rate <= 1:
        raise ValueError(f"final_rate must be a fraction of the learning rate, in [0, 1]; got {shown(settings.final_rate)}")


def check_schedule(settings: ScheduleSettings) -> None:
    """Refuse settings of the pruning schedule that are out of range. Scores and steps are checked where they are used."""
    optional = {name: getattr(settings, name) for name in ("double_after", "dense_rounds")}
    given = {name: value for name, value in optional.items() if value is not None}
    check_counts(unit_tries=settings.unit_tries, edge_tries=settings.edge_tries, **given)
    if settings.restart_rate is not None and not (is_real(settings.restart_rate) and 0 < settings.restart_rate <= 1):
        raise ValueError(f"restart_rate must be a fraction of the learning rate in (0, 1], or None; got {shown(settings.restart_rate)}")
    if settings.confidence is not None and not (is_real(settings.confidence) and 0.5 <= settings.confidence < 1):
        raise ValueError(f"confidence must be a fraction in [0.5, 1), such as 0.8, or None; got {shown(settings.confidence)}")
    if not is_real(settings.tolerance) or not 0 <= settings.tolerance < 1:
        raise ValueError(
            f"tolerance must be a fraction in [0, 1), such as 0.005; got {shown(settings.tolerance)}{_percent(settings.tolerance)}"
        )


def check_accuracy(min_accuracy: float | None) -> None:
    """Refuse an accuracy that is no fraction in (0, 1]."""
    if min_accuracy is not None and not (is_real(min_accuracy) and 0 < min_accuracy <= 1):
        raise ValueError(f"min_accuracy must be a fraction in (0, 1], such as 0.97; got {shown(min_accuracy)}{_percent(min_accuracy)}")


def check_finite(chain: Chain) -> None:
    """Refuse a model whose weights and biases are not finite."""
    check_parameters(chain.values)


def check_parameters(values: Tensor) -> None:
    """Refuse parameters that are not finite."""
    bad = int((~torch.isfinite(values)).sum())
    if bad:
        raise ValueError(f"the model's weights and biases must be finite; got {bad} NaN or infinite values")


def check_spread(loss: str, y: Tensor, what: str) -> None:
    """Refuse real targets that are all equal, for which the coefficient of determination is not defined."""
    same = torch.nonzero((y == y[0]).all(dim=0)).flatten().tolist() if loss == "mse" else []
    if same:
        raise ValueError(
            f"the {len(y)} rows {what} must have different targets, or the coefficient of determination is not defined; got all the same"
            f"{f' in column {same[0]} of y' if y.shape[1] > 1 else ''}. Give more rows, or a validation"
        )


def check_inputs(chain: Chain, task: Task) -> None:
    """Refuse data whose width is not that of the model, and names that do not fit the data."""
    if not isinstance(task.x, Tensor) or task.x.ndim != 2 or not task.x.is_floating_point():
        got = f"{task.x.dtype} of shape {tuple(task.x.shape)}" if isinstance(task.x, Tensor) else f"{len(task.x)} inputs"
        raise ValueError(f"x must be rows and columns of float32 for a chain of Linear layers; got {got}. Pass x.flatten(1).float()")
    if task.x.shape[1] != chain.shape.widths[0]:
        raise ValueError(f"x must have {chain.shape.widths[0]} columns, one for each input of the model; got {task.x.shape[1]}")
    check_names("input", task.input_names, task.x.shape[1])
    check_names("output", task.output_names, task.y.shape[1])


def check_names(kind: str, names: Sequence[str], count: int) -> None:
    """Refuse names of inputs or outputs that do not fit the data."""
    if len(names) and not len(names) == len(set(names)) == count:
        raise ValueError(f"{kind}_names of the task must be {count} different names or none; got {shown([*names])}")


def _percent(*values: object) -> str:
    """A word to those who gave percentages."""
    return ". For percentages, divide by 100" if any(isinstance(value, (int, float)) and 1 <= value <= 100 for value in values) else ""


def check_members(members: int, steps: Sequence[Sequence[float]], weights: int) -> None:
    """Refuse more networks than can be pruned side by side.

    Parameters
    ----------
    members : int
        Dense networks.
    steps : two sequences of float
        First steps of unit and of edge pruning; each gives every network a chain of its own.
    weights : int
        Of the largest model.

    Raises
    ------
    ValueError
        When there would be more than a million chains, or their networks would take more than 32 GB.
    """
    chains = members * max(1, len(steps[0])) * max(1, len(steps[1]))
    if chains > MOST_CHAINS:
        raise ValueError(f"seeds, models, learning rates and steps must give at most {MOST_CHAINS:,} chains; got {chains:,}. Give fewer")
    size = BYTES_OF_WEIGHT * weights * chains
    if size > MOST_BYTES:
        raise ValueError(
            f"the networks of all chains must take at most {MOST_BYTES // 10**9} GB; {chains:,} chains of {weights:,} weights take about "
            f"{size / 10**9:,.0f} GB. Give fewer seeds or steps, or a smaller model"
        )


def device_of(name: str | torch.device) -> torch.device:
    """The device of this name, refused when it is not available, or holds no numbers."""
    there = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError, ValueError, OverflowError, ImportError, AttributeError) as error:
        raise ValueError(f"device must be available, one of {', '.join(there)}; got {shown(name)}") from error
    if device.type == "meta":
        raise ValueError(f"device must hold numbers, one of {', '.join(there)}; got 'meta'")
    return device
