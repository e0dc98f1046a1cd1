"""Baselines: general community detection on the same graphs that the module detector reads."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral
from threading import Lock
from types import ModuleType
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.sparse.csgraph import connected_components, laplacian

from ..graph import as_graph, network_of
from ..hierarchy import Hierarchy
from ..imports import kept_random
from ..texts import shown
from .alive import alive_wiring

__all__ = ["BASELINES", "detect_baseline"]

# n alive units, numbered layer after layer; e edges between them, as an array of shape (e, 2): source, target.

IGRAPH = Lock()  # its generator is one for all threads
MOST_SPECTRAL = 10_000  # units of a connected component, whose eigenvectors are those of a dense matrix
MOST_CLUSTERS = 32  # tried by spectral clustering in a connected component


def detect_baseline(network: Any, method: str, *, seed: int = 0) -> Hierarchy:
    """The communities that a general method finds among the units of a sparse network.

    Parameters
    ----------
    network : LayeredGraph, UnitGraph, SparseNetwork, networkx.DiGraph, igraph.Graph or sequence of matrices (n_out, n_in)
        Only the positions of nonzero weights matter. Units that are not alive (:meth:`LayeredGraph.alive`) are removed first, as in
        ``detect_modules``.
    method : {"leiden", "louvain", "infomap", "spectral"}
        A key of ``BASELINES``.
    seed : int in [0, 2**32)
        The only source of randomness: the same call gives the same labels.

    Returns
    -------
    Hierarchy
        ``labels`` are the communities, -1 for removed units. ``clusters`` are the communities within each layer.

    Raises
    ------
    ValueError
        When the method is unknown, the seed is out of range, the network has a cycle, or more than 10,000 units are to be clustered
        spectrally in one connected component.
    TypeError
        When ``network`` cannot be read as a network.

    Notes
    -----
    All methods ignore the weights, and edges that carry a unit on are edges like any other. What each of them optimises:

    - ``"leiden"``: undirected; modularity, iterated until stable (Traag, Waltman & van Eck, Scientific Reports 2019; igraph).
    - ``"louvain"``: undirected; modularity (Blondel et al., J. Stat. Mech. 2008; networkx).
    - ``"infomap"``: directed; the map equation, best of ten runs (Rosvall & Bergstrom, PNAS 2008; igraph). From a unit without
      outgoing edges its random walker jumps anywhere, so a community may contain units that no path connects.
    - ``"spectral"``: undirected; normalised cut (Shi & Malik, PAMI 2000; k-means of scikit-learn) of each connected component. The
      number of clusters, at most 32, is the one with the largest modularity, the smallest of equal ones. The eigenvectors are those
      of a dense (n, n) matrix.

    igraph uses one random generator for the whole Python session, and does not tell which. It is replaced during the call, one call at a
    time, and afterwards set to Python's ``random`` module, which is igraph's default.

    Examples
    --------
    >>> pairs = [[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]
    >>> [labels.tolist() for labels in detect_baseline(pairs, "leiden").labels]
    [[0, 0, 1, 1], [0, 1], [0, 1]]
    >>> [len(detect_baseline(pairs, method).modules) for method in BASELINES]
    [2, 2, 2, 2]
    """
    if not isinstance(method, str) or method not in BASELINES:
        raise ValueError(f"method must be one of {list(BASELINES)}; got {shown(method)}")
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer in [0, 2**32); got {shown(seed)}")
    network = network_of(network)
    graph = as_graph(network)
    alive = graph.alive()
    wiring = alive_wiring(graph, alive)
    starts = np.cumsum([0, *wiring.sizes])
    pairs = [np.transpose(block.weights.nonzero()) + starts[[block.source, block.target]] for block in wiring.blocks]
    labels = np.full(sum(graph.widths), -1, dtype=np.int64)
    labels[np.concatenate(alive)] = BASELINES[method](int(starts[-1]), np.concatenate(pairs), int(seed))
    layers = tuple(np.split(labels, np.cumsum(graph.widths)[:-1]))
    return Hierarchy(graph, layers, layers, network=network)


def _leiden(units: int, edges: NDArray[np.int64], seed: int) -> ArrayLike:
    with _seeded_igraph(seed) as igraph:
        return igraph.Graph(units, edges.tolist()).community_leiden("modularity", n_iterations=-1).membership


def _louvain(units: int, edges: NDArray[np.int64], seed: int) -> ArrayLike:
    graph = nx.empty_graph(units)
    graph.add_edges_from(edges.tolist())
    labels = np.empty(units, dtype=np.int64)
    for label, community in enumerate(nx.community.louvain_communities(graph, seed=seed)):
        labels[list(community)] = label
    return labels


def _infomap(units: int, edges: NDArray[np.int64], seed: int) -> ArrayLike:
    with _seeded_igraph(seed) as igraph:
        return igraph.Graph(units, edges.tolist(), directed=True).community_infomap(trials=10).membership


def _spectral(units: int, edges: NDArray[np.int64], seed: int) -> ArrayLike:
    half = sp.csr_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(units, units))
    affinity = half + half.T
    # A cut between components has no cost, and modularity is a sum over clusters: each component can be cut by itself.
    count, component = connected_components(affinity, directed=False)
    labels = np.empty(units, dtype=np.int64)
    for c in range(count):
        members = np.flatnonzero(component == c)
        if len(members) > MOST_SPECTRAL:
            raise ValueError(
                f'method="spectral" must have at most {MOST_SPECTRAL:,} units in a connected component; got {len(members):,}, whose dense '
                f'matrix takes {8 * len(members) ** 2 / 1e9:.1f} GB and hours. Use "leiden", "louvain" or "infomap"'
            )
        labels[members] = _cut(affinity[members][:, members], affinity.sum(), seed) * count + c
    return labels


def _cut(affinity: sp.csr_array, total: float, seed: int) -> NDArray[np.int64]:
    """The normalised cut of largest modularity of one connected component; ``total`` is the sum of degrees of the whole graph."""
    with kept_random():
        from sklearn.cluster import k_means

    best = np.zeros(affinity.shape[0], dtype=np.int64)
    largest = _modularity(affinity, best, total)
    embedding = _embedding(affinity)
    for clusters in range(2, embedding.shape[1] + 1):
        labels = k_means(embedding[:, :clusters], clusters, n_init=10, random_state=seed)[1].astype(np.int64)
        modularity = _modularity(affinity, labels, total)
        if modularity > largest + 1e-9:
            best, largest = labels, modularity
    return best


def _embedding(affinity: sp.csr_array) -> NDArray[np.float64]:
    """The smoothest eigenvectors of the random walk on a connected graph, shape (n, at most 32), constant first.

    The embedding of scikit-learn's ``SpectralClustering``, with a dense solver. Layered graphs have many units with the same neighbours;
    these repeat the eigenvalue 1 so often that the sparse solver fails. Eigenvectors from the eigenvalue 1 on separate such units at
    random, so they are left out. This also leaves at least as many different rows as columns.
    """
    matrix, roots = laplacian(affinity, normed=True, return_diag=True)
    values, vectors = eigh(matrix.toarray(), subset_by_index=[0, min(affinity.shape[0], MOST_CLUSTERS) - 1])
    return np.round(vectors[:, values < 1 - 1e-6] / roots[:, None], 9)


def _modularity(affinity: sp.csr_array, labels: NDArray[np.integer], total: float) -> float:
    """The contribution of these units to Newman's modularity; 0 for a unit without edges."""
    member = np.eye(int(labels.max()) + 1)[labels]
    linked = affinity @ member / max(total, 1)
    return float((linked * member).sum() - (linked.sum(axis=1) @ member) @ (linked.sum(axis=1) @ member))


@contextmanager
def _seeded_igraph(seed: int) -> Iterator[ModuleType]:
    import igraph  # imports matplotlib.pyplot, which not every user of this package needs

    with IGRAPH:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            yield igraph
        finally:
            igraph.set_random_number_generator(random)


BASELINES: dict[str, Callable[[int, NDArray[np.int64], int], ArrayLike]] = {
    "leiden": _leiden,
    "louvain": _louvain,
    "infomap": _infomap,
    "spectral": _spectral,
}
