"""One small cell of each study against its committed rows: verdicts are equal on every processor, other columns to rounding only."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tagged import MNIST, needs_mnist

from sculpting.store import Row
from sculpting.studies.boolean.cells import boolean_cell
from sculpting.studies.curriculum.cells import curriculum_cell
from sculpting.studies.digits.cells import digits_cell
from sculpting.studies.even_digits.cells import even_cell, teacher_name
from sculpting.studies.known_structure.cells import known_cell
from sculpting.studies.nonlocality.cells import nonlocality_cell
from sculpting.studies.parities.cells import parities_cell
from sculpting.studies.sensitivity.cells import sensitivity_cell
from sculpting.studies.side_by_side.cells import side_by_side_cell
from sculpting.study import CellResult

DOCS = Path(__file__).parents[1] / "docs"
OF_HIERARCHIES = ("inputs_right", "modules_right", "exact")

pytestmark = pytest.mark.slow


def committed(study: str, **facts: Any) -> list[dict[str, str]]:
    """The committed rows of a study that the facts are true of."""
    with (DOCS / study / "rows.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if all(row[name] == str(fact) for name, fact in facts.items())]
    assert rows
    return rows


def check(rows: Sequence[Row], known: Sequence[dict[str, str]], verdict: Callable[[Any], Any]) -> None:
    """Rows give the verdicts of the committed ones, which are texts."""
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert [verdict(row) for row in texts] == [verdict(row) for row in known]


def of_hierarchies(row: dict[str, str]) -> list[str]:
    return [row[name] for name in ("seeds", "seed", "rule", *OF_HIERARCHIES)]


def test_boolean() -> None:
    check(boolean_cell((4, 1, 4), 24, 1, 4), committed("study", task="[4, 1, 4]", width=24, depth=1), of_hierarchies)


def test_sensitivity() -> None:
    rows = sensitivity_cell("4,1,2,2,12", 24, 1, 3, [{"parameter": "unit_step", "value": 0.1}], {"unit_steps": [0.1]}).rows
    known = committed("sensitivity", task="4,1,2,2,12", parameter="unit_step", value=0.1)
    check(rows, known, lambda row: [row[name] for name in ("seeds", "seed", "rule", "verdict", "exact")])


def test_parities() -> None:
    rows = parities_cell(2, 2, "each", 64, 2, study="test").rows
    check(rows, committed("parities", m=2, k=2, outputs="each", depth=2), of_hierarchies)


def test_digits() -> None:
    needs_mnist()
    rows = digits_cell("mnist-pair", 14, 98, 2, source="mnist", data_dir=MNIST, study="test").rows
    check(rows, committed("digits", task="mnist-pair", size=14, width=98, depth=2), of_hierarchies)


def test_curriculum() -> None:
    """Which codes are learnt."""
    rows = curriculum_cell("broad", 0, 4, "reduced")
    known = [row for row in committed("curriculum", arm="broad") if int(row["seed"]) < 5]
    check(rows, known, lambda row: (row["seed"], row["code"], row["samples_under"] != ""))


def test_nonlocality() -> None:
    """Whether the skill that was kept is recovered, and which was lost at first."""
    rows = nonlocality_cell(64, 0, "plain", "reduced").rows
    known = committed("nonlocality", width=64, seed=0, network="plain")
    check(rows, known, lambda row: (row["sparsity"], float(row["a_recovered"]) > 0.9, float(row["b_pruned"]) > 0.9))


def test_even_digits() -> None:
    """Which small networks get to the target."""
    needs_mnist()
    given: dict[str, Any] = {"protocol": "reduced", "source": "mnist", "data_dir": MNIST}
    teachers: list[CellResult] = [even_cell(seed=seed, **given) for seed in range(5)]
    files = {name: content for teacher in teachers for name, content in teacher.files.items()}
    assert set(files) == {f"networks/{teacher_name(seed)}.safetensors" for seed in range(5)}
    rows = even_cell(method="activation-gradient", units=[600], rate=1e-3, strength=None, files=files, **given).rows
    known = committed("even-digits", method="activation-gradient", asked=600, learning_rate=0.001)
    check(rows, known, lambda row: (row["seed"], row["units"], row["reached"]))


def test_side_by_side() -> None:
    """Whether sets are apart, and the verdict."""
    rows = side_by_side_cell(["wine", "iris"], None, 1, 2, study="test").rows
    known = committed("side-by-side", sets="wine+iris", joint="", depth=1, split=2)
    check(rows, known, lambda row: [row[name] for name in ("seeds", "seed", "rule", "apart", "modules_right", "verdict")])


def test_known_structure() -> None:
    """Verdicts of a sampled task."""
    rows = known_cell("two-sensors-and", "its name", 2, 3, study="test").rows
    known = committed("known-structure", kind="two-sensors-and", sample=3)
    check(rows, known, lambda row: [row[name] for name in ("seeds", "seed", "rule", "verdict", "modules_right", "modules", "outside")])
