"""Physical removal from language models: the smaller model answers as the masked one, and is an ordinary model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from language_models import MODELS, RMS_NORMS, groups_of, t, tokens
from torch import Tensor

from sculpting.narrow.language.groups.finding import LanguageGroups, language_groups
from sculpting.narrow.language.groups.removal import SmallerModel, masked_model, removed_groups
from sculpting.narrow.language.groups.uneven import load, uneven_model

KINDS = ("neurons", "residual", "heads")
UNEVEN = ("neurons", "all")
ALL = [(name, kind) for name in RMS_NORMS for kind in (*KINDS, "all")] + [("GPT-2", "neurons"), ("GPT-NeoX", "neurons")]


def masks(found: LanguageGroups, kind: str = "all", seed: int = 3) -> list[Tensor]:
    """Six in ten groups of a kind, and one less in later layers."""
    generator = torch.Generator().manual_seed(seed)
    first = {layer.kind: layer for layer in reversed(found.layers)}
    alive = []
    for layer in found.layers:
        left = 6 * layer.size // 10 - (layer.size > 2 and layer is not first[layer.kind])
        alive.append(torch.randperm(layer.size, generator=generator) < (left if kind in ("all", layer.kind) else layer.size))
    return alive


def logits(model: Any) -> Tensor:
    with torch.no_grad():
        return model(input_ids=tokens(), use_cache=False).logits


def difference(answer: Tensor, wanted: Tensor) -> float:
    """Of the largest logit."""
    return float((answer.double() - wanted.double()).abs().max() / wanted.double().abs().max())


def smaller(name: str, kind: str = "all", dtype: torch.dtype = torch.float32, **options: Any) -> tuple[Any, SmallerModel]:
    """The masked and the smaller model."""
    model, found = MODELS[name](dtype), groups_of(name)
    result = removed_groups(model, found, masks(found, kind), **options)
    return masked_model(model, found, result.alive), result


@pytest.mark.parametrize(
    ("name", "kind", "uneven"), [(name, kind, uneven) for name, kind in ALL for uneven in (False, True) if not uneven or kind in UNEVEN]
)
def test_the_smaller_model_answers_as_the_masked_one(name: str, kind: str, uneven: bool) -> None:
    masked, result = smaller(name, kind, uneven=uneven)
    whole, answer = logits(MODELS[name]()), logits(result.model)
    assert difference(answer, logits(masked)) < 1e-5
    assert difference(answer, whole) > 1e-3
    assert sum(tensor.numel() for tensor in result.model.parameters()) < sum(tensor.numel() for tensor in masked.parameters())
    assert (type(result.model) is type(masked)) != uneven
    assert isinstance(result.model, type(masked))
    if name in RMS_NORMS:
        assert result.model.config.hidden_size == (16 if kind in ("residual", "all") else 24)


@pytest.mark.parametrize(("name", "kind"), [("Llama", "heads"), ("Mistral", "neurons"), ("Qwen3", "heads"), ("GPT-NeoX", "neurons")])
def test_in_float64_neurons_and_heads_are_exact(name: str, kind: str) -> None:
    masked, result = smaller(name, kind, torch.float64)
    assert difference(logits(result.model), logits(masked)) < 1e-8


@pytest.mark.parametrize("name", ["Llama", "Qwen2", "Gemma", "Phi-3"])
def test_in_float64_residual_dimensions_are_exact_but_for_norms_in_float32(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    masked, result = smaller(name, "all", torch.float64)
    assert 1e-9 < difference(logits(result.model), logits(masked)) < 1e-5
    kind, offset = type(masked.model.norm), float(name == "Gemma")

    def exact(norm: Any, x: Tensor) -> Tensor:
        eps = getattr(norm, "variance_epsilon", None) or norm.eps
        return x * (x.square().mean(-1, keepdim=True) + eps).rsqrt() * (norm.weight + offset)

    monkeypatch.setattr(kind, "forward", exact)
    assert difference(logits(result.model), logits(masked)) < 1e-8


@pytest.mark.parametrize("name", ["Llama, grouped keys, tied", "Gemma", "GPT-2"])
def test_bfloat16_keeps_its_types_and_the_positions_in_float32(name: str) -> None:
    model, found = MODELS[name](), groups_of(name)
    for parameter in model.parameters():  # as from_pretrained does: buffers stay
        parameter.data = parameter.data.bfloat16()
    result = removed_groups(model, found, masks(found, "neurons"))
    assert {tensor.dtype for tensor in result.model.parameters()} == {torch.bfloat16}
    assert {k: b.dtype for k, b in result.model.named_buffers()} == {k: b.dtype for k, b in model.named_buffers()}
    assert difference(logits(result.model), logits(masked_model(model, found, result.alive))) < 1e-2
    if name != "GPT-2":
        everything = removed_groups(model, found, masks(found))
        assert difference(logits(everything.model), logits(masked_model(model, found, everything.alive))) < 0.15


def test_the_model_is_not_changed() -> None:
    model, found = MODELS["Gemma"]().train(), groups_of("Gemma")
    model.model.norm.eval()
    before = {key: tensor.clone() for key, tensor in [*model.named_parameters(), *model.named_buffers()]}
    config, modes, state = model.config.to_dict(), [part.training for part in model.modules()], torch.get_rng_state()
    for uneven in (False, True):
        result = removed_groups(model, found, masks(found), uneven=uneven)
        assert result.model.training
    assert torch.equal(state, torch.get_rng_state())
    assert model.config.to_dict() == config
    assert [part.training for part in model.modules()] == modes
    assert all(torch.equal(before[key].view(torch.int32), tensor.view(torch.int32))
               for key, tensor in [*model.named_parameters(), *model.named_buffers()])  # fmt: skip
    assert not any(part._forward_pre_hooks for part in model.modules())


READ = """
import sys, warnings
warnings.simplefilter("error")
import torch
from transformers import AutoModelForCausalLM
from sculpting.narrow.language.groups.uneven import load
for folder in sys.argv[1:]:
    read = load if "uneven" in folder else AutoModelForCausalLM.from_pretrained
    model, wanted = read(folder).eval(), torch.load(folder + "/wanted.pt", weights_only=True)
    with torch.no_grad():
        answer = model(input_ids=wanted["tokens"], use_cache=False).logits
    written = model.generate(wanted["tokens"], max_new_tokens=4, do_sample=False)
    print(float((answer - wanted["logits"]).abs().max()), torch.equal(written, wanted["written"]), type(model).__name__)
