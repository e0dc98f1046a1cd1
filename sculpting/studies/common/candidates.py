"""All candidates of a cell in one compressed file, so that another rule of choice can judge them without training."""

from __future__ import annotations

import json
import lzma
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...models.network import SparseNetwork
from ...plain import plain_value
from ...results import SculptResult
from ...schedule.checkpoint import digest
from ...sculptor import sculpt
from ...store import Store
from ...tasks.task import Task
from .settings import sculpting_settings

__all__ = ["Sculpted", "candidates_file", "sculpted"]

FORMAT, VERSION = "neural-sculpting candidates", "1"
SHARED = ("activations", "head", "input_names", "output_names", "loss")  # fields that are the same for all candidates of a model

MOST_BYTES = 1 << 31  # of the nonzero parameters in a file, and of all parameters once they are read

# N = candidates, Z = nonzero parameters of all of them together.


@dataclass(frozen=True)
class Sculpted:
    """What studies judge of a run of ``sculpt``.

    Attributes
    ----------
    candidates : tuple of SparseNetwork
    best : mapping of int to float
        The best accuracy of any attempt, by seed.
    seconds : float
        That the run took.
    """

    candidates: tuple[SparseNetwork, ...]
    best: Mapping[int, float]
    seconds: float = 0.0

    @classmethod
    def of(cls, result: SculptResult, seconds: float = 0.0) -> Sculpted:
        """The same of a result."""
        best: dict[int, float] = {}
        for attempt in result.history:
            best[attempt.chain.seed] = max(attempt.accuracy, best.get(attempt.chain.seed, -math.inf))
        return cls(result.candidates, best, seconds)

    def best_accuracy(self, seeds: Iterable[int]) -> float:
        """The best accuracy of any attempt of some seeds."""
        return max(self.best[seed] for seed in seeds)

    def to_bytes(self, call: Mapping[str, Any]) -> bytes:
        """The content of a file, which also says from which ``call`` the candidates are.

        A candidate is its nonzero parameters, weights before biases, and the gaps between their positions.
        """
        flat = [np.concatenate([part.ravel() for part in (*network.weights, *network.biases)]) for network in self.candidates]
        where = [np.flatnonzero(parameters) for parameters in flat]
        tensors = {
            "values": _joined([parameters[some] for parameters, some in zip(flat, where, strict=True)], np.float32),
            "gaps": _joined([np.diff(some, prepend=0) for some in where], np.int32),
            "counts": np.array([len(some) for some in where], dtype=np.int64),
            "accuracy": np.array([network.accuracy for network in self.candidates], dtype=np.float64),
        }
        shared = {name: getattr(self.candidates[0], name) for name in (*SHARED, "widths")} if self.candidates else {}
        origins = [network.origin for network in self.candidates]
        facts = {"call": call, "shared": shared, "origins": origins, "best": sorted(self.best.items()), "seconds": self.seconds}
        return lzma.compress(save(tensors, {"format": FORMAT, "version": VERSION, "facts": json.dumps(facts)}))

    @classmethod
    def from_bytes(cls, content: bytes, call: Mapping[str, Any], path: Path) -> Sculpted:
        """What :meth:`to_bytes` has written of the same call.

        Raises
        ------
        ValueError
            When the content is something else, or of another call.
        """
        try:
            raw = _decompressed(content)
            tensors, size = load(raw), int.from_bytes(raw[:8], "little")
            header = plain_value(raw[8 : 8 + size].decode())["__metadata__"]
            if (header["format"], header["version"]) != (FORMAT, VERSION):
                raise ValueError(f"expected {FORMAT}, version {VERSION}; got {header['format']}, version {header['version']}")
            facts = plain_value(header["facts"])
            there, networks = facts["call"], tuple(_networks(tensors, facts))
        except (lzma.LZMAError, SafetensorError, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"{path} holds no candidates: {error}. Give another folder") from error
        here = json.loads(json.dumps(call))
        if there != here:
            differ = next(name for name in {**there, **here} if there.get(name) != here.get(name))
            raise ValueError(
                f"{path} must hold candidates of the same task and settings; got {differ} {there.get(differ)!r} in place of "
                f"{here.get(differ)!r}. Give another folder, or none to train again"
            )
        return cls(networks, {int(seed): best for seed, best in facts["best"]}, facts["seconds"])


