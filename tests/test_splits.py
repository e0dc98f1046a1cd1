"""Training, validation and test rows."""

from __future__ import annotations

import numpy as np
import pytest

from sculpting.tasks import as_task
from sculpting.tasks.splits import split_rows

Y = np.arange(200) % 10 == 0  # a tenth of the rows is of class 1


def test_every_row_is_in_one_part() -> None:
    for classes in (None, Y):
        parts = split_rows(200, 0.25, 0.1, 3, classes)
        assert [len(part) for part in parts] == [130, 50, 20]
        assert sorted(np.concatenate(parts).tolist()) == list(range(200))
    assert [len(part) for part in split_rows(200, 0.25, 0.0, 3)] == [150, 50, 0]


def test_classes_have_the_same_share_in_every_part() -> None:
    assert [int(Y[part].sum()) for part in split_rows(200, 0.2, 0.2, 0, Y)] == [12, 4, 4]
    rare = np.arange(200) == 7  # one row of a class cannot be in every part
    assert sum(int(rare[part].sum()) for part in split_rows(200, 0.2, 0.2, 0, rare)) == 1


@pytest.mark.parametrize("classes", [None, Y])
def test_groups_are_never_divided(classes: np.ndarray | None) -> None:
    groups = np.array([f"patient {i // 8}" for i in range(200)])
    parts = split_rows(200, 0.2, 0.2, 1, classes, groups)
    held = [set(groups[part]) for part in parts]
    assert len(held[0] | held[1] | held[2]) == sum(map(len, held))
    assert all(len(part) for part in parts)
    assert sum(map(len, parts)) == 200


def test_a_seed_draws_the_same_rows() -> None:
    first, again, other = (split_rows(50, 0.2, 0.2, seed)[2].tolist() for seed in (5, 5, 6))
    assert first == again != other


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((10, 1.5, 0.2, 0), "validation must be a pair .* that leaves some on either side; got 1.5"),
        ((10, 0.2, 0.01, 0), "test must be a pair .* that leaves some on either side; got 0.01"),
        ((10, 0.5, 0.5, 0), "validation and test must leave some of the 10 rows for training; got fractions 0.5 and 0.5"),
        ((10, 0.2, 0.2, 0, None, [1, 2]), r"groups must have one label for each of the 10 rows; got shape \(2,\)"),
        ((10, 0.2, 0.2, 0, None, [1, 2] * 5), "groups must be at least 6, so that each part has some; got 2"),
    ],
)
def test_fractions_and_groups_that_leave_nothing_are_refused(arguments: tuple, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        split_rows(*arguments)


def test_a_task_has_the_parts_and_a_table_is_used_whole() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    task = as_task((x, (x[:, 0] > 0).astype(int)), outputs=2)
    assert [len(part) for part in (task.x, task.x_validation, task.x_test)] == [60, 20, 20]
    assert task.standardised
    with pytest.raises(ValueError, match=r"validation must be .* a fraction above 0"):
        as_task((x, x[:, 0]), validation=0)
    with pytest.raises(ValueError, match=r"a Task brings its own loss .*, validation and test rows"):
        as_task(task, test=0.1)
    assert as_task(task, metric="balanced accuracy").metric == "balanced accuracy"
