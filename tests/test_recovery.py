"""The structure of the paper's tasks is recovered by one default setting: slow, a part of the Boolean study."""

from __future__ import annotations

import pytest

from analysis import compare, consensus
from sculpting import sculpt, tasks


@pytest.mark.slow
@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
@pytest.mark.parametrize("width", [24, 36, 48])
@pytest.mark.parametrize("name", ["both", "input-separable", "none"])
def test_consensus_of_four_seeds_is_exact(name: str, width: int, hidden_layers: int) -> None:
    task = tasks.boolean(name)
    result = sculpt(task.model(width=width, hidden_layers=hidden_layers), task, seeds=4, progress=False)
    comparison = compare(consensus(result.candidates), task.truth(hidden_layers))
    assert comparison.exact, str(comparison)
    assert comparison.connected, str(comparison)
