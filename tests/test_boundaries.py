"""What may import what, what importing costs and does, and that these checks can fail."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from check_wheel import problems

ROOT = Path(__file__).resolve().parents[1]


def imported(source: str) -> set[str]:
    """Top-level packages that a source text imports absolutely, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


def files(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert len(found) > 5
    return found


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_the_check_sees_imports_inside_functions() -> None:
    assert imported("def f():\n    from torch.nn import Linear\n    import sculpting.cli") == {"torch", "sculpting"}
    assert imported("from .torch import x") == set()


@pytest.mark.parametrize("path", files("analysis"), ids=lambda p: p.name)
def test_analysis_imports_neither_torch_nor_sculpting(path: Path) -> None:
    assert not imported(path.read_text()) & {"torch", "sculpting"}


@pytest.mark.parametrize("path", [p for p in files("sculpting") if p.name != "cli.py" and "studies" not in p.parts], ids=lambda p: p.name)
def test_sculpting_imports_analysis_only_in_its_command_line_and_studies(path: Path) -> None:
    # A doctest may show both packages together; code may not.
    assert "analysis" not in imported(path.read_text())


def test_importing_analysis_loads_no_torch_and_sculpting_no_analysis() -> None:
    assert run("import sys, analysis; print('torch' in sys.modules, 'matplotlib.pyplot' in sys.modules)").split() == ["False", "False"]
    told = run("import sys, sculpting; print(*(m in sys.modules for m in ('analysis', 'networkx', 'matplotlib', 'sklearn', 'torch')))")
    assert told.split() == ["False"] * 4 + ["True"]


def test_importing_has_no_effects() -> None:
    code = (
        # scikit-learn sets two variables of OpenMP when it is imported
        "import sys, os, torch, sklearn, numpy as np, logging\n"
        "before = (torch.get_num_threads(), torch.random.get_rng_state().sum().item(), np.random.get_state()[2], sorted(os.environ))\n"
        "import sculpting, sculpting.cli, analysis\n"
        "after = (torch.get_num_threads(), torch.random.get_rng_state().sum().item(), np.random.get_state()[2], sorted(os.environ))\n"
        "print(before == after, sys.stdout.isatty())"
    )
    assert run(code).split()[0] == "True"


def test_no_pickle_anywhere() -> None:
    for package in ("sculpting", "analysis"):
        for path in files(package):
            assert not imported(path.read_text()) & {"pickle", "dill", "joblib", "cloudpickle"}, path
            assert "torch.load" not in path.read_text(), path


def test_the_wheel_check_can_fail() -> None:
    sources = {"sculpting/a.py"}
    assert problems(["sculpting/a.py", "x-1.dist-info/METADATA"], sources) == []
    assert problems(["sculpting/a.py", "tests/b.py"], sources) == ["not expected: tests/b.py"]
    assert problems([], sources) == ["missing: sculpting/a.py"]


def test_the_page_of_the_api_has_every_public_function_and_class() -> None:
    page = (ROOT / "docs/api.md").read_text().splitlines()
    for name in ("sculpting", "sculpting.tasks", "sculpting.narrow", "analysis"):
        package = importlib.import_module(name)
        exported = re.findall(r" as (\w+)$", Path(package.__file__ or "").read_text(), re.MULTILINE)
        assert len(exported) > 5
        shown = {word for word in exported if callable(getattr(package, word)) and (name, word) != ("sculpting", "Task")}
        assert {word for word in shown if f"::: {name}.{word}" not in page} == set()
