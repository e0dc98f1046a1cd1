"""Scores of groups, ablation, which groups stay, and that the model is as before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from language_tiny import elements, groups_of, tiny, tokens, zeroed
from torch import Tensor, nn

from sculpting.narrow.language import group_scores, lowest_groups
from sculpting.narrow.language.frontier import sparsity_curve
from sculpting.narrow.language.groups.finding import GroupLayer
from sculpting.narrow.language.groups.slices import scale_groups, view_of, without
from sculpting.narrow.language.scores.ablation import ablation_changes
from sculpting.narrow.language.scores.scoring import SCORES
from sculpting.narrow.language.training.loss import evaluated, next_token_loss

FAMILIES = ["llama", "gemma2", "gpt_neox", "gpt2"]
WINDOWS = tokens()


def finite_difference(model: Any, layer: GroupLayer, group: int, step: float) -> float:
    """The derivative of the loss with respect to a factor of one group."""
    losses = []
    for factor in (1 + step, 1 - step):
        copied = copy.deepcopy(model)
        factors = torch.ones(layer.size, dtype=torch.float64)
        factors[group] = factor
        scale_groups(copied, layer, factors)
        losses.append(float(evaluated(copied, WINDOWS, 8).mean()))
    return (losses[0] - losses[1]) / (2 * step)


def autograd(model: Any, windows: Tensor) -> dict[str, Tensor]:
    copied = copy.deepcopy(model)
    next_token_loss(copied, windows).backward()
    return {name: tensor.grad for name, tensor in copied.named_parameters()}


def summed(model: Any, layer: GroupLayer, values: dict[str, Tensor]) -> Tensor:
    return sum(view_of(values[s.parameter], s, layer.size).flatten(1).sum(1) for s in layer.slices)  # type: ignore[return-value]


# First order


@pytest.mark.parametrize("family", FAMILIES)
def test_first_order_is_the_derivative_of_the_loss_by_a_factor_of_the_group(family: str) -> None:
    model, layers = tiny(family, torch.float64), groups_of(family).layers
    scores = group_scores(model, layers, WINDOWS, batch_size=4)
    step, close = (1e-2, 5e-3) if family == "gemma2" else (1e-4, 1e-5)  # Gemma's attention computes in float32
    assert {layer.kind for layer in layers} >= {"neurons"}
    for layer, found in zip(layers, scores, strict=True):
        for group in (0, layer.size - 1):
            wanted = abs(finite_difference(model, layer, group, step))
            assert float(found[group]) == pytest.approx(wanted, rel=close, abs=1e-9)


def test_first_order_sums_signed_products_and_the_absolute_variant_sums_products_with_absolute_gradients() -> None:
    model, layers = tiny(dtype=torch.float64), groups_of().layers
    weights = {name: tensor.detach() for name, tensor in model.named_parameters()}
    gradients = autograd(model, WINDOWS)
    first = group_scores(model, layers, WINDOWS, "first_order", batch_size=4)
    halves = [autograd(model, WINDOWS[:4]), autograd(model, WINDOWS[4:])]
    mean = {name: halves[0][name].abs() * 4 / 6 + halves[1][name].abs() * 2 / 6 for name in weights}
    absolute = group_scores(model, layers, WINDOWS, "absolute_gradient", batch_size=4)
    for layer, one, other in zip(layers, first, absolute, strict=True):
        torch.testing.assert_close(one, summed(model, layer, {n: gradients[n] * weights[n] for n in weights}).abs())
        torch.testing.assert_close(other, summed(model, layer, {n: mean[n] * weights[n] for n in weights}).abs())


@pytest.mark.parametrize("score", ["first_order", "activation_gradient", "ablation"])
def test_scores_do_not_depend_on_the_batch_size(score: str) -> None:
    model, layers = tiny(dtype=torch.float64), groups_of().of("neurons")
    one, four = (group_scores(model, layers, WINDOWS, score, batch_size=size) for size in (1, 4))
    for a, b in zip(one, four, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_activation_gradient_is_the_mean_over_tokens_of_products_at_the_reader() -> None:
    model, [layer, _] = tiny(dtype=torch.float64), groups_of().of("neurons")
    seen: list[Tensor] = []
    handle = model.model.layers[0].mlp.down_proj.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    loss = next_token_loss(model, WINDOWS) * WINDOWS[:, 1:].numel()
    handle.remove()
    [gradient] = torch.autograd.grad(loss, [seen[0]])
    wanted = (seen[0] * gradient).abs().flatten(0, 1).sum(0) / WINDOWS[:, 1:].numel()
    [found] = group_scores(model, [layer], WINDOWS, "activation_gradient", batch_size=4)
    torch.testing.assert_close(found, wanted.detach())
    [heads, _] = groups_of().of("heads")
    assert group_scores(model, [heads], WINDOWS, "activation_gradient")[0].shape == (2,)


def test_norm_is_that_of_all_weights_of_a_group() -> None:
    model, layers = tiny(dtype=torch.float64), groups_of().layers
    for layer, found in zip(layers, group_scores(model, layers, WINDOWS, "norm"), strict=True):
        assert float(found[1]) == pytest.approx(float(elements(model, layer, 1).norm()), rel=1e-12)


def test_random_scores_depend_on_the_seed_alone_and_prune_without_replacement() -> None:
    layers = groups_of().of("neurons")
    one, same, other = (group_scores(tiny(), layers, WINDOWS, "random", seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])
    assert len(torch.cat(one).unique()) == 40
    masks = [lowest_groups(one, sparsity) for sparsity in (0.2, 0.5)]
    assert [int(torch.cat(mask).sum()) for mask in masks] == [32, 20]
    assert all(bool((few <= many).all()) for few, many in zip(masks[1], masks[0], strict=True))


# Ablation


@pytest.mark.parametrize("family", FAMILIES)
def test_ablation_is_the_change_of_the_loss_without_the_parameters(family: str) -> None:
    model = tiny(family, torch.float64)
    whole = float(evaluated(model, WINDOWS, 8).mean())
    for layer in groups_of(family).layers:
        which = [0, layer.size // 2, layer.size - 1]
        found = ablation_changes(model, layer, WINDOWS, which, batch_size=4, together=8)
        wanted = [float(evaluated(zeroed(model, layer, group), WINDOWS, 8).mean()) - whole for group in which]
        assert found.tolist() == pytest.approx(wanted, rel=1e-8, abs=1e-12)
        assert found.abs().max() > 1e-6


def test_first_order_is_close_to_ablation_where_groups_are_small() -> None:
    model, layers = tiny(dtype=torch.float64), groups_of().of("neurons")
    for layer in layers:
        scale_groups(model, layer, torch.full((layer.size,), 0.2, dtype=torch.float64))
    linear, exact = (torch.cat(group_scores(model, layers, WINDOWS, score)) for score in ("first_order", "ablation"))
    # A neuron is a product of three factors of its scale: its derivative is three times the change to the lowest order.
    assert torch.corrcoef(torch.stack([linear, exact]))[0, 1] > 0.9


def test_ablation_skips_the_layers_before_it() -> None:
    model, [first, second] = tiny(), groups_of().of("neurons")
    calls: list[int] = []
    model.model.layers[0].mlp.register_forward_hook(lambda *_: calls.append(1))
    counts = []
    for layer in (first, second):
        calls.clear()
        ablation_changes(model, layer, WINDOWS, range(8), batch_size=8, together=8)
        counts.append(len(calls))
    assert counts == [1 + 8, 2]  # the whole once, then each group alone; or the whole and the prefix


def test_ablation_counts_a_hook_of_the_user_once() -> None:
    model, [_, layer] = tiny(dtype=torch.float64), groups_of().of("neurons")
    steer = torch.linspace(-1, 1, 24, dtype=torch.float64)
    model.model.layers[0].register_forward_hook(lambda _, given, answer: answer + steer)
    wanted = float(evaluated(zeroed(model, layer, 3), WINDOWS, 8).mean()) - float(evaluated(model, WINDOWS, 8).mean())
    assert float(ablation_changes(model, layer, WINDOWS, [3])[0]) == pytest.approx(wanted, rel=1e-9)


# The model of the user


def state(model: nn.Module) -> dict[str, Any]:
    """All that a call could change: bits, gradients, modes, hooks and attributes of instances."""
    return {
        "bits": {name: tensor.detach().clone() for name, tensor in model.state_dict().items()},
        "identities": [id(tensor) for tensor in model.parameters()],
        "gradients": [None if t.grad is None else t.grad.clone() for t in model.parameters()],
        "wanted": [t.requires_grad for t in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "forwards": [vars(module).get("forward") for module in model.modules()],
        "hooks": [
            [list(vars(module)[kind].values()) for kind in sorted(vars(module)) if kind.endswith("_hooks")] for module in model.modules()
        ],
        "parameter hooks": [
            (len(t._backward_hooks or ()), len(getattr(t, "_post_accumulate_grad_hooks", None) or ())) for t in model.parameters()
        ],
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def marked() -> Any:
    """A model with gradients, a frozen parameter, modes that differ, a hook and a patched forward."""
    model = tiny()
    next_token_loss(model, WINDOWS).backward()
    model.model.norm.weight.requires_grad_(False)
    model.train()
    model.model.layers[1].eval()
    model.model.layers[0].register_forward_hook(lambda _, given, answer: answer)
    before = model.model.layers[0].forward
    model.model.layers[0].forward = lambda *given, **named: before(*given, **named)
    return model


class Broken(Exception):  # noqa: N818
    """An error in the middle of a forward."""


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("score", [*SCORES, "curve"])
def test_the_model_is_as_before(score: str, fails: bool) -> None:
    model, layers = marked(), groups_of().of("neurons")
    calls = [0]

    def breaking(module: Any, given: Any) -> None:
        calls[0] += 1
        if fails and calls[0] > 3:
            raise Broken

    model.lm_head.register_forward_pre_hook(breaking)
    before = state(model)
    assert same(before, state(model))
    call: Callable[[], Any] = lambda: group_scores(model, layers, WINDOWS, score, batch_size=1)  # noqa: E731
    if score == "curve":
        call = lambda: sparsity_curve(model, layers, [torch.rand(20), torch.rand(20)], WINDOWS, WINDOWS, (0.0, 0.4, 0.8))  # noqa: E731
    if fails and score not in ("norm", "random"):
        with pytest.raises(Broken):
            call()
    else:
        call()
    assert same(before, state(model))


def test_masks_that_do_not_fit_leave_the_model_as_it_was() -> None:
    model, layers = tiny(), groups_of().of("neurons")
    before = state(model)
    masks = [torch.arange(20) > 3, torch.arange(40) > 30]
    with pytest.raises(ValueError, match="alive must be a bool Tensor"), without(model, layers, masks):
        pass
    assert same(before, state(model))


@pytest.mark.parametrize("score", [*SCORES])
def test_models_in_bfloat16_are_scored_in_float32(score: str) -> None:
    model, layers = tiny(dtype=torch.bfloat16), groups_of().of("neurons")
    found = torch.cat(group_scores(model, layers, WINDOWS, score))
    wanted = torch.cat(group_scores(tiny().to(torch.bfloat16).float(), layers, WINDOWS, score))
    assert found.dtype == torch.float64
    assert torch.corrcoef(torch.stack([found, wanted]))[0, 1] > 0.9


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("score", ["first_order", "absolute_gradient", "activation_gradient", "ablation"])
def test_gradient_checkpointing_changes_no_score(score: str) -> None:
    model, layers = tiny(dtype=torch.float64), groups_of().of("neurons")
    model.config.attention_dropout = 0.5
    for each in model.model.layers:
        each.self_attn.attention_dropout = 0.5
    wanted = group_scores(model, layers, WINDOWS, score)
    model.gradient_checkpointing_enable()
    runs: list[int] = []
    model.model.layers[0].mlp.register_forward_hook(lambda *_: runs.append(1))
    found = group_scores(model, layers, WINDOWS, score, batch_size=6)
    again = group_scores(model, layers, WINDOWS, score)
    assert len(runs) > 1  # once more in the backward
    assert all(torch.equal(a, b) for a, b in zip(again, wanted, strict=True))
    if score != "absolute_gradient":
        assert all(torch.allclose(a, b, rtol=1e-9) for a, b in zip(found, wanted, strict=True))
    assert not model.training


@torch.no_grad()
def test_scores_are_found_where_gradients_are_off() -> None:
    assert group_scores(tiny(), groups_of().of("neurons"), WINDOWS)[0].shape == (20,)


# Errors


def test_errors_say_what_was_expected() -> None:
    model, groups = tiny(), groups_of()
    with pytest.raises(ValueError, match="score must be one of"):
        group_scores(model, groups.layers, WINDOWS, "magnitude")
    with pytest.raises(ValueError, match=r"windows must be integers of shape .* got shape \(8,\)"):
        group_scores(model, groups.layers, WINDOWS[0])
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1"):
        group_scores(model, groups.layers, WINDOWS, batch_size=0)
    with pytest.raises(ValueError, match="not defined for residual dimensions"):
        group_scores(model, groups.layers, WINDOWS, "activation_gradient")
    assert group_scores(model, [], WINDOWS) == []
    model.model.norm.weight.data[0] = torch.nan
    for score in ("first_order", "absolute_gradient", "activation_gradient", "ablation"):
        with pytest.raises(ValueError, match="loss of the model must be finite"):
            group_scores(model, groups.of("neurons"), WINDOWS, score)


# Which groups stay


def test_of_equal_scores_the_first_groups_go_first() -> None:
    same_scores = [torch.ones(4), torch.ones(2)]
    assert [mask.tolist() for mask in lowest_groups(same_scores, 0.5)] == [[False, False, False, True], [True, True]]
    assert [mask.tolist() for mask in lowest_groups(same_scores, 0.99)] == [[False] * 3 + [True], [False, True]]
    assert [mask.tolist() for mask in lowest_groups(same_scores, 0.5, scope="layer")] == [[False, False, True, True], [False, True]]
    assert lowest_groups([torch.tensor([2, 1])], 0.5)[0].tolist() == [True, False]


def test_layers_are_ranked_together_or_each_alone() -> None:
    scores = [torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([10.0, 20.0, 30.0, 40.0])]
    assert [int(mask.sum()) for mask in lowest_groups(scores, 0.5)] == [1, 3]
    assert [int(mask.sum()) for mask in lowest_groups(scores, 0.5, scope="layer")] == [2, 2]
    for wrong in (1, 1.0, -0.1, True, float("nan"), "half"):
        with pytest.raises(ValueError, match="sparsity must be the fraction of groups to remove"):
            lowest_groups(scores, wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"scope must be one of \['global', 'layer'\]"):
        lowest_groups(scores, 0.5, scope="model")


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=4),
    st.floats(0, 0.999),
    st.sampled_from(["global", "layer"]),
)
def test_the_lowest_go_and_one_of_each_layer_stays(drawn: list[list[int]], sparsity: float, scope: str) -> None:
    scores = [torch.tensor(each, dtype=torch.float64) for each in drawn]
    masks = lowest_groups(scores, sparsity, scope=scope)
    total = sum(map(len, drawn))
    gone = total - sum(int(mask.sum()) for mask in masks)
    assert all(bool(mask.any()) for mask in masks)
    assert gone <= sparsity * total + 1e-9
    if scope == "global":
        assert gone == min(int(sparsity * total + 1e-9), total - len(drawn))
    for each, mask in zip(scores, masks, strict=True):  # within a layer no removed group is above one that stays
        assert not (~mask).any() or each[~mask].max() <= each[mask].min()
