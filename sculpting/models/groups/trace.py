"""One run over the operators of a forward, with a shadow for every value."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from ..exporting import line_of, operator_of
from .shadow import Nodes, PositionError, Shadow, constant_along, narrowed, varies_along

__all__ = ["Call", "RawUse", "Rule", "Trace", "UnsupportedError"]

ADVICE = {"fft": "Compute it before, as a part of the data"}
MOST_KNOWN = 1 << 22  # entries of a value that is computed on the way


class UnsupportedError(ValueError):
    """An operator that cannot be followed."""


@dataclass(frozen=True, eq=False)
class RawUse:
    """A use of a parameter whose sources and targets are nodes, 0 for none."""

    parameter: str
    kind: str
    source: Tensor | None
    target: Tensor | None


@dataclass(frozen=True, eq=False)
class Call:
    """An operator of the forward: its arguments with shadows for tensors, and the shape of its result."""

    node: Node
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def shape(self) -> torch.Size:
        """The shape of the result."""
        shape: torch.Size = self.node.meta["val"].shape
        return shape

    @property
    def shadows(self) -> list[Shadow]:
        """The shadows among the arguments."""
        return [*_shadows((self.args, self.kwargs))]

    @property
    def operator(self) -> Any:
        """The operator itself, to be run on other tensors."""
        return self.node.target

    @property
    def module(self) -> str:
        """The path of the module that runs; empty at the top."""
        stack = self.node.meta.get("nn_module_stack") or {}
        return str([*stack.values()][-1][0]) if stack else ""

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument that may be given by its name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)

    def error(self, why: str, advice: str) -> UnsupportedError:
        """An error that names the operator and the line of the user's code."""
        return UnsupportedError(f"units cannot be followed through {self.name!r}{line_of(self.node)}: {why}. {advice}")


Rule = Callable[["Trace", Call], Any]


def _shadows(value: Any) -> list[Shadow]:
    if isinstance(value, Shadow):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [shadow for part in parts for shadow in _shadows(part)]


@dataclass
class Trace:
    """What a run over the operators has found so far.

    Attributes
    ----------
    rules : mapping of operator name to rule
    of_units : names of operators whose rules need units
    nodes : Nodes
    uses : list of RawUse
    shapes : shapes of parameters and buffers, by name
    free : parameters without units, and why
    nonzero : nodes that are read where they need not be zero
    mixed : nodes that enter a statistic over several units
    reached : how many operators were followed
    shared : for each parameter what it read or wrote first, by the axes along which that varies
    """

    rules: Mapping[str, Rule]
    of_units: Set[str]
    shapes: Mapping[str, torch.Size]
    nodes: Nodes = field(default_factory=Nodes)
    uses: list[RawUse] = field(default_factory=list)
    free: dict[str, str] = field(default_factory=dict)
    nonzero: list[Tensor] = field(default_factory=list)
    mixed: list[Tensor] = field(default_factory=list)
    reached: int = 0
    shared: dict[str, dict[tuple[bool, ...], Tensor]] = field(default_factory=dict)

    def run(self, nodes: list[Node], given: Mapping[str, Any]) -> list[Any]:
        """The shadows of what the forward returns; ``given`` holds those of its placeholders."""
        values: dict[Node, Any] = {}

        def value(argument: Any) -> Any:
            if isinstance(argument, Node):
                return values[argument]
            if isinstance(argument, (list, tuple)):
                return type(argument)(map(value, argument)) if not hasattr(argument, "_fields") else argument
            return argument

        for self.reached, node in enumerate(nodes):
            if node.op == "placeholder":
                values[node] = given[node.name]
            elif node.op == "output":
                return _shadows(value(node.args[0]))
            elif node.op == "get_attr":
                raise UnsupportedError(
                    f"a part of the forward cannot be followed: {node.target}{line_of(node)}. Write it without control flow"
                )
            else:
                values[node] = self._after(Call(node, operator_of(node), value(node.args), {k: value(v) for k, v in node.kwargs.items()}))
        return []

    def _after(self, call: Call) -> Any:
        if call.operator is operator.getitem:
            return call.args[0][call.args[1]]
        if all(shadow.plain for shadow in call.shadows):
            return self._plain(call)
        rule = self.rules.get(call.name)
        if all(shadow.nodes is None for shadow in call.shadows) and (rule is None or call.name in self.of_units):
            return self._forgotten(call)
        if rule is None:
            raise call.error(
                "there is no rule for it", ADVICE.get(call.name.split("_")[0], "See docs/any-network.md for what is supported")
            )
        try:
            return rule(self, call)
        except PositionError as error:
            raise call.error(
                f"{error}", "A unit must mean the same at every position: reshape or transpose so that units lie along an axis of their own"
            ) from None

    def _forgotten(self, call: Call) -> Any:
        """The shadow of a value made from parameters, of which it is no longer known what parameters are in it."""
        for shadow in call.shadows:
            for name in shadow.elements:
                self.free.setdefault(name, f"{call.name!r} changes it before any unit reads it")
        return _marked(_wrapped(call.node.meta["val"], known=False), call)

    def _plain(self, call: Call) -> Any:
        """The shadow of a value without units: the value itself, where it is known."""
        known = all(shadow.known is not None for shadow in call.shadows) and torch.Tag.nondeterministic_seeded not in call.operator.tags
        found = call.node.meta.get("val")
        if known and sum(each.numel() for each in _tensors(found)) <= MOST_KNOWN:
            with torch.no_grad():
                return _wrapped(call.operator(*_known(call.args), **_known(dict(call.kwargs))))
        return _marked(_wrapped(found, known=False), call)

    # --- What rules add ---------------------------------------------------------------------------------------------------------

    def new(self, call: Call, count: int, kind: str = "written", name: str | None = None) -> Tensor:
        """Nodes of a new stage, named after the module that runs."""
        return self.nodes.new(name or call.module or call.name, kind, count)

    def use(self, kind: str, elements: Mapping[str, Tensor], source: Tensor | None, target: Tensor | None) -> bool:
        """Note that parameters, whose ``elements`` an operator takes, read the source nodes and write the target nodes.

        Both broadcast to the shape of the elements, or have further axes before it along which they must be equal. Where an element would
        belong to several units the parameter is free. Returns whether every parameter has a unit.
        """
        whole = True
        for name, each in elements.items():
            try:
                ends = [None if nodes is None else _fitted(nodes, each.shape) for nodes in (source, target)]
            except PositionError:
                self.free.setdefault(name, "an element of it belongs to several units")
                whole = False
                continue
            use = RawUse(name, kind, *(None if nodes is None else self._at_elements(name, each, nodes) for nodes in ends))
            self._unite_shared(use)
            self.uses.append(use)
        return whole

    def _unite_shared(self, use: RawUse) -> None:
        """Unite what a parameter reads and writes with what it did before, axis by axis."""
        known = self.shared.setdefault(use.parameter, {})
        for end in (use.source, use.target):
            if end is None:
                continue
            axes = tuple(varies_along(end, axis) for axis in range(end.ndim))
            first = known.setdefault(axes, end)
            if first is not use.source or end is use.source or _one_to_one(first, end):  # not where a group of a convolution has several
                self.nodes.unite(first, end)

    def read(self, shadow: Shadow, nodes: Tensor) -> Tensor:
        """Nodes that a parameter reads; noted where the value need not be zero."""
        if not shadow.zero:
            self.nonzero.append(nodes.unique())
        return nodes

    def _at_elements(self, name: str, elements: Tensor, nodes: Tensor) -> Tensor:
        """The node of each element, of a shape that broadcasts to that of the parameter."""
        shape = self.shapes[name]
        axes = _axes(elements, shape)
        if axes is not None:
            return nodes.permute([axes.index(axis) for axis in range(len(shape))]) if axes else nodes.reshape(shape)
        found = torch.zeros(shape.numel(), dtype=torch.int64)
        places, spread = elements.flatten().long(), nodes.expand(elements.shape).flatten()
        found[places] = spread
        self.nodes.unite(found[places], spread)
        return found.view(shape)


