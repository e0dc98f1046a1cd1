"""Fresh small models of the architecture of a large one, for distillation and training from scratch."""

from __future__ import annotations

import copy
from typing import Any

import torch

from .finding import LanguageGroups
from .twin import width_field

__all__ = ["fresh_student"]


def fresh_student(model: Any, groups: LanguageGroups, *, neurons: float, residual: float = 0.0, seed: int = 0) -> Any:
    """A model with initial weights whose MLPs and residual stream lack a fraction of their width.

    Parameters
    ----------
    model : transformers.PreTrainedModel
    groups : LanguageGroups
        Of the model.
    neurons, residual : float in [0, 1)
        The fractions to leave out. The width of the stream is rounded up to a multiple of the number of heads; each layer has at least one
        neuron.
    seed : int
        Of the initial weights.
    """
    config = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    width = groups.of("neurons")[0].size
    setattr(config, width_field(config), max(1, round(width * (1 - neurons))))
    if residual:
        [stream] = groups.of("residual")
        heads = int(config.num_attention_heads)
        config.hidden_size = -(-max(1, round(stream.size * (1 - residual))) // heads) * heads
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return type(model)(config).to(dtype=model.dtype, device=model.device)
