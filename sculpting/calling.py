"""What a call says that has a model without data, data without a model, or both in the other order."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from torch import nn

from .models.network import SparseNetwork
from .models.sparse_module import SparseModule
from .tasks.task import Task

__all__ = ["model_first"]

P = ParamSpec("P")
R = TypeVar("R")
MODELS = (nn.Module, SparseNetwork, SparseModule)


def model_first(function: Callable[P, R]) -> Callable[P, R]:
    """A function whose first two arguments are a model and data, with one clear error for calls that give something else.

    Raises
    ------
    TypeError
        By the returned function: when one of the two is missing, there are more than it takes by position, or they are swapped.

    Examples
    --------
    >>> learn = model_first(lambda model, data: None)
    >>> learn.__name__ = "learn"
    >>> learn((0, 1))
    Traceback (most recent call last):
        ...
    TypeError: learn must be called as learn(model, data); got tuple alone. Pass the model first
    """
    parameters = inspect.signature(function).parameters.values()
    names = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]

    @functools.wraps(function)
    def call(*given: P.args, **named: P.kwargs) -> R:
        what = _to_do(call.__name__, names, given, named)
        if what is not None:
            there = [*given, *(named[name] for name in names[:2] if name in named)]
            got = " and ".join(type(each).__name__ for each in there) or "neither"
            usage = ", ".join(names[:2])
            alone = " alone" * (len(there) == 1)
            raise TypeError(f"{call.__name__} must be called as {call.__name__}({usage}); got {got}{alone}. {what}")
        return function(*given, **named)

    return call


def _to_do(function: str, names: list[str], given: tuple[Any, ...], named: dict[str, Any]) -> str | None:
    """What to do about a call that does not fit; None where it does."""
    there = {**dict(zip(names, given, strict=False)), **{name: named[name] for name in names[:2] if name in named}}
    if any(name in named for name in names[: len(given)]):
        return None  # Python says that it was given twice
    model, data = (there.get(name) for name in names[:2])
    apart = len(given) > 2 and hasattr(data, "shape") and hasattr(given[2], "shape")  # x and y
    if len(given) > len(names) or apart:
        pair = "" if isinstance(data, Task) else f"the data as a pair, as in {function}(model, (x, y)), and "
        return f"Pass {pair}all else by name"
    if names[0] not in there or names[1] not in there:
        if isinstance(model, Task) or isinstance(data, Task):
            return f"Pass the model that the task proposes, or one of your own: {function}(task.model(), task)"
        if not there:
            return f"Pass a model and its data, as in {function}(model, (x, y))"
        return f"Pass its data too, as in {function}(model, (x, y))" if _is_model(model) else "Pass the model first"
    if _is_model(data) and not _is_model(model):
        return "Swap them"
    if hasattr(model, "shape") and hasattr(data, "shape"):
        return f"Pass the model first and the data as a pair: {function}(model, (x, y))"
    return None


def _is_model(value: object) -> bool:
    several = value if isinstance(value, (list, tuple)) and value else [value]
    return all(isinstance(each, MODELS) for each in several)
