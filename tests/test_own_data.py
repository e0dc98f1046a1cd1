"""Own data, end to end: the paired test, nothing where there is nothing, figures on test rows, the frontier."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.metrics import f1_score
from torch import nn

from sculpting import StopReason, sculpt
from sculpting.metrics import group_accuracy
from sculpting.schedule.acceptance import AcceptanceCriterion, PairedTest
from sculpting.sculptor import _identity

QUICK: dict[str, Any] = {"seeds": 2, "unit_steps": [0.3], "edge_steps": [0.05], "progress": False}


def mlp(*widths: int) -> nn.Sequential:
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


@pytest.fixture(scope="module")
def iris() -> Any:
    x, y = load_iris(return_X_y=True)
    return sculpt(mlp(4, 8, 3), (x, y), **QUICK)


def scores(*lost: tuple[int, int]) -> torch.Tensor:
    """Of networks that have so many of 100 rows wrong that the reference has right, and so many right that it has wrong (of ten)."""
    found = torch.ones(len(lost), 1, 100, dtype=torch.float64)
    found[:, :, :10] = 0
    for row, (worse, better) in enumerate(lost):
        found[row, :, 100 - worse :] = 0
        found[row, :, :better] = 1
    return found


def test_networks_are_compared_row_by_row() -> None:
    constant = torch.zeros(1, 100, dtype=torch.float64)
    criterion = AcceptanceCriterion(tolerance=0.02, test=PairedTest(0.8, constant))
    assert criterion.accepts(torch.zeros(1), "edges", scores((0, 0))).tolist() == [True]  # nothing is known yet
    assert criterion.follow(torch.tensor([0.9]), scores((0, 0)), tried=5)
    assert criterion.min_accuracy == pytest.approx(0.88)
    # The bound at 80 % is the mean difference less 0.84 standard errors: by hand -0.01 - 0.0084, -0.02 - 0.0118, and
    # -0.0169 for two rows lost and two won.
    assert criterion.accepts(torch.zeros(4), "edges", scores((0, 0), (1, 0), (2, 0), (2, 2))).tolist() == [True, True, False, True]
    criterion.reserve = 0.01
    assert criterion.accepts(torch.zeros(2), "units", scores((0, 0), (1, 0))).tolist() == [True, False]


def test_one_row_of_few_may_always_be_lost() -> None:
    few = torch.ones(2, 1, 20, dtype=torch.float64)
    few[1, 0, 0] = 0
    test = PairedTest(0.8, torch.zeros(1, 20, dtype=torch.float64), row_share=1 / 20)
    criterion = AcceptanceCriterion(tolerance=0.02, test=test)
    assert criterion.follow(torch.tensor([1.0]), few[:1], tried=1)
    assert criterion.accepts(torch.zeros(2), "edges", few).tolist() == [True, True]
    few[1, 0, 1] = 0
    assert criterion.accepts(torch.zeros(2), "edges", few).tolist() == [True, False]


def test_a_constant_is_never_accepted() -> None:
    constant = torch.zeros(1, 100, dtype=torch.float64)
    constant[:, :89] = 1
    criterion = AcceptanceCriterion(tolerance=0.05, test=PairedTest(0.5, constant))
    dense = torch.ones(1, 1, 100, dtype=torch.float64)
    dense[:, :, 93:] = 0  # 93 right where the constant has 89
    assert criterion.follow(torch.tensor([0.93]), dense, tried=1)
    assert criterion.accepts(torch.zeros(2), "edges", torch.cat([dense, constant.unsqueeze(0)])).tolist() == [True, False]


def test_the_worst_output_counts() -> None:
    two = torch.ones(1, 2, 100, dtype=torch.float64)
    two[0, 1, :5] = 0
    criterion = AcceptanceCriterion(min_accuracy=0.96, test=PairedTest(0.5, torch.zeros(2, 100)))
    assert two.mean() > 0.96
    assert criterion.accepts(torch.zeros(1), "edges", two).tolist() == [False]
    criterion.min_accuracy = 0.94
    assert criterion.accepts(torch.zeros(1), "edges", two).tolist() == [True]


def test_networks_must_fit_the_training_rows_as_dense_ones_do() -> None:
    right = torch.ones(2, 1, 100, dtype=torch.float64)
    constant = torch.zeros(1, 100, dtype=torch.float64)
    for dense_fit, needed in ((1.0, 0.98), (0.9, 0.88)):  # the validation rows have 1.0, less the tolerance, or the training rows less
        criterion = AcceptanceCriterion(tolerance=0.02, test=PairedTest(0.8, constant))
        assert criterion.follow(torch.tensor([1.0]), right[:1], torch.tensor([[dense_fit]]), tried=1)
        fit = torch.tensor([[needed], [needed - 0.001]], dtype=torch.float64)
        assert criterion.accepts(torch.zeros(2), "edges", right, fit).tolist() == [True, False]
    asked = AcceptanceCriterion(min_accuracy=0.95, test=PairedTest(0.8, constant))
    assert asked.accepts(torch.zeros(2), "edges", right, torch.tensor([[0.95], [0.94]], dtype=torch.float64)).tolist() == [True, False]


def test_more_networks_need_a_clearer_gain() -> None:
    constant = torch.zeros(1, 100, dtype=torch.float64)
    constant[:, :50] = 1
    gain = torch.ones(1, 1, 100, dtype=torch.float64)
    gain[:, :, :40] = 0  # 60 right where the constant has 50: p = 0.16
    test = PairedTest(0.8, constant)
    assert not test.learnt(gain, tried=1)
    gain[:, :, 25:40] = 1  # 75 right: t = 3.26
    assert test.learnt(gain, tried=1)
    assert not test.learnt(gain, tried=1000)


def test_random_labels_end_with_nothing() -> None:
    ended = []
    for seed in range(12):
        g = np.random.default_rng(seed)
        result = sculpt(mlp(6, 16, 2), (g.normal(size=(200, 6)), g.integers(0, 2, 200)), **QUICK)
        ended.append(result.stop_reason)
        if result.network is None:
            assert "more than chance explains" in str(result)
            assert result.test_accuracy is None
            assert not any(attempt.accepted for attempt in result.history)
    assert ended.count(StopReason.NOTHING_LEARNT) >= 11


def test_the_printout_leads_with_the_test_figure(iris: Any) -> None:
    first, *others = str(iris).splitlines()
    figure = iris.test_accuracy
    assert first == f"test accuracy   {figure}; dense {iris.dense_test_accuracy.value:.3f}"
    assert figure.rows == 30
    assert 0 <= figure.low < figure.value <= figure.high <= 1
    assert any(line.startswith("validation accuracy   ") and "by a paired test" in line for line in others)
    x, y = load_iris(return_X_y=True)
    rows = iris.task.x_test.numpy()
    assert figure.value == pytest.approx(float((iris.predict(rows) == iris.task.y_test.argmax(dim=1).numpy()).mean()))
    assert float((iris.predict(x) == y).mean()) > 0.85


def test_the_frontier_holds_what_no_other_candidate_beats(iris: Any) -> None:
    frontier = iris.frontier()
    edges, figures = [p.edges for p in frontier.points], [p.validation.value for p in frontier.points]
    assert edges == sorted(set(edges))
    assert figures == sorted(set(figures))
    assert frontier.points[0].edges == iris.network.edge_count
    for network in iris.candidates:
        assert any(p.edges <= network.edge_count and p.validation.value >= network.accuracy - 1e-9 for p in frontier.points)
    assert str(frontier).splitlines()[0] == "edges   validation accuracy   test accuracy"
    ax = frontier.plot()
    assert ax.get_xlabel() == "edges"
    assert len(ax.get_legend().get_texts()) == 3


def test_the_metric_is_named_everywhere() -> None:
    g = np.random.default_rng(0)
    x = g.normal(size=(300, 4))
    rare = (x[:, 0] + x[:, 1] > 1).astype(int)
    result = sculpt(mlp(4, 8, 2), (x, rare), **QUICK, metric="balanced accuracy")
    assert result.metric == "balanced accuracy"
    assert "test balanced accuracy" in str(result)
    assert result.accuracy > 0.8  # the constant answer has half
    own = sculpt(mlp(4, 8, 2), (x, rare), **QUICK, metric=f1_score)
    assert own.metric == "f1_score"
    assert math.isnan(own.test_accuracy.low)
    numbers = sculpt(mlp(4, 8, 2), (x, x[:, :2]), **QUICK)
    assert numbers.metric == "R2"
    assert "worst output" in str(numbers)
    assert set(numbers.by_output()) == {"y0", "y1"}


def test_a_function_sees_targets_in_their_own_units() -> None:
    g = np.random.default_rng(0)
    x = g.normal(size=(200, 3))
    seen = []

    def closeness(targets: np.ndarray, answers: np.ndarray) -> float:
        seen.append(float(targets.mean()))
        return -float(np.abs(targets - answers).mean())

    result = sculpt(mlp(3, 8, 1), (x, 1000 + 50 * x[:, 0]), **QUICK, metric=closeness, tolerance=0.5)
    assert min(seen) > 900
    rows, targets = result.task.x_validation.numpy(), result.task.y_validation.numpy()
    assert result.accuracy == pytest.approx(closeness(targets, result.predict(rows)), rel=1e-3)


def test_a_metric_needs_a_test() -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(
        ValueError, match="metric must be 'accuracy' where no paired test decides; got 'balanced accuracy', and confidence is"
    ):
        sculpt(mlp(4, 8, 3), (x, y), **QUICK, metric="balanced accuracy", confidence=None)


def test_a_checkpoint_tells_metrics_apart_in_another_process() -> None:
    assert _identity(None) is None
    assert _identity("R2") == "R2"
    assert _identity(f1_score) == ("sklearn.metrics._classification", "f1_score")
    assert _identity(partial(f1_score, average="macro")) == (_identity(f1_score), "()", "[('average', 'macro')]")
    assert _identity(group_accuracy(2)) == (("sculpting.metrics", "_right_groups"), "()", "[('groups', 2)]")


def test_without_test_rows_only_validation_figures_are_shown() -> None:
    x, y = load_iris(return_X_y=True)
    result = sculpt(mlp(4, 8, 3), (x, y), **QUICK, test=0)
    assert result.test_accuracy is None
    assert not str(result).startswith("test")
    assert all(point.test is None for point in result.frontier().points)
    with pytest.raises(ValueError, match=r"x must be of shape \(rows, 4\); got \(2, 3\)"):
        result.predict(np.zeros((2, 3)))
