"""Readers of tasks and data: gates, IDX files, arrays and tables, arguments of ``sculpt``, tasks by name."""

from __future__ import annotations

import contextlib
import gzip
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import sculpting.sculptor
from fuzz.harness import Another, Reader
from fuzz.mutations import mutated_bytes, odd_values
from sculpting import ScheduleSettings, TrainingSettings, sculpt, tasks
from sculpting.tasks.idx import idx_bytes

__all__ = ["READERS"]

SIGNS = ("&", "|", "^", "~", "(", ")", " ", "&&", "**", "==", "\0", "\n", "and", "1", "x" * 2000, "(" * 300, "~" * 5000, "²", "፩")


# Gates


def _gates(random: Random, folder: Path) -> tuple[Any, dict[str, Any]]:
    gates = _graph(random)
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        gates = _mutated_gates(random, gates)
    options: dict[str, Any] = {}
    if random.random() < 0.3:
        options[random.choice(("inputs", "outputs", "name"))] = random.choice(
            (odd_values(random), ["x0", "x1"], ["g0"], "g0", [], ["x0", "x0"], [None])
        )
    return gates, options


def _graph(random: Random) -> Any:
    """Gates of one of several forms: small, chained, wide, deep, with many inputs, far too large."""
    kind, count = random.randrange(8), random.choice((2, 5, 40, 200))
    if kind == 0:
        return {f"g{i}": f"{'~' * (i % 2)}x{i} {random.choice('&|^')} x{i + 1}" for i in range(random.randrange(1, 5))}
    if kind == 1:
        return {f"g{i}": "x0 ^ x1" if i == 0 else f"g{i - 1} {random.choice('&|^')} x{i % 7}" for i in range(count)}
    if kind == 2:
        return {f"g{i}": f"x{i % 6} & x{(i + 1) % 5} | x{i % 3}" for i in range(count)}
    if kind == 3:
        return {f"g{i}": "x0 ^ x1" if i < 2 else f"g{i - 1} ^ g{i - 2}" for i in range(count)}
    if kind == 4:
        deep = random.choice((3, 50, 99, 101, 5000))
        return {"y": "(x0 ^ " * deep + "x1" + ")" * deep}
    if kind == 5:
        return {"y": random.choice("&|^").join(f"x{i}" for i in range(random.choice((3, 12, 21, 5000))))}
    if kind == 6:
        return {"y": "x0" + random.choice((" & x1", " ^ x1", " | ~x1")) * random.choice((10, 100, 1000, 90_000))}
    return {f"g{i}": f"x{i} & x{i + 1}" for i in range(random.choice((9, 12, 20, 20_000)))}


def _mutated_gates(random: Random, gates: Any) -> Any:
    if not isinstance(gates, dict) or not gates:
        return gates
    name = random.choice(list(gates))
    kind, text = random.randrange(8), gates[name]
    if kind == 0:
        return {**gates, name: odd_values(random)}
    if kind == 1:
        return {random.choice(("", "a b", "y" * 2000, "x0", 7, None, "g+", "\ud800", "output y")): gates[name], **gates}
    if kind == 2:
        return odd_values(random)
    if not isinstance(text, str):
        return gates
    place = random.randrange(len(text) + 1)
    if kind == 3:
        return {**gates, name: text[:place]}
    if kind == 4:
        return {**gates, name: f"{text} ^ {name}"}
    return {**gates, name: text[:place] + random.choice(SIGNS) + text[place:]}


def _read_gates(given: tuple[Any, dict[str, Any]]) -> None:
    gates, options = given
    task = tasks.from_gates(gates, **options)
    if task.gates is None or task.x.shape[0] != 2 ** len(task.input_names):
        raise Another("the table lacks rows")
    for layers in (None, 1, 2, 5):
        truth = task.truth(layers)
        if sorted(o for _, facts in truth.nodes(data=True) for o in facts["outputs"]) != list(range(len(task.output_names))):
            raise Another("an output is in no module, or in two")
    tasks.layers_needed(task.gates)
    task.model(4, 1)(task.x[:3])


# IDX files and folders of digits

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@cache
def _files() -> dict[str, bytes]:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(10, dtype=np.uint8), 12)
    images = generator.integers(0, 256, (120, 8, 8), dtype=np.uint8)
    return dict(zip(NAMES, (idx_bytes(part) for part in (images, labels, images[:60], labels[::2])), strict=True))


