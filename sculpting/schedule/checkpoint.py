"""A long run on disk, so that one that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..files import check_folder, write_file
from ..mlp.population import Population, Shape
from .pruning import ChainName, Pruning, RoundRecord, Standing
from .pruning_schedule import Carving

__all__ = ["Checkpoint", "digest"]

FORMAT, VERSION = "neural-sculpting checkpoint", "1"
SECONDS = 10.0  # between two writings
COUNTERS = ("removed", "step", "number", "key", "streak", "kept", "misses", "active", "told", "total")


def digest(facts: object, tensors: Iterable[Tensor]) -> str:
    """A short text that differs between calls whose facts, by their ``repr``, or tensors differ."""
    told = hashlib.sha256(repr(facts).encode())
    for tensor in tensors:
        told.update(tensor.contiguous().numpy().tobytes())
    return told.hexdigest()


class Checkpoint:
    """A file between two rounds of a call of ``sculpt``, which ``call``, its ``digest``, tells from others.

    Raises
    ------
    ValueError
        When no file can be written there.
    """

    def __init__(self, path: str | Path, call: str) -> None:
        self.path, self.call, self.written = Path(path), call, time.monotonic()
        if self.path.is_dir():
            raise ValueError(f"checkpoint must be a file, or not there yet; got the folder {path}")
        check_folder(self.path.parent, "checkpoint")

    def write(self, carving: Carving) -> None:
        """Put where the chains are on disk, whole or not at all; at most every ten seconds."""
        if time.monotonic() - self.written < SECONDS:
            return
        tensors: dict[str, Tensor] = {}
        state: dict[str, Any] = {"call": self.call, "min_accuracy": carving.gate.min_accuracy}
        state["rounds"] = [vars(record) for record in carving.gate.rounds]
        for name, phase in (("units", carving.units), ("edges", carving.edges)):
            tensors |= {f"{name}.{counter}": getattr(phase, counter) for counter in COUNTERS}
            state[name] = _take(f"{name}.standing", phase.standing, tensors)
        state |= {name: _take(name, getattr(carving, name), tensors) for name in ("dense", "done")}
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        write_file(self.path, save(kept, {"format": FORMAT, "version": VERSION, "state": json.dumps(state)}))
        self.written = time.monotonic()

    def read(self, carving: Carving, shape: Shape, device: torch.device) -> bool:
        """Put the chains where the file says; False where there is none.

        Raises
        ------
        ValueError
            When the file is no checkpoint, or one of another call.
        """
        if not self.path.is_file():
            return False
        content = self.path.read_bytes()
        try:
            size = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + size])["__metadata__"]
            tensors = {name: tensor.to(device) for name, tensor in load(content).items()}
            known = header["format"] == FORMAT and header["version"] == VERSION
            state = json.loads(header["state"])
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path} is not a checkpoint of sculpting: {error}. Give another file, or remove it") from error
        if not known or state["call"] != self.call:
            raise ValueError(
                f"{self.path} is the checkpoint of another call: its model, data or settings differ. Give another file, or remove "
                "it to start anew"
            )
        carving.gate.min_accuracy = state["min_accuracy"]
        carving.gate.rounds = [RoundRecord(**{**record, "names": _names(record["names"])}) for record in state["rounds"]]
        for name, phase in (("units", carving.units), ("edges", carving.edges)):
            _put_back(phase, name, tensors, _standing(f"{name}.standing", state[name], tensors, shape))
        carving.dense, carving.done = (_standing(name, state[name], tensors, shape) for name in ("dense", "done"))
        return True


def _put_back(phase: Pruning, name: str, tensors: dict[str, Tensor], standing: Standing | None) -> None:
    for counter in COUNTERS:
        kept = tensors[f"{name}.{counter}"]
        setattr(phase, counter, kept if counter == "key" else kept.cpu())
    phase.standing = standing


def _take(name: str, standing: Standing | None, tensors: dict[str, Tensor]) -> list[ChainName] | None:
    """The names of a standing; the rest of it goes to ``tensors``."""
    if standing is None:
        return None
    population = standing.population
    parts = {"values": population.values, "mask": population.mask, "own": population.own}
    parts |= {"accuracy": standing.accuracy, "accepted": standing.accepted}
    tensors |= {f"{name}.{part}": tensor for part, tensor in parts.items()}
    return standing.names


def _standing(name: str, names: list[list[Any]] | None, tensors: dict[str, Tensor], shape: Shape) -> Standing | None:
    if names is None:
        return None
    values, mask, own, accuracy, accepted = (tensors[f"{name}.{part}"] for part in ("values", "mask", "own", "accuracy", "accepted"))
    return Standing(Population(shape, values, mask, own.cpu()), accuracy.cpu(), accepted.cpu(), _names(names))


def _names(names: list[list[Any]]) -> list[ChainName]:
    return [ChainName(*name) for name in names]
