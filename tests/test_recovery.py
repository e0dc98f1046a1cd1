"""The structure of the paper's tasks is recovered by one default setting: slow, a part of the Boolean study."""

from __future__ import annotations

from itertools import product

import pytest

from analysis import compare, consensus
from sculpting import sculpt, tasks


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width", "hidden_layers"), [*product(("both", "input-separable", "none"), (24, 36, 48), (1, 2, 3))])
def test_consensus_of_four_seeds_is_exact(name: str, width: int, hidden_layers: int) -> None:
    task = tasks.boolean(name)
    result = sculpt(task.model(width=width, hidden_layers=hidden_layers), task, seeds=4, progress=False)
    comparison = compare(consensus(result.candidates), task.truth(hidden_layers))
    assert comparison.exact, str(comparison)
    assert comparison.connected, str(comparison)
