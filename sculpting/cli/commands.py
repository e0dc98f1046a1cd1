"""What the commands do."""

from __future__ import annotations

import argparse
import inspect
import math
import re
from functools import partial
from pathlib import Path
from typing import Any

from ..files import check_folder
from ..network import SparseNetwork
from ..sculptor import SculptResult, sculpt
from ..tasks import EXEMPLARS, Task, boolean, boolean_tasks, named
from ..tasks.named import MAKERS
from .answers import IMAGE_THRESHOLD, accuracies_on_test, choose, settings_for
from .boolean import boolean_study
from .cmsp import cmsp_study
from .curriculum import curriculum_study
from .mnist import mnist_study
from .mnist_even import even_study
from .nonlocality import nonlocality_study
from .sensitivity import sensitivity_study, sensitivity_summary

__all__ = [
    "draw_modules", "find_modules", "list_tasks", "sculpt_task", "study_boolean", "study_cmsp", "study_curriculum", "study_mnist",
    "study_mnist_even", "study_nonlocality", "study_sensitivity",
]  # fmt: skip

WIDTH = 24
THRESHOLD = 0.9  # of merging, as published for Boolean tasks
LESION_ROWS = 1000  # that lesions are measured on at the most


def list_tasks(options: argparse.Namespace) -> None:
    """Print the tasks that have names, and those that a name and options make."""
    for key in boolean_tasks():
        task = boolean(key)
        rows, n, k = len(task.x), task.x.shape[1], task.y.shape[1]
        print(f"{','.join(map(str, key)):<12} {_readable(task):<16} {rows:>4} rows  {n:>2} inputs  {k:>2} outputs")
    for name, maker in MAKERS.items():
        known = inspect.signature(maker).parameters.values()
        said = (f"{each.name}=" if each.default is inspect.Parameter.empty else f"[{each.name}=]" for each in known)
        print(f"{name}:{','.join(said)}")


def sculpt_task(options: argparse.Namespace) -> None:
    """Sculpt a task; write its network, picture and report, and print the report."""
    from analysis import compare, report_text, write_report

    task = named(options.task)
    width, threshold = options.width, _threshold(options.merge_threshold, task.image)
    if width is None:
        width = math.prod(task.image) // 4 if task.image else WIDTH
    model, truth = task.model(width=width, hidden_layers=options.layers), task.truth(hidden_layers=options.layers)
    folder = Path(options.out or Path("runs") / (_readable(task) or re.sub(r"\W+", "-", task.name).strip("-")))
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out must be a folder, or not there yet; got the file {folder}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"--merge-threshold must be a fraction in [0, 1]; got {threshold:g}")
    check_folder(folder, "what --out names")
    checkpoint = folder / "sculpt.checkpoint"
    result = sculpt(
        model, task, seeds=options.seeds, seed=options.seed, device=options.device, checkpoint=checkpoint, progress=not options.quiet,
        **settings_for(task),
    )  # fmt: skip
    if not result.candidates:
        checkpoint.unlink(missing_ok=True)
    found = _select(result, options.select, merge_threshold=threshold)
    comparison, evidence = compare(found, truth), _evidence(found, task, truth, options.seed, threshold)
    found.draw(folder / "modules.svg", image=task.image)
    written = [
        folder / "modules.svg",
        write_report(found, folder / "modules.html", comparison, f"Task {task.name}", evidence, image=task.image),
        found.network.save(folder / "network.safetensors"),
        found.write_graphml(folder / "network.graphml"),
    ]
    checkpoint.unlink(missing_ok=True)
    if not options.quiet:
        print(f"Task {task.name}, {options.layers} hidden layer{'s' * (options.layers > 1)} of {width} units\n\n{result}\n")
        if task.x_test is not None:
            print(f"{_tested(result, found.network, task)}\n")
        report = report_text(found, comparison, evidence, image=task.image)
        print(f"{options.select.capitalize()}: {report}\n\nwrote {', '.join(map(str, written))}")


