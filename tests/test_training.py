"""A population's members against the same networks alone: gradients, whole rounds, masks, independence."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise
from typing import Any

import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sculpting import tasks
from sculpting.activations import ACTIVATIONS
from sculpting.data import Data
from sculpting.engine import Evaluation
from sculpting.losses import LOSSES
from sculpting.mlp import training
from sculpting.mlp.batched_mlp import BatchedMLP
from sculpting.mlp.batches import fresh_batches
from sculpting.mlp.engine import MLPEngine
from sculpting.mlp.packing import packings
from sculpting.mlp.population import Population
from sculpting.mlp.scores import EDGE_SCORES
from sculpting.mlp.training import Hooks, evaluate, gradient, rate_shares, train
from sculpting.models.shape import Shape
from sculpting.randomness import keys, permutations, uniforms
from sculpting.settings import RoundSettings, TrainingSettings
from sculpting.tasks import Task


def make(widths: tuple[int, ...], members: int, activation: str = "relu", seed: int = 0, kept: float = 0.7) -> Population:
    shape = Shape(widths, (activation,) * (len(widths) - 2) + ("identity",))
    population = Population.fresh(shape, keys([("member", seed, i) for i in range(members)]))
    mask = (uniforms(keys([("mask", seed, i) for i in range(members)]), shape.size) < kept).float()
    population = Population.of(shape, population.values + 0.1, mask)
    return population


def data_for(loss: str, widths: tuple[int, ...], rows: int = 20) -> Data:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(rows, widths[0], generator=generator)
    y = torch.randn(rows, widths[-1], generator=generator)
    y = {"bce": (y > 0).float(), "ce": nn.functional.one_hot(y.argmax(dim=1), widths[-1]).float(), "mse": y}[loss]
    return Data.of(Task(x, y, loss, x, y))


def alone(population: Population, member: int) -> tuple[nn.Sequential, dict[str, torch.Tensor]]:
    """One member as a plain Sequential, and its masks by parameter name."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(population.shape.widths):
        layers += [nn.Linear(n_in, n_out), ACTIVATIONS[population.shape.activations[len(layers) // 2]].module()]
    model, masks = nn.Sequential(*layers), {}
    rows = [(flat[member : member + 1]) for flat in (population.values, population.mask)]
    for layer in range(len(population.shape.widths) - 1):
        for kind, part in (("weight", population.shape.weights), ("bias", population.shape.biases)):
            value, mask = (part(row)[layer][0] for row in rows)
            getattr(model[2 * layer], kind).data.copy_(value)
            masks[f"{2 * layer}.{kind}"] = mask.clone()
    return model, masks


def as_row(model: nn.Sequential, parts: list[torch.Tensor]) -> torch.Tensor:
    """Weights and biases, or their gradients, in the order of a flat row."""
    return torch.cat([torch.cat([w, b.unsqueeze(1)], dim=1).flatten() for w, b in zip(parts[::2], parts[1::2], strict=True)])


def test_wide_members_learn_more_slowly_by_how_many_units_live() -> None:
    """All of the rate up to twelve live units in the widest layer, half from 13 on, a quarter from 25 on; pruned units do not count."""
    population = Population.fresh(Shape((4, 30, 5, 2), ("relu", "relu", "identity")), keys(range(5)))
    masks = population.mask.clone()
    for row, live in enumerate((30, 25, 24, 13, 12)):
        for matrix in population.shape.matrices(masks)[:1]:
            matrix[row, live:] = 0
        population.shape.weights(masks)[1][row, :, live:] = 0
    shares = rate_shares(population.masked(masks), 12)
    assert shares.tolist() == [0.25, 0.25, 0.5, 0.5, 1.0]
    assert rate_shares(population, None).tolist() == [1.0] * 5


def test_a_member_trains_at_its_share_of_the_rate() -> None:
    population, data = make((4, 24, 3), 2), data_for("bce", (4, 3))
    slow, _ = train(population, data, RoundSettings(6, 8, 0.1, rate_width=12), keys([0, 1]))
    plain, _ = train(population, data, RoundSettings(6, 8, 0.05, rate_width=None), keys([0, 1]))
    assert torch.equal(slow.values, plain.values)
    assert not torch.equal(slow.values, train(population, data, RoundSettings(6, 8, 0.1, rate_width=None), keys([0, 1]))[0].values)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(7,), (5, 4), (4, 5, 3)])
def test_gradients_are_those_of_autograd(loss: str, activation: str, hidden: tuple[int, ...]) -> None:
    population, data = make((4, *hidden, 3), 3, activation), data_for(loss, (4, 3))
    found = gradient(population, data)
    for member in range(3):
        model, _ = alone(population, member)
        oracle.LOSS[loss](model(data.x[:-1].t()), data.y.t()).backward()
        expected = as_row(model, [p.grad for p in model.parameters()])
        torch.testing.assert_close(found[member], expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("many", [1, 1000])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch_size", [6, 20, 64])
def test_a_round_is_that_of_the_network_alone(loss: str, batch_size: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculpting.mlp.memory_layout.MANY", many)
    population, data = make((4, 6, 5, 3), 3), data_for(loss, (4, 3))
    settings_ = RoundSettings(steps=12, batch_size=batch_size, learning_rate=0.02, weight_decay=0.01, input_noise=0.1, hidden_noise=0.2)
    key = keys(["a", "b", "c"])
    trained, score = train(population, data, settings_, key)
    for member in range(3):
        model, masks = alone(population, member)
        best = oracle.train_one(model, masks, data, loss, settings_, key[member : member + 1])
        expected = as_row(model, [p.detach() for p in model.parameters()])
        torch.testing.assert_close(trained.values[member], expected, rtol=1e-3, atol=1e-4)
        assert float(score.accuracy[member]) == pytest.approx(best[0], abs=1e-6)
        assert float(score.loss[member]) == pytest.approx(best[1], rel=1e-4)


def test_each_member_may_have_its_own_learning_rate() -> None:
    population, data, key = make((4, 6, 3), 2), data_for("bce", (4, 3)), keys(["a", "b"])
    both, _ = train(population, data, RoundSettings(steps=5), key, torch.tensor([0.1, 0.001]))
    for member, rate in enumerate((0.1, 0.001)):
        one, _ = train(population.select([member]), data, RoundSettings(steps=5, learning_rate=rate), key[member : member + 1])
        torch.testing.assert_close(both.values[member], one.values[0])


def test_pruned_parameters_stay_exactly_zero_and_training_leaves_its_start_alone() -> None:
    population, data = make((4, 8, 3), 5, kept=0.4), data_for("mse", (4, 3))
    before = population.values.clone()
    trained, _ = train(population, data, RoundSettings(steps=20, weight_decay=0.1), keys(range(5)))
    assert torch.equal(population.values, before)
    assert float(trained.values[population.mask == 0].abs().max()) == 0.0
    assert not torch.equal(trained.values, before)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.integers(0, 1000))
def test_members_never_influence_one_another(others: int, seed: int) -> None:
    population, data = make((3, 6, 2), others + 1, seed=seed), data_for("bce", (3, 2))
    key = keys([("round", seed, i) for i in range(others + 1)])
    together, _ = train(population, data, RoundSettings(steps=6, input_noise=0.1, hidden_noise=0.2), key)
    single, _ = train(population.select([others]), data, RoundSettings(steps=6, input_noise=0.1, hidden_noise=0.2), key[others:])
    torch.testing.assert_close(together.values[others], single.values[0], rtol=1e-4, atol=1e-5)


def test_results_of_a_round_can_be_changed_and_used_by_autograd() -> None:
    kept: list[torch.Tensor] = []

    def watch(members: torch.Tensor, part: Population, score: Evaluation, steps: int) -> bool:
        kept.append(part.values.clone())
        return False

    trained, score = train(
        make((3, 4, 2), 2), data_for("mse", (3, 4, 2)), RoundSettings(4, 10, 0.01), keys([0, 1]), hooks=Hooks(watch=watch)
    )
    for values in (trained.values, score.loss, *kept):
        values.add_(1).requires_grad_().square().sum().backward()
        assert bool((values.grad == 2 * values).all())


def test_a_round_ends_at_its_target_whatever_the_watch_hook_returns() -> None:
    seen: list[int] = []

    def watch(members: torch.Tensor, part: Population, score: Evaluation, steps: int) -> bool:
        seen.append(steps)
        return False

    settings = RoundSettings(8, 10, 0.01, target=0.0, check_every=2)
    train(make((3, 4, 2), 2), data_for("bce", (3, 4, 2)), settings, keys([0, 1]), hooks=Hooks(watch=watch))
    assert seen == [2]


def test_the_best_epoch_is_kept_by_accuracy_then_loss() -> None:
    population, data = make((4, 8, 3), 4), data_for("bce", (4, 3))
    scores = []
    for epochs in range(1, 9):
        trained, score = train(
            population, data, RoundSettings(steps=epochs, batch_size=20, learning_rate=0.3, final_rate=1.0), keys(range(4))
        )
        found = evaluate(trained, data)
        assert torch.equal(found.accuracy, score.accuracy)
        torch.testing.assert_close(found.loss, score.loss)
        scores.append(score)
    assert all(bool((late.accuracy >= early.accuracy).all()) for early, late in pairwise(scores))


@pytest.mark.parametrize("many", [1, 1000])
@pytest.mark.parametrize("columns", [0, 1000])
def test_a_round_drawn_in_pieces_is_the_same_round(columns: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculpting.mlp.memory_layout.MANY", many)
    population, data = make((4, 6, 3), 3), data_for("bce", (4, 3))
    whole, _ = train(population, data, RoundSettings(steps=10, batch_size=6, input_noise=0.1, hidden_noise=0.2), keys(range(3)))
    monkeypatch.setattr("sculpting.mlp.batches.CHUNK_FLOATS", 1)
    for module in ("data", "mlp.batches"):
        monkeypatch.setattr(f"sculpting.{module}.MANY_COLUMNS", columns)
    pieces, _ = train(population, data, RoundSettings(steps=10, batch_size=6, input_noise=0.1, hidden_noise=0.2), keys(range(3)))
    torch.testing.assert_close(whole.values, pieces.values, rtol=1e-4, atol=1e-6)


def test_members_trained_one_after_the_other_keep_their_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculpting.mlp.packing.FEW_PARAMETERS", 0)
    population, data = make((4, 12, 3), 3), data_for("bce", (4, 3))
    for member, first in enumerate((0, 4, 8)):  # other units are left in each
        population.shape.weights(population.mask)[0][member, first : first + 4] = 0
        population.shape.biases(population.mask)[0][member, first : first + 4] = 0
        population.shape.weights(population.mask)[1][member, :, first : first + 4] = 0
    population = population.masked(population.mask)
    settings_ = RoundSettings(steps=10, hidden_noise=0.3)
    together, _ = train(population, data, settings_, keys(range(3)))
    apart, _ = train(population, data, settings_, keys(range(3)), max_members=1)
    torch.testing.assert_close(together.values, apart.values, rtol=1e-4, atol=1e-6)


def test_members_are_trained_side_by_side_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "WORTH_A_THREAD", 0)
    population, data, settings_ = make((4, 12, 3), 5), data_for("bce", (4, 3)), RoundSettings(steps=10, input_noise=0.1, hidden_noise=0.3)
    whole, score = train(population, data, settings_, keys(range(5)))
    honest, seen, both = training._train, [], threading.Barrier(2, timeout=60)

    def met(part: Population, *rest: Any) -> Any:
        if len(seen) < 2:
            seen.append((len(part), threading.get_ident(), torch.get_num_threads()))
            both.wait()  # passed only where two are at work at the same time
        return honest(part, *rest)

    monkeypatch.setattr(training, "_train", met)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        spread, spread_score = train(population, data, settings_, keys(range(5)), threads=2)
        assert torch.get_num_threads() == 2
        monkeypatch.setattr(training, "_train", lambda *rest: seen.append((1, 0, torch.get_num_threads())) or honest(*rest))
        train(population.select(torch.tensor([0])), data, settings_, keys([0]), threads=2)
        assert seen.pop() == (1, 0, 2)  # alone, a member may have all of torch's threads
    finally:
        torch.set_num_threads(before)
    assert sorted(count for count, *_ in seen) == [2, 3]
    assert len({thread for _, thread, _ in seen}) == 2
    assert {count for *_, count in seen} == {1}
    torch.testing.assert_close(spread.values, whole.values, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(spread_score.accuracy, score.accuracy)
    torch.testing.assert_close(spread_score.loss, score.loss, rtol=1e-4, atol=1e-6)


def test_members_of_different_sizes_are_trained_side_by_side_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("training.WORTH_A_THREAD", "packing.FEW_PARAMETERS", "packing.STEP_COST"):
        monkeypatch.setattr(f"sculpting.mlp.{name}", 0)
    population = make((4, 12, 3), 2)
    population = population.masked(population.without_units(torch.arange(12).repeat(2, 1) < torch.tensor([[0], [6]])))
    honest, both = training._train, threading.Barrier(2, timeout=60)

    def met(part: Population, *rest: Any) -> Any:
        both.wait()
        return honest(part, *rest)

    data = data_for("bce", (4, 3))
    whole, _ = train(population, data, RoundSettings(steps=4), keys(range(2)))
    monkeypatch.setattr(training, "_train", met)
    spread, _ = train(population, data, RoundSettings(steps=4), keys(range(2)), threads=2)
    torch.testing.assert_close(spread.values, whole.values, rtol=1e-4, atol=1e-6)


def test_small_members_are_trained_together_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, seen = training._train, []

    def spy(part: Population, *rest: Any) -> Any:
        seen.append((len(part), threading.current_thread() is threading.main_thread()))
        return honest(part, *rest)

    monkeypatch.setattr(training, "_train", spy)
    train(make((4, 12, 3), 4), data_for("bce", (4, 3)), RoundSettings(steps=4), keys(range(4)), threads=2)
    monkeypatch.setattr(training, "WORTH_A_THREAD", 0)
    train(make((4, 12, 3), 4), data_for("bce", (4, 3)), RoundSettings(steps=4), keys(range(4)), threads=2, max_members=1)
    assert seen == [(4, True)] + [(1, True)] * 4
    seen.clear()
    train(make((4, 12, 3), 4), data_for("bce", (4, 3)), RoundSettings(steps=4), keys(range(4)), threads=2, max_members=3)
    assert seen == [(1, False)] * 4  # never two and two at once


@pytest.mark.parametrize("threads", [1, 2])
def test_memory_that_runs_out_on_threads_halves_their_members_and_other_errors_are_raised(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "WORTH_A_THREAD", 0)
    population, data, settings_ = make((4, 12, 3), 6), data_for("bce", (4, 3)), RoundSettings(steps=4)
    whole, _ = train(population, data, settings_, keys(range(6)))
    honest = training._train

    def scarce(part: Population, *rest: Any) -> Any:
        if len(part) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return honest(part, *rest)

    monkeypatch.setattr(training, "_train", scarce)
    found, _ = train(population, data, settings_, keys(range(6)), threads=threads)
    torch.testing.assert_close(found.values, whole.values, rtol=1e-4, atol=1e-6)

    tried: list[int] = []

    def broken(part: Population, *_: Any) -> Any:
        tried.append(len(part))
        raise RuntimeError("something else")

    monkeypatch.setattr(training, "_train", broken)
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="something else"):
        train(population, data, settings_, keys(range(6)), threads=threads)
    assert set(tried) == {6 // threads}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("many", [1, 1000])
def test_leaving_out_dead_inputs_changes_nothing(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculpting.mlp.memory_layout.MANY", many)
    population, data = make((10, 6, 3), 3), data_for("bce", (10, 3))
    population.shape.weights(population.mask)[0][:, :, [0, 3, 4]] = 0
    population = population.masked(population.mask)
    whole, _ = train(population, data, RoundSettings(steps=10, input_noise=0.5), keys(range(3)))
    monkeypatch.setattr("sculpting.mlp.packing.MANY_INPUTS", 2)
    monkeypatch.setattr("sculpting.mlp.packing.FEW_PARAMETERS", 0)
    (packing,) = packings(population)
    assert packing.shape.widths[0] == 7
    fewer, _ = train(population, data, RoundSettings(steps=10, input_noise=0.5), keys(range(3)))
    torch.testing.assert_close(whole.values, fewer.values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_accuracies_are_those_of_torch_and_finite_for_large_errors(loss: str) -> None:
    data = data_for(loss, (4, 3))
    z = 3 * torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(1))
    for member in range(2):
        expected = float(oracle.LOSS[loss](z[member].t(), data.y.t()))
        assert float(data.loss.mean(z, data.y)[member]) == pytest.approx(expected, rel=1e-5)
        assert float(data.loss.accuracy(z, data.y)[member]) == pytest.approx(oracle.accuracy(loss, z[member].t(), data.y.t()))
    assert bool(torch.isfinite(data.loss.mean(-1e4 * (2 * data.y - 1).unsqueeze(0), data.y)).all())


def with_dead_units(population: Population, seed: int, kept: float) -> Population:
    widths = population.shape.widths[1:-1]
    dead = (uniforms(keys([("dead", seed, i) for i in range(len(population))]), sum(widths)) > kept).float()
    mask = population.mask.clone()
    for layer, gone in enumerate(dead.split(widths, dim=1)):
        population.shape.weights(mask)[layer].mul_(1 - gone.unsqueeze(2))
        population.shape.biases(mask)[layer].mul_(1 - gone)
        population.shape.weights(mask)[layer + 1].mul_(1 - gone.unsqueeze(1))
    return population.masked(mask)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.sampled_from([(4, 17, 12, 3), (70, 9, 3), (5, 6, 2)]))
def test_packing_keeps_every_network_and_comes_back(seed: int, kept: float, widths: tuple[int, ...]) -> None:
    population, data = with_dead_units(make(widths, 12, seed=seed, kept=0.3), seed, kept), data_for("mse", (widths[0], widths[-1]))
    expected, back, seen = evaluate(population, data).loss, torch.zeros_like(population.values), []
    for packing in packings(population):
        packed = packing.pack(population)
        rows = data.x_validation if packing.inputs is None else torch.cat([data.x_validation[packing.inputs], data.x_validation[-1:]])
        loss = BatchedMLP(packed.shape, packed.values).evaluate(rows, data.y_validation, data.loss).loss
        torch.testing.assert_close(loss, expected[packing.members], rtol=1e-4, atol=1e-5)
        packing.unpack(packed.values, back)
        seen += packing.members.tolist()
        alive = max(int(a[packing.members].sum(dim=1).max()) for a in population.alive())
        assert max(packing.shape.widths[1:-1]) <= max(4, -(-alive // 4) * 4)
    assert sorted(seen) == list(range(12))
    assert torch.equal(back, population.values)


def test_a_few_parameters_are_trained_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    population, data = with_dead_units(make((4, 12, 3), 2), 0, 0.5), data_for("bce", (4, 3))
    (whole,) = packings(population)
    assert whole.shape == population.shape
    assert [part.members.tolist() for part in whole.split(1)] == [[0], [1]]
    apart, _ = train(population, data, RoundSettings(steps=10, hidden_noise=0.2), keys(range(2)))
    monkeypatch.setattr("sculpting.mlp.packing.FEW_PARAMETERS", 0)
    (smaller,) = packings(population)
    assert smaller.shape.size < population.shape.size
    packed, _ = train(population, data, RoundSettings(steps=10, hidden_noise=0.2), keys(range(2)))  # noise belongs to units, not to places
    torch.testing.assert_close(apart.values, packed.values, rtol=1e-4, atol=1e-6)


def test_where_every_unit_is_left_nothing_is_moved() -> None:
    dense = make((4, 12, 6, 3), 100, kept=0.5)
    assert all(bool(alive.all()) for alive in dense.alive())
    (whole,) = packings(dense)
    assert whole.places is None
    assert [units[0].tolist() for units in whole.units] == [list(range(12)), list(range(6))]
    (moved,) = packings(dense.masked(dense.without_units(torch.arange(18).expand(100, -1) == 0)))
    assert moved.places is not None
    assert moved.units[0][0].tolist() == [*range(1, 12), 0]


def test_members_of_similar_size_are_packed_together_where_it_is_faster() -> None:
    big, small = make((4, 40, 3), 100, kept=1.0), with_dead_units(make((4, 40, 3), 100, kept=1.0), 0, 0.08)
    mixed = Population.of(big.shape, torch.cat([big.values, small.values]), torch.cat([big.mask, small.mask]))
    found = [(sorted(p.members.tolist()), p.shape.widths[1]) for p in packings(mixed)]
    assert found[-1] == (list(range(100)), 40)
    assert sum(len(members) for members, _ in found) == 200
    for few in ([0, 160, 161], [*range(60), 160, 161]):
        assert [len(p.members) for p in packings(mixed.select(few))] == [len(few)]


def test_dead_inputs_are_left_out_of_large_networks_only() -> None:
    large, small = make((100, 8, 3), 2), make((10, 8, 3), 2)
    for population in (large, small):
        population.shape.weights(population.mask)[0][:, :, 5:] = 0
    (packed,), (whole,) = packings(large), packings(small)
    assert packed.shape.widths[0] == len(packed.inputs) == 5
    assert whole.inputs is None
    data = data_for("bce", (100, 3))
    trained, _ = train(large.masked(large.mask), data, RoundSettings(steps=4, input_noise=0.1), keys(range(2)))
    assert float(trained.values[large.mask == 0].abs().max()) == 0.0
    # Where no input is read any more, one is kept beside the biases.
    large.shape.weights(large.mask)[0][:] = 0
    (blind,) = packings(large)
    assert blind.shape.widths[0] == 1
    constant, score = train(large.masked(large.mask), data, RoundSettings(steps=4), keys(range(2)))
    assert float(constant.weights[0].abs().max()) == 0.0
    assert bool(score.loss.isfinite().all())
    engine = MLPEngine(data, RoundSettings(), {"edges": EDGE_SCORES["magnitude"]})
    scores = engine.score(large, "edges", keys(range(2)))
    assert torch.equal(scores < torch.inf, large.live_edges())


def test_fresh_weights_are_kaiming_normal_with_zero_biases() -> None:
    population = Population.fresh(Shape((50, 80, 10), ("relu", "identity")), keys(range(20)))
    for weight, bias in zip(population.weights, population.biases, strict=True):
        assert float(bias.abs().max()) == 0.0
        assert float(weight.mean()) == pytest.approx(0, abs=0.01)
        assert float(weight.std()) == pytest.approx((2 / weight.shape[2]) ** 0.5, rel=0.02)


@pytest.mark.parametrize(("widths", "members", "batch"), [((4, 6, 3), 3, 10), ((2, 4, 1), 40, 10), ((80, 6, 3), 2, 5)])
def test_rows_that_a_sample_draws_are_trained_on_as_rows_of_data_are(widths: tuple[int, ...], members: int, batch: int) -> None:
    """A sample that deals out the rows of the data in the order in which batches do; members lie first, last, and read some inputs."""
    population, data = make(widths, members), data_for("bce", widths)
    if widths[0] > 64:
        population.shape.weights(population.mask)[0][:, :, 7:9] = 0
        population = Population.of(population.shape, population.values, population.mask)

    def sample(key: torch.Tensor, step: int, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        epoch, part = divmod(step, 20 // rows)
        places = permutations(key, 20, 1, epoch)[:, 0, part * rows : (part + 1) * rows].long()
        return data.x[:-1, places].transpose(0, 1), data.y[:, places].transpose(0, 1)

    for noise in (0.0, 0.2):
        settings_ = RoundSettings(12, batch, 0.02, hidden_noise=noise)
        dealt, _ = train(population, data, settings_, keys(range(members)))
        drawn, _ = train(population, replace(data, sample=sample), settings_, keys(range(members)))
        torch.testing.assert_close(
            drawn.values, dealt.values, rtol=0, atol=0 if widths[0] < 64 else 1e-5
        )  # other strides round differently


def test_noise_on_inputs_is_added_to_fresh_rows_too() -> None:
    population, data = make((4, 6, 3), 2), data_for("bce", (4, 3))
    zeros = replace(data, sample=lambda key, step, rows: (torch.zeros(len(key), 4, rows), torch.zeros(len(key), 3, rows)))
    key, noise = keys([0, 1]), 0.3
    batches_ = list(fresh_batches(zeros.sample, 5, 3, noise, key, torch.tensor([0, 2]), False))
    assert [x.shape for x, _ in batches_] == [(2, 3, 5)] * 3
    drawn = torch.stack([x[:, :-1] for x, _ in batches_])
    assert drawn.std() == pytest.approx(noise, rel=0.4)
    assert len(drawn.flatten().unique()) > 50
    assert all(bool((x[:, -1] == 1).all()) for x, _ in batches_)
    quiet, loud = (train(population, zeros, RoundSettings(5, input_noise=size), key)[0].values for size in (0.0, noise))
    assert not torch.equal(quiet, loud)


def test_complete_tables_are_trained_on_whole() -> None:
    task = tasks.cmsp(2, 2)
    assert task.sample is not None
    assert Data.of(task).sample is None
    assert Data.of(tasks.cmsp(2, 2, rows=30)).sample is not None


def test_rows_of_a_small_table_stand_several_times_in_an_epoch() -> None:
    task = tasks.boolean("reused")
    once, thrice = Data.of(task), Data.of(task, copies=3)
    assert torch.equal(thrice.x, once.x.repeat(1, 3))
    assert torch.equal(thrice.y, once.y.repeat(1, 3))
    assert torch.equal(thrice.x_validation, once.x_validation)
    for rows, size, steps in ((256, None, 120), (128, None, 60), (16, None, 60), (256, 8, 120), (160, None, 90), (256, 256, 60)):
        assert TrainingSettings(batch_size=size).of_round(rows).steps == steps
    for least, size, expected in ((64, None, (32, 4)), (64, 8, (8, 4)), (63, None, (24, 3)), (1, None, (8, 1)), (17, None, (8, 1))):
        given = TrainingSettings(batch_size=size, least_rows=least)
        assert (given.of_round(len(task.x)).batch_size, given.copies(len(task.x))) == expected
