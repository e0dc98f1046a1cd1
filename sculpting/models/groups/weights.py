"""The graph of units with its weights, as sparse matrices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from torch import Tensor

from .unit_map import Block, UnitMap

__all__ = ["weighted_blocks"]


def weighted_blocks(units: UnitMap, tensors: Mapping[str, Tensor]) -> list[tuple[int, int, sp.csr_array, str]]:
    """The blocks between stages: source, target, weights (row = source) and kind, at most one for each source, target and kind.

    Parameters
    ----------
    units : UnitMap
    tensors : mapping of name to Tensor
        Parameters and buffers by the names of ``units``.

    Notes
    -----
    The weight of an edge is its parameter. Where several belong to it, such as those of a kernel, of a column of a table, or of two
    matrices between the same units, it is their Euclidean norm. Products, gates and carries have the weight 1. Carries of units that are
    turned into one another, as by rotary embeddings, are of kind ``"mix"``.
    """
    parts: dict[tuple[int, int, str], list[tuple[Any, Any, Any]]] = defaultdict(list)
    for block in units.blocks:
        parts[block.source, block.target, block.kind].append(_edges(units, block, tensors))
    found = []
    for (source, target, kind), edges in parts.items():
        rows, columns, values = (np.concatenate(each) for each in zip(*edges, strict=True))
        shape = (len(units.stages[source].units), len(units.stages[target].units))
        matrix = _matrix(rows, columns, values, shape)
        if kind == "carry" and max(_most(matrix.indices), _most(matrix.nonzero()[0])) > 1:
            kind = "mix"
        found.append((source, target, matrix, kind))
    return found


def _edges(units: UnitMap, block: Block, tensors: Mapping[str, Tensor]) -> tuple[Any, Any, Any]:
    """Rows, columns and values of all nonzero parameters of a block."""
    if block.use is None:
        return block.rows.numpy(), block.columns.numpy(), np.ones(len(block.rows))
    values = tensors[units.uses[block.use].parameter].detach().cpu().double().numpy()
    there = np.nonzero(values)
    rows, columns = (np.broadcast_to(each.numpy(), values.shape)[there] for each in (block.rows, block.columns))
    inside = (rows >= 0) & (columns >= 0)
    return rows[inside], columns[inside], values[there][inside]


def _matrix(rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> sp.csr_array:
    single = sp.csr_array((values, (rows, columns)), shape=shape)
    count = sp.csr_array((np.ones(len(values)), (rows, columns)), shape=shape)
    if _highest(count) <= 1:
        return single
    squares = sp.csr_array((values**2, (rows, columns)), shape=shape)
    squares.data = np.sqrt(squares.data)
    return squares


def _highest(matrix: sp.csr_array) -> float:
    return float(matrix.data.max(initial=0))


def _most(places: Any) -> int:
    """How often the most frequent place occurs."""
    return int(np.bincount(places).max()) if len(places) else 0
