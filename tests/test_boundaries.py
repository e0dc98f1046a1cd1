"""What may import what, what importing costs and does, and that these checks can fail."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import networkx as nx
import pytest
from check_wheel import problems

import sculpting

ROOT = Path(__file__).resolve().parents[1]
WITH_ANALYSIS = {"cli", "studies", "structure.py"}  # of sculpting


def imported(source: str) -> set[str]:
    """Top-level packages that a source text imports absolutely, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


def circles(sources: Mapping[str, str]) -> list[set[str]]:
    """Groups of modules that import one another, directly or through others.

    Parameters
    ----------
    sources : mapping of path to source text
        Such as ``"a/__init__.py"``, which is the module ``a``, and ``"a/b.py"``.

    Notes
    -----
    Imports inside functions and under ``TYPE_CHECKING`` count as well. A module depends on each module that it names. Where it names
    something that is no module, it depends on the package's ``__init__``. It also depends on the packages around what it names, since
    their ``__init__`` runs first. The packages around the importing module are left out of these: they are loaded before it, and
    otherwise every package would form a circle with each of its modules.
    """
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in sources}
    graph = nx.DiGraph()
    for module, path in modules.items():
        package = module if path.endswith("/__init__.py") else module.rpartition(".")[0]
        named = {known for names in _named(sources[path], package) if (known := next((n for n in names if n in modules), None))}
        around = set().union(*map(_packages, named)) & modules.keys() - _packages(module)
        graph.add_edges_from((module, other) for other in (named | around) - {module})
    return [set(group) for group in nx.strongly_connected_components(graph) if len(group) > 1]


def _named(source: str, package: str) -> list[tuple[str, ...]]:
    """For each imported name its possible modules, the longest first."""
    names: list[tuple[str, ...]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [(alias.name,) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *filter(None, [node.module])])
            names += [(f"{base}.{alias.name}", base) for alias in node.names]
    return names


def _packages(module: str) -> set[str]:
    """The packages around a module: ``a`` and ``a.b`` of ``a.b.c``."""
    parts = module.split(".")
    return {".".join(parts[:i]) for i in range(1, len(parts))}


def files(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert len(found) > 5
    return found


def run(code: str, *arguments: str) -> str:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_the_check_sees_imports_inside_functions() -> None:
    assert imported("def f():\n    from torch.nn import Linear\n    import sculpting.cli") == {"torch", "sculpting"}
    assert imported("from .torch import x") == set()


def test_the_count_of_circles_sees_every_kind_of_import() -> None:
    lazy = {"a/__init__.py": "from .b import f as f", "a/b.py": "def f():\n    from . import c", "a/c.py": "from .b import f"}
    assert circles(lazy) == [{"a.b", "a.c"}]
    typed = {"b.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import c", "c.py": "import d", "d.py": "from b import x"}
    assert circles(typed) == [{"b", "c", "d"}]
    # A module that asks its own package for a name, and two folders that read each other's parts.
    assert circles({"a/__init__.py": "from .b import x", "a/b.py": "from . import y"}) == [{"a", "a.b"}]
    folders = {"a/__init__.py": "", "a/b/__init__.py": "from .m import x", "a/b/m.py": "from ..c.n import y"}
    folders |= {"a/c/__init__.py": "from .n import y", "a/c/n.py": "from a.b.k import z", "a/b/k.py": ""}
    assert circles(folders) == [{"a.b", "a.b.m", "a.c", "a.c.n"}]
    chain = {"a/__init__.py": "from .b.m import x", "a/b/__init__.py": "from .m import x", "a/b/m.py": "from ..c import y", "a/c.py": ""}
    assert circles(chain) == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in (*files("analysis"), *files("sculpting"))}
    assert circles(sources) == []


@pytest.mark.parametrize("path", files("analysis"), ids=lambda p: p.name)
def test_analysis_imports_neither_torch_nor_sculpting(path: Path) -> None:
    assert not imported(path.read_text()) & {"torch", "sculpting"}


@pytest.mark.parametrize("path", [p for p in files("sculpting") if not WITH_ANALYSIS & {*p.parts}], ids=lambda p: p.name)
def test_sculpting_imports_analysis_only_in_its_command_line_studies_and_one_door(path: Path) -> None:
    # A doctest may show both packages together; code may not.
    assert "analysis" not in imported(path.read_text())


def hidden(package: Path) -> set[str]:
    """Modules that a package hides behind something of the same name that it exports."""
    exported = set(re.findall(r"^ *from \.\S* import \w+ as (\w+)$", (package / "__init__.py").read_text(), re.MULTILINE))
    return exported & {path.stem if path.is_file() else path.name for path in package.iterdir()}


