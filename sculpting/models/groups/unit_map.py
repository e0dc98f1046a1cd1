"""The units of a module, and which elements of its parameters they read and write.

U = units, E = edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor

__all__ = ["NONE", "Block", "Stage", "UnitLayer", "UnitMap", "Use"]

NONE = -1  # instead of a unit


@dataclass(frozen=True)
class UnitLayer:
    """Units that come from one module: those numbered from ``first`` on, ``size`` of them.

    Attributes
    ----------
    name : str
        The module or input that they come from, such as ``"layers.0.mlp.up_proj"``.
    kind : str
        ``"input"``, ``"output"``, ``"neuron"``, ``"channel"``, ``"residual"`` (a dimension of a residual stream: one unit across many
        matrices), ``"value"`` (of a head of attention), ``"query-key"`` (a pair that is multiplied) or ``"gate"``.
    first, size : int
    """

    name: str
    kind: str
    first: int
    size: int

    @property
    def units(self) -> range:
        """The numbers of the units."""
        return range(self.first, self.first + self.size)


@dataclass(frozen=True, eq=False)
class Use:
    """What one operator does with a parameter: the unit that every element reads, and the one that it writes.

    Attributes
    ----------
    parameter : str
        The name of a parameter or buffer, the first of several names of one tensor.
    kind : str
        ``"dense"``, ``"conv"``, ``"embedding"``, ``"bias"``, ``"scale"`` or ``"statistic"``.
    source, target : int64 Tensor, or None
        Numbers of units, of a shape that broadcasts to that of the parameter; -1 for none. None where no element has one.
    """

    parameter: str
    kind: str
    source: Tensor | None
    target: Tensor | None


@dataclass(frozen=True, eq=False)
class Stage:
    """A layer of the graph of units: the units at one point of the forward. A residual stream has a stage after every addition."""

    name: str
    kind: str
    units: Tensor


@dataclass(frozen=True, eq=False)
class Block:
    """Edges from one stage to a later one.

    Attributes
    ----------
    source, target : int
        Positions of the stages.
    kind : str
        The kind of the use, or ``"carry"`` (the same unit, unchanged), ``"product"`` (two units that are multiplied) or ``"gate"``.
    use : int or None
        The position of the use whose parameter holds the weights.
    rows, columns : int64 Tensor
        Positions in the source and in the target stage. With a use they broadcast to the shape of its parameter, -1 for elements of
        other blocks; without one they are pairs of shape (edges,).
    """

    source: int
    target: int
    kind: str
    use: int | None
    rows: Tensor
    columns: Tensor


@dataclass(frozen=True, eq=False)
class UnitMap:
    """The units of a module.

    Attributes
    ----------
    layers : tuple of UnitLayer
        Units are numbered through, layer after layer.
    uses : tuple of Use
        In the order of the forward. A parameter has one for each operator that takes it.
    shapes : mapping of name to shape
        Of all parameters, and of the buffers that belong to units.
    removable : bool Tensor of shape (U,)
        False for inputs, outputs and gates.
    zero : bool Tensor of shape (U,)
        Whether a unit is zero wherever it is read once all that writes it is zero. Where it is not, as after a sigmoid, what reads it
        must be zero too.
    mixed : bool Tensor of shape (U,)
        Whether a unit enters a statistic over several units, as in a LayerNorm.
    free : mapping of name to str
        Parameters without units, and why.
    stages, blocks : tuples
        The graph of units, in the order of the forward.
    last : str
        The operator that makes the answer, but for movements of data.
    """

    layers: tuple[UnitLayer, ...]
    uses: tuple[Use, ...]
    shapes: Mapping[str, tuple[int, ...]]
    removable: Tensor
    zero: Tensor
    mixed: Tensor
    free: Mapping[str, str]
    stages: tuple[Stage, ...] = ()
    blocks: tuple[Block, ...] = ()
    last: str = ""

    def __len__(self) -> int:
        return len(self.removable)

    def __str__(self) -> str:
        width = max((len(layer.name) for layer in self.layers), default=0)
        lines = [f"{layer.name:{width}}  {layer.size:6,} {layer.kind}" for layer in self.layers]
        return "\n".join([*lines, f"{len(self):,} units, {self.edge_count:,} edges"])

    def named(self, layer: str) -> UnitLayer:
        """The layer of units of this name.

        Raises
        ------
        KeyError
            When there is none; the text has the known names.
        """
        for known in self.layers:
            if known.name == layer:
                return known
        raise KeyError(f"layer must be one of {[known.name for known in self.layers]}; got {layer!r}")

    def masks(self, alive: Tensor) -> dict[str, Tensor]:
        """Which elements of each parameter are left when only some units are alive.

        Parameters
        ----------
        alive : bool Tensor of shape (..., U)

        Returns
        -------
        dict of name to bool Tensor
            Of shape (..., shape), where the last part broadcasts to the shape of the parameter. Running variances are never masked.
        """
        found: dict[str, Tensor] = {}
        for use in self.uses:
            for units in (use.source, use.target):
                if units is not None and use.kind != "statistic":
                    units = units.to(alive.device)
                    kept = alive[..., units.clamp(min=0)] | (units == NONE)
                    found[use.parameter] = found[use.parameter] & kept if use.parameter in found else kept
        return found

    @cached_property
    def acting(self) -> Tensor:
        """Which units matter though no parameter reads them: they enter a statistic, or are multiplied with others. Bool ``(U,)``."""
        found = self.mixed.clone()
        for block in self.blocks:
            if block.use is None and block.kind != "carry":
                units = self.stages[block.source].units[block.rows]
                found[units[units != NONE]] = True
        return found

    @cached_property
    def edges(self) -> dict[str, Tensor]:
        """The number of the edge that each element of a weight belongs to: int64, of a shape that broadcasts to that of the weight.

        All elements of a kernel between two channels are one edge. Weights are in the order of their first use.
        """
        found: dict[str, Tensor] = {}
        first = 0
        for use in self.uses:
            if use.source is not None and use.target is not None and use.parameter not in found:
                shape = self.shapes[use.parameter]
                kept = shape if use.kind != "conv" else (*shape[:2], *(1 for _ in shape[2:]))
                found[use.parameter] = first + torch.arange(prod(kept)).view(kept)
                first += prod(kept)
        return found

    @property
    def edge_count(self) -> int:
        """E, the number of edges."""
        return sum(numbers.numel() for numbers in self.edges.values())
