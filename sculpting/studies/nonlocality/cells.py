"""The cells of the study of nonlocality on compositional multitask sparse parity.

N = members, H = hidden units of one member.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ...data import Data
from ...engine import Evaluation
from ...mlp.ablation import unit_ablation
from ...mlp.export import network_of
from ...mlp.population import Population
from ...mlp.training import Hooks, train
from ...models.shape import Shape
from ...narrow.groups import read_finite, without_groups
from ...narrow.lasso import Lasso
from ...narrow.learning import evaluate_in_parts, learn
from ...narrow.prune import lowest
from ...randomness import fold, keys
from ...settings import RoundSettings
from ...store import Row
from ...study import CellResult
from ...tasks.parities import cmsp
from ..common.agreement import LISTS, agreement_of, attributions_of, rounded
from ..common.networks import network_bytes, network_file, network_from
from ..common.parity_classes import EPSILON, LEARNING_RATE, two_classes

__all__ = ["NETWORKS", "SEEDS", "SIZES", "Size", "cell_name", "cells_of", "needs_of", "nonlocality_cell", "settings_of"]

SEEDS = 5
# What is pruned: the network as it was trained, and after a group lasso on A, as published and with a proximal step.
NETWORKS: dict[str, Lasso | None] = {"plain": None, "subgradient": Lasso(1e-3, "subgradient"), "proximal": Lasso(2.0)}
SCORED, JUDGED = 2_000, 5_000  # rows of each code
CHECK_EVERY = 50  # steps


@dataclass(frozen=True)
class Size:
    """A task of ``m`` parities of ``k`` bits and of the sums of either half of them, A and B; and how long everything is trained.

    ``rows`` are those of each code in a batch of the first training, which ends after so many ``steps`` or when the mean loss of a
    network is under ``until``, in nats; ``lasso`` and ``recovery`` are steps and rows of a batch.
    """

    m: int
    k: int
    widths: tuple[int, ...]
    rows: int
    steps: int
    until: float
    lasso: tuple[int, int]
    recovery: tuple[int, int]
    sparsities: tuple[float, ...]

    @property
    def codes(self) -> tuple[tuple[int, ...], ...]:
        """Each parity, A and B."""
        return (*((i,) for i in range(self.m)), tuple(range(self.m // 2)), tuple(range(self.m // 2, self.m)))

    def data(self, *codes: tuple[int, ...], rows: int = SCORED, seed: int = 0) -> Data:
        """Fresh rows of some codes in equal parts to train on, and so many fixed ones of each to score on."""
        return Data.of(two_classes(cmsp(self.m, self.k, codes=codes, rows=rows * len(codes), seed=seed)))


SIZES = {
    "reduced": Size(4, 3, (64,), 200, 8_000, 2e-3, (10_000, 500), (300, 1_000), (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)),
    "full": Size(
        6, 3, (64, 128, 256), 2_000, 20_000, 0.0, (10_000, 2_000), (1_000, 5_000), tuple(round(0.01 * i, 2) for i in range(1, 99))
    ),
}


def cell_name(width: int, seed: int, network: str) -> str:
    """The name of a cell, such as ``width64_seed0_plain``."""
    return f"width{width}_seed{seed}_{network}"


def cells_of(size: str, widths: Sequence[int], seeds: int, networks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The arguments of the cells, by their names."""
    return {
        cell_name(width, seed, network): {"width": width, "seed": seed, "network": network, "size": size}
        for network in networks
        for width in widths
        for seed in range(seeds)
    }


