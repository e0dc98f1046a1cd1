"""Files of data as tasks: tables with named columns, and arrays."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sculpting import tasks
from sculpting.tasks import tables

FRUIT = """colour,size,ripe,price,kind,grade,day
red,3,true,1.5,apple,0,2024-01-01
green,4,False,2.5,pear,2,2024-01-02
red,6,TRUE,3.5,apple,1,2024-01-03
"blue, dark",7,false,4,fig,2,2024-01-04
"""
OTHERS = ["kind", "grade", "day", "price"]
INPUTS = ("colour=blue, dark", "colour=green", "colour=red", "size", "ripe")
ROWS = torch.tensor([[0.0, 0, 1, 3, 1], [0, 1, 0, 4, 0], [0, 0, 1, 6, 1], [1, 0, 0, 7, 0]])


def task_of(folder: Path, text: str, target: Any = "price", name: str = "fruit.csv", **options: Any) -> tasks.Task:
    (folder / name).write_text(text, encoding="utf-8")
    return tasks.from_file(folder / name, target=target, **options)


def rows(task: tasks.Task) -> torch.Tensor:
    """All rows of a task, the inputs before the targets, in an order of their own."""
    assert task.x_test is not None
    assert task.y_test is not None
    parts = ((task.x, task.y), (task.x_validation, task.y_validation), (task.x_test, task.y_test))
    whole = torch.cat([torch.cat(part, dim=1) for part in parts])
    return whole[whole[:, 3].argsort()]


@pytest.mark.parametrize(
    ("target", "loss", "names", "found", "y"),
    [
        ("price", None, ("price",), "mse", [[1.5], [2.5], [3.5], [4]]),
        ("kind", None, ("apple", "fig", "pear"), "ce", [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]),
        ("grade", None, (), "ce", [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]),
        ("grade", "mse", ("grade",), "mse", [[0], [2], [1], [2]]),
        ("price", "ce", ("1.5", "2.5", "3.5", "4.0"), "ce", torch.eye(4).tolist()),
        (["price", "grade"], None, ("price", "grade"), "mse", [[1.5, 0], [2.5, 2], [3.5, 1], [4, 2]]),
    ],
)
def test_columns_of_a_table_are_inputs_and_targets(
    target: Any, loss: str | None, names: tuple[str, ...], found: str, y: list[list[float]], tmp_path: Path
) -> None:
    ignore = [name for name in OTHERS if name not in np.atleast_1d(target)]
    task = task_of(tmp_path, FRUIT, target, ignore=ignore, loss=loss)
    assert (task.name, task.input_names, task.output_names, task.loss) == ("fruit", INPUTS, names, found)
    assert torch.equal(rows(task), torch.cat([ROWS, torch.tensor(y)], dim=1))


def test_a_target_of_bits_is_one_output(tmp_path: Path) -> None:
    for bits in ("true,false,true,true", "1,0,1,1", "1,0.0,1,1"):
        text = "\n".join(["a,ill", *(f"{i},{bit}" for i, bit in enumerate(bits.split(",")))])
        task = task_of(tmp_path, text, "ill")
        assert (task.loss, task.output_names) == ("bce", ("ill",))


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_decimal_commas_are_read(separator: str, tmp_path: Path) -> None:
    comma = "," if separator == ";" else "."
    text = "\ufeffsize@price\n\n 3.5 @1.5\n4@2.5\n5@3\n".replace(".", comma).replace("@", separator)
    task = task_of(tmp_path, text, name="fruit.tsv")
    assert task.input_names == ("size",)
    assert sorted(torch.cat([task.x, task.x_validation, task.x_test]).flatten().tolist()) == [3.5, 4.0, 5.0]


def test_arrays_are_read(tmp_path: Path) -> None:
    x, y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 2, 0, 1, 2])
    np.savez(tmp_path / "data.npz", X=x, y=y)
    task = tasks.from_file(tmp_path / "data.npz")
    assert (task.loss, task.name, task.y.shape[1]) == ("ce", "data", 3)


@pytest.mark.parametrize(
    ("text", "target", "error"),
    [
        (FRUIT, (), "the target must be a column of .*fruit.csv, one of colour, size.*; got none"),
        (FRUIT, "prize", "the columns of .*fruit.csv are colour, size, .*; got 'prize'. Did you mean 'price'?"),
        (FRUIT, "price", "column 'day' of .*fruit.csv must be numbers or a choice of words; got dates. Make numbers of them.*or ignore it"),
        (FRUIT.replace("red,3", "red,"), "price", "column 'size' of .* must have no missing values; got 1, the first in row 1. Fill them"),
        (FRUIT.replace("green", "NA"), "price", "column 'colour' of .* must have no missing values; got 1, the first in row 2. Fill them"),
        (FRUIT.replace("fig", ""), "kind", "column 'kind' of .* must have no missing values; got 1, the first in row 4"),
        (FRUIT.replace("True", ""), "ripe", "column 'day' of"),
        (FRUIT.replace("red,3", "red,few"), "price", "column 'size' of .* must be numbers or text; got 'few' in a column that is mostly"),
        (FRUIT.replace("3,true", "3"), "price", "every line of .* must have 7 cells, one for each name; got 6 in line 2"),
        (FRUIT.replace("size", "colour"), "price", "the columns of .* must have different names; got 'colour' twice"),
        (FRUIT.replace("colour,", ","), "price", "every column of .* must have a name; got none for column 1"),
        ("1,2\n3,4\n5,6\n", "1", "the first line of .* must name the columns; got numbers, 1, 2. Add"),
        ("a,b\n", "b", "must have a line of names and at least one row; got 1 lines"),
        ("", "b", "must have a line of names and at least one row; got 0 lines"),
        ("b\n1\n2\n", "b", "must have a column that is neither a target nor ignored"),
        ("a,b\n" + "".join(f"word{i},{i}\n" for i in range(101)), "b", "column 'a' of .* must be numbers or at most 100 different words"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_the_name_of_its_column(text: str, target: Any, error: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=error):
        task_of(tmp_path, text, target)


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "binary.npz").write_bytes(b"PK\x03\x04 and no more")
    np.savez(tmp_path / "weights.npz", w0=np.eye(2))
    np.savez(tmp_path / "objects.npz", x=np.array([{}], dtype=object), y=np.ones(1))
    np.savez(tmp_path / "good.npz", x=np.eye(2), y=np.ones(2))
    for name, target, text in (
        ("binary.csv", "y", "must be a table as text in UTF-8; got"),
        ("binary.npz", (), "must hold numeric arrays x and y, as np.savez writes them; got"),
        ("objects.npz", (), "must hold numeric arrays x and y, as np.savez writes them; got Object arrays cannot be loaded"),
        ("weights.npz", (), "must hold arrays x and y; got w0"),
        ("good.npz", "y", "targets and ignored columns are those of tables; got some for .*good.npz"),
        ("data.xlsx", "y", "a file of data must end in one of .csv, .tsv, .parquet, .npz; got"),
    ):
        with pytest.raises(ValueError, match=text):
            tasks.from_file(tmp_path / name, target=target)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nowhere.csv"):
        tasks.from_file(tmp_path / "nowhere.csv", target="y")


def test_parquet_is_read_by_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what stands in for pandas and pyarrow, which the tests do not need."""
    path = tmp_path / "fruit.parquet"
    path.write_bytes(b"PAR1")
    columns = {"colour": np.array(["red", "green", "red"], dtype=object), "size": np.arange(3), "price": np.arange(3) / 2}

    class Frame(dict[str, Any]):
        columns = property(lambda self: list(self))

    pandas = SimpleNamespace(DataFrame=Frame, Series=Frame)
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    monkeypatch.setattr(pandas, "read_parquet", lambda path: Frame(columns), raising=False)
    assert tasks.from_file(path, target="price", loss="mse").input_names == ("colour=green", "colour=red", "size")

    def broken(path: Path) -> None:
        raise RuntimeError("no magic bytes")

    monkeypatch.setattr(pandas, "read_parquet", broken)
    with pytest.raises(ValueError, match=r"must be a Parquet file; got no magic bytes"):
        tables.read_parquet(path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'needs pandas and pyarrow: pip install "neural-sculpting\[parquet\]"'):
        tables.read_parquet(path)


def test_real_parquet_is_read(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"colour": pandas.Categorical(["red", "green", "red"]), "size": [3, 4, 5], "price": [1.5, 2.5, 4]})
    frame.to_parquet(tmp_path / "fruit.parquet")
    task = tasks.from_file(tmp_path / "fruit.parquet", target="price", loss="mse")
    assert task.input_names == ("colour=green", "colour=red", "size")