def test_the_check_of_hidden_modules_can_fail(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("from .draw import draw as draw\nfrom .draw import Axes as Axes\n")
    (tmp_path / "draw.py").write_text("")
    assert hidden(tmp_path) == {"draw"}


@pytest.mark.parametrize(("package", "known"), [("analysis", {"consensus"}), ("sculpting", {"tasks"})])
def test_no_module_bears_the_name_of_a_function_that_its_folder_exports(package: str, known: set[str]) -> None:
    found = {name for path in files(package) if path.name == "__init__.py" for name in hidden(path.parent)}
    assert found == known  # of consensus a user means the function; tasks is the module itself


def test_importing_analysis_loads_no_torch_and_sculpting_no_analysis() -> None:
    assert run("import sys, analysis; print('torch' in sys.modules, 'matplotlib.pyplot' in sys.modules)").split() == ["False", "False"]
    loaded = "print(*(m in sys.modules for m in ('analysis', 'networkx', 'matplotlib', 'sklearn', 'torch')))"
    assert run(f"import sys, sculpting; {loaded}").split() == ["False"] * 5
    assert run(f"import sys, sculpting; sculpting.sculpt; {loaded}").split() == ["False"] * 4 + ["True"]


@pytest.mark.parametrize("arguments", ["--version", "--help", "sculpt --help", "modules --help", "carve"])
def test_the_command_line_reads_its_arguments_without_torch(arguments: str) -> None:
    code = (
        "import sys\n"
        "from sculpting.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    print(*(m in sys.modules for m in ('torch', 'numpy', 'analysis')))"
    )
    assert run(code, *arguments.split()).splitlines()[-1] == "False False False"


def test_public_names_are_loaded_when_they_are_asked_for() -> None:
    typed = re.findall(r" as (\w+)$", (ROOT / "sculpting/__init__.py").read_text(), re.MULTILINE)
    assert sorted(typed) == sorted(sculpting.__all__)
    assert set(typed) <= set(dir(sculpting))
    assert run("from sculpting import *; print(run.__module__, tasks.__name__)").split() == ["sculpting.study", "sculpting.tasks"]
    assert run("import sculpting; print(sculpting.models.__name__)").strip() == "sculpting.models"
    for name in ("carve", "_carve", "__main__"):
        assert not hasattr(sculpting, name)


def test_a_hierarchy_is_printed_and_drawn_where_only_its_module_is_imported() -> None:
    code = (
        "from analysis.hierarchy import Hierarchy\n"
        "from analysis.graph import LayeredGraph\n"
        "found = Hierarchy(LayeredGraph.from_weights([[[1.0, 1.0]]]), ([0, 0], [1]), ([0, 0], [0]))\n"
        "print(str(found).splitlines()[0], found.draw().texts[0].get_text())"
    )
    assert run(code).strip() == "2 modules in a network of widths 2-1 M0"


def test_importing_analysis_loads_nothing_that_few_callers_need() -> None:
    shown = "print(*(m in sys.modules for m in ('sklearn', 'scipy.stats', 'pandas', 'matplotlib', 'igraph')))"
    assert set(run(f"import sys, analysis; {shown}").split()) == {"False"}
    detected = "analysis.detect_modules([[[1.0, 1.0]]])"
    assert set(run(f"import sys, analysis; {detected}; {shown}").split()) == {"False"}
    code = "import sys, analysis; print(analysis.ModuleDetector.__name__, 'ModuleDetector' in dir(analysis), hasattr(analysis, 'Detector'))"
    assert run(code).split() == ["ModuleDetector", "True", "False"]


def test_importing_has_no_effects() -> None:
    code = (
        # scikit-learn sets two variables of OpenMP when it is imported
        "import sys, os, torch, sklearn, numpy as np, logging\n"
        "before = (torch.get_num_threads(), torch.random.get_rng_state().sum().item(), np.random.get_state()[2], sorted(os.environ))\n"
        "import sculpting, sculpting.cli.commands, analysis\n"
        "after = (torch.get_num_threads(), torch.random.get_rng_state().sum().item(), np.random.get_state()[2], sorted(os.environ))\n"
        "print(before == after, sys.stdout.isatty())"
    )
    assert run(code).split()[0] == "True"


def test_no_pickle_anywhere() -> None:
    for package in ("sculpting", "analysis"):
        for path in files(package):
            assert not imported(path.read_text()) & {"pickle", "dill", "joblib", "cloudpickle"}, path
            loads = re.findall(r"torch\.load\(.*", path.read_text())
            assert all("weights_only=True" in load for load in loads), path  # which reads tensors and runs nothing


def test_the_wheel_check_can_fail() -> None:
    sources = {"sculpting/a.py"}
    assert problems(["sculpting/a.py", "x-1.dist-info/METADATA"], sources) == []
    assert problems(["sculpting/a.py", "tests/b.py"], sources) == ["not expected: tests/b.py"]
    assert problems([], sources) == ["missing: sculpting/a.py"]


def test_the_pages_of_the_api_have_every_public_function_and_class_once_and_are_short() -> None:
    pages = {path: path.read_text().splitlines() for path in (ROOT / "docs/api").glob("*.md")}
    assert {path.stem for path in pages} == {*re.findall(r"\(api/(\w+).md\)", (ROOT / "docs/api.md").read_text())}
    listed = [line for page in pages.values() for line in page if line.startswith(":::")]
    assert len(listed) == len({*listed})
    assert max(sum(line.startswith(":::") for line in page) for page in pages.values()) <= 40
    for name in ("sculpting", "sculpting.tasks", "sculpting.narrow", "analysis"):
        package = importlib.import_module(name)
        exported = re.findall(r" as (\w+)$", Path(package.__file__ or "").read_text(), re.MULTILINE)
        assert len(exported) > 5
        shown = {word for word in exported if callable(getattr(package, word)) and (name, word) != ("sculpting", "Task")}
        assert {word for word in shown if f"::: {name}.{word}" not in listed} == set()