def needs_of(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """A group lasso begins with the plain network of the same width and seed."""
    return {name: [cell_name(cell["width"], cell["seed"], "plain")] for name, cell in cells.items() if cell["network"] != "plain"}


def settings_of(size: str) -> dict[str, Any]:
    """What all rows of a size depend on."""
    networks = {f"network.{name}": penalty and asdict(penalty) for name, penalty in NETWORKS.items()}
    return {
        **asdict(SIZES[size]), **networks, "learning_rate": LEARNING_RATE, "epsilon": EPSILON, "scored": SCORED, "judged": JUDGED,
    }  # fmt: skip


def nonlocality_cell(width: int, seed: int, network: str, size: str, *, files: Mapping[str, bytes] | None = None) -> CellResult:
    """The rows of a network, and the network before it is pruned; a group lasso begins with the plain one, which ``files`` has.

    The first row of the first seed has what each hidden unit scores: ``scores`` by ablation, for each code; ``attributions`` those of A,
    by each kind of attribution.
    """
    start, known = time.perf_counter(), SIZES[size]
    key, lasso = keys([("nonlocality", width, seed)]), NETWORKS[network]
    population = _trained(known, width, key) if lasso is None else _plain(files or {}, width, seed)
    loss = float(evaluate_in_parts(population, known.data(*known.codes)).loss)
    if lasso is not None:
        population = _regularised(known, population, lasso, key)
    made = {network_file(cell_name(width, seed, network)): network_bytes(network_of(population, 0, head="softmax"))}
    rows = _rows(known, population, key, listed=seed == 0)
    seconds = round((time.perf_counter() - start) / len(rows), 3)
    return CellResult([{"width": width, "seed": seed, "loss": loss, "network": network, **row, "seconds": seconds} for row in rows], made)


def _plain(files: Mapping[str, bytes], width: int, seed: int) -> Population:
    """The plain network of a width and seed, from its file."""
    chain = read_finite(network_from(files[network_file(cell_name(width, seed, "plain"))]))
    return Population.of(chain.shape, chain.values.unsqueeze(0))


def _trained(size: Size, width: int, key: Tensor) -> Population:
    """A network that has learnt all codes."""
    data = size.data(*size.codes)
    shape = Shape((len(data.x) - 1, width, width, 2), ("relu", "relu", "identity"))
    settings = RoundSettings(
        size.steps, size.rows * len(size.codes), LEARNING_RATE, final_rate=1.0, weight_decay=0.0, epsilon=EPSILON, check_every=CHECK_EVERY,
        keep_last=True,
    )  # fmt: skip

    def watch(members: Tensor, part: Population, score: Evaluation, steps: int) -> bool:
        return bool((score.loss < size.until).all())

    return train(Population.uniform(shape, fold(key, 0)), data, settings, fold(key, 1), hooks=Hooks(watch=watch))[0]


def _regularised(size: Size, population: Population, lasso: Lasso, key: Tensor) -> Population:
    """The network after a group lasso while A alone is trained."""
    steps, batch_size = size.lasso
    data = size.data(size.codes[-2])
    learnt = learn(
        population, data, fold(key, 2), steps=steps, batch_size=batch_size, learning_rate=LEARNING_RATE, check_every=steps, lasso=lasso
    )
    return learnt.population


def _rows(size: Size, population: Population, key: Tensor, listed: bool) -> list[Row]:
    """What a network keeps of A and B at every sparsity, all sparsities in one population, and what its units score."""
    codes = [size.data(code) for code in size.codes]
    scores = torch.cat([unit_ablation(population, data) for data in codes])
    attributions = attributions_of(population, codes[-2], key)
    lists = {"scores": [rounded(row) for row in scores], "attributions": {kind: rounded(row) for kind, row in attributions.items()}}
    copies = population.select([0] * len(size.sparsities))
    pruned = without_groups(copies, lowest(scores[-2:-1].expand(len(copies), -1), copies, list(size.sparsities)))
    units, accuracies, agreement = _live(pruned), _accuracies(size, pruned, codes[-2:], key), agreement_of(scores[-2], attributions)
    return [
        {
            "sparsity": sparsity,
            "units": units[place],
            **{column: accuracies[column][place] for column in ("a_pruned", "b_pruned", "a_recovered", "b_revived")},
            **agreement,
            **{name: lists[name] if listed and not place else None for name in LISTS},
        }
        for place, sparsity in enumerate(size.sparsities)
    ]


def _accuracies(size: Size, pruned: Population, sums: Sequence[Data], key: Tensor) -> dict[str, list[float]]:
    """Of A and B, whose data are given: as it is, and after training on that alone."""
    steps, batch_size = size.recovery
    columns: dict[str, list[float]] = {}
    for letter, word, code, data in zip("ab", ("recovered", "revived"), size.codes[-2:], sums, strict=True):
        judged = size.data(code, rows=JUDGED, seed=1)
        learnt = learn(
            pruned, data, fold(key, 3).expand(len(pruned), -1), steps=steps, batch_size=batch_size, learning_rate=LEARNING_RATE,
            check_every=steps,
        )  # fmt: skip
        for column, part in ((f"{letter}_pruned", pruned), (f"{letter}_{word}", learnt.population)):
            columns[column] = evaluate_in_parts(part, judged).accuracy.tolist()
    return columns


def _live(population: Population) -> list[int]:
    """Hidden units of each member that are read by something and not zero."""
    weights = population.weights
    read = [(into.abs().amax(dim=2) > 0) & (out.abs().amax(dim=1) > 0) for into, out in pairwise(weights)]
    counts: list[int] = torch.cat(read, dim=1).sum(dim=1).tolist()
    return counts
