"""The group lasso against formulas and against one network trained by itself; pruning by scores."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training import alone, as_row, data_for, make
from torch import Tensor, nn

from sculpting import SparseNetwork
from sculpting.data import Data
from sculpting.mlp.batched_mlp import BatchedMLP
from sculpting.mlp.export import network_of
from sculpting.mlp.population import Population
from sculpting.mlp.scores import unit_random
from sculpting.mlp.training import train
from sculpting.models.chain import read_model
from sculpting.models.shape import Shape
from sculpting.narrow import ablation_scores
from sculpting.narrow.groups import group_norms, without_groups
from sculpting.narrow.lasso import Lasso
from sculpting.narrow.learning import learn
from sculpting.narrow.prune import lowest, prune_units
from sculpting.randomness import keys
from sculpting.settings import RoundSettings
from sculpting.tasks import cmsp

PAIRS = [(bias, normalised) for bias in (True, False) for normalised in (True, False)]


def groups(model: nn.Sequential, bias: bool) -> list[list[Tensor]]:
    """The parts of every group of a plain network, layer after layer."""
    linears = [part for part in model if isinstance(part, nn.Linear)]
    return [
        [into.weight[unit], out.weight[:, unit]] + [into.bias[unit : unit + 1]] * bias
        for into, out in pairwise(linears)
        for unit in range(into.out_features)
    ]


def penalty(model: nn.Sequential, masks: dict[str, Tensor], lasso: Lasso) -> Tensor:
    """The penalty of a plain network, for autograd; a group of size 0 has none."""
    sizes = [sum(float(part.sum()) for part in parts) for parts in groups(masked_ones(model, masks), lasso.bias)]
    total = torch.zeros(())
    for parts, size in zip(groups(model, lasso.bias), sizes, strict=True):
        norm = torch.cat([part.flatten() for part in parts]).square().sum()
        if norm.item() > 0:
            total = total + norm.sqrt() * (math.sqrt(size) if lasso.normalised else 1.0)
    return total


def masked_ones(model: nn.Sequential, masks: dict[str, Tensor]) -> nn.Sequential:
    ones = nn.Sequential(*(nn.Linear(p.in_features, p.out_features) if isinstance(p, nn.Linear) else p for p in model))
    ones.load_state_dict(masks)
    return ones.requires_grad_(False)


def shrink(model: nn.Sequential, masks: dict[str, Tensor], lasso: Lasso, rate: float) -> None:
    """The proximal step of a plain network, layer after layer, unit after unit."""
    layers = [part.out_features for part in model if isinstance(part, nn.Linear)][:-1]
    sizes = [sum(float(part.sum()) for part in parts) for parts in groups(masked_ones(model, masks), lasso.bias)]
    start = 0
    with torch.no_grad():
        for width in layers:
            parts_of = groups(model, lasso.bias)[start : start + width]
            norms = [float(torch.cat([part.flatten() for part in parts]).norm()) for parts in parts_of]
            for parts, norm, size in zip(parts_of, norms, sizes[start : start + width], strict=True):
                weight = math.sqrt(size) if lasso.normalised else 1.0
                for part in parts:
                    part *= max(0.0, 1 - rate * lasso.strength * weight / norm) if norm > 0 else 0.0
            start += width


def train_alone(
    model: nn.Sequential, masks: dict[str, Tensor], data: Data, loss: str, lasso: Lasso, steps: int, rate: float
) -> list[Tensor]:
    """All rows at every step, with PyTorch's own autograd and Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        total = oracle.LOSS[loss](model(data.x[:-1].t()), data.y.t())
        if lasso.step == "subgradient":
            total = total + lasso.strength * penalty(model, masks, lasso)
        total.backward()
        for name, parameter in model.named_parameters():
            parameter.grad *= masks[name]
        optimizer.step()
        if lasso.step == "proximal":
            shrink(model, masks, lasso, rate)
    return [p.detach() for p in model.parameters()]


@pytest.mark.parametrize(("bias", "normalised"), PAIRS)
def test_the_penalty_is_the_sum_of_the_norms_of_the_groups(bias: bool, normalised: bool) -> None:
    population, lasso = make((4, 6, 5, 3), 3), Lasso(0.1, bias=bias, normalised=normalised)
    for member in range(3):
        model, masks = alone(population, member)
        assert lasso.penalty(population)[member].item() == pytest.approx(penalty(model, masks, lasso).item(), rel=1e-5)
    if bias:
        assert torch.equal(lasso.norms(population), group_norms(population))


