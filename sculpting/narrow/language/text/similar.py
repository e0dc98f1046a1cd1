"""Documents that are the same or nearly the same.

D = documents, S = different shingles of all of them, P = pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_similarity", "digest", "similar_pairs"]

Pairs = NDArray[np.int64]
WORDS = 5  # of a shingle
FEATURES = 2**31 - 1  # of the hash of shingles, the most there can be: of a million shingles one in 2,000 shares its number
TOGETHER = 256  # pairs that are compared at once
ROUNDING = 1e-9


def check_similarity(similarity: object) -> None:
    """Refuse a similarity that is not in (0, 1]."""
    if not isinstance(similarity, (int, float)) or isinstance(similarity, bool) or not 0 < similarity <= 1:
        raise ValueError(f"similarity must be a number above 0 and at most 1; got {similarity!r}")


def digest(text: str) -> bytes:
    """A hash of the words of a text, equal for texts that differ in white space alone."""
    return hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest()


def similar_pairs(texts: Sequence[str], similarity: float = 0.8) -> Pairs:
    """Pairs of texts that are the same but for white space, or whose shingles have a Jaccard index of at least ``similarity``.

    Shingles are the runs of five words in lower case, words are what white space separates; a text of fewer words is only compared as a
    whole. The Jaccard index of two sets is the size of their intersection by that of their union.

    Parameters
    ----------
    texts : sequence of str
    similarity : float in (0, 1]

    Returns
    -------
    array of shape (P, 2)
        Positions in ``texts``, the lower first. A text that equals an earlier one has one pair, with the first of them.

    Notes
    -----
    Not all pairs of texts are compared. Two sets with a Jaccard index of at least t share one of the n - ceil(t n) + 1 rarest elements of
    each of them, where n is its size (prefix filtering: Chaudhuri, Ganti and Kaushik 2006; Bayardo, Ma and Srikant 2007). Pairs that share
    one are compared in full, so that none is missed.

    Examples
    --------
    >>> similar_pairs(["One two.", "a b c d e f g", "One\\ntwo.", "A b c d e f h"], similarity=0.5).tolist()
    [[0, 2], [1, 3]]
    """
    if not texts:
        return np.empty((0, 2), dtype=np.int64)
    first: dict[bytes, int] = {}
    same = [(first.setdefault(digest(text), place), place) for place, text in enumerate(texts)]
    different = np.array(list(first.values()), dtype=np.int64)
    near = different[_near(_shingles([texts[place] for place in first.values()]), similarity)]
    pairs = np.array([pair for pair in same if pair[0] != pair[1]], dtype=np.int64).reshape(-1, 2)
    return np.unique(np.concatenate([pairs, near]), axis=0)


def _shingles(texts: Sequence[str]) -> Any:
    """Which text has which shingle: a sparse matrix ``(D, S)`` of ones, the rarest shingles in the first columns."""
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(
        token_pattern=r"\S+", ngram_range=(WORDS, WORDS), n_features=FEATURES, binary=True, norm=None, alternate_sign=False, dtype=np.int32
    )
    hashed = hashing.transform(texts)
    _, columns, counts = np.unique(hashed.indices, return_inverse=True, return_counts=True)
    ranks = np.empty(len(counts), dtype=np.int64)
    ranks[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    matrix = csr_array((hashed.data, ranks[columns], hashed.indptr), shape=(len(texts), len(counts)))
    matrix.sort_indices()
    return matrix


def _near(shingles: Any, similarity: float) -> Pairs:
    """Rows of ``shingles (D, S)`` that are similar: ``(P, 2)``."""
    from scipy.sparse import csr_array

    sizes = np.diff(shingles.indptr)
    lengths = np.minimum(sizes, sizes - np.ceil(similarity * sizes - ROUNDING).astype(int) + 1)
    kept = np.arange(shingles.nnz) - np.repeat(shingles.indptr[:-1], sizes) < np.repeat(lengths, sizes)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    rarest = csr_array((shingles.data[kept], shingles.indices[kept], starts), shape=shingles.shape)
    shared = (rarest @ rarest.T).tocoo()
    a, b = shared.coords
    few, many = np.minimum(sizes[a], sizes[b]), np.maximum(sizes[a], sizes[b])
    possible = (a < b) & (few >= similarity * many - ROUNDING)
    pairs = np.stack([a, b], axis=1)[possible].astype(np.int64)
    found = [pairs[:0]]
    for start in range(0, len(pairs), TOGETHER):
        part = pairs[start : start + TOGETHER]
        common = shingles[part[:, 0]].multiply(shingles[part[:, 1]]).sum(axis=1)
        union = sizes[part].sum(axis=1) - common
        found.append(part[common >= similarity * union - ROUNDING])
    return np.concatenate(found)
