"""Exact ablation of groups of a language model: many in one batch, without copies, and without the layers before them.

G = groups of one layer, K = groups that are ablated at once, W = windows, T = tokens of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..groups.finding import GroupLayer
from ..modes import evaluating
from ..training.loss import evaluated

__all__ = ["ablation_changes"]

TOGETHER = 16  # windows in one forward, those of all ablated groups counted


def ablation_changes(
    model: Any, layer: GroupLayer, windows: Tensor, which: Sequence[int] | range, *, batch_size: int = 4, together: int = TOGETHER
) -> Tensor:
    """By how much the loss changes when a group is set to zero, in nats a token: float64 ``(len(which),)`` on the CPU.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        As before at the end.
    layer : GroupLayer
    windows : integer Tensor of shape (W, T)
    which : sequence of int
        The groups to ablate, each alone.
    batch_size : int
        Windows that are held at once; what enters the layer is computed once for them.
    together : int
        Windows in one forward: each ablated group has its own copies of ``batch_size`` windows.

    Notes
    -----
    A neuron or head is zeroed where it is read, and a residual dimension where it is written. By the unit map, that is the same as setting
    all parameters of the group to zero. Layers before that of a neuron or head are not run again.
    """
    place = model.device
    change = torch.zeros(len(which), dtype=torch.float64)
    at_once = max(1, together // batch_size)
    for part in windows.split(batch_size):
        whole = evaluated(model, part, batch_size).mean()
        with evaluating(model), torch.no_grad(), _after_prefix(model, layer, part.to(place)) as spread:
            for first in range(0, len(which), at_once):
                chosen = list(which[first : first + at_once])
                copies = part.repeat(len(chosen), 1)
                spread(len(chosen))
                with _zeroed(model, layer, chosen, len(part)):
                    losses = evaluated(model, copies, len(copies)).view(len(chosen), -1).mean(1)
                change[first : first + at_once] += (losses - whole) * len(part) / len(windows)
    return change


@contextmanager
def _zeroed(model: nn.Module, layer: GroupLayer, chosen: Sequence[int], rows: int) -> Iterator[None]:
    """Zeros for one group in each run of ``rows`` rows of a batch."""
    reads = layer.kind != "residual"
    with ExitStack() as hooks:
        for name in layer.modules(reads=reads):
            module = model.get_submodule(name)
            if reads:
                hook: Callable[..., Any] = _reading(chosen, rows, layer.block(name))
                hooks.callback(module.register_forward_pre_hook(hook).remove)
            else:
                hooks.callback(module.register_forward_hook(_writing(chosen, rows)).remove)
        yield


def _masked(value: Tensor, chosen: Sequence[int], rows: int, block: int) -> Tensor:
    copied = value.clone().unflatten(-1, (-1, block))
    for position, group in enumerate(chosen):
        copied[position * rows : (position + 1) * rows, ..., group, :] = 0
    return copied.flatten(-2)


def _reading(chosen: Sequence[int], rows: int, block: int) -> Callable[[Any, tuple[Any, ...]], tuple[Any, ...]]:
    return lambda _, given: (_masked(given[0], chosen, rows, block), *given[1:])


def _writing(chosen: Sequence[int], rows: int) -> Callable[[Any, Any, Tensor], Tensor]:
    return lambda _, given, answer: _masked(answer, chosen, rows, 1)


@contextmanager
def _after_prefix(model: nn.Module, layer: GroupLayer, windows: Tensor) -> Iterator[Callable[[int], None]]:
    """Skip the decoder layers before that of the groups: they hand on what they gave for ``windows``, repeated by the function."""
    before = _earlier_layers(model, layer)
    if not before:
        yield lambda copies: None
        return
    seen: list[Any] = []
    # Before other hooks, which act on what is handed on once more.
    handle = before[-1].register_forward_hook(lambda _, given, answer: seen.append(answer), prepend=True)
    try:
        evaluated(model, windows, len(windows))
    finally:
        handle.remove()
    answer: list[Any] = [None]

    def spread(copies: int) -> None:
        answer[0] = _repeated(seen[0], copies)

    own = [vars(each).get("forward") for each in before]
    try:
        for each in before:
            each.forward = lambda *given, **named: answer[0]
        yield spread
    finally:
        for each, forward in zip(before, own, strict=True):
            vars(each).pop("forward", None)
            if forward is not None:
                each.forward = forward


def _repeated(value: Any, copies: int) -> Any:
    if isinstance(value, Tensor):
        return value.repeat(copies, *(1 for _ in value.shape[1:]))
    if isinstance(value, tuple):
        return tuple(_repeated(part, copies) for part in value)
    return value


def _earlier_layers(model: nn.Module, layer: GroupLayer) -> list[nn.Module]:
    """The decoder layers before that of the groups: the modules before it in the ``nn.ModuleList`` that it belongs to."""
    if layer.kind == "residual":
        return []
    path = layer.modules(reads=True)[0].split(".")
    for length in range(1, len(path)):
        owner = model.get_submodule(".".join(path[:length]))
        if isinstance(owner, nn.ModuleList):
            return list(owner)[: int(path[length])]
    return []
