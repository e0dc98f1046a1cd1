"""A smaller model without its dead groups, of the same class, which computes the same.

G = groups of one layer, D = residual dimensions.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..modes import evaluating
from .finding import LanguageGroups, Slice
from .rescaling import rescale
from .sizes import kept_groups, padding_notes, smaller_config, smaller_widths
from .slices import parameters_of, without
from .uneven import even_model, uneven_model

__all__ = ["SmallerModel", "masked_model", "removed_groups"]

# Of the largest logit: by how much those of the smaller model may differ. Models in float64 have norms in float32 too.
CLOSE = {torch.float32: 1e-4, torch.float64: 1e-5}
COARSE = 0.2  # in bfloat16, where new gains are rounded; groups that do not fit differ by about 1
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
    zeros : int
        Parameters that only fill up layers to the widest.
    """

    model: Any
    alive: tuple[Tensor, ...]
    notes: tuple[str, ...]
    zeros: int


def masked_model(model: Any, groups: LanguageGroups, alive: Sequence[Tensor]) -> Any:
    """A copy of a model with zeros for all that belongs to dead groups; ``alive`` has a bool Tensor ``(G,)`` for each layer of groups."""
    with without(model, groups.layers, alive):
        return copy.deepcopy(model)


def removed_groups(model: Any, groups: LanguageGroups, alive: Sequence[Tensor], *, uneven: bool = False) -> SmallerModel:
    """A smaller model of the same class, in which dead groups are gone.

    Layers of one kind that keep different numbers of groups are filled up with zeros to the widest, since the classes of ``transformers``
    have one width for all. These zeros have gradients of zero, so that they stay zero in training. With ``uneven`` each MLP keeps its own
    width: see :mod:`sculpting.narrow.language.groups.uneven`.

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
        float32, 1e-5 in float64 and 0.2 with fewer bits.

    Notes
    -----
    With d of D residual dimensions left, an RMSNorm is exact when its gains are multiplied by sqrt(D / d) and its constant by D / d. A
    norm of queries and keys has the same constant in its configuration, so that it changes slightly there. Embeddings that the forward
    scales by the width, as in Gemma, are scaled back.
    """
    kept, notes = kept_groups(model, groups, alive)
    widths = smaller_widths(groups, kept, model.config)
    config, unusual = smaller_config(model, widths)
    cut = _cut_parameters(model, groups, kept, widths, uneven)
    shapes = {where.parameter: tuple(cut[where.parameter].shape) for layer in groups.of("neurons") for where in layer.slices}
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        smaller = uneven_model(type(model), config, shapes) if uneven else even_model(type(model), config)
    _fill(smaller, model, cut)
    residual = next((layer for layer in groups.layers if layer.kind == "residual"), None)
    if residual is not None and widths["residual"] < residual.size:
        rescale(model, smaller, residual, widths["residual"])
    _check(model, smaller, groups, kept)
    notes = [*notes, *unusual, *padding_notes(groups, kept, widths, uneven=uneven)]
    return SmallerModel(smaller, tuple(kept), tuple(notes), _zeros(smaller, groups, kept, widths, uneven))


def _zeros(smaller: Any, groups: LanguageGroups, kept: Sequence[Tensor], widths: Mapping[str, int], uneven: bool) -> int:
    """How many parameters only fill up layers."""
    known, found = parameters_of(smaller), 0
    for layer, mask in zip(groups.layers, kept, strict=True):
        if not (uneven and layer.kind == "neurons"):
            parts = (known[s.parameter].numel() // known[s.parameter].shape[s.axis] * s.block for s in layer.slices)
            found += (widths[layer.kind] - int(mask.sum())) * sum(parts)
    return found


def _cut_parameters(
    model: Any, groups: LanguageGroups, kept: Sequence[Tensor], widths: Mapping[str, int], uneven: bool
) -> dict[str, Tensor]:
    """All parameters, by their first name, without the dead groups."""
    cut = {name: tensor.detach() for name, tensor in parameters_of(model).items()}
    for layer, mask in zip(groups.layers, kept, strict=True):
        width = int(mask.sum()) if uneven and layer.kind == "neurons" else widths[layer.kind]
        for name in dict.fromkeys(where.parameter for where in layer.slices):
            cut[name] = _cut(cut[name], [s for s in layer.slices if s.parameter == name], layer.size, mask, width)
    return cut


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


def _fill(smaller: Any, model: Any, cut: Mapping[str, Tensor]) -> None:
    """Give a smaller model its parameters, on their devices and of their types, and what else the model has."""
    for name, tensor in parameters_of(smaller).items():
        if tensor.shape != cut[name].shape:
            raise ValueError(
                f"{type(model).__name__} of the smaller configuration must have {name} of shape {tuple(cut[name].shape)}; "
                f"got {tuple(tensor.shape)}"
            )
        tensor.data = cut[name].clone()
    buffers, kept = dict(model.named_buffers()), model.state_dict()
    for name, tensor in smaller.named_buffers():
        tensor.data = (buffers[name].detach().clone() if name in kept else tensor).to(buffers[name])
    smaller.generation_config = copy.deepcopy(model.generation_config)
    smaller.train(model.training)


def _check(model: Any, smaller: Any, groups: LanguageGroups, kept: Sequence[Tensor]) -> None:
    """Refuse a smaller model that answers otherwise than the masked one."""
    vocabulary = int(model.config.vocab_size)
    tokens = torch.randint(vocabulary, (1, TRIED), generator=torch.Generator().manual_seed(0)).to(model.device)
    with without(model, groups.layers, kept), evaluating(model), evaluating(smaller), torch.no_grad():
        wanted = model(input_ids=tokens, use_cache=False).logits.double()
        answer = smaller(input_ids=tokens, use_cache=False).logits.double()
    off = float((answer - wanted).abs().max() / wanted.abs().max().clamp(min=1e-6))
    if not off <= CLOSE.get(model.dtype, COARSE):
        raise ValueError(
            f"the smaller model must answer as the masked one; got logits that differ by {off:.1g} of the largest. "
            f"{type(model).__name__} cannot lose these groups: leave out residual dimensions or heads"
        )
