"""Rules for operators that work entry by entry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .shadow import Entries, Shadow, compressed, constant_along
from .trace import Call, Rule, Trace

__all__ = ["ELEMENTWISE", "combined"]


def unary(trace: Trace, call: Call) -> Shadow:
    """Units stay; one is zero with what writes it where the function is zero at zero."""
    given = call.shadows[0]
    if any(not other.plain for other in call.shadows[1:]):
        raise call.error("it joins several values with units or parameters", "Add or multiply them, or take torch.maximum")
    return replace(given, shape=call.shape, known=None, zero=given.zero and (given.nodes is None or _zero_at_zero(call)))


def _zero_at_zero(call: Call) -> bool:
    first = next(i for i, argument in enumerate(call.args) if isinstance(argument, Shadow))
    args = [torch.zeros(1) if i == first else argument for i, argument in enumerate(call.args)]
    if any(isinstance(argument, Shadow) for argument in args):
        return False
    kwargs = {name: value for name, value in call.kwargs.items() if name not in ("device", "layout", "memory_format")}
    return not bool(call.operator(*args, **kwargs).any())


def same(trace: Trace, call: Call) -> Shadow:
    """Units stay."""
    return replace(call.shadows[0], shape=call.shape, known=None)


def dropped(trace: Trace, call: Call) -> Shadow:
    """Units stay; refused where units are dropped in eval mode, too."""
    if call.argument(2, "train", False) and call.argument(1, "p", 0.5) != 0:
        raise call.error("it drops units in eval mode, too", "Pass training=self.training, or use nn.Dropout")
    return replace(call.shadows[0], shape=call.shape, known=None)


def sums(trace: Trace, call: Call) -> Shadow:
    """Units that are added are one unit; where one meets several, each pair is a unit of its own."""
    return _binary(trace, call, multiply=False)


def products(trace: Trace, call: Call) -> Shadow:
    """Units that are multiplied are one unit; a unit that is multiplied with several is their gate."""
    return _binary(trace, call, multiply=True)


def quotients(trace: Trace, call: Call) -> Shadow:
    """Units stay; two that are divided are one unit."""
    x, y = _operands(call)
    if y.nodes is not None:
        shadow = combined(trace, call, x, y, multiply=True) if x.nodes is not None else y
        return replace(shadow, shape=call.shape, zero=False, known=None)
    if y.elements and x.nodes is not None:
        trace.use("statistic", y.elements, None, x.nodes.expand(call.shape))
        return replace(_spread(x, call.shape), known=None)
    return _binary(trace, call, multiply=True)


def either(trace: Trace, call: Call) -> Shadow:
    """Units of which the larger or smaller is taken are one unit."""
    return _binary(trace, call, multiply=False)


def chosen(trace: Trace, call: Call) -> Shadow:
    """Units that are chosen from by a condition without units are one unit."""
    condition, x, y = call.args
    if condition.nodes is not None or condition.elements:
        raise call.error("its condition depends on units", "Multiply by a smooth gate, or use an activation")
    return _binary(trace, replace(call, args=(x, y)), multiply=False)


def filled(trace: Trace, call: Call) -> Shadow:
    """Units stay; the mask must not depend on units."""
    given, mask, value = call.args
    if not mask.plain:
        raise call.error("its mask depends on units", "Multiply by a smooth gate, or use an activation")
    constant = value.known if isinstance(value, Shadow) else value
    return replace(
        _spread(given, call.shape), known=None, zero=given.zero and constant is not None and not bool(torch.as_tensor(constant).any())
    )


def added_products(trace: Trace, call: Call) -> Shadow:
    """As a product and a sum: ``x + value * a * b``."""
    x, a, b = call.args[:3]
    product = _binary(trace, replace(call, args=(a, b)), multiply=True)
    return _binary(trace, replace(call, args=(x, product)), multiply=False)


def slopes(trace: Trace, call: Call) -> Shadow:
    """Units stay; a weight belongs to its channel."""
    x, weight = call.args
    if x.nodes is not None and weight.elements:
        axis = 1 if len(x.shape) > 1 else 0
        units = x.nodes.movedim(axis, -1) if weight.shape[0] > 1 else x.nodes.unsqueeze(-1)
        trace.use("statistic", weight.elements, None, units)
    return replace(x, known=None)


def _operands(call: Call) -> tuple[Shadow, Shadow]:
    return tuple(  # type: ignore[return-value]
        part if isinstance(part, Shadow) else Shadow(torch.Size(), known=torch.as_tensor(part)) for part in call.args[:2]
    )


def _binary(trace: Trace, call: Call, multiply: bool) -> Shadow:
    x, y = _operands(call)
    if x.nodes is not None and y.nodes is not None:
        return combined(trace, call, x, y, multiply, plain_sum=call.name in ("add", "sub"))
    if x.nodes is None and y.nodes is None:  # parameters alone
        spread = {name: each.expand(call.shape) for part in (x, y) for name, each in part.elements.items()}
        return Shadow(call.shape, elements=spread, zero=True)
    units, other = (x, y) if x.nodes is not None else (y, x)
    found = _spread(units, call.shape)
    assert found.nodes is not None
    if other.elements:
        places = any(size > 1 and constant_along(found.nodes, axis) for axis, size in enumerate(_aligned(other.shape, call.shape)))
        kind = "scale" if multiply else "embedding" if places else "bias"
        owned = trace.use(kind, other.elements, None, found.nodes)
        return replace(found, known=None, zero=owned or (units.zero and multiply))
    nothing = other.known is not None and not bool(other.known.any())
    return replace(found, known=None, zero=(units.zero or nothing) if multiply else (units.zero and nothing))


def _aligned(shape: torch.Size, wider: torch.Size) -> tuple[int, ...]:
    """A shape with axes of size 1 before it, as many as a wider one has."""
    return (1,) * (len(wider) - len(shape)) + tuple(shape)


def _spread(shadow: Shadow, shape: torch.Size) -> Shadow:
    return shadow if shadow.shape == shape else shadow.moved(lambda tensor: tensor.expand(shape))


def combined(trace: Trace, call: Call, x: Shadow, y: Shadow, multiply: bool, plain_sum: bool = False) -> Shadow:
    """Two values with units, added or multiplied.

    Where each unit of one meets one unit of the other, the two are one unit. Otherwise, of a product, a unit that meets several is their
    gate; where several meet several, each pair is a unit of its own, as are the sums of such pairs. Of a ``plain_sum`` it is remembered
    where it stands.
    """
    shape = torch.broadcast_shapes(x.shape, y.shape)
    assert x.nodes is not None
    assert y.nodes is not None
    a, b = compressed(x.nodes.expand(shape), y.nodes.expand(shape))
    both = (a > 0) & (b > 0)
    nodes = torch.where(a > 0, a, b)
    zero = (x.zero or y.zero) if multiply and bool(both.all()) else (x.zero and y.zero)
    if not bool(both.any()):
        return Shadow(shape, nodes.expand(shape), zero=zero)
    pairs, places = torch.stack([a[both], b[both]]).unique(dim=1, return_inverse=True)
    first = len(trace.nodes.links)
    relation = _joined_pairs(trace, call, pairs, multiply)
    nodes = nodes.clone(memory_format=torch.contiguous_format)
    nodes[both] = relation[places]
    nodes = nodes.expand(shape)
    for i, link in enumerate(trace.nodes.links[first:] if plain_sum else ()):
        if link.kind == "carry":
            carried = (x.nodes, y.nodes)[i]
            trace.nodes.links[first + i] = replace(link, entries=Entries(call.node.name, str(call.node.args[i]), carried, nodes))
    return Shadow(shape, nodes, zero=zero)


def _joined_pairs(trace: Trace, call: Call, pairs: Tensor, multiply: bool) -> Tensor:
    """A node for each pair of nodes ``(2, pairs)``."""
    first, second = pairs
    if torch.equal(first, second):  # x * f(x)
        return first
    gates = [trace.nodes.is_gate(part.tolist()) for part in pairs]
    several = [pairs.shape[1] > len(part.unique()) for part in pairs]  # a unit meets several of the other side
    name = call.module or call.name
    if gates[0] != gates[1] or (multiply and several[0] != several[1]):
        gate, unit = (first, second) if (gates[0] if gates[0] != gates[1] else several[0]) else (second, first)
        found = trace.new(call, pairs.shape[1], name=name)
        trace.nodes.link("gate", gate, found)
        trace.nodes.link("carry", unit, found)
        trace.nodes.unite(unit, found)
        return found
    if not any(several) or gates[0]:
        found = trace.new(call, pairs.shape[1], "gate" if gates[0] else "joined", name=name)
        for part in pairs:
            trace.nodes.link("carry", part, found)
            trace.nodes.unite(part, found)
        return found
    kind = "product" if multiply else "sum"
    found = trace.new(call, pairs.shape[1], kind, name=name)
    for part in pairs:
        trace.nodes.link(kind, part, found)
    trace.nonzero.append(pairs.unique())
    return found


def created(trace: Trace, call: Call) -> Shadow:
    """A new value, of which only the shape comes from another."""
    fill = 0.0 if "zeros" in call.name else 1.0 if "ones" in call.name else call.args[-1] if "full" in call.name else None
    known = torch.tensor(fill).expand(call.shape) if isinstance(fill, (int, float)) else None
    return Shadow(call.shape, known=known)


def parametrized(trace: Trace, call: Call) -> Any:
    """Refused: a weight that is a direction and a length has no single parameter to prune."""
    raise call.error("its weight is made of two parameters", "Call torch.nn.utils.parametrize.remove_parametrizations first")


def nothing(trace: Trace, call: Call) -> None:
    """A check, which has no result."""


def refused(trace: Trace, call: Call) -> Any:
    """Refused: a comparison of units has no units to follow."""
    raise call.error("a comparison of units decides", "Use an activation, or a smooth gate such as a sigmoid")


UNARY = (
    "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "tanh", "sigmoid", "softplus", "softsign", "hardtanh",
    "hardswish", "hardsigmoid", "logsigmoid", "tanhshrink", "softshrink", "hardshrink", "threshold", "neg", "abs", "exp", "expm1", "log",
    "log1p", "sqrt", "rsqrt", "square", "reciprocal", "sin", "cos", "tan", "atan", "asinh", "erf", "clamp", "clamp_min", "clamp_max",
    "pow", "sign", "round", "floor", "rsub", "nan_to_num",
)  # fmt: skip
SAME = (
    "to", "_to_copy", "type_as", "clone", "contiguous", "detach", "alias",
    "lift_fresh_copy", "float", "double", "half", "bfloat16",
)  # fmt: skip
DROPOUTS = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout")
ELEMENTWISE: dict[str, Rule] = {
    **dict.fromkeys(UNARY, unary),
    **dict.fromkeys(SAME, same),
    **dict.fromkeys(DROPOUTS, dropped),
    **dict.fromkeys(("add", "sub"), sums),
    "_assert_tensor_metadata": nothing,
    "mul": products,
    "div": quotients,
    **dict.fromkeys(("maximum", "minimum"), either),
    "where": chosen,
    "masked_fill": filled,
    "addcmul": added_products,
    "prelu": slopes,
    **dict.fromkeys(("_weight_norm", "_weight_norm_interface"), parametrized),
    **dict.fromkeys(("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"), created),
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "argmax", "argmin", "topk", "sort", "bucketize", "isnan"), refused),
}
