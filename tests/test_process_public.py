"""Every public function, and every public class that does something, leaves the process as it was; those left out are named."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import networkx as nx
import numpy as np
import pytest
import torch
from process_state import changes, state
from test_process_state import CHAIN, CNN, NARROW, QUICK, chain, images, rows, unusual

import analysis
import sculpting
from analysis import Rate, detect_modules
from sculpting import narrow, tasks
from sculpting.data import Data
from sculpting.mlp.population import Population
from sculpting.models import Shape, units
from sculpting.randomness import keys

__all__ = ["unusual"]  # a fixture

BASELINES = ("leiden", "infomap", "louvain", "spectral")
PACKAGES = ("sculpting", "sculpting.tasks", "sculpting.narrow", "sculpting.models", "analysis")
VALUES = "it holds values that a call returns; making one does nothing else"
WEIGHTS = [[[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]
BITS = np.array([[a, b, c, d] for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in (0, 1)], dtype=float)
TARGETS = np.stack([BITS[:, 0] * BITS[:, 1], BITS[:, 2] * BITS[:, 3]], axis=1)
DIGITS = np.stack(np.divmod(np.tile(np.arange(64), 2), 8), axis=1)
SMALL = {"rows": 100, "validation": 100, "test": 100}
RATES = {"use 1": {"2 layers": Rate(7, 12), "3 layers": Rate(0, 12)}}
TASK = tasks.from_gates({"y": "(a & b) | c"})


@cache
def hierarchy() -> Any:
    graph = analysis.LayeredGraph.from_weights(WEIGHTS, biases=([-1, -1], [-0.5, -0.5]))
    return detect_modules(graph)


@cache
def result() -> Any:
    return sculpting.sculpt(TASK.model(width=6, hidden_layers=1), TASK, **QUICK | {"min_accuracy": 0.6, "edge_steps": [0.1]})


def network() -> Any:
    return result().candidates[0]


def used(folder: Path) -> None:
    found = result()
    str(found), found.predict(TASK.x), found.history, found.trail(network()), found.report(folder / "report.html")


@cache
def relearnt() -> Any:
    other = tasks.from_gates({"y": "a & b & c"})
    return sculpting.resculpt(network(), other, seeds=1, spare_units=(0,), min_accuracy=0.6, progress=False)


def truth() -> nx.DiGraph:
    return nx.DiGraph(x=BITS, y=TARGETS, gates={"p": TARGETS[:, 0], "q": TARGETS[:, 1]}, users={"p": (0,), "q": (1,)})


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def population() -> Population:
    return Population.uniform(Shape((4, 6, 1), ("relu", "identity")), keys([0]))


def parities() -> Data:
    return Data.of(tasks.cmsp(2, 2))


def studied(folder: Path) -> None:
    study = sculpting.Study({"one": {"x": 1}}, lambda x: [{"x": x}], settings={}, report=lambda rows, read: {})
    sculpting.run(study, folder / "study", progress=False)


def fitted(kind: Any) -> None:
    x, y = (part.numpy() for part in rows())
    model = kind((4,), seeds=1, unit_steps=(0.5,), edge_steps=(0.4,), steps=60, learning_rate=0.03, min_accuracy=0.3, random_state=0)
    model.fit(x, y if kind is sculpting.SculptedClassifier else x[:, 0]).predict(x)


def executed() -> None:
    with sculpting.workers(1):
        pass


def saved(network: Any, folder: Path) -> None:
    path = network.save(folder / "network")
    if isinstance(network, sculpting.SparseNetwork):
        sculpting.SparseNetwork.load(path).predict(TASK.x.numpy())
    else:
        sculpting.SparseModule.load(path, model=CNN).predict(images()[0])


def pruned() -> Any:
    return narrow.prune_units(CNN, narrow.ablation_scores(CNN, images()), 0.4)


def learnt() -> None:
    lengths = {"steps": 4, "batch_size": 4, "learning_rate": 0.01}
    models = Population.uniform(Shape((parities().x.shape[0] - 1, 6, 1), ("relu", "identity")), keys([0]))
    data = narrow.distilled(parities(), models, "bce", 0.5, 2.0)
    narrow.learn(models, data, keys([0]), lasso=narrow.Lasso(1.0), **lengths)


CALLS: dict[str, Callable[[Path], Any]] = {
    "sculpting.sculpt": lambda _: sculpting.sculpt(TASK.model(width=6, hidden_layers=1), TASK, **QUICK),
    "sculpting.read_model": lambda _: sculpting.read_model(CHAIN),
    "sculpting.SculptedClassifier": lambda _: fitted(sculpting.SculptedClassifier),
    "sculpting.SculptedRegressor": lambda _: fitted(sculpting.SculptedRegressor),
    "sculpting.SculptResult": used,
    "sculpting.resculpt": lambda _: relearnt(),
    "sculpting.ResculptResult": lambda _: (str(relearnt()), relearnt().kept),
    "sculpting.monitor": lambda _: list(sculpting.monitor(network(), [TASK.x.numpy()], TASK.x.numpy(), modules=detect_modules(network()))),
    "sculpting.Frontier": lambda _: str(sculpting.Frontier.of(result().candidates, result().dense, TASK)),
    "sculpting.SparseNetwork": lambda folder: saved(network(), folder),
    "sculpting.SparseModule": lambda folder: saved(pruned(), folder),
    "sculpting.group_accuracy": lambda _: sculpting.group_accuracy(2),
    "sculpting.from_torch_prune": lambda _: sculpting.from_torch_prune(sculpting.to_torch_prune(network())),
    "sculpting.to_torch_prune": lambda _: sculpting.to_torch_prune(network()),
    "sculpting.to_onnx": lambda folder: sculpting.to_onnx(network(), folder / "network.onnx"),
    "sculpting.workers": lambda _: executed(),
    "sculpting.run": studied,
    "sculpting.Study": studied,
    "sculpting.write_rows": lambda folder: sculpting.write_rows([{"a": 1}], folder / "rows.csv"),
    "sculpting.tasks.side_by_side": lambda _: tasks.side_by_side(TASK, tasks.from_gates({"z": "a | b"})),
    "sculpting.tasks.boolean": lambda _: tasks.boolean([4, 1, 4]),
    "sculpting.tasks.boolean_tasks": lambda _: [*tasks.boolean_tasks()][:1],
    "sculpting.tasks.named": lambda _: tasks.named("both"),
    "sculpting.tasks.colour_digits": lambda _: tasks.colour_digits(source="digits"),
    "sculpting.tasks.colour_xor": lambda _: tasks.colour_xor(source="digits"),
    "sculpting.tasks.known_set": lambda _: tasks.known_set("iris"),
    "sculpting.tasks.mnist_pair": lambda _: tasks.mnist_pair(source="digits", pairs=100, validation=100, test=100),
    "sculpting.tasks.mnist_xor": lambda _: tasks.mnist_xor(source="digits"),
    "sculpting.tasks.mnist_digits": lambda _: tasks.mnist_digits(source="digits"),
    "sculpting.tasks.by_group": lambda _: tasks.by_group(torch.eye(4)[None], torch.eye(4), groups=2),
    "sculpting.tasks.by_code": lambda _: tasks.by_code(torch.ones(1, 4, 3), torch.ones(4, 3)),
    "sculpting.tasks.as_task": lambda _: tasks.as_task(rows()),
    "sculpting.tasks.from_table": lambda _: tasks.from_table([[0], [1]], [0, 1]),
    "sculpting.tasks.from_file": lambda folder: tasks.from_file(file(folder, "t.csv", "a,b,y\n" + "1,2,0\n2,1,1\n" * 20), target="y"),
    "sculpting.tasks.cmsp": lambda _: tasks.cmsp(2, 2).sample(keys([0]), 0, 4),  # type: ignore[misc]
    "sculpting.tasks.codes_of": lambda _: tasks.codes_of(torch.tensor([[1.0, 1.0, 0.0]]), m=2),
    "sculpting.tasks.compiled": lambda _: tasks.compiled("reverse"),
    "sculpting.tasks.random_gates": lambda _: tasks.random_gates(0),
    "sculpting.tasks.composition": lambda _: tasks.composition(),
    "sculpting.tasks.shared_step": lambda _: tasks.shared_step(),
    "sculpting.tasks.sprite_scenes": lambda _: tasks.sprite_scenes(**SMALL),
    "sculpting.tasks.expression_parity": lambda _: tasks.expression_parity(),
    "sculpting.tasks.sensor_fusion": lambda _: tasks.sensor_fusion(3, **SMALL),
    "sculpting.tasks.two_sums": lambda _: tasks.two_sums(3),
    "sculpting.tasks.Task": lambda _: (TASK.model(6, 1), TASK.truth(1), TASK.constant_accuracy()),
    "sculpting.tasks.from_gates": lambda _: tasks.from_gates({"y": "a & b"}),
    "sculpting.tasks.layers_needed": lambda _: tasks.layers_needed(TASK.gates),
    "sculpting.tasks.named_truth": lambda _: TASK.truth(1),
    "sculpting.tasks.truth_graph": lambda _: tasks.boolean("both").truth(2),
    "sculpting.narrow.narrow": lambda _: narrow.narrow(chain(), rows(), sparsity=0.3, **NARROW),
    "sculpting.narrow.ablation_scores": lambda _: narrow.ablation_scores(CHAIN, rows()),
    "sculpting.narrow.attribution_scores": lambda _: narrow.attribution_scores(CHAIN, rows()),
    "sculpting.narrow.score_correlation": lambda _: narrow.score_correlation([np.array([1.0, 2.0])], [np.array([1.0, 3.0])]),
    "sculpting.narrow.distillation_loss": lambda _: narrow.distillation_loss("bce", 0.5, 2.0),
    "sculpting.narrow.distilled": lambda _: learnt(),
    "sculpting.narrow.Lasso": lambda _: narrow.Lasso(1.0).penalty(population()),
    "sculpting.narrow.learn": lambda _: learnt(),
    "sculpting.narrow.lowest": lambda _: narrow.lowest(torch.rand(1, 6, generator=torch.Generator().manual_seed(0)), population(), 0.5),
    "sculpting.narrow.prune_units": lambda _: pruned(),
    "sculpting.models.units": lambda _: units(CNN, images()[0]),
    "sculpting.models.Chain": lambda _: sculpting.read_model(CHAIN).for_loss("ce"),
    "analysis.consensus": lambda _: analysis.consensus([WEIGHTS], x=BITS),
    "analysis.ModuleDetector": lambda _: analysis.ModuleDetector().fit(WEIGHTS),
    "analysis.detect_baseline": lambda _: [analysis.detect_baseline(WEIGHTS, name) for name in BASELINES],
    "analysis.detect_modules": lambda _: detect_modules(WEIGHTS),
    "analysis.draw": lambda folder: (analysis.draw(hierarchy()), analysis.draw(hierarchy(), folder / "modules.svg")),
    "analysis.bit_shares": lambda _: analysis.bit_shares(DIGITS % 3, DIGITS),
    "analysis.changes": lambda _: str(analysis.changes(hierarchy(), hierarchy(), renamings=9)),
    "analysis.keep_modules": lambda _: str(analysis.keep_modules(hierarchy(), hierarchy())),
    "analysis.importance": lambda _: analysis.importance(hierarchy().graph, BITS, y=TARGETS),
    "analysis.lesions": lambda _: analysis.lesions(hierarchy(), BITS, y=TARGETS),
    "analysis.rewired": lambda _: analysis.rewired(WEIGHTS),
    "analysis.shuffled": lambda _: analysis.shuffled(WEIGHTS),
    "analysis.significance": lambda _: analysis.significance(hierarchy(), nulls=19),
    "analysis.stability": lambda _: analysis.stability([hierarchy()] * 2),
    "analysis.score_scatter": lambda _: analysis.score_scatter({"a": ([0.1], [0.2])}),
    "analysis.success_bars": lambda _: analysis.success_bars(RATES, published=RATES),
    "analysis.success_lines": lambda _: analysis.success_lines({"0.05": Rate(5, 6), "0.1": Rate(6, 6)}, default="0.1"),
    "analysis.success_map": lambda _: analysis.success_map(RATES),
    "analysis.series_panels": lambda _: analysis.series_panels({"all": RATES}, defaults={}),
    "analysis.LayeredGraph": lambda _: (hierarchy().graph.evaluate(BITS), hierarchy().graph.to_networkx()),
    "analysis.UnitGraph": lambda _: analysis.UnitGraph.from_adjacency(np.triu(np.ones((3, 3)), 1)),
    "analysis.carrying_units": lambda _: analysis.carrying_units(WEIGHTS),
    "analysis.needed_levels": lambda _: analysis.needed_levels(hierarchy().graph, BITS),
    "analysis.path_products": lambda _: analysis.path_products(WEIGHTS),
    "analysis.path_separation": lambda _: analysis.path_separation(WEIGHTS, [(0, 1), (2, 3)], [(0,), (1,)]),
    "analysis.Hierarchy": lambda folder: (str(hierarchy()), hierarchy().to_networkx(), hierarchy().draw(folder / "modules.svg")),
    "analysis.report_html": lambda _: analysis.report_html(hierarchy()),
    "analysis.report_text": lambda _: analysis.report_text(hierarchy()),
    "analysis.write_report": lambda folder: analysis.write_report(hierarchy(), folder / "report.html"),
    "analysis.compare": lambda _: str(analysis.compare(hierarchy(), hierarchy())),
    "analysis.function_map": lambda _: analysis.function_map(hierarchy(), truth()),
    "analysis.planted_hierarchy": lambda _: analysis.planted_hierarchy([3, 3], units=40),
}
LEFT_OUT = {
    "sculpting.cluster": "it needs a scheduler of Dask, whose client has threads of its own until the end of the context",
    **dict.fromkeys(
        ["sculpting.tasks.ConvolutionalNetwork", "sculpting.tasks.Transformer"],
        "a module, whose weights are drawn from the generator of torch, as those of any module are",
    ),
    **dict.fromkeys(
        [
            "sculpting.Alarm", "sculpting.ResculptStatus",
            "sculpting.Figure", "sculpting.StopReason", "sculpting.Attempt", "sculpting.RoundEvent", "sculpting.ScheduleSettings",
            "sculpting.TrainingSettings", "sculpting.CellResult", "sculpting.Task", "sculpting.Trail", "sculpting.tasks.GateGraph",
            "sculpting.tasks.CompiledProgram", "sculpting.narrow.ScoreCorrelation", "sculpting.narrow.TrainingResult",
            "sculpting.narrow.UnitScores", "sculpting.narrow.Narrowed", "sculpting.narrow.NarrowResult", "sculpting.narrow.NarrowSettings",
            "sculpting.models.UnitMap", "sculpting.models.Shape", "analysis.Importance", "analysis.Lesions", "analysis.Rate",
            "analysis.Significance", "analysis.Candidate", "analysis.Changes", "analysis.ModuleChange",
            "analysis.Stability", "analysis.Block", "analysis.Layer", "analysis.Module", "analysis.Boundary",
            "analysis.Comparison", "analysis.FunctionMap", "analysis.TruthTable",
        ],
        VALUES,
    ),
    **dict.fromkeys(["sculpting.models.read_model", "sculpting.models.SparseNetwork"], "the same as in sculpting"),
}  # fmt: skip


def public() -> set[str]:
    """The names of all public functions and classes."""
    found = set()
    for name in PACKAGES:
        package = importlib.import_module(name)
        exported = re.findall(r" as (\w+)$", Path(package.__file__ or "").read_text(), re.MULTILINE)
        found |= {f"{name}.{word}" for word in exported if callable(getattr(package, word))}
    return found


def test_every_public_function_and_class_is_called_or_left_out_for_a_reason() -> None:
    names = public()
    assert len(names) > 100
    assert CALLS.keys() | LEFT_OUT.keys() == names
    assert not CALLS.keys() & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize("name", CALLS)
def test_a_public_call_leaves_the_process_as_it_was(name: str, tmp_path: Path, unusual: dict[str, Any]) -> None:
    mpl.use("agg")
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    CALLS[name](first)  # the first call may import packages, which enter filters and variables of their own
    before, there = state(), os.getcwd()
    CALLS[name](second)
    assert changes(before, state()) == {}
    assert os.getcwd() == there
    generators = ("random", "numpy", "torch")
    assert [before[part] for part in generators] == [unusual[part] for part in generators]  # nor did the first
