"""The forward of a module as a graph of operators, by ``torch.export``; the module is not changed."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node
from torch.utils._pytree import tree_leaves, tree_map

from .copying import FAILURES, check_readable, copy_of, said
from .one_thread import exporting, unwarned

__all__ = ["answer_of", "arguments_of", "exported", "first_tensor", "line_of", "operator_of", "same_answer"]

TORCH = str(Path(torch.__file__).parent)
CLOSE = 1e-4  # of the largest answer: by how much that of a module that was changed may differ
# Operators that are replaced by simpler ones.
COMPOSED = {
    "aten::einsum", "aten::glu", "aten::lstm.input", "aten::gru.input", "aten::rnn_tanh.input", "aten::rnn_relu.input", "aten::lstm_cell",
    "aten::gru_cell", "aten::rnn_tanh_cell", "aten::rnn_relu_cell",
}  # fmt: skip


def arguments_of(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of an example: a tensor, a tuple of arguments, or a mapping of their names."""
    if isinstance(example, Mapping):
        return (), dict(example)
    return (tuple(example) if isinstance(example, (tuple, list)) else (example,)), {}


def exported(model: nn.Module, example: Any) -> tuple[ExportedProgram, nn.Module]:
    """The operators of a module's forward in eval mode, without any in place, and the copy that they were read from.

    Raises
    ------
    ValueError
        When the module cannot be copied or exported, its answer is not finite, or its batch dimension is fixed. The text names the line
        of the user's code and says what to do.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module; got {type(model).__name__}")
    check_readable(model)
    args, kwargs = arguments_of(example)
    _check_example(args, kwargs)
    copied = copy_of(model)
    with torch.no_grad():
        with unwarned():
            _check_forward(copied, args, kwargs)
        try:
            with exporting(), _stopped_at_values(copied):
                program = torch.export.export(copied, args, kwargs, strict=False)
                table = {op: rule for op, rule in torch.export.default_decompositions().items() if op.name() in COMPOSED}
                program = program.run_decompositions(table)
        except FAILURES as error:  # the exporter has errors of many kinds
            raise ValueError(
                f"the forward of {type(model).__name__} cannot be exported{_place(error)}: {said(error)}. A branch or a shape must "
                "not depend on the values of the input: use torch.where, or pass the part that does not"
            ) from error
    return program, copied


class _ValuesError(Exception):
    """The forward needs the values of its input."""


@contextmanager
def _stopped_at_values(model: nn.Module) -> Iterator[None]:
    """A forward that needs values raises an error of its own: for that of torch the exporter prints what it has of the graph."""
    forward: Callable[..., Any] = model.forward

    @wraps(forward)
    def stopped(*args: Any, **kwargs: Any) -> Any:
        try:
            return forward(*args, **kwargs)
        except RuntimeError as error:
            if "data-dependent" in str(error):
                raise _ValuesError(str(error)).with_traceback(error.__traceback__) from None
            raise

    model.forward = stopped
    try:
        yield
    finally:
        del model.forward


def _check_example(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    if not tensors:
        raise TypeError(
            f"example must hold at least one tensor, as the forward takes it; got {[type(a).__name__ for a in args] or 'nothing'}"
        )
    for tensor in tensors:
        if tensor.ndim == 0 or not tensor.numel():
            raise ValueError(f"example must have at least one row of data in every tensor; got shape {tuple(tensor.shape)}")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"example must be finite; got {int((~tensor.isfinite()).sum())} NaN or infinite values")


def _check_forward(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Run the example, and each of its rows twice."""
    name = type(model).__name__
    try:
        once = first_tensor(model(*args, **kwargs))
    except FAILURES as error:  # the user's code may raise anything
        raise ValueError(
            f"the forward of {name} fails on the example{_place(error)}: {said(error)}. Give it as the model takes it"
        ) from error
    if once is None:
        raise ValueError(f"the forward of {name} must return a tensor, or have one in what it returns; got none")
    if not bool(once.isfinite().all()):
        raise ValueError(f"the answer of {name} to the example must be finite; got {int((~once.isfinite()).sum())} NaN or infinite values")
    doubled = tree_map(lambda leaf: torch.cat([leaf, leaf]) if isinstance(leaf, Tensor) else leaf, (args, dict(kwargs)))
    advice = "Let it take any number of rows along dimension 0, as x.shape[0] says"
    try:
        twice = first_tensor(model(*doubled[0], **doubled[1]))
    except FAILURES as error:  # the user's code may raise anything
        raise ValueError(
            f"the batch dimension of {name} must not be fixed; twice the rows fail{_place(error)}: {said(error)}. {advice}"
        ) from error
    if twice is None or twice.shape != (2 * once.shape[0], *once.shape[1:]):
        got = None if twice is None else tuple(twice.shape)
        raise ValueError(f"the answer of {name} must have a row for each row of the example; got shape {got} for twice the rows. {advice}")


def first_tensor(value: Any) -> Tensor | None:
    """The logits of an answer, or its first tensor."""
    logits = getattr(value, "logits", value)
    return next((leaf for leaf in tree_leaves(logits) if isinstance(leaf, Tensor)), None)


def answer_of(model: nn.Module, example: Any) -> Tensor:
    """The first tensor of a module's answer to an example, which must have one."""
    args, kwargs = arguments_of(example)
    with torch.no_grad():
        found = first_tensor(model(*args, **kwargs))
    assert found is not None
    return found


def same_answer(found: Tensor, wanted: Tensor) -> bool:
    """Whether two answers are the same but for what the order of sums may change."""
    return found.shape == wanted.shape and bool(((found - wanted).abs() <= CLOSE * wanted.abs().amax().clamp(min=1e-6)).all())


def operator_of(node: Node) -> str:
    """The name of the operator that a node calls, without its overload."""
    return str(getattr(node.target, "_opname", None) or getattr(node.target, "__name__", node.target))


def line_of(node: Node) -> str:
    """Where an operator stands in the user's code, as text to follow a sentence; empty where it is not known."""
    lines = (node.meta.get("stack_trace") or "").splitlines()
    places = [i for i, line in enumerate(lines) if line.lstrip().startswith("File ") and TORCH not in line]
    if not places:
        return ""
    code = lines[places[-1] + 1].strip() if places[-1] + 1 < len(lines) else ""
    return f", at {lines[places[-1]].strip().removeprefix('File ')}" + f": {code}" * bool(code)


def _place(error: BaseException) -> str:
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith((TORCH, str(Path(__file__).parent)))
    ]
    user = [frame for frame in frames if frame.name == "forward"] or frames
    return f' at "{user[-1].filename}", line {user[-1].lineno}: {user[-1].line}' if user else ""
