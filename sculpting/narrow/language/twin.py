"""A small model of the same architecture, in which the roles of all parameters are found quickly."""

from __future__ import annotations

import copy
from typing import Any

import torch

from ...models.groups import UnitMap, units

__all__ = ["WIDTHS", "twin_units", "width_field"]

# What the families of `transformers` call the width of the MLP.
WIDTHS = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
HEAD, MLP, VOCABULARY, POSITIONS = 8, 10, 16, 64  # of the small model
NO_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")


def width_field(config: Any) -> str:
    """The field of a configuration that holds the width of the MLP.

    Raises
    ------
    ValueError
        When it has none of the known names.
    """
    for name in WIDTHS:
        if hasattr(config, name):
            return name
    raise ValueError(f"the configuration must have the width of the MLP as one of {list(WIDTHS)}; got {type(config).__name__}")


def twin_units(model: Any) -> tuple[dict[str, tuple[int, ...]], UnitMap]:
    """The shapes and the units of a small model of the same class, with as many layers and heads.

    Raises
    ------
    ValueError
        When the class cannot be built that small, or its forward cannot be followed; the text names the line.
    """
    name = type(model).__name__
    state = torch.random.get_rng_state()
    try:
        small = type(model)(_small(model.config)).eval()
    except Exception as error:  # configurations check themselves in many ways
        raise ValueError(f"{name} cannot be built with heads of {HEAD} dimensions, which tells its units: {error}") from error
    finally:
        torch.random.set_rng_state(state)
    try:
        found = units(small, {"input_ids": torch.arange(14).view(2, 7) % VOCABULARY})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be followed: {error}") from error
    return {name: tuple(tensor.shape) for name, tensor in small.named_parameters()}, found


def _small(config: Any) -> Any:
    """The configuration with narrow layers; the number of layers and of heads stays."""
    small = copy.deepcopy(config)
    if hasattr(small, "quantization_config"):
        del small.quantization_config
    small.hidden_size = small.num_attention_heads * HEAD
    if getattr(small, "head_dim", None) is not None:
        small.head_dim = HEAD
    setattr(small, width_field(small), MLP)
    small.vocab_size, small.use_cache = VOCABULARY, False
    small.max_position_embeddings = min(getattr(small, "max_position_embeddings", POSITIONS), POSITIONS)
    for token in NO_TOKENS:
        setattr(small, token, None)
    small._attn_implementation = "eager"
    small.dtype = torch.float32
    return small
