"""Steps of a forward as layers: constants that scale and shift go into the Linear layer before them, or else into the next.

n = columns of the rows that pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .steps import Activate, Linear, ScaleShift, Step

__all__ = ["Layer", "layers_of", "scaled"]


@dataclass(frozen=True, eq=False)
class Layer:
    """A weight layer: ``activation(x @ weight.T + bias)``, without ``bias`` where it has none; ``activation`` None for the identity."""

    weight: Tensor
    bias: Tensor | None
    activation: str | None = None


def layers_of(steps: Iterable[Step]) -> list[Layer]:
    """The layers that compute what the steps compute.

    Constants are folded in float64, so that the layers agree with the steps to the rounding of float32. Layers without such
    neighbours have their weights unchanged.

    Raises
    ------
    ValueError
        When an activation or a constant is where no layer can take it; the text names it.
    """
    layers: list[Layer] = []
    waiting: ScaleShift | None = None  # to go into the next layer
    for step in steps:
        if isinstance(step, Linear):
            layers.append(_after(waiting, step))
            waiting = None
        elif isinstance(step, ScaleShift):
            if layers and layers[-1].activation is None:
                layers[-1] = scaled(layers[-1], step)
            else:
                waiting = step if waiting is None else _both(waiting, step)
        else:
            _check_place(step, layers, waiting)
            layers[-1] = replace(layers[-1], activation=step.name)
    if waiting is not None and layers:
        raise ValueError(
            f"a constant must come beside a Linear layer, which takes it in; got {waiting.what} after the last activation. "
            "Remove it, or add a Linear layer after it"
        )
    return layers


def _check_place(step: Activate, layers: list[Layer], waiting: ScaleShift | None) -> None:
    if not layers:
        raise ValueError(f"an activation must follow a Linear layer; got {step.what} before the first. Apply it to the data instead")
    if layers[-1].activation is None:
        return
    if waiting is not None:
        raise ValueError(
            f"a constant must come beside a Linear layer, which takes it in; got {waiting.what} between two activations. Remove it, or "
            "add a Linear layer after it"
        )
    raise ValueError(f"an activation must follow a Linear layer; got {step.what} after another activation. Keep one of them")


def _after(known: ScaleShift | None, linear: Linear) -> Layer:
    """A Linear layer that reads rows which were scaled and shifted."""
    if known is None:
        return Layer(linear.weight, linear.bias)
    weight = linear.weight.double()
    shift = None if known.shift is None else weight @ known.shift.expand(weight.shape[1])
    parts = [part.double() for part in (linear.bias, shift) if part is not None]
    return Layer(weight * known.scale, torch.stack(parts).sum(dim=0) if parts else None)


def scaled(layer: Layer, step: ScaleShift) -> Layer:
    """A layer whose outputs are scaled and shifted; ``weight (n_out, ...)`` may be that of a convolution."""
    scale = step.scale.expand(len(layer.weight))
    parts = [] if layer.bias is None else [layer.bias.double() * scale]
    if step.shift is not None:
        parts.append(step.shift.expand(len(scale)))
    return Layer(layer.weight.double() * scale.view(-1, *[1] * (layer.weight.ndim - 1)), torch.stack(parts).sum(dim=0) if parts else None)


def _both(first: ScaleShift, second: ScaleShift) -> ScaleShift:
    shift = None if first.shift is None else first.shift * second.scale
    if second.shift is not None:
        shift = second.shift if shift is None else shift + second.shift
    return ScaleShift(second.what, first.scale * second.scale, shift)
