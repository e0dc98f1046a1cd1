"""Shares of the bits of two digits in the variance of units: units of known shares, noise, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis import bit_shares

PAIRS = np.stack(np.divmod(np.arange(64), 8), axis=1)
DIGITS = np.tile(PAIRS, (40, 1))
# The bits 4, 2 and 1 of a, then those of b.
BITS = np.concatenate([(DIGITS[:, [side]] & np.array([4, 2, 1]) > 0) for side in (0, 1)], axis=1).astype(float)


def test_a_unit_of_one_bit_has_the_share_1_whatever_it_computes() -> None:
    a, b = DIGITS.T
    units = np.stack([(a ^ b) & 2, a & b & 2, a & 2, 3.0 - (b & 2), ~(a | b) & 2], axis=1)
    assert bit_shares(units, DIGITS) == pytest.approx(np.tile([0, 1, 0], (5, 1)))


def test_units_of_several_bits_share_by_variance() -> None:
    a, bits = DIGITS[:, 0], BITS
    units = np.stack([a == 3, 2 * bits[:, 0] + bits[:, 4], (bits[:, 0] == bits[:, 1]), a], axis=1)
    expected = [[1 / 7] * 3, [0.8, 0.2, 0], [0, 0, 0], [16 / 21, 4 / 21, 1 / 21]]
    assert bit_shares(units, DIGITS) == pytest.approx(np.array(expected))


def test_chance_of_the_images_is_taken_off_and_the_order_of_rows_does_not_matter() -> None:
    bits, noise = BITS, np.random.default_rng(0).normal(size=(len(DIGITS), 400))
    units = (2 * bits[:, 0] + bits[:, 4])[:, None] + 5 * noise
    shares = bit_shares(units, DIGITS)
    assert shares.mean(axis=0)[:2] == pytest.approx([0.8, 0.2], abs=0.015)
    order = np.random.default_rng(1).permutation(len(DIGITS))
    assert bit_shares(units[order], DIGITS[order]) == pytest.approx(shares)


def test_a_unit_that_does_not_depend_on_the_digits_has_no_share() -> None:
    rows = np.arange(len(DIGITS))
    within = (rows // 64) % 2 * 1.0  # the same for every pair
    assert np.isnan(bit_shares(np.stack([within, 0 * within], axis=1), DIGITS)).all()
    assert bit_shares(np.empty((len(DIGITS), 0)), DIGITS).shape == (0, 3)


@pytest.mark.parametrize("digits", [PAIRS, DIGITS[:, :1], DIGITS + 1, DIGITS - 1])
def test_digits_that_do_not_fit_are_refused(digits: Any) -> None:
    with pytest.raises(ValueError, match=r"digits must be two of 0\.\.\.7 for each of the \d+ rows, more than 64; got shape"):
        bit_shares(np.zeros((len(digits), 1)), digits)
