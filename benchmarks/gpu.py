"""What training costs on a GPU: the parts of `gpu.sh`, which gives each its limit of time. `--device cpu` tries them without one."""

from __future__ import annotations

import argparse
import platform
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import torch
from autograd_engine import Images, Tokens
from engine import MNIST, copied_bytes_a_second, mnist_task, runs, synchronised, throughput
from marks import table
from torch import Tensor, nn

from sculpting.autograd import Architecture, ModuleRows, fresh_members
from sculpting.autograd import training as autograd_training
from sculpting.data import Data
from sculpting.mlp.population import Population
from sculpting.mlp.training import train
from sculpting.models.groups import units
from sculpting.models.shape import Shape
from sculpting.randomness import keys
from sculpting.settings import RoundSettings
from sculpting.tasks import Task

FLOAT = 4
STEPS = 30


def device_line(device: str) -> list[str]:
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    if not device.startswith("cuda"):
        return [f"{device}; {versions}"]
    facts = torch.cuda.get_device_properties(device)
    kind = f"{facts.name}, {facts.total_memory / 1e9:.0f} GB, compute capability {facts.major}.{facts.minor}"
    return [f"{kind}; CUDA {torch.version.cuda}; {versions}"]


def chains(device: str) -> list[str]:
    return throughput(device, (1_000, 10_000, 100_000) if device.startswith("cuda") else (100, 1_000))


def mnist(device: str, batch: int = 512) -> list[str]:
    """Milliseconds of a step of members of MNIST size, and what share of bandwidth and arithmetic, both measured, it needs at least."""
    data, shape = Data.of(mnist_task(), device), Shape(MNIST, ("relu", "relu", "relu", "identity"))
    settings, bandwidth, operations = RoundSettings(STEPS, batch, 1e-3), copied_bytes_a_second(device), multiplied_a_second(device)
    rows = []
    for members in (1, 4, 16, 64) if device.startswith("cuda") else (1,):
        population, key = Population.fresh(shape, keys(range(members), device)), keys(range(members), device)
        steps = settings.epochs(data.x.shape[1]) * -(-data.x.shape[1] // batch)
        found = [s / steps for s in runs(partial(synchronised, device, partial(train, population, data, settings, key)))]
        middle = statistics.median(found)
        moved = FLOAT * members * (12 * shape.size + batch * (len(data.x) + len(data.y)))
        shares = moved / bandwidth / middle, 6 * shape.size * batch * members / operations / middle
        rows.append((members, *_all(found, 1e3, 2), *(f"{share:.2f}" for share in shares)))
    columns = ["members", "ms a step of all, median", "all", "share of the bandwidth", "share of the arithmetic"]
    said = f"{bandwidth / 1e9:.0f} GB/s (a copy) and {operations / 1e12:.2f} TFLOPS (a product of matrices in float32), measured:"
    return [f"Members of {'-'.join(map(str, MNIST))}, batch {batch}; {said}", "", *table(columns, rows)]


def _all(seconds: Sequence[float], unit: float, places: int) -> tuple[str, str]:
    return f"{statistics.median(seconds) * unit:.{places}f}", ", ".join(f"{s * unit:.{places}f}" for s in seconds)


def multiplied_a_second(device: str, size: int = 4096) -> float:
    """Operations a second of a product of matrices in float32, as torch computes it by default."""
    size = size if device.startswith("cuda") else 1024
    a, b = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
    return 2 * size**3 / statistics.median(runs(lambda: synchronised(device, lambda: torch.mm(a, b)), 5))


def modules(device: str, batch: int = 32) -> list[str]:
    """Microseconds of a member-step of modules of any kind, in single precision and with ``mixed_precision``."""
    torch.manual_seed(0)
    found = []
    kinds: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
        "convolutions, 8 and 16 channels": (Images, torch.rand(160, 1, 8, 8)),
        "transformer of width 32": (Tokens, torch.randint(0, 16, (160, 8))),
    }
    for name, (make, x) in kinds.items():
        y = nn.functional.one_hot(torch.randint(0, 10, (len(x),)), 10).float()
        module = make()
        architecture = Architecture.of(module, units(module, x[:3]), (x[:3],)).to(torch.device(device))
        rows = ModuleRows.of(Task(x, y, "ce", x, y), device)
        settings = RoundSettings(STEPS, batch, 0.001, weight_decay=0.0, keep_last=True)
        steps = settings.epochs(len(x)) * -(-len(x) // batch)
        for members in (64, 512, 4096) if device.startswith("cuda") else (4,):
            key = keys(range(members), device)
            population = fresh_members(architecture, key)
            for half in (False, True):
                work = partial(autograd_training.train, population, rows, settings, key, half=half)
                each = [seconds / steps / members for seconds in runs(partial(synchronised, device, work))]
                found.append((name, members, "bfloat16" if half else "float32", *_all(each, 1e6, 2)))
    return table(["module", "members", "precision", "us a member-step, median", "all"], found)


def language(device: str) -> list[str]:
    """Seconds of the scores of the neurons of a Llama of ten million parameters."""
    from language import NEURONS, model_of

    from sculpting.narrow.language import group_scores, language_groups
    from sculpting.narrow.language.scores.ablation import ablation_changes

    model = model_of().to(device)
    windows = torch.randint(4096, (4, 128), generator=torch.Generator().manual_seed(0)).to(device)
    neurons = language_groups(model).of("neurons")
    work = {
        "first order of all neurons": lambda: group_scores(model, neurons, windows),
        f"ablation of {NEURONS} neurons of the middle layer": lambda: ablation_changes(model, neurons[4], windows, range(NEURONS)),
    }
    rows = [(name, *_all(runs(partial(synchronised, device, call)), 1, 3)) for name, call in work.items()]
    return table(["what", "s, median", "all"], rows)


PARTS = {"device": device_line, "chains": chains, "mnist": mnist, "modules": modules, "language": language}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=[*PARTS])
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    if not options.device.startswith("cuda"):
        torch.set_num_threads(1)
    print("\n".join(PARTS[options.part](options.device)))


if __name__ == "__main__":
    main()
