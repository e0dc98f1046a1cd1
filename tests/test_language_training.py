"""The training loop: resume, accumulation, precision, memory, errors, penalty, distillation."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
import torch
from language_tiny import groups_of, pattern, tiny
from torch import Tensor

from sculpting.narrow.language import LanguageTraining, LassoPenalty, TrainedLanguage, train_language
from sculpting.narrow.language.text.windows import PackedWindows
from sculpting.narrow.language.training import checkpointing
from sculpting.narrow.language.training.lasso import dead_groups
from sculpting.narrow.language.training.loss import evaluated
from sculpting.narrow.language.training.processes import Processes

ROOT = Path(__file__).resolve().parents[1]
WINDOWS = PackedWindows(pattern(40, 1).flatten(), 8)
VALIDATION = {"keep": pattern(5, 1, seed=50), "forget": pattern(5, 7, seed=60)}
SETTINGS = LanguageTraining(tokens=12 * 32, batch_size=4, every=3, learning_rate=0.01, weight_decay=0.01)


def train(model: Any, settings: LanguageTraining = SETTINGS, **options: Any) -> TrainedLanguage:
    return train_language(model, WINDOWS, VALIDATION, settings, **({"progress": False, "device": "cpu"} | options))


def weights(model: Any) -> Tensor:
    return torch.cat([tensor.detach().flatten().float() for tensor in model.parameters()])


def losses(trained: TrainedLanguage) -> list[tuple[Any, ...]]:
    return [(p.step, p.tokens, repr(p.training), *p.losses.values()) for p in trained.curve]


# The loop


def test_training_learns_and_its_curve_says_so() -> None:
    model = tiny()
    trained = train(model, replace(SETTINGS, tokens=60 * 32 - 5, every=20))
    assert [(p.step, p.tokens) for p in trained.curve] == [(0, 0), (20, 640), (40, 1280), (60, 1920)]
    assert math.isnan(trained.curve[0].training)
    assert trained.curve[-1].losses["keep"] < trained.curve[0].losses["keep"] - 0.5
    assert trained.curve[-1].losses["keep"] < trained.curve[-1].losses["forget"]
    assert trained.selected is trained.curve[-1]
    assert trained.tokens_per_second > 0
    for name, held_out in VALIDATION.items():
        assert trained.selected.losses[name] == pytest.approx(float(evaluated(model, held_out).mean()), rel=1e-6)


def test_the_mean_of_training_losses_is_that_of_the_batches() -> None:
    model = tiny()
    trained = train(model, replace(SETTINGS, learning_rate=0.0, tokens=3 * 32))
    wanted = sum(float(evaluated(tiny(), WINDOWS.batch(step, 4, 0)).mean()) for step in range(3)) / 3
    assert trained.curve[1].training == pytest.approx(wanted, rel=1e-5)
    assert torch.equal(weights(model), weights(tiny()))


def test_the_rate_rises_and_falls() -> None:
    settings = LanguageTraining(learning_rate=1.0, warm_up=0.1)
    rates = [settings.rate(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([step / 10 for step in range(1, 11)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[99] < 0.001
    assert settings.rate(0, 1) == 1
    assert LanguageTraining(learning_rate=1.0, warm_up=1).rate(9, 10) == 1


def test_accumulated_gradients_are_those_of_one_batch() -> None:
    models = [tiny(dtype=torch.float64) for _ in range(3)]
    curves = [
        losses(train(model, replace(SETTINGS, batch_size=7, windows_at_once=at_once)))
        for model, at_once in zip(models, (None, 3, 1), strict=True)
    ]
    for model, curve in zip(models[1:], curves[1:], strict=True):
        torch.testing.assert_close(weights(model), weights(models[0]), rtol=1e-6, atol=1e-7)
        for one, other in zip(curve, curves[0], strict=True):
            assert one[3:] == pytest.approx(other[3:], rel=1e-6)


def test_modes_the_random_state_and_frozen_parameters_stay_as_they_were() -> None:
    model = tiny("gpt2")
    model.transformer.wte.weight.requires_grad_(False)
    model.transformer.h[0].train()
    before = [module.training for module in model.modules()], torch.random.get_rng_state(), model.transformer.wte.weight.clone()
    trained = train(model)
    assert [module.training for module in model.modules()] == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert torch.equal(model.transformer.wte.weight, before[2])
    assert trained.curve[-1].losses["keep"] < trained.curve[0].losses["keep"]


def test_the_same_call_gives_the_same_weights_also_with_dropout() -> None:
    one, two = tiny("gpt2"), tiny("gpt2")
    train(one)
    torch.rand(3)  # what the program draws elsewhere has no effect
    train(two)
    assert torch.equal(weights(one), weights(two))


# Resuming


class Stopped:
    """A progress callback that interrupts at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, step: int, steps: int) -> None:
        if step == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("stop", [3, 4, 6, 11, 12])
