"""Scores of hidden units against networks that are changed by hand, against autograd, and against each other."""

from __future__ import annotations

import math
from copy import deepcopy
from itertools import pairwise

import numpy as np
import oracle
import pytest
import torch
from torch import Tensor, nn

import sculpting.mlp.ablation as ablation
from sculpting import SparseNetwork
from sculpting.activations import ACTIVATIONS
from sculpting.data import Data
from sculpting.losses import LOSSES
from sculpting.mlp.ablation import unit_ablation
from sculpting.mlp.population import Population
from sculpting.mlp.training import evaluate, train
from sculpting.models.chain import read_model
from sculpting.models.shape import Shape
from sculpting.narrow import ablation_scores, attribution_scores, score_correlation
from sculpting.narrow.attribution import unit_first_order
from sculpting.narrow.groups import group_norms, group_sums, without_groups
from sculpting.randomness import keys, uniforms
from sculpting.settings import RoundSettings
from sculpting.tasks import Task, cmsp

ROWS = 20


def network(widths: tuple[int, ...], activation: str = "relu", seed: int = 0, members: int = 1, kept: float = 1.0) -> Population:
    shape = Shape(widths, (activation,) * (len(widths) - 2) + ("identity",))
    named = [("member", seed, i) for i in range(members)]
    values = Population.fresh(shape, keys(named)).values + 0.1
    return Population.of(shape, values, (uniforms(keys(named), shape.size) <= kept).float())


def module_of(population: Population, member: int = 0) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weight, bias, name in zip(population.weights, population.biases, population.shape.activations, strict=True):
        linear = nn.Linear(weight.shape[2], weight.shape[1])
        linear.weight.data, linear.bias.data = weight[member].clone(), bias[member].clone()
        layers += [linear, ACTIVATIONS[name].module()]
    return nn.Sequential(*layers[:-1])


def rows_for(loss: str, inputs: int, outputs: int, seed: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(ROWS, inputs, generator=generator), torch.randn(ROWS, outputs, generator=generator)
    return x, {"bce": (y > 0).float(), "ce": y.argmax(dim=1), "mse": y}[loss]


def one_hot(loss: str, y: Tensor, outputs: int) -> Tensor:
    return nn.functional.one_hot(y, outputs).float() if loss == "ce" else y


def data_for(loss: str, inputs: int, outputs: int) -> Data:
    x, y = rows_for(loss, inputs, outputs)
    y = one_hot(loss, y, outputs)
    return Data.of(Task(x, y, loss, x, y))


def loss_of(model: nn.Module, loss: str, x: Tensor, y: Tensor) -> Tensor:
    z = model(x.to(next(model.parameters()).dtype))
    return oracle.LOSS[loss](z, one_hot(loss, y, z.shape[1]).to(z.dtype))


def ablated_by_hand(model: nn.Module, loss: str, x: Tensor, y: Tensor) -> list[list[float]]:
    """A copy in float64 for each unit, whose three parts are set to zero one after the other."""
    model = deepcopy(model).double()
    whole, scores = loss_of(model, loss, x, y).item(), []
    for layer, units in enumerate([part.out_features for part in model if isinstance(part, nn.Linear)][:-1]):
        scores.append([])
        for unit in range(units):
            copy = deepcopy(model)
            into, out = [part for part in copy if isinstance(part, nn.Linear)][layer : layer + 2]
            with torch.no_grad():
                into.weight[unit], into.bias[unit], out.weight[:, unit] = 0.0, 0.0, 0.0
            scores[-1].append(abs(loss_of(copy, loss, x, y).item() - whole))
    return scores


def same(found: list[np.ndarray], expected: list[list[float]], rtol: float = 1e-4, atol: float = 2e-7) -> None:
    assert [part.dtype for part in found] == [np.float64] * len(expected)
    for part, by_hand in zip(found, expected, strict=True):
        np.testing.assert_allclose(part, by_hand, rtol=rtol, atol=atol)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(7,), (5, 4), (4, 5, 3)])
def test_ablation_is_zeroing_the_group_by_hand(hidden: tuple[int, ...], activation: str, loss: str) -> None:
    model = module_of(network((4, *hidden, 3), activation))
    before = deepcopy(model.state_dict())
    x, y = rows_for(loss, 4, 3)
    same(ablation_scores(model, (x, y)), ablated_by_hand(model, loss, x, y), atol=4e-7)
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())


