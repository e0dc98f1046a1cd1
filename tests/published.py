"""The published networks: where they are, five of them, and how a hierarchy is held against the published partitions."""

from __future__ import annotations

import gzip
import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from layered import same

from analysis.graph import LayeredGraph
from analysis.hierarchy import Hierarchy

SHARED = Path(os.environ.get("SCULPTING_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
PUBLISHED = SHARED / "published_networks" / "networks.json.gz"


def arrows(text: str) -> list[list[int]]:
    """Edges written as ``source>target``."""
    return [[int(end) for end in edge.split(">")] for edge in text.split()]


# Five of the published networks. `layer_clusters` and `modules`: surviving units only, in layer order.
NETWORKS = {
    "three ANDs and three ORs": {
        "widths": [6, 24, 3],
        "edges": [
            arrows("2>9 3>9 4>13 5>13 0>19 1>19"),
            arrows("9>0 19>0 13>1 19>1 9>2 13>2"),
        ],
        "layer_clusters": [2, 2, 1, 1, 0, 0, 2, 1, 0, 0, 1, 2],
        "modules": [2, 2, 1, 1, 0, 0, 1, 0, 2, 3, 4, 5],
    },
    "overlap of one input, 8 modules": {
        "widths": [5, 24, 24, 24, 4],
        "edges": [
            arrows("1>5 2>5 3>5 0>7 1>7 3>7 0>15 2>15 4>17"),
            arrows("5>3 7>10 15>10 5>21 17>21"),
            arrows("3>4 21>4 3>17 10>17"),
            arrows("17>0 4>1 17>2 4>3"),
        ],
        "layer_clusters": [2, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3],
        "modules": [2, 0, 0, 0, 1, 3, 4, 4, 3, 5, 5, 5, 6, 7, 7, 6, 7, 6],
    },
    "overlap of two inputs, 5 modules": {
        "widths": [6, 24, 2],
        "edges": [
            arrows("2>0 3>0 4>0 0>9 1>9 2>9 3>9 2>17 3>17 4>17 5>17 0>21 1>21 2>21 3>21"),
            arrows("9>0 21>0 0>1 17>1"),
        ],
        "layer_clusters": [2, 2, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1],
        "modules": [2, 2, 1, 1, 0, 0, 3, 4, 3, 4, 4, 3],
    },
    "overlap of one input, uneven": {
        "widths": [7, 24, 24, 2],
        "edges": [
            arrows("3>10 4>10 5>10 3>12 4>12 5>12 6>12 0>20 1>20 2>20 3>20"),
            arrows("20>0 10>6 12>6 20>19"),
            arrows("0>0 19>0 6>1"),
        ],
        "layer_clusters": [1, 1, 1, 2, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1],
        "modules": [1, 1, 1, 2, 0, 0, 0, 3, 3, 4, 4, 3, 4, 4, 3],
    },
    "hierarchy of depth three": {
        "widths": [8, 48, 48, 2],
        "edges": [
            arrows("4>5 5>5 6>5 7>5 0>19 1>19 2>19 3>19 4>39 5>39 6>39 0>40 1>40 2>40 3>40"),
            arrows("5>21 39>21 19>34 40>34"),
            arrows("21>0 34>0 21>1 34>1"),
        ],
        "layer_clusters": [1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1],
        "modules": [1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 2, 2, 2, 2],
    },
}


def read(network: dict) -> LayeredGraph:
    weights = []
    for edges, shape in zip(network["edges"], pairwise(network["widths"]), strict=True):
        weight = np.zeros(shape)
        for source, target in edges:
            weight[source, target] = 1
        weights.append(weight)
    return LayeredGraph.from_weights(tuple(weights), orientation="in_out")


def differences(hierarchy: Hierarchy, network: dict) -> list[str]:
    """In what the partitions of a hierarchy differ from the published ones."""
    modules, clusters = ([layer[layer >= 0].tolist() for layer in labels] for labels in (hierarchy.labels, hierarchy.clusters))
    flat = np.concatenate(hierarchy.labels)
    found = ["removed units"] if np.flatnonzero(flat < 0).tolist() != network.get("removed", np.flatnonzero(flat < 0).tolist()) else []
    if sum(map(len, clusters)) != len(network["modules"]):
        return ["number of surviving units"]
    ends = np.cumsum([len(layer) for layer in clusters])[:-1]
    published = np.split(np.array(network["layer_clusters"]), ends)
    found += [f"clusters of layer {i}" for i, (a, b) in enumerate(zip(clusters, published, strict=True)) if not same(a, b.tolist())]
    if not same([label for layer in modules for label in layer], network["modules"]):
        found.append("modules")
    return found


def published_networks() -> list[dict]:
    if not PUBLISHED.exists():
        pytest.skip(f"the published networks are not at {PUBLISHED}; set SCULPTING_SHARED_DATA")
    return json.loads(gzip.decompress(PUBLISHED.read_bytes()))