@pytest.mark.parametrize(("bias", "normalised"), PAIRS)
@pytest.mark.parametrize("rate", [0.01, 2.0])
def test_the_proximal_step_is_that_of_a_network_alone(bias: bool, normalised: bool, rate: float) -> None:
    population, lasso = make((4, 6, 5, 3), 3), Lasso(0.8, bias=bias, normalised=normalised)
    models = [alone(population, member) for member in range(3)]
    lasso.shrink(population, rate)
    for member, (model, masks) in enumerate(models):
        shrink(model, masks, lasso, rate)
        torch.testing.assert_close(population.values[member], as_row(model, list(model.parameters())).detach())
    assert bool((lasso.norms(population) == 0).any()) == (rate == 2.0)


@given(seed=st.integers(0, 1000), rate=st.floats(0.01, 3.0))
@settings(max_examples=20, deadline=None)
def test_with_one_hidden_layer_the_proximal_step_is_the_minimum_it_stands_for(seed: int, rate: float) -> None:
    """(before - after) / threshold must be a subgradient of the norm at where it ends: w / norm, or no longer than 1 at 0."""
    population = make((3, 5, 2), 1, seed=seed)
    before, lasso = population.values.clone(), Lasso(1.0)
    lasso.shrink(population, rate)
    assert torch.equal(population.biases[1], population.shape.biases(before)[1])
    for unit in range(5):
        old, new = (
            torch.cat([flat[0][0, unit], flat[1][0, :, unit]]) for flat in map(population.shape.matrices, (before, population.values))
        )
        slope = (old - new) / rate
        if float(new.norm()) > 0:
            torch.testing.assert_close(slope, new / new.norm(), atol=1e-4, rtol=1e-4)
        else:
            assert float(slope.norm()) <= 1 + 1e-5


def test_an_inner_weight_is_shrunk_by_its_lower_unit_first_and_then_by_what_that_left() -> None:
    """In 3, inner 4, out 12: norms 5 and sqrt(16 + 144); after the lower step 3.5 / 5 of the first two are left."""
    shape = Shape((1, 1, 1, 1), ("relu", "relu", "identity"))
    population = Population.of(shape, torch.tensor([[3.0, 0.0, 4.0, 0.0, 12.0, 0.0]]))
    Lasso(1.5).shrink(population, 1.0)
    inner = 4 * 0.7
    upper = 1 - 1.5 / math.hypot(inner, 12)
    torch.testing.assert_close(population.values, torch.tensor([[2.1, 0.0, inner * upper, 0.0, 12 * upper, 0.0]]))


