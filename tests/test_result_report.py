"""The report of a result: its networks, their rounds, and what the foot says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from quick import QUICK, xor_classes
from torch import nn

from analysis import detect_modules, write_report
from sculpting import sculpt, tasks


@pytest.fixture(scope="module")
def result() -> Any:
    task = tasks.from_gates({"y": "(a & b) | c", "z": "a & b"})
    return sculpt(task.model(width=6, hidden_layers=1), task, **{**QUICK, "seeds": 2})


def data_of(page: str) -> Any:
    return json.loads(page.split('id="data">')[1].split("</script>")[0])


def test_the_page_switches_between_seeds_and_has_the_rounds_of_each(result: Any, tmp_path: Path) -> None:
    page = result.report(tmp_path / "a.html").read_text()
    data = data_of(page)
    seeds = {network.origin["seed"] for network in result.candidates}
    assert len(data) == len(seeds) == 2
    names = re.findall(r'type="radio"[^>]*> ([^<]+)<', page)
    first = re.fullmatch(r"seed (\d) \(consensus\), (\d+) edges", names[0])
    assert first is not None
    assert re.fullmatch(rf"seed {1 - int(first[1])}, \d+ edges", names[1])
    for name, one in zip(names, data, strict=True):
        seed, edges = (int(number) for number in re.findall(r"\d+", name))
        assert one["rounds"][0][:3] == ["dense", 3 * 6 + 6 * 2, 1.0]
        assert one["rounds"][-1][1] == edges
        [network] = [each for each in result.candidates if each.origin["seed"] == seed and each.edge_count == edges][:1]
        attempts = result.trail(network).attempts
        assert [(phase, accuracy) for phase, _, _, accuracy in one["rounds"]] == [(a.phase, a.accuracy) for a in attempts]
    assert f"<h1>Task {result.task.name}</h1>" in page
    assert "<dt>seeds</dt><dd>0, 1</dd>" in page
    assert f"{len(result.history)}, of which" in page


def test_a_hierarchy_of_ones_own_is_shown_first(result: Any, tmp_path: Path) -> None:
    found = detect_modules(result.network)
    page = result.report(tmp_path / "a.html", found, title="Mine", settings={"note": "by hand"}, candidates=()).read_text()
    assert "<h1>Mine</h1>" in page
    assert "<dt>note</dt><dd>by hand</dd>" in page
    assert len(data_of(page)) == 1
    copied = detect_modules([*result.network.weights])
    assert "network must be one of the candidates" in result.report(tmp_path / "b.html", copied).read_text()


@pytest.fixture(scope="module")
def sampled() -> Any:
    """Of rows that are not all there are, so with validation and test rows."""
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    return sculpt(model, xor_classes(), **{**QUICK, "min_accuracy": 0.7})


def test_each_network_has_its_figure_on_the_test_rows(sampled: Any, tmp_path: Path) -> None:
    page = sampled.report(tmp_path / "a.html").read_text()
    shown = {one.origin["seed"]: one for one in reversed(sampled.candidates)}  # the sparsest of each seed
    assert len(shown) == len(data_of(page)) == 2
    figures = re.findall(r"<dt>test accuracy</dt><dd>([^<]+)</dd>", page)
    assert len(figures) == 2
    assert str(sampled.tested(shown[1])) in figures or str(sampled.tested(shown[0])) in figures
    assert all(re.fullmatch(r"0\.\d{3} \(95 % interval 0\.\d{3} to [01]\.\d{3}, \d+ rows\)", each) for each in figures)
    assert page.count("<dt>validation accuracy</dt>") == 2
    assert "<dt>accuracy</dt>" not in page
    assert {one["metric"] for one in data_of(page)} == {"validation accuracy"}
    assert 'aria-label="validation accuracy from ' in page
    assert "<dt>accepted from validation accuracy</dt><dd>0.7000</dd>" in page

    found = detect_modules(sampled.network)
    text = sampled.report(tmp_path / "a.txt", found).read_text().splitlines()
    assert f"validation accuracy: {sampled.accuracy:.4f}" in text
    assert f"test accuracy: {sampled.test_accuracy}" in text


def test_data_without_a_name_is_no_title(sampled: Any, tmp_path: Path) -> None:
    page = sampled.report(tmp_path / "a.html").read_text()
    assert "<h1>Modules and hierarchy</h1>" in page
    assert "<dt>task</dt>" not in page


def test_a_page_says_what_a_vote_is_where_it_shows_support(result: Any, tmp_path: Path) -> None:
    said = "Support: each seed has a vote for the structure"
    assert result.report(tmp_path / "a.html").read_text().count(said) == 1  # of the consensus alone
    assert said not in result.report(tmp_path / "b.html", detect_modules(result.network), candidates=()).read_text()


def test_of_a_complete_table_there_is_one_accuracy(result: Any, tmp_path: Path) -> None:
    page = result.report(tmp_path / "a.html").read_text()
    assert page.count("<dt>accuracy</dt><dd>1.0000</dd>") == 2
    assert "validation" not in page
    assert "test accuracy" not in page


def test_a_network_of_another_result_has_no_figures_of_this_one(sampled: Any, result: Any, tmp_path: Path) -> None:
    page = sampled.report(tmp_path / "a.html", detect_modules(result.network)).read_text()
    assert len(data_of(page)) == page.count("<dt>test accuracy</dt>") + 1


@pytest.mark.parametrize("suffix", ["html", "txt"])
def test_values_of_other_types_are_refused(result: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    for wrong in (result.network, result, "hierarchy"):
        got = rf"hierarchy must be a Hierarchy, such as detect_modules\(result.network\); got {type(wrong).__name__}\. Leave it out"
        with pytest.raises(TypeError, match=got):
            result.report(path, wrong)
    for name in ("detection", "settings"):
        with pytest.raises(TypeError, match=rf"{name} must be a mapping of names to values; got NoneType\. Leave it out"):
            result.report(path, **{name: None})
    with pytest.raises(TypeError, match="evidence must be a mapping of headings to objects; got NoneType"):
        result.report(path, evidence=None)
    with pytest.raises(TypeError, match=r"expected a Hierarchy, such as detect_modules\(network\); got SculptResult"):
        write_report(result, path)
    assert list(tmp_path.iterdir()) == []


def test_a_result_without_networks_has_no_report(tmp_path: Path) -> None:
    task = tasks.from_gates({"y": "a ^ b"})
    nothing = sculpt(task.model(width=2, hidden_layers=1), task, **{**QUICK, "seeds": 1, "steps": 1, "min_accuracy": 1.0})
    assert not nothing.candidates
    with pytest.raises(ValueError, match="there is no network to report on: No network reached"):
        nothing.report(tmp_path / "a.html")


def test_a_network_that_is_no_chain_has_charts_without_a_slider(tmp_path: Path) -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            hidden = self.first(x).relu()
            return self.last(hidden + hidden.tanh())

    task = tasks.from_gates({"y": "a & b", "z": "c"})
    found = sculpt(Skip(), task, **{**QUICK, "seeds": 1, "min_accuracy": 0.7})
    page = found.report(tmp_path / "a.html").read_text()
    assert "The picture has no slider" in page
    assert page.count('class="chart"') == 2
