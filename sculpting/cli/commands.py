"""What each command does."""

from __future__ import annotations

import argparse
import inspect
import math
import re
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..executors import cluster, workers
from ..files import check_folder
from ..plain import brief
from ..sculptor import sculpt
from ..studies import STUDIES
from ..studies.common.evidence import evidence_of
from ..studies.common.selection import select
from ..studies.common.settings import IMAGE_THRESHOLD, THRESHOLD
from ..study import run
from ..tasks import EXEMPLARS, Task, boolean, boolean_tasks, from_file, named
from ..tasks.by_name import MAKERS
from ..tasks.own_files import FILES
from ..tasks.task import MOST_LAYERS
from .narrow_lm import narrow_lm

__all__ = ["draw_modules", "find_modules", "list_tasks", "narrow_lm", "report_modules", "run_study", "sculpt_task"]

WIDTH, LAYERS = 24, 2


def list_tasks(options: argparse.Namespace) -> None:
    """Print the tasks that have names, and those that a name and options make."""
    for key in boolean_tasks():
        task = boolean(key)
        rows, n, k = len(task.x), task.x.shape[1], task.y.shape[1]
        print(f"{','.join(map(str, key)):<12} {_readable(task):<16} {rows:>4} rows  {n:>2} inputs  {k:>2} outputs")
    for name, maker in MAKERS.items():
        known = inspect.signature(maker).parameters.values()
        shown = (f"{each.name}=" if each.default is inspect.Parameter.empty else f"[{each.name}=]" for each in known)
        print(f"{name}:{','.join(shown)}")


def sculpt_task(options: argparse.Namespace) -> None:
    """Sculpt a task; write its network, picture and report, and print the report."""
    from analysis import compare, report_text

    task = _task(options)
    threshold, hidden = _threshold(options.merge_threshold, task.image), _hidden(options, task)
    model = task.model(width=hidden)
    truth = task.truth(hidden_layers=len(hidden)) if task.gates or task.structure else None
    folder = _folder(options, task)
    checkpoint = folder / "sculpt.checkpoint"
    result = sculpt(
        model, task, seeds=options.seeds, seed=options.seed, device=options.device, checkpoint=checkpoint, progress=not options.quiet,
    )  # fmt: skip
    if not result.candidates:
        checkpoint.unlink(missing_ok=True)
        raise ValueError(result.stop_reason.value)
    found = select(result.candidates, options.select, merge_threshold=threshold)
    comparison = None if truth is None else compare(found, truth)
    evidence = evidence_of(found, task, truth, options.seed, threshold)
    found.draw(folder / "modules.svg", image=task.image)
    written = [
        folder / "modules.svg",
        result.report(folder / "modules.html", found, comparison, detection={"merge_threshold": threshold}, evidence=evidence),
        found.network.save(folder / "network.safetensors"),
        found.write_graphml(folder / "network.graphml"),
    ]
    checkpoint.unlink(missing_ok=True)
    if options.quiet:
        return
    widths = ", ".join(map(str, hidden if len(set(hidden)) > 1 else hidden[:1]))
    print(f"Task {task.name}, {len(hidden)} hidden layer{'s' * (len(hidden) > 1)} of {widths} units\n")
    if truth is None:
        print(f"{task}\n")
    print(f"{result}\n")
    test = result.tested(found.network)
    if test is not None and found.network is not result.network:
        print(f"test {result.metric} of the network below {test}\n")
    report = report_text(found, comparison, evidence, image=task.image)
    print(f"{options.select.capitalize()}: {report}\n\nwrote {', '.join(map(str, written))}")


def _task(options: argparse.Namespace) -> Task:
    """The task that is named, or that of a file of data; notes about the data go to standard error."""
    of_files = {name: given for name in ("target", "ignore", "loss") if (given := getattr(options, name, None))}
    path = Path(options.task)
    if path.suffix.lower() not in FILES and not (path.suffix and path.is_file()):  # a file `both` hides no task
        if of_files:
            raise ValueError(f"--{next(iter(of_files))} is for a file of data, {', '.join(FILES)}; got the task {options.task}")
        return named(options.task)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        task = from_file(path, **of_files, seed=options.seed)
    for note in notes:
        sys.stderr.write(f"{options.task}: {note.message}\n")
    return task


