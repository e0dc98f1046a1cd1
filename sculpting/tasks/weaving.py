"""Writes the weights of a program into a transformer, and random weights everywhere else.

d = residual dimensions, e = dimensions of a head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .transformer import Transformer

__all__ = ["Weaver"]

LARGE, LARGE_WRITING = 1.0, 0.1  # standard deviations; all heads and neurons together write about as much as one value of a program
WRITING = ("o", "down")
Entries = Sequence[tuple[int, int, float]]  # row, column, weight


class Weaver:
    """The weights of a transformer, all zero at first.

    Attributes
    ----------
    model : Transformer
    used : dict of name to bool Tensor
        For every parameter, what a program has set.
    heads, neurons : list of (int, int)
        Those that it uses: layer, and position in it.
    dimensions : dict of name to tuple of int
        The residual dimensions of each value.
    """

    def __init__(self, model: Transformer) -> None:
        self.model = model
        self.parameters = dict(model.named_parameters())
        self.used = {name: torch.zeros_like(part, dtype=torch.bool) for name, part in self.parameters.items()}
        self.heads: list[tuple[int, int]] = []
        self.neurons: list[tuple[int, int]] = []
        self.dimensions: dict[str, tuple[int, ...]] = {}
        with torch.no_grad():
            for part in self.parameters.values():
                part.zero_()

    @property
    def width(self) -> int:
        """d."""
        return self.model.token.embedding_dim

    def values(self, **sizes: int) -> list[tuple[int, ...]]:
        """Residual dimensions for values of these names and sizes.

        Raises
        ------
        ValueError
            When there are not enough.
        """
        if sum(sizes.values()) > self.width:
            raise ValueError(f"width must be at least {sum(sizes.values())} for this program; got {self.width}")
        first = 0
        for name, size in sizes.items():
            self.dimensions[name] = tuple(range(first, first + size))
            first += size
        return list(self.dimensions.values())

    def embed(self, table: str, dimensions: Sequence[int], rows: Sequence[Sequence[float]] | None = None) -> None:
        """Write what a row of the table ``"token"`` or ``"position"`` says: its one-hot, or these numbers."""
        content = torch.eye(len(dimensions)).tolist() if rows is None else rows
        for row, numbers in enumerate(content):
            for dimension, number in zip(dimensions, numbers, strict=True):
                self._set(f"{table}.weight", row, dimension, number)

    def query(self, layer: int, head: int, entries: Entries) -> None:
        """Set queries: dimension of the head, residual dimension, weight. A query of 1 and a key of 1 add 1 to the score."""
        scale = self._size(layer) ** 0.5
        self._of_head("q", layer, head, [(row, column, weight * scale) for row, column, weight in entries])

    def key(self, layer: int, head: int, entries: Entries) -> None:
        """Set keys, as queries."""
        self._of_head("k", layer, head, entries)

    def value(self, layer: int, head: int, read: Entries, write: Entries) -> None:
        """Set what a head reads (its dimension, residual dimension, weight) and what it writes (residual dimension, its own, weight)."""
        self._of_head("v", layer, head, read)
        first = head * self._size(layer)
        for row, column, weight in write:
            self._set(f"blocks.{layer}.attention.o.weight", row, first + column, weight)
        self.heads.append((layer, head))

    def step(self, layer: int, weights: Mapping[int, float], bias: float, to: int, *, capped: bool = True) -> None:
        """Write max(0, min(1, z)) of z = weights of residual dimensions + bias, by two neurons; max(0, z), by one, when not ``capped``.

        Raises
        ------
        ValueError
            When the layer has too few neurons left.
        """
        parts = [(0.0, 1.0), (1.0, -1.0)] if capped else [(0.0, 1.0)]
        first = sum(1 for known, _ in self.neurons if known == layer)
        there = self.parameters[f"blocks.{layer}.up.bias"].numel()
        if first + len(parts) > there:
            raise ValueError(f"neurons must be at least {first + len(parts)} for this program; got {there}")
        for neuron, (below, sign) in enumerate(parts, first):
            for dimension, weight in weights.items():
                self._set(f"blocks.{layer}.up.weight", neuron, dimension, weight)
            self._set_bias(f"blocks.{layer}.up.bias", neuron, bias - below)
            self._set(f"blocks.{layer}.down.weight", to, neuron, sign)
            self.neurons.append((layer, neuron))

    def answer(self, output: int, weights: Mapping[int, float], bias: float) -> None:
        """Set what an output reads."""
        for dimension, weight in weights.items():
            self._set("read.weight", output, dimension, weight)
        self._set_bias("read.bias", output, bias)

    def fill(self, noise: float, generator: torch.Generator) -> None:
        """Draw all other weights: large where nothing of the program reads what they write, else of size ``noise``. Biases stay."""
        for name, part in self.parameters.items():
            if part.ndim == 2:
                large = LARGE_WRITING if name.split(".")[-2] in WRITING else LARGE
                size = torch.where(self._spare(name), large, noise).to(part.dtype)
                drawn = torch.randn(part.shape, generator=generator, dtype=part.dtype) * size
                with torch.no_grad():
                    part.copy_(torch.where(self.used[name], part, drawn))

    def _spare(self, name: str) -> Tensor:
        """Which elements write what the program never reads: bool, of a shape that broadcasts to that of the weight."""
        held = {dimension for dimensions in self.dimensions.values() for dimension in dimensions}
        free = torch.tensor([dimension not in held for dimension in range(self.width)])
        kind, rows = name.split(".")[-2], len(self.parameters[name])
        if kind in ("token", "position"):
            return free
        if kind == "read":
            return torch.zeros(1, 1, dtype=torch.bool)
        if kind in WRITING:
            return free.unsqueeze(1)
        layer = int(name.split(".")[1])
        if kind == "up":
            return torch.tensor([(layer, neuron) not in self.neurons for neuron in range(rows)]).unsqueeze(1)
        if kind == "v":
            return ~self.used[f"blocks.{layer}.attention.v.weight"].any(dim=1, keepdim=True)
        return torch.tensor([(layer, row // self._size(layer)) not in self.heads for row in range(rows)]).unsqueeze(1)

    def _size(self, layer: int) -> int:
        """e."""
        return self.width // self.model.blocks[layer].attention.heads  # type: ignore[union-attr,operator,return-value]

    def _of_head(self, part: str, layer: int, head: int, entries: Entries) -> None:
        size = self._size(layer)
        most = 1 + max(row for row, _, _ in entries)
        if most > size:
            raise ValueError(f"heads must have at least {most} dimensions for this program; got width / heads = {size}")
        for row, column, weight in entries:
            self._set(f"blocks.{layer}.attention.{part}.weight", head * size + row, column, weight)

    def _set(self, name: str, row: int, column: int, weight: float) -> None:
        with torch.no_grad():
            self.parameters[name][row, column] = weight
        self.used[name][row, column] |= weight != 0

    def _set_bias(self, name: str, row: int, value: float) -> None:
        with torch.no_grad():
            self.parameters[name][row] = value
        self.used[name][row] = True
