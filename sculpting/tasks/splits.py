"""Training, validation and test rows.

S = rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..checks import shown
from ..surroundings import load

__all__ = ["split_rows"]

Rows = NDArray[np.int64]


def split_rows(
    count: int, validation: float, test: float, seed: int, classes: NDArray[Any] | None = None, groups: Any = None
) -> tuple[Rows, Rows, Rows]:
    """The numbers of the training, validation and test rows.

    Parameters
    ----------
    count : int
        S, the number of rows.
    validation, test : float in [0, 1)
        Fractions of the rows, 0 for none. Together they must leave some for training.
    seed : int
    classes : array of shape (S,), optional
        Each part gets about the same share of every class, where there are enough rows of each.
    groups : array of shape (S,), optional
        Rows of one group, such as those of one patient, stay in one part. Fractions are then those of the groups, roughly.

    Raises
    ------
    ValueError
        When the fractions leave a part without rows, or ``groups`` has another length or too few groups.

    Examples
    --------
    >>> [len(part) for part in split_rows(10, 0.2, 0.2, seed=0)]
    [6, 2, 2]
    """
    for name, fraction in (("validation", validation), ("test", test)):
        if not 0 <= fraction < 1 or (fraction and not round(fraction * count)):
            raise ValueError(
                f"{name} must be a pair (x, y) or a fraction of the {count} rows that leaves some on either side; got {fraction}"
            )
    if round(validation * count) + round(test * count) >= count:
        raise ValueError(f"validation and test must leave some of the {count} rows for training; got fractions {validation} and {test}")
    labels = None if groups is None else _labels(groups, count)
    rest, held = np.arange(count), []
    for fraction in (test, validation):
        share = fraction * count / len(rest)
        part, rest = _drawn(rest, share, seed, classes, labels) if fraction else (rest[:0], rest)
        held.append(part)
    return rest, held[1], held[0]


def _drawn(rows: Rows, share: float, seed: int, classes: NDArray[Any] | None, groups: Rows | None) -> tuple[Rows, Rows]:
    """A share of some rows, and the others."""
    load("sklearn.model_selection")
    from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

    there = None if classes is None else classes[rows]
    seed %= 2**32
    if groups is None:
        size = round(share * len(rows))
        stratify = there if there is not None and _can_stratify(there, size) else None
        others, drawn = train_test_split(rows, test_size=size, random_state=seed, stratify=stratify)
        return drawn, others
    if there is None:
        splits = GroupShuffleSplit(1, test_size=share, random_state=seed).split(rows, groups=groups[rows])
    else:
        folds = min(max(2, round(1 / share)), len(np.unique(groups[rows])))
        splits = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(rows, there, groups[rows])
    parts = list(splits)
    others, drawn = parts[seed % len(parts)]  # the first fold always has the largest group
    return rows[drawn], rows[others]


def _can_stratify(classes: NDArray[Any], size: int) -> bool:
    counts = np.unique(classes, return_counts=True)[1]
    return bool(counts.min() >= 2 and len(counts) <= min(size, len(classes) - size))


def _read_labels(groups: Any) -> NDArray[Any]:
    """Labels as an array."""
    try:
        return np.asarray(groups.detach().cpu() if isinstance(groups, Tensor) else groups)
    except Exception as error:  # of NumPy, or of the user's class
        raise TypeError(f"groups must be an array of labels; got {type(groups).__name__} ({shown(error)})") from error


def _labels(groups: Any, count: int) -> Rows:
    names = _read_labels(groups)
    if names.shape != (count,):
        raise ValueError(f"groups must have one label for each of the {count} rows; got shape {names.shape}")
    try:
        labels: Rows = np.unique(names, return_inverse=True)[1]
    except TypeError as error:
        raise TypeError("groups must be labels of one kind, numbers or text; got several kinds") from error
    if labels.max() < 5:
        raise ValueError(f"groups must be at least 6, so that each part has some; got {labels.max() + 1}")
    return labels
