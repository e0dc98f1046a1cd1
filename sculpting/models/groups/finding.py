"""``units``: the units of any module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node

from ...surroundings import set_aside
from ..exporting import exported, operator_of
from .carrying import constant_carries
from .movement import MOVEMENT
from .rules import OF_UNITS, RULES
from .settling import settled
from .shadow import Shadow
from .trace import Trace, UnsupportedError
from .unit_map import UnitMap

__all__ = ["units"]


@set_aside()
def units(model: nn.Module, example: Any, *, drop_constant: bool = False) -> UnitMap:
    """The units of a module: which elements of its parameters each unit reads and writes, and what must be pruned together.

    Parameters
    ----------
    model : nn.Module
        Read in eval mode from a copy; never changed.
    example : Tensor, tuple of arguments, or mapping of their names
        Some rows of data, as the forward takes them. Real-valued inputs have units along their last axis, along dimension 1 where that
        cannot be, and one for each entry of a row where all of them are read by layers of their own.
    drop_constant : bool
        Whether to leave constant carries out of the ``blocks``; ``example`` must then hold all rows that matter. Where a residual stream
        is added to, the value that it has there may be the same in all rows wherever the answer depends on it, as at the last token of
        sequences that end alike. Such a carry tells nothing, and would join what is apart.

    Returns
    -------
    UnitMap

    Raises
    ------
    TypeError, ValueError
        When the module cannot be exported, when an operator has no rule, and when a unit differs between positions. The text names the
        line of the user's code and says what to do.

    Notes
    -----
    The forward is exported by ``torch.export``. Beside every value runs a tensor with the number of the unit that each entry belongs to.
    Movements of data are run on these numbers. Layers, convolutions and embeddings make new units and read the old ones. Sums, products,
    queries with keys, and parameters that are used twice unite units: what must be pruned together is one unit.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    >>> print(units(model, torch.zeros(2, 1, 4, 4)))
    input       1 input
    0           4 channel
    3           3 output
    8 units, 52 edges
    """
    program, copied = exported(model, example)
    trace, inputs, outputs = _traced(program, _names(copied))
    dropped = constant_carries(program, trace.nodes.links, example) if drop_constant else None
    found = settled(trace, inputs, outputs, dict(copied.named_parameters()), dropped)
    return replace(found, last=_last(program))


def _last(program: ExportedProgram) -> str:
    """The operator that makes the first tensor of the answer, but for movements of data."""
    node = next(iter(program.graph.output_node().args[0]))
    while isinstance(node, Node) and node.op == "call_function":
        name = operator_of(node)
        if name not in MOVEMENT:
            return name
        node = node.args[0]
    return ""


def _traced(program: ExportedProgram, names: Mapping[str, tuple[str, Tensor]]) -> tuple[Trace, list[Tensor], Tensor]:
    """The run over the operators, the nodes of inputs, and those of outputs: of the first tensor that the forward returns."""
    failures: list[tuple[int, UnsupportedError]] = []
    for axes in _choices(program):
        trace = Trace(RULES, OF_UNITS, {name: tensor.shape for name, tensor in names.values()})
        given, inputs = _placeholders(program, names, axes, trace)
        try:
            outputs = trace.run([*program.graph.nodes], given)
        except UnsupportedError as error:
            failures.append((trace.reached, error))
            continue
        if outputs and outputs[0].nodes is None:
            raise UnsupportedError(
                "the answer must be made of units; got one that is a sum over several, or depends on no parameter. End the model in an "
                "nn.Linear, or return what is summed"
            )
        written = [shadow.nodes.unique() for shadow in outputs[:1] if shadow.nodes is not None]
        return trace, inputs, torch.cat([torch.zeros(0, dtype=torch.int64), *written])
    raise max(failures, key=lambda failure: failure[0])[1]


def _names(model: nn.Module) -> dict[str, tuple[str, Tensor]]:
    """For every name of a parameter or buffer the first name of the same tensor, and the tensor."""
    first: dict[int, str] = {}
    every = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    return {name: (first.setdefault(id(tensor), name), tensor) for name, tensor in every}


def _choices(program: ExportedProgram) -> Iterator[str]:
    """Along which axes of real-valued inputs units lie: each entry of a row, the last axis, dimension 1."""
    by_name = {node.name: node for node in program.graph.nodes}
    inputs = [by_name[str(name)].meta["val"] for name in program.graph_signature.user_inputs if str(name) in by_name]
    ranks = {value.ndim for value in inputs if isinstance(value, Tensor) and value.is_floating_point()}
    yield "entries"
    if ranks - {1, 2}:
        yield "last"
        yield "first"


def _placeholders(
    program: ExportedProgram, names: Mapping[str, tuple[str, Tensor]], axes: str, trace: Trace
) -> tuple[dict[str, Any], list[Tensor]]:
    """The shadows of all placeholders, and the nodes of inputs."""
    given: dict[str, Any] = {}
    inputs: list[Tensor] = []
    by_name: dict[str, Node] = {node.name: node for node in program.graph.nodes}
    for spec in program.graph_signature.input_specs:
        placeholder = spec.arg.name
        if spec.kind is InputKind.USER_INPUT:
            value = by_name[placeholder].meta.get("val")
            if not isinstance(value, Tensor):
                given[placeholder] = value
            elif value.is_floating_point() and value.ndim > 1:
                nodes = _input_nodes(placeholder, value.shape, axes, trace)
                inputs.append(nodes.unique())
                given[placeholder] = Shadow(value.shape, nodes)
            else:
                given[placeholder] = Shadow(value.shape)
        elif spec.target in names:
            name, tensor = names[spec.target]
            if tensor.is_floating_point():
                given[placeholder] = Shadow(tensor.shape, elements={name: _elements(tensor.shape)})
            else:
                given[placeholder] = Shadow(tensor.shape, known=tensor.detach())
        else:
            constant = program.constants[spec.target] if spec.target in program.constants else by_name[placeholder].meta["val"]
            given[placeholder] = Shadow(constant.shape, known=constant.detach())
    return given, inputs


def _input_nodes(name: str, shape: torch.Size, axes: str, trace: Trace) -> Tensor:
    kept = [*range(1, len(shape))] if axes == "entries" else [len(shape) - 1 if axes == "last" else 1]
    sizes = [size if axis in kept else 1 for axis, size in enumerate(shape)]
    return trace.nodes.new(name, "input", torch.Size(sizes).numel()).view(sizes).expand(shape)


def _elements(shape: torch.Size) -> Tensor:
    return torch.arange(shape.numel(), dtype=torch.int32).view(shape)
