"""Distillation against autograd; ``narrow`` on small parities: what it keeps, what it forgets, what it counts, what it refuses."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from test_training import alone, as_row, data_for, make
from torch import Tensor, nn

from sculpting import SparseNetwork
from sculpting.data import Data
from sculpting.mlp.population import Population
from sculpting.mlp.training import evaluate, gradient
from sculpting.models.shape import Shape
from sculpting.narrow import Lasso, NarrowResult, distillation_loss, distilled, learn, narrow
from sculpting.narrow.runs import shares_of
from sculpting.randomness import keys
from sculpting.tasks import Task, cmsp

METHODS = ("group-lasso", "first-order", "activation-gradient", "ablation", "random", "distill", "scratch")


def mixed_loss(loss: str, z: Tensor, y: Tensor, logits: Tensor, mixing: float, temperature: float) -> Tensor:
    """By PyTorch's own losses; rows first."""
    if loss == "ce":
        hard = F.cross_entropy(z, y.argmax(dim=1))
        soft = F.kl_div(F.log_softmax(z / temperature, 1), F.softmax(logits / temperature, 1), reduction="batchmean")
    else:
        hard = F.binary_cross_entropy_with_logits(z, y)
        target = torch.sigmoid(logits / temperature)
        entropy = F.binary_cross_entropy(target, target)
        soft = F.binary_cross_entropy_with_logits(z / temperature, target) - entropy
    return (1 - mixing) * hard + mixing * temperature**2 * soft


@pytest.mark.parametrize(("mixing", "temperature"), [(0.0, 2.0), (0.5, 2.0), (0.9, 20.0), (1.0, 0.5)])
@pytest.mark.parametrize("loss", ["bce", "ce"])
def test_gradient_and_mean_of_the_mixed_loss_are_those_of_autograd(loss: str, mixing: float, temperature: float) -> None:
    population, teacher, data = make((4, 6, 5, 3), 3), make((4, 8, 3), 1, seed=5), data_for(loss, (4, 3))
    both = distilled(data, teacher, loss, mixing, temperature)
    found, score, plain = gradient(population, both), evaluate(population, both), evaluate(population, data)
    with torch.no_grad():
        logits = alone(teacher, 0)[0](data.x[:-1].t())
    for member in range(3):
        model, _ = alone(population, member)
        value = mixed_loss(loss, model(data.x[:-1].t()), data.y.t(), logits, mixing, temperature)
        value.backward()
        expected = as_row(model, [p.grad for p in model.parameters()])
        torch.testing.assert_close(found[member], expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
        assert score.loss[member].item() == pytest.approx(value.item(), rel=1e-4, abs=1e-6)
    assert torch.equal(score.accuracy, plain.accuracy)


@pytest.mark.parametrize("loss", ["bce", "ce"])
def test_without_the_teacher_distillation_is_the_plain_loss(loss: str) -> None:
    population, data = make((4, 6, 3), 2), data_for(loss, (4, 3))
    alike = distilled(data, make((4, 8, 3), 1, seed=5), loss, 0.0, 3.0)
    given = {"steps": 12, "batch_size": 6, "learning_rate": 0.01}
    plain, mixed = (learn(population, rows, keys([0, 1]), **given) for rows in (data, alike))
    torch.testing.assert_close(plain.population.values, mixed.population.values)
    torch.testing.assert_close(plain.score.loss, mixed.score.loss)


def test_a_student_learns_from_the_teacher_alone_what_the_targets_do_not_say() -> None:
    """Targets are all wrong; with a mixing of 1 the student follows the teacher all the same."""
    task, key = cmsp(1, 2), keys([0, 1, 2])
    data = Data.of(task)
    given = {"batch_size": 4, "steps": 800, "learning_rate": 0.01}
    teacher = learn(Population.uniform(Shape((3, 24, 1), ("relu", "identity")), key[:1]), data, key[:1], target=1.0, **given)
    assert teacher.score.accuracy.item() == 1.0
    wrong = replace(data, table=torch.cat([data.x, 1 - data.y]), y_validation=1 - data.y_validation)
    students = Population.uniform(Shape((3, 12, 1), ("relu", "identity")), key)
    learnt = learn(students, distilled(wrong, teacher.population, "bce", 1.0, 2.0), key, **given)
    assert learnt.score.accuracy.tolist() == [0.0] * 3
    assert evaluate(learnt.population, data).accuracy.tolist() == [1.0] * 3


def test_rows_that_are_drawn_at_every_step_bring_the_teachers_logits() -> None:
    task, teacher = cmsp(2, 2, n=20, rows=30), make((22, 8, 1), 1, kept=1.0)
    data, key = Data.of(task), keys(["a", "b", "c"])
    both = distilled(data, teacher, "bce", 0.5, 2.0)
    assert both.y.shape == both.y_validation.shape == (2, 30)
    x, y = both.sample(key, 7, 10)
    expected_x, expected_y = task.sample(key, 7, 10)
    assert torch.equal(x, expected_x)
    assert torch.equal(y[:, :1], expected_y)
    model, _ = alone(teacher, 0)
    with torch.no_grad():
        for member in range(3):
            torch.testing.assert_close(y[member, 1:], model(x[member].t()).t())
        torch.testing.assert_close(both.y[1:], model(task.x).t())
        torch.testing.assert_close(both.y_validation[1:], model(task.x_validation).t())
    students = Population.uniform(Shape((22, 6, 1), ("relu", "identity")), key)
    learnt = learn(students, both, key, steps=4, batch_size=10, learning_rate=0.01)
    assert bool((learnt.population.values != students.values).any(dim=1).all())


def test_distillation_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"the loss must be one of \['bce', 'ce'\]; got 'mse'"):
        distillation_loss("mse", 0.5, 2.0)
    for mixing in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"mixing must be the share of the teacher's outputs in the loss, in \[0, 1\]; got"):
            distillation_loss("ce", mixing, 2.0)
    for temperature in (0.0, -2.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="temperature must be a positive number; got"):
            distillation_loss("ce", 0.5, temperature)
    data = data_for("ce", (4, 3))
    for teacher, text in (
        (make((4, 5, 3), 2), "got 2 of 4 and 3 that ends in identity"),
        (make((5, 5, 3), 1), "got 1 of 5 and 3"),
        (make((4, 5, 2), 1), "got 1 of 4 and 2"),
        (replace(make((4, 5, 3), 1), shape=Shape((4, 5, 3), ("relu", "sigmoid"))), "that ends in sigmoid"),
    ):
        with pytest.raises(ValueError, match=f"the teacher must be one network of 4 inputs and 3 outputs that ends in a Linear.*{text}"):
            distilled(data, teacher, "ce", 0.5, 2.0)


