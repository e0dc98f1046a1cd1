"""A smaller model without its dead groups, of the same class, which computes the same.

G = groups of one layer, D = residual dimensions.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .groups import GroupLayer, LanguageGroups, Slice
from .norms import EPSILONS, gain_offset
from .slices import without
from .twin import width_field
from .uneven import uneven_model

__all__ = ["SmallerModel", "masked_model", "removed_groups"]

CLOSE = {torch.float32: 1e-4, torch.float64: 1e-8}  # of the largest logit: by how much those of the smaller model may differ
COARSE = 5e-2  # with fewer bits
TRIED = 12  # tokens


@dataclass(frozen=True, eq=False)
class SmallerModel:
    """A smaller model, and what it still carries.

    Attributes
    ----------
    model : transformers.PreTrainedModel
    alive : tuple of bool Tensor of shape (G,)
        The groups that are left: those that were asked for, and those that had to stay.
    notes : tuple of str
        What stays in it beside what was asked for, and why.
    """

    model: Any
    alive: tuple[Tensor, ...]
    notes: tuple[str, ...]


def masked_model(model: Any, groups: LanguageGroups, alive: Sequence[Tensor]) -> Any:
    """A copy of a model with zeros for all that belongs to dead groups; ``alive`` has a bool Tensor ``(G,)`` for each layer of groups."""
    with without(model, groups.layers, alive):
        return copy.deepcopy(model)


def removed_groups(model: Any, groups: LanguageGroups, alive: Sequence[Tensor], *, uneven: bool = False) -> SmallerModel:
    """A smaller model of the same class, in which dead groups are gone.

    Layers of one kind that keep different numbers of groups are filled up with zeros to the widest, since the classes of ``transformers``
    have one width for all. These zeros have gradients of zero, so that they stay zero in training. With ``uneven`` each MLP keeps its own
    width: see :mod:`sculpting.narrow.language.uneven`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        It is not changed.
    groups : LanguageGroups
        Of this model.
    alive : sequence of bool Tensor of shape (G,)
        For each layer of groups which are left. A layer that would lose all keeps its first group, and the width of the residual stream
        stays a multiple of the number of heads: ``notes`` says where that happened.
    uneven : bool

    Returns
    -------
    SmallerModel

    Raises
    ------
    ValueError
        When a mask does not fit, or the smaller model answers otherwise than the masked one: by more than 1e-4 of the largest logit in
        float32.

    Notes
    -----
    With d of D residual dimensions left, an RMSNorm is exact when its gains are multiplied by sqrt(D / d) and its constant by D / d. A
    norm of queries and keys has the same constant in its configuration, so that it changes slightly there. Embeddings that the forward
    scales by the width, as in Gemma, are scaled back.
    """
    kept, notes = _kept(model, groups, alive)
    widths = {kind: max((int(mask.sum()) for mask in _of(groups, kept, kind)), default=0) for kind in ("residual", "neurons", "heads")}
    widths["heads"] = _dividing(widths["heads"], widths["residual"], model.config)
    config = _config(model, widths)
    state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    cut: dict[str, Tensor] = {}
    for layer, mask in zip(groups.layers, kept, strict=True):
        width = int(mask.sum()) if uneven and layer.kind == "neurons" else widths[layer.kind]
        for name in dict.fromkeys(where.parameter for where in layer.slices):
            cut[name] = _cut(cut.get(name, state[name]), [s for s in layer.slices if s.parameter == name], layer.size, mask, width)
    tied = {name: first for first, others in _shared(model).items() for name in others}
    state = {name: cut.get(tied.get(name, name), tensor) for name, tensor in state.items()}
    if uneven:
        shapes = {where.parameter: list(cut[where.parameter].shape) for layer in groups.of("neurons") for where in layer.slices}
        smaller = uneven_model(type(model), config, shapes)
    else:
        smaller = type(model)(config)
    smaller.to(dtype=model.dtype, device=model.device).load_state_dict(state)
    smaller.train(model.training)
    residual = next((layer for layer in groups.layers if layer.kind == "residual"), None)
    if residual is not None and widths["residual"] < residual.size:
        _rescale(model, smaller, residual, widths["residual"])
    _check(model, smaller, groups, kept)
    return SmallerModel(smaller, tuple(kept), tuple(notes + _padding(groups, kept, widths, uneven)))


def _of(groups: LanguageGroups, kept: Sequence[Tensor], kind: str) -> list[Tensor]:
    return [mask for layer, mask in zip(groups.layers, kept, strict=True) if layer.kind == kind]


def _kept(model: Any, groups: LanguageGroups, alive: Sequence[Tensor]) -> tuple[list[Tensor], list[str]]:
    """The masks with what must stay, and what that is."""
    sizes = [layer.size for layer in groups.layers]
    if [tuple(mask.shape) for mask in alive] != [(size,) for size in sizes] or any(mask.dtype != torch.bool for mask in alive):
        raise ValueError(f"alive must be a bool Tensor for each layer of groups, of {sizes} entries; got {[list(m.shape) for m in alive]}")
    kept, notes = [mask.cpu().clone() for mask in alive], []
    for layer, mask in zip(groups.layers, kept, strict=True):
        if not bool(mask.any()):
            mask[0] = True
            notes.append(f"{layer.name} keeps one of its {layer.kind}, since a layer of none cannot be built")
        if layer.kind == "residual" and not bool(mask.all()):
            heads = int(model.config.num_attention_heads)
            more = -int(mask.sum()) % heads
            mask[torch.nonzero(~mask).flatten()[:more]] = True
            if more:
                notes.append(f"{more} more residual dimensions stay, since the width must be a multiple of {heads} heads")
    return kept, notes


def _dividing(heads: int, residual: int, config: Any) -> int:
    """The least number of key-value heads, at least ``heads``, of which the queries divide the width."""
    before = int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    ratio, width = config.num_attention_heads // before, residual or config.hidden_size
    return next((count for count in range(heads, before) if heads and width % (count * ratio) == 0), before if heads else 0)


def _config(model: Any, widths: dict[str, int]) -> Any:
    """The configuration of the smaller model."""
    config = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    setattr(config, width_field(config), widths["neurons"])
    if widths["residual"]:
        ratio = config.hidden_size / widths["residual"]
        config.hidden_size = widths["residual"]
        for name in EPSILONS if ratio > 1 else ():
            if isinstance(getattr(config, name, None), float):
                setattr(config, name, getattr(config, name) * ratio)
    if widths["heads"]:
        before = int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
        config.num_attention_heads = config.num_attention_heads // before * widths["heads"]
        if hasattr(config, "num_key_value_heads"):
            config.num_key_value_heads = widths["heads"]
    return config


def _cut(tensor: Tensor, slices: Sequence[Slice], size: int, alive: Tensor, width: int) -> Tensor:
    """A tensor with only the living groups in each slice, and zeros up to ``width`` groups."""
    for axis in sorted({where.axis for where in slices}):
        parts, at = [], 0
        for where in sorted({(s.start, s.block) for s in slices if s.axis == axis}):
            start, block = where
            whole = tensor.narrow(axis, start, size * block)
            places = torch.nonzero(alive.repeat_interleave(block)).flatten().to(tensor.device)
            found = whole.index_select(axis, places)
            shape = [*found.shape]
            shape[axis] = width * block - len(places)
            parts += [tensor.narrow(axis, at, start - at), found, found.new_zeros(shape)]
            at = start + size * block
        tensor = torch.cat([*parts, tensor.narrow(axis, at, tensor.shape[axis] - at)], axis)
    return tensor


def _shared(model: Any) -> dict[str, list[str]]:
    """The later names of each parameter that has several, by the first."""
    first: dict[int, str] = {}
    found: dict[str, list[str]] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        if id(tensor) in first:
            found.setdefault(first[id(tensor)], []).append(name)
        else:
            first[id(tensor)] = name
    return found


@torch.no_grad()
def _rescale(model: Any, smaller: Any, residual: GroupLayer, width: int) -> None:
    """Make norms exact at the smaller width, and undo what the forward scales by the width."""
    ratio = math.sqrt(residual.size / width)
    for name in residual.norms:
        norm = smaller.get_submodule(name)
        offset = gain_offset(norm)
        norm.weight.copy_((norm.weight + offset) * ratio - offset)
    factor = _embedding_scale(model, residual) / _embedding_scale(smaller, residual)
    if abs(factor - 1) > 1e-6:
        embedding = smaller.get_input_embeddings().weight
        embedding.mul_(factor)
        if smaller.get_output_embeddings().weight is embedding:
            last = smaller.get_submodule(residual.norms[-1])
            offset = gain_offset(last)
            last.weight.copy_((last.weight + offset) / factor - offset)


def _embedding_scale(model: Any, residual: GroupLayer) -> float:
    """By what the forward multiplies the embedding before the first norm."""
    seen: list[Tensor] = []
    first = model.get_submodule(residual.norms[0])
    handle = first.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    token = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    try:
        with torch.no_grad():
            model(input_ids=token, use_cache=False)
    finally:
        handle.remove()
    row = model.get_input_embeddings().weight[0].float()
    return float(seen[0].flatten().float().norm() / row.norm())


def _check(model: Any, smaller: Any, groups: LanguageGroups, kept: Sequence[Tensor]) -> None:
    """Refuse a smaller model that answers otherwise than the masked one."""
    vocabulary = int(model.config.vocab_size)
    tokens = torch.randint(vocabulary, (1, TRIED), generator=torch.Generator().manual_seed(0)).to(model.device)
    with without(model, groups.layers, kept), _evaluating(model), _evaluating(smaller), torch.no_grad():
        wanted = model(input_ids=tokens, use_cache=False).logits.float()
        answer = smaller(input_ids=tokens, use_cache=False).logits.float()
    off = float((answer - wanted).abs().max() / wanted.abs().max().clamp(min=1e-6))
    if not off <= CLOSE.get(model.dtype, COARSE):
        raise ValueError(
            f"the smaller model must answer as the masked one; got logits that differ by {off:.1g} of the largest. "
            f"{type(model).__name__} cannot lose these groups: leave out residual dimensions or heads"
        )


class _evaluating:  # noqa: N801
    """Evaluation mode inside."""

    def __init__(self, module: nn.Module) -> None:
        self._module, self._before = module, module.training

    def __enter__(self) -> None:
        self._module.eval()

    def __exit__(self, *_: object) -> None:
        self._module.train(self._before)


def _padding(groups: LanguageGroups, kept: Sequence[Tensor], widths: dict[str, int], uneven: bool) -> list[str]:
    """What is filled up with zeros."""
    notes = []
    for kind in ("neurons", "heads"):
        counts = [int(mask.sum()) for mask in _of(groups, kept, kind)]
        if counts and min(counts) < widths[kind] and not (uneven and kind == "neurons"):
            notes.append(f"{sum(counts):,} {kind} are left; every layer is filled up with zeros to {widths[kind]:,}")
    return notes
