"""Ground-truth graphs of modules that hold inputs, of which a network need not read all: two digits, as pixels or as channels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..checks import check_layers

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Module", "channel_pair_truth", "channel_xor_truth", "module_graph", "pair_truth", "some_inputs_truth", "xor_truth"]

MIDDLE_FROM = 4  # hidden layers
Inputs = tuple[int, ...]
Module = tuple[Inputs, tuple[int, ...], str]  # inputs, outputs, function


def pair_truth(size: int, hidden_layers: int) -> nx.DiGraph:
    """Two independent modules at any depth: left pixels with outputs 0 to 9, right pixels with outputs 10 to 19.

    Parameters
    ----------
    size : int
        Pixels of a side of one digit.
    hidden_layers : int
        At least 1.

    Returns
    -------
    networkx.DiGraph
        Nodes with ``inputs``, ``outputs``, ``name`` and ``function``, as those of :func:`~sculpting.tasks.truth_graph`. There is no truth
        table, but ``graph["some_inputs"]``: a module counts as found when some of its pixels are.

    Raises
    ------
    ValueError
        When ``hidden_layers`` is less than 1.

    Notes
    -----
    Every pixel is in the module of its side, even a pixel that is the same in all images and that no network needs.

    Examples
    --------
    >>> truth = pair_truth(size=2, hidden_layers=2)
    >>> truth.nodes[0]["inputs"], truth.nodes[1]["outputs"]
    ((0, 1, 4, 5), (10, 11, 12, 13, 14, 15, 16, 17, 18, 19))
    """
    return _pair(*_sides(size), ("on the left", "on the right"), hidden_layers)


def channel_pair_truth(hidden_layers: int) -> nx.DiGraph:
    """As :func:`pair_truth`, with a channel of the image in place of the pixels of a side.

    Examples
    --------
    >>> channel_pair_truth(hidden_layers=3).nodes[1]["function"]
    'digit in green'
    """
    return _pair((0,), (1,), ("in red", "in green"), hidden_layers)


def xor_truth(size: int, hidden_layers: int) -> nx.DiGraph:
    """Modules of the left pixels, the right pixels and each of the three outputs, and from four hidden layers on a module in the middle.

    The middle module has hidden units alone. It reads both sides, and the outputs read it. With fewer hidden layers the outputs read the
    two sides. Parameters, nodes and errors are those of :func:`pair_truth`. Here too every pixel is in the module of its side.

    Notes
    -----
    The published figures (Patil, Michael and Dovrolis, NeurIPS 2023, task ``[1568, 2, 3, 3]``) show one module of all pixels and three of
    outputs with 2 and 3 hidden layers. With 4 and 5 they show the six modules of this graph, except for the outputs of 3 of 24 networks.
    Of 12 networks each with 2, 3, 4 and 5 hidden layers, 0, 0, 12 and 12 have two modules of pixels, 12, 12, 10 and 11 have three modules
    of outputs, and none has a separated middle.

    By the list that names the task, two modules below three, the middle would be one XOR for each bit. Here it is one module, as it was
    found. Where a network separates the three XORs, each has one reader, its output, and is in one module with it: this is the graph of
    fewer than four hidden layers.

    Examples
    --------
    >>> [len(xor_truth(size=14, hidden_layers=depth)) for depth in (2, 3, 4, 5)]
    [5, 5, 6, 6]
    """
    return _xor(*_sides(size), ("on the left", "on the right"), hidden_layers)


def channel_xor_truth(hidden_layers: int) -> nx.DiGraph:
    """As :func:`xor_truth`, with a channel of the image in place of the pixels of a side.

    Examples
    --------
    >>> sorted(channel_xor_truth(hidden_layers=3).edges)
    [(0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4)]
    """
    return _xor((0,), (1,), ("in red", "in green"), hidden_layers)


def _pair(first: Inputs, second: Inputs, places: tuple[str, str], hidden_layers: int) -> nx.DiGraph:
    modules = [(first, tuple(range(10)), f"digit {places[0]}"), (second, tuple(range(10, 20)), f"digit {places[1]}")]
    return some_inputs_truth(modules, (), hidden_layers)


def _xor(first: Inputs, second: Inputs, places: tuple[str, str], hidden_layers: int) -> nx.DiGraph:
    sides: list[Module] = [(first, (), f"a = digit {places[0]}"), (second, (), f"b = digit {places[1]}")]
    outputs: list[Module] = [((), (i,), f"xor {bit} = bit {bit} of a ^ bit {bit} of b") for i, bit in enumerate((4, 2, 1))]
    if check_layers(hidden_layers) < MIDDLE_FROM:
        return some_inputs_truth([*sides, *outputs], [(side, output) for side in (0, 1) for output in (2, 3, 4)], hidden_layers)
    middle: Module = ((), (), "bits of a and of b")
    return some_inputs_truth([*sides, middle, *outputs], [(0, 2), (1, 2), (2, 3), (2, 4), (2, 5)], hidden_layers)


def _sides(size: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Positions of the pixels of the left and the right digit in a row-major image."""
    image = np.arange(2 * size * size).reshape(size, 2 * size)
    left, right = (tuple(half.ravel().tolist()) for half in np.hsplit(image, 2))
    return left, right


def some_inputs_truth(modules: Iterable[Module], edges: Iterable[tuple[int, int]], hidden_layers: int) -> nx.DiGraph:
    """The truth graph with ``some_inputs`` set: a network that reads some inputs of a module reads the module."""
    truth = module_graph(modules, edges, hidden_layers)
    truth.graph["some_inputs"] = True
    return truth


def module_graph(modules: Iterable[Module], edges: Iterable[tuple[int, int]], hidden_layers: int) -> nx.DiGraph:
    """A truth graph of modules in order, and of edges between their positions."""
    import networkx as nx  # costs a noticeable part of importing the package

    check_layers(hidden_layers)
    truth = nx.DiGraph()
    for node, (inputs, outputs, function) in enumerate(modules):
        truth.add_node(node, name=f"T{node}", inputs=inputs, outputs=outputs, function=function)
    truth.add_edges_from(edges)
    return truth
