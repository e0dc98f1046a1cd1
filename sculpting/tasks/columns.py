"""Arrays, tables and columns of the user as tensors, with the names of columns and of classes.

S = rows, n = columns.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checks import shown

__all__ = ["Part", "is_missing", "is_text", "read_part"]

_TEXT = (str, bytes)
KNOWN = (torch.bool, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64)
MOST_ITEMS = 10**8  # of a sequence that is no array: Python needs 100 bytes for each


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs or targets as they were given.

    Attributes
    ----------
    values : Tensor of any shape and type, rows first
    names : tuple of str
        Of the columns, where they have different ones.
    classes : tuple of str
        The names of the classes that integers in ``values`` stand for.
    """

    values: Tensor
    names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def read_part(values: Any, what: str, classes: Sequence[str] | None = None) -> Part:
    """Inputs or targets in any supported form.

    Parameters
    ----------
    values : tensor, array, sequence, sparse matrix, structured array, mapping of names to columns, data frame or its column
    what : str
        What error texts call them, such as ``"data x"``.
    classes : sequence of str, optional
        Given for targets, in which one column of text or categories names classes: those that are known, or none to sort those that
        occur. Without it text is refused.

    Raises
    ------
    TypeError
        When a column holds text, dates or other things that are no numbers.
    ValueError
        When the columns differ in length, or a class is missing or not known.

    Examples
    --------
    >>> read_part({"age": [3, 5], "ill": [True, False]}, "data x")
    Part(values=tensor([[3, 1],
            [5, 0]]), names=('age', 'ill'), classes=())
    >>> read_part(["b", "a", "b"], "data y", ()).classes
    ('a', 'b')
    """
    if isinstance(values, Tensor):
        return Part(_dense(values, what))
    table = _table(values)
    names = [_text(name) for name, _ in table] or _names(values)
    whole = None if table else _array(values, what)
    columns = [_array(column, _called(what, names, i)) for i, (_, column) in enumerate(table)] if whole is None else _split(whole)
    if not len(set(names)) == len(names) == (columns[0].shape[1:] or (len(columns),))[-1]:
        names = []
    called = [_called(what, names, i) if names or len(columns) > 1 else what for i in range(len(columns))]
    lone = table[0][1] if len(table) == 1 else values
    if classes is not None and len(columns) == 1 and (is_text(columns[0]) or _is_categorical(lone)):
        return _coded(columns[0].ravel(), called[0], tuple(names), classes)
    numbers = [_numbers(column, name) for column, name in zip(columns, called, strict=True)]
    if whole is None or columns[0].ndim < whole.ndim:
        _check_lengths(numbers, called)
        numbers = [np.stack(numbers, axis=1)]
    try:
        return Part(torch.from_numpy(numbers[0]), tuple(names))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} must be a numeric array; got {type(values).__name__} ({error})") from error


def _dense(values: Tensor, what: str) -> Tensor:
    """A tensor with plain numbers; sparse ones are filled."""
    kept = values.dtype in KNOWN or values.is_complex() or values.is_floating_point()  # complex ones are refused with the other part
    if values.is_meta or values.is_quantized or values.is_nested or not kept:
        got = "one without values, on the device meta" if values.is_meta else f"{values.dtype}{', nested' * values.is_nested}"
        raise TypeError(f"{what} must be a tensor of numbers; got {got}. Pass a plain one, as dequantize() or a padded one is")
    return values.to_dense() if values.layout != torch.strided else values


def _table(values: Any) -> list[tuple[Any, Any]]:
    """Names and columns of a table; none where it is an array."""
    if isinstance(values, Mapping) or (hasattr(values, "columns") and hasattr(values, "items")):
        return list(values.items())
    if hasattr(values, "iter_columns"):  # Polars
        return [(column.name, column) for column in values.iter_columns()]
    if hasattr(values, "itercolumns"):  # Arrow
        return list(zip(values.column_names, values.itercolumns(), strict=True))
    return [(name, values[name]) for name in getattr(getattr(values, "dtype", None), "names", None) or ()]


def _names(values: Any) -> list[str]:
    """Names that an array itself carries: those of its columns, or that of a column of a data frame."""
    name = getattr(values, "name", None) if hasattr(values, "dtype") else None
    columns = getattr(values, "columns", ())
    named = [_text(each) for each in columns] if isinstance(columns, Iterable) else []
    return named or ([] if name is None or name == "" else [_text(name)])


def _text(name: object) -> str:
    """The name of a column as text."""
    try:
        return str(name)
    except Exception:  # of the user's class
        return shown(name)


def _called(what: str, names: Sequence[str], i: int) -> str:
    return f"column {repr(names[i]) if names else i} of {what}"


