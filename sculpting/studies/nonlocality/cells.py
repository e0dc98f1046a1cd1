"""The study of nonlocality on compositional multitask sparse parity: does pruning for one skill take another away?

N = members, H = hidden units of one member.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from ...mlp.ablation import unit_ablation
from ...mlp.batched_mlp import Score
from ...mlp.population import Population, Shape
from ...mlp.training import Data, Round, train
from ...models.network import SparseNetwork, network_of
from ...narrow.groups import read_finite, without_groups
from ...narrow.lasso import Lasso
from ...narrow.learning import evaluate_in_parts, learn
from ...narrow.prune import lowest
from ...options import check_counts
from ...randomness import fold, keys
from ...store import Row, write_rows
from ...study import Progress, run_study, workers
from ...tasks.cmsp import cmsp
from ..common.agreement import LISTS, agreement_of, attributions_of, rounded
from ..common.sampled import network_path
from ..curriculum.cells import EPSILON, LEARNING_RATE, two_classes

__all__ = ["NETWORKS", "SIZES", "Size", "kept_network", "nonlocality_cell", "nonlocality_study"]

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


def nonlocality_study(
    folder: str | Path,
    *,
    size: str = "reduced",
    widths: Sequence[int] | None = None,
    seeds: int = SEEDS,
    lasso: bool = True,
    jobs: int = 1,
    progress: Progress = True,
) -> list[Row]:
    """The rows of the study of nonlocality; it goes on where a run with the same folder was stopped.

    Networks of two hidden layers learn parities and two sums of them, A and B. Units are pruned by what their ablation does to A, at many
    sparsities; then A is trained again (*recovered*), or B is (*revived*). The same after a group lasso while only A is trained.

    Parameters
    ----------
    folder : str or Path
        Where cells are kept, and where ``rows.csv``, ``rows.json``, ``summary.md`` and the figures ``accuracy``, ``attribution``,
        ``scores`` and ``networks`` are written; and ``networks/`` with all networks before they are pruned.
    size : {"reduced", "full"}
        Four parities of 3 bits, 64 units in a layer, 7 sparsities; or as published, six parities of 3 bits, 64, 128 and 256 units, 98
        sparsities.
    widths : sequence of int, optional
        Only these of the size.
    seeds : int
        From 0 on; five were published.
    lasso : bool
        Whether there is a group lasso at all, or only the networks as they were trained; a later call adds the others.
    jobs : int
        Processes, each on one thread. A script that asks for several needs ``if __name__ == "__main__":``.
    progress : bool or callable
        A bar by cell with the time left, nothing, or ``progress(cells done, cells in all)``.

    Returns
    -------
    list of dict
        Of all cells that the folder has, those that earlier calls asked for last.
        A row for each width, seed, network and sparsity: ``width``, ``seed``, ``network`` (``plain``, or after a group lasso of that step),
        ``loss`` (of all codes in nats, once trained), ``sparsity`` (fraction of hidden units removed), ``units`` (those left that are not
        zero), and accuracies in [0, 1] on rows that decide nothing: ``a_pruned``, ``b_pruned``, ``a_recovered``, ``b_revived``; of the
        network before any is removed how ``first_order`` and ``activation_gradient`` attribution of A agree with ablation over all
        hidden units, ``first_order_pearson`` and so on (see ``ScoreCorrelation``; None where it is not defined); ``seconds`` (the
        cell's, shared equally by its rows).

    Raises
    ------
    ValueError
        When the size or a width is not known, ``seeds`` or ``jobs`` is below 1, or the folder holds something else or a study with other
        settings.
    RuntimeError
        Once all other cells are done, when some failed.

    Notes
    -----
    Published: Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025; the subgradient of strength 1e-3 is
    theirs. The reduced size has their 10,000 steps of it too: after 3,000, B came back to 0.79 in one network of five.
    """
    from .report import write_nonlocality_report

    if size not in SIZES:
        raise ValueError(f"size must be one of {list(SIZES)}; got {size!r}")
    known = SIZES[size].widths
    if widths is not None and not (widths and set(widths) <= set(known)):
        raise ValueError(f"widths must be some of {', '.join(map(str, known))}; got {', '.join(map(str, widths)) or 'none'}")
    check_counts(seeds=seeds)
    cells = {
        f"width{width}_seed{seed}_{network}": {"width": width, "seed": seed, "network": network, "size": size}
        for network in (NETWORKS if lasso else ["plain"])
        for width in widths or known
        for seed in range(seeds)
    }
    networks = {f"network.{name}": penalty and asdict(penalty) for name, penalty in NETWORKS.items()}
    settings = {
        **asdict(SIZES[size]), **networks, "learning_rate": LEARNING_RATE, "epsilon": EPSILON, "scored": SCORED, "judged": JUDGED,
    }  # fmt: skip
    with workers(jobs) as executor:
        work = partial(nonlocality_cell, folder=folder)
        found = run_study(cells, work, folder, settings=settings, executor=executor, progress=progress, others=True)
    rows = [{name: value for name, value in row.items() if name not in LISTS} for row in found]
    for name in ("rows.csv", "rows.json"):
        write_rows(rows, Path(folder) / name)
    write_nonlocality_report(found, Path(folder), size)
    return rows


def kept_network(folder: str | Path, width: int, seed: int, network: str) -> Path:
    """Where a network is kept, not yet pruned."""
    return network_path(folder, f"width{width}_seed{seed}_{network}")


def nonlocality_cell(width: int, seed: int, network: str, size: str, *, folder: str | Path) -> list[Row]:
    """The rows of a network, which is kept before it is pruned; what all of a width and seed start from is trained by the first of them.

    The first row of the first seed has what each hidden unit scores: ``scores`` by ablation, for each code; ``attributions`` those of A,
    by each kind of attribution.
    """
    start, known = time.perf_counter(), SIZES[size]
    key, path = keys([("nonlocality", width, seed)]), kept_network(folder, width, seed, "plain")
    if path.exists():
        chain = read_finite(SparseNetwork.load(path))
        population = Population.of(chain.shape, chain.values.unsqueeze(0))
    else:
        population = _trained(known, width, key)
        _keep(population, path)
    loss = float(evaluate_in_parts(population, known.data(*known.codes)).loss)
    lasso = NETWORKS[network]
    if lasso is not None:
        population = _regularised(known, population, lasso, key)
        _keep(population, kept_network(folder, width, seed, network))
    rows = _rows(known, population, key, listed=seed == 0)
    seconds = round((time.perf_counter() - start) / len(rows), 3)
    return [{"width": width, "seed": seed, "loss": loss, "network": network, **row, "seconds": seconds} for row in rows]


def _keep(population: Population, path: Path) -> None:
    """Save the one network that there is."""
    network_of(population, 0, head="softmax").save(path)


def _trained(size: Size, width: int, key: Tensor) -> Population:
    """A network that has learnt all codes."""
    data = size.data(*size.codes)
    shape = Shape((len(data.x) - 1, width, width, 2), ("relu", "relu", "identity"))
    settings = Round(
        size.steps, size.rows * len(size.codes), LEARNING_RATE, final_rate=1.0, weight_decay=0.0, epsilon=EPSILON, check_every=CHECK_EVERY,
        keep_last=True,
    )  # fmt: skip

    def watch(members: Tensor, part: Population, score: Score, steps: int) -> bool:
        return bool((score.loss < size.until).all())

    return train(Population.uniform(shape, fold(key, 0)), data, settings, fold(key, 1), watch=watch)[0]


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