@pytest.mark.parametrize("select", ["last", "best"])
def test_an_interrupted_training_goes_on_with_the_same_bits(select: str, stop: int, tmp_path: Path) -> None:
    settings = replace(SETTINGS, select=select, learning_rate=0.05 if select == "best" else 0.01)
    whole = tiny("gpt2")  # which has dropout
    wanted = train(whole, settings)
    path = tmp_path / "run" / "training.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(tiny("gpt2"), settings, checkpoint=path, progress=Stopped(stop))
    model = tiny("gpt2")
    found = train(model, settings, checkpoint=path)
    assert losses(found) == losses(wanted)
    assert found.selected == wanted.selected
    assert torch.equal(weights(model), weights(whole))
    again = tiny("gpt2")
    assert losses(train(again, settings, checkpoint=path)) == losses(wanted)  # nothing is left to do
    assert torch.equal(weights(again), weights(whole))
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("learning_rate", "place"), [(0.3, slice(3, None)), (1.0, slice(0, 1))])  # near the end, and before it diverged
def test_the_best_weights_are_those_of_the_lowest_loss(learning_rate: float, place: slice) -> None:
    model = tiny()
    trained = train(model, replace(SETTINGS, select="best", learning_rate=learning_rate))
    lowest = min(trained.curve, key=lambda p: p.losses["keep"])
    assert trained.selected is lowest
    assert lowest in trained.curve[place]
    assert float(evaluated(model, VALIDATION["keep"]).mean()) == pytest.approx(lowest.losses["keep"], rel=1e-6)


def test_an_interrupted_save_leaves_the_old_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors.torch

    path, real, calls = tmp_path / "training.safetensors", safetensors.torch.save_file, [0]

    def broken(tensors: Any, name: str, **options: Any) -> None:
        calls[0] += 1
        if calls[0] == 2:
            Path(name).write_bytes(b"half a file")
            raise KeyboardInterrupt
        real(tensors, name, **options)

    monkeypatch.setattr(safetensors.torch, "save_file", broken)
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), checkpoint=path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    seen: list[int] = []
    model, whole = tiny(), tiny()
    train(model, checkpoint=path, progress=lambda step, steps: seen.append(step))
    train(whole)
    assert seen[0] == 4
    assert torch.equal(weights(model), weights(whole))


