"""Significance: the quality of a hierarchy against that of hierarchies found in random networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detection import detect_modules
from ..graph import AnyGraph
from ..hierarchy import Hierarchy, check_hierarchy
from .nulls import rewired, shuffled, with_weights
from .quality import modularity, separation

__all__ = ["Significance", "significance"]

# Qualities closer than this are tied: far above rounding, far below any real difference.
TOLERANCE = 1e-9
LEVEL = 0.05
FEWEST = 19  # null networks, for p-values down to LEVEL


class NullModel(NamedTuple):
    """A null model: how a random network is made, the quality of its hierarchy, and both in words."""

    make: Callable[..., AnyGraph]
    quality: Callable[[Hierarchy], float]
    subject: str
    networks: str
    fixed: str


NULLS = {
    "rewired": NullModel(
        rewired,
        lambda h: separation(h) + modularity(h),
        "Modular structure",
        "rewired networks, every unit with its numbers of edges in and out",
        "the numbers of edges per unit",
    ),
    "shuffled": NullModel(
        shuffled,
        lambda h: modularity(h, weighted=True),
        "Weight within modules",
        "networks with the same edges and shuffled weights",
        "the edges and the set of weights",
    ),
}


@dataclass(frozen=True, eq=False)
class Significance:
    """The result of ``significance``. Printed, it is a paragraph.

    Attributes
    ----------
    quality : float
        Of the hierarchy.
    null_qualities : array of shape (nulls,)
        Of the hierarchies of the random networks.
    null : str
        ``"rewired"`` or ``"shuffled"``.
    """

    quality: float
    null_qualities: NDArray[np.float64]
    null: str

    @property
    def reached(self) -> int:
        """The number of null networks with at least the same quality."""
        return int((self.null_qualities >= self.quality - TOLERANCE).sum())

    @property
    def tied(self) -> int:
        """The number of null networks with the same quality, up to rounding."""
        return int((np.abs(self.null_qualities - self.quality) <= TOLERANCE).sum())

    @property
    def p_value(self) -> float:
        """``(1 + reached) / (1 + nulls)``. The hierarchy counts as one of the nulls, so the p-value is never 0."""
        return (1 + self.reached) / (1 + len(self.null_qualities))

    @property
    def z_score(self) -> float:
        """Quality minus the mean of the nulls, in their standard deviations; NaN where all nulls are equal."""
        spread = float(self.null_qualities.std())
        return (self.quality - float(self.null_qualities.mean())) / spread if spread > TOLERANCE else float("nan")

    @property
    def verdict(self) -> str:
        """``"more than chance"`` for p <= 0.05, ``"cannot be told from chance"`` where nulls have the same quality but none a better one,
        ``"not more than chance"`` otherwise."""
        if self.p_value <= LEVEL:
            return "more than chance"
        return "cannot be told from chance" if self.tied == self.reached else "not more than chance"

    def __str__(self) -> str:
        model, values = NULLS[self.null], self.null_qualities
        z = "" if np.isnan(self.z_score) else f", z = {self.z_score:.2f}"
        lines = [
            f"{model.subject}: {self.verdict} (p = {self.p_value:.3g}{z})",
            f"quality {self.quality:.3f} against {values.mean():.3f} ± {values.std():.3f} in {len(values)} {model.networks}; "
            f"{self.reached} of {len(values)} reach it",
        ]
        if self.verdict == "cannot be told from chance":
            lines.append(f"none is better: {model.fixed} leave too little choice for this test")
        return "\n".join(lines)


def significance(
    hierarchy: Hierarchy,
    *,
    null: str = "rewired",
    nulls: int = 200,
    seed: int = 0,
    detect: Callable[[Any], Hierarchy] = detect_modules,
) -> Significance:
    """Whether a hierarchy has a better quality than those that the same detector finds in random networks.

    Parameters
    ----------
    hierarchy : Hierarchy
    null : {"rewired", "shuffled"}
        The random networks. :func:`~analysis.evidence.nulls.rewired` tests whether there is more structure than follows from the numbers
        of edges per unit. :func:`~analysis.evidence.nulls.shuffled` tests whether large weights are within modules.
    nulls : int
        Number of random networks, at least 19. The smallest p-value is ``1 / (nulls + 1)``.
    seed : int
    detect : callable
        The detector that found ``hierarchy``, with its settings: ``partial(detect_modules, merge_threshold=0.6)``.

    Returns
    -------
    Significance

    Raises
    ------
    TypeError
        When ``hierarchy`` is not a hierarchy, or ``detect`` is not callable.
    ValueError
        When ``null`` or ``nulls`` is out of range, or ``detect`` finds another hierarchy in the same network.

    Notes
    -----
    Modules are detected again in every null network. Choosing the best of many partitions is optimistic, and this optimism is then in the
    nulls too. The p-value is valid for any quality: at most a fraction a of random networks has p <= a. Units that are not alive are
    removed first, with their edges. Every unit of a null network is then alive, because it keeps its numbers of edges in and out.

    The quality for ``"rewired"`` is :func:`~analysis.evidence.quality.separation` of the clusters plus
    :func:`~analysis.evidence.quality.modularity` of the modules. Modularity alone ignores structure between modules, such as inputs that
    only share their targets. Separation alone ignores whether the clusters of neighbouring layers match. The quality for ``"shuffled"`` is
    the weighted modularity alone, since published clusters do not depend on the weights.

    The numbers of edges may determine a small network completely. Six inputs with one edge each into three units with two form three
    pairs in every rewiring. The printed text then says that the structure cannot be told from chance.

    Examples
    --------
    >>> result = significance(detect_modules([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]), nulls=20)
    >>> result.p_value, result.tied
    (1.0, 20)
    """
    check_hierarchy(hierarchy)
    if not callable(detect):
        raise TypeError(f"detect must be the detector that found the hierarchy, such as detect_modules; got {type(detect).__name__}")
    model = _checked(null, nulls)
    graph = _carrying(hierarchy)
    found = detect(graph)
    if any((a != b).any() for a, b in zip(found.labels, hierarchy.labels, strict=True)):
        raise ValueError(
            f"detect must be the detector that found the hierarchy, which has {len(hierarchy.modules)} modules; got one that finds "
            f"{len(found.modules)} others. Give its settings too, such as detect=partial(detect_modules, merge_threshold=0.6)"
        )
    rng = np.random.default_rng(seed)
    values = [model.quality(detect(model.make(graph, seed=rng))) for _ in range(nulls)]
    return Significance(model.quality(found), np.array(values), null)


def _checked(null: str, nulls: int) -> NullModel:
    if null not in NULLS:
        raise ValueError(f"null must be one of {sorted(NULLS)}; got {null!r}")
    if isinstance(nulls, bool) or not isinstance(nulls, Integral) or nulls < FEWEST:
        raise ValueError(f"nulls must be an integer of at least {FEWEST}, fewer never give p <= {LEVEL}; got {nulls!r}")
    return NULLS[null]


def _carrying(hierarchy: Hierarchy) -> AnyGraph:
    """The network without the edges of removed units."""
    kept = [labels >= 0 for labels in hierarchy.labels]
    blocks = hierarchy.graph.blocks
    return with_weights(hierarchy.graph, [b.weights * kept[b.source][:, None] * kept[b.target] for b in blocks])