def candidates_file(cell: str) -> str:
    """The name of the file of a cell's candidates.

    Examples
    --------
    >>> candidates_file("4-2-4_width24_depth1")
    'candidates/4-2-4_width24_depth1.safetensors.xz'
    """
    return f"candidates/{cell}.safetensors.xz"


def sculpted(
    task: Task, width: int, depth: int, cell: str, seeds: int, folder: str | Path | None = None, **options: Any
) -> tuple[Sculpted, dict[str, bytes]]:
    """The candidates of a cell, and the file to keep of them.

    ``folder`` is that of a study with candidates of the same cell, which are taken where there are any; other cells are trained.
    ``options`` are arguments of ``sculpt`` other than the defaults; an ``activation`` is that of the model.
    """
    activation = {name: value for name, value in options.items() if name == "activation"}
    changed = {name: value for name, value in options.items() if name not in activation}
    table = digest(task.loss, (task.x, task.y, task.x_validation, task.y_validation))
    call = {"task": task.name, "data": table, "width": width, "depth": depth, "seeds": seeds, "activation": task.activation}
    call |= {**sculpting_settings(task), **options}
    name = candidates_file(cell)
    if folder is not None and (content := Store(Path(folder)).read(name, cell)) is not None:
        return Sculpted.from_bytes(content, call, Path(folder) / name), {name: content}
    start = time.perf_counter()
    result = sculpt(task.model(width, depth, **activation), task, seeds=seeds, progress=False, **changed)
    found = Sculpted.of(result, time.perf_counter() - start)
    return found, {name: found.to_bytes(call)}


def _decompressed(content: bytes) -> bytes:
    """The content of an ``.xz`` file, whose size a few bytes can claim at will."""
    reader = lzma.LZMADecompressor()
    raw = reader.decompress(content, MOST_BYTES)
    if not reader.eof or reader.unused_data:
        raise ValueError(f"expected a whole .xz file of at most {MOST_BYTES} bytes; got one that is cut off or larger")
    return raw


def _joined(parts: Sequence[Any], dtype: Any) -> Any:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype=dtype)


def _networks(tensors: Mapping[str, Any], facts: Mapping[str, Any]) -> list[SparseNetwork]:
    shared = dict(facts["shared"])
    widths = shared.pop("widths", [])
    shapes = [*((after, before) for before, after in pairwise(widths)), *((width,) for width in widths[1:])]
    ends = [0, *accumulate(math.prod(shape) for shape in shapes)]  # whole numbers without a limit
    if not all(type(width) is int and width > 0 for width in widths) or ends[-1] * len(facts["origins"]) > MOST_BYTES // 4:
        raise ValueError(f"expected candidates of at most {MOST_BYTES} bytes together; got {len(facts['origins'])} of widths {widths}")
    starts = [0, *np.cumsum(tensors["counts"]).tolist()]
    networks = []
    for i, origin in enumerate(facts["origins"]):
        mine = slice(starts[i], starts[i + 1])
        flat = np.zeros(ends[-1], dtype=np.float32)
        flat[np.cumsum(tensors["gaps"][mine])] = tensors["values"][mine]
        parts = [flat[a:b].reshape(shape) for (a, b), shape in zip(pairwise(ends), shapes, strict=True)]
        layers = len(widths) - 1
        networks.append(
            SparseNetwork(
                tuple(parts[:layers]), tuple(parts[layers:]), accuracy=float(tensors["accuracy"][i]), origin=dict(origin), **shared
            )
        )
    return networks
