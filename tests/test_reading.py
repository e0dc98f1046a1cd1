"""What users bring as data: tables, columns and classes by name, sparse matrices, and what is refused."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from sculpting.tasks import as_task

AGE, ILL = [30, 41, 52, 63], [True, False, True, False]


class Column:
    """Like a column of a data frame: an array with a name."""

    def __init__(self, values: Any, name: str | None = None, categories: Any = None) -> None:
        self.values, self.name = np.array(values), name
        self.dtype = self.values.dtype if categories is None else type("CategoricalDtype", (), {"categories": categories})()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values


class Frame:
    """Like a data frame: columns of different types, by name; as an array it is one of objects."""

    def __init__(self, **columns: Any) -> None:
        self.series = {name: values if isinstance(values, Column) else Column(values, name) for name, values in columns.items()}
        self.columns = list(columns)

    def items(self) -> Any:
        return self.series.items()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.stack([column.values.astype(object) for column in self.series.values()], axis=1)


class Polars:
    """Like a data frame of Polars, which has columns but no items."""

    columns = ("age", "ill")

    def iter_columns(self) -> Any:
        return iter([Column(AGE, "age"), Column(ILL, "ill")])


class Arrow:
    """Like a table of Arrow."""

    column_names = ("age", "ill")

    def itercolumns(self) -> Any:
        return iter([np.array(AGE), np.array(ILL)])


class NAType:
    """Like the missing value of pandas, which is equal to nothing and false to nothing."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __eq__ = __ne__ = lambda self, other: self  # type: ignore[assignment]
    __hash__ = object.__hash__


NA = NAType()
NUMBERS = torch.tensor([[30.0, 1], [41, 0], [52, 1], [63, 0]])
RECORDS = np.array(list(zip(AGE, ILL, strict=True)), dtype=[("age", "i4"), ("ill", "?")])


@pytest.mark.parametrize(
    ("x", "names"),
    [
        (Frame(age=AGE, ill=ILL), ("age", "ill")),
        (Frame(age=np.array(AGE, dtype=object), ill=np.array(ILL, dtype=object)), ("age", "ill")),  # Int64 and boolean
        (Frame(age=[Decimal(age) for age in AGE], ill=Column(np.array([1, 0, 1, 0], dtype=object), categories=[0, 1])), ("age", "ill")),
        ({"age": AGE, "ill": ILL}, ("age", "ill")),
        (Polars(), ("age", "ill")),
        (Arrow(), ("age", "ill")),
        (RECORDS, ("age", "ill")),
        (np.array([AGE, ILL], dtype=object).T, ()),
        (np.array([AGE, ILL]).T.astype(">f8"), ()),
        (sp.csr_array(np.array([AGE, ILL]).T), ()),
        (sp.coo_matrix(np.array([AGE, ILL]).T), ()),
        (NUMBERS.to_sparse(), ()),
        (list(NUMBERS), ()),
        (Column(np.array([None] * 4, dtype=object), "rows"), ("rows",)),
    ],
)
def test_inputs_keep_their_numbers_and_names(x: Any, names: tuple[str, ...]) -> None:
    if names == ("rows",):  # a column of vectors
        x.values[:] = [row.numpy() for row in NUMBERS]
        names = ()
    task = as_task((x, [0, 1, 1, 0]), validation=(x, [0, 1, 1, 0]))
    assert torch.equal(task.x, NUMBERS)
    assert task.input_names == names


@pytest.mark.parametrize(
    "y",
    [
        ["dog", "cat", "emu", "cat"],
        np.array(["dog", "cat", "emu", "cat"]),
        np.array([b"dog", b"cat", b"emu", b"cat"]),
        Column(np.array(["dog", "cat", "emu", "cat"], dtype=object), "pet"),
        Frame(pet=np.array(["dog", "cat", "emu", "cat"], dtype=object)),
    ],
)
def test_classes_by_name_are_outputs_in_sorted_order(y: Any) -> None:
    task = as_task((NUMBERS, y), validation=(NUMBERS, ["cat"] * 4))
    assert (task.loss, task.output_names) == ("ce", ("cat", "dog", "emu"))
    assert task.y.argmax(dim=1).tolist() == [1, 0, 2, 0]
    assert task.y_validation.argmax(dim=1).tolist() == [0] * 4


