"""Readers of graphs: files, objects of every kind, and names in pictures and reports."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from random import Random
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import scipy.sparse as sp

from analysis import LayeredGraph, UnitGraph, detect_modules, report_html, report_text
from analysis.graph import as_graph, read_graph_file
from fuzz.harness import Another, Reader
from fuzz.mutations import mutated_bytes, mutated_json, odd_text, odd_values

__all__ = ["READERS"]

WEIGHTS: list[Any] = [[[1.0, -2.0, 0.0], [0.0, 1.0, 3.0]], [[1.0, 0.0], [0.5, 1.0]]]
LAYERS: list[Any] = [["x", "input", 2], ["h", "neuron", 2], ["y", "output", 1]]
BLOCKS: list[Any] = [[0, 1, [[1.0, 0.0], [0.0, 1.0]], "dense"], [1, 2, [[1.0], [1.0]]], [0, 2, [[1.0], [0.0]], "skip"]]
ODD_NUMBERS = (0, -1, 10**9, 10**30, 2**63, float("nan"), float("inf"), "1", "a", None, 1j, [], True, 1.5, b"1", 10**400)
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><graphml>&b;</graphml>'


class Call(NamedTuple):
    """A call that may be refused."""

    run: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: Mapping[str, Any] = MappingProxyType({})


# --- Files --------------------------------------------------------------------------------------------------------------------


@cache
def files() -> tuple[tuple[str, bytes], ...]:
    """Small graphs as files."""
    graphs = LayeredGraph.from_weights(WEIGHTS).to_networkx(), UnitGraph(unit_layers(LAYERS), unit_layers(BLOCKS)).to_networkx()
    found = [(".graphml", ENTITIES)]
    for graph in graphs:
        named = nx.relabel_nodes(graph, {node: f"{node[0]}:{node[1]}" for node in graph})
        for suffix, write in ((".graphml", nx.write_graphml), (".gexf", nx.write_gexf), (".gml", nx.write_gml)):
            buffer = BytesIO()
            write(named, buffer)
            found.append((suffix, buffer.getvalue()))
    return tuple(found)


def unit_layers(values: Any) -> Any:
    """Lists of lists as tuples of tuples, which layers and blocks are."""
    return tuple(tuple(value) if isinstance(value, list) else value for value in values) if isinstance(values, list) else values


def make_file(random: Random, folder: Path) -> Path:
    suffix, content = random.choice(files())
    if random.random() < 0.2:  # another encoding
        content = content.decode(errors="replace").encode(random.choice(("utf-16", "utf-8-sig", "cp1252", "utf-32")), errors="replace")
    if random.random() < 0.3:  # another number
        digit = random.choice((b"0", b"1", b"2"))
        content = content.replace(digit, str(random.choice((10**9, -1, "nan", "", 10**40))).encode(), 1)
    path = folder / f"graph{suffix}"
    path.write_bytes(mutated_bytes(random, content))
    return path


def read_file(path: Path) -> None:
    used(read_graph_file(path))


def used(network: Any, **options: Any) -> None:
    """Detect the modules of a network and use them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = detect_modules(network, **options)
        for one in found if isinstance(found, list) else [found]:
            str(one)
            one.to_networkx()
            if sum(one.graph.widths) != sum(map(len, one.labels)):
                raise Another("labels are not those of the units")


# --- Objects ------------------------------------------------------------------------------------------------------------------


def make_object(random: Random, folder: Path) -> Call:
    return random.choice(OBJECTS)(random)


def run(call: Call) -> None:
    call.run(*call.arguments, **call.options)


def _matrices(random: Random) -> Call:
    return Call(used, (mutated_json(random, WEIGHTS),))


def _anything(random: Random) -> Call:
    return Call(
        random.choice((used, as_graph, LayeredGraph.from_weights, LayeredGraph.from_adjacency, UnitGraph.from_adjacency)),
        (odd_values(random),),
    )


def _options(random: Random) -> Call:
    names = (
        "method",
        "features",
        "direction",
        "linkage",
        "distance",
        "criterion",
        "ties",
        "merge_threshold",
        "modularity_threshold",
        "reach",
    )
    return Call(used, (WEIGHTS,), {random.choice((*names, "max_units")): random.choice((odd_values(random), random.choice(ODD_NUMBERS)))})


def _units(random: Random) -> Call:
    layers, blocks = (LAYERS, mutated_json(random, BLOCKS)) if random.random() < 0.5 else (mutated_json(random, LAYERS), BLOCKS)
    return Call(lambda: used(UnitGraph(unit_layers(layers), unit_layers(blocks))), ())


def _fields(random: Random) -> Call:
    fields = {"biases": [[0.0, 1.0], [0.0, 0.0]], "activations": ["relu", "tanh"], "input_names": ["a", "b", "c"], "loss": "ce"}
    name = random.choice(list(fields))
    fields[name] = random.choice((mutated_json(random, fields[name]), odd_values(random)))
    if random.random() < 0.5:
        return Call(used, (SimpleNamespace(weights=WEIGHTS, **fields),))
    return Call(lambda: used(LayeredGraph.from_weights(WEIGHTS, **fields)), ())