def _hidden(options: argparse.Namespace, task: Task) -> list[int]:
    """The widths of the hidden layers."""
    if options.hidden is not None:
        if options.width is not None or options.layers is not None:
            raise ValueError("--hidden gives the units of each hidden layer; leave out --width and --layers")
        return list(options.hidden)
    width = options.width
    if width is None:
        width = math.prod(task.image) // 4 if task.image else WIDTH
    layers = LAYERS if options.layers is None else options.layers
    return [width] * min(layers, MOST_LAYERS + 1)  # the task refuses more than it can build


def _folder(options: argparse.Namespace, task: Task) -> Path:
    """The folder to write to, which is not created yet."""
    folder = Path(options.out or Path("runs") / (_readable(task) or re.sub(r"\W+", "-", task.name).strip("-")))
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out must be a folder, or not there yet; got the file {folder}")
    check_folder(folder, "what --out names")
    return folder


def _readable(task: Task) -> str:
    return next((name for name, key in EXEMPLARS.items() if str(list(key)) == task.name), "")


def find_modules(options: argparse.Namespace) -> None:
    """Print the modules of a saved network."""
    from analysis import compare, detect_modules, report_text

    network, image, threshold = _saved(options)
    found = detect_modules(network, merge_threshold=threshold)
    truth = named(options.task).truth(len(found.graph.widths) - 2) if options.task else None
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


def report_modules(options: argparse.Namespace) -> None:
    """Write the report of a saved network; with a task, also what its data say of the modules."""
    from analysis import compare, detect_modules, write_report

    network, image, threshold = _saved(options)
    out = options.out or options.file.with_suffix(".html")
    found = detect_modules(network, merge_threshold=threshold)
    settings = {"file": options.file.name, "merge threshold": f"{threshold:g}"}
    if not options.task:
        print(f"wrote {write_report(found, out, title=options.file.stem, image=image, settings=settings)}")
        return
    task = named(options.task)
    truth = task.truth(len(found.graph.widths) - 2) if task.gates or task.structure else None
    comparison = None if truth is None else compare(found, truth)
    evidence = evidence_of(found, task, truth, 0, threshold)
    print(f"wrote {write_report(found, out, comparison, f'Task {task.name}', evidence, image=image, settings=settings)}")


def _saved(options: argparse.Namespace) -> tuple[Any, tuple[int, int] | None, float]:
    """A saved network, the size of the image whose pixels its inputs are, if they are, and the share above which clusters merge."""
    from .saved import read_network

    network, note = read_network(options.file)
    if note:
        sys.stderr.write(f"{options.file}: {note}\n")
    image = _image(options, network)
    return network, image, _threshold(options.merge_threshold, image)


def _image(options: argparse.Namespace, network: Any) -> tuple[int, int] | None:
    """The height and the width that are asked for, or those that the file says."""
    origin = getattr(network, "origin", None)
    said = origin.get("image") if isinstance(origin, Mapping) else None
    size, what = (options.image, "--image") if options.image else (said, f"the image size in {options.file}")
    if size is None:
        return None
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise ValueError(f"{what} must be a height and a width of at least 1 pixel; got {brief(size)}")
    return size[0], size[1]


def _threshold(given: float | None, image: tuple[int, int] | None) -> float:
    if given is not None and not 0 <= given <= 1:
        raise ValueError(f"--merge-threshold must be a fraction in [0, 1]; got {given:g}")
    if given is not None:
        return float(given)
    return IMAGE_THRESHOLD if image else THRESHOLD


def run_study(options: argparse.Namespace) -> None:
    """Run a study, or go on with it, and print its summary."""
    study = STUDIES[options.study].study(**{name: getattr(options, name) for name in options.arguments})
    with cluster(options.cluster) if options.cluster else workers(options.jobs) as executor:
        run(study, options.out, executor=executor, progress=not options.quiet, altered=options.altered)
    if not options.quiet:
        print(f"{(options.out / 'summary.md').read_text()}\nrows, summary and figures are in {options.out}")
