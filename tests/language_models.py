"""Tiny language models of each family of ``transformers``, built from a configuration."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch

from sculpting.narrow.language.groups.finding import LanguageGroups, language_groups

t = pytest.importorskip("transformers", reason="transformers is not installed: pip install neural-sculpting[lm]")

VOCABULARY = 40
COMMON: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
GATED = {**COMMON, "intermediate_size": 20, "num_key_value_heads": 2}
ONE = {"num_hidden_layers": 1}
WIDE = {**GATED, "head_dim": 8}  # heads that do not add up to the width
GEMMA3 = {**WIDE, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 5}

CONFIGURATIONS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "Llama": (t.LlamaForCausalLM, t.LlamaConfig, {**GATED, "num_key_value_heads": 4}),
    "Llama, grouped keys, tied": (t.LlamaForCausalLM, t.LlamaConfig, {**GATED, "tie_word_embeddings": True}),
    "Llama, biases": (t.LlamaForCausalLM, t.LlamaConfig, {**GATED, **ONE, "attention_bias": True, "mlp_bias": True}),
    "Mistral": (t.MistralForCausalLM, t.MistralConfig, {**GATED, "sliding_window": 5}),
    "Qwen2": (t.Qwen2ForCausalLM, t.Qwen2Config, GATED),
    "Qwen3": (t.Qwen3ForCausalLM, t.Qwen3Config, WIDE),
    "Gemma": (t.GemmaForCausalLM, t.GemmaConfig, {**WIDE, **ONE}),
    "Gemma 2": (t.Gemma2ForCausalLM, t.Gemma2Config, {**WIDE, **ONE, "query_pre_attn_scalar": 8}),
    "Gemma 3": (t.Gemma3ForCausalLM, t.Gemma3TextConfig, GEMMA3),
    "SmolLM3": (t.SmolLM3ForCausalLM, t.SmolLM3Config, {**GATED, "no_rope_layers": [1, 0]}),
    "Phi-3": (t.Phi3ForCausalLM, t.Phi3Config, GATED),
    "GPT-2": (t.GPT2LMHeadModel, t.GPT2Config, COMMON),
    "GPT-NeoX": (t.GPTNeoXForCausalLM, t.GPTNeoXConfig, {**COMMON, "intermediate_size": 20}),
}
LAYER_NORMS = ("GPT-2", "GPT-NeoX")  # families that can lose neurons alone
RMS_NORMS = tuple(name for name in CONFIGURATIONS if name not in LAYER_NORMS)


def built(kind: Any, config: Any, dtype: torch.dtype = torch.float32) -> Any:
    """A model whose norms and biases are not trivial, and whose logits are not small."""
    torch.manual_seed(0)
    model = kind(config).eval()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape)
    return model.to(dtype)


def _factory(name: str) -> Callable[..., Any]:
    kind, config, fields = CONFIGURATIONS[name]
    return lambda dtype=torch.float32, **others: built(kind, config(**fields | others), dtype)


MODELS: dict[str, Callable[..., Any]] = {name: _factory(name) for name in CONFIGURATIONS}


@cache
def groups_of(name: str) -> LanguageGroups:
    """The groups of a family, found once in a session: they are the same for all weights."""
    return language_groups(MODELS[name]())


def tokens(rows: int = 2, length: int = 9) -> torch.Tensor:
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(1))