BROAD, KEEP, FORGET = (cmsp(2, 3, codes=codes) for codes in ([[0], [1]], [[0]], [[1]]))
PRIVATE = [BROAD.input_names.index(f"b1_{i}") for i in range(3)]  # the bits that only the forgotten parity reads
QUICK = {"batch_size": 64, "learning_rate": 0.003, "recovery_steps": 100, "revival_steps": 100, "steps": 300}


@cache
def broad_model() -> SparseNetwork:
    """A network of 2 x 16 hidden units that does both parities."""
    model = narrow(
        BROAD.model(16, 2, activation="relu"), BROAD, method="scratch", sparsity=0, steps=2000, batch_size=64, learning_rate=0.003,
        target=1.0, seed=1,
    )  # fmt: skip
    assert model.accuracy_keep == 1.0
    return model.network


def phases(result: NarrowResult, phase: str) -> list[object]:
    return [stage for stage in result.history if stage.phase == phase]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_networks_of_the_size_asked_for_that_are_what_the_history_says(method: str) -> None:
    model = broad_model()
    before = deepcopy(model)
    result = narrow(model, KEEP, FORGET, method=method, units=[10, 20], seeds=2, **QUICK)
    assert [(one.seed, one.asked) for one in result.narrowed] == [(0, 10), (1, 10), (0, 20), (1, 20)]
    for one, learnt, revived in zip(result.narrowed, phases(result, "learnt"), phases(result, "revived"), strict=True):
        assert one.units <= one.asked
        assert one.units == sum(one.network.widths[1:-1])
        assert (learnt.seed, learnt.asked, learnt.examples) == (one.seed, one.asked, one.examples)
        assert learnt.units <= one.asked if method == "group-lasso" else learnt.units == one.asked
        for task, accuracy in ((KEEP, one.accuracy_keep), (FORGET, one.accuracy_forget)):
            z = one.network.model()(task.x_validation)
            assert ((z > 0) == (task.y_validation > 0.5)).double().mean().item() == accuracy
        assert (learnt.accuracy_keep, learnt.accuracy_forget) == (one.accuracy_keep, one.accuracy_forget)
        assert revived.accuracy_forget == one.accuracy_revived
        assert one.network.accuracy == one.accuracy_keep
        assert one.network.origin == {"method": method, "seed": one.seed, "units": one.asked, "task": KEEP.name}
        assert one.network.input_names == KEEP.input_names
        assert one.reached
    start = phases(result, "model")
    assert [(s.seed, s.asked, s.examples, s.accuracy_keep, s.accuracy_forget) for s in start] == [(i, None, 0, 1.0, 1.0) for i in (0, 1)]
    best = result.best
    assert best.accuracy_keep == max(one.accuracy_keep for one in result.narrowed) == result.accuracy_keep
    shown = (result.network, result.units, result.examples, result.accuracy_forget, result.accuracy_revived)
    assert shown == (best.network, best.units, best.examples, best.accuracy_forget, best.accuracy_revived)
    assert len(str(result).splitlines()) == 6
    assert all(np.array_equal(a, b) for a, b in zip(model.weights, before.weights, strict=True))


