"""Saved networks of every kind that the command line reads: one entry a suffix.

n_out, n_in = units after and before a weight layer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from analysis import LayeredGraph
from analysis.graph import read_graph_file

from ..models.network import SparseNetwork
from ..models.sparse_module import FORMAT as MODULE
from ..tasks.own_files import FILES
from .onnx_chain import read_onnx

__all__ = ["read_network"]

NO_ACTIVATIONS = "the file has no activations; relu is assumed for hidden units, which matters only where outputs are computed"
Arrays = Mapping[str, NDArray[Any]]


def read_network(path: Path) -> tuple[Any, str]:
    """A network that ``analysis`` takes, and a note on what the file does not say, ``""`` for none.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is not a network of the kind that its suffix says.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no network file {path}")
    suffix = path.suffix.lower()
    if suffix in FILES and suffix not in NETWORKS:
        raise ValueError(f"{path} must be a network, such as network.safetensors; got a table. `sculpting sculpt` takes those")
    read = NETWORKS.get(suffix, _safetensors)
    try:
        found = read(path)
        network = LayeredGraph.from_networkx(found) if isinstance(found, nx.Graph) else found
    except ImportError:
        raise
    except Exception as error:  # each format has errors of its own
        text = str(error) if str(path) in str(error) else f"{path} is not a network: {error}"
        raise ValueError(text) from error
    known = isinstance(found, SparseNetwork) or suffix == ".onnx" or "activations" in getattr(found, "graph", {})
    return network, "" if known else NO_ACTIVATIONS


def _safetensors(path: Path) -> SparseNetwork | LayeredGraph:
    """What ``SparseNetwork.save`` wrote, or a ``state_dict``, whose names are sorted as the numbers in them."""
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("format") == MODULE:
                raise ValueError(
                    f"{path} is a SparseModule, which needs the code of its model. In Python: "
                    "analysis.detect_modules(SparseModule.load(path, model=...))"
                )
            names = sorted(file.keys(), key=_natural)
            tensors = {} if (file.metadata() or {}).get("format", "pt") != "pt" else {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError):
        tensors = {}
    places = sorted({name.rpartition(".")[0] for name in tensors})
    if len(places) > 1 and not all(re.search(r"\d", place) for place in places):
        raise ValueError(f"{path} must number its layers, since such files keep no order; got {places}. Save it as .pt")
    return _chain(tensors) if tensors else SparseNetwork.load(path)


def _state_dict(path: Path) -> LayeredGraph:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the restricted reader has errors of its own
        raise ValueError(f"{path} must hold tensors only. Save model.state_dict(); got a file that torch cannot read as such") from error
    while isinstance(found, Mapping) and (inner := next((found[key] for key in ("state_dict", "model_state_dict") if key in found), None)):
        found = inner
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ValueError(f"{path} must hold tensors by name. Save model.state_dict(); got {type(found).__name__}")
    return _chain({str(name): value.float().numpy() for name, value in found.items()})


def _chain(tensors: Arrays) -> LayeredGraph:
    """A chain of Linear layers from its parameters by name, first layer first."""
    parameters = _pruned(tensors)
    places = list(dict.fromkeys(name.removesuffix("weight").removesuffix("bias") for name in parameters))
    weights = [parameters.get(f"{place}weight") for place in places]
    wrong = [place for place, weight in zip(places, weights, strict=True) if weight is None or weight.ndim != 2]
    if wrong or not weights:
        got = repr(wrong[0].removesuffix(".")) if wrong else "nothing"
        raise ValueError(f"a state_dict must be of a chain of Linear layers, with weights and biases only; got {got}")
    biases = [parameters.get(f"{place}bias", np.zeros(len(weight))) for place, weight in zip(places, weights, strict=True)]  # type: ignore[arg-type]
    return LayeredGraph.from_weights(weights, biases=tuple(biases))  # type: ignore[arg-type]


def _pruned(tensors: Arrays) -> dict[str, NDArray[Any]]:
    """Parameters with the masks of ``torch.nn.utils.prune`` applied."""
    parameters = {}
    for name, value in tensors.items():
        plain = name.removesuffix("_orig")
        if not name.endswith("_mask"):
            parameters[plain] = value * tensors.get(f"{plain}_mask", 1) if plain != name else value
    return parameters


def _matrices(path: Path) -> LayeredGraph:
    """Matrices of shape (n_out, n_in), in the order of the numbers in their names; vectors are biases."""
    with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:  # np.load leaves a broken file open
        arrays = {name: file[name] for name in sorted(file.files, key=_natural)}
    if {"x", "y"} <= arrays.keys():
        raise ValueError(f"{path} must hold the matrices of a network; got x and y. `sculpting sculpt` takes those")
    if all(name.endswith(("weight", "bias")) for name in arrays):
        return _chain(arrays)
    weights, biases = ([array for array in arrays.values() if array.ndim == n] for n in (2, 1))
    if not weights or len(weights) + len(biases) != len(arrays):
        shapes = ", ".join(f"{name} of shape {array.shape}" for name, array in arrays.items())
        raise ValueError(f"{path} must hold matrices (n_out, n_in) and, if any, as many biases; got {shapes or 'nothing'}")
    return LayeredGraph.from_weights(weights, biases=tuple(biases))


def _node_link(path: Path) -> nx.DiGraph:
    """The node-link form of networkx, whose edges are ``edges`` or, before version 3.4, ``links``."""
    data = json.loads(path.read_text(encoding="utf-8"))
    links = data.get("edges", data.get("links")) if isinstance(data, dict) else None
    if links is None or "nodes" not in data:
        raise ValueError(f"{path} must hold a graph with nodes and links, as networkx.node_link_data gives it")
    graph = nx.DiGraph(**data.get("graph", {}))
    for node in data["nodes"]:
        graph.add_node(_hashable(node["id"]), **{key: value for key, value in node.items() if key != "id"})
    for link in links:
        facts = {key: value for key, value in link.items() if key not in ("source", "target")}
        graph.add_edge(_hashable(link["source"]), _hashable(link["target"]), **facts)
    return graph


def _hashable(node: Any) -> Any:
    return tuple(node) if isinstance(node, list) else node


def _natural(name: str) -> list[Any]:
    """A key that sorts names by the numbers in them: layer 2 before layer 10."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", name)]


NETWORKS: dict[str, Callable[[Path], SparseNetwork | LayeredGraph | nx.DiGraph]] = {
    ".safetensors": _safetensors,
    ".graphml": read_graph_file,
    ".gexf": read_graph_file,
    ".json": _node_link,
    ".npz": _matrices,
    ".onnx": read_onnx,
    ".pt": _state_dict,
    ".pth": _state_dict,
}
