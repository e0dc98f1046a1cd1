"""Which clusters of different layers lead to the same later units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..graph import Block, Wiring
from .features import reach_features

__all__ = ["SharedDescendants"]

Cluster = tuple[int, int]  # a layer, and the label of a cluster in it


class SharedDescendants:
    """Tells which clusters of different layers lead to the same later units; nothing is computed before it is asked.

    Parameters
    ----------
    wiring : Wiring
    clusters : sequence of int arrays of shape (a_i,), one a layer
    threshold : float in [0, 1]
        Clusters are alike if the units that both lead to are more than this fraction of those that either leads to.

    Notes
    -----
    Only units of layers count that paths from both layers lead to. Where one of the two layers leads to the other, the units of the
    cluster there count as led to. An output leads to itself alone, and is alike to each cluster that leads to it.

    Examples
    --------
    A unit x is read by q, k and s; y reads q and k, and z reads s:

    >>> one = np.ones((1, 1), dtype=bool)
    >>> blocks = [Block(a, b, one) for a, b in ((0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 5))]
    >>> shared = SharedDescendants(Wiring((1,) * 6, tuple(blocks), (4, 5)), [np.zeros(1, int)] * 6, 0.5)
    >>> shared.alike((1, 0), (2, 0)), shared.alike((1, 0), (3, 0))
    (True, False)
    """

    def __init__(self, wiring: Wiring, clusters: Sequence[NDArray[np.integer]], threshold: float) -> None:
        self._wiring, self._clusters, self._threshold = wiring, clusters, threshold
        self._features: tuple[Any, ...] | None = None
        self._leads: dict[Cluster, NDArray[np.int64]] = {}
        self._starts = np.cumsum([0, *wiring.sizes])
        self._layer = np.repeat(np.arange(len(wiring.sizes)), wiring.sizes)
        self._alike: dict[tuple[Cluster, Cluster], bool] = {}

    def alike(self, first: Cluster, second: Cluster) -> bool:
        """Whether two clusters of different layers lead to the same later units."""
        if first > second:
            first, second = second, first
        if (first, second) not in self._alike:
            self._alike[first, second] = self._compared(first, second)
        return self._alike[first, second]

    def _compared(self, first: Cluster, second: Cluster) -> bool:
        later = self._wiring.later
        layers = sorted(set(later[first[0]]) & {*later[second[0]], second[0]})
        if not layers:
            return False
        own = self._starts[second[0]] + np.flatnonzero(self._clusters[second[0]] == second[1])
        both = np.zeros(len(self._starts), dtype=bool)
        both[layers] = True
        a, b = (units[both[self._layer[units]]] for units in (self._leads_of(first), np.concatenate([own, self._leads_of(second)])))
        shared = len(np.intersect1d(a, b, assume_unique=True))
        if second[0] in self._wiring.outputs:
            return shared == len(b)
        return bool(shared > self._threshold * (len(a) + len(b) - shared))

    def _leads_of(self, cluster: Cluster) -> NDArray[np.int64]:
        """The later units that a unit of the cluster leads to, numbered through."""
        if cluster not in self._leads:
            if self._features is None:
                blocks = tuple(Block(b.source, b.target, b.weights != 0, b.kind) for b in self._wiring.blocks)
                self._features = reach_features(Wiring(self._wiring.sizes, blocks, self._wiring.outputs))
            layer, label = cluster
            rows: Any = self._features[layer][np.flatnonzero(self._clusters[layer] == label)]
            reached = np.unique(rows.indices) if sp.issparse(rows) else np.flatnonzero(rows.any(axis=0))
            later = self._wiring.later[layer]
            units = np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(self._starts[j], self._starts[j + 1]) for j in later)])
            self._leads[cluster] = units[reached]
        return self._leads[cluster]
