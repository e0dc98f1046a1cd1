"""The cells of the study of curricula on compositional multitask sparse parity."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ...data import Data
from ...engine import Evaluation
from ...mlp.batched_mlp import BatchedMLP
from ...mlp.population import Population
from ...mlp.training import Hooks, train
from ...models.shape import Shape
from ...randomness import fold, keys
from ...settings import RoundSettings
from ...store import Row
from ...tasks.parities import by_code, cmsp, codes_of
from ...tasks.task import Task
from ..common.parity_classes import EPSILON, LEARNING_RATE, two_classes

__all__ = ["PROTOCOLS", "UNDER", "Arm", "Protocol", "cells_of", "curriculum_cell", "settings_of"]

UNDER = 0.1  # bits of loss, below which a code counts as learnt, as published
TOGETHER = 5  # seeds of a cell
CHECK_ROWS = 1_000  # of each code, the same for all networks
CHECK_EVERY = 50  # steps
THINNED = 1.05  # samples of a point of a kept curve, of those of the point before

Curve = dict[int, list[float]]  # loss in bits of each code, by the samples behind it


@dataclass(frozen=True)
class Arm:
    """Networks that are alike but for their seeds: what they are taught, their size, and the most samples that they get."""

    broad: bool
    hidden_layers: int
    width: int
    batch_size: int
    samples: int

    @property
    def steps(self) -> int:
        """Batches that hold the samples."""
        return -(-self.samples // self.batch_size)


@dataclass(frozen=True)
class Protocol:
    """A task of ``m`` parities of ``k`` bits among ``n``, with their sum, and the arms that learn it."""

    m: int
    k: int
    n: int
    seeds: int
    arms: Mapping[str, Arm]

    def task(self, arm: str) -> Task:
        """What an arm learns: each parity and the sum of all, in equal parts; or the sum alone."""
        composite = tuple(range(self.m))
        codes = [*((i,) for i in composite), composite] if self.arms[arm].broad else [composite]
        return two_classes(cmsp(self.m, self.k, self.n, codes, rows=CHECK_ROWS * len(codes)))

    @cached_property
    def cells(self) -> dict[str, tuple[str, int, int]]:
        """For each cell its arm, and the first and the last of its seeds."""
        parts = [(first, min(first + TOGETHER, self.seeds) - 1) for first in range(0, self.seeds, TOGETHER)]
        return {f"{arm}_seeds{first}-{last}": (arm, first, last) for arm in self.arms for first, last in parts}


PROTOCOLS = {
    "reduced": Protocol(
        3, 3, 40, 20,
        {
            "broad": Arm(True, 2, 128, 2_000, 8_000_000),
            "narrow": Arm(False, 2, 128, 2_000, 14_000_000),
            "shallow": Arm(True, 1, 128, 2_000, 16_000_000),
        },
    ),
    "full": Protocol(
        4, 4, 64, 40,
        {
            "broad": Arm(True, 2, 128, 10_000, 2_000_000_000),
            "narrow": Arm(False, 2, 128, 2_000, 2_000_000_000),
            "shallow": Arm(True, 1, 128, 10_000, 2_000_000_000),
            "shallow-wide": Arm(True, 1, 361, 10_000, 2_000_000_000),
        },
    ),
}  # fmt: skip


def cells_of(protocol: str) -> dict[str, dict[str, Any]]:
    """The arguments of the cells of a protocol, by their names."""
    return {
        name: {"arm": arm, "first": first, "last": last, "protocol": protocol}
        for name, (arm, first, last) in PROTOCOLS[protocol].cells.items()
    }


def settings_of(protocol: str) -> dict[str, Any]:
    """What all rows of a protocol depend on."""
    return {
        **asdict(PROTOCOLS[protocol]), "under": UNDER, "check_rows": CHECK_ROWS, "check_every": CHECK_EVERY,
        "learning_rate": LEARNING_RATE, "epsilon": EPSILON,
    }  # fmt: skip


def curriculum_cell(arm: str, first: int, last: int, protocol: str) -> list[Row]:
    """The rows of some seeds of an arm, with their thinned ``curve``: pairs of samples and bits."""
    start = time.perf_counter()
    seeds, chosen = range(first, last + 1), PROTOCOLS[protocol]
    task, known = chosen.task(arm), chosen.arms[arm]
    codes, _ = codes_of(task.x_validation, chosen.m)
    curves, fresh_losses = _curves(task, chosen.m, known, seeds)
    facts = {"arm": arm, "hidden_layers": known.hidden_layers, "width": known.width}
    rows = [
        {
            **facts, "seed": seed, "code": "+".join(map(str, code)),
            "samples_fresh": _first_under({step * known.batch_size: bits[place] for step, bits in enumerate(fresh)}),
            **_columns({at: bits[place] for at, bits in curve.items()}),
        }
        for seed, curve, fresh in zip(seeds, curves, fresh_losses, strict=True)
        for place, code in enumerate(codes)
    ]  # fmt: skip
    seconds = round((time.perf_counter() - start) / len(rows), 3)
    return [{**row, "seconds": seconds} for row in rows]


def _curves(task: Task, m: int, arm: Arm, seeds: range) -> tuple[list[Curve], list[list[list[float]]]]:
    """The loss in bits of every code of every seed, smaller codes first: at every evaluation, until all have learnt the largest; and of
    every batch, before it is learnt from.
    """
    data, (codes, code) = Data.of(task), codes_of(task.x_validation, m)
    of_batch, losses_of_batches = torch.arange(arm.batch_size) % len(codes), []
    shape = Shape((task.x.shape[1], *[arm.width] * arm.hidden_layers, 2), (*["relu"] * arm.hidden_layers, "identity"))
    key = keys([("curriculum", seed) for seed in seeds])
    curves: list[Curve] = [{} for _ in seeds]

    def watch(members: Tensor, part: Population, score: Evaluation, steps: int) -> bool:
        bits = _bits(BatchedMLP(part.shape, part.values).forward(data.x_validation)[0][-1], data.y_validation, code)
        for member, losses in zip(members.tolist(), bits.tolist(), strict=True):
            curves[member][steps * arm.batch_size] = losses
        return bool((bits[:, -1] < UNDER).all())

    def slope(z: Tensor, y: Tensor) -> Tensor:
        losses_of_batches.append(_bits(z, y, of_batch))
        return data.loss.slope(z, y)

    settings = RoundSettings(
        arm.steps, arm.batch_size, LEARNING_RATE, final_rate=1.0, weight_decay=0.0, epsilon=EPSILON, check_every=CHECK_EVERY, keep_last=True
    )
    listening = replace(data, loss=replace(data.loss, slope=slope))
    with torch.no_grad():
        train(Population.uniform(shape, fold(key, 0)), listening, settings, fold(key, 1), max_members=len(seeds), hooks=Hooks(watch=watch))
    return curves, torch.stack(losses_of_batches, dim=1).tolist()


def _bits(z: Tensor, y: Tensor, code: Tensor) -> Tensor:
    """The loss of every code ``(N, C)``, in bits, of the sums of two classes ``z (N, 2, S)``."""
    return by_code(z[:, 1:] - z[:, :1], y[..., 1:, :], code)[0]


def _columns(curve: Mapping[int, float]) -> Row:
    """What a row says of one code on the validation rows."""
    *_, (samples, bits) = curve.items()
    return {"samples_under": _first_under(curve), "bits": bits, "samples": samples, "curve": _thinned(curve)}


def _first_under(losses: Mapping[int, float]) -> int | None:
    """The samples behind the first loss under 0.1 bit."""
    return next((at for at, bits in losses.items() if bits < UNDER), None)


def _thinned(curve: Mapping[int, float]) -> list[list[float]]:
    """The first point, each that has enough more samples than the one kept before, and the last."""
    kept: list[list[float]] = []
    last = max(curve)
    for samples, bits in curve.items():
        if not kept or samples == last or samples >= THINNED * kept[-1][0]:
            kept.append([samples, round(bits, 5)])
    return kept
