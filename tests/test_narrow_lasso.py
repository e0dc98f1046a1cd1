"""The group lasso against formulas and against one network trained by itself; pruning by scores; training until a target."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import assert_same_to_rounding
from test_training import alone, as_row, data_for, make
from torch import Tensor, nn

from sculpting import SparseNetwork
from sculpting.data import Data
from sculpting.mlp.batched_mlp import BatchedMLP
from sculpting.mlp.export import network_of
from sculpting.mlp.population import Population
from sculpting.mlp.scores import unit_random
from sculpting.mlp.training import Hooks, evaluate, train
from sculpting.models.chain import read_model
from sculpting.models.shape import Shape
from sculpting.narrow import ablation_scores
from sculpting.narrow.groups import group_norms, without_groups
from sculpting.narrow.lasso import Lasso
from sculpting.narrow.learning import TrainingResult, learn
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
        with pytest.raises(ValueError, match=r"scores must have shapes \[\(.*, one for each hidden layer; got"):
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


def parities(width: int = 16, members: int = 4) -> tuple[Population, Data, Tensor]:
    key = keys(range(members))
    return Population.uniform(Shape((3, width, 1), ("relu", "identity")), key), Data.of(cmsp(1, 2)), key


def run(population: Population, data: Data, key: Tensor, **given: object) -> TrainingResult:
    return learn(population, data, key, **({"steps": 600, "batch_size": 4, "learning_rate": 0.01, "check_every": 20} | given))


def test_each_member_is_returned_as_it_was_when_it_reached_the_target() -> None:
    population, data, key = parities()
    learnt = run(population, data, key, target=1.0)
    assert len(set(learnt.examples.tolist())) > 1
    for member in range(4):
        used = int(learnt.examples[member])
        until_then = run(population, data, key, steps=used // 4, check_every=10_000)  # of all, whose products round alike
        assert_same_to_rounding(learnt.population.values[member], until_then.population.values[member])
        own = [check for check in learnt.history if check.member == member]
        assert [check.examples for check in own] == list(range(0, used + 1, 80))
        assert own[-1].accuracy == 1.0
        assert max(check.accuracy for check in own[:-1]) < 1.0
    assert torch.equal(learnt.score.accuracy, evaluate(learnt.population, data).accuracy)
    torch.testing.assert_close(learnt.score.loss, evaluate(learnt.population, data).loss)
    assert torch.equal(learnt.consumed, learnt.examples.long())


def test_a_member_that_does_not_reach_the_target_is_returned_as_it_is_at_the_end() -> None:
    population, data, key = parities()
    slow = run(population, data, key, target=1.0, steps=60, learning_rate=torch.tensor([0.01, 1e-6, 0.01, 1e-6]))
    plain = run(population, data, key, steps=60, learning_rate=1e-6)
    assert torch.isnan(slow.examples).tolist() == [False, True, False, True] or bool(torch.isnan(slow.examples[[1, 3]]).all())
    torch.testing.assert_close(slow.population.values[[1, 3]], plain.population.values[[1, 3]])
    assert slow.consumed[[1, 3]].tolist() == plain.consumed[[1, 3]].tolist() == [240, 240]
    assert bool(torch.isnan(plain.examples).all())


def test_without_a_target_members_are_returned_as_they_are_at_the_end_and_not_at_their_best() -> None:
    population, data, key = parities()
    wild = run(population, data, key, learning_rate=0.3, batch_size=2, steps=200, check_every=1)
    own = [[check for check in wild.history if check.member == member] for member in range(4)]
    assert any(checks[-1].accuracy < max(check.accuracy for check in checks) for checks in own)
    assert wild.score.accuracy.tolist() == [checks[-1].accuracy for checks in own]
    assert torch.equal(evaluate(wild.population, data).accuracy, wild.score.accuracy)


@pytest.mark.parametrize("keep_last", [True, False])
def test_a_round_with_a_target_ends_when_all_have_reached_it(keep_last: bool) -> None:
    population, data, key = parities()
    seen: dict[int, list[float]] = {}
    settings_ = RoundSettings(4000, 4, 0.01, 1.0, 0.0, rate_width=None, check_every=20, keep_last=keep_last, target=0.75)
    trained, score = train(
        population,
        data,
        settings_,
        key,
        hooks=Hooks(watch=lambda _, part, now, steps: bool(seen.update({steps: now.accuracy.tolist()}))),
    )
    first = [next(steps for steps, row in seen.items() if row[member] >= 0.75) for member in range(4)]
    assert max(seen) == max(first) < 4000
    assert score.accuracy.tolist() == [seen[steps][member] for member, steps in enumerate(first)]
    assert torch.equal(evaluate(trained, data).accuracy, score.accuracy)


def test_a_member_that_is_accurate_before_any_training_takes_no_examples_and_stays_as_it_is() -> None:
    population, data, key = parities()
    able = run(population, data, key, target=1.0).population
    mixed = able.select([0, 1]).joined(population.select([2, 3]))
    again = run(mixed, data, key, target=1.0, batch_size=3)
    alone_ = run(population.select([2, 3]), data, key[2:], target=1.0, batch_size=3)
    assert again.examples.tolist() == [0.0, 0.0, *alone_.examples.tolist()]
    torch.testing.assert_close(again.population.values[2:], alone_.population.values)
    assert bool((again.examples[2:] > 0).all())
    assert torch.equal(again.population.values[:2], able.values[:2])
    assert run(able, data, key, target=1.0).examples.tolist() == [0.0] * 4


def test_rows_are_counted_as_they_are_used() -> None:
    """Of 20 rows in batches of 8 an epoch has 8, 8 and 4; rows that are drawn come in whole batches."""
    population, key = make((4, 6, 3), 1), keys([0])
    learnt = run(population, data_for("bce", (4, 3)), key, steps=6, batch_size=8, check_every=1)
    assert [check.examples for check in learnt.history] == [0, 8, 16, 20, 28, 36, 40]
    task = cmsp(2, 2, n=20, rows=20)
    drawn = run(Population.uniform(Shape((22, 6, 1), ("relu", "identity")), key), Data.of(task), key, steps=6, batch_size=8, check_every=2)
    assert [check.examples for check in drawn.history] == [0, 16, 32, 48]


def test_members_that_memory_runs_out_for_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    population, data, key = parities()
    whole = run(population, data, key, target=1.0, max_members=2)
    from sculpting.mlp import training

    original, calls = training._train, []

    def failing(part: Population, *rest: object) -> object:
        found = original(part, *rest)
        calls.append(len(part))
        if len(part) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return found

    monkeypatch.setattr(training, "_train", failing)
    split = run(population, data, key, target=1.0)
    assert calls[0] == 4
    assert set(calls[1:]) == {2}
    assert split.examples.tolist() == whole.examples.tolist()
    assert len(split.history) == len(whole.history)


def test_a_training_that_makes_no_sense_is_refused() -> None:
    population, data, key = parities()
    with pytest.raises(ValueError, match=r"target must be an accuracy in \(0, 1\]; got 1.5"):
        run(population, data, key, target=1.5)
    with pytest.raises(ValueError, match=r"learning_rate must be positive, and finite; got -0.1"):
        run(population, data, key, learning_rate=torch.tensor([0.1, -0.1, 0.1, 0.1]))
    with pytest.raises(ValueError, match="check_every must be a whole number of at least 1; got 0"):
        run(population, data, key, check_every=0)
    for name, value, text in (
        ("learning_rate", float("inf"), "must be positive, and finite; got inf"),
        ("learning_rate", torch.ones(3), r"must have shape \(4,\), a row for each member; got \(3,\)"),
        ("epsilon", 0.0, "must be positive, and finite; got 0"),
        ("weight_decay", -1.0, "must be at least 0, and finite; got -1.0"),
        ("input_noise", float("nan"), "must be at least 0, and finite; got nan"),
        ("max_members", 0, "must be a whole number of at least 1; got 0"),
    ):
        with pytest.raises(ValueError, match=f"{name} {text}"):
            run(population, data, key, **{name: value})
    with pytest.raises(ValueError, match=r"key must have shape \(4, 2\), a row for each member; got \(3, 2\)"):
        run(population, data, key[:3])


def test_a_member_whose_loss_is_not_finite_is_returned_as_it_was() -> None:
    population, data, key = parities()
    rates = torch.tensor([0.01, 1e30, 0.01, 0.01], dtype=torch.float64)
    lost, without = (run(population, data, key, learning_rate=rate, steps=60) for rate in (rates, 0.01))
    assert torch.equal(lost.population.values[1], population.values[1])
    assert_same_to_rounding(lost.population.values[[0, 2, 3]], without.population.values[[0, 2, 3]])
    assert lost.score.accuracy[1] == -torch.inf
