"""Metrics by rows, against scikit-learn's; figures and their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, r2_score

from sculpting.metrics import METRICS, figure_of, group_accuracy, metric_of

G = torch.Generator().manual_seed(0)
ROWS = 40


def one_hot(classes: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(classes, 3).float().t()


def test_classes_agree_with_scikit_learn() -> None:
    y, z = torch.randint(0, 3, (ROWS,), generator=G) * torch.randint(0, 2, (ROWS,), generator=G), torch.randn(2, 3, ROWS, generator=G)
    for name, score in (("accuracy", accuracy_score), ("balanced accuracy", balanced_accuracy_score)):
        found = METRICS["ce"][name].rows(z, one_hot(y))
        assert found.shape == (2, 1, ROWS)
        assert found.dtype == torch.float64
        assert found.mean(dim=2).flatten().tolist() == pytest.approx([score(y, each.argmax(dim=0)) for each in z])


def test_bits_are_judged_output_by_output() -> None:
    y, z = (torch.rand(2, ROWS, generator=G) > 0.7).float(), torch.randn(1, 2, ROWS, generator=G)
    for name, score in (("accuracy", accuracy_score), ("balanced accuracy", balanced_accuracy_score)):
        found = METRICS["bce"][name].rows(z, y)[0].mean(dim=1)
        assert found.tolist() == pytest.approx([score(y[i], z[0, i] > 0) for i in range(2)])


def test_balanced_accuracy_of_a_column_with_one_value_is_its_accuracy() -> None:
    y, z = torch.ones(1, 4), torch.tensor([[[1.0, 1.0, 1.0, -1.0]]])
    assert METRICS["bce"]["balanced accuracy"].rows(z, y).mean().item() == 0.75


def test_groups_of_outputs_are_judged_by_their_largest_output() -> None:
    classes, z = torch.randint(0, 3, (2, ROWS), generator=G), torch.randn(4, 6, ROWS, generator=G)
    metric = metric_of(group_accuracy(2), "bce")
    found = metric.rows(z, torch.cat([*map(one_hot, classes)]))
    assert (metric.name, found.shape, found.dtype) == ("group accuracy", (4, 2, ROWS), torch.float64)
    for each, scores in zip(z, found.mean(dim=2).tolist(), strict=True):
        assert scores == pytest.approx([accuracy_score(classes[i], each[3 * i : 3 * i + 3].argmax(dim=0)) for i in range(2)])


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_r_squared_does_not_depend_on_the_scale(scale: float) -> None:
    y = torch.randn(2, ROWS, generator=torch.Generator().manual_seed(1))
    z = y + 0.3 * torch.randn(2, ROWS, generator=torch.Generator().manual_seed(2))
    found = METRICS["mse"]["R2"].rows(scale * z.unsqueeze(0), scale * y)[0].mean(dim=1)
    assert found.tolist() == pytest.approx([r2_score(y[i], z[i]) for i in range(2)], rel=1e-5)
    assert METRICS["mse"]["R2"].rows(torch.zeros(1, 2, ROWS), scale * y).mean().item() < 0.01  # a constant answer explains nothing


def test_functions_get_what_those_of_scikit_learn_get() -> None:
    seen = []

    def score(targets: np.ndarray, answers: np.ndarray) -> float:
        seen.append((targets.shape, answers.shape))
        return float(f1_score(targets, answers, average="macro"))

    y, z = torch.randint(0, 3, (ROWS,), generator=G), torch.randn(2, 3, ROWS, generator=G)
    metric = metric_of(score, "ce")
    assert metric.name == "score"
    assert metric.rows(z, one_hot(y)).flatten().tolist() == pytest.approx([f1_score(y, each.argmax(dim=0), average="macro") for each in z])
    assert seen == [((ROWS,), (ROWS,))] * 2
    bits = (torch.rand(2, ROWS, generator=G) > 0.5).float()
    assert metric_of(accuracy_score, "bce").rows(bits.unsqueeze(0) - 0.5, bits).flatten().tolist() == [1.0]
    assert metric_of(r2_score, "mse").rows(bits.unsqueeze(0), bits).flatten().tolist() == [1.0]


def test_names_are_found_whatever_their_capitals() -> None:
    assert metric_of("balanced_accuracy", "ce") is METRICS["ce"]["balanced accuracy"]
    assert metric_of("r2", "mse") is METRICS["mse"]["R2"]
    with pytest.raises(ValueError, match=r"metric must be one of \['R2'\] for loss 'mse', or a function of \(targets, answers\); got 'f1'"):
        metric_of("f1", "mse")


def test_figures_have_intervals() -> None:
    right = torch.ones(1, 50, dtype=torch.float64)
    right[0, :5] = 0
    found = figure_of(right, METRICS["ce"]["accuracy"], 50)
    assert (found.value, found.low, found.high) == pytest.approx((0.9, 0.78640, 0.95652), abs=2e-5)  # Wilson, by hand
    normal = figure_of(right, METRICS["mse"]["R2"], 50)
    assert normal.high - normal.value == pytest.approx(1.96 * float(right.std()) / math.sqrt(50))
    alone = figure_of(torch.tensor([[0.7]]), metric_of(accuracy_score, "ce"), 50)
    assert math.isnan(alone.low)