def _array(values: Any, what: str) -> NDArray[Any]:
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        masked = int(np.ma.count_masked(values))
        raise TypeError(f"{what} must not have masked values; got {masked} in a masked array. Fill them or leave out their rows")
    if isinstance(values, (list, tuple)) and values and all(isinstance(each, Tensor) for each in values):
        values = [_dense(each, what).detach().cpu().numpy() for each in values]
    known = isinstance(values, (Sequence, Mapping, memoryview, np.generic)) or hasattr(values, "__array__") or hasattr(values, "toarray")
    if hasattr(values, "__getitem__") and not known and not isinstance(values, type):
        # NumPy would ask such an object for one row after the other until it raises IndexError, which a dataset may never do.
        raise TypeError(f"{what} must be a numeric array or a sequence; got {type(values).__name__}. Pass a dataset by itself")
    if isinstance(values, Sequence) and len(values) > MOST_ITEMS:
        raise ValueError(f"{what} must be an array where it has more than {MOST_ITEMS:,} rows; got {type(values).__name__}")
    try:
        array = np.array(values.toarray() if hasattr(values, "toarray") else values)
        if array.dtype == object and array.ndim == 1 and all(isinstance(each, (list, tuple, np.ndarray)) for each in array):
            array = np.array(list(array))
    except Exception as error:  # of NumPy, or of the user's class
        raise TypeError(f"{what} must be a numeric array; got {type(values).__name__} ({shown(error)})") from error
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _split(array: NDArray[Any]) -> list[NDArray[Any]]:
    """The columns of an array that holds anything but numbers, since each may be of another kind; else the array itself."""
    return [array] if array.dtype.kind in "biufc" or array.ndim < 2 or array.size == 0 else list(array.reshape(len(array), -1).T)


def is_text(column: NDArray[Any]) -> bool:
    """Whether an array holds text and nothing else but missing values."""
    values = [value for value in column.ravel().tolist() if not is_missing(value)] if column.dtype == object else []
    return column.dtype.kind in "UST" or (bool(values) and all(isinstance(value, _TEXT) for value in values))


def _is_categorical(column: Any) -> bool:
    return hasattr(getattr(column, "dtype", None), "categories")


def is_missing(value: Any) -> bool:
    """Whether a value stands for a missing one: None, NaN, or those of pandas."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, (float, Decimal)) and value != value)


def _coded(column: NDArray[Any], what: str, names: tuple[str, ...], known: Sequence[str]) -> Part:
    """Names of classes as integers, in the order of ``known``, or sorted."""
    values = [value.decode() if isinstance(value, bytes) else value for value in column.tolist()]
    missing = sum(map(is_missing, values))
    if missing:
        raise ValueError(f"{what} must have no missing values; got {missing} without a class. Leave out their rows")
    classes = tuple(known) or tuple(map(str, sorted(set(values))))
    strange = next((value for value in values if str(value) not in classes), None)
    if strange is not None:
        raise ValueError(f"{what} must have the classes of the data, {shown([*classes])}; got {shown(strange)}")
    if len(classes) < 2:
        got = f"{shown(classes[0])} alone" if classes else "no rows"
        raise ValueError(f"{what} must have at least two classes; got {got}. Make numbers of text by float()")
    codes = {name: i for i, name in enumerate(classes)}
    return Part(torch.tensor([codes[str(value)] for value in values]), names, classes)


def _numbers(column: NDArray[Any], what: str) -> NDArray[Any]:
    """A column as numbers, missing ones as NaN."""
    if column.dtype.kind in "biufc":
        return column
    values: list[Any] = column.ravel().tolist() if column.dtype.kind not in "mM" else [datetime.date.min]
    wrong = next((value for value in values if not is_missing(value) and not isinstance(value, (Real, Decimal, np.bool_))), None)
    if wrong is not None:
        raise TypeError(f"{what} must be numbers; got {_kind(wrong)}")
    if any(map(is_missing, values)):
        values = [np.nan if is_missing(value) else value for value in values]
        return np.array([_as_float(value, what) for value in values]).reshape(column.shape)
    whole = all(isinstance(value, (Integral, np.bool_)) and -(2**63) <= int(value) < 2**63 for value in values)
    flags = all(isinstance(value, (bool, np.bool_)) for value in values)
    if not flags and not whole:
        return np.array([_as_float(value, what) for value in values], dtype=np.float64).reshape(column.shape)
    return column.astype(bool if flags else np.int64)


def _as_float(value: Any, what: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{what} must hold numbers that a float can; got {shown(value)}") from error


def _kind(value: Any) -> str:
    """What a value that is no number is, and what to make of it."""
    if isinstance(value, _TEXT):
        try:
            float(value)
        except ValueError:
            return f"text, such as {shown(value)}. Make a column of 0 and 1 for each value, as pandas.get_dummies does, or leave it out"
        return f"text, such as {shown(value)}. Make numbers of it, as astype(float) does"
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        return "dates or times. Make numbers of them, such as days since the first, or leave them out"
    return f"{type(value).__name__}. Leave it out, or make columns of numbers of it"


def _check_lengths(columns: Sequence[NDArray[Any]], called: Sequence[str]) -> None:
    for column, name in zip(columns, called, strict=True):
        if column.shape != (len(columns[0]),):
            raise ValueError(f"{name} must have one number in each of {len(columns[0])} rows; got shape {column.shape}")
