"""Parities in plain loops, and codes of two triples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

TWO_TRIPLES = [[0], [1], [2], [3], [4], [5], [0, 1, 2], [3, 4, 5]]


def parity(task_bits: Sequence[float], code: Iterable[int], k: int) -> float:
    """The definition in plain loops."""
    ones = 0
    for i in code:
        for j in range(i * k, i * k + k):
            ones += int(task_bits[j])
    return float(ones % 2)
