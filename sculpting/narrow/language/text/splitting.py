"""Training, validation and test documents, and domains that share none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....randomness import check_seed, keys
from .similar import check_similarity, digest, similar_pairs
from .text_files import Document

__all__ = ["Split", "check_disjoint", "split_documents"]

PARTS = ("train", "validation", "test")
MOST = 0.25  # of a held-out part that a cluster fills as long as there are smaller ones
SHOWN = 3  # shared documents that an error names


@dataclass(frozen=True)
class Split:
    """Training, validation and test documents."""

    train: tuple[Document, ...]
    validation: tuple[Document, ...]
    test: tuple[Document, ...]


def split_documents(
    documents: Sequence[Document], *, validation: float = 0.1, test: float = 0.1, similarity: float = 0.8, seed: int = 0
) -> Split:
    """Training, validation and test documents, no two parts with the same or nearly the same text.

    Whole documents are drawn, never windows of them. Documents that are nearly the same, directly or through others, stay in one part; of
    those that are the same but for white space only the first is kept. The part of a document depends on the seed and on the texts, not on
    their order.

    Parameters
    ----------
    documents : sequence of Document
    validation, test : float in [0, 1)
        Fractions of the characters, roughly, 0 for none. Together they must leave some for training.
    similarity : float in (0, 1]
        Jaccard index of two documents' runs of five words from which on they are nearly the same.
    seed : int

    Raises
    ------
    ValueError
        When a fraction is out of range, or there are too few different documents for all parts.

    Examples
    --------
    >>> split = split_documents([Document(str(i), 100 * str(i)) for i in range(10)], seed=1)
    >>> len(split.train), len(split.validation), len(split.test)
    (8, 1, 1)
    """
    for name, fraction in (("validation", validation), ("test", test)):
        if not 0 <= fraction < 1:
            raise ValueError(f"{name} must be a fraction of the text from 0 to below 1; got {fraction}")
    if validation + test >= 1:
        raise ValueError(f"validation and test must leave some of the text for training; got fractions {validation} and {test}")
    check_similarity(similarity)
    documents = tuple({digest(each.text): each for each in reversed(documents)}.values())[::-1]  # of the same ones the first stays
    clusters = _clusters([each.text for each in documents], similarity)
    parts = _parts(documents, clusters, (1 - validation - test, validation, test), check_seed(seed))[clusters]
    return Split(*(tuple(documents[place] for place in np.flatnonzero(parts == part)) for part in range(len(PARTS))))


def check_disjoint(keep: Sequence[Document], forget: Sequence[Document], *, similarity: float = 0.8) -> None:
    """Refuse two domains that share documents, the same or nearly the same ones; see :func:`split_documents` for ``similarity``.

    Examples
    --------
    >>> check_disjoint([Document("a", "one text")], [Document("b", "another text")])
    """
    check_similarity(similarity)
    pairs = similar_pairs([each.text for each in (*keep, *forget)], similarity)
    shared = pairs[(pairs[:, 0] < len(keep)) & (pairs[:, 1] >= len(keep))]
    if len(shared):
        names = [f"{keep[a].name!r} and {forget[b - len(keep)].name!r}" for a, b in shared[:SHOWN].tolist()]
        raise ValueError(
            f"the two domains must have no text in common; got domains that share files, {len(shared)} pairs that are (nearly) the same: "
            f"{', '.join(names)}{', ...' if len(shared) > SHOWN else ''}. Leave them out of one domain"
        )


def _clusters(texts: Sequence[str], similarity: float) -> NDArray[np.int64]:
    """The number of each text's cluster of near-duplicates, linked directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = similar_pairs(texts, similarity)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(texts), len(texts)))
    labels: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def _parts(documents: Sequence[Document], clusters: NDArray[np.int64], shares: tuple[float, ...], seed: int) -> NDArray[np.int64]:
    """The part of each cluster. Clusters in a random order are put where at least half of them still fits, the test part first.

    Large ones come last, so that a part is not filled by a few, such as the many copies of one licence.
    """
    count, wanted = int(clusters.max(initial=-1)) + 1, [part for part, share in enumerate(shares) if share]
    if count < len(wanted):
        raise ValueError(
            f"documents must be at least {len(wanted)} that are not nearly the same, for {', '.join(PARTS[part] for part in wanted)}; "
            f"got {count}. Cut the text into more documents, or ask for fewer parts"
        )
    sizes = np.bincount(clusters, weights=[len(each.text) for each in documents])
    order = _shuffled(documents, clusters, seed)
    parts = np.zeros(count, dtype=np.int64)
    for part in (2, 1):
        left = share = shares[part] * sizes.sum()
        for most in (MOST * share, np.inf):
            for cluster in order:
                if parts[cluster] == 0 and sizes[cluster] <= min(most, 2 * left):
                    parts[cluster], left = part, left - sizes[cluster]
    for part in wanted:
        if not (parts == part).any():  # the smallest cluster of the part with the most
            largest = np.bincount(parts).argmax()
            parts[min((cluster for cluster in order if parts[cluster] == largest), key=sizes.__getitem__)] = part
    return parts


def _shuffled(documents: Sequence[Document], clusters: NDArray[np.int64], seed: int) -> list[int]:
    """The clusters in an order that depends on the seed and on their texts alone."""
    names: dict[int, bytes] = {}
    for document, cluster in zip(documents, clusters.tolist(), strict=True):
        name = digest(document.text)
        names[cluster] = min(names.get(cluster, name), name)
    drawn = keys([("part of a document", seed, name) for name in names.values()]).tolist()
    return [cluster for _, _, cluster in sorted(zip(drawn, names.values(), names, strict=True))]
