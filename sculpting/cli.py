"""The command line."""

from __future__ import annotations

import argparse
import inspect
import io
import math
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .executors import cluster, workers
from .files import check_folder
from .models.network import SparseNetwork
from .sculptor import sculpt
from .studies import STUDIES
from .studies.common.evidence import evidence_of
from .studies.common.selection import accuracies_on_test, select
from .studies.common.settings import IMAGE_THRESHOLD, THRESHOLD
from .study import run
from .tasks import EXEMPLARS, Task, boolean, boolean_tasks, named
from .tasks.by_name import MAKERS

__all__ = ["main"]

WIDTH = 24


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 2 with one line on standard error when the input is bad."""
    name = "sculpting"
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of inputs may have letters that the console lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        name += f" {options.command} {getattr(options, 'study', '')}".rstrip()
        options.run(options)
    except BrokenPipeError:  # the reader has closed the pipe, as `| head` does; what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, TypeError, OSError, ImportError) as error:
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

    study = parsers.add_parser("study", help="a study of many networks; started again, it goes on where it was stopped")
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
    for name, command in STUDIES.items():
        study = parsers.add_parser(name, help=command.help)
        own = [study.add_argument(flag, **settings) for flag, settings in command.options.items()]
        out = Path("runs") / f"study-{name}"
        where = study.add_mutually_exclusive_group()
        where.add_argument("--jobs", type=int, default=1, help="processes on this machine, each on one thread (default 1)")
        where.add_argument("--cluster", metavar="ADDRESS", help="the Dask scheduler of a cluster to run on, such as tcp://host:8786")
        study.add_argument("--out", type=Path, default=out, help=f"folder to write to, and to go on in (default {out})")
        study.add_argument("--quiet", action="store_true", help="no progress bar and no summary; files are written all the same")
        study.set_defaults(run=run_study, arguments=[option.dest for option in own])


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
    )  # fmt: skip
    if not result.candidates:
        checkpoint.unlink(missing_ok=True)
        raise ValueError(result.stop_reason.value)
    found = select(result.candidates, options.select, merge_threshold=threshold)
    comparison, evidence = compare(found, truth), evidence_of(found, task, truth, options.seed, threshold)
    found.draw(folder / "modules.svg", image=task.image)
    written = [
        folder / "modules.svg",
        write_report(found, folder / "modules.html", comparison, f"Task {task.name}", evidence, image=task.image),
        found.network.save(folder / "network.safetensors"),
        found.write_graphml(folder / "network.graphml"),
    ]
    checkpoint.unlink(missing_ok=True)
    if options.quiet:
        return
    print(f"Task {task.name}, {options.layers} hidden layer{'s' * (options.layers > 1)} of {width} units\n\n{result}\n")
    if task.x_test is not None:
        sparse, *dense = accuracies_on_test((found.network, *result.dense), task)
        print(f"test accuracy {sparse:.4f}, of the dense networks {min(dense):.4f} to {max(dense):.4f}\n")
    report = report_text(found, comparison, evidence, image=task.image)
    print(f"{options.select.capitalize()}: {report}\n\nwrote {', '.join(map(str, written))}")


def _readable(task: Task) -> str:
    return next((name for name, key in EXEMPLARS.items() if str(list(key)) == task.name), "")


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


def run_study(options: argparse.Namespace) -> None:
    """Run a study, or go on with it, and print its summary."""
    study = STUDIES[options.study].study(**{name: getattr(options, name) for name in options.arguments})
    with cluster(options.cluster) if options.cluster else workers(options.jobs) as executor:
        run(study, options.out, executor=executor, progress=not options.quiet)
    if not options.quiet:
        print(f"{(options.out / 'summary.md').read_text()}\nrows, summary and figures are in {options.out}")
