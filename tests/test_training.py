"""A population's members against the same networks alone: gradients, whole rounds, masks, independence."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from members import data_for, make
from rounding import assert_same_to_rounding
from torch import nn

from sculpting import tasks
from sculpting.activations import ACTIVATIONS
from sculpting.data import Data
from sculpting.engine import Evaluation
from sculpting.losses import LOSSES
from sculpting.mlp.batches import fresh_batches
from sculpting.mlp.packing import packings
from sculpting.mlp.population import Population
from sculpting.mlp.training import Hooks, evaluate, gradient, rate_shares, train
from sculpting.models.shape import Shape
from sculpting.randomness import keys, permutations
from sculpting.settings import RoundSettings, TrainingSettings


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
        assert_same_to_rounding(both.values[member], one.values[0])


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
    assert_same_to_rounding(together.values[others], single.values[0])


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
    assert_same_to_rounding(whole.values, pieces.values)


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
    assert_same_to_rounding(together.values, apart.values)


@pytest.mark.parametrize("name", [name for name, activation in ACTIVATIONS.items() if activation.overwrite is not None])
def test_slopes_written_over_are_the_same(name: str) -> None:
    activation, z, d = ACTIVATIONS[name], torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.0, 6.0, 7.0, float("nan")]), torch.arange(1.0, 9.0)
    expected = activation.backward(d, z, activation.apply(z, torch.empty_like(z)))
    found = activation.overwrite(d, activation.apply(z, torch.empty_like(z)))
    assert found is d
    assert torch.equal(found, expected)


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
    assert_same_to_rounding(whole.values, fewer.values)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_accuracies_are_those_of_torch_and_finite_for_large_errors(loss: str) -> None:
    data = data_for(loss, (4, 3))
    z = 3 * torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(1))
    for member in range(2):
        expected = float(oracle.LOSS[loss](z[member].t(), data.y.t()))
        assert float(data.loss.mean(z, data.y)[member]) == pytest.approx(expected, rel=1e-5)
        assert float(data.loss.accuracy(z, data.y)[member]) == pytest.approx(oracle.accuracy(loss, z[member].t(), data.y.t()))
    assert bool(torch.isfinite(data.loss.mean(-1e4 * (2 * data.y - 1).unsqueeze(0), data.y)).all())


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
        assert_same_to_rounding(drawn.values, dealt.values)  # other strides may round otherwise


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