@pytest.mark.parametrize("many", [1, 1000])
@pytest.mark.parametrize(("bias", "normalised"), PAIRS)
@pytest.mark.parametrize(("step", "strength"), [("proximal", 3.0), ("subgradient", 0.05)])
def test_a_round_with_the_penalty_is_that_of_a_network_alone(
    step: str, strength: float, bias: bool, normalised: bool, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both with members first and last in memory; large enough to be packed to their live units."""
    monkeypatch.setattr("sculpting.mlp.memory_layout.MANY", many)
    monkeypatch.setattr("sculpting.mlp.memory_layout.SMALL", 1_000_000)
    population, data = make((4, 7, 6, 3), 5), data_for("bce", (4, 3))
    gone = torch.zeros(5, 13, dtype=torch.bool)
    gone[:, [1, 4, 9]] = True
    population = without_groups(population, gone)
    lasso = Lasso(strength, step, bias, normalised)
    settings_ = RoundSettings(12, 20, 0.02, 1.0, 0.0, rate_width=None, keep_last=True)
    trained, _ = train(population, data, settings_, keys(range(5)), hooks=lasso.hooks)
    assert not bool((trained.values * (1 - population.mask)).any())
    for member in range(5):
        model, masks = alone(population, member)
        expected = as_row(model, train_alone(model, masks, data, "bce", lasso, 12, 0.02))
        torch.testing.assert_close(trained.values[member], expected, rtol=1e-3, atol=2e-4)
    plain, _ = train(population, data, settings_, keys(range(5)))
    assert bool((lasso.penalty(trained) < lasso.penalty(plain)).all())


def test_the_slope_of_a_group_at_zero_is_zero() -> None:
    population = Population.of(Shape((2, 2, 1), ("relu", "identity")), torch.tensor([[0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 4.0, 5.0]]))
    gradient = torch.zeros_like(population.values)
    Lasso(0.5, "subgradient").add_slope(population, gradient)
    torch.testing.assert_close(gradient, torch.tensor([[0.0, 0.0, 0.0, 0.3, 0.0, 0.0, 0.0, 0.4, 0.0]]))


def test_units_that_nothing_needs_die_to_exactly_zero_and_leave_without_changing_the_function() -> None:
    task, key = cmsp(2, 2, codes=[[0], [1]]), keys(range(3))
    start = learn(
        Population.uniform(Shape((6, 16, 1), ("relu", "identity")), key), Data.of(task), key, steps=1000, batch_size=16, learning_rate=0.01
    )
    data, lasso = Data.of(cmsp(2, 2, codes=[[0]])), Lasso(1.5)
    learnt = learn(start.population, data, key, steps=800, batch_size=16, learning_rate=0.005, lasso=lasso)
    assert start.score.accuracy.tolist() == learnt.score.accuracy.tolist() == [1.0] * 3
    dead = (lasso.norms(learnt.population) == 0).sum(dim=1)
    assert bool((dead >= 4).all())
    smaller = lasso.without_dead(learnt.population)
    assert torch.equal(smaller.alive()[0].sum(dim=1), 16 - dead)
    assert torch.equal(smaller.values, learnt.population.values)
    again = learn(smaller, data, key, steps=10, batch_size=16, learning_rate=0.01)
    assert torch.equal(again.population.alive()[0], smaller.alive()[0])
    assert not bool((again.population.values * (1 - smaller.mask)).any())


def test_groups_up_to_the_threshold_are_removed_with_their_bias_even_where_the_norm_leaves_it_out() -> None:
    values = torch.tensor([[0.03, 7.0, 3.0, 7.0, 0.04, 4.0, 1.0]])
    population = Population.of(Shape((1, 2, 1), ("relu", "identity")), values)
    lasso = Lasso(1.0, bias=False)
    assert torch.equal(lasso.without_dead(population).mask, population.mask)
    assert lasso.dead(population).tolist() == [[False, False]]
    low, high = (Lasso(1.0, bias=False, threshold=threshold) for threshold in (0.0499, 0.0501))
    assert high.dead(population).tolist() == [[True, False]]
    left = high.without_dead(population)
    assert left.values.tolist() == [[0.0, 0.0, 3.0, 7.0, 0.0, 4.0, 1.0]]
    assert left.mask.tolist() == [[0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]]
    assert torch.equal(low.without_dead(population).mask, population.mask)


def test_what_no_lasso_is_made_of_is_refused() -> None:
    for strength in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"strength must be a positive number; got {strength}"):
            Lasso(strength)
    with pytest.raises(ValueError, match=r"step must be one of \['proximal', 'subgradient'\]; got 'soft'"):
        Lasso(1.0, "soft")
    for threshold in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"threshold must be a norm, at least 0; got {threshold}"):
            Lasso(1.0, threshold=threshold)


def test_the_lowest_scores_go_equal_ones_by_position() -> None:
    population = make((2, 4, 3, 1), 2, kept=1.0)
    scores = torch.tensor([[5.0, 1.0, 1.0, 1.0, 0.0, 9.0, 8.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]])
    assert lowest(scores, population, 3 / 7).int().tolist() == [[0, 1, 1, 0, 1, 0, 0], [1, 1, 1, 0, 0, 0, 0]]
    assert lowest(scores, population, [3 / 7, 0.0]).int().tolist() == [[0, 1, 1, 0, 1, 0, 0], [0] * 7]
    assert lowest(scores, population, torch.tensor([0.5, 0.7]), "layer").int().tolist() == [[0, 1, 1, 0, 1, 0, 0], [1, 1, 0, 0, 1, 1, 0]]


@given(seed=st.integers(0, 1000), hundredths=st.integers(0, 98), scope=st.sampled_from(["global", "layer"]))
@settings(max_examples=40, deadline=None)
def test_exactly_the_whole_part_goes_of_what_each_member_came_with(seed: int, hundredths: int, scope: str) -> None:
    small, large = make((3, 9, 4, 2), 2, seed=seed, kept=1.0), make((3, 12, 25, 2), 2, seed=seed, kept=1.0)
    population = Population.padded([small, large])
    gone = lowest(unit_random(population, None, keys([("scores", seed, i) for i in range(4)])), population, hundredths / 100, scope)
    for member, widths in enumerate([(9, 4)] * 2 + [(12, 25)] * 2):
        counts = [int(part[member].sum()) for part in gone.split([12, 25], dim=1)]
        beyond = [int(part[member, width:].sum()) for part, width in zip(gone.split([12, 25], dim=1), widths, strict=True)]
        assert beyond == [0, 0]
        if scope == "layer":
            assert counts == [width * hundredths // 100 for width in widths]
        assert sum(counts) == sum(widths) * hundredths // 100 or scope == "layer"


def test_units_that_are_gone_already_go_first() -> None:
    population = make((2, 6, 1), 1, kept=1.0)
    population = without_groups(population, torch.tensor([[False, False, False, False, True, True]]))
    gone = lowest(torch.tensor([[1.0, 2.0, 3.0, 4.0, 9.0, 0.0]]), population, 0.5)
    assert gone.int().tolist() == [[1, 0, 0, 0, 1, 1]]
    assert int(torch.cat(without_groups(population, gone).alive(), dim=1).sum()) == 3


def test_nothing_goes_at_sparsity_zero() -> None:
    population = make((3, 5, 4, 2), 2)
    assert torch.equal(without_groups(population, lowest(group_norms(population), population, 0.0)).values, population.values)


def test_random_units_go_without_replacement_and_differ_between_keys() -> None:
    population = make((3, 40, 40, 2), 3, kept=1.0)
    gone = lowest(unit_random(population, None, keys(range(3))), population, 0.5)
    assert gone.sum(dim=1).tolist() == [40, 40, 40]
    assert len({tuple(row) for row in gone.tolist()}) == 3


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_taking_units_out_and_zeroing_them_give_the_same_outputs(activation: str) -> None:
    population, data = make((4, 9, 8, 3), 4, activation), data_for("bce", (4, 3))
    pruned = without_groups(population, lowest(group_norms(population), population, [0.0, 0.3, 0.6, 0.9]))
    zeroed = BatchedMLP(pruned.shape, pruned.values).forward(data.x)[0][-1]
    for member in range(4):
        model, _ = alone(pruned, member)
        network = network_of(pruned, member, head=read_model(model).head).compact()
        assert sum(network.widths[1:-1]) <= max(2, 17 - int(17 * [0.0, 0.3, 0.6, 0.9][member]))
        with torch.no_grad():
            shrunk = network.model()(data.x[:-1].t())
        torch.testing.assert_close(shrunk.t(), zeroed[member], rtol=1e-4, atol=1e-5)
    learnt = learn(pruned, data, keys(range(4)), steps=5, batch_size=7, learning_rate=0.01)
    assert bool((torch.cat(learnt.population.alive(), dim=1) <= torch.cat(pruned.alive(), dim=1)).all())


def test_a_model_is_pruned_by_its_scores_and_not_changed() -> None:
    model, _ = alone(make((3, 5, 4, 2), 1, kept=1.0), 0)
    before = {name: part.clone() for name, part in model.state_dict().items()}
    x, y = torch.randn(30, 3, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 2
    scores = ablation_scores(model, (x, y))
    small = prune_units(model, scores, 0.5)
    for wrong in (scores[::-1], [np.concatenate(scores)], []):
        with pytest.raises(ValueError, match=r"scores must have shapes \[\(.*, one for each layer of units; got"):
            prune_units(model, wrong, 0.5)
    assert small.widths[1] + small.widths[2] == 5
    order = np.concatenate(scores).argsort(kind="stable")[4:]
    assert small.widths[1:3] == (int((order < 5).sum()), int((order >= 5).sum()))
    kept = np.sort(order[order < 5])
    np.testing.assert_array_equal(small.weights[0], before["0.weight"].numpy()[kept])
    assert prune_units(small, [np.ones(w) for w in small.widths[1:-1]], 0.0).widths == small.widths
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    assert isinstance(small, SparseNetwork)


def test_scores_and_sparsities_that_do_not_fit_are_refused() -> None:
    population = make((2, 3, 1), 2)
    scores = group_norms(population)
    for sparsity in (1.0, -0.1, float("nan"), [0.5, 1.5]):
        with pytest.raises(ValueError, match=r"sparsity must be the fraction of units to remove, in \[0, 1\); got"):
            lowest(scores, population, sparsity)
    for sparsities in ([0.1, 0.2, 0.3], [[0.5, 0.5]]):
        with pytest.raises(ValueError, match=r"sparsity must be one fraction, or one for each of 2 members; got shape \("):
            lowest(scores, population, sparsities)
    with pytest.raises(ValueError, match=r"scores must have shape \(2, 3\), one for each hidden unit of each member; got \(2, 2\)"):
        lowest(scores[:, :2], population, 0.5)
    with pytest.raises(ValueError, match="scores must be numbers; got 1 NaN"):
        lowest(torch.where(torch.arange(3) == 1, torch.nan, scores)[:1], population.select([0]), 0.5)
    with pytest.raises(ValueError, match=r"scope must be one of \['global', 'layer'\]; got 'network'"):
        lowest(scores, population, 0.5, "network")
