"""The report of a result: its networks, their rounds, and what the foot says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from quick import QUICK
from torch import nn

from analysis import detect_modules
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
