"""What the rows of a study depend on: the defaults of sculpting, detection and consensus, and what tasks change of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ...mlp.ablation import WEAKEST
from ...options import (
    DENSE_ROUNDS,
    DENSE_ROUNDS_UNMARKED,
    EDGE_STEPS,
    EPOCHS,
    LARGE_EDGE_STEPS,
    LARGE_UNIT_STEPS,
    LEAST_STEPS,
    MOST_STEPS,
    UNIT_STEPS,
)  # fmt: skip
from ...sculptor import sculpt
from ...tasks import SETTINGS
from ...tasks.task import TABLE, Task

__all__ = ["IMAGE_THRESHOLD", "SEEDS", "THRESHOLD", "defaults", "settings_for", "settings_of", "settings_of_sampled"]

SEEDS = 4  # in a group: so many the published study has
THRESHOLD, IMAGE_THRESHOLD = 0.9, 0.6  # of merging, as published for Boolean tasks and for MNIST
# Arguments of `sculpt` that cells set themselves, or that decide no result of a complete table.
NO_MATTER = ("seeds", "device", "max_members", "progress", "checkpoint", "tolerance")


def settings_for(task: Task) -> Mapping[str, Any]:
    """The recommended arguments of ``sculpt`` for a task that its defaults do not learn."""
    return SETTINGS.get(task.name.partition(":")[0], {})


def defaults() -> dict[str, dict[str, Any]]:
    """The defaults of ``sculpt``, ``detect_modules`` and ``consensus``, by function and argument."""
    from analysis import consensus, detect_modules

    return {
        function.__name__: {
            name: parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }
        for function in (sculpt, detect_modules, consensus)
    }


def settings_of(groups: int) -> dict[str, Any]:
    """What all rows of a study of truth tables depend on, with so many groups of four seeds.

    These are the defaults of sculpting, detection and consensus, the noises of a truth table and what its edges are pruned by, the
    activation of the models, and the constants behind ablation and votes.

    Raises
    ------
    ValueError
        When ``groups`` is not a whole number of at least 1.
    """
    from analysis.consensus import CLOSER

    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"groups must be a whole number of groups of four seeds, at least 1; got {groups!r}")
    known = {
        f"{function}.{name}": value for function, values in defaults().items() for name, value in values.items() if name not in NO_MATTER
    }
    table = {f"task.{name}": TABLE[name] for name in ("input_noise", "hidden_noise", "edge_score")}
    grid = {"sculpt.unit_steps": UNIT_STEPS, "sculpt.edge_steps": EDGE_STEPS, "sculpt.dense_rounds": DENSE_ROUNDS}
    grid |= {"sculpt.steps": {"epochs": EPOCHS, "least": LEAST_STEPS, "most": MOST_STEPS}}
    constants = {"edge_ablation.weakest": WEAKEST, "consensus.closer": CLOSER}
    return {"groups": groups, **known, **grid, **constants, **table, "task.model.activation": TABLE["activation"]}


def settings_of_sampled(makers: Mapping[str, Callable[..., Task]], **detection: Any) -> dict[str, Any]:
    """What all rows of a study of sampled tasks depend on: beside the defaults, the arguments and the numbers of rows of each kind of task.

    Parameters
    ----------
    makers : mapping of str to callable
        The function that makes a task, by its kind.
    **detection
        Arguments of ``detect_modules`` that are not its defaults.
    """
    large = {
        "sculpt.tolerance": defaults()["sculpt"]["tolerance"],
        "sculpt.dense_rounds_unmarked": DENSE_ROUNDS_UNMARKED,
        "sculpt.large_unit_steps": LARGE_UNIT_STEPS,
        "sculpt.large_edge_steps": LARGE_EDGE_STEPS,
        "task.activation": Task.activation,
        "task.edge_score": Task.edge_score,
    }
    given = {f"{kind}.{name}": value for kind in makers for name, value in SETTINGS.get(kind, {}).items()}
    rows = {
        f"{kind}.{name}": parameter.default
        for kind, maker in makers.items()
        for name, parameter in inspect.signature(maker).parameters.items()
        if isinstance(parameter.default, int)
    }
    return {**settings_of(1), **{f"detect_modules.{name}": value for name, value in detection.items()}, **large, **given, **rows}
