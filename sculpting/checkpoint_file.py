"""The file from which an interrupted run continues: of one call, whole, and refused where it was changed. What it holds is its run's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import save
from torch import Tensor

from .files import check_file, write_file
from .integrity import ALTERED, UNSIGNED, Contents, call_digest, read_header, read_safetensors, signed
from .plain import plain_value

__all__ = ["CheckpointFile", "Held"]

SECONDS = 10.0  # between two writings


@dataclass(frozen=True, eq=False)
class Held:
    """The state of a run, to be written: fields of JSON, and a function that returns its tensors as they were when it was held."""

    state: dict[str, Any]
    tensors: Callable[[], dict[str, Tensor]]


class CheckpointFile:
    """The checkpoint file of one call, which ``facts`` and ``tensors`` identify. A subclass sets ``held`` and takes ``contents``.

    Raises
    ------
    ValueError
        When no file can be written there.
    """

    OF: ClassVar[str]  # what is checkpointed, for messages
    FORMAT: ClassVar[str]
    VERSION: ClassVar[str]
    OLDER: ClassVar[tuple[str, ...]] = ()  # versions that can be read, too, which have no digest; the oldest last

    def __init__(self, path: str | Path, facts: object, tensors: Iterable[Tensor]) -> None:
        check_file(path, "checkpoint")
        self.path, self.written = Path(path), time.monotonic()
        self.facts, self.tensors = repr(facts), list(tensors)
        self.call = call_digest(self.facts, self.tensors)
        self.held: Held | None = None

    def write(self) -> None:
        """Write the state that is held, at most every ten seconds. The file is always complete."""
        if time.monotonic() - self.written >= SECONDS:
            self._write_held()

    @contextmanager
    def written_on(self, kind: type[BaseException]) -> Iterator[None]:
        """A context in which exceptions of a kind, such as that of Ctrl-C, write the state that is held, and then go on."""
        try:
            yield
        except kind as raised:
            try:
                self._write_held()
            except (OSError, ValueError) as error:
                raised.add_note(f"The checkpoint was not written: {error}")
            raise

    def contents(self) -> tuple[str, dict[str, Any], dict[str, Tensor]] | None:
        """The version, fields and tensors of the file; None when there is none.

        Raises
        ------
        ValueError
            When the file is no checkpoint, is one of another call, or was changed since it was written.
        """
        if not self.path.exists():
            return None
        contents = self._read()
        version = contents.metadata["version"]
        try:
            state = plain_value(contents.metadata["state"], finite=False)
            call = state["call"]
        except (KeyError, TypeError, ValueError) as error:
            raise self._no_checkpoint(error) from error
        if call != self._call_of(version):
            raise ValueError(
                f"{self.path} is the checkpoint of another call: its model, data or settings differ. Give another file, or remove "
                "it to start again"
            )
        return version, state, contents.tensors

    def not_whole(self, error: object) -> ValueError:
        """The error for a file that states what this call cannot have written."""
        return ValueError(f"{self.path} is not a whole checkpoint: {error}. Remove it to start again")

    def _no_checkpoint(self, error: object) -> ValueError:
        return ValueError(f"{self.path} is not a checkpoint of {self.OF}: {error}. Give another file, or remove it")

    def _call_of(self, version: str) -> str:
        """The digest of this call as a version has it."""
        return self.call

    def _write_held(self) -> None:
        if self.held is None:
            return
        held, self.held = self.held, None
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in held.tensors().items()}
        state = json.dumps({"call": self.call, **held.state})
        try:
            write_file(self.path, signed(save(kept, {"format": self.FORMAT, "version": self.VERSION, "state": state, **UNSIGNED})))
        except BaseException:
            self.held = held
            raise
        self.written = time.monotonic()

    def _read(self) -> Contents:
        try:
            header = read_header(self.path)
            if header.get("format") != self.FORMAT:
                raise ValueError("it has another header")
            known = (self.VERSION, *self.OLDER)
            if header.get("version") not in known:
                raise ValueError(f"versions {known[-1]} to {self.VERSION} can be read; it is of version {header.get('version')!r:.80}")
            found = read_safetensors(self.path)
        except ValueError as error:
            raise self._no_checkpoint(error) from error
        if found.altered or (found.altered is None and header["version"] == self.VERSION):
            raise ValueError(f"{self.path} {ALTERED}. A run that goes on from it would give another result. Remove it to start again")
        return found
