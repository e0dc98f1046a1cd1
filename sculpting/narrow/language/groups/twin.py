"""A small model of the same architecture, in which the roles of all parameters are found quickly."""

from __future__ import annotations

import copy
from typing import Any

import torch

from ....models.groups import UnitMap, units

__all__ = ["WIDTHS", "sets_head_size", "shapes_of", "twin_units", "width_field"]

# What the families of `transformers` call the width of the MLP.
WIDTHS = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
HEAD, MLP, VOCABULARY, POSITIONS = 8, 10, 16, 64  # of the small model
SAME = ("word_embed_proj_dim",)  # fields that must follow the width where they are equal to it
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
        When the class cannot be built that small, has other parameters than the model, or its forward cannot be followed; the text names
        the parameter or the line.
    """
    name = type(model).__name__
    try:
        small = _built(model, HEAD)
    except Exception as error:  # configurations check themselves in many ways
        raise ValueError(f"{name} cannot be built with heads of {HEAD} dimensions, which tells its units: {error}") from error
    small_shapes, shapes = shapes_of(small), shapes_of(model)
    if small_shapes.keys() != shapes.keys():
        other = sorted(small_shapes.keys() ^ shapes.keys())[0]
        raise ValueError(
            f"the model must have the parameters of its class, {name}; got {other!r} in one of the two. "
            "Merge adapters and unwrap the model first"
        )
    try:
        found = units(small, {"input_ids": torch.arange(14).view(2, 7) % VOCABULARY})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be followed: {error}") from error
    return small_shapes, found


def sets_head_size(model: Any) -> bool:
    """Whether the class of a model takes the size of a head from ``head_dim`` of its configuration, also where that has no such field."""
    if isinstance(getattr(type(model.config), "head_dim", None), property):
        return False
    try:
        wider = _built(model, 2 * HEAD)
        with torch.no_grad():
            wider(input_ids=torch.zeros(1, 2, dtype=torch.long))
    except Exception:  # only some parts of the class follow the field
        return False
    return shapes_of(wider) != shapes_of(_built(model, HEAD))


def shapes_of(model: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of all parameters, by their first name."""
    return {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}


def _built(model: Any, head: int) -> Any:
    """A small model of the class of ``model``, with heads of ``head`` dimensions; random numbers outside stay what they are."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        return type(model)(_small(model.config, head)).eval()


def _small(config: Any, head: int) -> Any:
    """The configuration with narrow layers; the number of layers and of heads stays."""
    small = copy.deepcopy(config)
    if hasattr(small, "quantization_config"):
        del small.quantization_config
    if hasattr(small, "shapes"):  # of an uneven model
        small.shapes = None
    width = small.num_attention_heads * HEAD
    for field in SAME:
        if getattr(small, field, None) == config.hidden_size:
            setattr(small, field, width)
    small.hidden_size = width
    if not isinstance(getattr(type(small), "head_dim", None), property):
        small.head_dim = head
    setattr(small, width_field(small), MLP)
    small.vocab_size, small.use_cache = VOCABULARY, False
    small.max_position_embeddings = min(getattr(small, "max_position_embeddings", POSITIONS), POSITIONS)
    for token in NO_TOKENS:
        setattr(small, token, None)
    if isinstance(getattr(small, "rope_parameters", None), dict):
        small.rope_parameters = _plain(small.rope_parameters)
    small._attn_implementation, small._experts_implementation = "eager", "batched_mm"
    small.dtype = torch.float32
    return small


def _plain(rope: dict[str, Any]) -> dict[str, Any]:
    """Rotary positions without scaling, whose factors fit one size of heads, and whose code may depend on the positions."""
    plain = {name: _plain(value) if isinstance(value, dict) else value for name, value in rope.items()}
    return plain | {"rope_type": "default"} if "rope_type" in plain else plain