def test_checkpoints_of_other_calls_and_broken_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"
    train(tiny(), checkpoint=path)
    other, before = tiny(), path.read_bytes()
    other.model.norm.weight.data[0] += 1
    calls: list[tuple[Any, dict[str, Any]]] = [
        (other, {}),
        (tiny("gpt2"), {}),
        (tiny(), {"settings": replace(SETTINGS, seed=1)}),
        (tiny(), {"teacher": tiny()}),
        (tiny(), {"lasso": LassoPenalty(1.0), "layers": groups_of().of("neurons")}),
    ]
    for model, options in calls:
        with pytest.raises(ValueError, match=r"checkpoint must be of this call; got .*training\.safetensors, of another model"):
            train(model, checkpoint=path, **options)
    with pytest.raises(ValueError, match="checkpoint must be of this call"):
        train_language(tiny(), WINDOWS, {"keep": VALIDATION["forget"]}, SETTINGS, checkpoint=path, progress=False, device="cpu")
    assert path.read_bytes() == before
    path.write_bytes(before[:1000])
    with pytest.raises(ValueError, match="checkpoint must be a file that this training wrote"):
        train(tiny(), checkpoint=path)
    with pytest.raises(ValueError, match="checkpoint must be in a folder that can be written to"):
        train(tiny(), checkpoint=path / "below")
    with pytest.raises(ValueError, match="checkpoint must be the path of a file; got the folder"):
        train(tiny(), checkpoint=tmp_path)


def test_checkpoints_hold_tied_and_narrow_weights(tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"
    model = tiny(dtype=torch.bfloat16)
    train(model, checkpoint=path)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    again = tiny(dtype=torch.bfloat16)
    train(again, checkpoint=path)
    assert torch.equal(weights(again), weights(model))


# Memory


def short_of_memory(model: Any, most: int) -> list[int]:
    """Make the model run out of memory above some rows; returns the rows of all forwards."""
    seen: list[int] = []
    real = type(model).forward

    def forward(self: Any, input_ids: Tensor, **options: Any) -> Any:
        seen.append(len(input_ids))
        if len(input_ids) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, input_ids=input_ids, **options)

    model.forward = MethodType(forward, model)
    return seen


def test_batches_are_halved_where_memory_runs_out() -> None:
    model, plain = tiny(dtype=torch.float64), tiny(dtype=torch.float64)
    seen = short_of_memory(model, 3)
    found, wanted = train(model, replace(SETTINGS, batch_size=8)), train(plain, replace(SETTINGS, batch_size=8))
    assert found.notes == ("memory ran out; from then on 4 windows at once", "memory ran out; from then on 2 windows at once")
    assert wanted.notes == ()
    assert seen.count(8) == 1
    torch.testing.assert_close(weights(model), weights(plain), rtol=1e-6, atol=1e-7)


def test_memory_for_no_window_is_an_error() -> None:
    model = tiny()
    short_of_memory(model, 0)
    with pytest.raises(torch.OutOfMemoryError):
        train(model)
    settings = replace(SETTINGS, tokens=32)
    with pytest.raises(torch.OutOfMemoryError, match="memory must hold one window of 8 tokens"):
        train_language(model, WINDOWS, {}, settings, progress=False, device="cpu")


# Losses that are not finite


@pytest.mark.parametrize("select", ["last", "best"])
def test_after_a_loss_that_is_not_finite_the_last_good_state_stays(select: str, tmp_path: Path) -> None:
    path, settings = tmp_path / "training.safetensors", replace(SETTINGS, select=select)
    model, calls = tiny(), [0]
    real = model.forward

    def forward(self: Any, **given: Any) -> Any:
        answer = real(**given)
        calls[0] += self.training
        if calls[0] > 7 and self.training:
            answer.logits = answer.logits * torch.inf
        return answer

    model.forward = MethodType(forward, model)
    with pytest.raises(ValueError, match=f"loss must stay finite; got nan .* at step 8. The model has the weights of its {select} eval"):
        train(model, settings, checkpoint=path)
    del model.forward
    assert not model.training
    assert all(tensor.grad is None for tensor in model.parameters())
    resumed = checkpointing.read_checkpoint(path, _identity(settings))
    assert resumed.step == 6
    best = min(resumed.curve, key=lambda point: point[3]["keep"]) if select == "best" else resumed.curve[-1]
    assert float(evaluated(model, VALIDATION["keep"]).mean()) == pytest.approx(best[3]["keep"], rel=1e-6)
    assert train(tiny(), settings, checkpoint=path).curve[-1].step == 12


def _identity(settings: LanguageTraining) -> str:
    return checkpointing.identity_of(tiny(), None, WINDOWS, VALIDATION, settings, None, ())


