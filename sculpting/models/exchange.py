"""Sparse networks as masks of ``torch.nn.utils.prune``, and as ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from ..files import written_whole
from .chain import read_model
from .network import SparseNetwork
from .one_thread import exporting
from .sparse_module import SparseModule

__all__ = ["from_torch_prune", "to_onnx", "to_torch_prune"]


def from_torch_prune(model: nn.Module) -> SparseNetwork:
    """The sparse network of a chain of Linear layers, such as one with masks of ``torch.nn.utils.prune``.

    Weights are as the forward uses them, so that masks count whether they were made permanent or not. ``analysis`` takes the network, and
    ``sculpt(model, data, initial="model")`` goes on from the model itself.

    Raises
    ------
    TypeError, ValueError
        When the model cannot be read: see :func:`read_model`.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> _ = prune.l1_unstructured(model[0], "weight", amount=24)
    >>> from_torch_prune(model).edge_count
    24
    """
    chain = read_model(model)
    values = chain.values.detach().cpu().unsqueeze(0)
    weights, biases = (tuple(part[0].numpy() for part in of(values)) for of in (chain.shape.weights, chain.shape.biases))
    return SparseNetwork(weights, biases, chain.shape.activations, chain.head)


def to_torch_prune(network: SparseNetwork | SparseModule) -> nn.Module:
    """A module with a mask of ``torch.nn.utils.prune`` over each pruned parameter, so that further training leaves zeros at zero.

    ``prune.remove(module, name)`` makes a mask permanent.

    Raises
    ------
    ValueError
        When a :class:`SparseModule` was loaded without its architecture.

    Examples
    --------
    >>> import numpy as np
    >>> parts = (np.array([[1.0, 0.0]]), np.array([[2.0]])), (np.zeros(1), np.zeros(1)), ("relu", "identity")
    >>> model = to_torch_prune(SparseNetwork(*parts))
    >>> model[0].weight_mask
    tensor([[1., 0.]])
    """
    model = network.model()
    if isinstance(network, SparseNetwork):
        linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
        for layer, kept in zip(linear, network.masks, strict=True):
            prune.custom_from_mask(layer, "weight", torch.from_numpy(kept))
        return model
    for name, mask in network.masks.items():
        if not bool(mask.all()):
            place, _, own = name.rpartition(".")
            prune.custom_from_mask(model.get_submodule(place), own, mask)
    return model


def to_onnx(network: SparseNetwork | SparseModule, path: str | Path, x: Any = None) -> Path:
    """Write what is left of a network as an ONNX file, with any number of rows; returns the path.

    Parameters
    ----------
    network : SparseNetwork or SparseModule
        It is compacted first: dead units are left out.
    path : str or Path
        Ends in ``.onnx``. An existing file is replaced once the new one is complete.
    x : array or tuple of arrays, optional
        A few rows as for ``predict``; a :class:`SparseModule` needs them.

    Raises
    ------
    ImportError
        When onnx or onnxscript is not installed.
    ValueError
        When the path has another ending, or ``x`` is missing.

    Notes
    -----
    Of :func:`torch.onnx.export`. The outputs are those of the model: logits, or what a head makes of them.
    """
    if Path(path).suffix != ".onnx":
        raise ValueError(f"path must end in .onnx; got {str(path)!r}")
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError('writing ONNX needs onnx and onnxscript. Install them: pip install "neural-sculpting[onnx]"') from error
    model: nn.Module
    inputs: tuple[Tensor, ...]
    if isinstance(network, SparseNetwork):
        model, inputs = network.compact().model(), (torch.zeros(2, network.widths[0], dtype=torch.float32),)
    elif x is None:
        raise ValueError("x must be a few rows as for predict, since a module is exported by running it; got none")
    else:
        model, inputs = network.compact(x).module, network._inputs(x)
    names = [f"x{i}" for i in range(len(inputs))] if len(inputs) > 1 else ["x"]
    rows = tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)
    with written_whole(path) as part, exporting():
        program = torch.onnx.export(
            model.eval(), inputs, dynamo=True, input_names=names, output_names=["y"], dynamic_shapes=rows, verbose=False
        )  # fmt: skip
        assert program is not None
        program.save(part)
    return Path(path)
