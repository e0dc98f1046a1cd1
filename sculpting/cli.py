"""The command line: the one module of this package that imports ``analysis``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import __version__
from .network import SparseNetwork
from .sculptor import SculptResult, sculpt
from .tasks import EXEMPLARS, Task, boolean, boolean_tasks

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 2 with one line on standard error when the input is bad."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, TypeError, OSError) as error:
        sys.stderr.write(f"sculpting {options.command}: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"sculpting {options.command}: stopped\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sculpting", description="Sculpt networks until only their structure is left; find and draw their modules."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="sculpt the published task [6,3,3,3], find its modules, compare them with the truth, draw them")
    _add_sculpting(demo, out="runs/demo")
    demo.set_defaults(run=_sculpt, task="both")

    tasks = commands.add_parser("tasks", help="list the tasks that can be sculpted by name")
    tasks.set_defaults(run=_tasks)

    one = commands.add_parser("sculpt", help="sculpt one task")
    one.add_argument("task", metavar="TASK", help="a name that `sculpting tasks` lists, such as both or [4,1,2,16]")
    _add_sculpting(one, out=None)
    one.set_defaults(run=_sculpt)

    modules = commands.add_parser("modules", help="find and print the modules of a saved network")
    modules.add_argument("file", type=Path, metavar="FILE", help="a network that was saved, such as network.safetensors")
    modules.add_argument("--task", help="compare with the ground truth of this task")
    modules.add_argument("--merge-threshold", type=float, default=0.9, help="share of edges above which clusters merge (default 0.9)")
    modules.set_defaults(run=_modules)

    draw = commands.add_parser("draw", help="draw the modules of a saved network")
    draw.add_argument("file", type=Path, metavar="FILE", help="a network that was saved, such as network.safetensors")
    draw.add_argument("--out", type=Path, help="picture to write: .svg, .png, .pdf, .html or .dot (default: FILE with .svg)")
    draw.add_argument("--merge-threshold", type=float, default=0.9, help="share of edges above which clusters merge (default 0.9)")
    draw.set_defaults(run=_draw)
    return parser


def _add_sculpting(parser: argparse.ArgumentParser, out: str | None) -> None:
    parser.add_argument("--width", type=int, default=24, help="units in every hidden layer (default 24)")
    parser.add_argument("--layers", type=int, default=2, help="hidden layers (default 2)")
    parser.add_argument("--seeds", type=int, default=4, help="initialisations (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument(
        "--select",
        choices=("consensus", "sparsest"),
        default="consensus",
        help="which candidate to show: consensus (default), or the sparsest, the published rule",
    )
    parser.add_argument("--device", help="where to compute, such as cpu or cuda (default cpu)")
    parser.add_argument("--out", type=Path, default=out, help=f"folder to write to (default {out or 'runs/TASK'})")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no report; files are written all the same")


def _tasks(options: argparse.Namespace) -> None:
    for key in boolean_tasks():
        task = boolean(key)
        rows, n, k = len(task.x), task.x.shape[1], task.y.shape[1]
        print(f"{','.join(map(str, key)):<12} {_readable(task):<16} {rows:>4} rows  {n:>2} inputs  {k:>2} outputs")


def _sculpt(options: argparse.Namespace) -> None:
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
    from analysis import consensus, detect_modules

    if not result.candidates:
        raise ValueError(result.stop_reason.value)
    return consensus(result.candidates) if rule == "consensus" else detect_modules(result.network)


def _modules(options: argparse.Namespace) -> None:
    from analysis import compare, detect_modules, report_text

    network = SparseNetwork.load(options.file)
    found = detect_modules(network, merge_threshold=options.merge_threshold)
    truth = boolean(options.task).truth(len(network.widths) - 2) if options.task else None
    print(report_text(found, compare(found, truth) if truth is not None else None))


def _draw(options: argparse.Namespace) -> None:
    from analysis import detect_modules

    out = options.out or options.file.with_suffix(".svg")
    detect_modules(SparseNetwork.load(options.file), merge_threshold=options.merge_threshold).draw(out)
    print(f"wrote {out}")
