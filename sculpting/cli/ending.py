"""How the command line ends: by Ctrl-C, by the end of its reader, and with one line about what was wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

__all__ = ["Signals", "discard", "flush", "say", "signals"]

LENGTH = 2000  # characters of a line about what was wrong; a name in it may have any number
PATIENCE = 5  # seconds in which a second Ctrl-C is ignored, since files and workers are being put away


def say(text: str) -> None:
    """Write one line to standard error, where there is one."""
    line = " ".join(text.split())
    line = line if len(line) <= LENGTH else f"{line[: LENGTH // 2]} ... {line[-LENGTH // 2 :]}"
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, full, or none at all
        sys.stderr.write(f"{line.encode(errors='backslashreplace').decode()}\n")
        sys.stderr.flush()


def flush() -> None:
    """Write what is buffered for standard output; a reader that has closed the pipe, as ``| head`` does, needs no more.

    Raises
    ------
    OSError
        When it cannot be written for another reason.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        discard()
    except OSError:
        discard()
        raise


def discard() -> None:
    """Send what is buffered for standard output nowhere; Python would report it again when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class Signals:
    """What Ctrl-C and the signal to end do to this process.

    Attributes
    ----------
    name : str
        Of the command, for the line that says that it was stopped.
    started : bool
        Whether the command runs. Before, this process ends at once, since modules that are half imported cannot go on; afterwards
        ``KeyboardInterrupt`` is raised once, so that what is there is kept.
    status : int
        The exit status: 128 and the number of the signal.
    """

    def __init__(self, name: str) -> None:
        self.name, self.started, self.status, self.first = name, False, 130, 0.0

    def __call__(self, number: int, frame: FrameType | None = None) -> None:
        if not self.first:
            self.status = 128 + number
        elif self.started and time.monotonic() < self.first + PATIENCE:
            return
        if not self.started or self.first:
            if not self.first:
                say(f"{self.name}: stopped")
            os._exit(self.status)
        self.first = time.monotonic()
        raise KeyboardInterrupt


@contextlib.contextmanager
def signals(name: str) -> Iterator[Signals]:
    """Handle the signals of a command that is this process; they are handled as before once it is done, unless it was stopped."""
    mine = Signals(name)
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, mine) for number in (signal.SIGINT, signal.SIGTERM)}
    yield mine
    if not mine.first:
        for number, handler in before.items():
            signal.signal(number, handler)
