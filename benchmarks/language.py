"""What scores of the groups of a language model cost, beside plain ways to get the same numbers. On one thread.

Run as `python benchmarks/language.py` (two minutes). Ablation: each neuron in a copy of the model with its parameters at zero, as in the
published code, against many in one batch without the layers before them. First order: a backward that holds all gradients, against one
that sums and drops them parameter by parameter.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded

import argparse
import copy
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from sculpting.narrow.language import group_scores, language_groups, mean_loss
from sculpting.narrow.language.groups.finding import GroupLayer
from sculpting.narrow.language.groups.slices import group_sums, parameters_of, scale_groups
from sculpting.narrow.language.scores.ablation import ablation_changes
from sculpting.narrow.language.training.loss import next_token_loss

RUNS, NEURONS = 5, 16
RESULT = Path(__file__).parent / "results" / "language.md"


def model_of() -> Any:
    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 8}
    return LlamaForCausalLM(LlamaConfig(vocab_size=4096, **sizes)).eval()


def copied_ablation(model: Any, layer: GroupLayer, windows: Tensor) -> list[float]:
    base, found = mean_loss(model, windows), []
    for neuron in range(NEURONS):
        other, factors = copy.deepcopy(model), torch.ones(layer.size)
        factors[neuron] = 0
        scale_groups(other, layer, factors)
        found.append(mean_loss(other, windows) - base)
    return found


def plain_first_order(model: Any, layers: tuple[GroupLayer, ...], windows: Tensor) -> list[Tensor]:
    model.zero_grad()
    for part in windows.split(4):
        (next_token_loss(model, part) * (len(part) / len(windows))).backward()
    products = {name: tensor.detach() * tensor.grad for name, tensor in parameters_of(model).items()}
    return [group_sums(layer, products).abs() for layer in layers]


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compared(name: str, plain: Callable[[], Any], ours: Callable[[], Any], error: float) -> str:
    plain(), ours()
    ratios, own = [], []
    for _ in range(RUNS):
        own.append(seconds(ours))
        ratios.append(seconds(plain) / own[-1])
    values = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    return f"| {name} | {median(own):.2f} s | {median(ratios):.2f} | {values} | {error:.1g} |"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    model, windows = model_of(), torch.randint(4096, (4, 128), generator=torch.Generator().manual_seed(0))
    neurons = language_groups(model).of("neurons")
    lines = []
    for place, where in ((0, "first"), (4, "middle"), (7, "last")):
        layer = neurons[place]
        found = ablation_changes(model, layer, windows, range(NEURONS))
        error = float((found - torch.tensor(copied_ablation(model, layer, windows))).abs().max())
        lines.append(
            compared(
                f"ablation of {NEURONS} neurons of the {where} layer, a copy each / batched",
                lambda layer=layer: copied_ablation(model, layer, windows),
                lambda layer=layer: ablation_changes(model, layer, windows, range(NEURONS)),
                error,
            )
        )
    pairs = zip(group_scores(model, neurons, windows), plain_first_order(model, neurons, windows), strict=True)
    error = max(float((a - b).abs().max()) for a, b in pairs)
    lines.append(
        compared(
            "first order of all neurons, all gradients held / dropped",
            lambda: plain_first_order(model, neurons, windows),
            lambda: group_scores(model, neurons, windows),
            error,
        )
    )
    text = "\n".join(
        [
            "# Scores of language models",
            "",
            f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread. A Llama of 8 layers and width 256, "
            f"{model.num_parameters():,} parameters, 4 windows of 128 tokens. Medians of {RUNS} runs, each pair one after the other.",
            "",
            "| what | ours | ratio | all ratios | largest difference |",
            "|---|---|---|---|---|",
            *lines,
            "",
        ]
    )
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
