"""Run readers on mutated inputs in child processes, with a limit of time and memory for each input.

A child takes inputs in their order and reports each; one that does not answer in time is killed, and another goes on with the next input.
"""

from __future__ import annotations

import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["OUTCOMES", "Another", "Finding", "Reader", "Refused", "counted", "outcomes"]

SECONDS = 10.0  # for one input
MEMORY = 2**30  # bytes beyond what the process has at the start
OUTCOMES = ("right", "documented", "other", "hang", "another")


class Another(AssertionError):  # noqa: N818 (an outcome)
    """The input was accepted, and the result is silently another than that of the intact input."""


class Refused(Exception):  # noqa: N818 (an outcome)
    """A command ended as documented, with one line and a status of its own."""


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Reader:
    """A reader, and how its inputs are mutated.

    Attributes
    ----------
    name : str
        The row of the table.
    make : function of a random.Random and a folder
        One mutated input, which depends on the two alone.
    read : function of what ``make`` returns
        Calls the reader and uses the result. Raises :class:`Another` where the result is silently another.
    refused : tuple of exception types
        Those that the reader documents.
    warm : function, optional
        Imports and caches, made once before any child begins.
    """

    name: str
    make: Callable[[random.Random, Path], Any]
    read: Callable[[Any], None]
    refused: tuple[type[Exception], ...] = (ValueError, TypeError)
    warm: Callable[[], None] = nothing


class Finding(NamedTuple):
    """What one input gave: one of ``OUTCOMES``, and the exception where there was one."""

    number: int
    outcome: str
    text: str
    seconds: float


@dataclass
class _Child:
    pid: int
    pipe: int
    left: bytes = field(default=b"")

    def line(self, seconds: float) -> str | None:
        """The next line that the child writes; empty at its end, None when it is late."""
        end = time.monotonic() + seconds
        while b"\n" not in self.left:
            if not select.select([self.pipe], [], [], max(0.0, end - time.monotonic()))[0]:
                return None
            got = os.read(self.pipe, 65536)
            if not got:
                return ""
            self.left += got
        line, self.left = self.left.split(b"\n", 1)
        return line.decode()

    def end(self) -> int:
        """Kill the child where it still runs; its exit status."""
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.pipe)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def outcomes(reader: Reader, seed: int, count: int, first: int = 0, *, seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[Finding]:
    """What inputs ``first`` to ``first + count - 1`` of a seed give, in their order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning is no fault, also where tests make errors of them
        reader.warm()
    number, stop = first, first + count
    while number < stop:
        child = _begun(reader, seed, number, stop, memory)
        try:
            while number < stop:
                line = child.line(seconds)
                if line is None:
                    yield Finding(number, "hang", f"no answer in {seconds:g} s", seconds)
                elif not line:
                    yield Finding(number, "other", "the process died", 0.0)
                else:
                    yield Finding(*json.loads(line))
                number += 1
                if not line:
                    break
        finally:
            child.end()


def counted(found: Iterator[Finding]) -> tuple[dict[str, int], list[Finding]]:
    """The number of each outcome, and the findings that are faults."""
    counts, faults = dict.fromkeys(OUTCOMES, 0), []
    for each in found:
        counts[each.outcome] += 1
        if each.outcome not in OUTCOMES[:2]:
            faults.append(each)
    return counts, faults


def _begun(reader: Reader, seed: int, first: int, stop: int, memory: int) -> _Child:
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _Child(pid, reading)
    status = 1
    try:  # only the child comes here, and never leaves
        os.close(reading)
        _limit(memory)
        _silence()
        warnings.simplefilter("ignore")
        for number in range(first, stop):
            start = time.monotonic()
            outcome, text = _one(reader, seed, number)
            os.write(writing, (json.dumps([number, outcome, text, round(time.monotonic() - start, 3)]) + "\n").encode())
        status = 0
    finally:
        os._exit(status)


def _limit(memory: int) -> None:
    # The size of the address space now, in pages: the first number of the file.
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _one(reader: Reader, seed: int, number: int) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        given = reader.make(random.Random(f"{reader.name} {seed} {number}"), Path(folder))
        try:
            reader.read(given)
        except Another as error:
            return "another", str(error)[:500]
        except reader.refused as error:
            return "documented", f"{type(error).__name__}: {error}"[:300]
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            return "other", f"{type(error).__name__}: {error}"[:300] + f" ({Path(place.filename).name}:{place.lineno})"
    return "right", ""
