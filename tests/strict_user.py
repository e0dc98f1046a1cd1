"""What a user of the public API may write under ``mypy --strict``; read by mypy in ``make check``, never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray
from torch import nn

import analysis
import sculpting
import sculpting.models
import sculpting.narrow
from analysis import LayeredGraph, UnitGraph, compare, consensus, detect_modules
from sculpting import SculptResult, SparseModule, SparseNetwork, sculpt, tasks


def told(event: sculpting.RoundEvent) -> None:
    assert_type(event.attempts, tuple[sculpting.Attempt, ...])


def sculpted(task: sculpting.Task) -> SculptResult:
    training = sculpting.TrainingSettings(steps=200)
    schedule = sculpting.ScheduleSettings(unit_steps=(0.5,))
    result = sculpt(
        nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), task, seeds=2, training=training, schedule=schedule, callback=told
    )
    assert_type(result, SculptResult)
    several = [task.model(width=8), task.model(8, 2)]
    return sculpt(several, (np.eye(4), np.eye(4)), metric=sculpting.group_accuracy(2), progress=False)


def results(result: SculptResult) -> None:
    assert_type(result.accuracy, float)
    assert_type(result.density, float)
    assert_type(result.stop_reason, sculpting.StopReason)
    assert_type(result.history, tuple[sculpting.Attempt, ...])
    assert_type(result.test_accuracy, sculpting.Figure | None)
    assert_type(result.by_output(), dict[str, sculpting.Figure])
    assert_type(result.frontier(), sculpting.Frontier)
    assert_type(result.frontier().plot(), Axes)
    assert_type(result.predict(np.zeros((1, 4))), NDArray[Any])
    assert_type(result.network, SparseNetwork | SparseModule | None)
    repr(result.network.edge_count)  # type: ignore[union-attr]
    assert result.network is not None, result.stop_reason.value
    len(result.network.weights)  # type: ignore[union-attr]
    detect_modules(result.network).draw("modules.svg")
    assert_type(result.report("report.html"), Path)
    for network in result.candidates:
        assert_type(result.trail(network), sculpting.Trail)
        if isinstance(network, SparseNetwork):
            assert_type(network.weights, tuple[NDArray[np.float32], ...])
        assert_type(result.tested(network), sculpting.Figure | None)


def networks(network: SparseNetwork, module: SparseModule) -> None:
    assert_type(network.save("network.safetensors"), Path)
    assert_type(SparseNetwork.load("network.safetensors"), SparseNetwork)
    assert_type(SparseModule.load("module.safetensors"), SparseModule)
    assert_type(network.compact(), SparseNetwork)
    assert_type(network.model(), nn.Sequential)
    assert_type(module.model(), nn.Module)
    assert_type(module.edge_count + network.edge_count, int)
    assert_type(sculpting.from_torch_prune(sculpting.to_torch_prune(network)), SparseNetwork)
    assert_type(sculpting.to_onnx(module, "module.onnx"), Path)
    sculpting.read_model(network.model())
    assert_type(sculpting.models.units(module.model(), np.zeros((1, 4))), sculpting.models.UnitMap)


def modules(result: SculptResult, network: SparseNetwork, module: SparseModule, matrix: NDArray[np.float64]) -> None:
    assert_type(detect_modules(result), analysis.Hierarchy)
    assert_type(detect_modules(network, features="weighted", merge_threshold=0.6), analysis.Hierarchy)
    assert_type(detect_modules(module), analysis.Hierarchy)
    assert_type(detect_modules(LayeredGraph.from_weights([matrix])), analysis.Hierarchy)
    assert_type(detect_modules([matrix, matrix]), analysis.Hierarchy)
    assert_type(detect_modules([[[1.0, 0.0]], [[1.0]]]), analysis.Hierarchy)
    assert_type(detect_modules([network, network]), list[analysis.Hierarchy])
    assert_type(detect_modules((module,)), list[analysis.Hierarchy])
    assert_type(detect_modules([[matrix], [matrix]]), list[analysis.Hierarchy])
    assert_type(detect_modules([[[[1.0, 0.0]]], [[[1.0, 0.0]]]]), list[analysis.Hierarchy])
    detect_modules(3)  # type: ignore[call-overload]
    detect_modules(network, methods="refined")  # type: ignore[call-overload]
    consensus(network)  # type: ignore[arg-type]
    consensus(result, methods="refined")  # type: ignore[call-arg]
    assert_type(consensus(result, halving=0.1, method="published"), analysis.Hierarchy)
    assert_type(consensus(result.candidates), analysis.Hierarchy)
    assert_type(consensus([network, module]), analysis.Hierarchy)
    assert_type(analysis.ModuleDetector(method="published").fit(network).labels_, NDArray[np.int64])
    assert_type([analysis.detect_baseline(network, method) for method in analysis.BASELINES], list[analysis.Hierarchy])
    assert_type(analysis.detect_baseline(network, "spectral", features="weighted", clusters=2), analysis.Hierarchy)
    assert_type(analysis.detect_baseline(network, "leiden", affinity=[[0.0]], resolution=0.5), analysis.Hierarchy)
    assert_type(analysis.planted_hierarchy([2, 2], 8), analysis.Hierarchy)


def hierarchies(found: analysis.Hierarchy, task: sculpting.Task) -> None:
    assert_type(found.modules, tuple[analysis.Module, ...])
    assert_type(found.graph, LayeredGraph | UnitGraph)
    assert_type(analysis.draw(found, "modules.svg"), Axes | None)
    assert_type(analysis.report_text(found), str)
    assert_type(analysis.report_html(found), str)
    analysis.write_report(found, "report.html", candidates=[analysis.Candidate("seed 0", found)])
    comparison = compare(found, task.truth(hidden_layers=2))
    assert_type(comparison, analysis.Comparison)
    assert_type(comparison.score, float)
    assert_type(comparison.exact, bool)
    compare(found, found)
    compare(found, found.labels)
    table = analysis.TruthTable
    kinds: Sequence[type[Any]] = (table, analysis.Boundary, analysis.FunctionMap, analysis.Rate, analysis.Block, analysis.Layer)
    assert kinds


def evidence(found: analysis.Hierarchy, network: SparseNetwork, x: NDArray[np.float64]) -> None:
    assert_type(analysis.significance(found, detect=detect_modules), analysis.Significance)
    assert_type(analysis.significance(found).p_value, float)
    assert_type(analysis.stability([found, found]), analysis.Stability)
    assert_type(analysis.lesions(found, x), analysis.Lesions)
    assert_type(analysis.importance(network, x), analysis.Importance)
    assert_type(analysis.bit_shares(x, x), NDArray[np.float64])
    assert_type(analysis.rewired(network), LayeredGraph | UnitGraph)
    assert_type(analysis.shuffled(network), LayeredGraph | UnitGraph)
    assert_type(analysis.path_products(network), NDArray[np.float64])
    assert_type(analysis.needed_levels(network, x), tuple[NDArray[np.int64], ...])
    assert_type(analysis.carrying_units(network, share=0.8), tuple[int, ...])
    analysis.path_separation(network, [[0], [1]], [[0], [1]])


def functions(found: analysis.Hierarchy, task: sculpting.Task, rates: Mapping[str, Mapping[str, analysis.Rate | None]]) -> None:
    assert_type(analysis.function_map(found, task.truth()), analysis.FunctionMap)
    assert_type(analysis.success_bars(rates), Axes)
    assert_type(analysis.success_map(rates), Axes)
    assert_type(analysis.series_panels({"all": rates}, defaults={}), Canvas)
    assert_type(analysis.success_lines(rates["a"]), Axes)
    assert_type(analysis.score_scatter({"a": ([1.0], [2.0])}), Axes)


def given(table: Any) -> None:
    assert_type(tasks.boolean([4, 1, 4]), sculpting.Task)
    assert_type(tasks.from_gates({"p": "a & b"}), sculpting.Task)
    assert_type(tasks.from_table(table, "y"), sculpting.Task)
    assert_type(tasks.named("both"), sculpting.Task)
    assert_type(tasks.as_task((table, table)), sculpting.Task)


def changed(result: SculptResult, task: sculpting.Task, x: NDArray[np.float64]) -> None:
    found = sculpting.resculpt(result, task, seeds=2, progress=False)
    assert_type(found, sculpting.ResculptResult)
    assert_type(found.network, SparseNetwork)
    assert_type(found.status is sculpting.ResculptStatus.ONE_PART, bool)
    before, after = detect_modules(found.before), detect_modules(found.network)
    assert_type(analysis.keep_modules(before, after), analysis.Hierarchy)
    changes = analysis.changes(before, after)
    assert_type(changes, analysis.Changes)
    assert_type(changes.named, tuple[analysis.ModuleChange, ...])
    for alarm in sculpting.monitor(found, [x], x, rate=0.01):
        assert_type(alarm, sculpting.Alarm)
    assert_type([alarm.modules for alarm in found.monitor([x], modules=before)], list[tuple[int, ...]])
    assert_type(next(result.monitor([x])).changed, bool)


def estimators(x: NDArray[np.float64], y: NDArray[np.int64]) -> None:
    classifier = sculpting.SculptedClassifier(hidden_layer_sizes=(8,), seeds=2).fit(x, y)
    assert_type(classifier.predict_proba(x), NDArray[np.float64])
    assert_type(classifier.hierarchy_, analysis.Hierarchy)
    assert_type(sculpting.SculptedRegressor().fit(x, y).predict(x), NDArray[np.float64])


def narrowed(model: nn.Module, task: sculpting.Task) -> None:
    result = sculpting.narrow.narrow(model, task, sparsity=0.5, method="attribution")
    assert_type(result, sculpting.narrow.NarrowResult)
    assert_type(result.network, SparseNetwork | SparseModule)
    assert_type(detect_modules(result.network), analysis.Hierarchy)
    assert_type(sculpting.narrow.ablation_scores(result.network, task), list[NDArray[np.float64]])


def rows_of(seed: int) -> list[dict[str, str | int | float | bool | None]]:
    return [{"seed": seed}]


def studied() -> None:
    study = sculpting.Study({"one": {"seed": 1}}, rows_of, {}, lambda rows, read: {"n.md": str(len(rows)).encode()})
    with sculpting.workers(2) as executor:
        sculpting.write_rows(sculpting.run(study, "folder", executor=executor), "rows.csv")
    with sculpting.cluster("tcp://scheduler:8786") as executor:
        sculpting.run(study, "folder", executor=executor)
    assert_type(sculpting.CellResult([{"a": 1}]).rows, Sequence[dict[str, Any]])
