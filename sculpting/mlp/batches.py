"""Shuffled batches with noise, drawn separately for every member.

N = members, S = rows of data, B = rows of a batch, n = inputs, k = outputs, H = hidden units, E = epochs drawn at once, c = n + 1 + k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor

from ..data import MANY_COLUMNS, with_rest
from ..randomness import fold, normals, normals_between, permutations
from .memory_layout import put_last

__all__ = ["batches", "fresh_batches", "hidden_noise"]

CHUNK_FLOATS = 300_000  # floats drawn at once: about a megabyte, which stays in the cache
LAYER_FLOATS = 50_000  # floats for a batch of one layer, from which on they are drawn batch by batch and layer by layer, without gaps


def batches(
    table: Tensor, targets: int, size: int, epochs: int, noise: float, key: Tensor, kept: Tensor | None, last: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches ``(N, n + 1, B)`` and ``(N, k, B)`` with fresh noise, epoch after epoch.

    ``table (c, S)`` comes from :func:`~sculpting.data.table_of`; its last ``targets`` rows are the targets. Of the inputs only those
    ``kept`` are drawn, all of them for None. ``last`` says whether members lie last in memory. Several epochs are drawn at once where
    they fit into ``CHUNK_FLOATS``; where not even one fits, batch by batch. The next draw may overwrite a batch.
    """
    members, (width, rows) = len(key), table.shape
    fed, columns = width - targets, width >= MANY_COLUMNS
    if columns:
        table = table.t()
    if kept is not None:
        table = table.index_select(int(columns), with_rest(kept, fed - 1, width))
        width = len(kept) + 1 + targets
    read = width - targets
    order_key, noise_key = fold(key, 0), fold(key, 1)
    space: dict[int, Tensor] = {}
    fits = CHUNK_FLOATS // (members * rows * width)
    for start in range(0, epochs, max(1, fits)):
        count = min(max(1, fits), epochs - start)
        order = permutations(order_key, rows, count, start)
        added = None
        if noise:
            added = normals(noise_key, (fed - 1) * rows, count, start, last).unflatten(2, (fed - 1, rows))
            added = added if kept is None else added[:, :, kept]
        for part, places in enumerate([order] if fits else order.split(size, dim=2)):
            drawn = _draw(table, columns, places, last, space)
            if added is not None:
                drawn[:, :, : read - 1].add_(added[..., part * size : part * size + places.shape[2]], alpha=noise)
            for epoch in drawn.unbind(1):
                yield from zip(epoch[:, :read].split(size, 2), epoch[:, read:].split(size, 2), strict=True)


def fresh_batches(
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]],
    size: int,
    steps: int,
    noise: float,
    key: Tensor,
    kept: Tensor | None,
    last: bool,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches like those of :func:`batches`, but of fresh rows, which ``sample(key, step, rows)`` draws for every step."""
    row_key, noise_key = fold(key, 0), fold(key, 1)
    for step in range(steps):
        x, y = sample(row_key, step, size)
        if noise:
            x = x + noise * normals(noise_key, x.shape[1] * size, 1, step).view(x.shape)
        x = x if kept is None else x[:, kept]
        x = torch.cat([x, x.new_ones(len(x), 1, size)], dim=1)
        yield (put_last(x), put_last(y)) if last else (x, y)


def hidden_noise(units: list[Tensor], rows: int, size: int, epochs: int, noise: float, key: Tensor, last: bool) -> Iterator[list[Tensor]]:
    """Fresh noise for the sums of each hidden layer, ``(N, h, B)``, for every batch of :func:`batches`.

    ``units`` holds, for each hidden layer, the original indices ``(N, h)`` of its units. Each unit has its own stream of random numbers,
    so that its noise does not depend on which other units are left.
    """
    members, counts = len(key), [part.shape[1] for part in units]
    of_layers = [fold(key, 2 + layer).repeat_interleave(count, dim=0) for layer, count in enumerate(counts)]
    of_units = [fold(keys, part.flatten()) for keys, part in zip(of_layers, units, strict=True)]
    if not last and size % 2 == 0 and members * sum(counts) * size > len(counts) * LAYER_FLOATS:
        for epoch, first in product(range(epochs), range(0, rows, size)):
            between = (rows, first, min(first + size, rows), epoch, noise)
            yield [normals_between(layer, *between).unflatten(0, (members, -1)) for layer in of_units]
        return
    streams = torch.cat([layer.view(members, -1, 2) for layer in of_units], dim=1)
    stream = (streams.transpose(0, 1) if last else streams).flatten(0, 1)
    fits = max(1, CHUNK_FLOATS // (len(stream) * rows))
    for start in range(0, epochs, fits):
        drawn = normals(stream, rows, min(fits, epochs - start), start, last, noise)
        drawn = drawn.unflatten(0, (-1, members)).transpose(0, 1) if last else drawn.unflatten(0, (members, -1))
        for whole in drawn.unbind(2):
            yield from (list(batch.split(counts, dim=1)) for batch in whole.split(size, dim=2))


def _draw(table: Tensor, columns: bool, places: Tensor, last: bool, space: dict[int, Tensor]) -> Tensor:
    """Rows of data at ``places (N, E, R)``, as ``(N, E, c, R)``, from a table ``(c, S)``, or ``(S, c)`` with ``columns``."""
    members, epochs, rows = places.shape
    if columns:
        return table.index_select(0, places.flatten()).view(members, epochs, rows, -1).transpose(2, 3)
    if places.numel() not in space:
        space[places.numel()] = table.new_empty(len(table), places.numel())
    out = space[places.numel()]  # fresh memory for every draw would cost as much as the draw
    if last:
        return torch.index_select(table, 1, places.permute(1, 2, 0).flatten(), out=out).view(-1, epochs, rows, members).permute(3, 1, 0, 2)
    return torch.index_select(table, 1, places.flatten(), out=out).view(-1, members, epochs, rows).permute(1, 2, 0, 3)