@cache
def _bomb() -> bytes:
    """A small file whose header says ten bytes, and which unpacks to 20 MB."""
    return gzip.compress(b"\0\0\x08\1\0\0\0\x0a" + b"\0" * 20_000_000, 1, mtime=0)


def _prepared() -> None:
    _files()
    _bomb()


def _folder(random: Random, folder: Path) -> tuple[Path, bool]:
    intact = True
    chosen = random.choice(NAMES)
    for name, content in _files().items():
        zipped = random.random() < 0.3
        if name == chosen:
            changed = mutated_bytes(random, content)
            intact = changed == content
            stored = gzip.compress(changed, 1, mtime=0) if zipped else changed
            if zipped and random.random() < 0.5:
                stored, intact = mutated_bytes(random, stored), False
            kind = random.randrange(14)
            path = folder / (name + ".gz" * zipped)
            intact = intact and kind > 4
            if kind == 0:
                path.mkdir()
            elif kind == 1:
                path.symlink_to("/dev/zero")
            elif kind == 2:
                path.symlink_to(path)
            elif kind == 3:
                path.write_bytes(_bomb())
            elif kind != 4:
                path.write_bytes(stored)
        else:
            (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(content, 1, mtime=0) if zipped else content)
    return folder, intact


def _read_folder(given: tuple[Path, bool]) -> None:
    folder, intact = given
    try:
        task = tasks.mnist_pair(data_dir=folder, pairs=100, validation=100, test=100)
    except (ValueError, FileNotFoundError):
        if intact:
            raise Another("the intact files are refused") from None
        raise
    if not bool(((task.x >= 0) & (task.x <= 1)).all()):
        raise Another("pixels are out of range")


# Arrays, tables, datasets


class _Failing(Dataset[Any]):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, i: int) -> Any:
        if i == 3:
            raise RuntimeError("row 3 cannot be read")
        return torch.zeros(2), 0


class _Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield torch.zeros(2), 0
        raise KeyError("the stream breaks")


