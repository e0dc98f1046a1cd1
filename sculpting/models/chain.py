"""The user's model as a chain of linear layers and elementwise activations, read without changing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from ..surroundings import set_aside
from .folding import Layer, layers_of
from .shape import Shape
from .steps import Activate
from .tracing import steps_of

__all__ = ["Chain", "read_model"]

HEADS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "softmax": nn.Softmax, "log_softmax": nn.LogSoftmax}
_HEAD_LOSSES = {"sigmoid": "bce", "softmax": "ce", "log_softmax": "ce"}


@dataclass(frozen=True, eq=False)
class Chain:
    """The user's model, read as a chain of layers.

    Attributes
    ----------
    shape : Shape
        Its last activation is the identity where the model ends in a head.
    values : Tensor of shape (P,), float32
        The model's own weights and biases.
    mask : Tensor of shape (P,), float32
        0 where the model has no bias.
    head : str or None
        ``"sigmoid"``, ``"softmax"`` or ``"log_softmax"`` at the end of the model, which the loss includes.
    device : torch.device
    """

    shape: Shape
    values: Tensor
    mask: Tensor
    head: str | None
    device: torch.device

    def for_loss(self, loss: str) -> Chain:
        """The chain, checked to end as ``loss`` requires. With ``"mse"`` a sigmoid at the end becomes an activation."""
        expected = {name for name, takes in _HEAD_LOSSES.items() if takes == loss}
        if self.head in expected or (self.head is None and (loss == "mse" or self.shape.activations[-1] == "identity")):
            return self
        if loss == "mse" and self.head == "sigmoid":
            return Chain(Shape(self.shape.widths, (*self.shape.activations[:-1], "sigmoid")), self.values, self.mask, None, self.device)
        last = self.head or self.shape.activations[-1]
        wanted = " or in ".join(["a Linear layer", *sorted(expected)])
        raise ValueError(f"a model for loss {loss!r} must end in {wanted}; got {last}. Remove it, or pass another loss")

    def without_zeros(self) -> Chain:
        """The chain whose mask also covers weights that are exactly zero, as pruning leaves them. Biases stay as they are."""
        mask = self.mask.clone()
        for kept, weight in zip(*(self.shape.weights(flat.unsqueeze(0)) for flat in (mask, self.values)), strict=True):
            kept *= weight != 0
        return replace(self, mask=mask)


@set_aside()
def read_model(model: nn.Module) -> Chain:
    """The layers of a model, in order, with their weights.

    Parameters
    ----------
    model : nn.Module
        ``Linear`` layers with elementwise activations between them, in a ``Sequential`` or in any module whose ``forward`` is
        such a chain in eval mode. ``Flatten``, ``Dropout``, ``squeeze`` and the like are skipped; ``torch.compile`` and data
        parallelism are seen through. ``BatchNorm1d`` and constants, as in ``(x - mean) / std``, are folded into the ``Linear`` layer
        beside them. Weights are as the forward uses them: masked, or normalised. A sigmoid or softmax may come last. Its forward runs
        on a copy, and the model is not changed: its buffers, training flags and the generators of PyTorch included.

    Raises
    ------
    TypeError
        When ``model`` is no module, or its ``forward`` cannot be traced.
    ValueError
        When it has a layer that is not supported (the text names it), no hidden layer, uninitialized parameters, or forward hooks, which
        may change the output of a layer.

    Notes
    -----
    Nothing global is changed, so that threads may read models side by side. The chain computes what the model computes: weights of
    layers into which nothing was folded are the same bits, others agree to the rounding of float32.

    Examples
    --------
    >>> read_model(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2))).shape
    Shape(widths=(4, 8, 2), activations=('tanh', 'identity'))
    """
    if not isinstance(model, nn.Module):
        hint = "Pass its model()" if hasattr(model, "model") else "Pass an instance of the class" if isinstance(model, type) else "Pass one"
        raise TypeError(f"the model must be a torch.nn.Module; got {type(model).__name__}. {hint}")
    steps = steps_of(model)
    layers = layers_of(steps)
    if len(layers) < 2:
        raise ValueError(f"the model must have at least one hidden layer, so two Linear layers; got {len(layers)}. Add a Linear layer")
    if not all(layer.weight.numel() for layer in layers):
        raise ValueError(
            f"every layer must have at least one unit; got weights of shapes {[tuple(layer.weight.shape) for layer in layers]}"
        )
    if any(layer.activation not in (None, *ACTIVATIONS) for layer in layers[:-1]):
        got = next(step.what for step in steps if isinstance(step, Activate) and step.name not in ACTIVATIONS)
        raise ValueError(f"hidden activations must be elementwise, one of {sorted(ACTIVATIONS)}; got {got}. Use one of them")
    return _chain(layers, next((tensor.device for tensor in model.parameters()), torch.device("cpu")))


def _chain(layers: Sequence[Layer], device: torch.device) -> Chain:
    activations = [layer.activation or "identity" for layer in layers]
    head = activations[-1] if activations[-1] in HEADS else None
    shape = Shape(
        (layers[0].weight.shape[1], *(len(layer.weight) for layer in layers)), (*activations[:-1], "identity" if head else activations[-1])
    )
    parts, masks = [], []
    for layer in layers:
        weight = layer.weight.float()
        bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.float()
        parts.append(torch.cat([weight, bias.unsqueeze(1)], dim=1).flatten())
        kept = weight.new_ones(len(weight), weight.shape[1] + 1)
        kept[:, -1] = float(layer.bias is not None)
        masks.append(kept.flatten())
    return Chain(shape, torch.cat(parts), torch.cat(masks), head, device)
