"""Rules for operators that move data: they are run on the nodes themselves."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .shadow import PositionError, Shadow, vector_along
from .trace import Call, Rule, Trace

__all__ = ["MOVEMENT"]

LIKE_RESHAPE = {"view", "_unsafe_view", "reshape", "view_as", "reshape_as"}


def moved(trace: Trace, call: Call) -> Any:
    """One value, moved."""
    first = call.shadows[0]
    if any(not other.plain for other in call.shadows[1:]):
        raise call.error("its index depends on units or parameters", "Index by constants")
    if any(other.known is None for other in call.shadows[1:]) and not call.name.endswith("_as"):
        raise call.error("its index depends on the input", "Use a mask or torch.where in its place")

    def move(tensor: Tensor) -> Any:
        if call.name in LIKE_RESHAPE:
            return tensor.reshape(call.shape)
        if call.name == "expand_as":
            return tensor.expand(call.shape)
        args = [_unwrapped(argument, first, tensor) for argument in call.args]
        kwargs = {name: value for name, value in call.kwargs.items() if name != "memory_format"}
        return call.operator(*args, **kwargs)

    found = call.node.meta["val"]
    if isinstance(found, (list, tuple)):
        return [first.moved(lambda tensor, i=i: move(tensor)[i]) for i in range(len(found))]
    return first.moved(move)


def _unwrapped(argument: Any, first: Shadow, tensor: Tensor) -> Any:
    if isinstance(argument, Shadow):
        return tensor if argument is first else argument.known
    return [_unwrapped(part, first, tensor) for part in argument] if isinstance(argument, (list, tuple)) else argument


def padded(trace: Trace, call: Call) -> Shadow:
    """Padding belongs to no unit where it is constant, and to the unit of its copy elsewhere."""
    first, widths = call.shadows[0], call.args[1]
    mode, value = (
        (call.argument(2, "mode", "constant"), call.argument(3, "value")) if call.name == "pad" else ("constant", call.argument(2, "value"))
    )

    def move(tensor: Tensor) -> Tensor:
        if mode == "constant":
            return torch.nn.functional.pad(tensor, widths)
        return torch.nn.functional.pad(tensor.double(), widths, mode=mode).to(tensor.dtype)

    if first.elements:
        raise call.error("it pads a parameter", "Pad the product instead")
    moved_nodes = first.moved(move)
    return Shadow(moved_nodes.shape, moved_nodes.nodes, zero=first.zero and not value)


def joined_side_by_side(trace: Trace, call: Call) -> Shadow:
    """Several values side by side. Parts without units beside units, such as a class token, are written to these units."""
    parts, axis = list(call.args[0]), int(call.argument(1, "dim", 0))
    if call.name == "stack":
        parts = [part.moved(lambda t: t.unsqueeze(axis)) if not part.plain else _unsqueezed(part, axis) for part in parts]
    axis %= len(call.shape)
    parts = [part for part in parts if len(part.shape) == len(call.shape)]  # empty ones, as of caches
    bearing = [part for part in parts if part.nodes is not None]
    if not bearing:
        names = {name for part in parts for name in part.elements}
        if len(names) == 1 and all(part.elements for part in parts):
            (name,) = names
            return Shadow(call.shape, elements={name: torch.cat([part.elements[name] for part in parts], dim=axis)})
        return Shadow(call.shape, zero=False)
    along = _unit_axis(bearing, axis)
    nodes, zero = [], all(part.zero for part in bearing)
    for part in parts:
        if part.nodes is None and along is not None:
            vector = vector_along(bearing[0].nodes, along)
            given = vector.view([-1 if a == along else 1 for a in range(len(call.shape))]).expand(part.shape)
            if part.elements:
                zero &= trace.use("bias", part.elements, None, given)
                nodes.append(given)
                continue
            zero &= part.known is not None and not bool(part.known.any())
        nodes.append(torch.zeros(1, dtype=torch.int64).expand(part.shape) if part.nodes is None else part.nodes)
    return Shadow(call.shape, _cat(nodes, axis), zero=zero)


def _unsqueezed(part: Shadow, axis: int) -> Shadow:
    known = None if part.known is None else part.known.unsqueeze(axis)
    return Shadow(torch.empty(part.shape, device="meta").unsqueeze(axis).shape, known=known)


def _unit_axis(bearing: list[Shadow], axis: int) -> int | None:
    """The one axis along which the units lie, where it is not that along which values are joined."""
    for along in range(len(bearing[0].shape)):
        if along != axis and bearing[0].shape[along] > 1:
            try:
                vector = vector_along(bearing[0].nodes, along)  # type: ignore[arg-type]
            except PositionError:
                continue
            if len(vector.unique()) > 1:
                return along
    return None


def _cat(nodes: list[Tensor], axis: int) -> Tensor:
    """The nodes side by side; axes along which all are expanded stay so."""
    shape = list(nodes[0].shape)
    kept = [
        [slice(0, 1) if a != axis and shape[a] > 1 and all(t.stride(a) == 0 for t in nodes) else slice(None) for a in range(len(shape))]
    ]
    whole = torch.cat([t[tuple(kept[0])] for t in nodes], dim=axis)
    shape[axis] = whole.shape[axis]
    return whole.expand(shape)


def written_into(trace: Trace, call: Call) -> Shadow:
    """A value with another written into a part of it."""
    whole, part = call.args[0], call.args[1]
    if whole.elements or part.elements:
        raise call.error("it writes parameters into a value", "Join the parts with torch.cat")
    base = torch.zeros(1, dtype=torch.int64).expand(whole.shape) if whole.nodes is None else whole.nodes
    piece = torch.zeros(1, dtype=torch.int64).expand(part.shape) if part.nodes is None else part.nodes
    zero = all(each.zero if each.nodes is not None else each.known is not None and not bool(each.known.any()) for each in (whole, part))
    nodes = call.operator(base.contiguous(), piece.contiguous(), *call.args[2:], **call.kwargs)
    return Shadow(call.shape, nodes, zero=zero)


def copied(trace: Trace, call: Call) -> Shadow:
    """The second value, in the shape of the first."""
    return call.args[1].moved(lambda tensor: tensor.expand(call.shape)) if not call.args[1].plain else Shadow(call.shape)


MOVEMENT: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *LIKE_RESHAPE, "transpose", "permute", "t", "numpy_T", "mT", "movedim", "swapaxes", "select", "slice", "narrow", "unsqueeze",
            "squeeze", "expand", "expand_as", "flatten", "unflatten", "split", "split_with_sizes", "chunk", "unbind", "tensor_split",
            "repeat", "tile", "repeat_interleave", "flip", "roll", "index_select", "index", "unfold", "pixel_shuffle", "pixel_unshuffle",
            "diagonal", "channel_shuffle",
        ),
        moved,
    ),
    **dict.fromkeys(("pad", "constant_pad_nd"), padded),
    **dict.fromkeys(("cat", "stack"), joined_side_by_side),
    **dict.fromkeys(("select_scatter", "slice_scatter"), written_into),
    "copy": copied,
}  # fmt: skip