def test_after_a_group_lasso_on_one_parity_the_bits_of_the_other_are_cut_off_and_training_does_not_bring_it_back() -> None:
    """The adversary has as many steps as brought the same model, pruned without a lasso, back to the forgotten parity."""
    given = {**QUICK, "seeds": 3, "revival_steps": 150}
    lassoed = narrow(broad_model(), KEEP, FORGET, lasso=Lasso(1.5), **{**given, "steps": 2000})
    pruned = narrow(broad_model(), KEEP, FORGET, method="ablation", units=28, **given)
    for one in lassoed.narrowed:
        assert one.units < 28
        assert one.accuracy_keep == 1.0
        assert one.accuracy_forget == pytest.approx(0.5, abs=0.1)
        assert one.accuracy_revived < 0.85
        assert [stage.units for stage in phases(lassoed, "group-lasso") if stage.seed == one.seed] == [one.units]
        weights = np.abs(one.network.weights[0])
        assert weights[:, PRIVATE].max() < 0.2 * weights[:, [2, 3, 4]].max()
    assert min(one.accuracy_revived for one in pruned.narrowed) > 0.9


def test_examples_are_those_of_all_phases_and_those_until_the_target() -> None:
    """64 rows in batches of 48 are two steps an epoch, the second of 16."""
    given = {**QUICK, "batch_size": 48}
    lassoed = narrow(broad_model(), KEEP, method="group-lasso", sparsity=0.5, **given)
    assert [(s.phase, s.examples) for s in lassoed.history] == [
        ("model", 0), ("group-lasso", 150 * 64), ("pruned", 150 * 64), ("learnt", 200 * 64)
    ]  # fmt: skip
    assert np.isnan([lassoed.accuracy_forget, lassoed.accuracy_revived]).all()
    aimed = narrow(broad_model(), KEEP, method="scratch", units=32, target=0.9, **{**given, "steps": 2000, "check_every": 10})
    assert aimed.best.reached
    assert 0 < aimed.examples < 1000 * 64
    assert aimed.examples % 320 == 0
    missed = narrow(broad_model(), KEEP, method="scratch", units=4, target=1.0, **{**given, "steps": 20})
    assert (missed.best.reached, missed.examples) == (False, 10 * 64)
    there = narrow(broad_model(), KEEP, FORGET, method="ablation", sparsity=0.0, target=1.0, **{**given, "revival_steps": 0})
    assert (there.best.reached, there.examples, there.units) == (True, 0, 32)
    assert np.isnan(there.accuracy_revived)
    assert not phases(there, "revived")


