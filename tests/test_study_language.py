"""The study of language models at a tiny size, its report, and the command that narrows one model."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from language_models import MODELS

from sculpting.cli import main
from sculpting.narrow.language import language_groups, read_documents
from sculpting.narrow.language.groups.slices import parameters_of
from sculpting.narrow.language.text.bpe import train_tokenizer
from sculpting.studies.language import TITLES, study
from sculpting.studies.language.composition import _layers, composition
from sculpting.studies.language.report import language_report
from sculpting.studies.language.rows import COLUMNS, row
from sculpting.studies.language.small import SMALL, small_cell, small_cells, small_needs
from sculpting.studies.language.text import some_documents
from sculpting.study import CellResult

TINY = {
    "vocabulary": 300, "width": 32, "mlp": 24, "layers": 2, "heads": 2, "length": 32, "documents": 24, "held_out": 4, "base_tokens": 4096,
    "pruned_tokens": 1280, "fresh_tokens": 1280, "scored_tokens": 256, "revival_tokens": 512, "recovery_seeds": 2,
}  # fmt: skip


@cache
def base() -> CellResult:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TINY.items():
            patch.setitem(SMALL, name, value)
        return small_cell("base")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TINY.items():
        monkeypatch.setitem(SMALL, name, value)


def rows_of(**given: Any) -> list[Any]:
    return list(small_cell(files=base().files, **given).rows)


def test_documents_of_a_domain_are_the_same_in_every_cell() -> None:
    first, again = (some_documents("english", 10) for _ in range(2))
    assert first == again
    assert len({document.name for document in first}) == 10
    assert first != list(read_documents("english")[:10])


def test_the_base_is_trained_and_all_other_cells_need_it() -> None:
    rows = list(base().rows)
    assert rows[-1]["phase"] == "model"
    assert rows[-2]["keep"] < rows[0]["keep"] - 0.5  # validation losses, at the end and before any step
    assert {*small_needs()} == {*small_cells()} - {"small_base"}
    assert all({*each} == {*COLUMNS} for each in rows)


def test_a_row_has_no_unknown_columns_and_no_nan() -> None:
    assert row("s", "base", keep=float("nan"))["keep"] is None
    with pytest.raises(ValueError, match="must be of the columns"):
        row("s", "base", los=1.0)


def test_the_model_of_the_base_is_that_of_the_other_cells() -> None:
    """Before any training a pruned model of sparsity 0 would be the base: the first phase has its losses on the test text."""
    rows = rows_of(part="target", method="attribution", size=0, seed=0)
    assert [each["phase"] for each in rows if not each["phase"].endswith("validation")] == ["model", "pruned", "recovered"]
    [last] = [each for each in base().rows if each["phase"] == "model"]
    assert (rows[0]["keep"], rows[0]["forget"]) == pytest.approx((last["keep"], last["forget"]))
    assert rows[1]["parameters"] < rows[0]["parameters"]
    assert rows[-1]["tokens"] == 1280 + 256


def test_the_control_of_the_group_lasso_has_no_zeros() -> None:
    plain, strong = rows_of(part="lasso", strength=0.0, seed=0), rows_of(part="lasso", strength=1e4, seed=0)
    assert plain[0]["zeros"] == 0
    assert strong[0]["zeros"] == 1
    assert len(plain) == 2 * len(SMALL["sparsities"])
    # With all neurons at zero, how many are removed changes nothing.
    assert len({each["keep"] for each in strong}) == 1
    assert len({each["keep"] for each in plain}) > 1


def test_modules_are_reported_with_a_null_and_lesions() -> None:
    rows = rows_of(part="modules")
    models = [each for each in rows if each["phase"] == "model"]
    assert len(models) == 2
    assert all(each["null"] <= each["null_max"] + 1e-9 and -1 <= each["stability"] <= 1 + 1e-9 for each in models)  # a mean may round up
    assert models[0]["stability"] == models[1]["stability"]  # two seeds have one pair
    assert len(rows) - len(models) <= 3


def test_composition_is_the_norm_of_what_is_read_times_what_is_written() -> None:
    model = MODELS["Llama"]()
    found, layers = composition(model), _layers(model)
    sizes = [layer.size for layer in layers]
    assert found.shape == (sum(sizes), sum(sizes))
    tensors = {name: tensor.detach() for name, tensor in parameters_of(model).items()}
    at = [sum(sizes[:i]) for i in range(len(sizes))]
    mlps = [place for place, layer in enumerate(layers) if layer.kind == "neurons"]
    early, late = mlps[0], mlps[1]
    a, b = at[early] + 2, at[late] + 3
    down = tensors["model.layers.0.mlp.down_proj.weight"][:, 2]
    read = torch.stack([tensors[f"model.layers.1.mlp.{name}_proj.weight"][3] for name in ("gate", "up")])
    assert found[a, b] == pytest.approx(float((read @ down).norm() / read.norm() / down.norm()), rel=1e-5)
    assert found[b, a] == 0  # nothing earlier reads what is written later


def test_the_report_has_a_section_and_a_figure_for_what_was_run() -> None:
    rows = [*base().rows, *rows_of(part="target", method="attribution", size=1, seed=0), *rows_of(part="lasso", strength=0.0, seed=0)]
    rows = [{**each, "seconds": 1.0} for each in rows]
    files = language_report(rows, lambda name: None, title=TITLES["small"])
    text = files["summary.md"].decode()
    assert "## Tokens to one loss" in text
    assert "## Group lasso" in text
    assert "## Recovery" not in text
    assert {"target.svg", "lasso.svg"} <= {*files}


def test_each_scale_has_its_own_settings() -> None:
    small, real = study("small"), study("smollm2")
    assert small.settings["scale"] == "small"
    assert real.settings["scale"] == "smollm2"
    assert not real.needs
    with pytest.raises(ValueError, match="scale must be one of"):
        study("large")


@cache
def saved(folder: Path) -> Path:
    model, tokenizer = MODELS["Llama"](), train_tokenizer(some_documents("python", 10), 300)
    small = type(model)(type(model.config)(**{**model.config.to_dict(), "vocab_size": 300}))
    small.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def text_folder(folder: Path, word: str) -> Path:
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.txt").write_text(" ".join(f"{word}{100 * number + place}" for place in range(60)))
    return folder


def test_the_command_writes_a_model_and_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = saved(tmp_path / "model")
    (tmp_path / "out" / "checkpoints").mkdir(parents=True)
    (tmp_path / "out" / "checkpoints" / "mine.safetensors").write_text("mine")
    keep, forget = text_folder(tmp_path / "keep", "tree"), text_folder(tmp_path / "forget", "sea")
    line = ["narrow-lm", "--model", str(folder), "--keep", str(keep), "--forget", str(forget), "--out", str(tmp_path / "out")]
    assert main([*line, "--sparsity", "0.5", "--tokens", "256", "--length", "16", "--batch-size", "4", "--every", "2", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {"model", "report.md", "settings.json", "curves.svg", "checkpoints"}
    assert (out / "checkpoints" / "mine.safetensors").read_text() == "mine"
    assert json.loads((out / "settings.json").read_text())["sparsity"] == 0.5
    from sculpting.narrow.language import load_language

    model, tokenizer = load_language(out / "model")
    assert len(tokenizer) == 300
    assert main([*line, "--quiet"]) == 2
    assert "--out must hold no model yet" in capsys.readouterr().err
    whole, _ = load_language(folder)
    assert model.num_parameters() < whole.num_parameters()
    assert sum(layer.size for layer in language_groups(model).of("neurons")) < sum(x.size for x in language_groups(whole).of("neurons"))


def test_a_model_without_its_head_is_refused(tmp_path: Path) -> None:
    from sculpting.narrow.language import load

    MODELS["Llama"]().model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["LlamaForCausalLM"], "tie_word_embeddings": False}))
    with pytest.raises(ValueError, match=r"must have all weights of its class, LlamaForCausalLM; got none for lm_head.weight"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--sparsity", "1.5"], r"sparsity must be the fraction of groups to remove, in \[0, 1\); got 1.5"),
        (["--tokens", "0"], "tokens must be"),
        (["--model", "/nowhere/model"], "the model must be a folder that is there"),
    ],
)
def test_bad_input_is_one_line(options: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["narrow-lm", "--model", "/nowhere/model", "--keep", "python", "--out", str(tmp_path / "out")]
    assert main([*line, *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(expected, error)
    assert not (tmp_path / "out").exists()


def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs/language.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "docs/language.md", "exec"), {})
    assert re.match(r"\d{5} \d+ neurons are left", capsys.readouterr().out)
