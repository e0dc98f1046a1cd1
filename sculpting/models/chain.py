"""The user's model as a chain of linear layers and elementwise activations, read without changing it."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from .shape import Shape

__all__ = ["Chain", "read_model"]

HEADS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "softmax": nn.Softmax, "log_softmax": nn.LogSoftmax}
_HEAD_LOSSES = {"sigmoid": "bce", "softmax": "ce", "log_softmax": "ce"}
_SKIPPED_MODULES = (nn.Flatten, nn.Dropout, nn.Identity)
_SKIPPED_NAMES = {"flatten", "dropout", "view", "reshape", "identity"}
_FUNCTION_NAMES = {name: name for name in [*ACTIVATIONS, "softmax", "log_softmax"]}
# The only settings of activations that are supported.
_SETTINGS: dict[str, dict[str, tuple[object, ...]]] = {
    "leaky_relu": {"negative_slope": (0.01,)},
    "clipped_relu": {"min_val": (0.0,), "max_val": (1.0,)},
    "elu": {"alpha": (1.0,)},
    "gelu": {"approximate": ("none",)},
    "softplus": {"beta": (1.0,), "threshold": (20.0,)},
    "softmax": {"dim": (-1, 1)},
    "log_softmax": {"dim": (-1, 1)},
}


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
        raise ValueError(f"a model for loss {loss!r} must end in {wanted}; got {last}")


def read_model(model: nn.Module) -> Chain:
    """The layers of a model, in order, with their weights.

    Parameters
    ----------
    model : nn.Module
        ``Linear`` layers with elementwise activations between them, in a ``Sequential`` or in any module whose ``forward`` is
        such a chain. ``Flatten``, ``Dropout`` and ``Identity`` are skipped. A sigmoid or softmax may come last.

    Raises
    ------
    TypeError
        When ``model`` is no module, or its ``forward`` cannot be traced.
    ValueError
        When it has a layer that is not supported (the text names it), no hidden layer, uninitialized parameters, or forward hooks, which
        may change the output of a layer.

    Examples
    --------
    >>> read_model(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))).shape
    Shape(widths=(4, 8, 2), activations=('tanh', 'identity'))
    """
    if not isinstance(model, nn.Module):
        hint = ". Pass its model()" if hasattr(model, "model") else ""
        raise TypeError(f"the model must be a torch.nn.Module; got {type(model).__name__}{hint}")
    linears: list[nn.Linear] = []
    activations: list[str | None] = []
    for what, part in _steps(nn.Sequential(model) if isinstance(model, nn.Linear) else model):
        if isinstance(part, nn.Linear):
            if linears and activations[-1] is None:
                activations[-1] = "identity"
            linears.append(part)
            activations.append(None)
        elif not linears or activations[-1] is not None:
            raise ValueError(
                f"an activation must follow a Linear layer; got {what} {'before the first' if not linears else 'after another activation'}"
            )
        else:
            activations[-1] = str(part)
    if len(linears) < 2:
        raise ValueError(f"the model must have at least one hidden layer, so two Linear layers; got {len(linears)}")
    for before, after in pairwise(linears):
        if before.out_features != after.in_features:
            raise ValueError(f"Linear layers must chain; got {before.out_features} outputs before {after.in_features} inputs")
    return _chain(linears, [a or "identity" for a in activations])


def _chain(linears: list[nn.Linear], activations: list[str]) -> Chain:
    head = activations[-1] if activations[-1] in HEADS else None
    inner = [a for a in activations[:-1] if a not in ACTIVATIONS]
    if inner:
        raise ValueError(f"hidden activations must be elementwise, one of {sorted(ACTIVATIONS)}; got {inner[0]}")
    widths = (int(linears[0].in_features), *(int(m.out_features) for m in linears))  # NumPy's integers fit nn.Linear too
    shape = Shape(widths, (*activations[:-1], "identity" if head else activations[-1]))
    parts, masks = [], []
    for linear in linears:
        weight = linear.weight.detach().float().cpu()
        bias = weight.new_zeros(len(weight)) if linear.bias is None else linear.bias.detach().float().cpu()
        parts.append(torch.cat([weight, bias.unsqueeze(1)], dim=1).flatten())
        kept = weight.new_ones(len(weight), weight.shape[1] + 1)
        kept[:, -1] = float(linear.bias is not None)
        masks.append(kept.flatten())
    return Chain(shape, torch.cat(parts), torch.cat(masks), head, linears[0].weight.device)


def _steps(model: nn.Module) -> list[tuple[str, nn.Linear | str]]:
    """Linear layers and names of activations in the order in which the input passes them."""
    empty = [name for name, part in model.named_parameters() if part.is_meta or isinstance(part, nn.parameter.UninitializedParameter)]
    if empty:
        raise ValueError(
            f"the model has uninitialized parameters: {empty[0]!r}. Call a model with lazy layers once; build a model on device 'meta' on "
            "another device"
        )
    hooked = [name for name, module in model.named_modules() if module._forward_hooks or module._forward_pre_hooks]
    if hooked:
        raise ValueError(
            f"the model must have no forward hooks, which may change the output of its layers; got some at {hooked[0] or 'its top'!r}. "
            "Call remove() of their handles; make masks of torch.nn.utils.prune permanent by prune.remove"
        )
    try:
        graph = torch.fx.symbolic_trace(_copy(model)).graph
    except Exception as error:  # tracing runs the user's code, which may raise anything
        raise TypeError(f"the forward of {type(model).__name__} cannot be traced ({error}). Pass a Sequential of its layers") from error
    modules = dict(model.named_modules())
    steps: list[tuple[str, nn.Linear | str]] = []
    last: Any = None
    for node in graph.nodes:
        if node.op == "placeholder":
            if last is not None:
                raise ValueError(f"the model must take one input; got a second one, {node.name!r}")
            last = node
            continue
        if node.op == "output":
            if node.args[0] is not last:
                raise ValueError(f"the model must be a chain that returns its last value; got one that returns {node.args[0]}")
            break
        if _reads_a_size(node) or not any(n is last for n in node.all_input_nodes):
            continue
        if len([n for n in node.all_input_nodes if not _reads_a_size(n)]) != 1:
            raise ValueError(f"the model must be a chain; got {node.name!r}, which joins several values")
        if not _keeps_rows(node, modules):
            got = modules[str(node.target)] if node.op == "call_module" else f"{_name(node.target)}{node.args[1:]}"
            raise ValueError(f"the model must leave rows as they are; got {got}. Flatten from dimension 1 on")
        last = node
        if node.op == "call_module":
            part = modules[str(node.target)]
            step = _step(part, f"{node.target} ({part})", partial(getattr, part))
        else:
            given = dict(zip(_SETTINGS.get(_name(node.target), {}), node.args[1:], strict=False)) | node.kwargs
            step = _step(_name(node.target), f"{_name(node.target)} with {given}" if given else _name(node.target), given.get)
        if step is not None:
            steps.append(step)
    return steps


def _copy(model: nn.Module) -> nn.Module:
    """A copy for tracing. Tracing runs the model's own code, which may then change the copy only.

    Parameters are shared with the model, and so are tensors with a ``grad_fn``, which cannot be copied.
    """
    shared = [t for module in model.modules() for t in _tensors(vars(module)) if isinstance(t, nn.Parameter) or t.grad_fn is not None]
    return copy.deepcopy(model, {id(tensor): tensor for tensor in shared})


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value, also inside dicts, lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


def _keeps_rows(node: torch.fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether a step leaves the first dimension alone when it changes the shape."""
    if node.op == "call_module":
        part = modules[str(node.target)]
        return not isinstance(part, nn.Flatten) or part.start_dim == 1
    name, given = _name(node.target), [*node.args[1:], *node.kwargs.values()]
    if name == "flatten":
        return bool(given and given[0] == 1)
    if name in ("view", "reshape") and given:
        first = given[0][0] if isinstance(given[0], (tuple, list)) and given[0] else given[0]
        return isinstance(first, torch.fx.Node) or bool(first == -1)
    return True


