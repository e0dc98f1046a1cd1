"""Whether what is left of a language model falls into modules: heads and neurons, joined by how strongly one writes what another reads.

N = nodes, D = residual dimensions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from typing import Any

import igraph
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from ...narrow.language import GroupLayer, language_groups, mean_loss
from ...narrow.language.groups.slices import all_alive, parameters_of, view_of, without
from ...store import Row
from .rows import row

__all__ = ["composition", "module_rows"]

NULLS = 20  # graphs with the same degrees and weights
STRONGEST = 0.05  # of all pairs: the edges that are kept


def module_rows(scale: str, models: Sequence[Any], keep: Tensor, forget: Tensor) -> list[Row]:
    """A row for each model: its modules, their modularity and that of the null, and the agreement with the other models; and a row for each
    of the three largest modules of the first: the loss on both domains without it."""
    graphs = [_graph(composition(model)) for model in models]
    labels = [_leiden(each) for each in graphs]
    pairs = {(a, b): float(adjusted_rand_score(labels[a], labels[b])) for a, b in combinations(range(len(models)), 2)}
    rows = []
    for seed, (graph, found) in enumerate(zip(graphs, labels, strict=True)):
        nulls = [_modularity(other, _leiden(other)) for other in (_rewired(graph, k) for k in range(NULLS))]
        agreed = float(np.mean([value for pair, value in pairs.items() if seed in pair]))
        rows.append(
            row(
                scale,
                "modules",
                phase="model",
                seed=seed,
                sparsity=0.8,
                count=len(found),
                modules=int(found.max()) + 1,
                modularity=_modularity(graph, found),
                null=float(np.mean(nulls)),
                null_max=float(np.max(nulls)),
                stability=agreed,
                keep=mean_loss(models[seed], keep),
                forget=mean_loss(models[seed], forget),
            )
        )
    return rows + _lesions(scale, models[0], labels[0], keep, forget)


def _lesions(scale: str, model: Any, labels: NDArray[np.int64], keep: Tensor, forget: Tensor) -> list[Row]:
    layers = _layers(model)
    sizes = [layer.size for layer in layers]
    rows = []
    for module in np.argsort(-np.bincount(labels), kind="stable")[:3].tolist():
        alive = all_alive(layers)
        for mask, inside in zip(alive, np.split(labels == module, np.cumsum(sizes)[:-1]), strict=True):
            mask[torch.from_numpy(inside)] = False
        with without(model, layers, alive):
            losses = {"keep": mean_loss(model, keep), "forget": mean_loss(model, forget)}
        rows.append(row(scale, "modules", phase=f"without module {module}", seed=0, count=int((labels == module).sum()), **losses))
    return rows


def _layers(model: Any) -> list[GroupLayer]:
    groups = language_groups(model)
    return [*groups.of("heads"), *groups.of("neurons")]


@torch.no_grad()
def composition(model: Any) -> NDArray[np.float64]:
    """How strongly each head or neuron reads what each earlier one writes: ``(N, N)``, from row to column; heads first.

    The Frobenius norm of (what the later one reads) times (what the earlier one writes), gains of the norms included, divided by the norms
    of both: 1 where they agree fully. Attention and the norms themselves are left out, so that it is a first look at the weights alone.
    """
    layers = _layers(model)
    known = parameters_of(model)
    order = [(layer.name.split(".")[2], layer.kind != "heads") for layer in layers]
    reads, writes, when = [], [], []
    for layer, (depth, mlp) in zip(layers, order, strict=True):
        for group in range(layer.size):
            reads.append(_matrix(known, layer, group, reads=False))  # the parameters that write a group read the stream
            writes.append(_matrix(known, layer, group, reads=True))
            when.append((int(depth), mlp))
    reading, read_owner = _stacked(reads)
    writing, write_owner = _stacked(writes)
    products = (reading @ writing.T).square().double()
    sums = torch.zeros(len(reads), len(writes), dtype=torch.float64)
    rows = torch.zeros(len(reads), products.shape[1], dtype=torch.float64).index_add_(0, read_owner, products)
    sums.index_add_(1, write_owner, rows)
    found = sums.sqrt().T.numpy()
    earlier = np.array([[a < b for b in when] for a in when])
    return np.asarray(found * earlier)


def _matrix(known: dict[str, Tensor], layer: GroupLayer, group: int, *, reads: bool) -> Tensor:
    """What a group reads from the stream or writes to it, as rows of length D, of norm 1 together."""
    parts = [
        view_of(known[s.parameter], s, layer.size)[group].flatten(0, -2)
        for s in layer.slices
        if s.reads is reads and s.kind == "dense"
    ]  # fmt: skip
    whole = torch.cat(parts)
    return whole / whole.norm().clamp(min=1e-12)


def _stacked(matrices: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    owners = torch.repeat_interleave(torch.arange(len(matrices)), torch.tensor([len(each) for each in matrices]))
    return torch.cat(list(matrices)), owners


def _graph(weights: NDArray[np.float64]) -> igraph.Graph:
    """The strongest edges, without directions."""
    rows, columns = np.nonzero(weights)
    values = weights[rows, columns]
    strong = values >= np.quantile(values, 1 - STRONGEST)
    edges = list(zip(rows[strong].tolist(), columns[strong].tolist(), strict=True))
    return igraph.Graph(n=len(weights), edges=edges, edge_attrs={"weight": values[strong].tolist()})


def _leiden(graph: igraph.Graph) -> NDArray[np.int64]:
    with _seeded(0):
        found = graph.community_leiden(objective_function="modularity", weights="weight", n_iterations=-1)
    return np.array(found.membership)


def _modularity(graph: igraph.Graph, labels: NDArray[np.int64]) -> float:
    return float(graph.modularity(labels.tolist(), weights="weight"))


def _rewired(graph: igraph.Graph, seed: int) -> igraph.Graph:
    """A graph in which every node has as many edges, with the same weights in another order."""
    other = graph.copy()
    with _seeded(seed):
        other.rewire(10 * other.ecount())
    other.es["weight"] = np.random.default_rng(seed).permutation(graph.es["weight"]).tolist()
    return other


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """A generator of its own for igraph inside."""
    igraph.set_random_number_generator(random.Random(seed))
    try:
        yield
    finally:
        igraph.set_random_number_generator(random)
