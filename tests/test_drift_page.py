"""The page on tasks that change has the numbers of the committed rows, which are of the study's cells and settings."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from sculpting.store import Row
from sculpting.studies import drift
from sculpting.studies.drift.bases import base_of
from sculpting.studies.drift.cells import cells_of
from sculpting.studies.drift.changing import DIGIT_KINDS, changes_of
from sculpting.studies.drift.report import drift_summary

DOCS = Path(__file__).parents[1] / "docs"
TEXTS = {"group", "task", "base_verdict", "kind", "gate", "formula", "new_formula", "status", "part", "named", "detected"}


def committed() -> list[Row]:
    """The committed rows, with values instead of texts."""
    with (DOCS / "drift" / "rows.csv").open() as file:
        return [{name: value_of(text) if name not in TEXTS else text for name, text in row.items()} for row in csv.DictReader(file)]


def value_of(text: str) -> Any:
    return None if text == "" else json.loads(text.lower())


def test_the_tables_of_the_page_are_those_of_the_committed_rows() -> None:
    page, rows = (DOCS / "drift.md").read_text(), committed()
    summary = drift_summary(rows)
    tables = [part for part in summary.split("\n\n") if part.startswith("|")]
    assert len(tables) == 4
    for table in tables[:3]:
        assert table.strip() in page
    assert summary.split("## Inputs that are more often 1\n\n")[1].split("\n")[0] in " ".join(page.split())
    assert (DOCS / "drift" / "drift.svg").exists()


def test_the_committed_rows_are_of_the_settings_and_cells_of_the_study() -> None:
    made = json.loads((DOCS / "drift" / "study.json").read_text())["settings"]
    assert made == json.loads(json.dumps(drift.study().settings))
    rows = committed()
    assert [*dict.fromkeys(row["task"] for row in rows)] == [*cells_of()]
    for name, cell in cells_of().items():
        mine = [row for row in rows if row["task"] == name]
        assert {row["group"] for row in mine} == {cell["group"]}
        if not (base := base_of(name)).sampled:
            assert [row["kind"] for row in mine] == [change.kind for change in changes_of(base)]
        else:
            assert [row["kind"] for row in mine] == [*DIGIT_KINDS, "none"]
