"""Data sets by name: those that scikit-learn brings along, and MNIST."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..checks import shown
from ..surroundings import load
from .digits import read_digits
from .pairs import shrunk

__all__ = ["BUNDLED", "MNIST", "known_set"]

BUNDLED = ("wine", "iris", "breast_cancer", "digits")
MNIST, MNIST_SIZE = "mnist", 14

Columns = Mapping[str, NDArray[np.floating]]


def known_set(name: str, data_dir: str | Path | None = None) -> tuple[Columns, NDArray[np.str_]]:
    """A data set of a name: its inputs by column, and the class of each row by name.

    Parameters
    ----------
    name : {"wine", "iris", "breast_cancer", "digits", "mnist"}
        The first four are scikit-learn's and need no files. ``"mnist"`` are all images as 14 x 14 means of pixels in [0, 1].
    data_dir : str or Path, optional
        Where MNIST comes from; see :func:`~sculpting.tasks.digits.read_digits`.

    Raises
    ------
    ValueError, FileNotFoundError
        When there is no such set, or its files are broken or missing.

    Examples
    --------
    >>> x, y = known_set("wine")
    >>> len(x), next(iter(x)), str(y[0])
    (13, 'alcohol', 'class_0')
    """
    if name == MNIST:
        return _mnist(data_dir)
    if not isinstance(name, str) or name not in BUNDLED:
        raise ValueError(f"a data set by name must be one of {', '.join((*BUNDLED, MNIST))}; got {shown(name)}. Pass others as (x, y)")
    load("sklearn.datasets")
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    return dict(zip(map(str, found.feature_names), found.data.T, strict=True)), found.target_names.astype(str)[found.target]


def _mnist(data_dir: str | Path | None) -> tuple[Columns, NDArray[np.str_]]:
    parts = read_digits(MNIST, data_dir)
    side = parts[0].images.shape[1]
    size = MNIST_SIZE if side % MNIST_SIZE == 0 else side
    x = shrunk(np.concatenate([part.images for part in parts]), size).reshape(-1, size * size) / parts[0].white
    names = [f"pixel_{row}_{column}" for row in range(size) for column in range(size)]
    return dict(zip(names, x.T, strict=True)), np.concatenate([part.labels for part in parts]).astype(str)
