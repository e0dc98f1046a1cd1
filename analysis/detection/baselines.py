"""Baselines: general community detection on the same graphs that the module detector reads."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from threading import Lock
from types import ModuleType
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.sparse.csgraph import connected_components, laplacian

from ..graph import AnyGraph, as_graph, network_of
from ..hierarchy import Hierarchy
from ..imports import kept_random
from ..texts import shown
from .alive import FEATURES, alive_wiring

__all__ = ["BASELINES", "detect_baseline"]

# n alive units, numbered layer after layer; e edges between them, as an array of shape (e, 2): source, target.

IGRAPH = Lock()  # its generator is one for all threads
MOST_SPECTRAL = 10_000  # units of a connected component, whose eigenvectors are those of a dense matrix
MOST_CLUSTERS = 32  # tried by spectral clustering in a connected component


@dataclass(frozen=True)
class _Links:
    """The links between n units.

    Attributes
    ----------
    units : int
    pairs : int array of shape (e, 2)
        Source and target.
    strengths : array of shape (e,) or None
        Above 0; None where all are alike.
    directed : bool
        Whether the order of a pair says something.
    """

    units: int
    pairs: NDArray[np.int64]
    strengths: NDArray[np.float64] | None
    directed: bool


@dataclass(frozen=True)
class _How:
    """The options of :func:`detect_baseline`."""

    seed: int
    resolution: float
    clusters: int | None


def detect_baseline(
    network: Any,
    method: str,
    *,
    seed: int = 0,
    features: str = "binary",
    affinity: ArrayLike | None = None,
    resolution: float = 1.0,
    clusters: int | None = None,
) -> Hierarchy:
    """The communities that a general method finds among the units of a network.

    Parameters
    ----------
    network : LayeredGraph, UnitGraph, SparseNetwork, networkx.DiGraph, igraph.Graph or sequence of matrices (n_out, n_in)
        Units that are not alive (:meth:`LayeredGraph.alive`) are removed first, as in ``detect_modules``.
    method : {"leiden", "louvain", "infomap", "spectral"}
        A key of ``BASELINES``.
    seed : int in [0, 2**32)
        The only source of randomness: the same call gives the same labels.
    features : {"binary", "weighted"}
        Whether only the positions of nonzero weights matter, or |weight|, too.
    affinity : array of shape (n, n), optional
        How much any two units belong together, at least 0, in place of the edges: such as absolute correlations of their activations. All
        units of the network count, layer after layer. Only the entries above the diagonal are read.
    resolution : float
        Above 0, of ``"leiden"`` and ``"louvain"``: the larger, the smaller are the communities.
    clusters : int, optional
        Of ``"spectral"``: how many there are in each connected component, if it has that many different units.

    Returns
    -------
    Hierarchy
        ``labels`` are the communities, -1 for removed units. ``clusters`` are the communities within each layer.

    Raises
    ------
    ValueError
        When the method is unknown or an option is not one of its own, the seed is out of range, the affinity does not fit, the network has
        a cycle, or more than 10,000 units are to be clustered spectrally in one connected component.
    TypeError
        When ``network`` cannot be read as a network.

    Notes
    -----
    Edges that carry a unit on are edges like any other. What each of them optimises:

    - ``"leiden"``: undirected; modularity, iterated until stable (Traag, Waltman & van Eck, Scientific Reports 2019; igraph).
    - ``"louvain"``: undirected; modularity (Blondel et al., J. Stat. Mech. 2008; networkx).
    - ``"infomap"``: directed, but for an affinity; the map equation, best of ten runs (Rosvall & Bergstrom, PNAS 2008; igraph). From a
      unit without outgoing edges its random walker jumps anywhere, so a community may contain units that no path connects.
    - ``"spectral"``: undirected; normalised cut (Shi & Malik, PAMI 2000; k-means of scikit-learn) of each connected component. The
      number of clusters, at most 32, is the one with the largest modularity, the smallest of equal ones, unless ``clusters`` says it.
      The eigenvectors are those of a dense (n, n) matrix. With ``features="weighted"`` this is the method of Filan et al.,
      "Clusterability in neural networks", 2021.

    igraph uses one random generator for the whole Python session, and does not tell which. It is replaced during the call, one call at a
    time, and afterwards set to Python's ``random`` module, which is igraph's default.

    Examples
    --------
    >>> pairs = [[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]
    >>> [labels.tolist() for labels in detect_baseline(pairs, "leiden").labels]
    [[0, 0, 1, 1], [0, 1], [0, 1]]
    >>> [len(detect_baseline(pairs, method).modules) for method in BASELINES]
    [2, 2, 2, 2]
    >>> alike = np.kron(np.eye(2), np.ones((2, 2)))
    >>> [labels.tolist() for labels in detect_baseline([[[1, 1]], [[1]]], "leiden", affinity=alike).labels]
    [[0, 0], [1], [1]]
    """
    if not isinstance(method, str) or method not in BASELINES:
        raise ValueError(f"method must be one of {list(BASELINES)}; got {shown(method)}")
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer in [0, 2**32); got {shown(seed)}")
    how = _how(method, int(seed), resolution, clusters)
    if not isinstance(features, str) or features not in FEATURES:
        raise ValueError(f"features must be one of {list(FEATURES)}; got {shown(features)}")
    network = network_of(network)
    graph = as_graph(network)
    alive = graph.alive()
    links = _wired(graph, alive, features) if affinity is None else _alike(affinity, alive)
    labels = np.full(sum(graph.widths), -1, dtype=np.int64)
    labels[np.concatenate(alive)] = BASELINES[method](links, how)
    layers = tuple(np.split(labels, np.cumsum(graph.widths)[:-1]))
    return Hierarchy(graph, layers, layers, network=network)


def _how(method: str, seed: int, resolution: float, clusters: int | None) -> _How:
    if isinstance(resolution, bool) or not isinstance(resolution, Real) or not 0 < resolution < np.inf:
        raise ValueError(f"resolution must be above 0 and finite; got {shown(resolution)}")
    if clusters is not None and (isinstance(clusters, bool) or not isinstance(clusters, Integral) or clusters < 1):
        raise ValueError(f"clusters must be a whole number of at least 1; got {shown(clusters)}")
    for name, given, of in (("resolution", resolution != 1, ("leiden", "louvain")), ("clusters", clusters is not None, ("spectral",))):
        if given and method not in of:
            raise ValueError(f"{name} is an option of {' and '.join(of)}; got it with {method}. Leave it out")
    return _How(seed, float(resolution), None if clusters is None else int(clusters))


def _wired(graph: AnyGraph, alive: Sequence[NDArray[np.bool_]], features: str) -> _Links:
    """The edges between alive units."""
    wiring = alive_wiring(graph, alive, features)
    starts = np.cumsum([0, *wiring.sizes])
    pairs = [np.transpose(block.weights.nonzero()) + starts[[block.source, block.target]] for block in wiring.blocks]
    strengths = [np.asarray(block.weights[block.weights.nonzero()], dtype=np.float64).ravel() for block in wiring.blocks]
    return _Links(int(starts[-1]), np.concatenate(pairs), np.concatenate(strengths) if features == "weighted" else None, True)


def _alike(affinity: ArrayLike, alive: Sequence[NDArray[np.bool_]]) -> _Links:
    """The affinities above 0 of pairs of alive units."""
    kept = np.concatenate(alive)
    matrix = np.asarray(affinity, dtype=np.float64)
    if matrix.shape != (len(kept), len(kept)):
        raise ValueError(f"affinity must have a row and a column for each of the {len(kept)} units; got shape {matrix.shape}")
    upper = np.triu(matrix, 1)
    if not np.isfinite(upper).all() or (upper < 0).any():
        raise ValueError("affinity must be finite and at least 0; got other values")
    upper = upper[kept][:, kept]
    pairs = np.transpose(upper.nonzero())
    return _Links(len(upper), pairs, upper[upper > 0], False)


def _leiden(links: _Links, how: _How) -> ArrayLike:
    with _seeded_igraph(how.seed) as igraph:
        graph, weights = igraph.Graph(links.units, links.pairs.tolist()), _as_list(links.strengths)
        return graph.community_leiden("modularity", weights=weights, resolution=how.resolution, n_iterations=-1).membership


def _louvain(links: _Links, how: _How) -> ArrayLike:
    graph = nx.empty_graph(links.units)
    strengths = np.ones(len(links.pairs)) if links.strengths is None else links.strengths
    graph.add_weighted_edges_from((a, b, strength) for (a, b), strength in zip(links.pairs.tolist(), strengths.tolist(), strict=True))
    labels = np.empty(links.units, dtype=np.int64)
    for label, community in enumerate(nx.community.louvain_communities(graph, resolution=how.resolution, seed=how.seed)):
        labels[list(community)] = label
    return labels


def _infomap(links: _Links, how: _How) -> ArrayLike:
    with _seeded_igraph(how.seed) as igraph:
        graph = igraph.Graph(links.units, links.pairs.tolist(), directed=links.directed)
        return graph.community_infomap(edge_weights=_as_list(links.strengths), trials=10).membership


def _as_list(strengths: NDArray[np.float64] | None) -> list[float] | None:
    return None if strengths is None else strengths.tolist()


def _spectral(links: _Links, how: _How) -> ArrayLike:
    strengths = np.ones(len(links.pairs)) if links.strengths is None else links.strengths
    half = sp.csr_array((strengths, (links.pairs[:, 0], links.pairs[:, 1])), shape=(links.units, links.units))
    affinity = half + half.T
    # A cut between components has no cost, and modularity is a sum over clusters: each component can be cut by itself.
    count, component = connected_components(affinity, directed=False)
    labels = np.empty(links.units, dtype=np.int64)
    for c in range(count):
        members = np.flatnonzero(component == c)
        if len(members) > MOST_SPECTRAL:
            raise ValueError(
                f'method="spectral" must have at most {MOST_SPECTRAL:,} units in a connected component; got {len(members):,}, whose dense '
                f'matrix takes {8 * len(members) ** 2 / 1e9:.1f} GB and hours. Use "leiden", "louvain" or "infomap"'
            )
        labels[members] = _cut(affinity[members][:, members], affinity.sum(), how) * count + c
    return labels


def _cut(affinity: sp.csr_array, total: float, how: _How) -> NDArray[np.int64]:
    """The normalised cut of one connected component, into so many clusters, or that of largest modularity.

    ``total`` is the sum of degrees of the whole graph.
    """
    with kept_random():
        from sklearn.cluster import k_means

    best = np.zeros(affinity.shape[0], dtype=np.int64)
    largest = _modularity(affinity, best, total) if how.clusters is None else -np.inf
    embedding = _embedding(affinity)
    most = embedding.shape[1]
    for clusters in range(2, most + 1) if how.clusters is None else [min(how.clusters, most)]:
        labels = k_means(embedding[:, :clusters], clusters, n_init=10, random_state=how.seed)[1].astype(np.int64)
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
    linked = affinity @ member / (total or 1)
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


BASELINES: dict[str, Callable[[_Links, _How], ArrayLike]] = {
    "leiden": _leiden,
    "louvain": _louvain,
    "infomap": _infomap,
    "spectral": _spectral,
}
