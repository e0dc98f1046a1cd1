"""The source calls nothing that runs what a file or a text says; what is left is listed, with its reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("sculpting", "analysis", "examples", "benchmarks")
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "subprocess",
    "pty",
    "commands",
    "imp",
    "code",
}
NAMES = {"eval", "exec", "compile", "__import__", "breakpoint"}
CALLS = {
    "os.system", "os.popen", "tempfile.mktemp", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "importlib.import_module",
    "types.CodeType", "types.FunctionType",
}  # fmt: skip
PREFIXES = ("os.exec", "os.spawn", "os.posix_spawn")
LOADERS = {"torch.load": "weights_only", "torch.jit.load": None, "numpy.load": "allow_pickle"}
# What remains: the file, what it calls, and why.
REMAINS = {
    ("sculpting/__init__.py", "importlib.import_module"): "names of a table of its own, imported when they are first asked for",
    ("sculpting/surroundings.py", "importlib.import_module"): "names that the callers write out",
    ("sculpting/autograd/dropout.py", "types.FunctionType"): "torch's own code of attention, with two of its globals replaced",
    **{
        (f"benchmarks/{name}.py", "import subprocess"): "the same script, or Python, in a process of its own, without a shell"
        for name in ("detection", "engine", "foundation", "pictures", "real_networks", "scale_cases", "unit_graph")
    },
}


def found_in(source: str) -> Iterator[str]:
    """What a source imports or calls of the above."""
    tree = ast.parse(source)
    known = _names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"import {each.name}" for each in node.names if each.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] in MODULES:
            yield f"import {node.module}"
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            name = _full(node, known)
            if name in CALLS or name.startswith(PREFIXES) or (isinstance(node, ast.Name) and name in NAMES):
                yield name
        if isinstance(node, ast.Call):
            yield from _of_call(node, known)


def _of_call(node: ast.Call, known: dict[str, str]) -> Iterator[str]:
    given = {each.arg: each.value for each in node.keywords}
    if "shell" in given and not _is(given["shell"], False):
        yield "shell=True"
    if _is(given.get("allow_pickle"), True):
        yield "allow_pickle=True"
    name = _full(node.func, known)
    if name in LOADERS and LOADERS[name] != "allow_pickle" and not _is(given.get(str(LOADERS[name])), True):
        yield name


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _names(tree: ast.Module) -> dict[str, str]:
    """What names stand for after the imports."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.asname: each.name for each in node.names if each.asname}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def _full(node: ast.expr, known: dict[str, str]) -> str:
    """The full name of a function, as far as it is written out."""
    if isinstance(node, ast.Attribute):
        before = _full(node.value, known)
        return f"{before}.{node.attr}" if before else ""
    return known.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def sources() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def test_the_source_runs_no_files_and_no_texts() -> None:
    found = {(str(path.relative_to(ROOT)), name) for path in sources() for name in found_in(path.read_text(encoding="utf-8"))}
    assert sorted(found - {*REMAINS}) == []
    assert sorted({*REMAINS} - found) == [], "no longer there; take it off the list"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import pickle", "import pickle"),
        ("from pickle import loads", "import pickle"),
        ("import marshal as m", "import marshal"),
        ("import subprocess", "import subprocess"),
        ("x = eval('1')", "eval"),
        ("run = exec", "exec"),
        ("__import__('os')", "__import__"),
        ("import os\nos.system('ls')", "os.system"),
        ("from os import system as s\ns('ls')", "os.system"),
        ("import os\nos.execv('a', [])", "os.execv"),
        ("run('ls', shell=True)", "shell=True"),
        ("run('ls', shell=flag)", "shell=True"),
        ("import tempfile\ntempfile.mktemp()", "tempfile.mktemp"),
        ("import torch\ntorch.load(path)", "torch.load"),
        ("from torch import load\nload(path, weights_only=False)", "torch.load"),
        ("import numpy as np\nnp.load(path, allow_pickle=True)", "allow_pickle=True"),
        ("import yaml\nyaml.load(text)", "yaml.load"),
        ("import importlib\nimportlib.import_module(name)", "importlib.import_module"),
    ],
)
def test_the_search_finds_what_is_planted(source: str, expected: str) -> None:
    assert [*found_in(source)] == [expected]


@pytest.mark.parametrize(
    "source", ["import torch\ntorch.load(path, weights_only=True)", "model.eval()", "re.compile('a')", "run('ls', shell=False)"]
)
def test_the_search_leaves_the_rest(source: str) -> None:
    assert [*found_in(source)] == []
