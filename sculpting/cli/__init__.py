"""The command line: the one part of this package that imports ``analysis``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..tasks.digits import SOURCES, VARIABLE
from . import commands

__all__ = ["main"]


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
    demo.set_defaults(run=commands.sculpt_task, task="both")

    tasks = parsers.add_parser("tasks", help="list the tasks that can be sculpted by name")
    tasks.set_defaults(run=commands.list_tasks)

    one = parsers.add_parser("sculpt", help="sculpt one task")
    one.add_argument(
        "task", metavar="TASK", help="a name that `sculpting tasks` lists, such as both, [4,1,2,16], cmsp:m=2,k=2 or mnist-pair:size=14"
    )
    _add_sculpting(one, out=None)
    one.set_defaults(run=commands.sculpt_task)

    modules = parsers.add_parser("modules", help="find and print the modules of a saved network")
    _add_saved(modules)
    modules.add_argument("--task", help="compare with the ground truth of this task")
    modules.set_defaults(run=commands.find_modules)

    draw = parsers.add_parser("draw", help="draw the modules of a saved network")
    _add_saved(draw)
    draw.add_argument("--out", type=Path, help="picture to write: .svg, .png, .pdf, .html or .dot (default: FILE with .svg)")
    draw.set_defaults(run=commands.draw_modules)

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
    boolean.set_defaults(run=commands.study_boolean)

    sensitivity = parsers.add_parser("sensitivity", help="success on six tasks with one setting changed at a time around the default")
    _add_groups(sensitivity, 1)
    _add_study(sensitivity, out="runs/study-sensitivity")
    sensitivity.set_defaults(run=commands.study_sensitivity)

    mnist = parsers.add_parser("mnist", help="two digits side by side, and the XOR of their bits: are left and right, and the bits, apart?")
    mnist.add_argument("--tasks", nargs="+", metavar="TASK", help="only mnist-pair or mnist-xor (default: both)")
    mnist.add_argument("--size", nargs="+", type=int, default=[14], help="pixels of a side of one digit: 14 (default), 28 or both")
    _add_source(mnist)
    _add_study(mnist, out="runs/study-mnist")
    mnist.set_defaults(run=commands.study_mnist)

    cmsp = parsers.add_parser("cmsp", help="sparse parities, alone and summed, with distractors: are blocks and hierarchy found?")
    _add_study(cmsp, out="runs/study-cmsp")
    cmsp.set_defaults(run=commands.study_cmsp)

    curriculum = parsers.add_parser("curriculum", help="a composite parity learnt beside its parts or alone, with two hidden layers or one")
    _add_full(curriculum)
    _add_study(curriculum, out="runs/study-curriculum")
    curriculum.set_defaults(run=commands.study_curriculum)

    nonlocality = parsers.add_parser("nonlocality", help="parities pruned for one skill: does another come back, also after a group lasso?")
    _add_full(nonlocality)
    nonlocality.add_argument("--widths", nargs="+", type=int, help="only these of the full size's 64, 128 and 256 (default: all)")
    nonlocality.add_argument("--seeds", type=int, default=5, help="networks of each width, from seed 0 on (default 5)")
    nonlocality.add_argument("--no-lasso", action="store_true", help="only networks as they were trained; a later run adds the group lasso")
    _add_study(nonlocality, out="runs/study-nonlocality")
    nonlocality.set_defaults(run=commands.study_nonlocality)

    even = parsers.add_parser("mnist-even", help="even digits by small networks, from a teacher or anew: how many images until 97 %%?")
    _add_full(even)
    _add_source(even)
    _add_study(even, out="runs/study-mnist-even")
    even.set_defaults(run=commands.study_mnist_even)


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
