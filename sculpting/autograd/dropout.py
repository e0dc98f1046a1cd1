"""What a forward calls while members run: dropout from the library's keys, and forms of calls that are fast under ``vmap``.

Dropout masks are drawn before the forward, and replace the draws from torch's generator.

N = members, B = rows of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from math import prod
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..randomness import fold, uniforms

__all__ = ["Dropout", "Mask", "drawn"]

Mask = tuple[tuple[int, ...], float]  # its shape for one member, rows first, and the probability of a zero
RANDOM = {"rand", "randn", "randint", "randperm", "bernoulli", "bernoulli_", "normal", "normal_", "uniform_", "multinomial", "rand_like"}
RANDOM |= {"randn_like", "randint_like", "random_", "exponential_", "alpha_dropout", "feature_alpha_dropout", "rrelu"}
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}


class Dropout(TorchFunctionMode):
    """Within this context dropout takes its masks from a list, in the order of the calls.

    Without ``masks`` nothing is dropped, and ``seen`` collects the masks that were asked for. Other random numbers are refused: they
    would come from torch's generator. Calls that are slow under ``vmap``, or have no rule for it, are replaced by the same computation in
    other calls; the fast path of ``nn.TransformerEncoderLayer`` is not taken.
    """

    def __init__(self, masks: Sequence[Tensor] | None) -> None:
        super().__init__()
        self.masks: Iterator[Tensor] | None = None if masks is None else iter(masks)
        self.seen: list[Mask] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Replace functions that draw."""
        kwargs = kwargs or {}
        found = self._rules.get(func)
        if found is not None:
            return found(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in RANDOM and (name != "rrelu" or kwargs.get("training")):
            raise ValueError(
                f"the model's forward must draw random numbers by dropout only, so that they come from seeds; got torch's {name}. "
                "Use nn.Dropout, or leave it out"
            )
        return func(*args, **kwargs)

    @cached_property
    def _rules(self) -> dict[Any, Callable[..., Any]]:
        whole, features = self._dropout, self._feature_dropout
        rules: dict[Any, Callable[..., Any]] = {F.dropout: whole}
        rules |= {torch.dropout: _as_torch(whole), torch.feature_dropout: _as_torch(features)}
        rules |= dict.fromkeys((F.dropout1d, F.dropout2d, F.dropout3d), features)
        rules |= {F.scaled_dot_product_attention: self._attention, F.multi_head_attention_forward: self._heads, F.linear: _linear}
        return rules

    def _mask(self, x: Tensor, shape: tuple[int, ...], p: float) -> Tensor | None:
        if self.masks is None:
            self.seen.append((shape, p))
            return None
        return next(self.masks)

    def _dropout(self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, each: int | None = None) -> Tensor:
        if not training or p == 0:
            return input
        shape = tuple(input.shape) if each is None else (*input.shape[:each], *(1 for _ in input.shape[each:]))
        mask = self._mask(input, shape, p)
        if mask is None:
            return input
        return input.mul_(mask) if inplace else input * mask

    def _feature_dropout(self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return self._dropout(input, p, training, inplace, each=2)

    def _attention(self, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """``scaled_dot_product_attention``; with dropout, and on a CPU, by its definition in torch's documentation.

        Its kernel for CPUs has no rule for ``vmap``, which would call it for one member after another.
        """
        given = dict(zip(("attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa"), args, strict=False)) | kwargs
        p = given.pop("dropout_p", 0.0)
        if p == 0 and query.device.type != "cpu":
            return F.scaled_dot_product_attention(query, key, value, **given)
        if given.get("enable_gqa"):
            groups = query.shape[-3] // key.shape[-3]
            key, value = (part.repeat_interleave(groups, dim=-3) for part in (key, value))
        scale = given.get("scale")
        weight = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        mask = given.get("attn_mask")
        if given.get("is_causal"):
            mask = torch.ones(weight.shape[-2:], dtype=torch.bool, device=weight.device).tril()
        if mask is not None:
            weight = weight.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else weight + mask
        return self._dropout(weight.softmax(dim=-1), p) @ value

    def _heads(self, *args: Any, **kwargs: Any) -> Any:
        """The same code of torch, which calls dropout inside, where this context does not reach."""
        source: Any = F.multi_head_attention_forward
        here = {"has_torch_function": lambda tensors: False, "dropout": self._dropout, "scaled_dot_product_attention": self._attention}
        code = FunctionType(source.__code__, {**source.__globals__, **here}, source.__name__, source.__defaults__)
        code.__kwdefaults__ = source.__kwdefaults__
        return code(*args, **kwargs)


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``linear`` on all rows and positions at once: ``vmap`` copies the weights for every row of a batch otherwise."""
    if input.ndim < 3:
        return F.linear(input, weight, bias)
    return F.linear(input.flatten(0, -2), weight, bias).unflatten(0, input.shape[:-1])


def _as_torch(rule: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A rule for torch's own form of the call, whose last argument is named otherwise."""
    return lambda input, p, train: rule(input, p, train)


def drawn(masks: Sequence[Mask], key: Tensor, step: int, dtype: torch.dtype) -> list[Tensor]:
    """The masks of one step for all members, ``(N, *shape)``: 0 or 1 / (1 - p).

    ``key (N, 2)`` are the keys of the round. A member's masks depend on its key, the step and the rows of the batch alone.
    """
    found, of_step = [], fold(key, step)
    for call, (shape, p) in enumerate(masks):
        zero = uniforms(fold(of_step, call), prod(shape)).view(len(key), *shape) < p
        found.append((~zero).to(dtype).div_(1 - p if p < 1 else 1))
    return found
