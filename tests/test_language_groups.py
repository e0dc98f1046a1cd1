"""Groups of language models: for every family, what they say is tried on the model itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from language_models import COMMON, GATED, LAYER_NORMS, MODELS, RMS_NORMS, VOCABULARY, built, groups_of, t, tokens
from torch import Tensor, nn

from sculpting.narrow.language.groups.finding import GroupLayer, language_groups
from sculpting.narrow.language.groups.norms import gain_offset, is_rms_norm
from sculpting.narrow.language.groups.slices import all_alive, group_sums, parameters_of, scale_groups, view_of, without

CLOSE = 1e-6  # of the largest logit
TINY = 1e-13


def logits(model: Any) -> Tensor:
    with torch.no_grad():
        return model(input_ids=tokens(), use_cache=False).logits


def replace(model: Any, layer: GroupLayer, group: int, change: Callable[[Tensor], Tensor], *, reads: bool) -> None:
    """Change what reads, or what writes, one group."""
    known = parameters_of(model)
    for where in layer.slices:
        if where.reads is reads:
            part = view_of(known[where.parameter].data, where, layer.size)[group]
            part.copy_(change(part))


def some(name: str) -> Iterator[tuple[Any, GroupLayer, int]]:
    """Groups of a family, each with the whole model again."""
    model = MODELS[name]()
    whole = {key: tensor.detach().clone() for key, tensor in model.named_parameters()}
    for layer in groups_of(name).layers:
        for group in (0, layer.size - 1):
            for key, tensor in model.named_parameters():
                tensor.data.copy_(whole[key])
            yield model, layer, group


def same(answer: Tensor, wanted: Tensor) -> bool:
    return float((answer - wanted).abs().max()) <= CLOSE * float(wanted.abs().max())


@pytest.mark.parametrize("name", MODELS)
def test_what_reads_a_group_does_not_matter_once_what_writes_it_is_zero(name: str) -> None:
    whole = logits(MODELS[name]())
    for model, layer, group in some(name):
        replace(model, layer, group, torch.zeros_like, reads=False)
        gone = logits(model)
        assert not same(gone, whole)
        replace(model, layer, group, torch.randn_like, reads=True)
        torch.testing.assert_close(logits(model), gone, rtol=0, atol=0)


@pytest.mark.parametrize("name", MODELS)
def test_what_writes_a_group_matters_only_to_what_reads_it(name: str) -> None:
    for model, layer, group in some(name):
        if layer.kind != "residual":  # of which each dimension enters the mean of a norm
            replace(model, layer, group, torch.zeros_like, reads=True)
            gone = logits(model)
            replace(model, layer, group, torch.randn_like, reads=False)
            torch.testing.assert_close(logits(model), gone, rtol=0, atol=0)


@pytest.mark.parametrize("name", MODELS)
def test_a_group_has_all_parameters_that_it_alone_uses(name: str) -> None:
    """The gradients that vanish with a group are those of its own elements, and no others."""
    for layer in groups_of(name).layers:
        model = MODELS[name](torch.float64)
        before, group = used(model), layer.size - 1
        replace(model, layer, group, torch.zeros_like, reads=True)
        replace(model, layer, group, torch.zeros_like, reads=False)
        after = used(model)
        own = {key: torch.zeros_like(mask) for key, mask in before.items()}
        for where in layer.slices:
            view_of(own[where.parameter], where, layer.size)[group] = True
        for key, mask in own.items():
            assert torch.equal(before[key] & ~after[key], before[key] & mask), (layer.name, group, key)


def used(model: Any) -> dict[str, Tensor]:
    """Where the gradient of a weighted sum of the logits is more than rounding, as it is for keys without a position."""
    model.zero_grad()
    answer = model(input_ids=tokens(), use_cache=False).logits
    (answer * torch.randn(answer.shape, dtype=answer.dtype, generator=torch.Generator().manual_seed(2))).sum().backward()
    return {key: tensor.grad.abs() > TINY for key, tensor in parameters_of(model).items()}


@pytest.mark.parametrize("name", MODELS)
def test_kinds_and_sizes(name: str) -> None:
    found, config = groups_of(name), MODELS[name]().config
    sizes = {kind: [layer.size for layer in found.layers if layer.kind == kind] for kind in ("neurons", "residual", "heads")}
    assert sizes["neurons"] == config.num_hidden_layers * [getattr(config, "intermediate_size", None) or 4 * config.hidden_size]
    assert sizes["residual"] == ([24] if name in RMS_NORMS else [])
    assert sizes["heads"] == (config.num_hidden_layers * [config.num_key_value_heads] if name in RMS_NORMS else [])
    assert set(found.missing) == ({"residual", "heads"} if name in LAYER_NORMS else set())
    for kind in found.missing:
        with pytest.raises(ValueError, match=rf"{kind} cannot be pruned in this architecture: (a LayerNorm|the class computes)"):
            found.of(kind)


def test_what_groups_consist_of() -> None:
    found = groups_of("Llama, grouped keys, tied")
    layer = found.of("neurons")[0]
    assert {(s.parameter, s.axis, s.reads) for s in layer.slices} == {
        ("model.layers.0.mlp.gate_proj.weight", 0, False),
        ("model.layers.0.mlp.up_proj.weight", 0, False),
        ("model.layers.0.mlp.down_proj.weight", 1, True),
    }
    assert layer.modules(reads=True) == ("model.layers.0.mlp.down_proj",)
    heads = found.of("heads")[0]
    assert {(s.parameter.split(".")[-2], s.axis, s.block) for s in heads.slices} == {
        ("q_proj", 0, 12), ("k_proj", 0, 6), ("v_proj", 0, 6), ("o_proj", 1, 12),
    }  # fmt: skip
    assert heads.block("model.layers.0.self_attn.o_proj") == 12
    norms = [f"model.layers.{i}.{norm}" for i in (0, 1) for norm in ("input_layernorm", "post_attention_layernorm")]
    assert found.of("residual")[0].norms == (*norms, "model.norm")
    assert str(found) == "neurons: 40 in 2 layers\nresidual: 24 in 1 layers\nheads: 4 in 2 layers"
    with pytest.raises(ValueError, match=r"kind must be one of \['neurons', 'residual', 'heads'\]; got 'experts'"):
        found.of("experts")


def test_the_groups_of_gpt2_as_text() -> None:
    assert re.fullmatch(r"neurons: 192 in 2 layers\nresidual: none, a Layer.*\nheads: none, the class .*", str(groups_of("GPT-2")))


SCALED = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
OTHERS: dict[str, dict[str, Any]] = {
    "one key-value head": {"num_key_value_heads": 1},
    "scaled rotary positions": {"max_position_embeddings": 256, "rope_parameters": SCALED | {"rope_theta": 10000.0}},
    "positions that depend on the length": {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}},
}


@pytest.mark.parametrize("fields", OTHERS.values(), ids=[*OTHERS])
def test_settings_of_llama(fields: dict[str, Any]) -> None:
    model = MODELS["Llama, grouped keys, tied"](num_hidden_layers=1, attn_implementation="sdpa", **fields)
    heads = model.config.num_key_value_heads
    assert str(language_groups(model)) == f"neurons: 20 in 1 layers\nresidual: 24 in 1 layers\nheads: {heads} in 1 layers"


def test_finding_groups_changes_nothing(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    model = MODELS["Mistral"](torch.bfloat16, num_hidden_layers=1).train()
    model.lm_head.eval()
    before, config = {key: tensor.clone() for key, tensor in model.state_dict().items()}, model.config.to_dict()
    modes, state = [part.training for part in model.modules()], torch.get_rng_state()
    with caplog.at_level(logging.INFO):
        language_groups(model)
    assert torch.equal(state, torch.get_rng_state())
    assert (torch.get_default_dtype(), model.config._attn_implementation) == (torch.float32, "sdpa")
    assert model.config.to_dict() == config
    assert [part.training for part in model.modules()] == modes
    assert all(torch.equal(before[key].view(torch.int16), tensor.view(torch.int16)) for key, tensor in model.state_dict().items())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert capfd.readouterr() == ("", "")


class Branch(t.LlamaForCausalLM):
    """A decoder with a branch on values."""

    def forward(self, input_ids: Tensor, **options: Any) -> Any:
        answer = super().forward(input_ids=input_ids, **options)
        return answer if bool(answer.logits.sum() > 0) else super().forward(input_ids=input_ids.flip(1), **options)


def adapted() -> Any:
    model = MODELS["Llama"](num_hidden_layers=1)
    model.model.layers[0].mlp.up_proj.lora_A = nn.Linear(24, 2)
    return model


def quantized() -> Any:
    model = MODELS["Llama"](num_hidden_layers=1)
    model.lm_head.weight = nn.Parameter(torch.zeros(4, 24, dtype=torch.uint8), requires_grad=False)
    return model


def experts() -> Any:
    return built(t.MixtralForCausalLM, t.MixtralConfig(**GATED | {"num_hidden_layers": 1}, num_local_experts=3))


def bloom() -> Any:
    return built(t.BloomForCausalLM, t.BloomConfig(vocab_size=VOCABULARY, hidden_size=24, n_layer=1, n_head=4))


def soft() -> Any:
    fields = {**COMMON, "num_hidden_layers": 1, "activation_function": "sigmoid"}
    return built(t.GPT2LMHeadModel, t.GPT2Config(**fields))


def branching() -> Any:
    return built(Branch, t.LlamaConfig(**GATED | {"num_hidden_layers": 1}))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (adapted, r"its class, LlamaForCausalLM; got 'model\.layers\.0\.mlp\.up_proj\.lora_A\.bias' in .*Merge adapters"),
        (lambda: nn.Sequential(adapted()), r"transformers\.PreTrainedModel; got Sequential\. Merge adapters and unwrap"),
        (quantized, r"got 'lm_head\.weight' of a quantized model\. Dequantize it first"),
        (
            branching,
            r"Branch cannot be followed: .* cannot be exported at .*test_language_groups\.py.*must not depend on",
        ),
        (experts, r"MixtralForCausalLM cannot be followed: .*through 'topk', at .*modeling_mixtral\.py.*a comparison of units decides"),
        (bloom, r"must have the width of the MLP as one of \['intermediate_size', .*\]; got BloomConfig"),
        (soft, r"GPT2LMHeadModel must have an MLP whose neurons can be told apart; got none: their activation is not 0 at 0"),
    ],
)
def test_what_cannot_be_followed_is_named(make: Callable[[], Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        language_groups(make())


def test_heads_under_a_norm_over_all_of_them_stay() -> None:
    found = language_groups(built(t.Olmo2ForCausalLM, t.Olmo2Config(**GATED | {"num_hidden_layers": 1})))
    assert found.missing == {"heads": "a norm takes the mean over all of them"}


def test_norms_are_told_apart() -> None:
    assert gain_offset(MODELS["Llama"]().model.norm) == 0
    assert gain_offset(MODELS["Gemma"]().model.norm) == 1
    assert not is_rms_norm(nn.LayerNorm(24))
    with pytest.raises(ValueError, match="a norm must be an RMSNorm with a weight; got LayerNorm"):
        gain_offset(nn.LayerNorm(24))


def test_sums_and_factors_of_groups() -> None:
    model, layer = MODELS["Phi-3"](), groups_of("Phi-3").of("neurons")[1]
    mlp = model.model.layers[1].mlp
    gate, up = mlp.gate_up_proj.weight.detach().chunk(2)
    wanted = gate.sum(1) + up.sum(1) + mlp.down_proj.weight.detach().sum(0)
    torch.testing.assert_close(group_sums(layer, parameters_of(model)), wanted)
    scale_groups(model, layer, torch.arange(20.0))
    torch.testing.assert_close(group_sums(layer, parameters_of(model)), wanted * torch.arange(20.0))
    torch.testing.assert_close(mlp.gate_up_proj.weight.detach()[21], up[1])


@pytest.mark.parametrize("name", ["Llama, grouped keys, tied", "Phi-3", "GPT-2"])
def test_without_puts_all_bits_back_when_something_is_raised(name: str) -> None:
    model, found = MODELS[name](torch.bfloat16), groups_of(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    alive = [torch.arange(layer.size) % 2 == 0 for layer in found.layers]

    def stop() -> None:
        with without(model, found.layers, alive):
            assert not torch.equal(before["lm_head.weight"], model.lm_head.weight) or name == "GPT-2"
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        stop()
    for wrong in (alive[:-1], [*alive[:-1], torch.ones(3, dtype=torch.bool)], [*alive[:-1], alive[-1].int()]):
        with pytest.raises(ValueError, match=r"alive must be a bool Tensor for each layer of groups, of \[.*\] entries; got"):
            without(model, found.layers, wrong).__enter__()
    assert all(torch.equal(before[key].view(torch.int16), tensor.view(torch.int16)) for key, tensor in model.state_dict().items())
    with without(model, found.layers, all_alive(found.layers)):
        assert torch.equal(model.lm_head.weight, before["lm_head.weight"])
