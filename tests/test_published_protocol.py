"""The engine comes out where the published code does: networks left by P_u = 70, P_e = 2.5 at the published training setting.

Published figures: 30 seeds each of the paper's own code. Statistics: Welch's z of the mean number of edges, |z| < 3; 10, 50 and 90 %
points at most one edge apart; chi-squared test of the numbers of hidden units against what 30 and 256 draws of one distribution
would give, p > 0.01.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sculpting import sculpt, tasks

SEEDS = 256
PUBLISHED = {
    "both": {"batch": 32, "mean": 14.70, "sd": 2.27, "points": [12, 14, 18], "units": {3: 5, 4: 18, 5: 5, 6: 2}},
    "input-separable": {"batch": 8, "mean": 16.60, "sd": 0.92, "points": [16, 16, 18], "units": {4: 21, 5: 9, 6: 0}},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_edges_and_units_left_agree_with_the_published_code(name: str) -> None:
    task, known = tasks.boolean(name), PUBLISHED[name]
    setting = {"steps": 30, "batch_size": known["batch"], "learning_rate": 0.05, "final_rate": 1.0, "rate_width": None, "least_rows": 1}
    schedule = {"unit_steps": [0.7], "edge_steps": [0.025], "double_after": None, "dense_rounds": 1, "unit_tries": 1, "edge_tries": 1}
    published = {**setting, **schedule, "hidden_noise": 0.0, "edge_score": "magnitude"}
    result = sculpt(task.model(width=24, hidden_layers=1, activation="relu"), task, seeds=SEEDS, **published, progress=False)
    assert len(result.candidates) == SEEDS
    edges = np.array([network.edge_count for network in result.candidates])
    error = np.hypot(known["sd"] / np.sqrt(30), edges.std(ddof=1) / np.sqrt(SEEDS))
    assert abs(edges.mean() - known["mean"]) / error < 3
    assert np.percentile(edges, [10, 50, 90]) == pytest.approx(known["points"], abs=1)
    # The last bin takes all larger numbers.
    units = np.minimum([network.unit_counts[1] for network in result.candidates], max(known["units"]))
    table = np.array([list(known["units"].values()), [(units == count).sum() for count in known["units"]]])
    assert table[1].sum() == SEEDS
    assert stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue > 0.01
