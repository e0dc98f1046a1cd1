"""What ``analysis`` says of networks: the only door from the library to it, opened when it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis import Hierarchy as Hierarchy

__all__ = ["card_of", "modules_of", "report_of"]

MOST_SEEDS = 8  # between which a report switches
STEPS = {"unit_step": "unit step", "edge_step": "edge step", "learning_rate": "learning rate"}


def modules_of(network: Any, **detection: Any) -> Hierarchy:
    """The hierarchy of a network: see :func:`analysis.detect_modules`."""
    from analysis import detect_modules

    return detect_modules(network, **detection)


def card_of(what: Any, network: Any = None) -> str:
    """HTML for notebooks: the text of an object, and the modules of a network where it is small enough to be drawn."""
    from analysis.layout.collapsing import MOST_EDGES
    from analysis.report.card import report_card

    text = report_card(what)
    # Of a larger network not even the modules are looked for: a notebook shows what it has at once.
    return text if network is None or network.edge_count > MOST_EDGES else text + report_card(modules_of(network))


def report_of(
    result: Any, path: str | Path, hierarchy: Any, comparison: Any, detection: Mapping[str, Any], options: Mapping[str, Any]
) -> Path:
    """Write the report of a result: see :meth:`SculptResult.report`."""
    from analysis import consensus, write_report

    _check_inputs(hierarchy, detection, options.get("settings", {}))
    found = consensus(result.candidates, **detection) if hierarchy is None else hierarchy
    task = result.task
    known = {} if task is None else {"image": task.image, **({"title": f"Task {task.name}"} if _is_named(task) else {})}
    settings = {**_settings(result, found.network), **options.get("settings", {})}
    shown = {**known, "candidates": _candidates(result, found, detection), **options, "settings": settings}
    return write_report(found, path, comparison, **shown)


def _check_inputs(hierarchy: Any, detection: Any, settings: Any) -> None:
    """Refuse what would fail only after the networks have been looked at."""
    from analysis.hierarchy import Hierarchy

    if hierarchy is not None and not isinstance(hierarchy, Hierarchy):
        raise TypeError(
            f"hierarchy must be a Hierarchy, such as detect_modules(result.network); got {type(hierarchy).__name__}. "
            "Leave it out for the consensus of the candidates"
        )
    for name, value in (("detection", detection), ("settings", settings)):
        if not isinstance(value, Mapping):
            raise TypeError(f"{name} must be a mapping of names to values; got {type(value).__name__}. Leave it out where there are none")


def _candidates(result: Any, found: Any, detection: Mapping[str, Any]) -> list[Any]:
    """The hierarchy that is shown, and those of the sparsest networks of the other seeds, each with its rounds."""
    from analysis import Candidate

    first: dict[Any, Any] = {_seed(found.network): found}
    for network in result.candidates:  # the sparsest first
        if len(first) < MOST_SEEDS and _seed(network) not in first:
            first[_seed(network)] = modules_of(network, **detection)
    return [Candidate(_name(each), each, _rounds(result, each), **_accuracy(result, each.network)) for each in first.values()]


def _accuracy(result: Any, network: Any) -> dict[str, Any]:
    """Of a network of the result, what its accuracy is called, and that on the test rows with its interval."""
    if not any(network is one for one in (*result.candidates, *result.dense)):
        return {}
    test = result.tested(network)
    return {"metric": result.validation_metric, "facts": {} if test is None else {f"test {result.metric}": test}}


def _is_named(task: Any) -> bool:
    """Whether data has a name of its own."""
    from .tasks.task import Task

    return task is not None and task.name != Task.name


def _seed(network: Any) -> Any:
    return (getattr(network, "origin", None) or {}).get("seed")


def _name(hierarchy: Any) -> str:
    seed = _seed(hierarchy.network)
    by = " (consensus)" if hierarchy.support is not None else ""
    return f"{'network' if seed is None else f'seed {seed}'}{by}, {hierarchy.graph.edge_count} edges"


def _rounds(result: Any, hierarchy: Any) -> Any:
    """The trail of a network, of one that is no chain without its edges, or why the page has none."""
    try:
        trail = result.trail(hierarchy.network)
    except ValueError as error:
        return str(error)
    shapes = [weights.T.shape for weights in getattr(hierarchy.graph, "weights", ())]
    return trail if shapes == [part.shape for part in trail.removed_in] else SimpleNamespace(attempts=trail.attempts, removed_in=())


def _settings(result: Any, network: Any) -> dict[str, str]:
    """What the result knows of how it came about, in words."""
    import torch

    accepted = sum(attempt.accepted for attempt in result.history)
    origin = getattr(network, "origin", None) or {}
    return {
        **({"task": result.task.name} if _is_named(result.task) else {}),
        "seeds": ", ".join(map(str, result.seeds)),
        "candidates": f"{len(result.candidates):,}",
        "rounds": f"{len(result.history):,}, of which {accepted:,} were accepted",
        f"accepted from {result.validation_metric}": f"{result.min_accuracy:.4f}",
        **{words: f"{origin[name]:g}" for name, words in STEPS.items() if isinstance(origin.get(name), (int, float))},
        "stopped": result.stop_reason.value,
        "PyTorch": torch.__version__,
    }
