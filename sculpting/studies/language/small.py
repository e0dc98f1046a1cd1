"""The cells of a small Llama that is trained here on Python and English."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import load as tensors_from
from safetensors.torch import save as tensors_to
from torch import Tensor

from ...narrow.language import LanguageResult, LanguageTraining, LassoPenalty, TextDomain, group_scores, language_groups, train_language
from ...narrow.language.frontier import sparsity_curve
from ...narrow.language.narrowing import narrow_language
from ...narrow.language.text.bpe import train_tokenizer
from ...narrow.language.text.splitting import split_documents
from ...narrow.language.text.text_domains import two_domains
from ...narrow.language.text.windows import PackedWindows
from ...narrow.language.training.lasso import dead_groups
from ...narrow.language.training.loss import mean_loss
from ...store import Row
from ...study import CellResult
from .composition import module_rows
from .rows import row, with_zeros
from .text import some_documents

__all__ = ["BASE", "SMALL", "small_cell", "small_cells", "small_needs"]

SCALE = "Llama 4 x 128"
SMALL: dict[str, Any] = {
    "vocabulary": 2048, "width": 128, "mlp": 512, "layers": 4, "heads": 4, "length": 128, "documents": 400,
    "tokenizer_documents": 80, "held_out": 32, "split_seed": 0,
    "base_tokens": 1_024_000, "base_rate": 2e-3, "pruned_tokens": 102_400, "fresh_tokens": 307_200, "rate": 1e-3, "scored_tokens": 16_384,
    "sizes": [[0.5, 0.0], [0.8, 0.25], [0.9, 0.5]], "sparsities": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    "strengths": [3.0, 6.0, 12.0], "revival_tokens": 20_480, "pruned_seeds": 5, "fresh_seeds": 3, "lasso_seeds": 3,
    "recovery_seeds": 3,
}  # fmt: skip
BASE = "small_base"
FILE = "models/base.safetensors"
PRUNED, FRESH = ("attribution", "random"), ("distill", "scratch")


def small_cells() -> dict[str, dict[str, Any]]:
    """The arguments of the cells, by their names."""
    cells: dict[str, dict[str, Any]] = {BASE: {"part": "base"}}
    for size, (sparsity, _) in enumerate(SMALL["sizes"]):
        for methods, seeds in ((PRUNED, "pruned_seeds"), (FRESH, "fresh_seeds")):
            for method in methods:
                for seed in range(SMALL[seeds]):
                    name = f"small_target_{method}_{sparsity:g}_seed{seed}"
                    cells[name] = {"part": "target", "method": method, "size": size, "seed": seed}
    for strength in (0.0, *SMALL["strengths"]):
        for seed in range(SMALL["lasso_seeds"]):
            cells[f"small_lasso_{strength:g}_seed{seed}"] = {"part": "lasso", "strength": strength, "seed": seed}
    cells |= {f"small_forgetting_{method}": {"part": "forgetting", "method": method} for method in ("attribution", "group-lasso")}
    cells["small_modules"] = {"part": "modules"}
    return {name: {"scale": "small", **cell} for name, cell in cells.items()}


def small_needs() -> dict[str, list[str]]:
    """All other cells begin with the model that the first one trains."""
    return {name: [BASE] for name in small_cells() if name != BASE}


def small_cell(part: str, files: Mapping[str, bytes] | None = None, **given: Any) -> CellResult:
    """The rows of one cell; of the first also the model."""
    start = time.perf_counter()
    if files is None:
        rows, made = _base()
    else:
        tensors = tensors_from(next(iter(files.values())))
        model, keep, forget = _model(), _domain("keep", tensors), _domain("forget", tensors)
        model.load_state_dict(tensors, strict=False)
        rows, made = PARTS[part](model, keep, forget, **given), {}
    share = round((time.perf_counter() - start) / len(rows), 3)
    return CellResult([{**each, "seconds": share} for each in rows], made)


def _text() -> tuple[TextDomain, TextDomain]:
    """The two domains, in tokens that were learned from training documents alone."""
    python, english = (some_documents(name, SMALL["documents"]) for name in ("python", "english"))
    seen = [split_documents(each, seed=SMALL["split_seed"]).train[: SMALL["tokenizer_documents"]] for each in (python, english)]
    tokenizer = train_tokenizer([*seen[0], *seen[1]], SMALL["vocabulary"])
    keep, forget = two_domains(
        python, english, tokenizer, SMALL["vocabulary"], length=SMALL["length"], held_out=SMALL["held_out"], limit=None,
        seed=SMALL["split_seed"],
    )  # fmt: skip
    assert forget is not None
    return keep, forget


def _tensors(name: str, domain: TextDomain) -> dict[str, Tensor]:
    """A domain as tensors, so that no other cell has to read and tokenize text."""
    parts = {"train": domain.train.tokens, "validation": domain.validation, "test": domain.test}
    return {f"{name}.{part}": tensor.int() for part, tensor in parts.items()} | {f"{name}.bytes": torch.tensor(domain.bytes_per_token)}


def _domain(name: str, tensors: dict[str, Tensor]) -> TextDomain:
    """Take a domain out of tensors that ``_tensors`` made."""
    train, validation, test, size = (tensors.pop(f"{name}.{part}") for part in ("train", "validation", "test", "bytes"))
    return TextDomain(name, PackedWindows(train, SMALL["length"]), validation.long(), test.long(), float(size))


def _model() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=SMALL["vocabulary"], hidden_size=SMALL["width"], intermediate_size=SMALL["mlp"], num_hidden_layers=SMALL["layers"],
        num_attention_heads=SMALL["heads"], max_position_embeddings=SMALL["length"], tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(config)


def _both(keep: TextDomain, forget: TextDomain) -> PackedWindows:
    return PackedWindows(torch.cat([keep.train.tokens, forget.train.tokens]), SMALL["length"])


def _training(tokens: int, rate: float) -> LanguageTraining:
    return LanguageTraining(tokens=tokens, batch_size=4, learning_rate=rate, every=10 if tokens < 200_000 else 50)


def _base() -> tuple[list[Row], dict[str, bytes]]:
    model, (keep, forget) = _model(), _text()
    settings = replace(_training(SMALL["base_tokens"], SMALL["base_rate"]), every=250)
    validation = {"keep": keep.validation, "forget": forget.validation}
    trained = train_language(model, _both(keep, forget), validation, settings, progress=False)
    rows = [
        row(SCALE, "base", phase="validation", seed=0, parameters=model.num_parameters(), tokens=p.tokens, **dict(p.losses))
        for p in trained.curve
    ]
    losses = {"keep": mean_loss(model, keep.test), "forget": mean_loss(model, forget.test)}
    rows.append(row(SCALE, "base", phase="model", seed=0, parameters=model.num_parameters(), tokens=settings.tokens, **losses))
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.named_parameters()}
    return rows, {FILE: tensors_to(tensors | _tensors("keep", keep) | _tensors("forget", forget))}


def _target(model: Any, keep: TextDomain, forget: TextDomain, method: str, size: int, seed: int) -> list[Row]:
    """Losses in training at one size."""
    sparsity, residual = SMALL["sizes"][size]
    fresh = method in FRESH
    tokens, rate = (SMALL["fresh_tokens"], SMALL["base_rate"]) if fresh else (SMALL["pruned_tokens"], SMALL["rate"])
    result = narrow_language(
        model, keep, forget, method=method, sparsity=sparsity, residual=residual, scope="layer", sparsities=(), length=SMALL["length"],
        scored_tokens=SMALL["scored_tokens"], training=_training(tokens, rate), seed=seed, progress=False,
    )  # fmt: skip
    return _phases(result, "target", method=method, sparsity=sparsity, seed=seed)


def _phases(result: LanguageResult, part: str, **same: Any) -> list[Row]:
    """The test losses of all phases, and the validation losses in training."""
    rows = []
    for p in result.phases:
        rows.append(row(SCALE, part, phase=p.name, parameters=with_zeros(p), tokens=p.tokens, keep=p.keep, forget=p.forget, **same))
        before = p.tokens - p.curve[-1].tokens if p.curve else 0
        for point in p.curve:
            tokens = before + point.tokens
            rows.append(
                row(
                    SCALE,
                    part,
                    phase=f"{p.name}, validation",
                    parameters=with_zeros(p),
                    tokens=tokens,
                    **dict(point.losses),
                    **same,
                )
            )
    return rows


def _lasso(model: Any, keep: TextDomain, forget: TextDomain, strength: float, seed: int) -> list[Row]:
    """Training with the penalty, and what pruning then does; strength 0 is the control."""
    layers = language_groups(model).of("neurons")
    validation = {"keep": keep.validation, "forget": forget.validation}
    penalty = LassoPenalty(strength) if strength else None
    settings = replace(_training(SMALL["pruned_tokens"], SMALL["rate"]), seed=seed)
    train_language(model, keep.train, validation, settings, lasso=penalty, layers=layers, progress=False)
    zeros = sum(int(each.sum()) for each in dead_groups(model, layers)) / sum(layer.size for layer in layers)
    windows = keep.train.batch(0, SMALL["scored_tokens"] // SMALL["length"], seed)
    rows = []
    for score in ("norm", "first_order"):
        curve = sparsity_curve(
            model, layers, group_scores(model, layers, windows, score), keep.test, forget.test, tuple(SMALL["sparsities"])
        )
        rows += [
            row(
                SCALE,
                "lasso",
                method=f"strength {strength:g}",
                phase=score,
                seed=seed,
                sparsity=p.sparsity,
                keep=p.keep,
                forget=p.forget,
                tokens=SMALL["pruned_tokens"],
                zeros=zeros,
            )
            for p in curve
        ]
    return rows


def _forgetting(model: Any, keep: TextDomain, forget: TextDomain, method: str) -> list[Row]:
    """What is forgotten, and what training on it brings back, beside a control without pruning or penalty."""
    result = narrow_language(
        model, keep, forget, method=method, sparsity=0.8, sparsities=(), length=SMALL["length"], scored_tokens=SMALL["scored_tokens"],
        training=_training(SMALL["pruned_tokens"], SMALL["rate"]), lasso=LassoPenalty(SMALL["strengths"][1]),
        lasso_tokens=SMALL["pruned_tokens"], revival_tokens=SMALL["revival_tokens"], control=True, progress=False,
    )  # fmt: skip
    return _phases(result, "forgetting", method=method, sparsity=0.8, seed=0)


def _modules(model: Any, keep: TextDomain, forget: TextDomain) -> list[Row]:
    """Modules of what is left at 80 % sparsity for both domains, over seeds of recovery: the same neurons in every one."""
    validation = torch.cat([keep.validation, forget.validation])
    test = torch.cat([keep.test, forget.test])
    both = TextDomain("both", _both(keep, forget), validation, test, keep.bytes_per_token)
    found = []
    for seed in range(SMALL["recovery_seeds"]):
        result = narrow_language(
            model, both, forget, sparsity=0.8, scope="layer", sparsities=(), length=SMALL["length"], scored_tokens=SMALL["scored_tokens"],
            training=replace(_training(SMALL["pruned_tokens"], SMALL["rate"]), seed=seed), progress=False,
        )  # fmt: skip
        found.append(result.model)
    return module_rows(SCALE, found, keep.test, forget.test)


PARTS: dict[str, Callable[..., list[Row]]] = {"target": _target, "lasso": _lasso, "forgetting": _forgetting, "modules": _modules}