def test_categories_are_classes_even_where_they_are_numbers() -> None:
    y = Column(np.array([10, 9, 10, 9], dtype=object), "size", categories=[9, 10, 11])
    task = as_task((NUMBERS, y), validation=0.25)
    assert (task.loss, task.output_names) == ("ce", ("9", "10"))


def test_a_column_names_its_output() -> None:
    assert as_task((NUMBERS, Column([0.5, 1.5, 2.5, 3.5], "price")), validation=0.25).output_names == ("price",)
    assert as_task((NUMBERS, Column(ILL, "ill")), validation=0.25).output_names == ("ill",)
    assert as_task((Column(AGE, "age"), Column(ILL)), validation=0.25).input_names == ("age",)
    yes = np.array(["yes", "no", "yes", "no"])
    for y, name in ((Column(yes, "ill"), "ill"), (yes, "yes")):  # one output, which decides for the second class
        task = as_task((NUMBERS, y), validation=0.25, outputs=1)
        assert (task.loss, task.output_names) == ("bce", (name,))


@pytest.mark.parametrize(
    ("x", "y", "error", "text"),
    [
        (Frame(age=AGE, pet=["a", "b", "a", "b"]), ILL, TypeError, r"column 'pet' of data x must be numbers; got text, such as 'a'"),
        (Frame(age=list(map(str, AGE)), ill=ILL), ILL, TypeError, r"column 'age' of data x .*such as '30'. Make numbers of it, as astype"),
        (np.array([[1, "a"]] * 4, dtype=object), ILL, TypeError, "column 1 of data x must be numbers; got text"),
        (Frame(age=AGE, born=np.array(["2020-01-02"] * 4, "M8[ns]")), ILL, TypeError, "column 'born' of data x .*; got dates or times"),
        (Frame(age=AGE, born=[datetime.date(2020, 1, 2)] * 4), ILL, TypeError, "column 'born' of data x .*; got dates or times"),
        (Frame(age=AGE, stay=np.array([1, 2, 3, 4], "m8[ns]")), ILL, TypeError, "column 'stay' of data x .*; got dates or times"),
        (Frame(age=AGE, kind=np.array([{}] * 4)), ILL, TypeError, "column 'kind' of data x must be numbers; got dict. Leave it out"),
        (Frame(age=[1.0, np.nan, 3, 4], ill=ILL), ILL, ValueError, "data: x must be finite.*got 1 NaN or infinite values in column 'age'"),
        (Frame(age=np.array([1, NA, None, 4]), ill=ILL), ILL, ValueError, "got 2 NaN or infinite values in column 'age'. Fill them"),
        (NUMBERS / 0, ILL, ValueError, "got 8 NaN or infinite values in 2 columns, the first 0"),
        (NUMBERS, Column([1.0, np.nan, 3, 4], "price"), ValueError, "data: y must be finite.*in column 'price'"),
        (NUMBERS, Column(np.array(["a", None, "b", np.nan], dtype=object), "pet"), ValueError, "column 'pet' of data y .*; got 2 without"),
        (NUMBERS, Frame(pet=["a", "b", "a", "b"], ill=ILL), TypeError, "column 'pet' of data y must be numbers; got text"),
        (NUMBERS, np.array(["a", 1, "b", 2], dtype=object), TypeError, "data y must be numbers; got text, such as 'a'"),
        (NUMBERS, np.array(["2020-01-02"] * 4, "M8[D]"), TypeError, "data y must be numbers; got dates"),
        ({"age": AGE, "ill": ILL[:3]}, ILL, ValueError, r"column 'ill' of data x must have one number in each of 4 rows; got shape \(3,\)"),
    ],
)
def test_what_is_no_number_is_refused_by_the_name_of_its_column(x: Any, y: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        as_task((x, y), loss="mse" if y is ILL else None)


def test_one_column_of_objects_is_a_column() -> None:
    y = np.array([[True], [1], [0], [0]], dtype=object)
    task = as_task((y, y), validation=(y, y))
    assert (task.loss, task.y.tolist()) == ("bce", [[1], [1], [0], [0]])


def test_names_of_classes_must_fit_the_call() -> None:
    pets = ["cat", "dog", "cat", "dog"]
    with pytest.raises(ValueError, match=r"validation y must have the classes of the data, \['cat', 'dog'\]; got 'emu'"):
        as_task((NUMBERS, pets), validation=(NUMBERS, ["cat", "emu", "cat", "dog"]))
    with pytest.raises(ValueError, match=r"validation must name the classes of the data, \['cat', 'dog'\]; got numbers"):
        as_task((NUMBERS, pets), validation=(NUMBERS, [0, 1, 0, 1]))
    with pytest.raises(ValueError, match=r"loss 'mse' needs numbers as targets; got the names of classes, \['cat', 'dog'\]"):
        as_task((NUMBERS, pets), loss="mse")
    with pytest.raises(TypeError, match=r"got Frame. Choose the columns of inputs and of targets, as in \(frame\[inputs\]"):
        as_task(Frame(age=AGE, ill=ILL))


@pytest.mark.parametrize(
    ("y", "outputs", "loss"),
    [
        (torch.tensor([-1, 1, 1, -1]), 1, "bce"),
        (torch.tensor([-1, 1, 1, -1]), 2, "ce"),
        (torch.tensor([-1.0, 1, 1, -1]), 1, "bce"),
        (torch.tensor([[-1, 0], [1, 1], [1, 0], [-1, 1]]), 2, "bce"),
    ],
)
def test_minus_one_becomes_zero_with_a_note(y: torch.Tensor, outputs: int, loss: str) -> None:
    held_out = NUMBERS[:1], y[:1]  # -1 alone, which means 0 here too
    with pytest.warns(UserWarning, match="targets of -1 and 1 are taken as 0 and 1. Pass 0 and 1, or loss='mse'"):
        task = as_task((NUMBERS, y), outputs=outputs, validation=held_out)
    assert task.loss == loss
    assert torch.equal(task.y[:, 0], (y.reshape(4, -1)[:, 0] == (-1 if loss == "ce" else 1)).float())
    assert torch.equal(task.y_validation, task.y[:1])
    assert as_task((NUMBERS, y), outputs=outputs, loss=loss, validation=held_out).loss == loss  # asked for, so without a note
    if outputs == 1:
        assert as_task((NUMBERS, y), loss="mse", validation=held_out).y.min() == -1


def test_fractions_are_taken_as_real_values_with_a_note() -> None:
    y = torch.tensor([[0.1, 0.9], [1, 0], [0.5, 0.5], [0.3, 0.7]])
    with pytest.warns(UserWarning, match=r"between 0 and 1 are taken as real values. Pass loss='mse' if they are; pass bits"):
        assert as_task((NUMBERS, y), validation=0.25).loss == "mse"
    assert as_task((NUMBERS, y), validation=0.25, loss="mse").loss == "mse"
    assert as_task((NUMBERS, y + 1), validation=0.25).loss == "mse"
    with pytest.raises(ValueError, match=r"loss 'bce' needs targets of 0 and 1; got values from 0 to 1. For real"):
        as_task((NUMBERS, y), loss="bce")


def test_real_data_frames_are_read() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": AGE, "ill": ILL, "size": pandas.array([1, 2, 3, 4], dtype="Int64"), "cost": [0.5, 1.5, 2.5, 3.5]})
    pet = pandas.Series(["dog", "cat", "emu", "cat"], name="pet", dtype="category")
    task = as_task((frame, pet), validation=(frame, pet))
    assert (task.input_names, task.output_names) == (("age", "ill", "size", "cost"), ("cat", "dog", "emu"))
    assert task.x[1].tolist() == [41, 0, 2, 1.5]
    frame.loc[1, "size"] = pandas.NA
    with pytest.raises(ValueError, match="in column 'size'"):
        as_task((frame, pet))
    frame["size"] = pandas.Timestamp("2020-01-02")
    with pytest.raises(TypeError, match="column 'size' of data x must be numbers; got dates"):
        as_task((frame, pet))
