"""Rules for matrix products: layers, attention, mixtures.

Shapes: ``(..., m, k) @ (..., k, n)``.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from .elementwise import combined
from .shadow import PositionError, Shadow, constant_along, narrowed
from .trace import Call, Rule, Trace

__all__ = ["CONTRACTION", "reduced_sum"]


LOST = "it reads a sum over units, which are lost in it"


def linear(trace: Trace, call: Call) -> Shadow:
    """New units, which read those of the input: ``x W^T + b``."""
    x, weight = call.args[:2]
    return _layer(trace, call, x, _transposed(weight), call.argument(2, "bias"))


def biased_product(trace: Trace, call: Call) -> Shadow:
    """New units, which read those of the input: ``b + x W``."""
    bias, x, weight = call.args
    return _layer(trace, call, x, weight, bias)


def product(trace: Trace, call: Call) -> Shadow:
    """By a parameter: new units. Queries by keys: pairs are united, and each head has a gate. A pattern by values: gated values."""
    x, y = call.args[:2]
    if len(y.shape) == 1:
        found = _product(trace, call, x, y.moved(lambda t: t.unsqueeze(-1)) if not y.plain else Shadow(torch.Size([*y.shape, 1])))
        return found.moved(lambda t: t.squeeze(-1)) if not found.plain else Shadow(call.shape)
    if len(x.shape) == 1:
        found = _product(trace, call, x.moved(lambda t: t.unsqueeze(0)) if not x.plain else Shadow(torch.Size([1, *x.shape])), y)
        return found.moved(lambda t: t.squeeze(-2)) if not found.plain else Shadow(call.shape)
    return _product(trace, call, x, y)


def outer(trace: Trace, call: Call) -> Shadow:
    """Refused: products of all pairs of units."""
    raise call.error("it multiplies every unit by every other", "Write it as an nn.Linear or an attention")


def attention(trace: Trace, call: Call) -> Shadow:
    """Queries and keys are united pair by pair, and every head is gated by its pattern: ``softmax(Q K^T) V``."""
    q, k, v = call.args[:3]
    if call.kwargs.get("enable_gqa") and q.shape[-3] != k.shape[-3]:
        times = q.shape[-3] // k.shape[-3]
        k, v = (part.moved(lambda t: t.repeat_interleave(times, dim=-3)) for part in (k, v))
    scores = _product(trace, call, q, _transposed(k))
    return _product(trace, call, replace(scores, zero=False), v)


def _transposed(shadow: Shadow) -> Shadow:
    if shadow.plain:
        return Shadow(torch.Size([*shadow.shape[:-2], *shadow.shape[:-3:-1]]))
    return shadow.moved(lambda t: t.transpose(-1, -2) if t.ndim > 1 else t)


def _layer(trace: Trace, call: Call, x: Shadow, weight: Shadow, bias: Shadow | None) -> Shadow:
    found = _product(trace, call, x, weight)
    if bias is None or bias.plain:
        return found
    if bias.nodes is not None or found.nodes is None:
        raise call.error("its bias is no parameter of a layer with units", "Add it in a step of its own")
    return replace(found, zero=trace.use("bias", bias.elements, None, found.nodes) and found.zero)


def _product(trace: Trace, call: Call, x: Shadow, y: Shadow) -> Shadow:
    if x.nodes is None and x.elements and y.nodes is not None:
        return _transposed(_product(trace, call, _transposed(y), _transposed(x)))
    if y.elements and y.nodes is None:
        return _written(trace, call, x, y)
    if x.nodes is None and y.nodes is None:
        for name in {**x.elements, **y.elements}:
            trace.free.setdefault(name, f"it is multiplied with other tensors by {call.name!r} before any unit reads it")
        return Shadow(_shape(x, y), zero=False)
    if x.nodes is None or y.nodes is None:
        return _by_constant(trace, call, x, y)
    varied = [not constant_along(x.nodes, -1), not constant_along(y.nodes, -2)]
    if not any(varied):
        shape = _shape(x, y)
        both = (x.moved(lambda t: t[..., :1].expand(shape)), y.moved(lambda t: t[..., :1, :].expand(shape)))
        return combined(trace, call, *both, multiply=True)
    if all(varied):
        return _paired(trace, call, x, y)
    raise call.error("units of one side meet positions of the other", "Write it as an nn.Linear or an attention")


def _shape(x: Shadow, y: Shadow) -> torch.Size:
    return torch.Size([*torch.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1]])


def _written(trace: Trace, call: Call, x: Shadow, weight: Shadow) -> Shadow:
    """New units, which read those of ``x`` by the weights; or a mixture of positions, where units do not lie along the contraction."""
    shape = _shape(x, weight)
    source = None
    if x.elements and x.nodes is None:
        raise call.error("it multiplies two parameters", "Apply them one after the other, or keep their product as one parameter")
    if x.nodes is None and x.statistic:
        raise call.error(LOST, "Write the sum as an nn.Linear")
    if x.nodes is not None:
        if constant_along(x.nodes, -1) and x.shape[-1] > 1 and len(x.nodes.unique()) > 1:
            for name in weight.elements:
                trace.free.setdefault(name, "it mixes positions, not units")
            return Shadow(shape, x.nodes[..., :1].expand(shape), zero=x.zero)
        source = narrowed(x.nodes, [len(x.shape) - 2])
        extra = len(shape) - len(weight.shape)
        source = source.expand(*shape[:-2], 1, x.shape[-1])
        source = narrowed(source, [axis for axis in range(len(shape) - 2) if axis < extra or weight.shape[axis - extra] == 1])
        source = trace.read(x, source).transpose(-1, -2)
    stacks = weight.shape[:-2]
    name = next(iter(weight.elements)).rpartition(".")[0] or next(iter(weight.elements))
    target = trace.new(call, stacks.numel() * shape[-1], name=name).view(*stacks, 1, shape[-1])
    trace.use("dense", weight.elements, source, target)
    return Shadow(shape, target.expand(shape))


def _by_constant(trace: Trace, call: Call, x: Shadow, y: Shadow) -> Shadow:
    """A product with numbers that are no parameters: positions may be mixed, units may not."""
    units, flipped = (x, False) if x.nodes is not None else (_transposed(y), True)
    assert units.nodes is not None
    if not constant_along(units.nodes, -1):
        raise call.error("it mixes units by numbers that are no parameters", "Register the matrix as a buffer or a parameter")
    shape = _shape(x, y)
    wanted = torch.Size([*shape[:-2], shape[-1], shape[-2]]) if flipped else shape
    nodes = units.nodes[..., :1].expand(wanted)
    return Shadow(shape, nodes.transpose(-1, -2) if flipped else nodes, zero=units.zero)


def _paired(trace: Trace, call: Call, x: Shadow, y: Shadow) -> Shadow:
    """Units of both sides along the contraction: queries and keys, or the weights of a mixture and what is mixed."""
    assert x.nodes is not None
    assert y.nodes is not None
    try:
        rows, columns = narrowed(x.nodes, [x.nodes.ndim - 2]), narrowed(y.nodes, [y.nodes.ndim - 1])
    except PositionError:
        shape = torch.Size([*_shape(x, y)[:-1], x.shape[-1], y.shape[-1]])
        both = (x.moved(lambda t: t.unsqueeze(-1).expand(shape)), y.moved(lambda t: t.unsqueeze(-3).expand(shape)))
        return reduced_sum(trace, call, combined(trace, call, *both, multiply=True), [len(shape) - 2], keep=False)
    stacks = torch.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    a = rows.expand(*stacks, 1, rows.shape[-1]).squeeze(-2)
    b = columns.expand(*stacks, columns.shape[-2], 1).squeeze(-1)
    trace.nodes.unite(a, b)
    heads, places = (
        torch.cat([a, b], dim=-1).flatten(0, -2).unique(dim=0, return_inverse=True)
        if a.ndim > 1
        else (torch.cat([a, b])[None], torch.zeros(1, dtype=torch.int64))
    )
    gates = trace.new(call, len(heads), "gate", name=f"{call.module} pattern".strip())
    for side in heads.chunk(2, dim=1):
        trace.nodes.link("product", side.flatten(), gates.repeat_interleave(side.shape[1]))
    return Shadow(_shape(x, y), gates[places].view(*stacks, 1, 1).expand(_shape(x, y)), zero=False)


def reduced_sum(trace: Trace, call: Call, given: Shadow, axes: list[int], keep: bool) -> Shadow:
    """The sum over axes. Units that differ along them are added where further units lie along other axes; else they give a statistic."""
    nodes = given.nodes
    assert nodes is not None
    zero = given.zero
    for axis in axes:
        if constant_along(nodes, axis):
            nodes = nodes.narrow(axis, 0, 1)
            continue
        if all(constant_along(nodes.narrow(axis, 0, 1), other) for other in range(nodes.ndim) if other not in axes):
            trace.mixed.append(nodes.unique())
            trace.nonzero += [] if zero else [nodes.unique()]
            return Shadow(call.shape, zero=False, statistic=True)
        parts = nodes.split(1, dim=axis)
        total = Shadow(parts[0].shape, parts[0], zero=zero)
        for part in parts[1:]:
            total = combined(trace, call, total, Shadow(part.shape, part, zero=zero), multiply=False)
        assert total.nodes is not None
        nodes, zero = total.nodes, total.zero
    for axis in sorted(axes, reverse=True) if not keep else ():
        nodes = nodes.squeeze(axis)
    return Shadow(nodes.shape, nodes, zero=zero)


CONTRACTION: dict[str, Rule] = {
    "linear": linear,
    **dict.fromkeys(("addmm", "baddbmm"), biased_product),
    **dict.fromkeys(("matmul", "mm", "bmm"), product),
    "outer": outer,
    "scaled_dot_product_attention": attention,
}
