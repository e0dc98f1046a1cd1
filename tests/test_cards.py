"""What notebooks show."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from quick import QUICK

import sculpting
from analysis import compare, detect_modules
from analysis.layout import collapsing
from sculpting import SparseNetwork, tasks


@pytest.fixture(scope="module")
def result() -> Any:
    task = tasks.from_gates({"y": "a & b", "z": "c | d"})
    return sculpting.sculpt(task.model(width=6, hidden_layers=1), task, **QUICK)


def pictures(card: str) -> list[ET.Element]:
    return [ET.fromstring(base64.b64decode(data)) for data in re.findall(r"base64,([^\"]+)", card)]


def test_a_result_shows_its_text_and_the_modules_of_its_sparsest_network(result: Any) -> None:
    card = result._repr_html_()
    assert f"sparsest   {result.network.edge_count} edges" in card
    [svg] = pictures(card)
    assert svg.tag.endswith("svg")
    assert "modules in a network of widths 4-6-2" in card


def test_networks_hierarchies_and_comparisons_have_cards(result: Any) -> None:
    assert "SparseNetwork(4-6-2" in result.network._repr_html_()
    assert len(pictures(result.network._repr_html_())) == 1
    hierarchy = detect_modules(result.network)
    assert len(pictures(hierarchy._repr_html_())) == 1
    comparison = compare(hierarchy, result.task.truth(hidden_layers=1))
    assert comparison.verdict in comparison._repr_html_()
    assert not pictures(comparison._repr_html_())


def test_large_networks_are_drawn_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    network = SparseNetwork((weights, weights[:1]), (np.zeros(40), np.zeros(1)), ("relu", "identity"))
    assert not pictures(network._repr_html_())  # not even its modules are looked for
    hierarchy = detect_modules(network)
    [svg] = pictures(hierarchy._repr_html_())
    assert "units drawn as" in "".join(svg.itertext())
    monkeypatch.setattr(collapsing, "LIMITS", (1, 1, 1, 1))
    assert "there is more to draw than fits a picture" in hierarchy._repr_html_()
    assert hierarchy._repr_svg_() is None


def test_names_cannot_add_markup() -> None:
    weights = (np.ones((1, 1)), np.ones((1, 1)))
    network = SparseNetwork(weights, (np.zeros(1),) * 2, ("relu", "identity"), input_names=("<script>alert(1)</script>",))
    card = detect_modules(network)._repr_html_()
    assert "<script" not in card
    [svg] = pictures(card)
    assert not [each for each in svg.iter() if each.tag.endswith("script")]