def test_without_recovery_the_model_is_pruned_and_no_more() -> None:
    result = narrow(broad_model(), KEEP, FORGET, method="ablation", sparsity=[0.0, 0.5], **{**QUICK, "recovery_steps": 0})
    whole, half = result.narrowed
    assert [stage.examples for stage in result.history if stage.phase != "revived"] == [0] * 5
    for found, expected in zip(whole.network.weights, broad_model().weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    rows = {tuple(row) for row in broad_model().weights[0].tolist()}
    assert all(tuple(row) in rows for row in half.network.weights[0].tolist())
    assert half.units == 16


def test_a_seed_means_the_same_whatever_is_narrowed_beside_it() -> None:
    for method in ("random", "scratch", "group-lasso"):
        given = {**QUICK, "method": method, "steps": 40, "recovery_steps": 20, "batch_size": 16}
        together = narrow(broad_model(), KEEP, seeds=3, units=[12, 20], **given)
        single = narrow(broad_model(), KEEP, seed=2, units=20, **given)
        other = next(one for one in together.narrowed if (one.seed, one.asked) == (2, 20))
        assert other.network.widths == single.network.widths
        for found, expected in zip(other.network.weights, single.network.weights, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-4)
        first = together.narrowed[3].network.weights[0]
        assert first.shape != other.network.weights[0].shape or not np.allclose(first, other.network.weights[0])


def test_a_student_is_taught_by_the_model_as_much_as_the_mixing_says() -> None:
    given = {**QUICK, "units": 12, "steps": 40, "batch_size": 16, "recovery_steps": 0}
    scratch = narrow(broad_model(), KEEP, method="scratch", **given).network.weights[0]
    untaught, taught = (narrow(broad_model(), KEEP, method="distill", mixing=m, **given).network.weights[0] for m in (0.0, 0.9))
    np.testing.assert_allclose(untaught, scratch, atol=1e-5)
    assert np.abs(taught - scratch).max() > 1e-3


def test_the_best_is_the_most_accurate_then_the_smallest_then_the_first() -> None:
    small, large = (narrow(broad_model(), KEEP, method="random", units=size, **{**QUICK, "steps": 1}).best for size in (8, 16))
    found = [
        replace(large, accuracy_keep=0.9),
        replace(small, accuracy_keep=0.9),
        replace(small, accuracy_keep=0.9),
        replace(small, accuracy_keep=0.8),
    ]
    assert NarrowResult("random", tuple(found), ()).best is found[1]


def test_each_layer_loses_its_share_where_that_is_asked_for() -> None:
    stage = {**QUICK, "recovery_steps": 0, "revival_steps": 0}
    result = narrow(broad_model(), KEEP, method="random", sparsity=0.5, scope="layer", **stage)
    assert result.network.widths[1:-1] == (8, 8)


def test_shares_of_units_follow_the_widths() -> None:
    assert shares_of((16, 16), 8) == [4, 4]
    assert shares_of((16, 16), 9) == [5, 4]
    assert shares_of((30, 10), 12) == [9, 3]
    assert shares_of((10, 3), 6) == [5, 1]
    assert shares_of((100, 1), 2) == [1, 1]
    assert shares_of((7, 5, 3), 15) == [7, 5, 3]
    for units in range(3, 16):
        shares = shares_of((7, 5, 3), units)
        assert sum(shares) == units
        assert all(1 <= share <= width for share, width in zip(shares, (7, 5, 3), strict=True))


def test_students_have_biases_where_the_model_has_some() -> None:
    model = nn.Sequential(nn.Linear(8, 6, bias=False), nn.ReLU(), nn.Linear(6, 1))
    result = narrow(model, KEEP, method="scratch", units=3, **{**QUICK, "steps": 4})
    assert result.network.biases[0].tolist() == [0.0] * 3
    assert result.network.biases[1].item() != 0.0


def test_pairs_of_arrays_and_classes_do_too() -> None:
    """Two classes and a softmax; accuracies are on the fifth of the rows that is held out."""
    x, y = KEEP.x.repeat(2, 1), KEEP.y[:, 0].long().repeat(2)
    model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 2), nn.Softmax(dim=1))
    result = narrow(model, (x, y), (x.flip(1), y), method="distill", units=5, **{**QUICK, "steps": 20})
    assert result.network.head == "softmax"
    assert result.network.loss == "ce"
    assert result.network.widths == (8, 5, 2)


