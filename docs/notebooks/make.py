"""Run the notebooks, and write them with their outputs: `python docs/notebooks/make.py`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent
SECONDS = 600  # for each cell


def executed(path: Path, folder: Path) -> Any:
    """The notebook, run in a folder by the interpreter that runs this, with nothing of the machine in it."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.coalesce_streams = True  # what a cell prints is one output, however it arrives
    client.execute()
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        if cell.cell_type == "code":
            cell.outputs = [shown(output) for output in cell.outputs if output.get("name") != "stderr"]  # warnings name paths
    return notebook


def shown(output: Any) -> Any:
    """An output, without the text that stands for HTML where there is none: thousands of characters for a result."""
    if "text/html" in output.get("data", {}):
        output.data.pop("text/plain", None)
    return output


def key_outputs(notebook: Any) -> list[str]:
    """What the cells with the tag ``key`` printed: it must be the same each time."""
    cells = [cell for cell in notebook.cells if "key" in cell.metadata.get("tags", [])]
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]


def paths_of(notebook: Any) -> list[str]:
    """The paths of a machine in what a notebook shows."""
    return re.findall(r"(?:/home|/root|/tmp|/Users|/work|[A-Z]:\\\\)[^\s\"']*", nbformat.writes(notebook))


if __name__ == "__main__":
    for notebook_path in sorted(FOLDER.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as empty:
            nbformat.write(executed(notebook_path, Path(empty)), notebook_path)
