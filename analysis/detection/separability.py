"""Separability tests: whether the overlap of two feature sets is larger or smaller than expected by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .criteria import Tree
from .distances import TOLERANCE, Rows, differences, shapes, sizes_of
from .linkages import replay_merges

__all__ = ["OverlapTest", "Pair", "overlap_test", "overlap_verdict", "overruled_count", "pairs_of_unions"]

# n units, f features.

Pair = tuple[float, float, float]  # the overlap of two feature sets and their sizes


class OverlapTest(NamedTuple):
    """The result of a test: ``separate`` and ``single`` may both hold, or neither; ``excess`` is a z-score."""

    separate: bool
    single: bool
    excess: float


def overlap_test(overlap: float, first: float, second: float, total: int) -> OverlapTest:
    """Whether two feature sets overlap less, or more, than two random sets of the same sizes.

    Parameters
    ----------
    overlap, first, second : float
        Number of features in both sets, in the first and in the second.
    total : int
        Number of all features.

    Notes
    -----
    For sizes a and b and overlap o, ``x = a b / f^2`` is the probability that a feature is in both sets by chance, ``e = f x`` is the
    expected overlap, and ``excess = (o - e) / sqrt(f x (1 - x))``. ``separate``: o < max(a, b), and o <= e or o < 1. ``single``: o >= 1
    and o >= e, or o >= max(a, b). Numbers within ``1e-9`` are equal. The score is descriptive and not a significance, since features of
    a layered network are not independent.

    Step 4 of Patil, Michael & Dovrolis, NeurIPS 2023. Departure from the published code: two empty sets are equal, not separate.

    Examples
    --------
    >>> overlap_test(1, 2, 2, 4)
    OverlapTest(separate=True, single=True, excess=0.0)
    """
    total = max(total, 1)
    larger, expected = max(first, second), first * second / total
    variance = expected * (1 - expected / total)
    return OverlapTest(
        separate=overlap < larger - TOLERANCE and (overlap <= expected + TOLERANCE or overlap < 1 - TOLERANCE),
        single=overlap >= max(1, expected) - TOLERANCE or overlap >= larger - TOLERANCE,
        excess=(overlap - expected) / variance**0.5 if variance > TOLERANCE else 0.0,
    )


def overruled_count(tree: Tree, ties: str) -> int | None:
    """The number of clusters that the tests require: n (all separate), 1 (one cluster), or None where no test fires.

    Parameters
    ----------
    tree : Tree
        Of n > 1 units.
    ties : {"published", "symmetric"}
        The closest units are the two of the first merge (published) or all pairs at that distance (symmetric). The last clusters are the
        two of the last merge, or all that merge at its distance.

    Notes
    -----
    The units are separate if each pair of closest units looks independent. They are one cluster if each of the last clusters overlaps
    with the union of the others. If both tests fire, the larger z-score wins; of several pairs the one with the weakest score counts.
    On a tie, the result is the single cluster.

    With weighted features a set contains a feature to a degree: its strength divided by the largest of the unit. The overlap is the sum
    of the smaller degrees, and a union has the larger ones. With binary features these are the published counts.

    Examples
    --------
    >>> from analysis.detection.distances import cosine_distances
    >>> from analysis.detection.linkages import published_merges
    >>> rows = np.array([[1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0]], dtype=bool)
    >>> overruled_count(Tree(rows, cosine_distances(rows), published_merges(cosine_distances(rows), "average")), "published")
    1
    """
    closest, last = _published_pairs(tree) if ties == "published" else _symmetric_pairs(tree)
    return overlap_verdict(closest, last, *tree.rows.shape[::-1])


def overlap_verdict(closest: Sequence[Pair], last: Sequence[Pair], total: int, units: int) -> int | None:
    """The result of :func:`overruled_count` for pairs of closest units, and for the last clusters and the unions of the others."""
    apart = [overlap_test(*pair, total=total) for pair in closest]
    joined = [overlap_test(*pair, total=total) for pair in last]
    separate, single = all(test.separate for test in apart), all(test.single for test in joined)
    if single and (not separate or min(test.excess for test in joined) >= -max(test.excess for test in apart) - TOLERANCE):
        return 1
    return units if separate else None


def _published_pairs(tree: Tree) -> tuple[list[Pair], list[Pair]]:
    """The two closest units, and the last two clusters."""
    sets, first = shapes(tree.rows), replay_merges(tree.merges, 2) == 0
    if sp.issparse(sets):
        closest = sets[tree.merges[0, :2].astype(int)].toarray()
        last = (np.bincount(sets[side].indices, minlength=sets.shape[1]) > 0 for side in (first, ~first))
    else:
        closest = sets[tree.merges[0, :2].astype(int)]
        last = (sets[side].max(axis=0) for side in (first, ~first))
    return [_pair(*closest)], [_pair(*last)]


def _pair(first: Rows, second: Rows) -> Pair:
    return float(np.minimum(first, second).sum()), float(first.sum()), float(second.sum())


def _symmetric_pairs(tree: Tree) -> tuple[list[Pair], list[Pair]]:
    """All pairs of closest units, and each of the last clusters with the union of the others; equal pairs once."""
    sets, heights = shapes(tree.rows), tree.merges[:, 2]
    sizes = sizes_of(sets) if sp.issparse(sets) else sets.sum(axis=1)
    first, second = np.nonzero(np.triu(tree.distances <= heights[0] + TOLERANCE, 1))
    closest = (sizes[first] + sizes[second] - differences(sets)[first, second]) / 2, sizes[first], sizes[second]
    labels = replay_merges(tree.merges, 1 + int((heights >= heights[-1] - TOLERANCE).sum()))
    if sp.issparse(sets):
        last = pairs_of_unions(sets, labels)
    else:
        each = np.array([sets[labels == cluster].max(axis=0) for cluster in range(labels.max() + 1)])
        last = [_pair(*sides) for sides in zip(each, _unions_of_others(each), strict=True)]
    return list(set(zip(*(column.tolist() for column in closest), strict=True))), last


def pairs_of_unions(rows: sp.csr_array, labels: NDArray[np.int64]) -> list[Pair]:
    """The overlap of what each cluster reaches with what all others reach, and both sizes."""
    member = sp.csr_array((np.ones(len(labels), dtype=bool), (labels, np.arange(len(labels)))), shape=(labels.max() + 1, len(labels)))
    each = sp.csr_array(member @ rows)
    times = np.bincount(each.indices, minlength=rows.shape[1])  # in how many clusters each feature is
    all_of_them = int((times > 0).sum())
    cluster = np.repeat(np.arange(each.shape[0]), np.diff(each.indptr))
    own = np.bincount(cluster[times[each.indices] == 1], minlength=each.shape[0]).tolist()
    return [
        (float(size - alone), float(size), float(all_of_them - alone)) for size, alone in zip(sizes_of(each).tolist(), own, strict=True)
    ]


def _unions_of_others(sets: Rows) -> Rows:
    """For each set the union of all others: of the unions of the sets before it and after it."""
    before, after = np.maximum.accumulate(sets), np.maximum.accumulate(sets[::-1])[::-1]
    none = np.zeros_like(sets[:1])
    return np.maximum(np.vstack([none, before[:-1]]), np.vstack([after[1:], none]))