@pytest.mark.parametrize("right", [True, False])
def test_ablation_keeps_the_order_of_large_logits(right: bool) -> None:
    """A unit's removal leaves a logit of 300 or 200 of 600, on the right or on the wrong side."""
    weights = (np.eye(3), np.array([[100.0, 200.0, 300.0]]))
    network = SparseNetwork(weights, (np.zeros(3), np.zeros(1)), ("relu", "identity"))
    (found,) = ablation_scores(network, (np.ones((1, 3)), np.array([[float(right)]])), loss="bce")
    expected = [math.exp(-left) - math.exp(-600) if right else 600.0 - left for left in (500, 400, 300)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_ablation_is_what_the_engine_computes_without_the_group(loss: str) -> None:
    population, data = network((4, 5, 4, 3), "sigmoid", members=3, kept=0.8), data_for(loss, 4, 3)
    found, whole = unit_ablation(population, data), evaluate(population, data).loss
    for unit in range(9):
        gone = torch.zeros(3, 9, dtype=torch.bool)
        gone[:, unit] = True
        without = without_groups(population, gone)
        assert float(group_norms(without)[:, unit].abs().max()) == 0.0
        change = (evaluate(without, data).loss - whole).abs()
        torch.testing.assert_close(found[:, unit].float(), change, rtol=1e-3, atol=1e-6)


def test_the_scores_of_a_network_worked_out_by_hand() -> None:
    """Outputs 3 a and, of b, nothing on the one row (1, 2) with target 0: loss 9, without a 0; slope of the loss 6."""
    small = SparseNetwork((np.eye(2), np.array([[3.0, 0.0]])), (np.zeros(2), np.zeros(1)), ("relu", "identity"))
    data = np.array([[1.0, 2.0]]), np.array([[0.0]])
    assert ablation_scores(small, data, loss="mse")[0].tolist() == [9.0, 0.0]
    assert attribution_scores(small, data, loss="mse")[0].tolist() == [36.0, 0.0]
    assert attribution_scores(small, data, "activation_gradient", loss="mse")[0].tolist() == [18.0, 0.0]


def test_a_unit_that_nothing_reads_and_one_that_is_silent_score_exactly_zero() -> None:
    """With 37 rows, products over one block of rows and over many do not round alike."""
    model = module_of(network((4, 64, 64, 64, 3)))
    with torch.no_grad():
        for layer in (2, 4, 6):
            model[layer].weight[:, 5] = 0.0
        for layer in (0, 2, 4):
            model[layer].bias[9] = -100.0
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(37, 4, generator=generator), torch.randint(3, (37,), generator=generator)
    for scores in (ablation_scores(model, (x, y)), attribution_scores(model, (x, y), "activation_gradient")):
        assert [float(part[unit]) for part in scores for unit in (5, 9)] == [0.0] * 6
        assert all((part > 0).sum() > 30 for part in scores)


def test_every_layer_has_its_own_activation() -> None:
    model = nn.Sequential(*module_of(network((4, 5, 6, 4, 3))))
    model[1], model[3], model[5] = nn.Tanh(), nn.Softplus(), nn.ELU()
    x, y = rows_for("ce", 4, 3)
    same(ablation_scores(model, (x, y)), ablated_by_hand(model, "ce", x, y))
    same(attribution_scores(model, (x, y)), [part.tolist() for part in autograd_sums(model, "ce", x, y)], atol=1e-6)


def autograd_sums(model: nn.Sequential, loss: str, x: Tensor, y: Tensor) -> list[np.ndarray]:
    """|sum of gradient x (-parameter)| over each group, by autograd in float64."""
    model = deepcopy(model).double()
    loss_of(model, loss, x, y).backward()
    linears = [part for part in model if isinstance(part, nn.Linear)]
    products = [(-(part.weight * part.weight.grad), -(part.bias * part.bias.grad)) for part in linears]
    return [(into.sum(dim=1) + bias + out.sum(dim=0)).abs().detach().numpy() for (into, bias), (out, _) in pairwise(products)]


def activation_gradients(model: nn.Sequential, loss: str, x: Tensor, y: Tensor) -> list[Tensor]:
    """Activation x gradient of the loss of the row, for each hidden layer ``(rows, units)``, in float64."""
    model = deepcopy(model).double()
    read, h = [], x.double()
    for part in model:
        h = part(h)
        if not isinstance(part, nn.Linear):
            h.retain_grad()
            read.append(h)
    (oracle.LOSS[loss](h, one_hot(loss, y, h.shape[1]).double()) * len(x)).backward()
    return [(h * h.grad).detach() for h in read]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_attributions_are_those_of_autograd(activation: str, loss: str) -> None:
    model = module_of(network((4, 5, 4, 3), activation))
    x, y = rows_for(loss, 4, 3)
    same(attribution_scores(model, (x, y)), [part.tolist() for part in autograd_sums(model, loss, x, y)], rtol=1e-3, atol=1e-5)
    expected = [part.abs().mean(dim=0).tolist() for part in activation_gradients(model, loss, x, y)]
    same(attribution_scores(model, (x, y), "activation_gradient"), expected, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "identity"])
