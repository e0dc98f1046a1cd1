"""What a call of PyTorch does to the rows of a chain: one rule an operator, in one table.

S = rows, n = columns. A rule returns the step that a call is, or None where it leaves every row as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .advice import advice_for
from .forms import ALIASES, FORMS, HEADS_OF, form_of
from .steps import Activate, Linear, ScaleShift, Step

__all__ = ["ROWS", "Call", "UnsupportedError", "rule_of", "unsupported"]

ROWS = 7919  # rows that are passed: a prime, which no reshape of columns gives


class UnsupportedError(Exception):
    """A call that cannot be read; its text is that of the error."""


@dataclass(frozen=True, eq=False)
class Call:
    """A call of PyTorch on the rows.

    Attributes
    ----------
    function : str
        Its name, without underscores at its ends.
    what : str
        The call in words, for errors: a module with its place in the model, or a function with its arguments.
    place : int
        The position of the rows among its arguments.
    rest : tuple
        Its other positional arguments.
    named : mapping
        Its named arguments.
    given, result : Tensor
        On device meta, as large as the rows before and after.
    """

    function: str
    what: str
    place: int
    rest: tuple[Any, ...]
    named: Mapping[str, Any]
    given: Tensor
    result: Any

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument beside the rows, by its position among the rest or by its name."""
        return self.rest[index] if index < len(self.rest) else self.named.get(name, default)


Rule = Callable[[Call], Step | None]


def unsupported(call: Call) -> UnsupportedError:
    """The error for a call that has no rule, or one that its rule does not take."""
    return UnsupportedError(f"the model has a layer that is not supported: {call.what}. {advice_for(call.function)}")


def rule_of(function: str) -> Rule:
    """The rule of a function; of one that has none, the rule that refuses it."""
    return _RULES.get(function, _refused)


def _refused(call: Call) -> Step | None:
    raise unsupported(call)


def _same(call: Call) -> None:
    if any(isinstance(kind, torch.dtype) and not kind.is_floating_point for kind in (*call.rest, *call.named.values())):
        raise unsupported(call)


def _dropped(call: Call) -> None:
    if call.argument(1, "training", call.named.get("train", False)) and call.argument(0, "p", 0.5) != 0:
        raise UnsupportedError(
            f"the model must compute the same at every call; got random numbers of {call.what} in eval mode. Pass training=self.training, "
            "or use nn.Dropout"
        )


def _reshaped(call: Call) -> None:
    """A change of shape keeps the order of all numbers, so that rows stay rows where there are as many as before."""
    if not isinstance(call.result, Tensor) or call.result.shape[:1] != (ROWS,) or call.result.numel() != call.given.numel():
        raise UnsupportedError(f"the model must leave rows as they are; got {call.what}. Flatten from dimension 1 on")


def _indexed(call: Call) -> None:
    index = call.argument(0, "indices")
    parts = index if isinstance(index, tuple) else (index,)
    basic = all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts)
    if not basic or not isinstance(call.result, Tensor) or call.result.numel() != call.given.numel():
        raise unsupported(call)
    _reshaped(call)


def _linear(call: Call) -> Linear:
    return _product(call, call.argument(0, "weight"), call.argument(1, "bias"))


def _matmul(call: Call) -> Linear:
    return _product(call, _transposed(call, call.argument(0, "other", call.named.get("mat2"))), None)


def _addmm(call: Call) -> Linear:
    if call.place != 1 or call.named.get("alpha", 1) != 1 or call.named.get("beta", 1) != 1:
        raise unsupported(call)
    return _product(call, _transposed(call, call.argument(1, "mat2")), call.argument(0, "input"))


def _transposed(call: Call, matrix: Any) -> Tensor:
    if (call.function != "addmm" and call.place != 0) or not isinstance(matrix, Tensor) or matrix.ndim not in (1, 2):
        raise unsupported(call)
    return matrix.unsqueeze(0) if matrix.ndim == 1 else matrix.t()


def _product(call: Call, weight: Any, bias: Any) -> Linear:
    if not isinstance(weight, Tensor) or weight.ndim != 2 or weight.is_complex() or not (bias is None or isinstance(bias, Tensor)):
        raise unsupported(call)
    found, expected = tuple(call.given.shape[1:]), weight.shape[1]
    if found[-1:] != (expected,) or call.given.numel() != ROWS * expected:
        width = f"{found[0] if found else 1} outputs" if len(found) < 2 else f"outputs of shape {found}"
        raise UnsupportedError(f"Linear layers must chain; got {width} before {expected} inputs at {call.what}")
    bias = None if bias is None else bias.detach().cpu().expand(len(weight))
    return Linear(call.what, weight.detach().cpu(), bias)