def _one_to_one(first: Tensor, second: Tensor) -> bool:
    """Whether each node of one meets one node of the other."""
    pairs = torch.stack([part.flatten() for part in torch.broadcast_tensors(first, second)]).unique(dim=1)
    return all(len(side.unique()) == pairs.shape[1] for side in pairs)


def _axes(elements: Tensor, shape: torch.Size) -> list[int] | None:
    """The axis of the parameter that each axis of the elements is, where they are all of it with axes in another order."""
    if elements.ndim != len(shape) or elements.numel() != shape.numel() or elements.storage_offset():
        return None
    whole = torch.empty(shape, device="meta").stride()
    axes: list[int] = []
    for size, stride in zip(elements.shape, elements.stride(), strict=True):
        found = [a for a in range(len(shape)) if a not in axes and shape[a] == size and (size == 1 or whole[a] == stride)]
        if not found:
            return None
        axes.append(found[0])
    return axes


def _fitted(nodes: Tensor, shape: torch.Size) -> Tensor:
    """Nodes that broadcast to a shape: further axes, and those where the shape has size 1, must have equal entries."""
    extra = nodes.ndim - len(shape)
    if extra < 0:
        nodes = nodes.reshape((1,) * -extra + tuple(nodes.shape))
    nodes = narrowed(nodes, [*range(max(extra, 0)), *(max(extra, 0) + axis for axis, size in enumerate(shape) if size == 1)])
    nodes = nodes.reshape(nodes.shape[max(extra, 0) :])
    for axis, size in enumerate(shape):  # what is equal along an axis is stored once
        if size > 1 and constant_along(nodes, axis):
            nodes = nodes.narrow(axis, 0, 1)
    return nodes


def _marked(found: Any, call: Call) -> Any:
    """What was made from a statistic over units is one too."""
    if not any(shadow.statistic for shadow in call.shadows):
        return found
    parts = [
        replace(each, statistic=True) if isinstance(each, Shadow) else each for each in (found if isinstance(found, list) else [found])
    ]
    return parts if isinstance(found, list) else parts[0]


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [each for part in value for each in _tensors(part)] if isinstance(value, (list, tuple)) else []


def _known(value: Any) -> Any:
    if isinstance(value, Shadow):
        return value.known
    if isinstance(value, (list, tuple)):
        return type(value)(map(_known, value))
    return {k: _known(v) for k, v in value.items()} if isinstance(value, dict) else value


def _wrapped(value: Any, known: bool = True) -> Any:
    if isinstance(value, Tensor):
        return Shadow(value.shape, known=value if known else None)
    if isinstance(value, (list, tuple)):
        return [_wrapped(each, known) for each in value]
    return value