class _Ragged(Dataset[Any]):
    def __len__(self) -> int:
        return 600

    def __getitem__(self, i: int) -> Any:
        return torch.zeros(2 + i // 300), 0


def _arrays(random: Random) -> list[Callable[[], Any]]:
    """Inputs or targets of every kind, made when they are needed."""
    import pandas as pd
    from scipy import sparse

    x = np.random.default_rng(random.randrange(100)).normal(size=(24, 3))
    tensor = torch.from_numpy(x).float()
    return [
        lambda: x,
        lambda: tensor,
        lambda: x.astype(np.float16),
        lambda: x.astype(np.longdouble),
        lambda: (x > 0).astype(np.uint64),
        lambda: x > 0,
        lambda: x.astype(object),
        lambda: np.where(x > 1, None, x),
        lambda: np.ma.masked_greater(x, 0.5),
        lambda: x + 1j,
        lambda: x.astype(str),
        lambda: x.tolist(),
        lambda: [*x.tolist(), [1.0]],
        lambda: np.full_like(x, np.nan),
        lambda: x[:0],
        lambda: x[0, 0],
        lambda: x[:, :0],
        lambda: x.reshape(24, 1, 3, 1, 1),
        lambda: [10**400] * 24,
        lambda: [[10**40, 1]] * 24,
        lambda: [b"\xff"] * 24,
        lambda: x.astype("datetime64[s]"),
        lambda: np.zeros(24, dtype=[("a", "f4"), ("b", "i8")]),
        lambda: tensor.to_sparse(),
        lambda: tensor.to_sparse_csr(),
        lambda: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
        lambda: tensor.to("meta"),
        lambda: tensor.clone().requires_grad_(),
        lambda: tensor + 1j,
        lambda: torch.nested.nested_tensor([tensor[0], tensor[1, :2]]),
        lambda: tensor.bfloat16(),
        lambda: (tensor > 0).to(torch.uint16),
        lambda: tensor[0, 0],
        lambda: sparse.csr_matrix(x),
        lambda: pd.DataFrame(x, columns=["a", "a", "b"]),
        lambda: pd.DataFrame({"a": ["u", "v"] * 12, "b": range(24)}),
        lambda: pd.Series(["u", "v", None] * 8, dtype="category"),
        lambda: pd.array([1, None, 3] * 8),
        lambda: {"a": x[:, 0], "b": x[:5, 1]},
        lambda: (row for row in x),
        lambda: [tensor[0]] * 24,
        lambda: [tensor[0], tensor[1, :1]] * 12,
        lambda: range(24),
        lambda: range(10**9),
        lambda: odd_values(random),
        lambda: np.arange(24) % 2,
        lambda: np.arange(24) % 3,
        lambda: ["cat", "dog"] * 12,
        lambda: [0, 10**9] * 12,
        lambda: np.array([0, 1] * 12) * 2**62,
    ]


def _has_rows(part: Any) -> bool:
    return isinstance(part, torch.Tensor) and not part.is_nested and part.ndim > 0


def _data(random: Random, folder: Path) -> tuple[str, Any, dict[str, Any]]:
    kinds = _arrays(random)
    x, y = (random.choice(kinds[:2] if random.random() < 0.3 else kinds) for _ in range(2))
    y = random.choice(kinds[-5:]) if random.random() < 0.4 else y
    data: Any = (x(), y())
    shape = random.randrange(10)
    if shape == 0:
        data = random.choice((_Failing(), _Stream(), _Ragged(), DataLoader(_Failing()), DataLoader(_Ragged(), batch_size=500)))
    elif (
        shape == 1
        and all(isinstance(part, torch.Tensor) and not part.is_nested and part.ndim for part in data)
        and len(data[0]) == len(data[1])
    ):
        data = TensorDataset(*data)
    elif shape == 2:
        data = random.choice((odd_values(random), {"x": data[0], "y": data[1]}, [*data], (*data, 1), data[0]))
    options: dict[str, Any] = {}
    if random.random() < 0.5:
        name = random.choice(("loss", "validation", "test", "groups", "metric", "seed", "outputs", "name"))
        odd = (odd_values(random), random.choice(("bce", "ce", "mse", "R2", 0.2, 0.9, 1, 2, 0, -1, data)), np.arange(24) // 3)
        options[name] = random.choice(odd)
    return random.choice(("as_task", "as_task", "from_table")), data, options


def _read_data(given: tuple[str, Any, dict[str, Any]]) -> None:
    kind, data, options = given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "as_task":
            task = tasks.as_task(data, **options)
        else:
            x, y = data if isinstance(data, tuple) and len(data) == 2 else (data, data)
            task = tasks.from_table(x, y)
    if not (bool(task.x.isfinite().all()) and len(task.x) == len(task.y)):
        raise Another("rows are not finite, or differ in number")
    task.constant_accuracy()
    task.constant_scores()
    repr(task)


# Arguments of sculpt


class _Stop(Exception):  # noqa: N818 (no error)
    """All arguments were taken."""


def _stop(*_: Any, **__: Any) -> None:
    raise _Stop


def _warm() -> None:
    """Import what is needed, once."""
    rows = (np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model in MODELS:  # what they need is imported once
            for data in (_task(), rows):
                with contextlib.suppress(ValueError, TypeError):
                    _read_call((model, data, {}))
    _read_gates(({"y": "a ^ b ^ c & (d | e & f)"}, {}))


def _warm_named() -> None:
    for name in BASES:
        with contextlib.suppress(FileNotFoundError):
            _read_named((name, Path("nowhere")))


def _warm_data() -> None:
    """Import what reads tables, and what divides rows."""
    random = Random(0)
    for number in range(60):
        with contextlib.suppress(ValueError, TypeError):
            _read_data(_data(random, Path(str(number))))


@cache
def _task() -> tasks.Task:
    return tasks.from_gates({"y": "a ^ b"})


class _Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 1, dtype=torch.complex64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.to(self.weight.dtype) @ self.weight).real


class _Raises(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("no such layer")


def _chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), *layers, nn.Linear(3, 1))


MODELS: tuple[Callable[[], Any], ...] = (
    lambda: _task().model(3, 1),
    lambda: _chain(),
    lambda: _chain().to("meta"),
    lambda: nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(1)),
    lambda: _chain().double(),
    lambda: _chain().half(),
    lambda: _chain().to(torch.complex64),
    lambda: _Complex(),
    lambda: _Raises(),
    lambda: nn.Linear(2, 1),
    lambda: nn.Identity(),
    lambda: nn.ModuleList([nn.Linear(2, 1)]),
    lambda: [_chain(), _chain()],
    lambda: [_chain(), None],
    lambda: [],
    lambda: nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 1)),
    lambda: nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4)),
    lambda: nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(1)),
    lambda: torch.jit.script(_chain()),
)
ARGUMENTS = (
    "seeds", "seed", "min_accuracy", "training", "schedule", "initial", "regrow", "keep", "loss", "validation", "test", "groups", "metric",
    "device", "mixed_precision", "max_members", "checkpoint", "progress", "steps", "batch_size", "learning_rate", "final_rate",
    "rate_width", "least_rows", "weight_decay", "input_noise", "hidden_noise", "keep_last", "unit_steps", "edge_steps", "unit_score",
    "edge_score", "double_after", "unit_tries", "edge_tries", "dense_rounds", "restart_rate", "tolerance", "confidence", "nothing",
)  # fmt: skip


