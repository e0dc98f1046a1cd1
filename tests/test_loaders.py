"""Datasets and loaders: each row once and in order, with every generator left as it was."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_sculpt import QUICK
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)

from sculpting import sculpt
from sculpting.tasks import as_task
from sculpting.tasks.reading import read_rows

X = torch.rand(60, 4, generator=torch.Generator().manual_seed(0)).round()
Y = X[:, :2].clone()
ALL = TensorDataset(X, Y)


class Own(Dataset[Any]):
    """Rows one by one, as arrays and Python numbers, moved a little by the global generators and its own."""

    def __init__(self, noisy: bool = False, names: bool = False) -> None:
        self.noisy, self.names, self.generator = noisy, names, torch.Generator().manual_seed(3)
        self.numpy, self.old, self.python = np.random.default_rng(3), np.random.RandomState(3), random.Random(3)

    def __len__(self) -> int:
        return 60

    def __getitem__(self, i: int) -> Any:
        x = X[i].numpy()
        if self.noisy:
            drawn = [float(torch.rand(())), float(torch.rand((), generator=self.generator)), np.random.rand(), random.random()]  # noqa: NPY002
            x = x + np.float32(sum(drawn) + self.numpy.random() + self.old.rand() + self.python.random())
        return x, ("odd" if Y[i, 0] else "even") if self.names else int(Y[i, 0])


class Stream(IterableDataset[Any]):
    def __init__(self) -> None:
        self.passes = 0

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        return iter(zip(X + torch.rand(()), Y, strict=True))


class Reversed(DataLoader[Any]):
    """A loader of the user's own class."""

    def __iter__(self) -> Any:
        return iter(list(super().__iter__())[::-1])


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def rows_of(data: Any, seed: int = 0) -> torch.Tensor:
    """The inputs of data in their order."""
    return read_rows(data, seed=seed).x


def test_datasets_of_pairs_are_read() -> None:
    assert torch.equal(rows_of(Own()), X)
    assert torch.equal(as_task(Own(), validation=(X, Y[:, 0].long())).y.argmax(dim=1), Y[:, 0].long())
    assert as_task(Own(names=True)).output_names == ("even", "odd")
    first, second = random_split(ALL, [40, 20], generator=generator())
    task = as_task(first, validation=second)
    assert torch.equal(task.x, X[first.indices])
    assert torch.equal(task.x_validation, X[second.indices])
    assert torch.equal(rows_of({"y": Y, "x": X}), X)


@pytest.mark.parametrize(
    "loader",
    [
        lambda: DataLoader(ALL, batch_size=7, shuffle=True, generator=generator(), drop_last=True),
        lambda: DataLoader(ALL, shuffle=True),
        lambda: DataLoader(ALL, sampler=RandomSampler(ALL, replacement=True, num_samples=9, generator=generator())),
        lambda: DataLoader(ALL, batch_sampler=BatchSampler(SubsetRandomSampler(range(60), generator=generator()), 7, True)),
        lambda: DataLoader(ALL, batch_sampler=[[5 * j + i for i in range(5)] for j in range(12)][::-1]),
        lambda: DataLoader(Own(), 7, shuffle=True, collate_fn=lambda rows: tuple(np.array(part) for part in zip(*rows, strict=True))),
        lambda: DataLoader([(X[i : i + 20], Y[i : i + 20]) for i in (0, 20, 40)], batch_size=None, shuffle=True),  # type: ignore[arg-type]
        lambda: DataLoader(list(zip(X, Y[:, 0], strict=True)), batch_size=4, shuffle=True),  # type: ignore[arg-type]
    ],
)
def test_rows_of_loaders_come_once_in_the_order_of_the_dataset(loader: Callable[[], DataLoader[Any]]) -> None:
    assert torch.equal(rows_of(loader()), X)


def test_a_sampler_that_chooses_rows_is_asked_once() -> None:
    chosen = DataLoader(ALL, batch_size=7, sampler=SubsetRandomSampler([9, 2, 4]))
    assert torch.equal(rows_of(chosen), X[[2, 4, 9]])
    weighted = DataLoader(ALL, sampler=WeightedRandomSampler([0.0, 1.0] + [0.0] * 58, 5, generator=generator()))
    assert torch.equal(rows_of(weighted), X[[1]])


@pytest.mark.parametrize(
    "data",
    [
        lambda g: DataLoader(ALL, batch_size=10, shuffle=True, generator=g),
        lambda g: DataLoader(ALL, sampler=WeightedRandomSampler(torch.ones(60), 30, generator=g)),
        lambda g: DataLoader(ALL, sampler=WeightedRandomSampler(torch.ones(60), 30)),
        lambda g: DataLoader(Own(noisy=True), shuffle=True, generator=g),
        lambda g: Own(noisy=True),
        lambda g: DataLoader(Subset(Own(noisy=True), range(9)), shuffle=True),
        lambda g: Stream(),
        lambda g: Reversed(ALL, shuffle=True, generator=g),
    ],
)
def test_reading_moves_no_generator_and_gives_the_same_rows_again(data: Callable[[torch.Generator], Any]) -> None:
    own, found = generator(), []
    given = data(own)
    for state in (5, 6):
        torch.manual_seed(state)
        np.random.seed(state)  # noqa: NPY002
        random.seed(state)
        before = torch.get_rng_state(), own.get_state(), np.random.get_state()[1:3], random.getstate()  # noqa: NPY002
        found.append(rows_of(given, seed=1))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert torch.equal(own.get_state(), before[1])
        assert np.array_equal(np.random.get_state()[1], before[2][0])  # noqa: NPY002
        assert np.random.get_state()[2] == before[2][1]  # noqa: NPY002
        assert random.getstate() == before[3]
    assert torch.equal(*found)


def test_a_stream_is_read_in_one_pass_whatever_its_loader_drops() -> None:
    stream = Stream()
    assert len(rows_of(DataLoader(stream, batch_size=7, drop_last=True))) == 60
    assert stream.passes == 1


def test_sculpting_a_shuffled_loader_is_the_same_call_each_time(tmp_path: Path) -> None:
    loader = DataLoader(ALL, batch_size=10, shuffle=True, generator=generator())
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    first, again = (sculpt(model, loader, checkpoint=tmp_path / "run", **QUICK) for _ in range(2))  # goes on from the first
    other = sculpt(model, ALL, **QUICK)
    assert [n.edge_count for n in first.candidates] == [n.edge_count for n in again.candidates] == [n.edge_count for n in other.candidates]