def _evidence(found: Any, task: Task, truth: Any, seed: int, threshold: float) -> dict[str, Any]:
    """What a report tells beside the modules: whether they are chance, what their loss costs and, where there is a table, their gates."""
    from analysis import detect_modules, function_map, lesions, significance

    every = -(-len(task.x_check) // LESION_ROWS)  # rows of a table are in order, so the first ones alone would be of one kind
    x, y = (part[::every].numpy() for part in (task.x_check, task.y_check))
    chance = significance(found, detect=partial(detect_modules, merge_threshold=threshold), seed=seed)
    evidence = {"Chance": chance, "Lesions": lesions(found, x, y=y, seed=seed)}
    return {**evidence, "Gates": function_map(found, truth)} if "x" in truth.graph else evidence


def _tested(result: SculptResult, network: SparseNetwork, task: Task) -> str:
    """Accuracy on the rows that decided nothing, sparse and dense."""
    sparse, *dense = accuracies_on_test((network, *result.dense), task)
    return f"test accuracy {sparse:.4f}, of the dense networks {min(dense):.4f} to {max(dense):.4f}"


def _readable(task: Task) -> str:
    return next((name for name, key in EXEMPLARS.items() if str(list(key)) == task.name), "")


def _select(result: SculptResult, rule: str, **options: Any) -> Any:
    if not result.candidates:
        raise ValueError(result.stop_reason.value)
    return choose(result.candidates, rule, **options)


def find_modules(options: argparse.Namespace) -> None:
    """Print the modules of a saved network."""
    from analysis import compare, detect_modules, report_text

    network, image, threshold = _saved(options)
    found = detect_modules(network, merge_threshold=threshold)
    truth = named(options.task).truth(len(network.widths) - 2) if options.task else None
    print(report_text(found, compare(found, truth) if truth is not None else None, image=image))


def draw_modules(options: argparse.Namespace) -> None:
    """Draw the modules of a saved network."""
    from analysis import detect_modules

    network, image, threshold = _saved(options)
    out = options.out or options.file.with_suffix(".svg")
    if out.suffix == ".dot" and not options.image:
        image = None  # Graphviz draws no maps of pixels
    detect_modules(network, merge_threshold=threshold).draw(out, image=image)
    print(f"wrote {out}")


def _saved(options: argparse.Namespace) -> tuple[SparseNetwork, tuple[int, int] | None, float]:
    """A saved network, the size of the image whose pixels its inputs are, if they are, and the share above which clusters merge."""
    network = SparseNetwork.load(options.file)
    size = options.image or network.origin.get("image")
    image = None if size is None else (int(size[0]), int(size[1]))
    return network, image, _threshold(options.merge_threshold, image)


def _threshold(given: float | None, image: tuple[int, int] | None) -> float:
    if given is not None:
        return float(given)
    return IMAGE_THRESHOLD if image else THRESHOLD


def study_boolean(options: argparse.Namespace) -> None:
    """Run the Boolean study, or go on with it, and print its summary."""
    from .boolean_report import boolean_summary

    rows = boolean_study(options.out, tasks=options.tasks, groups=options.groups, jobs=options.jobs, progress=not options.quiet)
    if not options.quiet:
        print(f"{boolean_summary(rows)}\nrows, summary and figures are in {options.out}")


def study_sensitivity(options: argparse.Namespace) -> None:
    """Run the sensitivity study, or go on with it, and print its summary."""
    rows = sensitivity_study(options.out, groups=options.groups, jobs=options.jobs, progress=not options.quiet)
    if not options.quiet:
        print(f"{sensitivity_summary(rows)}\nrows, summary and figure are in {options.out}")


def study_mnist(options: argparse.Namespace) -> None:
    """Run the study of two digits, or go on with it, and print its summary."""
    from .mnist_report import mnist_summary

    rows = mnist_study(
        options.out, tasks=options.tasks, sizes=options.size, source=options.source, data_dir=options.data_dir, jobs=options.jobs,
        progress=not options.quiet,
    )  # fmt: skip
    if not options.quiet:
        print(f"{mnist_summary(rows)}\nrows, summary and pictures are in {options.out}")


def study_cmsp(options: argparse.Namespace) -> None:
    """Run the study of parities, or go on with it, and print its summary."""
    from .cmsp_report import cmsp_summary

    rows = cmsp_study(options.out, jobs=options.jobs, progress=not options.quiet)
    if not options.quiet:
        print(f"{cmsp_summary(rows)}\nrows, summary and pictures are in {options.out}")


def study_curriculum(options: argparse.Namespace) -> None:
    """Run the study of curricula, or go on with it, and print its summary."""
    from .curriculum_report import curriculum_summary

    protocol = "full" if options.full else "reduced"
    rows = curriculum_study(options.out, protocol=protocol, jobs=options.jobs, progress=not options.quiet)
    if not options.quiet:
        print(f"{curriculum_summary(rows, protocol)}\nrows, curves, summary and figure are in {options.out}")


def study_nonlocality(options: argparse.Namespace) -> None:
    """Run the study of nonlocality, or go on with it, and print its summary."""
    from .nonlocality_report import nonlocality_summary

    size = "full" if options.full else "reduced"
    rows = nonlocality_study(
        options.out, size=size, widths=options.widths, seeds=options.seeds, lasso=not options.no_lasso, jobs=options.jobs,
        progress=not options.quiet,
    )  # fmt: skip
    if not options.quiet:
        print(f"{nonlocality_summary(rows, size)}\nrows, summary and figures are in {options.out}")


def study_mnist_even(options: argparse.Namespace) -> None:
    """Run the study of even digits, or go on with it, and print its summary."""
    from .mnist_even_report import even_summary

    protocol = "full" if options.full else "reduced"
    rows = even_study(
        options.out, protocol=protocol, source=options.source, data_dir=options.data_dir, jobs=options.jobs, progress=not options.quiet
    )
    if not options.quiet:
        print(f"{even_summary(rows, protocol)}\nrows, curves, summary and figures are in {options.out}")
