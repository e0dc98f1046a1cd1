"""What holds for populations of any module: masks, dropout, noise, buffers, company, and the user's module."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from module_maps import SmallCNN, SmallTransformer, map_of_cnn, map_of_transformer
from torch import Tensor, nn

from sculpting.autograd import (
    MODULE_EDGE_SCORES,
    MODULE_UNIT_SCORES,
    Architecture,
    AutogradEngine,
    ModulePopulation,
    ModuleRows,
    fresh_members,
    memory,
)
from sculpting.autograd.dropout import Dropout, drawn
from sculpting.autograd.rows import batches, whole_batches
from sculpting.autograd.training import evaluate, train
from sculpting.models.groups import UnitMap, units
from sculpting.randomness import keys
from sculpting.settings import RoundSettings
from sculpting.tasks import Task

MEMBERS = 4
KEY = keys([*range(MEMBERS)])
SETTINGS = RoundSettings(steps=6, batch_size=10, learning_rate=0.01, input_noise=0.1)
SCORES: Any = {"units": MODULE_UNIT_SCORES["loss_sensitivity"], "edges": MODULE_EDGE_SCORES["magnitude"]}
RATES = torch.full((MEMBERS,), 0.01, dtype=torch.float64)


def data_of(x: Tensor, seed: int = 0) -> Task:
    classes = torch.randint(0, 3, (len(x),), generator=torch.Generator().manual_seed(seed))
    y = torch.nn.functional.one_hot(classes, 3).float()
    return Task(x, y, "ce", x[:12], y[:12])


def images() -> tuple[nn.Module, Task, UnitMap]:
    torch.manual_seed(0)
    model = SmallCNN()
    return model, data_of(torch.rand(24, 1, 6, 6, generator=torch.Generator().manual_seed(1))), map_of_cnn(model)


def tokens() -> tuple[nn.Module, Task, UnitMap]:
    torch.manual_seed(0)
    model = SmallTransformer()
    return model, data_of(torch.randint(0, 6, (24, 4), generator=torch.Generator().manual_seed(1))), map_of_transformer(model)


class Setting:
    """A population of fresh members of a module, and its engine."""

    def __init__(self, make: Callable[[], tuple[nn.Module, Task, UnitMap]], dtype: torch.dtype = torch.float32) -> None:
        self.model, self.task, self.units = make()
        self.rows = ModuleRows.of(self.task, dtype=dtype)
        self.architecture = Architecture.of(self.model.to(dtype), self.units, tuple(part[:3] for part in self.rows.x))
        self.members = fresh_members(self.architecture, KEY)
        self.engine = AutogradEngine(self.rows, SETTINGS, SCORES)


BOTH = pytest.mark.parametrize("make", [images, tokens])


def same(a: ModulePopulation, b: ModulePopulation) -> bool:
    return all(torch.equal(part, b.tensors()[name]) for name, part in a.tensors().items())


@BOTH
def test_the_same_round_gives_the_same_members_and_moves_no_generator(make: Any) -> None:
    setting = Setting(make)
    before = torch.get_rng_state()
    one, evaluation = setting.engine.train(setting.members, KEY, RATES)
    other, again = setting.engine.train(setting.members, KEY, RATES)
    assert same(one, other)
    assert torch.equal(evaluation.loss, again.loss)
    assert torch.equal(before, torch.get_rng_state())
    different, _ = setting.engine.train(setting.members, keys(["a", "b", "c", "d"]), RATES)
    assert not same(one, different)


@BOTH
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.float64, 1e-11)])
def test_a_member_alone_is_the_same_to_rounding(make: Any, dtype: torch.dtype, tolerance: float) -> None:
    # A step of Adam divides gradients by their size, the rounding of those that are nearly zero included.
    setting = Setting(make, dtype)
    together, _ = setting.engine.train(setting.members, KEY, RATES)
    alone, _ = setting.engine.train(setting.members.select([2]), KEY[2:3], RATES[:1])
    parts, _ = AutogradEngine(setting.rows, SETTINGS, SCORES, max_members=2).train(setting.members, KEY, RATES)
    for name, part in together.tensors().items():
        torch.testing.assert_close(alone.tensors()[name], part[2:3], rtol=0, atol=tolerance)
        torch.testing.assert_close(parts.tensors()[name], part, rtol=0, atol=tolerance)


@BOTH
@pytest.mark.parametrize("items", ["units", "edges"])
def test_what_was_pruned_stays_exactly_zero(make: Any, items: Any) -> None:
    setting = Setting(make)
    scores = setting.engine.score(setting.members, items, KEY)
    removed = (scores <= scores.masked_fill(scores.isinf(), 0.0).amax(dim=1, keepdim=True) / 3) & scores.isfinite()
    assert removed.any(dim=1).all()
    pruned = setting.engine.remove(setting.members, items, removed)
    trained, _ = setting.engine.train(pruned, KEY, RATES)
    assert torch.equal(trained.mask, pruned.mask)
    assert bool((trained.values[~trained.mask] == 0).all())
    assert float((trained.values - pruned.values).abs().max()) > 0
    before, left = setting.engine.count(trained, items)
    assert torch.equal(before - left, removed.sum(dim=1))
    if items == "units":
        assert not (trained.alive() & removed).any()
        assert torch.equal(setting.engine.score(trained, items, KEY).isinf() & scores.isfinite(), removed)


@BOTH
def test_a_removed_unit_changes_nothing_it_is_read_by(make: Any) -> None:
    # Whatever stands in what writes a removed unit, the outputs stay.
    setting = Setting(make)
    removed = torch.zeros(MEMBERS, len(setting.units), dtype=torch.bool)
    removed[:, setting.units.removable.nonzero()[1]] = True
    pruned = setting.members.without_units(removed)
    zeros = (pruned.mask == 0).nonzero()
    assert len(zeros)
    assert not torch.equal(evaluate(pruned, setting.rows).loss, evaluate(setting.members, setting.rows).loss)
    expected = MODULE_UNIT_SCORES["ablation"](setting.members, setting.rows, KEY)[:, setting.units.removable.nonzero()[1].item()]
    change = (evaluate(pruned, setting.rows).loss - evaluate(setting.members, setting.rows).loss).abs()
    torch.testing.assert_close(change.double(), expected, rtol=0, atol=1e-5)


def test_running_means_belong_to_a_member() -> None:
    setting = Setting(images)
    assert setting.architecture.moving == ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked")
    trained, _ = setting.engine.train(setting.members, KEY, RATES)
    means = trained.buffers["norm.running_mean"]
    assert len(means[:, 0].unique()) == MEMBERS
    # By torch alone, from the same rows: the first step of one member.
    module = copy.deepcopy(setting.model).train()
    for part, view in zip(module.parameters(), setting.members.parameters.values(), strict=True):
        part.data.copy_(view[1])
    x, _ = next(batches(setting.rows, 10, 1, 0.1, KEY))
    module(x[0][1])
    one = RoundSettings(steps=1, batch_size=24, keep_last=True)
    first, _ = train(setting.members, setting.rows, one, KEY)
    whole, _ = next(batches(setting.rows, 24, 1, 0.0, KEY))
    module.norm.reset_running_stats()  # type: ignore[union-attr,operator]
    module(whole[0][1])
    torch.testing.assert_close(first.buffers["norm.running_mean"][1], module.norm.running_mean)  # type: ignore[union-attr]
    assert first.buffers["norm.num_batches_tracked"].tolist() == [1] * MEMBERS


def test_dropout_drops_its_share_and_scales_the_rest() -> None:
    (mask,) = drawn([((1000, 3), 0.25)], KEY, step=5, dtype=torch.float32)
    assert mask.shape == (MEMBERS, 1000, 3)
    assert sorted(mask.unique().tolist()) == [0.0, pytest.approx(4 / 3)]
    assert mask.mean(dim=(1, 2)).tolist() == pytest.approx([1.0] * MEMBERS, abs=0.05)
    assert torch.equal(drawn([((1000, 3), 0.25)], KEY[2:], 5, torch.float32)[0], mask[2:])
    assert not torch.equal(drawn([((1000, 3), 0.25)], KEY, 6, torch.float32)[0], mask)


@pytest.mark.parametrize(
    "module",
    [
        nn.Dropout(0.5), nn.Dropout(0.5, inplace=True), nn.Dropout2d(0.5), nn.Sequential(nn.Linear(6, 6), nn.Dropout1d(0.5)),
        nn.TransformerEncoderLayer(6, 2, 8, dropout=0.5, batch_first=True),
    ],
)  # fmt: skip
def test_every_form_of_dropout_takes_the_masks_it_is_given(module: nn.Module) -> None:
    x, before = torch.rand(5, 3, 6), torch.get_rng_state()
    with Dropout(None) as asked:
        plain = module.train()(x.clone())
    assert asked.seen
    ones = [torch.ones(shape) for shape, _ in asked.seen]
    with Dropout(ones):
        torch.testing.assert_close(module(x.clone()), plain)
    with Dropout([torch.zeros_like(mask) for mask in ones]):
        assert not torch.allclose(module(x.clone()), plain)
    assert torch.equal(before, torch.get_rng_state())


def test_attention_with_all_its_arguments_is_that_of_torch() -> None:
    q, k, v = torch.randn(2, 4, 5, 6), torch.randn(2, 2, 5, 6), torch.randn(2, 2, 5, 6)
    attend = nn.functional.scaled_dot_product_attention
    for options in ({}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": torch.rand(5, 5) > 0.3}, {"attn_mask": torch.randn(5, 5)}):
        expected = attend(q, k, v, enable_gqa=True, **options)
        with Dropout(()):
            torch.testing.assert_close(attend(q, k, v, enable_gqa=True, **options), expected, equal_nan=True)


def test_other_random_numbers_in_a_forward_are_refused() -> None:
    class Noisy(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x + torch.randn_like(x))

    with pytest.raises(ValueError, match=r"must draw random numbers by dropout only, .* got torch's randn_like. Use nn.Dropout"):
        Architecture.of(Noisy(3, 2), units(nn.Linear(3, 2), torch.zeros(2, 3)), (torch.zeros(2, 3),))


def test_noise_is_for_real_inputs_alone() -> None:
    setting = Setting(tokens)
    (x,), y = next(batches(setting.rows, 10, 1, 0.5, KEY))
    assert x.dtype == torch.int64
    assert (x.shape, y.shape) == ((MEMBERS, 10, 4), (MEMBERS, 3, 10))
    setting = Setting(images)
    (noisy,), _ = next(batches(setting.rows, 24, 1, 0.5, KEY))
    (plain,), _ = next(batches(setting.rows, 24, 1, 0.0, KEY))
    assert float((noisy - plain).std()) == pytest.approx(0.5, abs=0.02)


@BOTH
def test_the_users_module_stays_as_it_was(make: Any) -> None:
    model, task, known = make()
    model.train()
    before = copy.deepcopy(model.state_dict())
    architecture = Architecture.of(model, known, (task.x[:3],))
    members = fresh_members(architecture, KEY)
    AutogradEngine(ModuleRows.of(task), SETTINGS, SCORES).train(members, KEY, RATES)
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    assert all(part.grad is None and part.requires_grad for part in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_fresh_members_are_drawn_as_the_module_draws_them() -> None:
    setting = Setting(tokens)
    before = torch.get_rng_state()
    again = fresh_members(setting.architecture, KEY)
    assert torch.equal(before, torch.get_rng_state())
    assert same(again, setting.members)
    assert same(fresh_members(setting.architecture, KEY[1:2]), setting.members.select([1]))
    views = setting.members.parameters
    assert float(views["up.weight"].abs().max()) <= 1 / 8**0.5  # as nn.Linear draws them
    assert float(views["up.weight"].abs().max()) > 0.9 / 8**0.5
    own = dict(setting.model.named_parameters())["position"].detach()
    assert not torch.equal(views["position"][0], views["position"][1])
    assert float(views["position"].std()) == pytest.approx(float(own.std()), rel=0.3)  # no reset_parameters covers it


def test_frozen_parameters_do_not_train() -> None:
    model, task, known = tokens()
    model.embedding.weight.requires_grad_(False)  # type: ignore[union-attr]
    architecture = Architecture.of(model, known, (task.x[:3],))
    members = fresh_members(architecture, KEY)
    settings = RoundSettings(steps=3, batch_size=10, weight_decay=0.1)
    trained, _ = train(members, ModuleRows.of(task), settings, KEY)
    own = model.embedding.weight  # type: ignore[union-attr]
    assert torch.equal(trained.parameters["embedding.weight"], own.expand(MEMBERS, -1, -1))
    assert not torch.equal(trained.parameters["up.weight"], members.parameters["up.weight"])


def test_a_member_that_overflows_does_not_change_the_others() -> None:
    setting = Setting(images)
    rates = torch.tensor([0.01, 1e30, 0.01, 0.01], dtype=torch.float64)
    trained, evaluation = setting.engine.train(setting.members, KEY, rates)
    assert evaluation.accuracy[1] == -torch.inf
    assert torch.equal(trained.values[1], setting.members.values[1])
    usual, _ = setting.engine.train(setting.members.select([0, 2, 3]), KEY[[0, 2, 3]], RATES[:3])
    torch.testing.assert_close(trained.values[[0, 2, 3]], usual.values, rtol=0, atol=1e-4)


def test_members_are_trained_in_halves_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    setting, run, tried = Setting(images), Architecture.run, []

    def limited(self: Architecture, values: Any, *args: Any, **kwargs: Any) -> Any:
        members = len(next(iter(values.values())))
        tried.append(members)
        if members > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return run(self, values, *args, **kwargs)

    expected, _ = setting.engine.train(setting.members, KEY, RATES)
    monkeypatch.setattr(Architecture, "run", limited)
    trained, _ = setting.engine.train(setting.members, KEY, RATES)
    assert tried[0] == MEMBERS
    torch.testing.assert_close(trained.values, expected.values, rtol=0, atol=1e-4)


@BOTH
def test_members_are_selected_joined_and_restored_with_all_they_have(make: Any) -> None:
    members = Setting(make).members
    halves = members.select([0, 1]).joined(members.select([2, 3]))
    assert same(halves, members)
    assert same(members.select([3, 3]).restored(members.tensors()), members)
    assert same(members.replaced(torch.tensor([1]), members.select([3])), members.select([0, 3, 2, 3]))


def test_kept_units_are_no_items() -> None:
    setting = Setting(tokens)
    stream = setting.units.named("stream")
    kept = torch.zeros(len(setting.units), dtype=torch.bool)
    kept[stream.first : stream.first + stream.size] = True
    engine = AutogradEngine(setting.rows, SETTINGS, SCORES, kept)
    assert engine.count(setting.members, "units")[0].tolist() == [28] * MEMBERS
    scores = engine.score(setting.members, "units", KEY)
    assert torch.equal(scores.isinf(), (kept | ~setting.units.removable).expand(MEMBERS, -1))


@BOTH
def test_scores_of_units_follow_what_ablation_measures(make: Any) -> None:
    setting = Setting(make)
    trained, _ = train(setting.members, setting.rows, RoundSettings(steps=60, batch_size=12, learning_rate=0.01), KEY)
    measured = MODULE_UNIT_SCORES["ablation"](trained, setting.rows, KEY)[:, setting.units.removable]
    estimated = MODULE_UNIT_SCORES["loss_sensitivity"](trained, setting.rows, KEY)[:, setting.units.removable].double()
    assert float(torch.corrcoef(torch.stack([measured.flatten(), estimated.flatten()]))[0, 1]) > 0.5


def test_the_gate_of_a_unit_is_the_slope_of_its_scale() -> None:
    # By finite differences, the mean over rows of one sign.
    setting = Setting(tokens, torch.float64)
    one, row = setting.members.select([0]), 0
    rows = ModuleRows.of(Task(setting.task.x, setting.task.y, "ce", setting.task.x[[row]], setting.task.y[[row]]), dtype=torch.float64)
    scores = MODULE_UNIT_SCORES["loss_sensitivity"](one, rows, KEY[:1])[0]
    step = 1e-5
    for layer, parameters in (("v", ["o.weight"]), ("up", ["down.weight"]), ("qk", ["q.weight", "q.bias"])):
        unit, losses = setting.units.named(layer), []
        for sign in (1, -1):
            moved = ModulePopulation(one.architecture, one.values.clone(), one.mask)
            for name in parameters:
                view = moved.parameters[name]
                part = view[:, 2] if layer == "qk" else view[..., 2]
                part *= 1 + sign * step
            losses.append(float(evaluate(moved, rows).loss))
        assert float(scores[unit.first + 2]) == pytest.approx(abs(losses[0] - losses[1]) / (2 * step), rel=1e-4, abs=1e-9)


def test_large_members_are_trained_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(images)
    each = memory.bytes_of_member(setting.architecture, setting.rows, SETTINGS)
    assert each > 4 * memory.PARAMETER_COPIES * setting.architecture.size
    for free, members in ((1 << 40, MEMBERS), (6 * each, 3), (each // 2, 1)):
        monkeypatch.setattr(memory, "free_bytes", lambda device, free=free: free)
        assert memory.members_that_fit(MEMBERS, setting.architecture, setting.rows, SETTINGS) == members
    trained, evaluation = setting.engine.train(setting.members, KEY, RATES)  # each alone, without vmap
    monkeypatch.undo()
    together, other = setting.engine.train(setting.members, KEY, RATES)
    torch.testing.assert_close(trained.values, together.values, rtol=0, atol=1e-3)
    torch.testing.assert_close(evaluation.loss, other.loss, rtol=0, atol=1e-3)


def test_no_batch_of_an_epoch_has_a_single_row() -> None:
    sizes = [whole_batches(RoundSettings(batch_size=size), rows).batch_size for size, rows in ((8, 24), (8, 25), (12, 25), (1, 5), (64, 1))]
    assert sizes == [8, 9, 13, 3, 64]