def test_accuracies_are_on_the_test_rows_and_validation_rows_decide_when_to_stop() -> None:
    """The test rows here say the opposite of the others."""
    task = replace(KEEP, x_test=KEEP.x, y_test=1 - KEEP.y)
    result = narrow(broad_model(), task, method="ablation", sparsity=0.0, target=1.0, **QUICK)
    assert (result.best.reached, result.examples, result.accuracy_keep) == (True, 0, 0.0)
    assert result.best.accuracy_validation == 1.0


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"method": "sculpt"}, r"method must be one of \['ablation', .* 'scratch'\]; got 'sculpt'"),
        ({"method": "random"}, r"method 'random' needs a size: give units, 1...32, or sparsity, in \[0, 1\)"),
        ({"units": 8, "sparsity": 0.5}, "give units or sparsity, not both; got 8 and 0.5"),
        ({"units": 33}, r"units must be whole numbers in 1...32: a narrow network has at most .*; got 33"),
        ({"method": "scratch", "units": 1}, r"units must be whole numbers in 2...32: .*, and one in each layer; got 1"),
        ({"method": "distill", "sparsity": 0.99}, r"units must be whole numbers in 2...32: .*; got 1"),
        ({"units": []}, r"units must be whole numbers in 1...32: .*; got none"),
        ({"units": 1, "scope": "layer"}, r"units must be whole numbers in 2...32: .*, and one in each layer; got 1"),
        ({"learning_rate": [0.1, 0.2]}, r"learning_rate must be one positive number; got \[0.1, 0.2\]"),
        ({"learning_rate": float("inf")}, "learning_rate must be one positive number; got inf"),
        ({"max_members": -1}, "max_members must be a whole number of at least 1; got -1"),
        ({"seed": 1.5}, "seed must be a whole number of at least 0; got 1.5"),
        ({"units": 2.5}, r"units must be whole numbers in 1...32: .*; got 2.5"),
        ({"sparsity": 1.0}, r"sparsity must be the fraction of units to remove, in \[0, 1\); got 1.0"),
        ({"sparsity": [0.5, -0.5]}, r"sparsity must be the fraction of units to remove, in \[0, 1\); got -0.5"),
        ({"target": 2.0}, r"target must be an accuracy in \(0, 1\]; got 2.0"),
        ({"scope": "all"}, r"scope must be one of \['global', 'layer'\]; got 'all'"),
        ({"steps": 0}, "steps must be a whole number of at least 1; got 0"),
        ({"revival_steps": -1}, "revival_steps must be a whole number of at least 1; got -1"),
        ({"method": "distill", "units": 8, "temperature": 0.0}, r"temperature must be a positive number; got 0.0"),
        ({"method": "distill", "units": 8, "mixing": 2.0}, r"mixing must be the share .*; got 2.0"),
        ({"forget": cmsp(2, 2)}, "keep and forget must be for one network, .* got 8 inputs and 'bce', and 6 and 'bce'"),
        ({"keep": cmsp(2, 2)}, "keep and forget must be for one network, .* got 6 inputs and 'bce', and 8 and 'bce'"),
        ({"forget": (KEEP.x, KEEP.x[:, 3] + 0.5)}, "keep and forget must be for one network, .* and 'bce', and 8 and 'mse'"),
        ({"keep": cmsp(2, 2), "forget": None}, "x must have 8 columns, one for each input of the model; got 6"),
        (
            {"keep": (KEEP.x, KEEP.x[:, 3] + 0.5), "forget": (KEEP.x, torch.full((64,), 3.0))},
            "the 13 rows for validation must have different targets, or the coefficient of determination is not defined; got all the same",
        ),
        ({"keep": (KEEP.x, torch.ones(64))}, "keep must have different targets, or there is nothing to learn; got 51 rows with the same"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_any_training(given: dict[str, object], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculpting.narrow.chains.train", None)
    with pytest.raises(ValueError, match=text):
        narrow(BROAD.model(16, 2, activation="relu"), given.pop("keep", KEEP), given.pop("forget", FORGET), **given)


def test_a_lasso_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match=r"lasso must be a Lasso, such as Lasso\(1.0\); got float"):
        narrow(BROAD.model(16, 2, activation="relu"), KEEP, lasso=1.5)


def test_what_was_pruned_of_a_sparse_network_stays_pruned() -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) * (rng.random(shape) < 0.5) for shape in ((6, 8), (1, 6))]
    network = SparseNetwork(tuple(weights), (np.zeros(6), np.ones(1)), ("relu", "identity"))
    for method in ("ablation", "group-lasso"):
        found = narrow(network, KEEP, method=method, sparsity=0.0, steps=30, recovery_steps=30).network
        assert found.edge_count <= network.edge_count
        assert not found.biases[0].any()
        assert found.biases[1].any()
    dense = narrow(network, KEEP, method="scratch", units=4, steps=30).network
    assert dense.edge_count == 4 * 9  # of the model's shape alone
    assert not dense.biases[0].any()


@pytest.mark.parametrize("units", [9, 7, 5, 2])
def test_each_layer_is_left_its_share_of_the_units_that_are_asked_for(units: int) -> None:
    model = nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 1))
    result = narrow(model, KEEP, method="random", units=units, scope="layer", recovery_steps=0)
    assert result.units == units
    assert sorted(result.network.widths[1:-1]) == [units // 2, units - units // 2]


def test_models_without_hidden_units_or_with_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="the model must have at least one hidden layer, so two Linear layers; got 1"):
        narrow(nn.Sequential(nn.Linear(8, 1)), KEEP)
    model = BROAD.model(4, 1, activation="relu")
    model[0].weight.data[0, 0] = torch.nan
    with pytest.raises(ValueError, match="the model's weights and biases must be finite; got 1 NaN"):
        narrow(model, KEEP)
    real = Task(KEEP.x, KEEP.x[:, 3:4] + 0.5, "mse", KEEP.x, KEEP.x[:, 3:4] + 0.5)
    with pytest.raises(ValueError, match="the loss must be one of"):
        narrow(BROAD.model(4, 1), real, method="distill", units=2)
    assert narrow(BROAD.model(4, 1), real, method="scratch", units=2, **{**QUICK, "steps": 4}).units == 2
