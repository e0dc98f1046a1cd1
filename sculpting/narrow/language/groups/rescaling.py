"""Gains and embeddings that make a model of fewer residual dimensions exact."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..modes import evaluating
from .finding import GroupLayer
from .norms import gain_offset

__all__ = ["rescale"]


@torch.no_grad()
def rescale(model: Any, smaller: Any, residual: GroupLayer, width: int) -> None:
    """Make norms exact at the smaller width, and undo what the forward scales by the width."""
    ratio = math.sqrt(residual.size / width)
    for name in residual.norms:
        _multiply_gains(smaller.get_submodule(name), ratio)
    factor = _embedding_scale(model, residual) / _embedding_scale(smaller, residual)
    if abs(factor - 1) > 1e-6:
        embedding = smaller.get_input_embeddings().weight
        embedding.mul_(factor)
        if smaller.get_output_embeddings().weight is embedding:
            _multiply_gains(smaller.get_submodule(residual.norms[-1]), 1 / factor)


def _multiply_gains(norm: Any, factor: float) -> None:
    offset = gain_offset(norm)
    norm.weight.copy_((norm.weight + offset) * factor - offset)


def _embedding_scale(model: Any, residual: GroupLayer) -> float:
    """By what the forward multiplies the embedding before anything reads it."""
    seen: list[Tensor] = []
    rows = model.get_input_embeddings().weight
    token = rows.float().norm(dim=1).argmax()  # that of padding may be zero
    first = next(where.parameter.rpartition(".")[0] for where in residual.slices if where.reads or where.kind == "scale")
    handle = model.get_submodule(first).register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    try:
        with evaluating(model), torch.no_grad():
            model(input_ids=token.view(1, 1), use_cache=False)
    finally:
        handle.remove()
    return float(seen[0].flatten().float().norm() / rows[token].float().norm())
