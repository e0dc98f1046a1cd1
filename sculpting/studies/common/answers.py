"""The answers of one cell of a study: what a rule chooses among the candidates of some seeds, beside the truth."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import torch

from ...losses import LOSSES
from ...mlp.ablation import WEAKEST
from ...models.network import SparseNetwork
from ...options import DENSE_ROUNDS, EDGE_STEPS, EPOCHS, LEAST_STEPS, MOST_STEPS, UNIT_STEPS
from ...sculptor import SculptResult, sculpt
from ...store import Row
from ...tasks import SETTINGS, boolean
from ...tasks.task import TABLE, Task
from ..boolean.published import OVERLAP_FAMILIES

__all__ = [
    "IMAGE_THRESHOLD", "SEEDS", "Question", "accuracies_on_test", "answer_cell", "cell_name", "choose", "settings_for", "settings_of",
]  # fmt: skip

SEEDS = 4  # in a group: so many the published study has
IMAGE_THRESHOLD = 0.6  # of merging, as published for MNIST
# Arguments of `sculpt` that cells set themselves, or that decide no result of a complete table.
NO_MATTER = ("seeds", "device", "max_members", "progress", "checkpoint", "tolerance")
USES = {(4, 2, 4): 2, (6, 3, 3, 3): 2, (4, 1, 4): 4}
OVERLAPS = {family: overlap for overlap, family in enumerate(OVERLAP_FAMILIES)}
VERDICTS = ("inputs_right", "outputs_right", "hidden_right", "modules_right", "exact", "valid")


@dataclass(frozen=True)
class Question:
    """What a row answers: which structure ``rule`` chooses among the candidates of ``seeds``.

    ``labels`` are columns that stand before all others; ``options`` go to ``consensus``, or to ``detect_modules``.
    """

    seeds: range
    rule: str
    labels: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def settings_of(groups: int) -> dict[str, Any]:
    """What all rows of a study with so many groups of seeds depend on: the defaults of sculpting, detection and consensus, the noises of a
    truth table and what its edges are pruned by, the activation of the models, and the constants behind ablation and votes.

    Raises
    ------
    ValueError
        When ``groups`` is not a whole number of at least 1.
    """
    from analysis import consensus, detect_modules
    from analysis.consensus import CLOSER

    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"groups must be a whole number of groups of four seeds, at least 1; got {groups!r}")
    defaults = {
        f"{function.__name__}.{name}": parameter.default
        for function in (sculpt, detect_modules, consensus)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name not in NO_MATTER
    }
    table = {f"task.{name}": TABLE[name] for name in ("input_noise", "hidden_noise", "edge_score")}
    grid = {"sculpt.unit_steps": UNIT_STEPS, "sculpt.edge_steps": EDGE_STEPS, "sculpt.dense_rounds": DENSE_ROUNDS}
    grid |= {"sculpt.steps": {"epochs": EPOCHS, "least": LEAST_STEPS, "most": MOST_STEPS}}
    constants = {"edge_ablation.weakest": WEAKEST, "consensus.closer": CLOSER}
    return {"groups": groups, **defaults, **grid, **constants, **table, "task.model.activation": TABLE["activation"]}


def cell_name(task: Sequence[int], width: int, depth: int) -> str:
    """The name of a cell, such as ``6-3-3-3_width24_depth2``."""
    return f"{'-'.join(map(str, task))}_width{width}_depth{depth}"


def answer_cell(
    task: Sequence[int], width: int, depth: int, groups: int, questions: Iterable[Question], sculpting: Mapping[str, Any]
) -> list[Row]:
    """A row for each question; all seeds of all groups are sculpted in one population.

    ``sculpting`` goes to ``sculpt``, but an ``activation`` to the model. ``seconds`` of a row are those of the whole cell, times its share
    of the seeds.
    """
    start = time.perf_counter()
    key, known = tuple(task), boolean(task)
    chosen = {name: value for name, value in sculpting.items() if name == "activation"}
    options = {name: value for name, value in sculpting.items() if name not in chosen}
    result = sculpt(known.model(width, depth, **chosen), known, seeds=SEEDS * groups, progress=False, **options)
    truth = known.truth(hidden_layers=depth)
    facts = {"task": known.name, "use": USES.get(key, key[-1] // 2), "overlap": OVERLAPS.get(key[:-1]), "width": width, "depth": depth}
    rows = [{**question.labels, **facts, **_answer(result, truth, question)} for question in questions]
    seconds = time.perf_counter() - start
    return [{**row, "seconds": round(seconds * row["seeds"] / (SEEDS * groups), 3)} for row in rows]


def _answer(result: SculptResult, truth: nx.DiGraph, question: Question) -> Row:
    """The columns from ``seeds`` to ``valid``."""
    seeds = question.seeds
    facts = {"seeds": len(seeds), "seed": seeds[0], "rule": question.rule}
    candidates = [candidate for candidate in result.candidates if candidate.origin["seed"] in seeds]
    if not candidates:
        best = max(attempt.accuracy for attempt in result.history if attempt.chain.seed in seeds)
        nothing = {"density": None, "edges": None, "units": None, "accuracy": best, "support": None}
        return {**facts, **nothing, **dict.fromkeys(VERDICTS, False)}
    found = choose(candidates, question.rule, **question.options)
    network = found.network
    return {
        **facts,
        "density": network.density,
        "edges": network.edge_count,
        "units": "-".join(map(str, network.unit_counts)),
        "accuracy": network.accuracy,
        "support": found.support,
        **_verdicts(found, truth),
    }


def choose(candidates: Sequence[SparseNetwork], rule: str, **options: Any) -> Any:
    """The hierarchy that a rule chooses: ``"consensus"``, or ``"sparsest"``, which takes the first."""
    from analysis import consensus, detect_modules

    return consensus(candidates, **options) if rule == "consensus" else detect_modules(candidates[0], **options)


def settings_for(task: Task) -> Mapping[str, Any]:
    """What ``sculpt`` is to be given for a task that its default does not learn."""
    return SETTINGS.get(task.name.partition(":")[0], {})


def accuracies_on_test(networks: Sequence[SparseNetwork], task: Task) -> list[float]:
    """The accuracy of each network on the rows of the task that decided nothing."""
    assert task.x_test is not None
    assert task.y_test is not None
    with torch.no_grad():
        outputs = torch.stack([network.model()(task.x_test).t() for network in networks])
    accuracies: list[float] = LOSSES[task.loss].accuracy(outputs, task.y_test.t()).tolist()
    return accuracies


def _verdicts(found: Any, truth: nx.DiGraph) -> dict[str, bool]:
    from analysis import compare

    told = compare(found, truth)
    values = (told.inputs.exact, told.outputs.exact, _hidden_right(found), told.exact, told.connected, bool(told.valid))
    return dict(zip(VERDICTS, values, strict=True))


def _hidden_right(found: Any) -> bool:
    """Whether two modules hold the outputs, and every hidden layer has units of both and of no other."""
    *hidden, outputs = ({int(label) for label in labels if label >= 0} for labels in found.labels[1:])
    return len(outputs) == 2 and all(layer == outputs for layer in hidden)
