"""Scores of the groups of a language model over a stream of tokens: how much each one matters.

G = groups of one layer, W = windows, T = tokens of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from ....options import check_choice, check_counts
from ....randomness import keys, uniforms
from ..groups.finding import GroupLayer
from ..groups.slices import group_sums, parameters_of, view_of, wide
from ..modes import evaluating
from ..training.loss import next_token_loss
from .ablation import ablation_changes

__all__ = ["SCORES", "group_scores"]

Scores = list[Tensor]


def group_scores(
    model: Any, layers: Sequence[GroupLayer], windows: Tensor, score: str = "first_order", *, batch_size: int = 4, seed: int = 0
) -> list[Tensor]:
    """The importance of every group: float64 ``(G,)`` on the CPU for each layer of groups, at least 0.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        In any dtype. Its parameters get no gradients, and it is as before at the end. Where gradient checkpointing is enabled, it is used.
    layers : sequence of GroupLayer
        As :meth:`LanguageGroups.of` gives them.
    windows : integer Tensor of shape (W, T)
        Packed tokens, all of which count the same.
    score : {"first_order", "absolute_gradient", "activation_gradient", "norm", "ablation", "random"}
        With L the mean loss in nats a token, and sums over the parameters of a group:

        - ``first_order``: ``|sum dL/dw (-w)|``, the linear estimate of what ablation changes. The sign inside the sum matters; pruning
          the lowest *signed* sums first removes what helps most.
        - ``absolute_gradient``: ``|sum mean over batches of |dL/dw| (-w)|``, which the published code used for its frontier in its place.
        - ``activation_gradient``: the mean over tokens of ``|a dL/da|``, where ``a`` is the activation of a neuron or what a head reads.
          Residual dimensions have one after every layer, so that it is not defined for them.
        - ``norm``: the square root of the sum of ``w^2``.
        - ``ablation``: ``|L without the group - L|``, exact: a forward for each group.
        - ``random``: uniform, from the seed. Pruning by it draws without replacement.
    batch_size : int
        Windows of one backward. Only ``absolute_gradient`` depends on it, beyond rounding.
    seed : int
        Of ``random``.

    Raises
    ------
    ValueError
        When the score is not known or not defined for a layer, or when a loss is not finite.

    Notes
    -----
    Gradients are summed over groups as soon as they are there, parameter by parameter, and dropped: beside the model and its activations
    only the gradient of one parameter is held. Sums are float64 on the device of the model.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025.

    Examples
    --------
    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> from ..groups.finding import language_groups
    >>> sizes = dict(hidden_size=24, intermediate_size=20, num_hidden_layers=1, num_attention_heads=4)
    >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=50, **sizes))
    >>> [scores] = group_scores(model, language_groups(model).of("neurons"), torch.arange(32).view(4, 8))
    >>> scores.shape
    torch.Size([20])
    """
    check_choice("score", score, [*SCORES])
    check_counts(batch_size=batch_size)
    if windows.ndim != 2 or windows.shape[1] < 2 or not len(windows):
        raise ValueError(f"windows must be integers of shape (windows, at least 2 tokens); got shape {tuple(windows.shape)}")
    found = SCORES[score](model, layers, windows, batch_size, seed) if layers else []
    if not all(bool(torch.isfinite(each).all()) for each in found):
        raise ValueError("the loss of the model must be finite on the windows that are scored; got one that is not. Check its weights")
    return [each.detach().double().cpu() for each in found]


def _first_order(model: Any, layers: Sequence[GroupLayer], windows: Tensor, batch_size: int, seed: int) -> Scores:
    return [each.abs() for each in _gradient_sums(model, layers, windows, batch_size, lambda w, gradient: gradient * w)]


def _absolute_gradient(model: Any, layers: Sequence[GroupLayer], windows: Tensor, batch_size: int, seed: int) -> Scores:
    return [each.abs() for each in _gradient_sums(model, layers, windows, batch_size, lambda w, gradient: gradient.abs() * w)]


def _gradient_sums(
    model: Any, layers: Sequence[GroupLayer], windows: Tensor, batch_size: int, product: Callable[[Tensor, Tensor], Tensor]
) -> Scores:
    """The sum over the elements of each group, and the mean over windows, of a product of a weight and its gradient."""
    place = model.device
    sums = [torch.zeros(layer.size, dtype=torch.float64, device=place) for layer in layers]
    known = parameters_of(model)
    readers: dict[str, list[int]] = {}
    for position, layer in enumerate(layers):
        for name in dict.fromkeys(where.parameter for where in layer.slices):
            readers.setdefault(name, []).append(position)
    share = [0.0]

    def add(name: str) -> Callable[[Tensor], None]:
        def added(parameter: Tensor) -> None:
            assert parameter.grad is not None
            whole = {name: product(wide(parameter.detach()), wide(parameter.grad))}
            for position in readers[name]:
                sums[position].add_(group_sums(layers[position], whole), alpha=share[0])
            parameter.grad = None

        return added

    with _only_gradients_of(model, readers), ExitStack() as hooks:
        for name in readers:
            hooks.callback(known[name].register_post_accumulate_grad_hook(add(name)).remove)
        for part in windows.split(batch_size):
            share[0] = len(part) / len(windows)
            next_token_loss(model, part.to(place)).backward()
    return sums


def _activation_gradient(model: Any, layers: Sequence[GroupLayer], windows: Tensor, batch_size: int, seed: int) -> Scores:
    if any(layer.kind == "residual" for layer in layers):
        raise ValueError(
            "activation_gradient is not defined for residual dimensions, which have an activation after every layer; use first_order"
        )
    place = model.device
    sums = [torch.zeros(layer.size, dtype=torch.float64, device=place) for layer in layers]
    weight = [0.0]

    def watch(position: int, block: int) -> Callable[[Any, tuple[Any, ...]], None]:
        def entered(_: Any, given: tuple[Any, ...]) -> None:
            activation: Tensor = given[0]

            def left(gradient: Tensor) -> None:
                product = (wide(activation.detach()) * wide(gradient)).unflatten(-1, (-1, block)).sum(-1)
                sums[position].add_(product.abs().flatten(0, -2).sum(0), alpha=weight[0])

            activation.register_hook(left)

        return entered

    first = next(iter(parameters_of(model)))
    with _only_gradients_of(model, [first]), ExitStack() as hooks:
        for position, layer in enumerate(layers):
            [reader] = layer.modules(reads=True)
            hooks.callback(model.get_submodule(reader).register_forward_pre_hook(watch(position, layer.block(reader))).remove)
        for part in windows.split(batch_size):
            weight[0] = len(part) / len(windows)  # as if the mean of the loss were over all windows
            loss = next_token_loss(model, part.to(place))
            torch.autograd.grad(loss, [parameters_of(model)[first]])
    return sums


@contextmanager
def _only_gradients_of(model: Any, names: Collection[str]) -> Iterator[None]:
    """Gradients for some parameters alone, in evaluation mode."""
    before = {name: (tensor.requires_grad, tensor.grad) for name, tensor in parameters_of(model).items()}
    with evaluating(model), torch.enable_grad():
        for module in model.modules():  # layers ask for this mode to recompute activations; attention and dropout inside keep theirs
            module.training = bool(getattr(module, "gradient_checkpointing", False))
        try:
            for name, tensor in parameters_of(model).items():
                tensor.requires_grad_(name in names)
                tensor.grad = None
            yield
        finally:
            for name, tensor in parameters_of(model).items():
                wanted, gradient = before[name]
                tensor.requires_grad_(wanted)
                tensor.grad = gradient


def _norm(model: Any, layers: Sequence[GroupLayer], windows: Tensor, batch_size: int, seed: int) -> Scores:
    return [group_norms(model, layer) for layer in layers]


@torch.no_grad()
def group_norms(model: Any, layer: GroupLayer) -> Tensor:
    """The Euclidean norm of each group, float32 ``(G,)``."""
    known = parameters_of(model)
    squares = [wide(view_of(known[s.parameter], s, layer.size)).flatten(1).square().sum(1) for s in layer.slices]
    return torch.stack(squares).sum(0).sqrt()


def _ablation(model: Any, layers: Sequence[GroupLayer], windows: Tensor, batch_size: int, seed: int) -> Scores:
    return [ablation_changes(model, layer, windows, range(layer.size), batch_size=batch_size).abs() for layer in layers]


def _random(model: Any, layers: Sequence[GroupLayer], windows: Tensor, batch_size: int, seed: int) -> Scores:
    drawn = uniforms(keys([("language groups", seed)]), sum(layer.size for layer in layers))[0]
    return list(drawn.split([layer.size for layer in layers]))


SCORES: dict[str, Callable[[Any, Sequence[GroupLayer], Tensor, int, int], Scores]] = {
    "first_order": _first_order,
    "absolute_gradient": _absolute_gradient,
    "activation_gradient": _activation_gradient,
    "norm": _norm,
    "ablation": _ablation,
    "random": _random,
}
