"""What runs through the exported forward beside every value: the numbers of the units that its entries belong to.

A *node* is a unit at one point of the forward, numbered from 1; 0 is no unit. Nodes that must be pruned together are united. Node tensors
are mostly expanded, so that an axis along which all entries are equal has stride 0 and takes no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

__all__ = [
    "Entries",
    "Link",
    "Nodes",
    "PositionError",
    "Shadow",
    "compressed",
    "constant_along",
    "narrowed",
    "varies_along",
    "vector_along",
]


class PositionError(ValueError):
    """Entries along an axis belong to different units at different positions."""


@dataclass(frozen=True, eq=False)
class Shadow:
    """What is known of one value of the forward.

    Attributes
    ----------
    shape : torch.Size
    nodes : int64 Tensor of the shape, or None
        The node of every entry; None where none has one.
    elements : mapping of name to int32 Tensor of the shape
        Which element of a parameter every entry is, where the value was made from parameters alone.
    known : Tensor or None
        The value itself, where it depends neither on the input nor on parameters.
    zero : bool
        Whether entries are zero once all that writes their unit is zero.
    statistic : bool
        Whether it was made from a statistic over several units, such as the mean in a norm.
    """

    shape: torch.Size
    nodes: Tensor | None = None
    elements: Mapping[str, Tensor] = field(default_factory=dict)
    known: Tensor | None = None
    zero: bool = True
    statistic: bool = False

    @property
    def plain(self) -> bool:
        """Whether no unit and no parameter is in it."""
        return self.nodes is None and not self.elements

    def moved(self, move: Callable[..., Tensor]) -> Shadow:
        """The shadow after a movement of data, a function of one tensor."""
        nodes = None if self.nodes is None else move(self.nodes)
        elements = {name: move(each) for name, each in self.elements.items()}
        shape = nodes.shape if nodes is not None else next(iter(elements.values())).shape
        return replace(self, shape=shape, nodes=nodes, elements=elements, known=None)


@dataclass(frozen=True, eq=False)
class Link:
    """Nodes that pass on to later nodes without a parameter: ``"carry"``, ``"product"``, ``"sum"`` or ``"gate"``."""

    kind: str
    source: Tensor
    target: Tensor
    entries: Entries | None = None


@dataclass(frozen=True, eq=False)
class Entries:
    """Where a carry stands in the forward: an operator's name, the shadow of the operand that is carried, and that of the result."""

    operator: str
    operand: str
    carried: Tensor
    result: Tensor


@dataclass
class Nodes:
    """All nodes so far: their stages, what unites them, and their links."""

    parent: list[int] = field(default_factory=lambda: [0])
    stage: list[int] = field(default_factory=lambda: [-1])
    stages: list[tuple[str, str]] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    gates: set[int] = field(default_factory=set)

    def new(self, name: str, kind: str, count: int) -> Tensor:
        """Nodes of a new stage, int64 ``(count,)``."""
        first = len(self.parent)
        self.parent += range(first, first + count)
        self.stage += [len(self.stages)] * count
        self.stages.append((name, kind))
        found = torch.arange(first, first + count)
        if kind == "gate":
            self.gates |= set(found.tolist())
        return found

    def find(self, node: int) -> int:
        """The node that stands for all that are united with this one: the first of them."""
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def roots(self, nodes: Tensor) -> Tensor:
        """The nodes that stand for these."""
        each, places = nodes.unique(return_inverse=True)
        return torch.tensor([self.find(node) for node in each.tolist()])[places]

    def unite(self, first: Tensor, second: Tensor) -> None:
        """Unite nodes pair by pair; pairs with 0 are left out."""
        first, second = (part.flatten() for part in compressed(*torch.broadcast_tensors(first, second)))
        both = (first > 0) & (second > 0) & (first != second)
        if not bool(both.any()):
            return
        for a, b in torch.stack([first[both], second[both]]).unique(dim=1).t().tolist():
            a, b = self.find(a), self.find(b)
            if a != b:
                self.parent[max(a, b)] = min(a, b)

    def link(self, kind: str, source: Tensor, target: Tensor, entries: Entries | None = None) -> None:
        """Add links between nodes, pair by pair."""
        self.links.append(Link(kind, source, target, entries))

    def is_gate(self, nodes: Iterable[int]) -> bool:
        """Whether any node is a gate."""
        return not self.gates.isdisjoint(nodes)


def compressed(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors of one shape, with the axes left out along which all of them are expanded."""
    flat = [axis for axis in range(tensors[0].ndim) if tensors[0].shape[axis] != 1 and all(t.stride(axis) == 0 for t in tensors)]
    for axis in flat:
        tensors = tuple(t.narrow(axis, 0, 1) for t in tensors)
    return tensors


def constant_along(nodes: Tensor, axis: int) -> bool:
    """Whether entries along an axis are equal."""
    (nodes,) = (nodes,) if nodes.stride(axis) else compressed(nodes)
    return nodes.shape[axis] <= 1 or bool((nodes == nodes.narrow(axis, 0, 1)).all())


def narrowed(nodes: Tensor, axes: Iterable[int]) -> Tensor:
    """The nodes with axes of size 1 instead of these, along which entries must be equal or 0.

    Raises
    ------
    PositionError
    """
    for axis in axes:
        if nodes.shape[axis] > 1:
            if nodes.stride(axis) == 0:
                nodes = nodes.narrow(axis, 0, 1)
                continue
            highest = nodes.amax(dim=axis, keepdim=True)
            if not bool(((nodes == highest) | (nodes == 0)).all()):
                raise PositionError("units differ between positions")
            nodes = highest
    return nodes


def varies_along(nodes: Tensor, axis: int) -> bool:
    """Whether nodes differ along an axis, where there are some."""
    return nodes.shape[axis] > 1 and bool(((nodes != nodes.amax(dim=axis, keepdim=True)) & (nodes > 0)).any())


def vector_along(nodes: Tensor, axis: int) -> Tensor:
    """The node of each entry along one axis, which must be the same at all positions of the other axes: ``(size,)``.

    Raises
    ------
    PositionError
    """
    kept = axis % nodes.ndim
    return narrowed(nodes, [other for other in range(nodes.ndim) if other != kept]).flatten()
