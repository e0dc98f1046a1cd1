"""A chain of Linear layers in an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis import LayeredGraph

__all__ = ["read_onnx"]

# Operators that are activations of `LayeredGraph`, with the attributes that they must have, if any.
ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "Relu": ("relu", {}),
    "Tanh": ("tanh", {}),
    "Sigmoid": ("sigmoid", {}),
    "Elu": ("elu", {"alpha": 1.0}),
    "LeakyRelu": ("leaky_relu", {"alpha": 0.01}),
    "Softplus": ("softplus", {}),
    "Softsign": ("softsign", {}),
    "Mish": ("mish", {}),
    "HardSwish": ("hardswish", {}),
}
HEADS = ("Softmax", "LogSoftmax")  # change no decision
SKIPPED = ("Identity", "Flatten", "Reshape", "Dropout", "Cast")


def read_onnx(path: Path) -> LayeredGraph:
    """The layers of the model in an ONNX file, which must be a chain of matrix products, biases and activations.

    Raises
    ------
    ImportError
        When the package onnx is not installed.
    ValueError
        When the file has another operator; the text names it.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise ImportError(f"reading {path} needs onnx. Install neural-sculpting[onnx]") from error
    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights: list[NDArray[Any]] = []
    biases: list[NDArray[Any]] = []
    activations: list[str] = []
    last = next((value.name for value in graph.input if value.name not in constants), "")
    for node in graph.node:
        settings = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(settings["value"]) if "value" in settings else np.zeros(0)
            continue
        given = [constants[name] for name in node.input if name in constants]
        if [name for name in node.input if name and name not in constants] != [last]:
            raise ValueError(f"{path} must be a chain; got {node.op_type} ({node.name or node.output[0]}), which reads other values too")
        last = node.output[0]
        layer = node.op_type in ("Gemm", "MatMul") and given and given[0].ndim == 2
        if layer and node.input[0] not in constants and not settings.get("transA", 0):
            transposed = bool(settings.get("transB", 0))
            weights.append(settings.get("alpha", 1.0) * (given[0] if transposed else given[0].T))
            biases.append(settings.get("beta", 1.0) * given[1] if len(given) > 1 else np.zeros(len(weights[-1])))
            activations.append("identity")
        elif node.op_type == "Add" and weights and given and given[0].size in (1, len(weights[-1])) and activations[-1] == "identity":
            biases[-1] = biases[-1] + given[0].ravel()
        elif node.op_type in ACTIVATIONS and weights and activations[-1] == "identity":
            name, needed = ACTIVATIONS[node.op_type]
            if any(not np.isclose(settings.get(key, value), value) for key, value in needed.items()):
                raise ValueError(f"{path} must have {node.op_type} with {needed}; got {settings}")
            activations[-1] = name
        elif node.op_type not in (*HEADS, *SKIPPED):
            raise ValueError(
                f"{path} must be a chain of Gemm or MatMul with {', '.join(sorted(ACTIVATIONS))} between them; got the operator "
                f"{node.op_type} ({node.name or node.output[0]})"
            )
    if not weights:
        raise ValueError(f"{path} must be a chain of Gemm or MatMul with constant matrices; got none")
    return LayeredGraph.from_weights(weights, biases=tuple(biases), activations=tuple(activations))
