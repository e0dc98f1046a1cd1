"""Captions of rows: the names of layers without what all share, wrapped, and in words what the units are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from ..graph import LayeredGraph
from ..graph.blocks import Layer, layer_names
from ..hierarchy import Hierarchy
from ..layout import Layout
from .names import cut, one_line, shortened

__all__ = ["HEADS", "full_caption", "short_captions", "short_layers", "units_in_words"]

HEADS = "heads"
KINDS = {
    "input": "inputs", "output": "outputs", "neuron": "neurons", "channel": "channels", "residual": "stream", "value": "values",
    "query-key": "queries and keys", "query": "queries", "key": "keys", "gate": "gates",
}  # fmt: skip
STAGE = re.compile(r" (stage|pattern|table)( \d+)?$")  # what tells stages of one module apart, which the kind does too
WIDTH = 22  # characters of a line


def short_captions(hierarchy: Hierarchy, layout: Layout) -> list[str]:
    """The caption of each level.

    For a chain the names of its layers, cut where they are long. For any other graph on up to two lines the names as in
    :func:`short_layers`, and below the kinds of units in words.
    """
    if isinstance(hierarchy.graph, LayeredGraph):
        return [shortened([", ".join(names)])[0] for names in _by_level(hierarchy, layout, [x.name for x in hierarchy.graph.layers])]
    names, kinds = (_by_level(hierarchy, layout, texts) for texts in (short_layers(hierarchy), units_in_words(hierarchy)))
    usual = {*layer_names(len(hierarchy.graph.layers))}  # such as "hidden 1", which say it already
    found = []
    for some, words in zip(names, kinds, strict=True):
        word = (
            "" if {*some} <= usual | {*words} | {word.removesuffix("s") for word in words} else cut(", ".join(dict.fromkeys(words)), WIDTH)
        )
        found.append("\n".join(filter(None, [*_wrapped(", ".join(some)), word])))
    return found


def full_caption(hierarchy: Hierarchy, layout: Layout, level: int) -> str:
    """The whole names of the layers of a level, with their kinds."""
    texts = [one_line(f"{layer.name} ({layer.kind})") for layer in hierarchy.graph.layers]
    return ", ".join(_by_level(hierarchy, layout, texts)[level])


def short_layers(hierarchy: Hierarchy) -> list[str]:
    """A name for each layer: without what all names with a dot begin with, and without the words for stages of a module.

    A number keeps the word before it. Names that are alike, of layers of one kind, are numbered.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> layers = [Layer(name, kind, 1) for name, kind in (("lm.h.0.attn", "gate"), ("lm.h.0", "residual"), ("lm.h.0 stage", "residual"))]
    >>> short_layers(SimpleNamespace(graph=SimpleNamespace(layers=layers)))
    ['h.0.attn', 'h.0', 'h.0 (2)']
    """
    layers: Sequence[Layer] = hierarchy.graph.layers
    names = [one_line(layer.name) for layer in layers]
    plain = [STAGE.sub("", name) if layer.kind in KINDS else name for name, layer in zip(names, layers, strict=True)]
    prefix = _prefix([name.split(".") for name in plain if "." in name])
    short = [name.removeprefix(prefix) for name in plain]
    short = short if len(set(short)) == len(set(plain)) else plain
    seen: dict[tuple[str, str], int] = {}
    found = []
    for name, layer in zip(short, layers, strict=True):
        count = seen[name, layer.kind] = seen.get((name, layer.kind), 0) + 1
        found.append(name if count == 1 else f"{name} ({count})")
    return found


def _prefix(paths: Sequence[Sequence[str]]) -> str:
    """What all paths begin with, up to the word before a number; every path keeps its last word."""
    columns = zip(*(path[:-1] for path in paths), strict=False)
    shared = [words[0] for words in takewhile(lambda words: len(set(words)) == 1, columns)] if len(paths) > 1 else []
    if any(path[len(shared)].isdigit() for path in paths):
        shared = shared[:-1]
    return "".join(f"{word}." for word in shared)


def units_in_words(hierarchy: Hierarchy) -> list[str]:
    """For each layer what its units are: gates that are products of queries and keys are heads."""
    heads = {block.target for block in hierarchy.graph.blocks if block.kind == "product"}
    layers = enumerate(hierarchy.graph.layers)
    return [HEADS if layer.kind == "gate" and i in heads else KINDS.get(layer.kind, one_line(layer.kind)) for i, layer in layers]


def _by_level(hierarchy: Hierarchy, layout: Layout, texts: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in layout.rows]
    for text, level in zip(texts, layout.level, strict=True):
        found[level].append(text)
    return found


def _wrapped(text: str) -> list[str]:
    """Up to two lines, broken after dots, commas, spaces and underscores; without the middle where that is too short."""
    pieces = [cut(piece, WIDTH - 1) for piece in re.findall(r"[^., _]*[., _]*", text)]
    first = _fitting(pieces, WIDTH)
    rest = pieces[first:]
    last = len(rest) if len("".join(rest).rstrip()) <= WIDTH else _fitting(rest[::-1], WIDTH - 1)
    second = "".join(rest[len(rest) - last :])
    lines = "".join(pieces[:first]), second if last == len(rest) else f"…{second}"
    return [line.rstrip() for line in lines if line]


def _fitting(pieces: Sequence[str], width: int) -> int:
    """How many pieces fit on a line, whose end may be spaces."""
    return sum(len("".join(pieces[:count]).rstrip()) <= width for count in range(1, len(pieces) + 1))
