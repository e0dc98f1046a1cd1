"""What the package declares: versions, extras and checks of the wheel that can fail."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from check_readme import blocks_of, differences

from sculpting import SparseNetwork, cluster, tasks, to_onnx
from sculpting.narrow.language import load_language

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRA = re.compile(r"neural-sculpting\[([\w,]+)\]|'\.\[([\w,]+)\]'")


def exported(path: Path) -> None:
    to_onnx(SparseNetwork((np.ones((1, 1)),), (np.zeros(1),), ("identity",)), path)


def connected(path: Path) -> None:
    with cluster("tcp://127.0.0.1:1"):
        pass


def release(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def pins(name: str) -> dict[str, str]:
    """The packages of a file of constraints and their versions."""
    return dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / name).read_text(), re.MULTILINE))


def test_the_lowest_versions_are_those_that_are_admitted() -> None:
    lowest = pins("constraints-lowest.txt")
    wanted = dict(dependency.split(">=") for dependency in PROJECT["dependencies"])
    wanted["pandas"] = next(each for each in PROJECT["optional-dependencies"]["test"] if each.startswith("pandas")).split(">=")[1]
    assert {name: release(lowest[name]) for name in wanted} == {name: release(version) for name, version in wanted.items()}
    assert all(release(pins("constraints.txt")[name]) > release(lowest[name]) for name in wanted)


def test_every_declared_python_is_tested() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    listed = re.search(r"python: \[(.*)\]", workflow)
    assert listed is not None
    declared = [kind.split(" :: ")[-1] for kind in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", kind)]
    assert re.findall(r"[\d.]+", listed[1]) == declared
    assert PROJECT["requires-python"] == f">={declared[0]}"


def test_extras_that_messages_and_pages_name_are_declared() -> None:
    paths = [ROOT / "README.md", *(path for folder in ("sculpting", "analysis", "docs") for path in (ROOT / folder).rglob("*.[pm][yd]"))]
    named = {extra for path in paths for found in EXTRA.findall(path.read_text()) for extra in "".join(found).split(",")}
    assert len(named) > 4
    assert named <= set(PROJECT["optional-dependencies"])


MISSING: list[tuple[str, str, Callable[[Path], object], str]] = [
    ("onnx", "onnx", exported, "a.onnx"),
    ("pandas", "parquet", lambda path: tasks.from_file(path, target="y"), "a.parquet"),
    ("distributed", "cluster", connected, ""),
    ("transformers", "lm", load_language, "model"),
]


@pytest.mark.parametrize(("package", "extra", "call", "name"), MISSING, ids=[extra for _, extra, _, _ in MISSING])
def test_a_missing_extra_is_named(
    package: str, extra: str, call: Callable[[Path], object], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).touch()
    with pytest.raises(ImportError, match=rf'pip install "neural-sculpting\[{extra}\]"'):
        call(tmp_path / name)


def test_the_check_of_the_readme_can_fail() -> None:
    text = "```python\nprint(1)\n```\n\n```text\n1\n```\nwords\n```python\na = 2\n```\n"
    assert blocks_of(text) == [("print(1)\n", "1\n"), ("a = 2\n", None)]
    assert blocks_of((ROOT / "README.md").read_text())[0][1] is not None
    assert differences("1\n2\n", "1\n2") == []
    assert differences("1\n", "1\n2\n") == ["missing: 2"]
    assert differences("1\n3\n", "1\n") == ["not in the README: 3"]
    assert differences("anything", None) == []
