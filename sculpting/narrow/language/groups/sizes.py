"""The sizes of a smaller model: which groups must stay, and the configuration.

G = groups of one layer.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .finding import KINDS, LanguageGroups
from .norms import EPSILONS
from .slices import check_alive
from .twin import SAME, width_field

__all__ = ["kept_groups", "padding_notes", "smaller_config", "smaller_widths"]


def kept_groups(model: Any, groups: LanguageGroups, alive: Sequence[Tensor]) -> tuple[list[Tensor], list[str]]:
    """The masks with what must stay, bool ``(G,)`` each, and sentences on what that is."""
    check_alive(groups.layers, alive)
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


def smaller_widths(groups: LanguageGroups, kept: Sequence[Tensor], config: Any) -> dict[str, int]:
    """For each kind the number of groups that a layer has in the smaller model, where all have as many; 0 for kinds that are missing."""
    widths = {kind: max(_counts(groups, kept, kind), default=0) for kind in KINDS}
    widths["heads"] = _dividing(widths["heads"], widths["residual"], config)
    return widths


def _counts(groups: LanguageGroups, kept: Sequence[Tensor], kind: str) -> list[int]:
    return [int(mask.sum()) for layer, mask in zip(groups.layers, kept, strict=True) if layer.kind == kind]


def _key_value_heads(config: Any) -> int:
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)


def _dividing(heads: int, residual: int, config: Any) -> int:
    """The least number of key-value heads, at least ``heads``, of which the queries divide the width."""
    before = _key_value_heads(config)
    ratio, width = config.num_attention_heads // before, residual or config.hidden_size
    return next((count for count in range(heads, before) if heads and width % (count * ratio) == 0), before if heads else 0)


def smaller_config(model: Any, widths: Mapping[str, int]) -> tuple[Any, list[str]]:
    """The configuration of the smaller model, and sentences on what is unusual in it."""
    config, notes = copy.deepcopy(model.config), []
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    setattr(config, width_field(config), widths["neurons"])
    before, heads = _key_value_heads(config), widths["heads"]
    residual = widths["residual"] or config.hidden_size
    if (heads not in (0, before) or residual != config.hidden_size) and getattr(config, "head_dim", None) is None:
        config.head_dim = config.hidden_size // config.num_attention_heads
        notes.append(
            f"the configuration has head_dim = {config.head_dim}, which {type(config).__name__} does not list though the model reads it: "
            "see that other programs read it too"
        )
    if residual != config.hidden_size:
        _narrow(config, residual)
    if heads:
        config.num_attention_heads = config.num_attention_heads // before * heads
        if hasattr(config, "num_key_value_heads"):
            config.num_key_value_heads = heads
    return config, notes


def _narrow(config: Any, width: int) -> None:
    """Set the width of the residual stream, and the constants of norms that go with it."""
    ratio = config.hidden_size / width
    for name in EPSILONS:
        if isinstance(getattr(config, name, None), float):
            setattr(config, name, getattr(config, name) * ratio)
    for name in SAME:
        if getattr(config, name, None) == config.hidden_size:
            setattr(config, name, width)
    config.hidden_size = width


def padding_notes(groups: LanguageGroups, kept: Sequence[Tensor], widths: Mapping[str, int], *, uneven: bool) -> list[str]:
    """Sentences on what is filled up with zeros."""
    notes = []
    for kind in ("neurons", "heads"):
        counts = _counts(groups, kept, kind)
        if counts and min(counts) < widths[kind] and not (uneven and kind == "neurons"):
            notes.append(f"{sum(counts):,} {kind} are left; every layer is filled up with zeros to {widths[kind]:,}")
    return notes
