"""Sensors with late fusion: each shows one of two kinds of events, and the outputs ask how the kinds of neighbours go together.

S = rows, m = sensors, T = steps in time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..checks import check_counts, shown
from ..randomness import check_seed
from ..surroundings import set_aside
from .fused_bits import Bits, balanced_bits, check_rows, check_targets, fused, fused_names, fused_structure
from .task import SAMPLED, Task

__all__ = ["bells_and_funnels", "sensor_fusion"]

STEPS = 128  # of a series, as published
SAMPLES = 16  # means that are taken of it
MEANS = (8, 16, 32, 64, 128)
MOST_SENSORS, BYTES_OF_STEP = 8, 32  # four numbers of 8 bytes while rows are drawn


@set_aside()
def sensor_fusion(
    count: int = 2,
    targets: str = "xor",
    *,
    samples: int = SAMPLES,
    rows: int = 2_000,
    validation: int = 500,
    test: int = 1_000,
    seed: int = 0,
) -> Task:
    """The task of several sensors, each of which shows a bell or a funnel: do neighbours differ?

    The series are those of the data set "cylinder, bell, funnel" without the cylinders (Saito, PhD thesis, Yale, 1994): between two
    random times the signal rises from 0, or falls to 0; before and after it is noise alone.

    Parameters
    ----------
    count : int
        m, 2 to 8.
    targets : {"xor", "and", "alone"}
        ``"xor"``: whether sensors 1 and 2 differ, 2 and 3, ...; ``"and"``: whether both show a funnel; ``"alone"``: the kind of each.
    samples : {8, 16, 32, 64, 128}
        Inputs of a sensor, each the mean of 128 / samples steps.
    rows, validation, test : int
        Rows of ``x``, ``x_validation`` and ``x_test``, each at least 100.
    seed : int

    Returns
    -------
    Task
        ``x`` of shape (S, m * samples), sensor by sensor. ``labels_test`` has the kinds of the sensors, 1 for a funnel, shape (S, m).

    Raises
    ------
    ValueError
        When an argument is out of range, or the rows would take more than 4 GB to draw.

    Notes
    -----
    Each part is drawn by a generator of its own, every combination of kinds equally often, give or take one row. In the truth every
    sensor is a module, with an output of its own if it is asked for alone; each gate is a module that reads two of them.

    Examples
    --------
    >>> task = sensor_fusion(3, rows=100, validation=100, test=100)
    >>> task.x.shape, task.input_names[16], task.output_names
    (torch.Size([100, 48]), '2: 0', ('1 xor 2', '2 xor 3'))
    >>> sorted(task.truth(hidden_layers=2).edges)
    [(0, 3), (1, 3), (1, 4), (2, 4)]
    """
    targets, seed = check_targets(targets), check_seed(seed)
    _check(count, samples, (rows, validation, test))
    names = [str(sensor + 1) for sensor in range(count)]
    generators = [np.random.default_rng([seed, part]) for part in range(3)]
    parts = [_rows(size, count, samples, targets, each) for size, each in zip((rows, validation, test), generators, strict=True)]
    (x, y, _), (x_validation, y_validation, _), (x_test, y_test, labels) = parts
    inputs = [tuple(range(i * samples, (i + 1) * samples)) for i in range(count)]
    functions = [f"is {name} a funnel" for name in names]
    of_samples = "" if samples == SAMPLES else f",samples={samples}"
    return Task(
        x, y, "bce", x_validation, y_validation, name=f"sensor-fusion:count={count},targets={targets}{of_samples}",
        input_names=tuple(f"{name}: {step}" for name in names for step in range(samples)), output_names=fused_names(names, targets),
        standardised=True, x_test=x_test, y_test=y_test, labels_test=labels, structure=fused_structure(inputs, functions, targets),
        **SAMPLED,
    )  # fmt: skip


def bells_and_funnels(funnels: Bits, samples: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Series of shape (S, samples): a funnel where ``funnels``, of shape (S,), is true, and a bell elsewhere.

    With a drawn from 16 ... 32, b - a from 32 ... 96, eta and noise from a standard normal distribution, a bell is
    (6 + eta) (t - a) / (b - a) + noise(t) for a <= t <= b, a funnel (6 + eta) (b - t) / (b - a) + noise(t), and both are noise elsewhere.

    Examples
    --------
    >>> bells_and_funnels(np.array([True, False]), 16, np.random.default_rng(0)).shape
    (2, 16)
    """
    rows, t = len(funnels), np.arange(STEPS)
    a = generator.integers(16, 33, rows)[:, None]
    b = a + generator.integers(32, 97, rows)[:, None]
    slope = np.where(funnels[:, None], b - t, t - a) / (b - a) * ((a <= t) & (t <= b))
    series = (6 + generator.normal(size=rows))[:, None] * slope + generator.normal(size=(rows, STEPS))
    means: NDArray[np.float32] = series.reshape(rows, samples, -1).mean(axis=2).astype(np.float32)
    return means


def _rows(
    rows: int, count: int, samples: int, targets: str, generator: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs, targets and kinds."""
    bits = balanced_bits(rows, count, generator)
    x = np.concatenate([bells_and_funnels(kinds, samples, generator) for kinds in bits.T], axis=1)
    return torch.from_numpy(x), torch.from_numpy(fused(bits, targets).astype(np.float32)), torch.from_numpy(bits.astype(np.int64))


def _check(count: Any, samples: Any, rows: tuple[Any, Any, Any]) -> None:
    check_counts(count=count, samples=samples)
    if not 2 <= count <= MOST_SENSORS:
        raise ValueError(f"count must be 2 to {MOST_SENSORS} sensors; got {shown(count)}")
    if samples not in MEANS:
        raise ValueError(f"samples must be one of {', '.join(map(str, MEANS))}, which divide {STEPS} steps; got {shown(samples)}")
    check_rows(rows, count * STEPS * BYTES_OF_STEP)
