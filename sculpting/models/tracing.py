"""The steps of a model's forward, found by running it on a stand-in for its input.

Nothing global is changed: the stand-in is a tensor that records the calls it is passed to, so that threads may read models side by side.

S = rows, n = columns.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..surroundings import load
from .copying import FAILURES, check_readable, copy_of, parts_of, said
from .operations import ROWS, Call, UnsupportedError, rule_of, unsupported
from .steps import Linear, Step

__all__ = ["steps_of"]

# What Python asks of numbers, for which a forward needs the values themselves.
VALUES = {
    "__bool__", "__float__", "__int__", "__index__", "__complex__", "__array__", "__iter__", "__contains__", "__reversed__",
    "item", "tolist", "numpy", "equal", "allclose", "is_nonzero",
}  # fmt: skip
IN_PLACE = {"__setitem__", "__delitem__", "__set__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__idiv__", "__ipow__"}
LIKE = {"view_as", "reshape_as", "type_as", "to"}  # of further rows only the shape or the precision counts
PLAIN = {"inplace": False, "_stacklevel": None, "dtype": None, "training": None, "p": None}  # arguments that errors leave out


@dataclass
class History:
    """What happened to rows so far: their steps, or why they cannot be read. Shared by tensors that share their memory."""

    steps: tuple[Step, ...] = ()
    error: str | None = None


class Rows(Tensor):
    """A stand-in for rows ``(S, n)`` on their way through a forward, which hands every call to its tracer."""

    tracer: Tracer
    history: History
    twin: Tensor

    @staticmethod
    def of(tracer: Tracer, history: History, twin: Tensor) -> Rows:
        """Rows with their history, as large as ``twin``, which is on device meta."""
        rows: Rows = Tensor._make_subclass(Rows, torch.empty(0))
        rows.tracer, rows.history, rows.twin = tracer, history, twin
        return rows

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return next(parts_of((args, kwargs or {}), Rows)).tracer.call(func, args, kwargs or {})


class _NoDraws(TorchDispatchMode):
    """Refuses random draws before they move a generator; for this thread alone."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise UnsupportedError(
                f"the model must compute the same at every call; got random numbers of {func.name()} in eval mode. Draw them where "
                "self.training is true"
            )
        return func(*args, **(kwargs or {}))


