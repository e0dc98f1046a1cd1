"""The cells of a real model, SmolLM2 of 135 million parameters."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from ...narrow.correlation import score_correlation
from ...narrow.language import LanguageTraining, TextDomain, group_scores, language_groups, load_language
from ...narrow.language.frontier import sparsity_curve
from ...narrow.language.narrowing import narrow_language
from ...narrow.language.scores.ablation import ablation_changes
from ...narrow.language.text.text_domains import two_domains
from ...randomness import keys, permutations
from ...store import Row
from .rows import row, with_zeros
from .text import some_documents

__all__ = ["SMOLLM2", "smollm2_cell", "smollm2_cells"]

SCALE = "SmolLM2-135M"
# Windows of 128 tokens; tokens that scores, recovery and refitting see.
SMOLLM2: dict[str, Any] = {
    "length": 128, "documents": 150, "held_out": 12, "scored_tokens": 4096, "sparsities": [0.0, 0.1, 0.2, 0.4, 0.6, 0.8],
    "recovery_tokens": 10240, "revival_tokens": 4096, "learning_rate": 1e-4, "neurons": 120, "dimensions": 48, "tried_tokens": 512,
}  # fmt: skip
SCORES = ("first_order", "absolute_gradient", "activation_gradient", "norm", "random")
RECOVERED = (("attribution", 0.5), ("random", 0.5), ("attribution", 0.8), ("random", 0.8))


def smollm2_cells() -> dict[str, dict[str, Any]]:
    """The arguments of the cells, by their names."""
    cells: dict[str, dict[str, Any]] = {f"smollm2_sparsity_{score}": {"part": "sparsity", "method": score} for score in SCORES}
    cells |= {f"smollm2_recovery_{m}_{s:g}": {"part": "recovery", "method": m, "sparsity": s} for m, s in RECOVERED}
    cells |= {f"smollm2_{part}": {"part": part} for part in ("agreement", "overlap")}
    return {name: {"scale": "smollm2", **cell} for name, cell in cells.items()}


def smollm2_cell(part: str, method: str = "", sparsity: float = 0.0) -> list[Row]:
    """The rows of one cell."""
    start = time.perf_counter()
    model, tokenizer = load_language("smollm2")
    python, english = (some_documents(name, SMOLLM2["documents"]) for name in ("python", "english"))
    keep, forget = two_domains(
        python, english, tokenizer, model.config.vocab_size, length=SMOLLM2["length"], held_out=SMOLLM2["held_out"], limit=None, seed=0
    )
    assert forget is not None
    found = PARTS[part](model, keep, forget, method, sparsity)
    return [{**each, "seconds": round((time.perf_counter() - start) / len(found), 3)} for each in found]


def _sparsity(model: Any, keep: TextDomain, forget: TextDomain, method: str, sparsity: float) -> list[Row]:
    layers = language_groups(model).of("neurons")
    scores = group_scores(model, layers, _scored(keep), method)
    curve = sparsity_curve(model, layers, scores, keep.test, forget.test, tuple(SMOLLM2["sparsities"]))
    return [row(SCALE, "sparsity", method=method, seed=0, sparsity=p.sparsity, keep=p.keep, forget=p.forget) for p in curve]


def _scored(domain: TextDomain) -> Tensor:
    return domain.train.batch(0, min(len(domain.train), SMOLLM2["scored_tokens"] // SMOLLM2["length"]), 0)


def _training(tokens: int) -> LanguageTraining:
    return LanguageTraining(tokens=tokens, batch_size=4, learning_rate=SMOLLM2["learning_rate"], every=5)


def _recovery(model: Any, keep: TextDomain, forget: TextDomain, method: str, sparsity: float) -> list[Row]:
    """Recovery of a pruned model; of the first also what training on the other text brings back, beside a control without pruning."""
    first = (method, sparsity) == RECOVERED[0]
    result = narrow_language(
        model, keep, forget, method=method, sparsity=sparsity, sparsities=(), length=SMOLLM2["length"],
        scored_tokens=SMOLLM2["scored_tokens"], training=_training(SMOLLM2["recovery_tokens"]), control=first,
        revival_tokens=SMOLLM2["revival_tokens"] if first else 0, progress=False,
    )  # fmt: skip
    same = {"method": method, "sparsity": sparsity, "seed": 0}
    return [
        row(SCALE, "recovery", phase=p.name, **same, parameters=with_zeros(p), tokens=p.tokens, keep=p.keep, forget=p.forget)
        for p in result.phases
    ] + [
        row(
            SCALE,
            "recovery",
            phase=f"{p.name}, validation",
            **same,
            parameters=with_zeros(p),
            tokens=point.tokens,
            **dict(point.losses),
        )
        for p in result.phases
        for point in p.curve
    ]


def _agreement(model: Any, keep: TextDomain, forget: TextDomain, method: str, sparsity: float) -> list[Row]:
    """Each kind of attribution against ablation, of some neurons and residual dimensions, on the same tokens."""
    groups = language_groups(model)
    windows = keep.train.batch(0, SMOLLM2["tried_tokens"] // SMOLLM2["length"], 0)
    found = []
    for kind, count in (("neurons", SMOLLM2["neurons"]), ("residual", SMOLLM2["dimensions"])):
        layers = groups.of(kind)
        sizes = [layer.size for layer in layers]
        chosen = torch.sort(permutations(keys([("tried", kind)]), sum(sizes))[0, 0, :count]).values
        owners = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))[chosen]
        inside = chosen - (torch.tensor(sizes).cumsum(0) - torch.tensor(sizes))[owners]
        ablated = torch.cat(
            [ablation_changes(model, layers[i], windows, inside[owners == i].tolist()) for i in range(len(layers)) if (owners == i).any()]
        ).abs()
        for score in ("first_order", "absolute_gradient", *(("activation_gradient",) if kind == "neurons" else ())):
            scores = torch.cat(group_scores(model, layers, windows, score))[chosen]
            agreed = score_correlation(scores.numpy(), ablated.numpy())
            found.append(
                row(
                    SCALE,
                    "agreement",
                    method=f"{score} of {kind}",
                    seed=0,
                    pearson=agreed.pearson,
                    pearson_log=agreed.pearson_log,
                    spearman=agreed.spearman,
                    count=agreed.count,
                )
            )
    return found


def _overlap(model: Any, keep: TextDomain, forget: TextDomain, method: str, sparsity: float) -> list[Row]:
    """Whether the two domains need the same neurons, by two scores."""
    layers = language_groups(model).of("neurons")
    found = []
    for score in ("first_order", "absolute_gradient"):
        both = [torch.cat(group_scores(model, layers, _scored(domain), score)).numpy() for domain in (keep, forget)]
        tops = [set(np.argsort(-each)[: len(each) // 5].tolist()) for each in both]
        shared = len(tops[0] & tops[1]) / len(tops[0])
        ranks = float(spearmanr(*both).statistic)
        found.append(row(SCALE, "overlap", method=score, seed=0, spearman=ranks, top_fifth=shared, count=len(both[0])))
    return found


PARTS = {"sparsity": _sparsity, "recovery": _recovery, "agreement": _agreement, "overlap": _overlap}
