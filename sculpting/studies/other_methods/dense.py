"""The dense networks of a task, from which every method starts, and what a method finds in one of them.

N = seeds, P = parameters of one network.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import torch

from ...engines import setup_of
from ...mlp.engine import MLPEngine
from ...mlp.population import Population
from ...models.network import SparseNetwork
from ...schedule.acceptance import AcceptanceCriterion
from ...schedule.chains import ChainName
from ...schedule.dense import dense_networks
from ...schedule.pruning_schedule import DENSE_ROUNDS, DENSE_ROUNDS_UNKNOWN
from ...schedule.rounds import Rounds
from ...tasks import Task
from ..common.settings import SEEDS

__all__ = ["Case", "Dense", "Found", "dense_of"]


@dataclass(frozen=True, eq=False)
class Dense:
    """The trained dense networks of some seeds.

    Attributes
    ----------
    engine : MLPEngine
        The rows and the settings of a round.
    members : Population
    rates : Tensor of shape (N,), float64
        The learning rate at which each has learnt: a fraction of the usual one after a second start.
    networks : sequence of SparseNetwork
        The same networks, one by one.
    seconds : float
        For one network.
    """

    engine: MLPEngine
    members: Population
    rates: torch.Tensor
    networks: Sequence[SparseNetwork]
    seconds: float


@dataclass(frozen=True, eq=False)
class Case:
    """What the methods get of a task.

    Attributes
    ----------
    task : Task
    truth : networkx.DiGraph
        Only probes read it, and of it only the values of the gates.
    dense : Dense
    edges : sequence of int
        For each seed the edges of the network that the pipeline of this library gives.
    detection : mapping
        Options of ``detect_modules`` for networks that were pruned.
    """

    task: Task
    truth: nx.DiGraph
    dense: Dense
    edges: Sequence[int]
    detection: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Found:
    """What a method gives for one seed: the modules, the network that computes the task, and its own seconds, without dense training."""

    hierarchy: Any
    network: SparseNetwork
    seconds: float


def dense_of(task: Task, width: int, depth: int, seeds: int = SEEDS) -> Dense:
    """The dense networks of a task: those of ``sculpt`` for the same model and seeds, trained by the same rounds.

    Parameters
    ----------
    task : Task
        A complete table, or one without a paired test.
    width, depth : int
        Units of a hidden layer, and hidden layers.
    seeds : int
    """
    start, cpu, training, schedule = time.perf_counter(), torch.device("cpu"), task.training, task.schedule
    setup, rows = setup_of(task.model(width, depth)).task(task)
    setup, rows = setup.fitted(rows, (), False)
    members: Any = setup.dense(range(seeds), 1, "fresh", False, cpu)
    engine: Any = setup.engine(rows, training, schedule, cpu, None)
    rate = training.learning_rates[0]
    rates = torch.tensor([rate, rate * (schedule.restart_rate or 1.0)], dtype=torch.float64)
    criterion = AcceptanceCriterion(1.0) if task.complete else AcceptanceCriterion()
    rounds: Rounds[Population] = Rounds(engine, criterion, rates, noisy=bool(training.input_noise or training.hidden_noise))
    most, names = DENSE_ROUNDS if task.complete else DENSE_ROUNDS_UNKNOWN, [ChainName(seed) for seed in range(seeds)]
    with torch.inference_mode():
        state = dense_networks(rounds, members, names, most, trained=False, restart=task.complete and schedule.restart_rate is not None)
        networks = engine.export(state.members, [{"origin": {"seed": name.seed}} for name in state.names])
    own = torch.stack([rates[name.rate] for name in state.names])
    return Dense(engine, state.members, own, networks, (time.perf_counter() - start) / seeds)
