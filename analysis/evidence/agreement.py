"""Stability: how well hierarchies of several candidates or seeds agree on groups of inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..hierarchy import Hierarchy, check_hierarchy, first_appearance
from ..imports import kept_random
from ..tables import table

__all__ = ["Agreement", "Stability", "stability"]

# h hierarchies, n inputs or outputs.
LISTED = 16  # names; larger matrices are not printed


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of h hierarchies on the groups of the same n units.

    Attributes
    ----------
    names : tuple of str
        Of the units.
    rand_index : array of shape (h, h)
        Adjusted Rand index of each pair of hierarchies: 1 for equal groups, about 0 for random groups. A unit without a module counts
        as a group of its own.
    together : array of shape (n, n)
        Fraction of the hierarchies in which two units share a module, in [0, 1]. On the diagonal, in which the unit has a module.
    """

    names: tuple[str, ...]
    rand_index: NDArray[np.float64]
    together: NDArray[np.float64]

    @property
    def mean_rand_index(self) -> float:
        """Mean over the pairs of different hierarchies."""
        return float(self.rand_index[np.triu_indices(len(self.rand_index), 1)].mean())


@dataclass(frozen=True, eq=False)
class Stability:
    """The result of ``stability``. Printed, it is a short report.

    Attributes
    ----------
    inputs, outputs : Agreement
    """

    inputs: Agreement
    outputs: Agreement

    def __str__(self) -> str:
        count = len(self.inputs.rand_index)
        pairs = count * (count - 1) // 2
        lines = [f"stability over {count} hierarchies ({pairs} pairs)"]
        for what, side in (("inputs", self.inputs), ("outputs", self.outputs)):
            exact = int((np.triu(side.rand_index, 1) > 1 - 1e-9).sum())
            lines.append(f"{what} grouped alike: adjusted Rand index {side.mean_rand_index:.3f} in the mean, 1 in {exact} of {pairs} pairs")
        for what, side in (("inputs", self.inputs), ("outputs", self.outputs)):
            if len(side.names) <= LISTED:
                cells = [[f"{value:.2f}" for value in row] for row in side.together]
                lines += ["", f"fraction of hierarchies in which two {what} share a module", *table(side.names, side.names, cells)]
        return "\n".join(lines)


def stability(hierarchies: Iterable[Hierarchy]) -> Stability:
    """How well several hierarchies of one task agree on the groups of its inputs and of its outputs.

    Only inputs and outputs are compared, since hidden units of networks from different seeds do not correspond to one another.

    Parameters
    ----------
    hierarchies : iterable of Hierarchy
        At least two, of networks with the same numbers of inputs and outputs; from several candidates, seeds or detectors.

    Returns
    -------
    Stability

    Raises
    ------
    TypeError
        When one of them is not a hierarchy.
    ValueError
        When there are fewer than two, or their numbers of inputs or outputs differ.

    Notes
    -----
    The index is that of Hubert & Arabie, Journal of Classification 2, 193 (1985).

    Examples
    --------
    >>> from analysis import detect_modules
    >>> apart, joined = [[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]], [[[1, 1, 1, 1]], [[1], [1]]]
    >>> found = stability([detect_modules(apart), detect_modules(apart), detect_modules(joined)])
    >>> found.inputs.rand_index.tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> found.inputs.together[0].round(3).tolist()
    [1.0, 1.0, 0.333, 0.333]
    """
    members = list(hierarchies)
    if len(members) < 2:
        raise ValueError(f"stability needs at least two hierarchies to compare; got {len(members)}")
    for member in members:
        check_hierarchy(member)
    ends = {(len(h.graph.input_names), len(h.graph.output_names)) for h in members}
    if len(ends) > 1:
        raise ValueError(f"hierarchies must have the same numbers of inputs and outputs; got {sorted(ends)}")
    graph = members[0].graph
    return Stability(
        _agreement(graph.input_names, [h.input_labels for h in members]),
        _agreement(graph.output_names, [h.output_labels for h in members]),
    )


def _agreement(names: tuple[str, ...], labels: Sequence[NDArray[np.int64]]) -> Agreement:
    members = np.array(labels)
    shared = (members[:, :, None] == members[:, None, :]) & (members >= 0)[:, :, None]
    return Agreement(names, _rand_index(members), shared.mean(axis=0))


def _rand_index(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    with kept_random():
        from sklearn.metrics import adjusted_rand_score

    # The index is slow and most groupings are equal: it is computed once for each pair of different groupings.
    alone = np.where(labels < 0, labels.max() + 1 + np.arange(labels.shape[1]), labels)
    kinds, kind = np.unique([first_appearance([row])[0] for row in alone], axis=0, return_inverse=True)
    index = np.array([[adjusted_rand_score(a, b) for b in kinds] for a in kinds])
    return index[np.ix_(kind.ravel(), kind.ravel())]