def _batch_norm(call: Call) -> ScaleShift:
    names = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    known = {"eps": 1e-5} | dict(zip(names, call.rest, strict=False)) | dict(call.named)
    if known.get("training") or known.get("running_mean") is None or call.given.ndim != 2:
        raise unsupported(call)
    columns = [None if known.get(name) is None else _columns(call, known[name]) for name in names[:4]]
    mean, variance, weight, bias = columns
    assert mean is not None
    assert variance is not None
    return ScaleShift.of_batch_norm(call.what, mean, variance, weight, bias, known["eps"])


def _sum(call: Call) -> ScaleShift:
    other, factor = _columns(call, call.argument(0, "other")), call.argument(1, "alpha", 1)
    if call.place != 0 and factor != 1:
        raise unsupported(call)
    return ScaleShift(call.what, _number(1.0), other * factor)


def _difference(call: Call) -> ScaleShift:
    other, factor = _columns(call, call.argument(0, "other")), call.argument(1, "alpha", 1)
    reverse = call.function == "rsub" or call.place == 1
    if reverse and factor != 1:
        raise unsupported(call)
    return ScaleShift(call.what, _number(-1.0), other) if reverse else ScaleShift(call.what, _number(1.0), -other * factor)


def _scaled(call: Call) -> ScaleShift:
    return ScaleShift(call.what, _columns(call, call.argument(0, "other")), None)


def _divided(call: Call) -> ScaleShift:
    if call.place != 0 or call.named.get("rounding_mode") is not None:
        raise unsupported(call)
    return ScaleShift(call.what, 1 / _columns(call, call.argument(0, "other")), None)


def _negated(call: Call) -> ScaleShift:
    return ScaleShift(call.what, _number(-1.0), None)


def _number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def _columns(call: Call, constant: Any) -> Tensor:
    """A constant as one number, or as one for each column ``(n,)``, in float64."""
    if not isinstance(call.result, Tensor) or call.result.shape != call.given.shape:
        raise UnsupportedError(f"a constant must be a number, or have one for each column of the rows; got {call.what}")
    given = torch.as_tensor(constant).detach().cpu()
    if given.is_complex():
        raise unsupported(call)
    found = given.double()
    if found.numel() == 1:
        return found.reshape(())
    try:
        return found.expand(1, *call.given.shape[1:]).flatten()
    except RuntimeError:  # it differs between rows
        raise unsupported(call) from None


def _activated(call: Call) -> Activate | None:
    name = form_of(call.function, call.rest, call.named)
    if name is None or call.place != 0 or (name in HEADS_OF and call.given.ndim != 2):
        raise unsupported(call)
    return Activate(call.what, name)


_SAME = (
    "data", "contiguous", "clone", "detach", "float", "double", "half", "bfloat16", "to", "type", "type_as", "cpu", "cuda", "requires_grad",
    "positive",
)  # fmt: skip
_DROPOUTS = ("dropout", "dropout1d", "alpha_dropout", "feature_alpha_dropout")  # those of nn are off in eval mode
_RESHAPES = ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "ravel", "view_as", "reshape_as", "atleast_2d")
_RULES: dict[str, Rule] = {
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_DROPOUTS, _dropped),
    **dict.fromkeys(_RESHAPES, _reshaped),
    **dict.fromkeys(("getitem", "select"), _indexed),
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "mv"), _matmul),
    "addmm": _addmm,
    "batch_norm": _batch_norm,
    **dict.fromkeys(("add", "radd", "iadd"), _sum),
    **dict.fromkeys(("sub", "rsub", "isub", "subtract"), _difference),
    **dict.fromkeys(("mul", "rmul", "imul", "multiply"), _scaled),
    **dict.fromkeys(("div", "truediv", "itruediv", "idiv", "true_divide", "divide"), _divided),
    **dict.fromkeys(("neg", "negative"), _negated),
    **dict.fromkeys((*FORMS, *HEADS_OF, *ALIASES), _activated),
}
