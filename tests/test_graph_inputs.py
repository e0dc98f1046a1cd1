"""What matrices, rows and targets may come as: tensors of any kind, sparse arrays, data frames, arrays of objects."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch

from analysis import LayeredGraph, detect_modules, lesions, needed_levels
from analysis.graph import as_graph

FIRST, SECOND = np.array([[1.0, -2.0, 0.0], [0.0, 0.0, 3.0]]), np.array([[0.5, 0.0]])
ROWS = np.array([[0.0, 1, 1], [1, 0, 0], [1, 1, 1], [0, 0, 1]])


class Frame:
    """As much of a data frame of pandas as is read, for where it is not installed."""

    def __init__(self, values: Any, index: Sequence[Any] | None = None, columns: Sequence[Any] | None = None) -> None:
        self.values = np.asarray(values)
        self.index = list(range(len(self.values)) if index is None else index)
        self.columns = list(range(self.values.shape[1]) if columns is None else columns)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.values.astype(dtype)

    def __getitem__(self, name: Any) -> np.ndarray:
        return self.values[:, self.columns.index(name)]

    @property
    def dtypes(self) -> list[np.dtype]:
        return [self.values.dtype] * len(self.columns)


FRAMES = pytest.mark.parametrize("frame", [Frame, *([import_module("pandas").DataFrame] if find_spec("pandas") else [])])

KINDS = {
    "bfloat16": lambda a: torch.tensor(a, dtype=torch.bfloat16, requires_grad=True),
    "float16": lambda a: torch.tensor(a, dtype=torch.float16),
    "sparse tensor": lambda a: torch.tensor(a).to_sparse(),
    "sparse array": sp.csc_array,
    "sparse matrix": sp.coo_matrix,
    "objects": lambda a: np.array(a.tolist(), dtype=object),
    "numbers and bools": lambda a: np.array([[bool(v) if v in (0, 1) else v for v in row] for row in a.tolist()], dtype=object),
    "data frame": Frame,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_matrices_and_rows_may_be_of_any_kind(kind: Any) -> None:
    graph, plain = as_graph([kind(FIRST), kind(SECOND)]), as_graph([FIRST, SECOND])
    for part, expected in zip(graph.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(part, expected)
    np.testing.assert_array_equal(graph.evaluate(kind(ROWS)), plain.evaluate(ROWS))
    assert [levels.tolist() for levels in needed_levels(graph, kind(ROWS))] == [levels.tolist() for levels in needed_levels(plain, ROWS)]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_targets_of_one_output_may_be_one_column(kind: Any) -> None:
    found, y = detect_modules([FIRST, SECOND]), np.array([[1], [0], [1], [0]])
    expected = lesions(found, ROWS, y=y).drop
    np.testing.assert_array_equal(lesions(found, ROWS, y=kind(y)).drop, expected)
    np.testing.assert_array_equal(lesions(found, ROWS, y=y[:, 0]).drop, expected)
    np.testing.assert_array_equal(lesions(found, ROWS, y=torch.tensor(y[:, 0], dtype=torch.bool)).drop, expected)


def test_targets_of_classes_may_be_their_numbers() -> None:
    found = detect_modules(LayeredGraph.from_weights([np.eye(3)], loss="ce"))
    expected = lesions(found, np.eye(3), y=np.eye(3)[[0, 2, 1]]).drop
    np.testing.assert_array_equal(lesions(found, np.eye(3), y=[0, 2, 1]).drop, expected)
    with pytest.raises(ValueError, match=r"y must hold classes from 0 to 2, the positions of the outputs; got 3 in row 1"):
        lesions(found, np.eye(3), y=[0, 3, 1])


def test_one_column_of_targets_does_not_do_for_several_outputs() -> None:
    with pytest.raises(ValueError, match=r"y must hold the bits 0 and 1 in shape \(3, 3\); got shape \(3,\)"):
        lesions(detect_modules([np.eye(3)]), np.eye(3), y=[0, 1, 1])


@FRAMES
def test_names_of_frames_become_names_of_units(frame: Any) -> None:
    first, second = frame(FIRST, columns=["a", "b", "c"]), frame(SECOND, index=["out"])
    graph = as_graph([first, second])
    assert (graph.input_names, graph.output_names, graph.widths) == (("a", "b", "c"), ("out",), (3, 2, 1))
    turned = [frame(FIRST.T, index=["a", "b", "c"]), frame(SECOND.T, columns=["out"])]
    assert LayeredGraph.from_weights(turned, orientation="in_out").input_names == ("a", "b", "c")
    assert LayeredGraph.from_weights([first, second], input_names=("x", "y", "z")).input_names == ("x", "y", "z")
    assert as_graph([frame(FIRST), frame(SECOND)]).input_names == ("x0", "x1", "x2")


@FRAMES
def test_an_adjacency_with_names_is_a_network(frame: Any) -> None:
    names = ["left", "right", "weights", "y"]  # a column may have the name of an attribute
    matrix = [[0, 0, 1.5, 0], [0, 0, -2.0, 0], [0, 0, 0, 3.0], [0] * 4]
    adjacency = frame(matrix, index=names, columns=names)
    for graph in (as_graph(adjacency), LayeredGraph.from_adjacency(adjacency, [2, 1, 1])):
        assert (graph.widths, graph.input_names, graph.output_names) == ((2, 1, 1), ("left", "right"), ("y",))
        assert [w.tolist() for w in graph.weights] == [[[1.5], [-2.0]], [[3.0]]]
    assert len(detect_modules(adjacency).modules) == 1
    assert LayeredGraph.from_adjacency(sp.csr_array(matrix), loss="ce").loss == "ce"


@FRAMES
@pytest.mark.parametrize(
    ("index", "columns", "text"),
    [
        ("ab", "ba", "same names, in the same order, for rows and columns; got 'a' and 'b' at position 0. Reorder it"),
        ("aa", "aa", "different names for all units; got 2, 1 of them different"),
    ],
)
def test_an_adjacency_with_other_names_is_refused(frame: Any, index: str, columns: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        as_graph(frame([[0, 1.0], [0, 0]], index=list(index), columns=list(columns)))


@FRAMES
def test_a_frame_with_texts_or_gaps_is_refused_by_the_column(frame: Any) -> None:
    graph = as_graph([FIRST, SECOND])
    texts = frame(np.array([[1, 2, "cat"]], dtype=object), columns=["a", "b", "kind"])
    text = r"x must hold real numbers; got \w+ with (object|str) in column 'kind'\. Fill what is missing, encode"
    with pytest.raises(TypeError, match=text):
        graph.evaluate(texts)
    gaps = frame([[1.0, np.nan, 2.0]], columns=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"x must be finite; got 1 NaN or infinite values, some in column 'b'\. Fill them or leave"):
        graph.evaluate(gaps)


@FRAMES
def test_rows_with_columns_in_another_order_are_refused(frame: Any) -> None:
    graph = LayeredGraph.from_weights([FIRST, SECOND], input_names=("a", "b", "c"))
    assert graph.evaluate(frame(ROWS, columns=["a", "b", "c"])).tolist() == graph.evaluate(frame(ROWS)).tolist()
    with pytest.raises(ValueError, match=r"columns in the order of the inputs, \['a', 'b', 'c'\]; got \['b', 'a', 'c'\]"):
        graph.evaluate(frame(ROWS, columns=["b", "a", "c"]))


@pytest.mark.parametrize("matrix", [np.eye(3), sp.csr_array(np.eye(3)), torch.eye(3)], ids=["array", "sparse array", "tensor"])
def test_a_single_matrix_may_mean_two_things(matrix: Any) -> None:
    with pytest.raises(TypeError, match=r"give \[matrix\] .*, LayeredGraph\.from_adjacency\(matrix\) .*; got \w+ of shape \(3, 3\)"):
        detect_modules(matrix)
    with pytest.raises(ValueError, match=r"adjacency must be square, a row and a column for each unit; got shape \(2, 3\)"):
        LayeredGraph.from_adjacency(FIRST)


class Failing:
    """An object that cannot be read or shown."""

    def __iter__(self) -> Any:
        raise RuntimeError("an iterator that fails")

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_objects_that_fail_when_they_are_read_are_refused() -> None:
    with pytest.raises(TypeError, match="widths must be positive integers; got Failing, which fails when it is read"):
        LayeredGraph.from_adjacency([[0, 1], [0, 0]], Failing())  # type: ignore[arg-type]
    graph = nx.DiGraph([((0, 0), (1, 0))], activations=Failing())
    with pytest.raises(ValueError, match="a name must be a text; got Failing, which has none"):
        as_graph(graph)