def test_where_activations_are_homogeneous_the_first_order_counts_activation_x_gradient_twice(activation: str, loss: str) -> None:
    model = module_of(network((4, 6, 5, 3), activation))
    x, y = rows_for(loss, 4, 3)
    first, sizes = attribution_scores(model, (x, y)), attribution_scores(model, (x, y), "activation_gradient")
    for found, bound, products in zip(first, sizes, activation_gradients(model, loss, x, y), strict=True):
        mean = products.mean(dim=0).abs().numpy()
        large = mean > 0.01 * mean.max()
        np.testing.assert_allclose(found[large] / mean[large], 2.0, rtol=1e-3)
        assert (found <= 2 * bound * (1 + 1e-5)).all()
    other = module_of(network((4, 6, 5, 3), "tanh"))
    ratio = attribution_scores(other, (x, y))[0] / activation_gradients(other, loss, x, y)[0].mean(dim=0).abs().numpy()
    assert np.ptp(ratio) > 0.1


@pytest.mark.parametrize("block", [1, 300, 5_000])
def test_the_size_of_blocks_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    population, data = network((4, 7, 5, 6, 3), "tanh", members=3), data_for("ce", 4, 3)
    whole = unit_ablation(population, data)
    monkeypatch.setattr(ablation, "BLOCK", block)
    torch.testing.assert_close(unit_ablation(population, data), whole, rtol=1e-4, atol=1e-7)


