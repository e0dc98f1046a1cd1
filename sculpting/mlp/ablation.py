"""Ablation: the loss when one hidden unit, or one edge, is removed.

N = members, H = hidden units of one member, E = its weights, S = rows, n_l = width of layer l, J = units or edges that are removed one at
a time, side by side, k = outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..data import Data
from ..models.shape import Shape
from .batched_mlp import BatchedMLP
from .memory_layout import buffer
from .population import Population

__all__ = ["edge_ablation", "unit_ablation"]

BLOCK = 1 << 22  # floats at once; more did not fit the cache and took longer
WEAKEST = 64  # edges of a member that are removed to measure the loss: those of least magnitude


def unit_ablation(population: Population, data: Data, key: Tensor | None = None) -> Tensor:
    """Absolute change of the mean validation loss when one hidden unit is removed: float64 ``(N, H)``, 0 for pruned units.

    A score function as in ``scores.py``; the key is not used.
    """
    rows = data.x_validation.shape[1] * _floats(population.shape)
    parts = torch.arange(len(population)).split(max(1, BLOCK // rows))
    return torch.cat([_ablation(population.select(part), data, max(1, BLOCK // (rows * len(part)))) for part in parts])


def _floats(shape: Shape) -> int:
    """Floats that one row needs for one removed unit, roughly: sums and activations of the layers above, and the loss in float64."""
    return 2 * sum(shape.widths[2:]) + 8 * shape.widths[-1]


def _ablation(population: Population, data: Data, block: int) -> Tensor:
    """Unit ablation scores, ``block`` units at a time."""
    networks = BatchedMLP(population.shape, population.values)
    sums, _, hidden = networks.forward(data.x_validation)
    whole = _mean_loss(networks.outputs(sums[-1]).double(), data, 1)
    scores = []
    for layer, (h, out) in enumerate(zip(hidden, population.weights[1:], strict=True), start=1):
        above = _above(population, layer)
        for units, columns in zip(h.split(block, dim=1), out.split(block, dim=2), strict=True):
            z = _outputs(networks, above, layer, sums[layer], columns, -units)
            change = _mean_loss(z.double(), data, units.shape[1]) - whole
            # Products over more rows round differently, so units that change nothing are set to 0 explicitly.
            scores.append(change.abs() * ((units != 0).any(dim=2) & (columns != 0).any(dim=1)))
    return torch.cat(scores, dim=1)


def edge_ablation(population: Population, data: Data, key: Tensor | None = None) -> Tensor:
    """The mean validation loss when one edge is removed: ``(N, E)``; the lowest is pruned first.

    Exact for the 64 live edges of least magnitude of each member. All others rank after these, by magnitude. Pruned edges score 0.
    A score function as in ``scores.py``; the key is not used.

    Notes
    -----
    LeCun, Denker and Solla, "Optimal brain damage" (NeurIPS 1989), approximate this loss to second order. The
    exact loss is worth its cost here: testing whether an edge can go takes a round of training, which is thousands of passes over a row.
    """
    rows = data.x_validation.shape[1] * _floats(population.shape)
    parts = torch.arange(len(population)).split(max(1, 4 * BLOCK // (rows * WEAKEST)))  # the 64 edges are spread over layers
    return torch.cat([_edge_ablation(population.select(part), data, max(1, BLOCK // (rows * len(part)))) for part in parts])


def _edge_ablation(population: Population, data: Data, block: int) -> Tensor:
    """Edge ablation scores, ``block`` edges at a time."""
    networks = BatchedMLP(population.shape, population.values)
    sums, read, hidden = networks.forward(data.x_validation)
    size = torch.cat([weight.flatten(1) for weight in population.weights], dim=1).abs()
    alive = size > 0
    ranks = size.masked_fill(~alive, torch.inf)
    weak = alive & (ranks <= ranks.kthvalue(min(WEAKEST, size.shape[1]), dim=1, keepdim=True).values)
    scores, first = size.clone(), 0
    for layer, weight in enumerate(population.weights):
        here = slice(first, first + weight[0].numel())
        first = here.stop
        tried = weak[:, here]
        count = int(tried.sum(dim=1).max())
        if not count:
            continue
        for places in tried.int().argsort(dim=1, descending=True, stable=True)[:, :count].split(block, dim=1):
            losses = _losses_without(population, networks, data, layer, places, (sums, read, hidden))
            scores[:, here].scatter_(1, places, losses)
    offset = torch.where(weak, scores, 0.0).amax(dim=1, keepdim=True)
    return torch.where(weak, scores, size + offset).masked_fill_(~alive, 0.0)


def _losses_without(
    population: Population,
    networks: BatchedMLP,
    data: Data,
    layer: int,
    places: Tensor,
    known: tuple[list[Tensor], list[Tensor], list[Tensor]],
) -> Tensor:
    """The mean loss ``(N, J)`` when one weight of a layer is removed, for each of the weights at ``places (N, J)``."""
    sums, read, hidden = known
    weight, rows = population.weights[layer], sums[0].shape[2]

    def of(units: Tensor, values: Tensor) -> Tensor:
        """The values ``(N, J, S)`` of ``units (N, J)``, from those of all units: ``(N, n, S)``, or ``(n, S)`` where members share them."""
        return values[units] if values.ndim == 2 else values.gather(1, units.unsqueeze(2).expand(-1, -1, rows))

    into, out = places % weight.shape[2], places // weight.shape[2]
    z = torch.addcmul(of(out, sums[layer]), weight.flatten(1).gather(1, places).unsqueeze(2), of(into, read[layer]), value=-1)
    if layer + 1 == len(sums):
        others = sums[layer].unsqueeze(2).expand(-1, -1, places.shape[1], -1)
        z = others.scatter(1, out[:, None, :, None].expand(-1, 1, -1, rows), z.unsqueeze(1))
        return _mean_loss(networks.outputs(z.flatten(2)), data, places.shape[1])
    gained = networks.activations[layer].apply(z, torch.empty_like(z)).sub_(of(out, hidden[layer]))
    above = population.weights[layer + 1]
    columns = above.gather(2, out.unsqueeze(1).expand(-1, above.shape[1], -1))
    return _mean_loss(_outputs(networks, _above(population, layer + 1), layer + 1, sums[layer + 1], columns, gained), data, places.shape[1])


def _outputs(networks: BatchedMLP, above: BatchedMLP | None, layer: int, sums: Tensor, columns: Tensor, gained: Tensor) -> Tensor:
    """Network outputs ``(N, k, J S)`` when one unit at a time changes by ``gained (N, J, S)``.

    ``columns (N, n, J)`` are the weights by which ``layer`` reads these units. ``sums`` are the sums of the layer before the change.
    """
    z = torch.addcmul(sums.unsqueeze(2), columns.unsqueeze(3), gained.unsqueeze(1)).flatten(2)  # side by side, as further rows
    if above is not None:
        read = buffer((len(z), z.shape[1] + 1, z.shape[2]), z)
        networks.activations[layer].apply(z, read[:, :-1])
        z = above.forward(read)[0][-1]
    return networks.outputs(z)


def _above(population: Population, layer: int) -> BatchedMLP | None:
    """The networks from a layer upward, as networks of their own; None above the last layer."""
    shape = population.shape
    if layer + 2 == len(shape.widths):
        return None
    start = shape.starts[layer + 1]
    return BatchedMLP(Shape(shape.widths[layer + 1 :], shape.activations[layer + 1 :]), population.values[:, start:])


def _mean_loss(z: Tensor, data: Data, taken: int) -> Tensor:
    """Mean loss ``(N, J)`` of outputs ``(N, k, J S)``."""
    rows = z.unflatten(2, (taken, -1)).transpose(1, 2).flatten(0, 1)
    return data.loss.mean(rows, data.y_validation).view(len(z), taken)
