"""What type checkers are told: every public name stands in the strict user's script, and detection's options are written once."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import get_type_hints

import analysis
import sculpting
from analysis.detection.kinds import DetectionOptions

SCRIPT = Path(__file__).with_name("strict_user.py")


def used(source: str) -> set[str]:
    """The names that a source imports, and the attributes that it reads."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
    return found


def test_the_strict_user_uses_every_public_name() -> None:
    exported = {name for name, value in vars(analysis).items() if not name.startswith("_") and not inspect.ismodule(value)}
    public = exported - {"TYPE_CHECKING", "VIEWS", "report_card", "report_frame", "report_svg"} | set(sculpting.__all__)
    assert len(public) > 60
    assert public - used(SCRIPT.read_text()) == set()


def test_the_options_of_detection_have_the_same_names_everywhere() -> None:
    options = get_type_hints(DetectionOptions)
    given = inspect.signature(analysis.detect_modules).parameters
    assert [name for name, parameter in given.items() if parameter.kind is inspect.Parameter.KEYWORD_ONLY] == list(options)
    assert list(inspect.signature(analysis.ModuleDetector).parameters) == list(options)
    hints = get_type_hints(analysis.detect_modules)
    assert {name: hints[name] for name in options} == options
