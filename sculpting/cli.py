"""The command line: the one part of this package that imports ``analysis``."""

from __future__ import annotations

import argparse
import inspect
import math
import os
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from . import __version__
from .files import check_folder
from .models.network import SparseNetwork
from .sculptor import SculptResult, sculpt
from .studies.boolean.cells import boolean_study
from .studies.common.answers import IMAGE_THRESHOLD, accuracies_on_test, choose, settings_for
from .studies.curriculum.cells import curriculum_study
from .studies.digits.cells import mnist_study
from .studies.even_digits.cells import even_study
from .studies.nonlocality.cells import nonlocality_study
from .studies.parities.cells import cmsp_study
from .studies.sensitivity.cells import sensitivity_study, sensitivity_summary
from .tasks import EXEMPLARS, Task, boolean, boolean_tasks, named
from .tasks.digits import SOURCES, VARIABLE
from .tasks.named import MAKERS

__all__ = ["main"]

WIDTH = 24
THRESHOLD = 0.9  # of merging, as published for Boolean tasks
LESION_ROWS = 1000  # that lesions are measured on at the most


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 2 with one line on standard error when the input is bad."""
    name = "sculpting"
    try:
        options = _parser().parse_args(arguments)
        name += f" {options.command} {getattr(options, 'study', '')}".rstrip()
        options.run(options)
    except BrokenPipeError:  # who reads has read enough, as `| head` does; nothing more can be said, not even at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, TypeError, OSError) as error:
        sys.stderr.write(f"{name}: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: stopped\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sculpting", description="Sculpt networks until only their structure is left; find and draw their modules."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = parsers.add_parser("demo", help="sculpt the published task [6,3,3,3], find its modules, compare them with the truth, draw them")
    _add_sculpting(demo, out="runs/demo")
    demo.set_defaults(run=sculpt_task, task="both")

    tasks = parsers.add_parser("tasks", help="list the tasks that can be sculpted by name")
    tasks.set_defaults(run=list_tasks)

    one = parsers.add_parser("sculpt", help="sculpt one task")
    one.add_argument(
        "task", metavar="TASK", help="a name that `sculpting tasks` lists, such as both, [4,1,2,16], cmsp:m=2,k=2 or mnist-pair:size=14"
    )
    _add_sculpting(one, out=None)
    one.set_defaults(run=sculpt_task)

    modules = parsers.add_parser("modules", help="find and print the modules of a saved network")
    _add_saved(modules)
    modules.add_argument("--task", help="compare with the ground truth of this task")
    modules.set_defaults(run=find_modules)

    draw = parsers.add_parser("draw", help="draw the modules of a saved network")
    _add_saved(draw)
    draw.add_argument("--out", type=Path, help="picture to write: .svg, .png, .pdf, .html or .dot (default: FILE with .svg)")
    draw.set_defaults(run=draw_modules)

    study = parsers.add_parser("study", help="a study of many networks, which goes on where it was stopped when it is started again")
    _add_studies(study)
    return parser


def _add_sculpting(parser: argparse.ArgumentParser, out: str | None) -> None:
    parser.add_argument("--width", type=int, help="units in every hidden layer (default 24, for images a quarter of the pixels)")
    parser.add_argument("--layers", type=int, default=2, help="hidden layers (default 2)")
    parser.add_argument("--seeds", type=int, default=4, help="initialisations (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument(
        "--select",
        choices=("consensus", "sparsest"),
        default="consensus",
        help="which candidate to show: consensus (default), or the sparsest, the published rule",
    )
    _add_threshold(parser)
    parser.add_argument("--device", help="where to compute, such as cpu or cuda (default cpu)")
    parser.add_argument("--out", type=Path, default=out, help=f"folder to write to (default {out or 'runs/TASK'})")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no report; files are written all the same")


def _add_saved(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a network that was saved, such as network.safetensors")
    _add_threshold(parser)
    parser.add_argument(
        "--image",
        nargs=2,
        type=int,
        metavar=("HEIGHT", "WIDTH"),
        help="of the image whose pixels the inputs are (default: as the file says, so that networks of image tasks need none)",
    )


def _add_threshold(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--merge-threshold", type=float, help="share of edges above which clusters merge (default 0.9, for images 0.6)")


def _add_studies(parser: argparse.ArgumentParser) -> None:
    parsers = parser.add_subparsers(dest="study", required=True, metavar="STUDY")
    boolean = parsers.add_parser("boolean", help="the published Boolean study by the one default setting, beside the published rates")
    boolean.add_argument("--tasks", nargs="+", metavar="TASK", help="only these, such as both 4,1,2,16 (default: all that are published)")
    _add_groups(boolean, 4)
    _add_study(boolean, out="runs/study-boolean")
    boolean.set_defaults(run=study_boolean)

    sensitivity = parsers.add_parser("sensitivity", help="success on six tasks with one setting changed at a time around the default")
    _add_groups(sensitivity, 1)
    _add_study(sensitivity, out="runs/study-sensitivity")
    sensitivity.set_defaults(run=study_sensitivity)

    mnist = parsers.add_parser("mnist", help="two digits side by side, and the XOR of their bits: are left and right, and the bits, apart?")
    mnist.add_argument("--tasks", nargs="+", metavar="TASK", help="only mnist-pair or mnist-xor (default: both)")
    mnist.add_argument("--size", nargs="+", type=int, default=[14], help="pixels of a side of one digit: 14 (default), 28 or both")
    _add_source(mnist)
    _add_study(mnist, out="runs/study-mnist")
    mnist.set_defaults(run=study_mnist)

    cmsp = parsers.add_parser("cmsp", help="sparse parities, alone and summed, with distractors: are blocks and hierarchy found?")
    _add_study(cmsp, out="runs/study-cmsp")
    cmsp.set_defaults(run=study_cmsp)

    curriculum = parsers.add_parser("curriculum", help="a composite parity learnt beside its parts or alone, with two hidden layers or one")
    _add_full(curriculum)
    _add_study(curriculum, out="runs/study-curriculum")
    curriculum.set_defaults(run=study_curriculum)

    nonlocality = parsers.add_parser("nonlocality", help="parities pruned for one skill: does another come back, also after a group lasso?")
    _add_full(nonlocality)
    nonlocality.add_argument("--widths", nargs="+", type=int, help="only these of the full size's 64, 128 and 256 (default: all)")
    nonlocality.add_argument("--seeds", type=int, default=5, help="networks of each width, from seed 0 on (default 5)")
    nonlocality.add_argument("--no-lasso", action="store_true", help="only networks as they were trained; a later run adds the group lasso")
    _add_study(nonlocality, out="runs/study-nonlocality")
    nonlocality.set_defaults(run=study_nonlocality)

    even = parsers.add_parser("mnist-even", help="even digits by small networks, from a teacher or anew: how many images until 97 %%?")
    _add_full(even)
    _add_source(even)
    _add_study(even, out="runs/study-mnist-even")
    even.set_defaults(run=study_mnist_even)


def _add_full(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--full", action="store_true", help="the published size, many hours, in place of the reduced one")


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", choices=SOURCES, default="mnist", help="mnist (default), or digits: small ones of scikit-learn's")
    parser.add_argument("--data-dir", type=Path, help=f"folder with the files of MNIST (default: the variable {VARIABLE}, or a download)")


def _add_groups(parser: argparse.ArgumentParser, groups: int) -> None:
    parser.add_argument("--groups", type=int, default=groups, help=f"disjoint groups of four seeds (default {groups})")


def _add_study(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("--jobs", type=int, default=1, help="processes, each on one thread (default 1)")
    parser.add_argument("--out", type=Path, default=Path(out), help=f"folder to write to, and to go on in (default {out})")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary; files are written all the same")


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
    from .studies.boolean.report import boolean_summary

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
    from .studies.digits.report import mnist_summary

    rows = mnist_study(
        options.out, tasks=options.tasks, sizes=options.size, source=options.source, data_dir=options.data_dir, jobs=options.jobs,
        progress=not options.quiet,
    )  # fmt: skip
    if not options.quiet:
        print(f"{mnist_summary(rows)}\nrows, summary and pictures are in {options.out}")


def study_cmsp(options: argparse.Namespace) -> None:
    """Run the study of parities, or go on with it, and print its summary."""
    from .studies.parities.report import cmsp_summary

    rows = cmsp_study(options.out, jobs=options.jobs, progress=not options.quiet)
    if not options.quiet:
        print(f"{cmsp_summary(rows)}\nrows, summary and pictures are in {options.out}")


def study_curriculum(options: argparse.Namespace) -> None:
    """Run the study of curricula, or go on with it, and print its summary."""
    from .studies.curriculum.report import curriculum_summary

    protocol = "full" if options.full else "reduced"
    rows = curriculum_study(options.out, protocol=protocol, jobs=options.jobs, progress=not options.quiet)
    if not options.quiet:
        print(f"{curriculum_summary(rows, protocol)}\nrows, curves, summary and figure are in {options.out}")


def study_nonlocality(options: argparse.Namespace) -> None:
    """Run the study of nonlocality, or go on with it, and print its summary."""
    from .studies.nonlocality.report import nonlocality_summary

    size = "full" if options.full else "reduced"
    rows = nonlocality_study(
        options.out, size=size, widths=options.widths, seeds=options.seeds, lasso=not options.no_lasso, jobs=options.jobs,
        progress=not options.quiet,
    )  # fmt: skip
    if not options.quiet:
        print(f"{nonlocality_summary(rows, size)}\nrows, summary and figures are in {options.out}")


def study_mnist_even(options: argparse.Namespace) -> None:
    """Run the study of even digits, or go on with it, and print its summary."""
    from .studies.even_digits.report import even_summary

    protocol = "full" if options.full else "reduced"
    rows = even_study(
        options.out, protocol=protocol, source=options.source, data_dir=options.data_dir, jobs=options.jobs, progress=not options.quiet
    )
    if not options.quiet:
        print(f"{even_summary(rows, protocol)}\nrows, curves, summary and figures are in {options.out}")
