"""Random hierarchies of gates: tasks whose structure is known."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np

from ..checks import shown
from ..randomness import check_seed
from ..surroundings import set_aside
from .gates import GateGraph
from .task import Task, from_gates
from .truth import layers_needed

__all__ = ["random_gates"]

MOST_INPUTS, MOST_LAYERS = 10, 3
RAREST = 1 / 16  # an output has at least this fraction of either value
TWO = {"&": "{0} & {1}", "|": "{0} | {1}", "^": "{0} ^ {1}"}
THREE = {
    "&": "{0} & {1} & {2}",
    "|": "{0} | {1} | {2}",
    "^": "{0} ^ {1} ^ {2}",
    "majority": "{0} & {1} | {0} & {2} | {1} & {2}",
    "choice": "{0} & {1} | ~{0} & {2}",
    "and-or": "{0} & ({1} | {2})",
}
KIN = {"&": {"&", "and-or"}, "|": {"|"}, "^": {"^"}, "majority": set(), "choice": set(), "and-or": {"&"}}  # would be one gate with them


@set_aside()
def random_gates(seed: int, levels: int | None = None) -> Task:
    """A random hierarchy of gates of two and three inputs, with reuse.

    The first level has three or four gates, each with inputs of its own. Every further level has two or three gates, which read two or
    three of the level below each, and together all of them. The gates of the last level are the outputs. No gate reads one with which
    it would be one larger gate, as an AND of an AND is; inputs are negated at random.

    Parameters
    ----------
    seed : int
    levels : {2, 3}, optional
        Drawn when left out.

    Returns
    -------
    Task
        Of 6 to 10 inputs, which a network of at most three hidden layers shows. Every output depends on all inputs that lead to it, no two
        outputs are equal or each other's negation, and each has either value in at least a sixteenth of the rows.

    Raises
    ------
    ValueError
        When ``levels`` is neither 2 nor 3.

    Examples
    --------
    >>> task = random_gates(1)
    >>> task.name, len(task.input_names), task.output_names
    ('random-gates:seed=1', 8, ('y0', 'y1', 'y2'))
    """
    seed = check_seed(seed)
    if levels is not None and (not isinstance(levels, Integral) or levels not in (2, 3)):
        raise ValueError(f"levels must be 2 or 3, or None to draw them; got {shown(levels)}")
    generator = np.random.default_rng(seed)
    while True:
        graph = _drawn(generator, int(generator.integers(2, 4)) if levels is None else int(levels))
        if graph is not None and _is_sound(graph) and layers_needed(graph) <= MOST_LAYERS:
            return from_gates(graph, name=f"random-gates:seed={seed}" + (f",levels={levels}" if levels else ""))


def _drawn(generator: np.random.Generator, levels: int) -> GateGraph | None:
    gates: dict[str, str] = {}
    kinds: dict[str, str] = {}

    def add(name: str, reads: Sequence[str], negate: bool) -> bool:
        forms = TWO if len(reads) == 2 else THREE
        usable = [kind for kind in forms if not any(kinds.get(read) in KIN[kind] for read in reads)]
        if not usable:
            return False
        kinds[name] = str(generator.choice(usable))
        signs = generator.integers(0, 2, len(reads)) * (negate and kinds[name] != "^")
        gates[name] = forms[kinds[name]].format(*("~" * sign + read for sign, read in zip(signs, reads, strict=True)))
        return True

    names: list[str] = []
    count = 0
    for g in range(int(generator.integers(3, 5))):
        size = int(generator.integers(2, 4))
        names.append(f"p{g}")
        add(names[-1], [f"x{count + i}" for i in range(size)], negate=True)
        count += size
    if count > MOST_INPUTS:
        return None
    for level in range(1, levels):
        below, names = names, []
        used: set[str] = set()
        for g in range(int(generator.integers(2, 4)) if level < levels - 1 else 2 + (levels == 2 and generator.random() < 0.5)):
            size = int(generator.integers(2, min(3, len(below)) + 1))
            reads = sorted(map(str, generator.choice(below, size, replace=False)))
            used |= set(reads)
            names.append(f"{'qy'[level == levels - 1]}{g}")
            if not add(names[-1], reads, negate=False):
                return None
        if used != set(below):
            return None
    return GateGraph.parse(gates, inputs=[f"x{i}" for i in range(count)], outputs=names)


def _is_sound(graph: GateGraph) -> bool:
    x, y = graph.truth_table()
    share = y.mean(axis=0)
    if share.min() < RAREST or share.max() > 1 - RAREST:
        return False
    if len({(column ^ column[0]).tobytes() for column in y.T}) < y.shape[1]:
        return False
    leads = _leading(graph)
    for i in range(x.shape[1]):
        rows = np.moveaxis(y.reshape(*(2,) * x.shape[1], -1), i, 0)
        matters = (rows[0] != rows[1]).reshape(-1, y.shape[1]).any(axis=0)
        if (matters != leads[i]).any():
            return False
    return True


def _leading(graph: GateGraph) -> np.ndarray:
    """For each input whether a path leads from it to each output, bool (n, k)."""
    reached = {name: {name} for name in graph.inputs}
    for name, formula in graph.gates.items():
        reached[name] = set().union(*(reached[read] for read in formula.names()))
    return np.array([[name in reached[output] for output in graph.outputs] for name in graph.inputs])
