"""Ordinary sets of data for the benchmarks: what comes with scikit-learn, and MNIST where its files are there.

S = rows, n = inputs.
"""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from sklearn import datasets
from torch import nn

from sculpting.tasks.digits import VARIABLE, read_digits

SHARED = Path(os.environ.get(VARIABLE, Path(__file__).parents[2] / "shared" / "data" / "mnist"))


@dataclass(frozen=True)
class Dataset:
    """Inputs of shape (S, n), targets as ``sculpt`` takes them, and the widths of the network for them."""

    x: NDArray[Any]
    y: NDArray[Any]
    widths: tuple[int, ...]

    def model(self) -> nn.Sequential:
        """A ReLU network of these widths."""
        return mlp(*self.widths)


def mlp(*widths: int) -> nn.Sequential:
    layers = [layer for n_in, n_out in pairwise(widths) for layer in (nn.Linear(n_in, n_out), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def _bundled(load: Callable[[], Any], *hidden: int) -> Dataset:
    found = load()
    outputs = len(np.unique(found.target)) if found.target.dtype.kind == "i" else 1
    return Dataset(found.data, found.target, (found.data.shape[1], *hidden, outputs))


def _drawn(rows: tuple[NDArray[Any], NDArray[Any]], *widths: int) -> Dataset:
    return Dataset(*rows, widths)


def wine_beside_iris() -> Dataset:
    """Each row of iris beside a row of wine that no other has, at random; targets are the three bits of either class."""
    wine, iris = datasets.load_wine(), datasets.load_iris()
    rng, rows = np.random.default_rng(0), len(iris.data)
    left, right = rng.permutation(len(wine.data))[:rows], rng.permutation(rows)
    x = np.concatenate([wine.data[left], iris.data[right]], axis=1)
    return Dataset(x, np.concatenate([np.eye(3)[wine.target[left]], np.eye(3)[iris.target[right]]], axis=1), (17, 24, 24, 6))


def mnist_half_size() -> Dataset:
    """The first 10,000 training images of MNIST, as means of 2 x 2 pixels.

    Raises
    ------
    FileNotFoundError
        When its files are not in the folder ``SCULPTING_DATA``.
    """
    train = read_digits("mnist", SHARED)[0]
    images = train.images[:10_000].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / train.white
    return Dataset(images.reshape(-1, 196), train.labels[:10_000].astype(int), (196, 64, 10))


DATASETS: dict[str, Callable[[], Dataset]] = {
    "iris": lambda: _bundled(datasets.load_iris, 8),
    "wine": lambda: _bundled(datasets.load_wine, 16),
    "breast cancer": lambda: _bundled(datasets.load_breast_cancer, 16),
    "diabetes": lambda: _bundled(datasets.load_diabetes, 16),
    "wine beside iris": wine_beside_iris,
    "digits": lambda: _bundled(datasets.load_digits, 32),
    "MNIST 14 x 14": mnist_half_size,
    "moons": lambda: _drawn(datasets.make_moons(300, noise=0.3, random_state=0), 2, 16, 8, 2),
    "classification": lambda: _drawn(
        datasets.make_classification(400, 20, n_informative=5, n_redundant=5, flip_y=0.1, random_state=0), 20, 16, 2
    ),
    "Friedman 1": lambda: _drawn(datasets.make_friedman1(400, noise=1.0, random_state=0), 10, 16, 8, 1),
    "wide": lambda: _drawn(datasets.make_classification(300, 100, n_informative=8, n_redundant=0, random_state=1), 100, 16, 2),
}


def there(names: Iterable[str]) -> Iterator[tuple[str, Dataset]]:
    """The sets of these names; those whose files are missing are passed over with a message."""
    for name in names:
        try:
            yield name, DATASETS[name]()
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}", flush=True)


class Rows:
    """Rows of a CSV file, written as they come, so that a run that was stopped goes on where it was."""

    def __init__(self, path: Path, header: Sequence[str], keys: int) -> None:
        self.path, self.header, self.keys = path, list(header), keys
        if not path.exists():
            self._write(self.header)
        with path.open(newline="") as file:
            self.rows = list(csv.DictReader(file))

    def __contains__(self, key: Sequence[object]) -> bool:
        names = self.header[: self.keys]
        return any([row[name] for name in names] == [*map(str, key)] for row in self.rows)

    def add(self, *values: object) -> None:
        cells = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in values]
        self._write(cells)
        self.rows.append(dict(zip(self.header, cells, strict=True)))
        print(*cells, flush=True)

    def _write(self, cells: Sequence[str]) -> None:
        with self.path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(cells)

    def chosen(self, **wanted: object) -> list[dict[str, str]]:
        """The rows with these values."""
        return [row for row in self.rows if all(row[name] == str(value) for name, value in wanted.items())]


def versions() -> str:
    return f"{processor()}, one thread; Python {platform.python_version()}, torch {torch.__version__}, scikit-learn {sklearn.__version__}."


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
