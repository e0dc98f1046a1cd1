"""What the rows of a study depend on: the settings of sculpting, and the defaults of detection and consensus."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from ...mlp.ablation import WEAKEST
from ...options import EDGE_STEPS, LARGE_EDGE_STEPS, LARGE_UNIT_STEPS, UNIT_STEPS, check_call
from ...options import settings_of as settings_of_call
from ...schedule.pruning_schedule import DENSE_ROUNDS, DENSE_ROUNDS_UNKNOWN
from ...sculptor import sculpt
from ...settings import EPOCHS, LEAST_STEPS, MOST_STEPS, ScheduleSettings, TrainingSettings
from ...tasks import boolean
from ...tasks.task import TABLE, Task

__all__ = ["IMAGE_THRESHOLD", "PUBLISHED", "SEEDS", "THRESHOLD", "defaults", "sculpting_settings", "settings_of", "settings_of_sampled"]

SEEDS = 4  # in a group: so many the published study has
THRESHOLD, IMAGE_THRESHOLD = 0.9, 0.6  # of merging, as published for Boolean tasks and for MNIST
PUBLISHED: dict[str, Any] = {"method": "published"}  # the detector of studies whose rows stand beside published ones
# Arguments of `sculpt` that cells set themselves, or that decide no result; `regrow` decides none from fresh weights.
# `keep` and `mixed_precision` are for modules that are no chain; `max_units` of detection only refuses.
NO_MATTER = (
    "seeds", "training", "schedule", "device", "max_members", "progress", "checkpoint", "regrow", "test", "groups", "metric", "keep",
    "mixed_precision", "max_units", "callback",
)  # fmt: skip


def defaults() -> dict[str, dict[str, Any]]:
    """The settings of a truth table, and the defaults of ``sculpt``, ``detect_modules`` and ``consensus``, by where they belong."""
    from analysis import consensus, detect_modules

    functions = {
        function.__name__: {
            name: parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is not inspect.Parameter.empty and name not in NO_MATTER
        }
        for function in (sculpt, detect_modules, consensus)
    }
    return {"training": asdict(TABLE["training"]), "schedule": asdict(TABLE["schedule"]), **functions}


def sculpting_settings(task: Task) -> dict[str, Any]:
    """What the candidates of a task depend on beside the model, the seeds and what a call of ``sculpt`` changes."""
    return {"training": asdict(task.training), "schedule": asdict(task.schedule), "dense_rounds": DENSE_ROUNDS, "weakest": WEAKEST}


def settings_of(groups: int, changed: Mapping[str, Any] = MappingProxyType({}), **detection: Any) -> dict[str, Any]:
    """What all rows of a study of truth tables depend on, with so many groups of four seeds.

    ``changed`` are settings of ``sculpt`` other than the default, ``detection`` arguments of ``detect_modules``.

    These are the settings of sculpting, the defaults of detection and consensus, the activation of the models, and the constants behind
    ablation and votes.

    Raises
    ------
    TypeError
        When a name in ``changed`` is no setting of ``sculpt``.
    ValueError
        When ``groups`` is not a whole number of at least 1, or a value in ``changed`` is out of range.
    """
    from analysis.consensus import CLOSER
    from analysis.graph.levels import CUTS, LEAST_GAP

    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"groups must be a whole number of groups of four seeds, at least 1; got {groups!r}")
    known = {f"{part}.{name}": value for part, values in defaults().items() for name, value in values.items()}
    # What a None of these stands for.
    usual = {"schedule.unit_steps": UNIT_STEPS, "schedule.edge_steps": EDGE_STEPS, "schedule.dense_rounds": DENSE_ROUNDS}
    usual["detect_modules.direction"] = "outgoing"  # of chains
    usual |= {"training.steps": {"epochs": EPOCHS, "least": LEAST_STEPS, "most": MOST_STEPS}}
    constants = {"edge_ablation.weakest": WEAKEST, "consensus.closer": CLOSER, "needed_levels": {"cuts": CUTS, "least_gap": LEAST_GAP}}
    own = {f"detect_modules.{name}": value for name, value in detection.items()} | _named(changed)
    return {"groups": groups, **known, **usual, **constants, "task.model.activation": TABLE["activation"], **own}


def _named(changed: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are changed, checked, by where they belong."""
    any_table = boolean([4, 2, 4])
    training, schedule = settings_of_call(any_table, None, None, changed)
    check_call(any_table, training, schedule, "fresh", None, lambda: None)
    return {f"{'training' if hasattr(training, name) else 'schedule'}.{name}": value for name, value in changed.items()}


def settings_of_sampled(
    makers: Mapping[str, Callable[..., Task]], settings: Mapping[str, tuple[TrainingSettings, ScheduleSettings]], **detection: Any
) -> dict[str, Any]:
    """What all rows of a study of sampled tasks depend on: beside that, the settings and the numbers of rows of each kind of task.

    Parameters
    ----------
    makers : mapping of str to callable
        The function that makes a task, by its kind.
    settings : mapping of str to (TrainingSettings, ScheduleSettings)
        Those of its tasks.
    **detection
        Arguments of ``detect_modules`` that are not its defaults.
    """
    large = {
        "schedule.dense_rounds_unknown": DENSE_ROUNDS_UNKNOWN,
        "schedule.large_unit_steps": LARGE_UNIT_STEPS,
        "schedule.large_edge_steps": LARGE_EDGE_STEPS,
        "task.activation": Task.activation,
    }
    given = {f"{kind}.{name}": value for kind, parts in settings.items() for part in parts for name, value in asdict(part).items()}
    rows = {
        f"{kind}.{name}": parameter.default
        for kind, maker in makers.items()
        for name, parameter in inspect.signature(maker).parameters.items()
        if isinstance(parameter.default, int)
    }
    return {**settings_of(1, **detection), **large, **given, **rows}
