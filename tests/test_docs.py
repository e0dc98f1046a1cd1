"""Code in the documentation runs."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
RUN = [("usage.md", "Follow a run"), ("usage.md", "Notebooks, scikit-learn, torch and ONNX")]


def blocks(page: str, heading: str) -> list[str]:
    """The blocks of Python below a heading."""
    section = (DOCS / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


@pytest.mark.parametrize(("page", "heading"), RUN)
def test_blocks_run(page: str, heading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = blocks(page, heading)
    assert found
    with mpl.rc_context():
        for block in found:
            exec(compile(block, page, "exec"), {})
