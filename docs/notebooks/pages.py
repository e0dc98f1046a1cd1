"""Show the notebooks as pages of the site, with the outputs that are committed: a hook of MkDocs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File

FOLDER = Path(__file__).resolve().parent


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each notebook."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=page(nbformat.read(path, as_version=4), path.name)))
    return files


def page(notebook: Any, name: str) -> str:
    """A notebook as Markdown. The title comes first, then where the notebook itself is."""
    parts = [code(cell) if cell.cell_type == "code" else cell.source for cell in notebook.cells]
    title, _, rest = parts[0].partition("\n")
    return "\n\n".join([title, f"*A notebook: [{name}]({name}).*", rest, *parts[1:]])


def code(cell: Any) -> str:
    """A cell of code and what it showed."""
    return "\n\n".join([f"```python\n{cell.source}\n```", *map(shown, cell.outputs)])


def shown(output: Any) -> str:
    """An output: HTML as it is, without blank lines, which would end it; anything else as text."""
    data = output.get("data", {})
    if "text/html" in data:
        inside = "\n".join(line for line in data["text/html"].splitlines() if line.strip())
        return f'<div class="notebook-output">\n{inside}\n</div>'
    return f"```text\n{(output.get('text') or data.get('text/plain', '')).rstrip()}\n```"