@dataclass
class Tracer:
    """Records one forward. ``active`` are the modules that run, outermost first, by their names."""

    device: torch.device
    active: list[tuple[str, nn.Module]] = field(default_factory=list)
    linears: int = 0

    def enter(self, path: str, module: nn.Module, given: Any) -> None:
        """A module begins."""
        self.active.append((path, module))

    def leave(self, module: nn.Module, given: Any, output: Any) -> None:
        """A module has ended."""
        self.active.pop()

    def call(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The result of a call on rows: further rows, or what can be known of them without their values."""
        name = _name(func)
        if name in VALUES:
            raise TypeError(f"it depends on the values of its input, by {name}")
        if name == "device":
            return self.device
        try:
            result = func(*_meta(args), **_meta(kwargs))
        except Exception:  # it does not fit, for which the rules have an error
            result = None
        else:
            if not _holds_tensors(result) and name not in IN_PLACE:
                return result
        values = [*parts_of((args, kwargs), Rows)]
        in_place = name in IN_PLACE or (name.endswith("_") and name[:2] != "__") or bool(kwargs.get("inplace"))
        target = kwargs.get("out") if kwargs.get("out") is not None else args[0] if in_place and args else values[0]
        if not isinstance(target, Rows):
            raise UnsupportedError(f"the model must not write its rows into another tensor; got {name!r}{self._where()}. Use its result")
        history = self._after(name, args, kwargs, values, result)
        if in_place:
            target.history.steps, target.history.error = history.steps, history.error
            target.twin = result if isinstance(result, Tensor) else target.twin
            return target
        if isinstance(result, (list, tuple)):
            return tuple(Rows.of(self, history, part) for part in result)
        return Rows.of(self, history, values[0].twin if result is None else result.float())

    def _after(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], values: list[Rows], result: Any) -> History:
        """The history of the rows after a call whose result on device meta is ``result``, None where it was not possible."""
        for value in values:
            if value.history.error is not None:
                return value.history
        before = values[0]
        place = next((i for i, arg in enumerate(args) if arg is before), 0)
        rest = tuple(arg for arg in args if arg is not before)
        what = self._what(name, rest, kwargs)
        call = Call(name.strip("_"), what, place, rest, kwargs, before.twin, result)
        try:
            if len(values) > 1 and name not in LIKE:
                raise UnsupportedError(
                    f"the model must be a chain; got {call.function!r}, which joins several values{self._where()}. Skip connections and "
                    "products of units cannot be read; x * sigmoid(x) is nn.SiLU()"
                )
            if kwargs.get("out") is not None or not any(arg is before for arg in (*args, kwargs.get("input"))):
                raise unsupported(call)
            step = rule_of(call.function)(call)
        except UnsupportedError as error:
            return History(before.history.steps, str(error))
        if step is None:
            return History(before.history.steps) if name == "clone" else before.history
        self.linears += isinstance(step, Linear)
        return History((*before.history.steps, step))

    def _what(self, name: str, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """A call in words: the module of PyTorch that made it, or the function with its arguments."""
        if self.active:
            path, module = self.active[-1]
            if type(module).__module__.startswith("torch.nn.modules") and not [*module.children()]:
                return f"{path} ({module})" if path else str(module)
        named = [f"{key}={_brief(value)}" for key, value in kwargs.items() if key not in PLAIN]
        return f"{name.strip('_')}({', '.join([*map(_brief, rest), *named])}){self._where()}"

    def _where(self) -> str:
        path = self.active[-1][0] if self.active else ""
        return f" in {path!r}" if path else ""


def steps_of(model: nn.Module) -> tuple[Step, ...]:
    """What a model does to the rows of its input, in order. Its forward runs on a copy in eval mode, and the model is not changed.

    Raises
    ------
    TypeError
        When the forward fails, takes more than one input, or depends on the values of its input.
    ValueError
        When it does something that is not supported; the text names it.
    """
    check_readable(model)
    load("torch._dynamo")
    failures: list[Exception] = []
    for width in _widths(model):
        copied = copy_of(model)
        tracer = Tracer(next((tensor.device for tensor in model.parameters()), torch.device("cpu")))
        try:
            steps = _traced(copied, tracer, width)
        except (TypeError, ValueError) as error:
            if tracer.linears:  # the width was right
                raise
            failures.append(error)
            continue
        _check_again(copied, tracer, width, steps)
        return steps
    raise failures[0]


def _check_again(model: nn.Module, tracer: Tracer, width: int, steps: tuple[Step, ...]) -> None:
    """Refuse a forward of the user's own that does something else when it is called again."""
    if all(type(module).__module__.startswith("torch.") for module in model.modules()):
        return
    try:
        again = _run(model, tracer, width)
    except (TypeError, ValueError):
        again = ()
    if len(again) != len(steps) or not all(map(_same_step, again, steps)):
        raise ValueError(
            f"the model must compute the same at every call; the forward of {type(model).__name__} computed something else when it was "
            "called again. Let it depend on its input and its tensors alone"
        )


def _same_step(one: Step, other: Step) -> bool:
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return type(one) is type(other) and all(
        torch.equal(a.nan_to_num(), b.nan_to_num()) if isinstance(a, Tensor) and isinstance(b, Tensor) else a is None or isinstance(a, str)
        for a, b in pairs
    )


def _widths(model: nn.Module) -> list[int]:
    """How many columns the input may have: what the matrices of the model read, in their order; 1 without any."""
    shapes = [tensor.shape for tensor in (*model.parameters(), *model.buffers()) if tensor.ndim == 2]
    return [*dict.fromkeys([*(columns for _, columns in shapes), *(rows for rows, _ in shapes)])] or [1]


def _traced(model: nn.Module, tracer: Tracer, width: int) -> tuple[Step, ...]:
    _check_inputs(model)
    for path, module in model.named_modules():
        module.register_forward_pre_hook(partial(tracer.enter, path))
        module.register_forward_hook(tracer.leave)
    return _run(model, tracer, width)


def _run(model: nn.Module, tracer: Tracer, width: int) -> tuple[Step, ...]:
    """The steps of one call of a model whose modules tell the tracer when they begin and end."""
    tracer.active.clear()
    given = Rows.of(tracer, History(), torch.empty(ROWS, width, device="meta"))
    try:
        with torch.no_grad(), _NoDraws():
            output = model(given)
    except UnsupportedError as error:
        raise ValueError(str(error)) from None
    except FAILURES as error:  # the user's code may raise anything
        name, where = type(model).__name__, tracer._where()
        raise TypeError(
            f"the forward of {name} cannot be traced on rows of shape (S, {width}){where}: {said(error)}. Pass a Sequential of its layers"
        ) from error
    if not isinstance(output, Rows):
        got = f"a {type(output).__name__}" if not isinstance(output, Tensor) else "a tensor that does not depend on its input"
        raise ValueError(f"the model must return one tensor made from its input; got {got}. Pass a module that returns the logits alone")
    if output.history.error is not None:
        raise ValueError(output.history.error)
    if output.twin.shape[:1] != (ROWS,):
        raise ValueError(
            f"the model must leave rows as they are; got an output of {output.twin.ndim} dimensions. Flatten from dimension 1 on"
        )
    return output.history.steps


def _check_inputs(model: nn.Module) -> None:
    """Refuse a forward that takes more than the rows."""
    try:
        known = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):  # no signature, as of code in C
        return
    needed = [
        part.name
        for part in known
        if part.default is part.empty and part.kind not in (part.VAR_POSITIONAL, part.VAR_KEYWORD)
    ]  # fmt: skip
    if len(needed) > 1:
        raise ValueError(f"the model must take one input; got a second one, {needed[1]!r}. Pass a module that sets it")


def _name(func: Any) -> str:
    """The name of a function; for an attribute that is read, that of the attribute."""
    name = str(getattr(func, "__name__", func))
    return str(func.__self__.__name__) if name == "__get__" else name


def _meta(value: Any) -> Any:
    """Arguments on device meta, where nothing is computed, and of one precision."""
    if isinstance(value, Rows):
        return value.twin
    if isinstance(value, (Tensor, np.ndarray)):
        tensor = torch.as_tensor(value)
        return tensor.to("meta", torch.float32 if tensor.is_floating_point() else tensor.dtype)
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(map(_meta, value))
    return {key: _meta(part) for key, part in value.items()} if isinstance(value, dict) else value


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, (list, tuple)) and any(isinstance(part, Tensor) for part in value))


def _brief(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_brief, value))}]"
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else str(value)
