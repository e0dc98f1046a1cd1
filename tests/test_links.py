"""Every link in a Markdown file leads somewhere: to a file, and to a heading of it. Addresses elsewhere are read, not asked."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for folder in (".", "docs", "docs/notes", "benchmarks", "benchmarks/results") for path in (ROOT / folder).glob("*.md"))
LINK = re.compile(r"(?<!\\)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|(?:src|href)=\"([^\"]+)\"|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
CODE = re.compile(r"^( *)(```+).*?^\1\2\s*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """The targets of a page, but for what stands in code."""
    return [next(filter(None, match)) for match in LINK.findall(CODE.sub("", text))]


def anchors(text: str) -> set[str]:
    """The anchors of the headings of a page, as Python-Markdown makes them."""
    found: set[str] = set()
    prose = re.sub(r"^( *)```.*?^\1```\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6} +(.+?)\s*$", prose, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        name = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", words.encode("ascii", "ignore").decode()).strip().lower())
        number, unique = 0, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.add(unique)
    return found


def problem(path: Path, target: str) -> str | None:
    """What is wrong with a link of a file, or None."""
    if target.startswith(("http://", "https://", "mailto:")):
        parts = urlsplit(target)
        return None if re.fullmatch(r"[\w.-]+\.\w{2,}", parts.netloc) or "@" in parts.path else "no address"
    name, _, anchor = target.partition("#")
    place = (path.parent / name).resolve() if name else path
    if not place.exists():
        return "no such file"
    if not place.is_relative_to(ROOT):
        return "outside of the repository"
    if path.is_relative_to(ROOT / "docs") and not place.is_relative_to(ROOT / "docs"):
        return "outside of docs/, so not on the site"
    if anchor and (place.suffix != ".md" or anchor not in anchors(place.read_text())):
        return "no such heading"
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    found = {target: problem(path, target) for target in links(path.read_text())}
    assert {target: what for target, what in found.items() if what} == {}


def test_the_check_sees_what_is_wrong(tmp_path: Path) -> None:
    page = ROOT / "docs" / "index.md"
    text = "[a](no.md) ![b](images/both.svg) `[c](code.md)` [d](usage.md#nowhere)"
    text += "[e](https://nowhere) [f](../README.md) [g](usage.md#settings)"
    assert [problem(page, target) for target in links(text)] == [
        "no such file", None, "no such heading", "no address", "outside of docs/, so not on the site", None,
    ]  # fmt: skip
    assert anchors("# A `b` (c)!\n\n## Two  words\n\n## Two words\n\n```sh\n# no\n```\n") == {"a-b-c", "two-words", "two-words_1"}


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    named = set(re.findall(r"^ *- (?:[^:#\n]+: )?(\S+\.md)$", text, re.MULTILINE))
    notebooks = {f"notebooks/{path.stem}.md" for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")}
    assert named == pages | notebooks
