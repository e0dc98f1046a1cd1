"""Data sets side by side: their splits, pairs, names and truth, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tagged import fill, leave_alone

from analysis import compare, detect_modules
from sculpting import sculpt, tasks
from sculpting.tasks.known_sets import BUNDLED

PARTS = ("", "_validation", "_test")


def numbered(rows: int, first: float = 0.0) -> tuple[Any, Any]:
    """A set whose one input is the number of the row; its three classes follow one another."""
    return np.arange(rows) + first, np.arange(rows) % 3


def columns(task: tasks.Task, part: str, side: int) -> list[float]:
    x = getattr(task, f"x{part}")
    return sorted(x[:, side].tolist())


def test_no_row_of_a_set_is_in_two_parts_and_each_occurs_equally_often() -> None:
    task = tasks.side_by_side(numbered(100), numbered(50, 1000.0))
    for side, (rows, first) in enumerate(((100, 0), (50, 1000))):
        seen = [set(columns(task, part, side)) for part in PARTS]
        assert all(not a & b for a in seen for b in seen if a is not b)
        assert seen[0] | seen[2] <= {float(first + i) for i in range(rows)}
        for part in PARTS:
            counts = np.unique(columns(task, part, side), return_counts=True)[1]
            assert counts.max() - counts.min() <= 1
    assert [len(getattr(task, f"x{part}")) for part in PARTS] == [1000, 10, 20]


def test_a_row_keeps_its_targets() -> None:
    task = tasks.side_by_side(numbered(100), numbered(51, 1002.0))
    for part in PARTS:
        x, y = getattr(task, f"x{part}"), getattr(task, f"y{part}")
        for side, first in enumerate((0, 1002)):
            assert (y[:, 3 * side : 3 * side + 3].argmax(dim=1) == (x[:, side] - first) % 3).all()


def test_every_training_row_meets_others_of_the_other_set() -> None:
    task = tasks.side_by_side(numbered(30), numbered(30), rows=3000)
    assert len(task.x) == 3000
    assert len(task.x.unique(dim=0)) > 300  # of 18 x 18 pairs
    again = tasks.side_by_side(numbered(30), numbered(30), rows=3000)
    other = tasks.side_by_side(numbered(30), numbered(30), rows=3000, seed=1)
    assert torch.equal(task.x, again.x)
    assert not torch.equal(task.x, other.x)


def test_the_same_set_twice_holds_out_the_same_rows() -> None:
    task = tasks.side_by_side("iris", "iris")
    assert task.input_names[0] == "iris 1: sepal length (cm)"
    seen = [{tuple(row) for row in getattr(task, f"x{part}").view(-1, 4).tolist()} for part in ("", "_test")]
    assert len(seen[0] & seen[1]) <= 1  # two flowers of iris have equal measures


@pytest.mark.parametrize("kind", ["and", "xor"])
def test_the_joint_output_needs_two_sets(kind: str) -> None:
    task = tasks.side_by_side("wine", "iris", "breast_cancer", joint=kind)
    assert task.output_names == (
        *(f"wine: class_{i}" for i in range(3)),
        *(f"iris: {name}" for name in ("setosa", "versicolor", "virginica")),
        "breast_cancer: malignant",
        f"wine: class_0 {kind} iris: setosa",
    )
    for part in PARTS:
        y = getattr(task, f"y{part}").bool()
        assert torch.equal(y[:, -1], y[:, 0] & y[:, 3] if kind == "and" else y[:, 0] ^ y[:, 3])
    truth = task.truth(hidden_layers=2)
    assert [(facts["inputs"], facts["outputs"]) for _, facts in truth.nodes(data=True)] == [
        (tuple(range(13)), (0, 1, 2)),
        (tuple(range(13, 17)), (3, 4, 5)),
        (tuple(range(17, 47)), (6,)),
        ((), (7,)),
    ]
    assert set(truth.edges) == {(0, 3), (1, 3)}


def test_the_truth_is_a_module_a_set_which_compare_finds_though_some_inputs_are_not_read() -> None:
    task = tasks.side_by_side(numbered(30), (np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2))
    assert task.y.shape[1] == 4
    hidden = np.array([[1.0, 0, 0], [0, 1, 0]])
    outputs = np.array([[1.0, 0], [2, 0], [3, 0], [0, 1]])
    found = detect_modules([hidden, outputs])
    same = compare(found, task.truth(hidden_layers=1))
    assert same.connected
    assert len(found.modules) == 2


def test_real_values_stand_side_by_side_too() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    task = tasks.side_by_side((x, x[:, :1]), (x, x.sum(axis=1)), names=("copy", "sum"))
    assert (task.loss, task.input_names[2], task.output_names) == ("mse", "sum: x0", ("copy: y0", "sum: y0"))
    assert torch.allclose(task.y[:, 1], task.x[:, 2:].sum(dim=1))


def test_a_truth_table_is_whole_in_every_part_and_a_task_keeps_its_rows() -> None:
    gates = tasks.from_gates({"y": "a & b"})
    task = tasks.side_by_side(gates, "wine")
    assert [len(getattr(task, f"x{part}")) for part in PARTS] == [1000, 36, 36]
    for part in PARTS:
        assert len(getattr(task, f"x{part}")[:, :2].unique(dim=0)) == 4
    assert [len(getattr(tasks.side_by_side(gates, gates), f"x{part}")) for part in PARTS] == [1000, 4, 4]
    assert task.output_names[0] == "gates: y"
    pair = tasks.side_by_side(tasks.mnist_pair(source="digits", size=4, pairs=100, validation=100, test=100), "iris", rows=50)
    assert pair.y.shape == (50, 23)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_set_has_names(name: str) -> None:
    x, y = tasks.known_set(name)
    assert all(len(column) == len(y) for column in x.values())
    assert len(np.unique(y)) == {"wine": 3, "iris": 3, "breast_cancer": 2, "digits": 10}[name]


def test_mnist_is_read_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_alone(tmp_path, monkeypatch)
    x, y = tasks.known_set("mnist", fill(tmp_path / "data"))
    assert len(x) == 16
    assert len(y) == 220
    assert max(column.max() for column in x.values()) == 1
    with pytest.raises(FileNotFoundError):
        tasks.side_by_side("mnist", "wine")


@pytest.mark.parametrize(
    ("sets", "options", "text"),
    [
        (("wine",), {}, "needs at least two data sets; got 1"),
        (("wine", "oil"), {}, "oil: a data set by name must be one of wine, iris, breast_cancer, digits, mnist; got 'oil'"),
        (("wine", (np.ones((4, 1)), np.ones(3))), {}, "set 2: data: x and y must have as many rows; got 4 and 3"),
        (("wine", "iris"), {"joint": "or"}, "joint must be one of and, xor, or None for no joint output; got 'or'"),
        (("wine", "iris"), {"rows": 0}, "rows must be a whole number of at least 1; got 0"),
        (("wine", "iris"), {"names": ["a", "a"]}, "names must be 2 different ones"),
        (("wine", "iris"), {"names": "ab"}, "names must be 2 different ones"),
        (("wine", (np.ones((30, 1)), np.linspace(2, 3, 30))), {}, "got losses wine: ce, set 2: mse. Make bits of the real values"),
        (((np.ones((30, 1)), np.linspace(2, 3, 30)),) * 2, {"joint": "and"}, "joint 'and' needs bits or classes; got real values"),
    ],
)
def test_what_cannot_stand_side_by_side_is_refused(sets: tuple[Any, ...], options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tasks.side_by_side(*sets, **options)


def test_an_error_keeps_its_kind_and_names_the_set() -> None:
    with pytest.raises(TypeError, match=r"^set 2: data must be a pair"):
        tasks.side_by_side("wine", np.ones(3))


def test_a_task_without_test_rows_is_refused() -> None:
    x = torch.rand(30, 2)
    task = tasks.Task(x, x.round(), "bce", x, x.round())
    with pytest.raises(ValueError, match=r"data: a Task side by side with others must have test rows; got none. Pass its \(x, y\)"):
        tasks.side_by_side("iris", task)


def test_networks_come_back_in_the_units_of_the_sets() -> None:
    task = tasks.side_by_side("wine", "iris")
    quick: dict[str, Any] = {"seeds": 1, "steps": 200, "unit_steps": [0.5], "edge_steps": [0.05], "progress": False}
    result = sculpt(task.model(12, 1), task, **quick)
    assert result.candidates
    assert task.x_test is not None
    assert task.y_test is not None
    answers = detect_modules(result.network).graph.evaluate(task.x_test.numpy()) > 0
    assert (answers == task.y_test.numpy()).mean() > 0.9
    figures = result.by_output()
    assert list(figures) == list(task.output_names)
    assert np.mean([figure.value for figure in figures.values()]) == pytest.approx((answers == task.y_test.numpy()).mean())
