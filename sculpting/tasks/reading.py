"""The rows of the user's data: inputs and targets as tensors, with their names.

S = rows, n = inputs, k = outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from .columns import Part, read_part
from .loaders import read_loader

__all__ = ["Rows", "read_rows"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Inputs and targets before the loss is known.

    Attributes
    ----------
    x : Tensor of shape (S, n), float32
        Where rows keep their shape, of shape (S, ...), float32 or int64, or a tuple of several such inputs.
    y : Tensor, rows first
        Bool, int64 or floating point.
    input_names : tuple of str
        Of the columns of x, where they have different ones.
    target_names : tuple of str
        Of the columns of y.
    classes : tuple of str
        The names of the classes that the integers in ``y`` stand for, where they were given by name.
    """

    x: Any
    y: Tensor
    input_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def output_names(self, count: int) -> tuple[str, ...]:
        """The names of ``count`` outputs: those of the classes or columns if there are as many; one output means the second class."""
        named = (self.classes, self.target_names, self.classes[1:])
        return next((names for names in named if len(names) == count), ())


def read_rows(data: Any, what: str = "data", seed: int = 0, like: Rows | None = None, flat: bool = True) -> Rows:
    """The rows of data in any supported form.

    Parameters
    ----------
    data : pair or mapping of x and y, Dataset, or DataLoader
        See ``as_task``.
    what : str
        What error texts call the data.
    seed : int
        Seed of what a dataset draws while it is read.
    like : Rows, optional
        The rows that are trained on: these must have their columns and classes.
    flat : bool
        Whether rows become columns of float32. Otherwise they keep their shape, integers stay integers, and ``x`` may be a tuple of inputs.

    Raises
    ------
    TypeError, ValueError
        When data are empty, of different lengths, not finite, no numbers, or not like those of ``like``.
    """
    several, y = _parts(data, what, seed, () if like is None else like.classes, flat)
    x = several[0]
    for each in (*several, y):
        if not each.values.ndim:
            raise ValueError(f"{what} must have rows; got a single number. Pass arrays of shape (rows, columns)")
    for each in several:
        if each.values.is_complex() or y.values.is_complex():
            raise TypeError(f"{what} must be real numbers; got x of {each.values.dtype} and y of {y.values.dtype}")
    read, targets = [_inputs(each.values, flat) for each in several], y.values.detach().cpu()
    targets = targets if targets.is_floating_point() or targets.dtype == torch.bool else targets.long()  # few operations know unsigned
    for inputs in read:
        if len(inputs) != len(targets):
            raise ValueError(f"{what}: x and y must have as many rows; got {len(inputs)} and {len(targets)}")
        if inputs.numel() == 0 or targets.numel() == 0:
            raise ValueError(
                f"{what} must have at least one row and one column; got x of shape {tuple(inputs.shape)}, y of shape {tuple(targets.shape)}"
            )
        _check_finite(inputs, x.names if inputs.ndim == 2 else (), f"{what}: x")
    _check_finite(targets, y.names, f"{what}: y")
    rows = Rows(read[0] if len(read) == 1 else tuple(read), targets, x.names, y.names, y.classes)
    if like is not None:
        _check_like(rows, like, what)
    return rows


def _inputs(values: Tensor, flat: bool) -> Tensor:
    """One input on the CPU: columns of float32, or as it is, in float32 or int64."""
    inputs = values.detach().cpu()
    inputs = inputs if inputs.ndim > 1 else inputs.unsqueeze(-1)
    if flat:
        return inputs.flatten(1).float()
    return inputs.float() if inputs.is_floating_point() or inputs.dtype in (torch.bool, torch.uint8) else inputs.long()


def _parts(data: Any, what: str, seed: int, classes: tuple[str, ...], flat: bool) -> tuple[list[Part], Part]:
    """Inputs and targets as they are given."""
    if isinstance(data, TensorDataset) and (len(data.tensors) == 2 or (not flat and len(data.tensors) > 2)):
        *first, y = data.tensors
        x = tuple(first) if len(first) > 1 else first[0]
    elif isinstance(data, (DataLoader, Dataset)):
        x, y = read_loader(data, what, seed, several=not flat)
    elif isinstance(data, Mapping) and set(data) == {"x", "y"}:
        x, y = data["x"], data["y"]
    elif isinstance(data, (tuple, list)) and len(data) == 2:
        x, y = data
    else:
        columns = ". Choose the columns of inputs and of targets, as in (frame[inputs], frame[target])" if hasattr(data, "columns") else ""
        raise TypeError(
            f"{what} must be a pair (x, y) of tensors, arrays or data frames, a Dataset of such rows, a DataLoader"
            f"{' or a Task' if what == 'data' else ', or a fraction of the data'}; got {type(data).__name__}{columns}"
        )
    several = x if not flat and isinstance(x, tuple) and all(isinstance(each, (Tensor, np.ndarray)) for each in x) else (x,)
    return [read_part(each, f"{what} x") for each in several], read_part(y, f"{what} y", classes)


def _check_finite(values: Tensor, names: tuple[str, ...], what: str) -> None:
    bad = ~torch.isfinite(values.float()).reshape(len(values), -1)
    if bad.any():
        place = [names[i] if names else i for i in bad.any(dim=0).nonzero().flatten().tolist()]
        where = f"column {place[0]!r}" if len(place) == 1 else f"{len(place)} columns, the first {place[0]!r}"
        raise ValueError(
            f"{what} must be finite, as float32; got {int(bad.sum())} NaN or infinite values in {where}. Fill them or leave out their rows"
        )


def _check_like(rows: Rows, like: Rows, what: str) -> None:
    """Refuse rows whose columns are not those of ``like``."""
    if isinstance(rows.x, tuple) or isinstance(like.x, tuple) or rows.x.ndim != 2 or like.x.ndim != 2:
        inputs = [part if isinstance(part, tuple) else (part,) for part in (rows.x, like.x)]
        here, known = ([tuple(each.shape[1:]) for each in part] for part in inputs)
        if here != known:
            raise ValueError(f"{what} must have rows of shape {known}, as the data has; got {here}")
    elif rows.x.shape[1] != like.x.shape[1]:
        raise ValueError(f"{what} must have {like.x.shape[1]} inputs, as the data has; got {rows.x.shape[1]}")
    if like.classes and not rows.classes:
        raise ValueError(f"{what} must name the classes of the data, {list(like.classes)}; got numbers")
    for there, names in ((rows.input_names, like.input_names), (rows.target_names, like.target_names)):
        if names and there and there != names:
            raise ValueError(f"{what} must have the columns of the data, in their order, {list(names)}; got {list(there)}")
