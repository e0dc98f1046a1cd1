"""Path weights: products of edge weights along paths, and the units that carry them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..imports import kept_random
from .arrays import near_one
from .reading import chain_of

__all__ = ["PathSeparation", "carrying_units", "path_products", "path_separation"]

# n inputs, o outputs, g groups.
Groups = Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class PathSeparation:
    """Path weight from each group of inputs to its own outputs and to the others; printed, it has a line for each group.

    Attributes
    ----------
    statistic, p_value : arrays of shape (g,)
        Two-sample t statistic and its two-sided p-value. The statistic is positive where the own outputs get more weight (the figures
        of the paper have the opposite sign). It is infinite where the entries within each side are equal. Both are NaN where all
        entries of both sides are equal.
    own, other : arrays of shape (g,)
        Mean entry of :func:`path_products` to the own outputs, and to the other outputs.
    """

    statistic: NDArray[np.float64]
    p_value: NDArray[np.float64]
    own: NDArray[np.float64]
    other: NDArray[np.float64]

    def __str__(self) -> str:
        return "\n".join(
            f"group {i}: mean path weight {own:.4g} to its own outputs, {other:.4g} to the others (t = {t:.2f}, p = {p:.2g})"
            for i, (t, p, own, other) in enumerate(zip(self.statistic, self.p_value, self.own, self.other, strict=True))
        )


def path_products(network: Any) -> NDArray[np.float64]:
    """The path weight from each input to each output: the sum over all paths of the product of |weight| along the path.

    Parameters
    ----------
    network : LayeredGraph, or anything that :func:`~analysis.graph.as_graph` reads

    Returns
    -------
    array of shape (n, o)
        The entries of ``|W_1| |W_2| ... |W_L|``.

    Raises
    ------
    ValueError
        When an entry is too large for a floating-point number.

    Notes
    -----
    The edge-weight product of Patil & Dovrolis, PHEW, ICML 2021.

    Examples
    --------
    >>> path_products([[[1.0, -2.0], [3.0, 0.0]], [[1.0, 10.0]]]).tolist()
    [[31.0], [2.0]]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        products = reduce(np.matmul, _sizes(network))
    if not np.isfinite(products).all():
        raise ValueError(
            f"path weights must be finite; got {int((~np.isfinite(products)).sum())} of {products.size} that overflow. "
            "Divide the weights of a layer by a constant, which scales all of them"
        )
    return products


def path_separation(network: Any, input_groups: Groups, output_groups: Groups) -> PathSeparation:
    """Compare the path weight from each group of inputs to its own outputs with that to the other outputs.

    Parameters
    ----------
    network : LayeredGraph, or anything that :func:`~analysis.graph.as_graph` reads
    input_groups, output_groups : sequences of g sequences of int
        Positions, one group of outputs for each group of inputs. Groups may overlap.

    Raises
    ------
    ValueError
        When the groups do not fit the network or each other, or a side of a comparison has fewer than two entries.

    Notes
    -----
    For each group, Student's t-test (equal variances) between the entries of :func:`path_products` from its inputs to its outputs and those
    from its inputs to all other outputs, as in the structural figures of Patil, Michael & Dovrolis, NeurIPS 2023. Entries that share
    edges are not independent, so the p-value is descriptive.

    Examples
    --------
    >>> found = path_separation([[[5.0, 4.0, 1.0, 2.0], [1.0, 2.0, 4.0, 5.0]]], [(0, 1), (2, 3)], [(0,), (1,)])
    >>> found.statistic.round(3).tolist()
    [4.243, 4.243]
    """
    with kept_random():
        from scipy.stats import ttest_ind

    products = path_products(network)
    _check_groups(products.shape, input_groups, output_groups)
    pairs = [(products[np.ix_(i, o)], np.delete(products[list(i)], o, axis=1)) for i, o in zip(input_groups, output_groups, strict=True)]
    for i, pair in enumerate(pairs):
        if min(side.size for side in pair) < 2:
            raise ValueError(
                f"each group needs two entries (inputs times outputs) to its own outputs and two to the others; got {pair[0].size} and "
                f"{pair[1].size} for group {i}"
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # equal entries: see the docstring of PathSeparation
        tests = [ttest_ind(own.ravel(), other.ravel()) for own, other in pairs]
    return PathSeparation(
        statistic=np.array([test.statistic for test in tests]),
        p_value=np.array([test.pvalue for test in tests]),
        own=np.array([own.mean() for own, _ in pairs]),
        other=np.array([other.mean() for _, other in pairs]),
    )


def carrying_units(network: Any, *, share: float = 0.9) -> tuple[int, ...]:
    """For each layer, inputs first, the smallest number of units that carry a given share of the path weight.

    Parameters
    ----------
    network : LayeredGraph, or anything that :func:`~analysis.graph.as_graph` reads
    share : float in (0, 1]

    Returns
    -------
    tuple of L + 1 int
        All 0 where no path joins an input to an output.

    Raises
    ------
    ValueError
        When ``share`` is out of range.

    Notes
    -----
    A unit carries the weight of all paths from the inputs to it, times that of all paths from it to the outputs. In every layer these
    sum to the same total. Patil, Michael & Dovrolis, NeurIPS 2023, count the units that carry 90 %.

    Examples
    --------
    >>> carrying_units([[[1.0, 0.0], [0.0, 9.0]], [[1.0, 1.0]]]), carrying_units([[[1.0, 0.0], [0.0, 9.0]], [[1.0, 1.0]]], share=0.95)
    ((1, 1, 1), (2, 2, 1))
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be a fraction in (0, 1]; got {share!r}. Give a percentage divided by 100")
    sizes = [near_one(size) for size in _sizes(network)]  # shares do not depend on the scale of a layer
    into = accumulate(sizes, np.matmul, initial=np.ones(len(sizes[0])))
    onward = accumulate((w.T for w in reversed(sizes)), np.matmul, initial=np.ones(sizes[-1].shape[1]))
    return tuple(_fewest(a * b, share) for a, b in zip(into, reversed(list(onward)), strict=True))


def _sizes(network: Any) -> list[NDArray[np.float64]]:
    return [np.abs(weight) for weight in chain_of(network, "path products").weights]


def _fewest(carried: NDArray[np.float64], share: float) -> int:
    most = np.sort(carried)[::-1].cumsum()
    # Rounding of the sums must not add a unit.
    return int((most < share * most[-1] * (1 - 1e-12)).sum()) + 1 if most[-1] > 0 else 0


def _check_groups(shape: tuple[int, ...], input_groups: Groups, output_groups: Groups) -> None:
    if len(input_groups) != len(output_groups) or not len(input_groups):
        raise ValueError(
            f"there must be as many output groups as input groups, at least one; got {len(output_groups)} and {len(input_groups)}"
        )
    for what, count, groups in zip(("input", "output"), shape, (input_groups, output_groups), strict=True):
        wrong = [tuple(group) for group in groups if len(set(group)) != len(group) or not all(0 <= p < count for p in group)]
        if wrong:
            raise ValueError(f"{what}_groups must hold different positions from 0 to {count - 1}; got {wrong[0]}")