def _reads_a_size(node: torch.fx.Node) -> bool:
    """Whether a step of the forward only reads a size, as ``x.size(0)`` and ``x.shape[0]`` do."""
    if node.op == "call_method":
        return node.target == "size"
    if node.op != "call_function":
        return False
    shape = node.target is getattr and node.args[1] == "shape"
    return shape or (node.target is operator.getitem and _reads_a_size(node.args[0]))  # type: ignore[arg-type]


def _name(target: Any) -> str:
    return getattr(target, "__name__", str(target))


def _step(part: nn.Module | str, what: str, setting: Callable[[str], object]) -> tuple[str, nn.Linear | str] | None:
    """A layer or an activation, or None for a step that is skipped. ``setting`` returns a setting by name, None where it was not given."""
    if isinstance(part, nn.Linear):
        return what, part
    if isinstance(part, _SKIPPED_MODULES) or part in _SKIPPED_NAMES:
        return None
    known = {type(a.module()): name for name, a in ACTIVATIONS.items()} | {module: name for name, module in HEADS.items()}
    name = _FUNCTION_NAMES.get(part) if isinstance(part, str) else known.get(type(part))
    if name is None or not all(setting(key) in (None, *allowed) for key, allowed in _SETTINGS.get(name, {}).items()):
        raise ValueError(
            f"the model has a layer that is not supported: {what}. Supported: Linear, Flatten, Dropout, and the activations "
            f"{', '.join(sorted(ACTIVATIONS))} with their default settings (clipped_relu is Hardtanh(0, 1))"
        )
    return what, name
