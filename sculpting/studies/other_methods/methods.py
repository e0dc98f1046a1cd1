"""The methods, with six settings for each that has any: one entry a method."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

from .clustering import by_ablation, by_activations, by_weights, one_module
from .dense import Found
from .probes import by_probes
from .pruning import by_distance, by_l1, one_shot

__all__ = ["METHODS", "OURS", "Method", "Setting", "best_settings", "setting_text"]

OURS = "ours"
Setting = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """A way to find modules: ``find(case, **setting)`` gives what it finds for each seed.

    ``settings`` are those that the tuning tasks choose from, by the mean score. Networks that were pruned have a ``vote`` too: the
    consensus of all seeds.
    """

    find: Callable[..., list[Found]]
    settings: Sequence[Setting] = field(default=({},))
    vote: bool = False


def _grid(**values: Sequence[Any]) -> tuple[Setting, ...]:
    return tuple(dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


_COMMUNITIES = _grid(resolution=(0.75, 1.0, 1.5), apart=(False, True))
METHODS: dict[str, Method] = {
    "spectral, weights": Method(partial(by_weights, method="spectral"), _grid(clusters=(None, 3, 6), apart=(False, True))),
    "Leiden, weights": Method(partial(by_weights, method="leiden"), _COMMUNITIES),
    "Leiden, correlations": Method(by_activations, _COMMUNITIES),
    "Leiden, co-ablation": Method(by_ablation, _COMMUNITIES),
    "linear probes": Method(by_probes, _grid(measure=("unit", "layer"), least=(0.0, 0.1, 0.4))),
    "L1, threshold": Method(by_l1, _grid(penalty=(1e-4, 3e-4, 1e-3, 2e-3, 4e-3, 8e-3)), vote=True),
    "distance cost": Method(by_distance, _grid(penalty=(1e-3, 3e-3, 1e-2), base=(0.1, 0.5)), vote=True),
    "magnitude, one shot": Method(one_shot, _grid(times=(1, 2, 4), by_layer=(False, True)), vote=True),
    "one module": Method(one_module),
}


def setting_text(setting: Setting) -> str:
    """A setting in words.

    Examples
    --------
    >>> setting_text({"clusters": None, "apart": True})
    'clusters=None, apart=True'
    """
    return ", ".join(f"{name}={value}" for name, value in setting.items())


def best_settings(files: Mapping[str, bytes]) -> dict[str, Setting]:
    """For each method the setting with the largest mean score, of equal ones the first.

    ``files`` are those of the cells of tuning: for each method a list of scores for each setting.
    """
    tasks = [json.loads(content) for content in files.values()]
    best = {}
    for name, method in METHODS.items():
        scores = [[score for task in tasks for score in task[name][i]] for i in range(len(method.settings))]
        means = [sum(each) / len(each) for each in scores]
        best[name] = method.settings[means.index(max(means))]
    return best
