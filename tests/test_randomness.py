"""Random numbers from keys: the same for the same key, whatever other keys draw, and random enough."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from sculpting.randomness import fold, keys, normals, permutations, uniforms
from sculpting.sorting import sorted_positions


@pytest.mark.parametrize("others", [0, 6, 499])
def test_numbers_of_a_key_do_not_depend_on_other_keys(others: int) -> None:
    together = keys(["mine", *range(others)])
    alone = keys(["mine"])
    for draw in (lambda k: normals(k, 33, 2), lambda k: permutations(k, 9, 3), lambda k: uniforms(k, 10), lambda k: fold(k, 3)):
        assert torch.equal(draw(together)[0], draw(alone)[0])


def test_later_draws_continue_the_same_stream() -> None:
    key = keys(["a"])
    assert torch.equal(normals(key, 7, 5)[:, 3:], normals(key, 7, 2, 3))
    assert torch.equal(permutations(key, 7, 5)[:, 3:], permutations(key, 7, 2, 3))


def test_normals_are_standard_normal() -> None:
    z = normals(keys(range(50)), 4001).numpy().ravel()
    assert stats.kstest(z, "norm").pvalue > 0.001
    assert abs(stats.kurtosis(z)) < 0.05


def test_streams_of_neighbouring_keys_and_purposes_do_not_correlate() -> None:
    key = keys([("round", i) for i in range(40)])
    streams = torch.cat([normals(k, 5000)[:, 0] for k in (key, fold(key, 0), fold(key, 1))]).numpy()
    for lag in (0, 1, 7):
        r = np.corrcoef(streams[:, : 5000 - lag], streams[:, lag:])[: len(streams), len(streams) :]
        off = r[~np.eye(len(streams), dtype=bool)] if lag == 0 else r.ravel()
        assert np.abs(off).max() < 5.5 / np.sqrt(5000 - lag)


def test_both_halves_of_a_key_are_used() -> None:
    key = keys(["a"])
    for half in ((1, 0), (0, 1)):
        r = np.corrcoef(normals(key, 5000)[0, 0], normals(key + torch.tensor(half, dtype=torch.int32) * 123_457, 5000)[0, 0])[0, 1]
        assert abs(r) < 5.5 / np.sqrt(5000)


def test_uniforms_are_uniform_and_permutations_are_fair() -> None:
    assert stats.kstest(uniforms(keys(range(20)), 2000).numpy().ravel(), "uniform").pvalue > 0.001
    firsts = permutations(keys(range(600)), 6, 10)[:, :, 0].flatten().numpy()
    assert stats.chisquare(np.bincount(firsts, minlength=6)).pvalue > 0.001


def test_nothing_is_drawn_from_the_global_generator() -> None:
    before = torch.random.get_rng_state()
    normals(keys([0]), 10)
    permutations(keys([0]), 10)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("coarse", [False, True])
def test_long_rows_are_sorted_by_rank(coarse: bool) -> None:
    ranks = permutations(keys(range(3)), 700).squeeze(1).int() * 1024 - 300_000  # differ by more than the bits that positions replace
    assert torch.equal(sorted_positions(ranks, coarse=coarse).long(), ranks.argsort(dim=1))