def test_a_rate_that_is_far_too_high_ends_with_the_weights_of_the_start() -> None:
    model = tiny()
    with pytest.raises(ValueError, match=r"the loss must stay finite; got .* Check the weights, or take a lower learning_rate"):
        train(model, replace(SETTINGS, learning_rate=1e30, clip=0.0))
    assert torch.equal(weights(model), weights(tiny()))


def test_a_model_that_is_broken_from_the_start_is_refused() -> None:
    model = tiny()
    model.model.norm.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match=r"must stay finite; got .*nan.* on held-out windows after 0 steps"):
        train(model)


# What is trained otherwise


@pytest.mark.filterwarnings("error")
def test_bfloat16_is_close_to_float32_and_weights_keep_their_type() -> None:
    one, two, three = tiny(), tiny(), tiny(dtype=torch.bfloat16)
    settings = replace(SETTINGS, tokens=30 * 32)
    exact, rough, narrow = train(one, settings), train(two, replace(settings, precision="bfloat16")), train(three, settings)
    assert {tensor.dtype for tensor in two.parameters()} == {torch.float32}
    assert {tensor.dtype for tensor in three.parameters()} == {torch.bfloat16}
    assert not torch.equal(weights(one), weights(two))
    for each in (rough, narrow):
        assert each.curve[-1].losses["keep"] == pytest.approx(exact.curve[-1].losses["keep"], abs=0.1)


def test_the_group_lasso_ends_with_exact_zeros_and_the_penalty_by_size_with_more() -> None:
    layers, settings = groups_of().of("neurons"), replace(SETTINGS, tokens=20 * 32)
    dead = []
    for penalty in (None, LassoPenalty(10.0), LassoPenalty(10.0, by_size=True)):
        model = tiny()
        train(model, settings, lasso=penalty, layers=layers)
        dead.append(int(torch.cat(dead_groups(model, layers)).sum()))
    assert dead[0] == 0
    assert 0 < dead[1] < dead[2] == 40


def test_distillation_follows_the_teacher_which_stays_as_it_was() -> None:
    teacher, student = tiny().train(), tiny()
    teacher.model.layers[0].eval()
    modes = [module.training for module in teacher.modules()]
    teacher.lm_head.weight.data *= 4
    before = weights(teacher)
    trained = train(student, replace(SETTINGS, tokens=40 * 32, mixing=1.0, temperature=1.0), teacher=teacher)
    assert trained.curve[-1].training < trained.curve[1].training / 2  # the divergence
    assert [module.training for module in teacher.modules()] == modes
    assert torch.equal(weights(teacher), before)
    same = train(tiny(), replace(SETTINGS, mixing=1.0, learning_rate=0.0), teacher=tiny())
    assert same.curve[-1].training == pytest.approx(0, abs=1e-6)


# Several processes


def test_shares_of_all_processes_are_the_whole() -> None:
    rows = torch.arange(7)
    for count in (1, 2, 3, 9):
        shares = [Processes(torch.device("cpu"), index, count).share(rows) for index in range(count)]
        assert sorted(torch.cat(shares).tolist()) == rows.tolist()


@pytest.mark.slow
def test_two_processes_train_like_one(tmp_path: Path) -> None:
    # `accelerate launch --cpu --num_processes 2` starts two processes through MPI only; torchrun is what it calls on several GPUs.
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    subprocess.run([*command, str(ROOT / "tests/language_tiny.py"), str(tmp_path)], check=True, timeout=300, env=environment)
    import language_tiny

    (tmp_path / "one").mkdir()
    language_tiny.launched(tmp_path / "one")
    for name in ("trained", "memory", "broken"):
        one, first, second = ((tmp_path / f"{where}{name}-{i}.txt").read_text() for where, i in (("one/", 0), ("", 0), ("", 1)))
        assert first == second
        numbers = [[float(word) for word in text.split() if word[0].isdigit()] for text in (one, first)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-5)