def test_blocks_hold_no_more_than_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that do not fit side by side come one after the other; of one that fits several times, several units."""
    seen = []
    original = ablation._ablation
    monkeypatch.setattr(ablation, "_ablation", lambda p, d, block: seen.append((len(p), block)) or original(p, d, block))
    population, data = network((4, 7, 5, 3), members=3), data_for("ce", 4, 3)
    floats = ROWS * (2 * (5 + 3) + 8 * 3)  # above the lower hidden layer
    for size, expected in (
        (floats - 1, [(1, 1)] * 3),
        (2 * floats - 1, [(1, 1)] * 3),
        (2 * floats, [(2, 1), (1, 2)]),
        (9 * floats, [(3, 3)]),
    ):
        seen.clear()
        monkeypatch.setattr(ablation, "BLOCK", size)
        unit_ablation(population, data)
        assert seen == expected


@pytest.mark.parametrize("score", [unit_ablation, unit_first_order])
def test_each_member_is_scored_as_if_it_were_alone(score: object) -> None:
    small, large = network((4, 3, 5, 2), members=2), network((4, 6, 4, 2), seed=1, members=2, kept=0.6)
    data = data_for("bce", 4, 2)
    together = score(Population.padded([small, large]), data)
    assert together.shape == (4, 6 + 5)
    assert together.dtype == torch.float64
    for row, part in ((0, small), (1, small), (2, large), (3, large)):
        alone = score(part.select([row % 2]), data)[0].split(part.shape.widths[1:-1])
        for found, expected in zip(together[row].split([6, 5]), alone, strict=True):
            torch.testing.assert_close(found[: len(expected)], expected, rtol=1e-4, atol=1e-6)
            assert float(found[len(expected) :].abs().sum()) == 0.0


def test_pruned_units_score_zero_and_their_group_has_no_size() -> None:
    population, data = network((4, 6, 5, 3), "sigmoid", members=2), data_for("ce", 4, 3)
    gone = uniforms(keys(["a", "b"]), 11) < 0.4
    assert 2 < int(gone.sum()) < 20
    pruned = without_groups(population, gone)
    for scores in (unit_ablation(pruned, data), unit_first_order(pruned, data), group_norms(pruned)):
        assert torch.equal(scores == 0, gone)
    assert torch.equal(torch.cat(pruned.alive(), dim=1), ~gone)


def test_a_sparse_network_scores_as_its_sequential() -> None:
    population = network((4, 6, 5, 3), kept=0.5)
    arrays = [tuple(part[0].numpy() for part in parts) for parts in (population.weights, population.biases)]
    sparse = SparseNetwork(*arrays, population.shape.activations, head="softmax")
    x, y = rows_for("ce", 4, 3)
    for score in (ablation_scores, attribution_scores):
        same(score(sparse, (x, y)), [part.tolist() for part in score(sparse.model(), (x, y))], rtol=0, atol=0)
    same(ablation_scores(sparse, (x, y)), ablated_by_hand(sparse.model()[:-1], "ce", x, y))


def test_a_model_without_biases_is_scored() -> None:
    plain = module_of(network((4, 5, 3), "softplus"))
    plain[0].bias.data.zero_()
    model = deepcopy(plain)
    model[0].bias = None
    x, y = rows_for("bce", 4, 3)
    same(ablation_scores(model, (x, y)), ablated_by_hand(plain, "bce", x, y))
    same(attribution_scores(model, (x, y)), [part.tolist() for part in autograd_sums(plain, "bce", x, y)], atol=1e-6)


def test_a_sigmoid_at_the_end_is_taken_in_by_its_loss_and_otherwise_an_activation() -> None:
    plain = module_of(network((4, 5, 4, 3)))
    model = nn.Sequential(*deepcopy(plain), nn.Sigmoid())
    x, y = rows_for("bce", 4, 3)
    same(ablation_scores(model, (x, y)), ablated_by_hand(plain, "bce", x, y))
    same(ablation_scores(model, (x, y), loss="mse"), ablated_by_hand(model, "mse", x, y))
    same(attribution_scores(model, (x, y), loss="mse"), [part.tolist() for part in autograd_sums(model, "mse", x, y)], atol=1e-6)


def test_groups_are_a_units_incoming_weights_its_bias_and_its_outgoing_weights() -> None:
    shape = Shape((2, 2, 1, 1), ("relu", "relu", "identity"))
    flat = torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]])
    assert group_sums(shape, flat).tolist() == [[1 + 2 + 4 + 64, 8 + 16 + 32 + 128, 64 + 128 + 256 + 512]]
    population = Population.of(shape, flat)
    assert group_norms(population)[0, 0].item() == pytest.approx((1 + 4 + 16 + 64**2) ** 0.5)


def test_all_rows_that_are_given_count_and_of_a_task_those_that_decide() -> None:
    model = module_of(network((4, 5, 3)))
    x, y = rows_for("ce", 4, 3)
    task = Task(x, one_hot("ce", y, 3), "ce", x[:8], one_hot("ce", y[:8], 3))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=6, shuffle=True)
    whole = ablated_by_hand(model, "ce", x, y)
    for data in ((x, y), (x.numpy(), y.numpy()), torch.utils.data.TensorDataset(x, y), loader):
        same(ablation_scores(model, data), whole)
    same(ablation_scores(model, task), ablated_by_hand(model, "ce", x[:8], y[:8]))
    same(ablation_scores(model, (x[:1], y[:1])), ablated_by_hand(model, "ce", x[:1], y[:1]))


@pytest.mark.parametrize("score", [ablation_scores, attribution_scores])
def test_what_does_not_fit_is_refused(score: object) -> None:
    model, (x, y) = module_of(network((4, 5, 3))), rows_for("ce", 4, 3)
    with pytest.raises(ValueError, match=r"at least one hidden layer, so two Linear layers; got 1"):
        score(nn.Sequential(nn.Linear(4, 3)), (x, y))
    with pytest.raises(ValueError, match="x must have 4 columns, one for each input of the model; got 3"):
        score(model, (x[:, :3], y))
    with pytest.raises(ValueError, match="x must be finite, as float32; got 1 NaN"):
        score(model, (torch.where(torch.arange(ROWS * 4).view(ROWS, 4) == 5, torch.nan, x), y))
    with pytest.raises(ValueError, match=r"classes must lie in 0...2"):
        score(model, (x, y + 1))
    with pytest.raises(ValueError, match="a model for loss 'bce' must end in a Linear layer or in sigmoid; got softmax"):
        score(nn.Sequential(*model, nn.Softmax(dim=1)), (x, torch.eye(3)[y]))
    model[0].weight.data[0, 0] = torch.nan
    with pytest.raises(ValueError, match="the model's weights and biases must be finite; got 1 NaN or infinite values"):
        score(model, (x, y))


def test_an_unknown_kind_of_attribution_is_refused() -> None:
    with pytest.raises(ValueError, match=r"kind must be one of \['activation_gradient', 'first_order'\]; got 'taylor'"):
        attribution_scores(module_of(network((4, 5, 3))), rows_for("ce", 4, 3), "taylor")


def test_correlations_of_pairs_worked_out_by_hand() -> None:
    found = score_correlation([np.array([1.0, 10.0]), np.array([100.0, 0.0])], [[3.0, 2.0], [1.0, 0.0]])
    assert (found.count, found.zeros) == (4, 1)
    assert found.pearson_log == pytest.approx(np.corrcoef([0, 1, 2], np.log([3, 2, 1]))[0, 1])
    assert found.pearson == pytest.approx(np.corrcoef([1, 10, 100, 0], [3, 2, 1, 0])[0, 1])
    assert found.spearman == pytest.approx(np.corrcoef([1, 2, 3, 0], [3, 2, 1, 0])[0, 1])
    assert str(found) == "4 units: Pearson -0.23, of logarithms -0.99 (1 left out for a 0), Spearman 0.20"
    assert str(score_correlation([1.0, 2.0, 4.0], torch.tensor([2.0, 8.0, 32.0]).sqrt())) == (
        "3 units: Pearson 1.00, of logarithms 1.00, Spearman 1.00"
    )


def test_a_correlation_that_is_not_defined_is_nan() -> None:
    for pair in (([1.0, 1.0, 1.0], [1.0, 2.0, 0.0]), ([1.0, 2.0, 4.0], [3.0, 3.0, 3.0])):
        flat = score_correlation(*pair)
        assert np.isnan([flat.pearson, flat.pearson_log, flat.spearman]).all()
    assert np.isnan(score_correlation([0.0, 0.0, 2.0], [1.0, 2.0, 4.0]).pearson_log)
    assert np.isnan(score_correlation([], []).pearson)


def test_scores_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="a and b must score the same units; got 2 and 3 scores"):
        score_correlation([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"b must be finite scores of at least 0; got -2.0"):
        score_correlation([1.0, 2.0], [1.0, -2.0])
    with pytest.raises(ValueError, match="a must be finite scores of at least 0; got inf"):
        score_correlation([1.0, np.inf], [1.0, 2.0])


def test_attribution_ranks_the_units_of_trained_parity_networks_much_as_ablation_does() -> None:
    task, seeds = cmsp(m=3, k=2), range(3)
    shape, data = read_model(task.model(width=48, hidden_layers=2, activation="relu")).shape, Data.of(task)
    settings = RoundSettings(steps=600, batch_size=64, learning_rate=0.005, rate_width=None)
    trained, score = train(Population.fresh(shape, keys(seeds)), data, settings, keys(seeds))
    assert float(score.accuracy.min()) > 0.99
    composite = (task.x[:, :3] == 1).all(dim=1)
    x, y = task.x[composite], task.y[composite]
    assert len(x) == 64
    together = unit_ablation(trained, Data.of(Task(x, y, "bce", x, y)))
    for member in seeds:
        model = module_of(trained, member)
        exact = ablation_scores(model, (x, y))
        found = score_correlation(exact, attribution_scores(model, (x, y)))
        assert found.count == 96
        assert found.spearman > 0.5
        assert score_correlation(exact, attribution_scores(model, (x, y), "activation_gradient")).spearman > 0.75
        np.testing.assert_allclose(np.concatenate(exact), together[member], rtol=1e-3, atol=1e-6)
