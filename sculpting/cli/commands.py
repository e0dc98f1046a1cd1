"""What the commands do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..network import SparseNetwork
from ..sculptor import SculptResult, sculpt
from ..tasks import EXEMPLARS, Task, boolean, boolean_tasks
from .answers import choose
from .boolean import boolean_study
from .sensitivity import sensitivity_study, sensitivity_summary

__all__ = ["draw_modules", "find_modules", "list_tasks", "sculpt_task", "study_boolean", "study_sensitivity"]


def list_tasks(options: argparse.Namespace) -> None:
    """Print the tasks that have names."""
    for key in boolean_tasks():
        task = boolean(key)
        rows, n, k = len(task.x), task.x.shape[1], task.y.shape[1]
        print(f"{','.join(map(str, key)):<12} {_readable(task):<16} {rows:>4} rows  {n:>2} inputs  {k:>2} outputs")


def sculpt_task(options: argparse.Namespace) -> None:
    """Sculpt a task; write its network, picture and report, and print the report."""
    from analysis import compare, function_map, lesions, report_text, significance, write_report

    task = boolean(options.task)
    model = task.model(width=options.width, hidden_layers=options.layers)
    truth = task.truth(hidden_layers=options.layers)
    result = sculpt(model, task, seeds=options.seeds, seed=options.seed, device=options.device, progress=not options.quiet)
    found = _select(result, options.select)
    comparison = compare(found, truth)
    evidence = {
        "Chance": significance(found, seed=options.seed),
        "Lesions": lesions(found, task.x.numpy(), y=task.y.numpy(), seed=options.seed),
        "Gates": function_map(found, truth),
    }
    folder = Path(options.out or Path("runs") / (_readable(task) or task.name.strip("[]").replace(", ", "-")))
    found.draw(folder / "modules.svg")
    written = [
        folder / "modules.svg",
        write_report(found, folder / "modules.html", comparison, f"Task {task.name}", evidence),
        found.network.save(folder / "network.safetensors"),
        found.write_graphml(folder / "network.graphml"),
    ]
    if not options.quiet:
        print(f"Task {task.name}, {options.layers} hidden layer{'s' * (options.layers > 1)} of {options.width} units\n\n{result}\n")
        print(f"{options.select.capitalize()}: {report_text(found, comparison, evidence)}\n\nwrote {', '.join(map(str, written))}")


def _readable(task: Task) -> str:
    return next((name for name, key in EXEMPLARS.items() if str(list(key)) == task.name), "")


def _select(result: SculptResult, rule: str) -> Any:
    if not result.candidates:
        raise ValueError(result.stop_reason.value)
    return choose(result.candidates, rule)


def find_modules(options: argparse.Namespace) -> None:
    """Print the modules of a saved network."""
    from analysis import compare, detect_modules, report_text

    network = SparseNetwork.load(options.file)
    found = detect_modules(network, merge_threshold=options.merge_threshold)
    truth = boolean(options.task).truth(len(network.widths) - 2) if options.task else None
    print(report_text(found, compare(found, truth) if truth is not None else None))


def draw_modules(options: argparse.Namespace) -> None:
    """Draw the modules of a saved network."""
    from analysis import detect_modules

    out = options.out or options.file.with_suffix(".svg")
    detect_modules(SparseNetwork.load(options.file), merge_threshold=options.merge_threshold).draw(out)
    print(f"wrote {out}")


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
