"""The notebooks run from beginning to end, and their key cells print what is committed."""

from __future__ import annotations

import runpy
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


# Warnings of Jupyter, which starts the kernel; the kernel has filters of its own.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_committed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parents[1]))
    make = runpy.run_path(str(FOLDER / "make.py"))
    committed = nbformat.read(path, as_version=4)
    found = make["executed"](path, tmp_path)  # raises where a cell does
    assert len(make["key_outputs"](committed)) >= 2
    assert make["key_outputs"](found) == make["key_outputs"](committed)
    kinds = [[output.output_type for output in cell.outputs] for cell in committed.cells if cell.cell_type == "code"]
    assert [[output.output_type for output in cell.outputs] for cell in found.cells if cell.cell_type == "code"] == kinds


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_knows_no_machine(path: Path) -> None:
    make = runpy.run_path(str(FOLDER / "make.py"))
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert make["paths_of"](notebook) == []
    notebook.cells[0].source += " in /home/someone/python"
    assert make["paths_of"](notebook) == ["/home/someone/python"]
    assert path.stat().st_size < 300_000
    assert all(cell.metadata.keys() <= {"tags"} for cell in notebook.cells)
    assert all(cell.outputs or "import" in cell.source for cell in notebook.cells if cell.cell_type == "code")
