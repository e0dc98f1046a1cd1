"""A module whose BatchNorms are part of the layers in front of them.

C = channels, or outputs of a Linear layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node

from .copying import copy_of
from .exporting import answer_of, exported, operator_of, same_answer
from .folding import Layer, scaled
from .steps import ScaleShift

__all__ = ["without_norms"]

NORM = "_native_batch_norm_legit_no_training"  # what an exported BatchNorm with running statistics is
LAYERS = ("linear", "conv1d", "conv2d", "conv3d")


@dataclass(frozen=True)
class Fold:
    """A BatchNorm, by its path, and the layer in front of it, by the names of its parameters; ``bias`` need not exist yet."""

    norm: str
    weight: str
    bias: str
    statistics: tuple[str | None, ...]  # weight, bias, running mean and variance
    epsilon: float


def without_norms(module: nn.Module, example: Any) -> nn.Module:
    """A copy in which every BatchNorm that directly follows a convolution or Linear layer is folded into it.

    The layer's weight and bias are multiplied by ``weight / sqrt(running_var + eps)``, and what is left is added to the bias: the answer
    in eval mode is the same to rounding. The norm is an ``nn.Identity`` then. Norms stay where the output of the layer is used elsewhere
    too, where either shares its parameters or runs twice, after transposed convolutions, and where the module cannot be exported.

    Parameters
    ----------
    module : nn.Module
        Never changed; returned as it is where nothing can be folded.
    example : Tensor, tuple of arguments, or mapping of their names
        Some rows, as the forward takes them. It is checked on these that the answer is the same.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    >>> [type(part).__name__ for part in without_norms(model, torch.zeros(2, 1, 4, 4))]
    ['Conv2d', 'Identity', 'ReLU']
    """
    if not any(True for _ in module.buffers()):
        return module  # no running statistics
    try:
        program, _ = exported(module, example)
    except ValueError:
        return module
    copied = copy_of(module)
    tensors = {**dict(copied.named_parameters(remove_duplicate=False)), **dict(copied.named_buffers(remove_duplicate=False))}
    for fold in _folds([*program.graph.nodes], _used_once(program, tensors), copied):
        _apply(fold, copied, tensors)
    return copied if same_answer(answer_of(copied, example), answer_of(module, example)) else module


def _used_once(program: ExportedProgram, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """The names of parameters and buffers that one operator reads once, by their placeholders."""
    users = {node.name: len(node.users) for node in program.graph.nodes}
    places = {spec.arg.name: spec.target for spec in program.graph_signature.input_specs if spec.target in tensors}
    uses = Counter[int]()
    for placeholder, name in places.items():
        uses[id(tensors[name])] += users[placeholder]
    return {placeholder: name for placeholder, name in places.items() if uses[id(tensors[name])] == 1}


def _folds(nodes: list[Node], names: Mapping[str, str], module: nn.Module) -> Iterator[Fold]:
    """The norms that can be folded; ``names`` are those of ``_used_once``."""
    for norm in nodes:
        layer: Any = norm.args[0] if operator_of(norm) == NORM else None
        if layer is None or operator_of(layer) not in LAYERS:
            continue
        statistics, (weight, bias) = ([_name(part, names) for part in parts] for parts in (norm.args[1:5], [*layer.args, None][1:3]))
        path = str(statistics[2]).rpartition(".")[0]
        bias = bias if bias is not None else _empty_bias(module, str(weight))
        along = layer.meta["val"].ndim == layer.args[1].meta["val"].ndim  # channels lie along dimension 1
        if along and "" not in (path, weight, bias, *statistics) and len(layer.users) == 1 and _alone(path, norm, nodes):
            yield Fold(path, str(weight), str(bias), tuple(statistics), cast(float, norm.args[6]))


def _name(argument: Any, names: Mapping[str, str]) -> str | None:
    """The name of a parameter; empty where it is none of these, None where there is none."""
    return None if argument is None else names.get(argument.name, "")


def _empty_bias(module: nn.Module, weight: str) -> str:
    """The name of the bias of a layer that could have one, as ``nn.Conv2d(..., bias=False)``; empty where there is none."""
    path = weight.rpartition(".")[0]
    return f"{path}.bias" if module.get_submodule(path)._parameters.get("bias", module) is None else ""


def _alone(path: str, norm: Node, nodes: list[Node]) -> bool:
    """Whether the module of this path runs the norm and nothing else."""
    inside = {node for node in nodes if any(path == each for each, _ in (node.meta.get("nn_module_stack") or {}).values())}
    return norm in inside and inside <= {norm, *norm.users}


def _apply(fold: Fold, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Fold one norm, in place."""
    weight, bias = tensors[fold.weight], tensors.get(fold.bias)
    scale, shift, mean, variance = (None if name is None else tensors[name].double() for name in fold.statistics)
    assert mean is not None
    assert variance is not None
    found = scaled(Layer(weight, bias), ScaleShift.of_batch_norm(fold.norm, mean, variance, scale, shift, fold.epsilon))
    assert found.bias is not None
    with torch.no_grad():
        weight.copy_(found.weight)
        if bias is None:
            owner = module.get_submodule(fold.bias.rpartition(".")[0])
            owner.bias = nn.Parameter(found.bias.to(weight), weight.requires_grad)
        else:
            bias.copy_(found.bias)
    parent, _, key = fold.norm.rpartition(".")
    setattr(module.get_submodule(parent), key, nn.Identity())
