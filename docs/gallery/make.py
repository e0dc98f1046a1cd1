"""Make the gallery: run examples, keep what they print and draw, and write the page.

- `python docs/gallery/make.py`: the page alone, from the titles and findings of the examples;
- `python docs/gallery/make.py two_sums`: run this example first;
- `python docs/gallery/make.py all`: run all of them, about ten minutes.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "gallery"
# From what is quickest to see to what takes most words; new examples come last until they have a place.
FIRST = (
    "boolean_tasks", "own_network", "wine_beside_iris", "two_digits", "own_cnn", "two_sums", "parities", "narrowed_parities", "digit_xor",
    "paper_study",
)  # fmt: skip
HEAD = """# Gallery

Each of these is a script of about thirty lines in the folder `examples/`. The tests run them all.
Pictures and outputs are made by `python docs/gallery/make.py all`.
"""
ENTRY = """
## {heading}

{title}

{finding}

![{alt}](gallery/{name}.svg)

```text
--8<-- "docs/gallery/{name}.txt"
```

??? example "examples/{name}.py"

    ``` {{ .python }}
    --8<-- "examples/{name}.py"
    ```
"""


def names() -> list[str]:
    """The examples in the order of the page."""
    return [*FIRST, *sorted({path.stem for path in (ROOT / "examples").glob("*.py")} - set(FIRST))]


def texts(name: str) -> tuple[str, str]:
    """The title of an example and its finding, from its docstring."""
    title, finding = (ast.get_docstring(ast.parse((ROOT / "examples" / f"{name}.py").read_text())) or "").split("\n\n", 1)
    return title, finding


def page() -> str:
    """The page of the gallery."""
    parts = []
    for name in names():
        title, finding = texts(name)
        heading = name.replace("_", " ").capitalize().replace("cnn", "CNN").replace("xor", "XOR")
        parts.append(ENTRY.format(heading=heading, title=title, finding=finding, alt=f"Picture made by examples/{name}.py", name=name))
    return HEAD + "".join(parts)


def run(name: str) -> None:
    """Run an example in an empty folder; keep its picture and what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "examples" / f"{name}.py")]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
        keep(name, Path(folder), done.stdout)


def keep(name: str, folder: Path, printed: str) -> None:
    """Copy the one picture that an example left in ``runs``, and write what it printed."""
    [picture] = (folder / "runs").glob("*.svg")
    shutil.copy(picture, FOLDER / f"{name}.svg")
    (FOLDER / f"{name}.txt").write_text(printed)


if __name__ == "__main__":
    for each in names() if sys.argv[1:] == ["all"] else sys.argv[1:]:
        run(each)
    (ROOT / "docs" / "gallery.md").write_text(page())