def _call(random: Random, folder: Path) -> tuple[Callable[[], Any], Any, dict[str, Any]]:
    options: dict[str, Any] = {}
    for name in random.sample(ARGUMENTS, random.choice((0, 1, 1, 1, 2))):
        usual = (0, 1, 2, 0.5, 10**9, [0.5], [], "model", "fresh", "cpu", "meta", "cuda:99", True, None, (0.5,) * 2000, np.float32(0.5))
        more = (torch.tensor(0.5), 1 + 1j, np.array("0.5"), TrainingSettings(steps=3), ScheduleSettings(unit_steps=(0.5,)), folder)
        options[name] = random.choice((odd_values(random), random.choice(usual), random.choice(more)))
        if name == "checkpoint" and isinstance(options[name], str):
            options[name] = str(folder / "checkpoint")
    model = random.choice(MODELS) if random.random() < 0.5 else MODELS[0]
    odd = odd_values(random) if random.random() < 0.1 else None
    data: Any = _task() if random.random() < 0.7 else random.choice((odd_values(random), (np.zeros((8, 2)), np.arange(8) % 2)))
    return (lambda: odd) if odd is not None else model, data, options


def _read_call(given: tuple[Callable[[], Any], Any, dict[str, Any]]) -> None:
    model, data, options = given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # It ends where its training would begin.
        with mock.patch.object(sculpting.sculptor.PruningSchedule, "begin", _stop), contextlib.suppress(_Stop):
            sculpt(model(), data, **{"progress": False, "seeds": 1, **options})


# Tasks by name

BASES = (
    "both", "[6, 3, 3, 3]", "4,1,4", "reused", "none", "cmsp:m=2,k=2", "cmsp:m=3,k=2,codes=0|1|0+1", "cmsp:m=1,k=2,rows=40,outputs=each",
    "random-gates:seed=3", "random-gates:seed=4,levels=2", "mnist-pair:source=digits,pairs=100,validation=100,test=100",
    "mnist-xor:source=digits,pairs=64,validation=64,test=64", "mnist-pair:size=14",
)  # fmt: skip
PIECES = (
    "=",
    ",",
    ":",
    "|",
    "+",
    "0",
    "-1",
    "999999999999",
    "1" * 5000,
    "m=",
    "k=",
    "n=",
    "seed=",
    "rows=",
    "levels=",
    "²",
    "\0",
    "e",
    " ",
    "[",
)


def _named(random: Random, folder: Path) -> Any:
    if random.random() < 0.05:
        return odd_values(random), folder
    text = random.choice(BASES)
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        a, b = sorted(random.randrange(len(text) + 1) for _ in range(2))
        kind = random.randrange(4)
        if kind == 0:
            text = text[:a] + random.choice(PIECES) + text[a:]
        elif kind == 1:
            text = text[:a] + text[min(b, a + 3) :]
        elif kind == 2:
            text = text[:b] + text[a:b] + text[b:]
        else:
            digits = [i for i, sign in enumerate(text) if sign.isdigit()]
            place = random.choice(digits) if digits else 0
            text = text[:place] + random.choice(("0", "7", "21", "1000", "10000000", "-3", "1.5")) + text[place + 1 :]
    return text, folder


def _read_named(given: tuple[Any, Path]) -> None:
    text, folder = given
    os.environ["SCULPTING_DATA"] = str(folder)  # so that nothing is fetched
    task = tasks.named(text)
    task.model(2, 1) if task.x.shape[1] < 1000 else None
    if task.gates is not None or task.structure is not None:
        task.truth(2)
    repr(replace(task))


READERS = [
    Reader("tasks.from_gates", _gates, _read_gates, warm=_warm),
    Reader("IDX files, digit folders", _folder, _read_folder, refused=(ValueError, FileNotFoundError), warm=_prepared),
    Reader("as_task, from_table", _data, _read_data, warm=_warm_data),
    Reader("arguments of sculpt", _call, _read_call, refused=(ValueError, TypeError, OSError), warm=_warm),
    Reader("tasks by name", _named, _read_named, refused=(ValueError, TypeError, FileNotFoundError), warm=_warm_named),
]
