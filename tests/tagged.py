"""A folder of IDX files whose images hold their own number, and a network that cannot be reached."""

from __future__ import annotations

import gzip
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from numpy.typing import NDArray
from published import SHARED

from sculpting.tasks.idx import idx_bytes

MNIST = SHARED / "mnist"
SIDE = 4
TRAIN_LABELS = np.arange(180) * 7 % 10
TEST_LABELS = np.arange(40) * 3 % 10


def leave_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of the user's is read, and no network."""
    monkeypatch.delenv("SCULPTING_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)


def offline(*_: object, **__: object) -> None:
    raise URLError("no route to host")


def needs_mnist() -> None:
    if not MNIST.exists():
        pytest.skip(f"the MNIST files are not at {MNIST}; set SCULPTING_SHARED_DATA")


def write(path: Path, array: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = idx_bytes(np.array(array, dtype=np.uint8))
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def tagged(labels: NDArray[np.integer], first: int) -> NDArray[np.uint8]:
    """Images whose first two pixels are their number, counted from ``first``, and the third their label; the rest is white."""
    images = np.full((len(labels), SIDE, SIDE), 255, dtype=np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(first + np.arange(len(labels)), 256)
    images[:, 0, 2] = labels
    return images


def fill(folder: Path, train: str = "train", test: str = "t10k", dash: str = "-", end: str = "") -> Path:
    for start, labels, first in ((train, TRAIN_LABELS, 0), (test, TEST_LABELS, 1000)):
        write(folder / f"{start}-images{dash}idx3-ubyte{end}", tagged(labels, first))
        write(folder / f"{start}-labels{dash}idx1-ubyte{end}", labels)
    return folder