def _networkx(random: Random) -> Call:
    kind = random.choice((nx.DiGraph, nx.DiGraph, nx.MultiDiGraph, nx.Graph))
    graph = kind([("a", "h"), ("b", "h"), ("h", "y"), ("a", "y")] if random.random() < 0.5 else [("a", "h"), ("h", "y")])
    for _ in range(random.randrange(1, 4)):
        node = random.choice(list(graph))
        change = random.randrange(7)
        if change == 0:
            nx.set_node_attributes(graph, {each: random.choice((0, 1, 2, 10**9)) for each in graph}, "layer")
        elif change == 1:
            graph.add_edge(
                node, random.choice(list(graph)), weight=random.choice((*ODD_NUMBERS, np.float32(2), np.ones(2), odd_values(random)))
            )
        elif change == 2:
            name = random.choice(("layer", "kind", "name", "bias", "layer_name"))
            graph.nodes[node][name] = random.choice((odd_text(random), random.choice(ODD_NUMBERS)))
        elif change == 3:
            graph.add_node(random.choice((odd_text(random), None.__class__, frozenset({1}), (1, 2, 3), 10**30, (0, 10**12))))
        elif change == 4:
            graph.graph[random.choice(("activations", "loss", "blocks"))] = odd_values(random)
        elif change == 5:
            graph = nx.DiGraph([((0, 0), (1, 0)), ((1, 0), (random.choice((2, 1, 0, 10**9, -1)), 1))])
        else:
            graph.add_edge(odd_text(random), node, kind=random.choice((odd_text(random), "carry")))
    return Call(used, (graph,))


def _adjacency(random: Random) -> Call:
    matrix = random.choice(
        (
            np.triu(np.ones((4, 4)), 1),
            sp.coo_array((10**9, 10**9)),
            sp.eye_array(3),
            sp.coo_array(([1.0], ([0], [10**6])), shape=(10**7,) * 2),
        )
    )
    widths = random.choice(
        ([2, 1, 1], [2, 2], None, mutated_json(random, [2, 1, 1]), odd_values(random), [10**9, 1], [10**30], range(10**8))
    )
    run = random.choice((LayeredGraph.from_adjacency, UnitGraph.from_adjacency))
    return Call(lambda: used(run(matrix, widths)), ())


def _sparse(random: Random) -> Call:
    sizes = [random.choice((1, 2, 3, 10**5, 10**9, 10**12)) for _ in range(random.choice((2, 3)))]
    return Call(used, ([sp.coo_array(([1.0], ([0], [0])), shape=(b, a)) for a, b in pairwise(sizes)],))


def _layers(random: Random) -> Call:
    size = random.choice((10**9, 10**40, 2**62, 0, -5, True, 10**7))
    return Call(lambda: used(UnitGraph([("x", "input", size), ("y", "output", 1)], [(0, 1, sp.coo_array((int(size) % 2**40, 1)))])), ())


OBJECTS: tuple[Callable[[Random], Call], ...] = (
    _matrices, _anything, _options, _units, _fields, _networkx, _networkx, _networkx, _adjacency, _sparse, _layers,
)  # fmt: skip


# --- Names --------------------------------------------------------------------------------------------------------------------


def make_names(random: Random, folder: Path) -> tuple[list[str], list[str], Path]:
    names = [random.choice((odd_text(random), odd_text(random) + odd_text(random), f"n{i}")) for i in range(6)]
    return names, [random.choice(("svg", "dot", "html", "graphml", "text"))], folder


def read_names(given: tuple[list[str], list[str], Path]) -> None:
    names, (kind,), folder = given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = [("x", "input", 2, tuple(names[:2])), (names[2], names[3], 1), ("y", "output", 1, (names[4],))]
        found = detect_modules(UnitGraph(layers, [(0, 1, [[1.0], [1.0]]), (1, 2, [[1.0]])]))
        path = folder / f"out.{kind}"
        if kind == "html":
            page = report_html(found, title=names[5])
            if page.count("<script") != 2 or "\0" in page:  # the data and the code
                raise Another("a name is code in the page")
        elif kind == "graphml":
            read_graph_file(found.write_graphml(path))
        elif kind == "text":
            if len(report_text(found).splitlines()) != 4 + len(found.modules):
                raise Another("a name makes a line of the report")
        else:
            found.draw(path, title=names[5])
            if kind == "svg" and any(element.tag.endswith("script") for element in ElementTree.parse(path).iter()):
                raise Another("a name is code in the picture")
    if [one for one in folder.rglob("*") if one != path]:
        raise Another("a name is the path of a file")


def warm() -> None:
    """Load what drawing needs, and make the base files."""
    files()
    detect_modules(WEIGHTS).draw()


READERS = [
    Reader("GraphML, GEXF, GML files", make_file, read_file, (ValueError, TypeError), warm),
    Reader("objects through as_graph, detect_modules", make_object, run, (ValueError, TypeError), warm),
    Reader("drawing and reports with odd names", make_names, read_names, (ValueError, TypeError), warm),
]
