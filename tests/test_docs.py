"""Every block of Python in the documentation and the README runs."""

from __future__ import annotations

import re
import runpy
import textwrap
from pathlib import Path

import matplotlib as mpl
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]}
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+) -->\n)?^(?P<indent> *)```(?:python|py)\b.*\n(?P<code>(?s:.*?))^(?P=indent)```$", re.MULTILINE
)
SLOW = {"docs/clusters.md", "docs/module-studies.md", "docs/side-by-side.md"}  # a study of a task, a transformer, four seeds on real data
ELSEWHERE = {"README.md": "test_examples.py", "docs/language.md": "test_study_language.py", "docs/narrow.md": "test_narrow_any.py"}
SAYS = {  # what a page says of its code
    "docs/index.md": "verdict: exact(.*\n)+2 modules in a network of widths 4-8-2",
    "docs/modules.md": "verdict: exact",
    "docs/own-function.md": "verdict: exact",
    "docs/detection.md": "2 modules",
}
NOT_RUN = ["needs a SLURM cluster", "needs a Kubernetes cluster"]


def blocks(text: str) -> list[tuple[str, str | None]]:
    """The blocks of Python of a page, and why one is not run."""
    return [(textwrap.dedent(block["code"]), block["reason"]) for block in BLOCK.finditer(text)]


def program(page: str) -> str:
    """All blocks of a page that run."""
    return "\n\n".join(code for code, reason in blocks(PAGES[page]) if reason is None)


RUN = [page for page in PAGES if program(page) and page not in ELSEWHERE]


@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else []) for page in RUN])
def test_the_blocks_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    with mpl.rc_context(), torch.random.fork_rng():
        exec(compile(program(page), page, "exec"), {"__name__": "__main__"})
    assert re.search(SAYS.get(page, ""), capsys.readouterr().out)


def test_what_is_not_run_here_is_known() -> None:
    assert [reason for text in PAGES.values() for _, reason in blocks(text) if reason] == NOT_RUN
    for page, test in ELSEWHERE.items():
        assert len(blocks(PAGES[page])) == 1, page
        assert page in (ROOT / "tests" / test).read_text(), page
    assert set(PAGES) >= SLOW
    assert len(RUN) > 10


def test_blocks_are_found_by_their_fence() -> None:
    indented = "??? example\n\n    ```python\n    if c:\n        d\n    ```\n\n```sh\ne\n```\n"
    text = f"```python\na\n```\n\n<!-- not run: no -->\n```py\nb\n```\n\n{indented}"
    assert blocks(text) == [("a\n", None), ("b\n", "no"), ("if c:\n    d\n", None)]
    opened = re.findall(r"^ *```py", "".join(PAGES.values()), re.MULTILINE)
    assert len(opened) == sum(len(blocks(text)) for text in PAGES.values())


def test_the_gallery_has_every_example_with_its_title_and_finding() -> None:
    gallery = runpy.run_path(str(ROOT / "docs/gallery/make.py"))
    assert PAGES["docs/gallery.md"] == gallery["page"]()
    assert sorted(gallery["names"]()) == sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
    for name in gallery["names"]():
        assert (ROOT / "docs/gallery" / f"{name}.svg").stat().st_size < 400_000
        assert (ROOT / "docs/gallery" / f"{name}.txt").read_text().strip()
