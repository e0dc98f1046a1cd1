"""A copy of the user's model, on which its code may run without changing the model."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

__all__ = ["FAILURES", "check_readable", "copy_of", "parts_of", "said"]

T = TypeVar("T")

# Hooks that only compute a weight from other tensors.
WEIGHT_HOOKS = (BasePruningMethod, SpectralNorm, WeightNorm)
FAILURES = (Exception, SystemExit, GeneratorExit)  # what the user's code may raise, but Ctrl-C
DEEPEST = 64  # modules in one another; Python calls five functions for each, and a thousand at most
MOST = 5_000  # modules, which take about a minute to read


def check_readable(model: nn.Module) -> None:
    """Refuse a model whose forward cannot run on a copy, or need not be what its layers say.

    Raises
    ------
    ValueError
        The text names the module or parameter, and says what to do.
    """
    _check_structure(model)
    tensors = [*model.named_parameters(), *model.named_buffers()]
    empty = [name for name, part in tensors if torch.nn.parameter.is_lazy(part) or part.is_meta]
    if empty:
        raise ValueError(
            f"the model has uninitialized parameters: {empty[0]!r}. Call a model with lazy layers once; build a model on device 'meta' on "
            "another device"
        )
    strange = next(((name, part.dtype) for name, part in model.named_parameters() if part.is_complex()), None)
    if strange is not None:
        raise ValueError(f"the model's parameters must be real numbers; got {strange[0]!r} of {strange[1]}. Use real and imaginary parts")
    for name, module in model.named_modules():
        what = repr(name) if name else "its top"
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(f"the model must be Python code; got a part compiled by torch.jit at {what}. Pass the module it was made from")
        hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        if not all(isinstance(hook, WEIGHT_HOOKS) for hook in hooks):
            raise ValueError(
                f"the model must have no forward hooks, which may change the output of its layers; got some at {what}. "
                "Call remove() of their handles"
            )


def said(error: BaseException) -> str:
    """What an exception of the user's code says, in one line; its name where it says nothing."""
    try:
        lines = str(error).splitlines()
    except FAILURES:  # the text is the user's code too
        lines = []
    return next((line.strip().rstrip(".") for line in lines if line.strip()), type(error).__name__)


def _check_structure(model: nn.Module) -> None:
    """Refuse modules that contain themselves, are too deep or too many for Python's own calls, or cannot be told apart."""
    waiting: list[tuple[nn.Module, tuple[int, ...]]] = [(model, ())]
    known: set[int] = set()
    while waiting:
        module, above = waiting.pop()
        if id(module) in above:
            raise ValueError(f"a module must not contain itself; got a {type(module).__name__} that does. Build it without")
        if len(above) >= DEEPEST:
            raise ValueError(f"modules must lie in one another at most {DEEPEST} deep; got more. Put their layers side by side")
        if id(module) in known:
            continue
        known.add(id(module))
        if len(known) > MOST:
            raise ValueError(f"the model must have at most {MOST} modules; got more. Pass a smaller one")
        try:
            hash(module)
        except FAILURES as error:
            raise ValueError(
                f"modules must have a hash; that of a {type(module).__name__} raised {said(error)}. Leave __hash__ out"
            ) from error
        parts = vars(module).get("_modules", {})
        waiting += [(part, (*above, id(module))) for part in parts.values() if isinstance(part, nn.Module)]


def copy_of(model: nn.Module) -> nn.Module:
    """A copy in eval mode that shares no tensor with the model, without the wrappers of ``torch.compile`` and data parallelism.

    What cannot be copied, such as a lock or an open file, is shared.

    Raises
    ------
    ValueError
        When the model itself cannot be copied.
    """
    memo: dict[int, Any] = {}
    for module in reversed([*model.modules()]):  # parts come before what they are part of
        inner = _wrapped(module)
        if inner is not None:
            memo[id(module)] = copy.deepcopy(inner, memo)
            continue
        for value in vars(module).values():
            _remember(value, memo)
    try:
        copied = copy.deepcopy(model, memo)
    except FAILURES as error:  # attributes and copies are the user's code too
        raise ValueError(
            f"the model must be one that copy.deepcopy copies; for a {type(model).__name__} it raised {said(error)}. Look at its "
            "__deepcopy__ and __getattr__"
        ) from error
    if not isinstance(copied, nn.Module):
        raise ValueError(
            f"copy.deepcopy must give a module; got a {type(copied).__name__}. Look at the model's __deepcopy__ and __getattr__"
        )
    for module in copied.modules():
        module._compiled_call_impl = None  # of Module.compile()
    return copied.eval()


def _wrapped(module: nn.Module) -> nn.Module | None:
    """The module in a wrapper that does not change what it computes."""
    if isinstance(module, (DataParallel, DistributedDataParallel)):
        return module.module
    inner = vars(module).get("_modules", {}).get("_orig_mod")  # of torch.compile
    return inner if isinstance(inner, nn.Module) else None


def _remember(value: Any, memo: dict[int, Any]) -> None:
    """Put a copy of an attribute into the memo of ``copy.deepcopy``, or the attribute itself where it cannot be copied."""
    for tensor in parts_of(value, Tensor):
        if tensor.grad_fn is not None:  # such tensors refuse to be copied
            memo[id(tensor)] = tensor.detach().clone()
    try:
        copy.deepcopy(value, memo)
    except FAILURES:  # the user's objects may raise anything
        memo[id(value)] = value


def parts_of(value: Any, kind: type[T]) -> Iterator[T]:
    """The parts of a kind in a value, also inside dicts, lists and tuples."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from parts_of(part, kind)
