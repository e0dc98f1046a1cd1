"""Names in pictures: long ones stay different, and rare letters are drawn or noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.font_manager import findfont, get_font

from analysis.drawing import FONT, draw, letters
from analysis.drawing.letters import families_of
from analysis.drawing.names import shortened
from analysis.graph import LayeredGraph
from analysis.hierarchy import Hierarchy


def hierarchy_of(graph: LayeredGraph, labels: Any) -> Hierarchy:
    layers = tuple(np.array(layer) for layer in labels)
    return Hierarchy(graph, layers, layers)


LONG = [f"mean concentration of {what} in the morning, mg/l" for what in ("iron", "zinc", "lead")] + ["a < b"]


def test_long_names_stay_different_and_are_whole_in_an_svg(tmp_path: Path) -> None:
    case = hierarchy_of(LayeredGraph.from_weights([np.eye(4)], input_names=LONG), (range(4), range(4)))
    ax = draw(case, tmp_path / "a.svg")
    shown = [text.get_text() for text in ax.texts if "mean" in text.get_text()]
    assert shown == [f"mean c…{what} in…morning, mg/l" for what in ("iron", "zinc", "lead")]
    titles = {}
    for group in ElementTree.parse(tmp_path / "a.svg").iter("{http://www.w3.org/2000/svg}g"):
        title = group.find("{http://www.w3.org/2000/svg}title")
        if title is not None:
            titles[group.get("id")] = title.text
    assert titles == {f"name-0-{i}": name for i, name in enumerate(LONG[:3])}


@given(st.lists(st.text("ab ", max_size=60), unique=True))
def test_short_names_are_as_different_as_names(names: list[str]) -> None:
    short = shortened(names)
    assert len(set(short)) == len(names)
    assert all(len(text) <= 28 and (len(name) > 28 or text == name) for text, name in zip(short, names, strict=True))


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_letters_that_no_font_has_are_noted_once(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    letter = "\U0001e030"  # of Unicode 15, in none of the fonts of matplotlib
    monkeypatch.setattr(letters, "_family_with", lambda one: None if one == letter else FONT)
    names = (f"a{letter}", f"b{letter}")
    case = hierarchy_of(LayeredGraph.from_weights([np.eye(2)], input_names=names), (range(2), range(2)))
    with pytest.warns(UserWarning, match=f"no installed font has {letter}: a PNG or PDF shows boxes") as noted:
        draw(case, tmp_path / f"a{suffix}")
    assert len(noted) == 1
    if suffix == ".svg":
        assert names[0] in (tmp_path / "a.svg").read_text()


def test_letters_that_the_usual_font_lacks_are_drawn_in_another(tmp_path: Path) -> None:
    usual, other = (set(get_font(findfont(name)).get_charmap()) for name in (FONT, "STIXGeneral"))
    letter = next(chr(code) for code in sorted(other - usual) if chr(code).isprintable())
    family = next(name for name in families_of(f"é{letter}") if name != FONT)
    case = hierarchy_of(LayeredGraph.from_weights([[[1.0]]], input_names=[letter]), ([0], [0]))
    draw(case, tmp_path / "a.svg")
    assert family in (tmp_path / "a.svg").read_text()
    assert ord(letter) in get_font(findfont(family)).get_charmap()
