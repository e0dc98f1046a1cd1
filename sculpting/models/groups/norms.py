"""Rules for norms, softmax, and reductions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from .contraction import reduced_sum
from .shadow import Shadow, constant_along
from .trace import Call, Rule, Trace

__all__ = ["NORMS", "REDUCTIONS"]


def layer_norm(trace: Trace, call: Call) -> Shadow:
    """A norm over units: they stay, and enter its statistics."""
    x = call.args[0]
    names = ("weight", "bias") if call.name == "layer_norm" else ("weight",)
    return _normalised(
        trace, call, x, [call.argument(2 + i, name) for i, name in enumerate(names)], x.nodes, centred=call.name == "layer_norm"
    )


def group_norm(trace: Trace, call: Call) -> Shadow:
    """A norm over groups of channels."""
    x = call.args[0]
    return _normalised(trace, call, x, [call.argument(2, "weight"), call.argument(3, "bias")], x.nodes.movedim(1, -1), centred=True)


def instance_norm(trace: Trace, call: Call) -> Shadow:
    """A norm of each channel of a row by itself."""
    return group_norm(trace, replace(call, args=(call.args[0], 1, *call.args[1:3])))


def batch_norm(trace: Trace, call: Call) -> Any:
    """A norm of each channel by itself, by its running statistics."""
    x, weight, bias, mean, variance = call.args[:5]
    units = x.nodes.movedim(1, -1)
    for part, kind in ((weight, "scale"), (bias, "bias"), (mean, "bias"), (variance, "statistic")):
        if part is not None and part.elements:
            trace.use(kind, part.elements, None, units)
    found = replace(x, known=None, zero=x.zero or bool(weight is not None and weight.elements))
    results = call.node.meta["val"]
    return [found, *(Shadow(part.shape) for part in results[1:])] if isinstance(results, (tuple, list)) else found


def _normalised(trace: Trace, call: Call, x: Shadow, affine: list[Any], units: Tensor | None, centred: bool) -> Shadow:
    assert x.nodes is not None
    trace.mixed.append(x.nodes.unique())
    scaled = False
    for part, kind in zip(affine, ("scale", "bias"), strict=False):
        if part is not None and part.elements:
            owned = trace.use(kind, part.elements, None, units)
            scaled |= owned and kind == "scale"
    if not x.zero:
        trace.nonzero.append(x.nodes.unique())
    return replace(x, known=None, zero=scaled or (x.zero and not centred))


def softmax(trace: Trace, call: Call) -> Shadow:
    """A softmax over positions, or over units, which then enter its sum."""
    x, axis = call.args[:2]
    if x.nodes is None:
        return replace(x, elements={}, known=None, zero=False)
    if not constant_along(x.nodes, int(axis)):
        trace.mixed.append(x.nodes.unique())
    return replace(x, known=None, zero=False)


def accumulated(trace: Trace, call: Call) -> Shadow:
    """A running sum over positions."""
    x, axis = call.args[:2]
    if x.nodes is None or not constant_along(x.nodes, int(axis)):
        raise call.error("it adds up units one after another", "Write it as an nn.Linear")
    return replace(x, known=None)


def reduction(trace: Trace, call: Call) -> Any:
    """A sum, mean, norm or extreme over positions keeps units; over units it is a statistic."""
    x = call.shadows[0]
    found = call.node.meta["val"]
    if x.nodes is None:
        return Shadow(found.shape, zero=False) if isinstance(found, Tensor) else [Shadow(part.shape, zero=False) for part in found]
    axes = _axes(call, len(x.shape))
    keep = (
        bool(call.kwargs.get("keepdim"))
        or any(argument is True for argument in call.args[2:])
        or (isinstance(found, Tensor) and found.ndim == len(x.shape))
    )
    first = found[0] if isinstance(found, (tuple, list)) else found
    if call.name in ("sum", "mean") or all(constant_along(x.nodes, axis) for axis in axes):
        shadow = reduced_sum(trace, call, x, axes, keep)
        shadow = replace(
            shadow, zero=shadow.zero and call.name in ("sum", "mean", "amax", "amin", "norm", "max", "min", "linalg_vector_norm")
        )
    else:
        trace.mixed.append(x.nodes.unique())
        shadow = Shadow(first.shape, zero=False, statistic=True)
    return [shadow, *(Shadow(part.shape) for part in found[1:])] if isinstance(found, (tuple, list)) else shadow


def _axes(call: Call, count: int) -> list[int]:
    place = 2 if call.name in ("norm", "linalg_vector_norm") else 1
    given = call.argument(place, "dim")
    if given is None or (isinstance(given, (list, tuple)) and not given):
        return [*range(count)]
    return [int(axis) % count for axis in (given if isinstance(given, (list, tuple)) else [given])]


NORMS: dict[str, Rule] = {
    **dict.fromkeys(("layer_norm", "rms_norm"), layer_norm),
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training"), batch_norm),
    **dict.fromkeys(("softmax", "_softmax", "_safe_softmax", "log_softmax", "_log_softmax"), softmax),
}
REDUCTIONS: dict[str, Rule] = {
    **dict.fromkeys(("cumsum", "cumprod"), accumulated),
    **dict.fromkeys(
        (
            "mean", "sum", "var", "std", "amax", "amin", "max", "min", "norm", "linalg_vector_norm", "logsumexp", "var_mean", "std_mean",
            "prod",
        ),
        reduction,
    ),
}  # fmt: skip
