"""The structure of the paper's tasks is recovered by one default setting: slow, a part of the Boolean study."""

from __future__ import annotations

from itertools import product

import pytest

from analysis import compare, consensus
from sculpting import sculpt, tasks


@pytest.mark.slow
def test_consensus_of_four_seeds_is_exact_but_for_one_answer_in_27_at_most() -> None:
    """The study has all of these right, in populations of sixteen seeds; those of four round differently: docs/study.md has one miss."""
    wrong = []
    for name, width, hidden_layers in product(("both", "input-separable", "none"), (24, 36, 48), (1, 2, 3)):
        task = tasks.boolean(name)
        result = sculpt(task.model(width=width, hidden_layers=hidden_layers), task, seeds=4, progress=False)
        comparison = compare(consensus(result.candidates), task.truth(hidden_layers))
        assert comparison.inputs.exact, str(comparison)
        if not (comparison.exact and comparison.connected):
            wrong.append(f"{name}, {hidden_layers} layers of {width}: {comparison}")
    assert len(wrong) <= 1, "\n".join(wrong)
