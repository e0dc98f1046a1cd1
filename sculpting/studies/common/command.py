"""A study as the command line offers it: the function that builds it, and its options as data."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...study import Study
from ...tasks.digits import SOURCES, VARIABLE

__all__ = ["CANDIDATES", "CHANGED", "SOURCE", "Command", "at_most", "check_kinds", "full_size", "groups"]

MOST_GROUPS = 1000  # of four seeds, which a study keeps in memory together
Options = Mapping[str, Mapping[str, Any]]

# The images of a study of digits.
SOURCE: Options = {
    "--source": {"choices": SOURCES, "default": "mnist", "help": "mnist (default), or digits: small ones of scikit-learn's"},
    "--data-dir": {"type": Path, "help": f"folder with the files of MNIST (default: the variable {VARIABLE}, or a download)"},
}


@dataclass(frozen=True)
class Command:
    """A study of the command line.

    Attributes
    ----------
    study : callable
        Builds the study; its keywords are the destinations of the options.
    help : str
    options : mapping of str to mapping
        By flag, what ``argparse`` takes for it.
    """

    study: Callable[..., Study]
    help: str
    options: Options = field(default_factory=dict)


# Judge the candidates of another run again.
CANDIDATES: Options = {
    "--candidates": {"type": Path, "metavar": "FOLDER", "help": "take the candidates of the study in FOLDER, and train only what it lacks"}
}


def _setting(text: str) -> tuple[str, Any]:
    """A name and its value: a number, a list or a word as in JSON, or any other text."""
    name, equal, value = text.partition("=")
    if not equal:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, such as unit_tries=1; got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


# Sculpt with other settings.
CHANGED: Options = {
    "--changed": {
        "type": _setting, "nargs": "+", "default": (), "metavar": "NAME=VALUE",
        "help": "settings of sculpt other than the default, such as unit_tries=1; needs a folder of its own",
    }
}  # fmt: skip


def at_most(most: int) -> Callable[[str], int]:
    """A type of ``argparse``: whole numbers up to ``most``, since every one of them is a network or a cell."""

    def number(text: str) -> int:
        value = int(text)
        if value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}; got {value}")
        return value

    number.__name__ = "int"  # what argparse calls it where the text is no number
    return number


def groups(default: int) -> Options:
    """The option ``--groups``."""
    return {"--groups": {"type": at_most(MOST_GROUPS), "default": default, "help": f"disjoint groups of four seeds (default {default})"}}


def full_size(destination: str) -> Options:
    """The option ``--full``, which makes ``"full"`` of ``"reduced"``."""
    text = "the published size, many hours, in place of the reduced one"
    return {"--full": {"action": "store_const", "const": "full", "default": "reduced", "dest": destination, "help": text}}


def check_kinds(kinds: Sequence[str] | None, known: Collection[str]) -> None:
    """Refuse kinds of cells that a study does not have."""
    if kinds is not None and not set(kinds) <= set(known):
        raise ValueError(f"kinds must be some of {', '.join(known)}; got {', '.join(map(str, kinds))}")