"""


def test_a_fresh_process_reads_what_was_saved(tmp_path: Path) -> None:
    chosen = {"Llama, grouped keys, tied": "all", "Qwen2": "all", "Gemma 3": "all", "Phi-3": "all", "GPT-2": "neurons"}
    folders, names = [], []
    for name, kind in chosen.items():
        for uneven in (False, True):
            model = smaller(name, kind, uneven=uneven)[1].model
            model.generation_config.eos_token_id = None
            folder = tmp_path / f"{'uneven' if uneven else 'even'} {name}"
            model.save_pretrained(folder)
            written = model.generate(tokens(), max_new_tokens=4, do_sample=False)
            torch.save({"tokens": tokens(), "logits": logits(model), "written": written}, folder / "wanted.pt")
            folders.append(str(folder))
            names.append(type(model).__name__)
    lines = subprocess.run([sys.executable, "-c", READ, *folders], capture_output=True, text=True, check=True).stdout.splitlines()
    for line, name in zip(lines, names, strict=True):
        off, same, read = line.split()
        assert (float(off), same, read) == (0.0, "True", name)


def test_the_settings_of_generation_go_with_the_model() -> None:
    model, found = MODELS["Mistral"](), groups_of("Mistral")
    model.generation_config.max_new_tokens = 3
    result = removed_groups(model, found, masks(found))
    assert result.model.generation_config.max_new_tokens == 3
    assert result.model.generation_config is not model.generation_config


@pytest.mark.parametrize("name", ["Llama", "Qwen2", "Qwen3", "Gemma 3", "GPT-2", "GPT-NeoX"])
def test_zeros_of_padding_stay_zero_in_training(name: str) -> None:
    model = smaller(name, "heads" if name == "Llama" else "neurons")[1].model.train()
    zero = {key: tensor == 0 for key, tensor in model.named_parameters()}
    assert sum(int(mask.sum()) for mask in zero.values()) > 24
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    before = [tensor.detach().clone() for tensor in model.parameters()]
    for _ in range(4):
        optimizer.zero_grad()
        model(input_ids=tokens(), labels=tokens()).loss.backward()
        optimizer.step()
    assert all(bool((tensor[zero[key]] == 0).all()) for key, tensor in model.named_parameters())
    assert not any(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


@pytest.mark.filterwarnings("ignore:Unwrapped parameters")
@pytest.mark.parametrize("name", ["Llama", "Mistral", "Qwen2", "Gemma", "GPT-NeoX"])
def test_torch_pruning_removes_the_same_neurons(name: str) -> None:
    pruning = pytest.importorskip("torch_pruning", reason="torch-pruning is not installed: pip install torch-pruning")
    model, found = MODELS[name](), groups_of(name)
    dead = [1, 4, 5, 17]
    alive = [~torch.isin(torch.arange(layer.size), torch.tensor(dead)) if layer.kind == "neurons"
             else torch.ones(layer.size, dtype=torch.bool) for layer in found.layers]  # fmt: skip
    ours = removed_groups(model, found, alive).model
    graph = pruning.DependencyGraph().build_dependency(model, example_inputs={"input_ids": tokens(), "use_cache": False})
    for layer in found.of("neurons"):
        graph.get_pruning_group(model.get_submodule(layer.name), pruning.prune_linear_out_channels, idxs=dead).prune()
    theirs = dict(model.named_parameters())
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.named_parameters())
    assert difference(logits(ours), logits(model)) < 1e-6


def test_what_had_to_stay_is_said() -> None:
    name = "Llama, grouped keys, tied"
    model, found = MODELS[name](), groups_of(name)
    result = removed_groups(model, found, [torch.zeros(layer.size, dtype=torch.bool) for layer in found.layers])
    assert [int(mask.sum()) for mask in result.alive] == [4, 1, 1, 1, 1]
    assert result.notes[:2] == (
        "model.embed_tokens keeps one of its residual, since a layer of none cannot be built",
        "3 more residual dimensions stay, since the width must be a multiple of 4 heads",
    )
    assert sum("keeps one of its neurons" in note for note in result.notes) == 2
    assert (result.model.config.hidden_size, result.model.config.intermediate_size, result.model.config.num_key_value_heads) == (4, 1, 1)
    assert difference(logits(result.model), logits(masked_model(model, found, result.alive))) < 1e-5


def test_padding_and_unlisted_fields_are_said() -> None:
    even, uneven = smaller("Qwen2")[1], smaller("Qwen2", uneven=True)[1]
    assert any(note.endswith("neurons are left; every layer is filled up with zeros to 12") for note in even.notes)
    assert not any("neurons" in note for note in uneven.notes)
    assert any(note.startswith("the configuration has head_dim = 6, which Qwen2Config does not list") for note in even.notes)


def test_heads_stay_where_their_number_does_not_divide_the_width() -> None:
    model, found = MODELS["Llama"](), groups_of("Llama")
    alive = [torch.arange(layer.size) < {"residual": 20, "heads": 3, "neurons": 20}[layer.kind] for layer in found.layers]
    result = removed_groups(model, found, alive)
    assert (result.model.config.hidden_size, result.model.config.num_attention_heads) == (20, 4)
    assert "6 heads are left; every layer is filled up with zeros to 4" in result.notes


def test_an_uneven_model_can_lose_more() -> None:
    model = smaller("Llama, grouped keys, tied", uneven=True)[1].model
    found = language_groups(model)
    assert len({layer.size for layer in found.of("neurons")}) == 2
    for uneven in (False, True):
        result = removed_groups(model, found, masks(found, "neurons", seed=5), uneven=uneven)
        assert type(result.model).__name__ == ("UnevenLlamaForCausalLM" if uneven else "LlamaForCausalLM")
        assert difference(logits(result.model), logits(masked_model(model, found, result.alive))) < 1e-5


class Own(t.LlamaForCausalLM):
    """A class that the ``Auto`` classes do not know."""


def test_bad_input() -> None:
    model, found = MODELS["Llama"](), groups_of("Llama")
    with pytest.raises(ValueError, match=r"of \[24, 20, 20, 4, 4\] entries; got \['bool \(24,\)'\]"):
        removed_groups(model, found, masks(found)[:1])
    with pytest.raises(ValueError, match="ignore_mismatched_sizes must be left out: it reads layers of another width as random weights"):
        load("anywhere", ignore_mismatched_sizes=True)
    with pytest.raises(ValueError, match=r"one that AutoModelForCausalLM knows.*got Own\. Leave out uneven=True"):
        uneven_model(Own, model.config, {})
    with pytest.raises(ValueError, match=r"must have model\.layers\.0\.self_attn\.q_proj\.weight of shape \(12, 24\); got \(6, 24\)"):
        removed_groups(model, groups_of("Mistral"), masks(groups_of("Mistral"), "heads"))


def test_a_model_that_answers_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculpting.narrow.language.groups.removal.rescale", lambda *_: None)
    with pytest.raises(ValueError, match=r"must answer as the masked one; got logits that differ by .* leave out residual dimensions"):
        smaller("Llama", "residual")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Unrecognized model in .*model_type"):
        load(tmp_path)
