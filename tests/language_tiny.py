"""Tiny language models, with their groups found once."""

from __future__ import annotations

import copy
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sculpting.narrow.language import GroupLayer, LanguageGroups, TextDomain, language_groups
from sculpting.narrow.language.groups.slices import scale_groups, view_of
from sculpting.narrow.language.text.windows import PackedWindows

VOCABULARY = 48


@cache
def _built(family: str) -> Any:
    import transformers

    many = {"hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": VOCABULARY}
    many |= {"max_position_embeddings": 64, "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "llama": ("Llama", many | {"num_key_value_heads": 2, "tie_word_embeddings": True}),
        "gemma2": ("Gemma2", many | {"num_key_value_heads": 2, "head_dim": 6}),
        "gpt_neox": ("GPTNeoX", many),
        "gpt2": ("GPT2", {"n_embd": 24, "n_inner": 20, "n_layer": 2, "n_head": 4, "vocab_size": VOCABULARY, "n_positions": 64}),
    }
    name, sizes = kinds[family]
    tokens = {"bos_token_id": None, "eos_token_id": None}
    attention = "eager" if family == "gemma2" else "sdpa"  # the other one, but it is in float32
    config = getattr(transformers, f"{name}Config")(**(sizes | tokens), attn_implementation=attention)
    ending = {"GPT2": "LMHeadModel"}.get(name, "ForCausalLM")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(transformers, name + ending)(config)
        for tensor in model.parameters():  # biases and gains that are no zeros and ones, and larger gradients than at the start
            tensor.data += 0.1 * torch.randn(tensor.shape)
    return model.eval()


class ExactNorm(nn.Module):
    """An RMSNorm in the precision of its weight; those of the library compute in float32, too coarse for finite differences."""

    def __init__(self, weight: nn.Parameter, offset: float) -> None:
        super().__init__()
        self.weight, self.offset = weight, offset

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * (self.weight + self.offset)


def tiny(family: str = "llama", dtype: torch.dtype = torch.float32) -> Any:
    """A model of 2 layers and width 24, always the same."""
    model = copy.deepcopy(_built(family)).to(dtype)
    for name, norm in [*model.named_modules()] if dtype == torch.float64 else ():
        if type(norm).__name__.endswith("RMSNorm"):
            path, _, key = name.rpartition(".")
            setattr(model.get_submodule(path), key, ExactNorm(norm.weight, 1.0 if family == "gemma2" else 0.0))
    return model


@cache
def groups_of(family: str = "llama") -> LanguageGroups:
    return language_groups(_built(family))


def tokens(count: int = 6, length: int = 8, seed: int = 0) -> Tensor:
    return torch.randint(VOCABULARY, (count, length), generator=torch.Generator().manual_seed(seed))


def pattern(rows: int, step: int, length: int = 8, noise: float = 0.2, seed: int = 0) -> Tensor:
    """Windows that count up by ``step``, with some tokens at random: text that a tiny model can learn."""
    start = tokens(rows, 1, seed)
    counted = (start + step * torch.arange(length)) % VOCABULARY
    drawn = torch.rand(counted.shape, generator=torch.Generator().manual_seed(seed + 1)) < noise
    return torch.where(drawn, tokens(rows, length, seed + 2), counted)


def domain(name: str, step: int, length: int = 8) -> TextDomain:
    parts = [pattern(rows, step, length, seed=10 * seed) for seed, rows in enumerate((40, 5, 6), start=step)]
    return TextDomain(name, PackedWindows(parts[0].flatten(), length), parts[1], parts[2], 1.0)


def zeroed(model: Any, layer: GroupLayer, group: int) -> Any:
    """A copy of the model without one group."""
    copied = copy.deepcopy(model)
    factors = torch.ones(layer.size, dtype=torch.float64)
    factors[group] = 0
    scale_groups(copied, layer, factors)
    return copied


def elements(model: Any, layer: GroupLayer, group: int) -> Tensor:
    """All weights of a group, one after the other."""
    known = dict(model.named_parameters())
    return torch.cat([view_of(known[s.parameter].detach(), s, layer.size)[group].flatten() for s in layer.slices])


def launched(folder: Path) -> None:
    """Train in each process of ``accelerate launch``, also where memory and numbers run out in one of them; write what each saw."""
    from accelerate import PartialState

    from sculpting.narrow.language import LanguageTraining, train_language

    index, count = PartialState(cpu=True).process_index, PartialState().num_processes
    windows, validation = PackedWindows(pattern(40, 1).flatten(), 8), {"keep": pattern(5, 1, seed=50)}
    settings = LanguageTraining(tokens=6 * 40, batch_size=5, every=3, learning_rate=0.01)
    for name in ("trained", "memory", "broken"):
        model = tiny(dtype=torch.float64)
        calls, real = [0], model.forward

        def forward(name: str = name, calls: list[int] = calls, real: Any = real, **given: Any) -> Any:
            calls[0] += 1
            answer = real(**given)
            if name == "memory" and index == count - 1 and len(given["input_ids"]) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            if name == "broken" and index == count - 1 and calls[0] > 4:
                answer.logits = answer.logits * torch.inf
            return answer

        model.forward = forward
        try:
            trained = train_language(model, windows, validation, settings, progress=False, device="cpu")
            said = " ".join(f"{loss:.9f}" for point in trained.curve for loss in (*point.losses.values(), max(point.training, 0)))
        except ValueError as error:
            said = str(error).partition("gradient")[0].partition(" with ")[0].replace("nan", "not")
        (folder / f"{name}-{index}.txt").write_text(said)


if __name__ == "__main__":
    launched(Path(sys.argv[1]))
