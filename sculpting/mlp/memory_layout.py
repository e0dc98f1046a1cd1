"""Memory layouts of a population: members first, or members last.

Shapes always name the members first, ``(N, ...)``; only strides differ. The BLAS needs members first, and below a certain size all its
products cost the same. For layers of a few units and batches of a few rows members therefore lie last: a product is then elementwise work
along the members. Large products go to oneDNN one by one: on an AMD EPYC it was measured 2.2 times as fast as torch's BLAS.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

from ..models.shape import Shape

__all__ = ["buffer", "lie_last", "pay_last", "product", "put_last"]

MANY = 32  # members from which on an elementwise pass over them is worth its two calls
TERM_BY_TERM = 10_000  # numbers in the products of all members, from which on adding term by term is faster than one sum over all terms
LARGE = 4_000_000  # multiplications of one product, from which on oneDNN was not slower in any layout, on one thread or two
SMALL = 400  # multiplications of one product, below which torch itself leaves the BLAS for a slow loop


def pay_last(shape: Shape, rows: int, members: int, device: torch.device) -> bool:
    """Whether training on batches of ``rows`` is faster with members last. Measured on CPUs; False on other devices."""
    return device.type == "cpu" and members >= MANY and max(n_in * n_out for n_in, n_out in pairwise(shape.widths)) * rows < SMALL


def put_last(values: Tensor) -> Tensor:
    """The same numbers with members last in memory."""
    return values.movedim(0, -1).contiguous().movedim(-1, 0)


def lie_last(values: Tensor) -> bool:
    """Whether members lie last in memory."""
    return len(values) > 1 and values.stride(0) == 1


def buffer(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Memory ``(N, n + 1, B)`` for the inputs of a layer, in the memory layout of ``like``; its last row is the 1 of the biases."""
    memory = like.new_empty(*shape[1:], shape[0]).movedim(-1, 0) if lie_last(like) else like.new_empty(shape)
    memory[:, -1] = 1
    return memory


def product(a: Tensor, b: Tensor, last: bool, added: Tensor | None = None) -> Tensor:
    """Matrix products ``(N, i, k)`` of ``a (N, i, j)`` and ``b (N, j, k)``, in the memory layout of ``a``.

    ``b`` may be ``(j, k)``, shared by all members. ``last`` says whether members lie last. To the products ``added (N, i, k)`` is added,
    which is overwritten by the result where it has no gaps: that saves two passes over memory.

    Examples
    --------
    >>> a, b = torch.rand(3, 2, 4), torch.rand(3, 4, 5)
    >>> found = product(put_last(a), put_last(b), last=True)
    >>> lie_last(found), torch.allclose(found, a @ b)
    (True, True)
    """
    if added is not None:
        if last or b.ndim == 2 or _large(a, b) or not added.is_contiguous():
            return product(a, b, last).add_(added)
        return added.baddbmm_(a, b)
    if not last and b.ndim == 2:
        flat = a.reshape(-1, a.shape[2])
        return (_one_dnn(flat, b) if _large(flat, b) else flat @ b).view(*a.shape[:2], b.shape[1])
    if not last and _large(a, b):
        each = [_one_dnn(*pair) for pair in zip(a.unbind(), b.unbind(), strict=True)]
        return each[0].unsqueeze(0) if len(each) == 1 else torch.stack(each)
    if not last:
        return torch.bmm(a, b)
    a = a.permute(1, 2, 0)
    if b.ndim == 2:
        return torch.matmul(b.t(), a).permute(2, 0, 1)
    a, b = a.unsqueeze(2), b.permute(1, 2, 0)
    if a.shape[0] * b.shape[1] * b.shape[2] < TERM_BY_TERM:
        return (a * b).sum(1).permute(2, 0, 1)
    columns, rows = a.unbind(1), b.unbind(0)
    total = columns[0] * rows[0]
    for column, row in zip(columns[1:], rows[1:], strict=True):
        total.addcmul_(column, row)
    return total.permute(2, 0, 1)


def _large(a: Tensor, b: Tensor) -> bool:
    """Whether oneDNN computes the product ``(..., i, j) (..., j, k)``."""
    return a.shape[-2] * a.shape[-1] * b.shape[-1] >= LARGE and a.device.type == "cpu" and a.dtype == torch.float32 and _has_one_dnn()


@cache
def _has_one_dnn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _one_dnn(a: Tensor, b: Tensor) -> Tensor:
    """The matrix product ``(i, k)`` of ``(i, j)`` and ``(j, k)``.

    A second factor with gaps in memory is copied: with gaps oneDNN uses a loop that took a thousand times as long.
    """
    if not (b.is_contiguous() or b.t().is_contiguous()):
        b = b.t().contiguous().t() if b.stride(0) == 1 else b.contiguous()
    return torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")
