"""The Boolean tasks of Patil, Michael and Dovrolis (NeurIPS 2023), each as a gate graph.

A list ``[n, m1, m2, ..., k]`` names a task: n inputs, m modules on each level from the bottom up, k outputs. Where there are
two output functions, outputs with an even index copy the first and outputs with an odd index the second.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ..checks import listed, shown
from ..surroundings import set_aside
from .gates import GateGraph
from .task import Task, from_gates
from .truth import truth_graph

__all__ = ["EXEMPLARS", "boolean", "boolean_tasks"]

LONGEST = 100  # characters of a name that the nearest are sought for
OUTPUT_COUNTS = (2, 4, 8, 12, 16)
EXEMPLARS: dict[str, tuple[int, ...]] = {
    "input-separable": (4, 2, 4),
    "reused": (4, 1, 2, 16),
    "both": (6, 3, 3, 3),
    "none": (4, 1, 4),
}
Gates = dict[str, str]


def _minterm(bits: str, inputs: Sequence[str]) -> str:
    return " & ".join(name if bit == "1" else f"~{name}" for bit, name in zip(bits, inputs, strict=True))


def _function(name: str, minterms: Sequence[str], inputs: Sequence[str]) -> Gates:
    """An OR of ANDs over all the inputs: the paper's 4-input sub-functions."""
    ands = {f"{name}{i}": _minterm(bits, inputs) for i, bits in enumerate(minterms)}
    return {**ands, name: " | ".join(ands)}


def _f(inputs: Sequence[str]) -> Gates:
    return _function("f", ("1010", "1100", "0011"), inputs)


def _g(inputs: Sequence[str]) -> Gates:
    return _function("g", ("1001", "0101", "1111"), inputs)


def _copies(sources: Sequence[str], count: int) -> Gates:
    return {f"y{i}": sources[i % len(sources)] for i in range(count)}


def _x(count: int) -> list[str]:
    return [f"x{i}" for i in range(count)]


def _input_separable(k: int) -> Gates:
    return {"s": "x0 ^ x1", "t": "x2 ^ x3", "y0": "s", "y1": "~s", "y2": "t", "y3": "~t"}


def _both(k: int) -> Gates:
    return {"p": "x0 & x1", "q": "x2 & x3", "r": "x4 & x5", "y0": "p | q", "y1": "p | r", "y2": "q | r"}


def _none(k: int) -> Gates:
    return {**_f(_x(4)), **_copies(["f"], k)}


def _reused(k: int) -> Gates:
    ands = {name: _minterm(bits, _x(4)) for name, bits in (("p", "1010"), ("q", "1100"), ("r", "0011"))}
    return {**ands, "even": "p | q", "odd": "p | r", **_copies(["even", "odd"], k)}


def _overlap(shared: int) -> Callable[[int], Gates]:
    def gates(k: int) -> Gates:
        x = _x(8 - shared)
        return {**_f(x[:4]), **_g(x[-4:]), **_copies(["f", "g"], k)}

    return gates


def _hierarchy(k: int) -> Gates:
    x = _x(8)
    return {**_f(x[:4]), **_g(x[4:]), "even": "f & ~g", "odd": "g & ~f", **_copies(["even", "odd"], k)}


_FAMILIES: dict[tuple[int, ...], tuple[Callable[[int], Gates], tuple[int, ...]]] = {
    (4, 2): (_input_separable, (4,)),
    (6, 3, 3): (_both, (3,)),
    (4, 1): (_none, (4,)),
    (4, 1, 2): (_reused, OUTPUT_COUNTS),
    (8, 2): (_overlap(0), OUTPUT_COUNTS),
    (7, 3, 2): (_overlap(1), OUTPUT_COUNTS),
    (6, 3, 2): (_overlap(2), OUTPUT_COUNTS),
    (5, 3, 2): (_overlap(3), OUTPUT_COUNTS),
    (4, 1, 2, 2): (_overlap(4), OUTPUT_COUNTS),
    (8, 2, 1, 2): (_hierarchy, OUTPUT_COUNTS),
}


@set_aside()
def boolean_tasks() -> tuple[tuple[int, ...], ...]:
    """The lists that name the 38 published tasks. The paper counts ``[4, 1, 2, 16]`` in two experiments, hence 39.

    Examples
    --------
    >>> len(boolean_tasks())
    38
    """
    return tuple((*family, k) for family, (_, counts) in _FAMILIES.items() for k in counts)


@set_aside()
def boolean(name: str | Sequence[int]) -> Task:
    """One of the published Boolean tasks, as its complete truth table with its ground-truth graph.

    Parameters
    ----------
    name : sequence of int or str
        A list such as ``[6, 3, 3, 3]``, the same as text (``"[6,3,3,3]"`` or ``"6,3,3,3"``), or an exemplar:
        ``"input-separable"``, ``"reused"``, ``"both"``, ``"none"``.

    Raises
    ------
    ValueError
        When there is no such task; the text names the nearest.

    Examples
    --------
    >>> boolean([6, 3, 3, 3]).x.shape, boolean("reused").y.shape
    (torch.Size([64, 6]), torch.Size([16, 16]))
    """
    key = _key(name)
    make, counts = _FAMILIES.get(key[:-1], (_none, ()))
    if not key or key[-1] not in counts:
        raise ValueError(f"there is no task {shown(name)}; the nearest are {_nearest(name)}. `sculpting tasks` lists them all")
    gates = GateGraph.parse(make(key[-1]), inputs=_x(key[0]), outputs=[f"y{i}" for i in range(key[-1])])
    task = from_gates(gates, name=str(list(key)))
    assert task.gates is not None
    # The paper counts inputs that one module alone reads as a module of their own.
    return replace(task, structure=partial(truth_graph, task.gates, inputs_apart=True))


def _key(name: str | Sequence[int]) -> tuple[int, ...]:
    if isinstance(name, str) and name in EXEMPLARS:
        return EXEMPLARS[name]
    try:
        parts = name.strip("[] ").split(",") if isinstance(name, str) else listed("name", name, LONGEST, "a sequence of numbers")
        return tuple(int(part) for part in parts)
    except (TypeError, ValueError, OverflowError):
        return ()


def _nearest(name: str | Sequence[int]) -> str:
    names = [*EXEMPLARS, *(str(list(task)) for task in boolean_tasks())]
    text = str(list(name)) if isinstance(name, tuple) else name if isinstance(name, str) else shown(name)
    text = text[:LONGEST]  # closeness takes a time in proportion to the square of the length
    return ", ".join(difflib.get_close_matches(text, names, n=3, cutoff=0.0))
