"""The rows of datasets and loaders, each once and in the order of the dataset, with every generator left as it was.

S = rows.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, SequentialSampler, SubsetRandomSampler

from ..checks import shown

__all__ = ["read_loader"]

BATCH = 256  # rows that are read at once where the user has not chosen a number


def read_loader(data: DataLoader[Any] | Dataset[Any], what: str, seed: int, several: bool = False) -> tuple[Any, Any]:
    """Inputs and targets of all rows of a loader or a dataset.

    Rows come in the order of the dataset, each once, however a loader shuffles or drops them; a loader that chooses rows by a sampler of
    its own is asked once. What is read in passes, such as an ``IterableDataset``, is read in one. Whatever draws random numbers
    meanwhile, such as augmentation, draws the same for the same ``seed``. With ``several``, ``x`` may be a tuple of inputs.

    Returns
    -------
    x, y : Tensor or array of shape (S, ...), or list of str

    Raises
    ------
    ValueError
        When a batch is no pair of tensors, arrays or names of classes, there is none, rows differ in shape, or reading fails.
    """
    loader = data if isinstance(data, DataLoader) else DataLoader(data, batch_size=BATCH)
    with _seeded(seed, _generators(loader)):
        batches = _read(_in_order(loader, seed), what)
    batches = [_paired(batch) for batch in batches] if several else batches
    wrong = next((batch for batch in batches if not _is_pair(batch, several)), None)
    if wrong is not None or not batches:
        raise ValueError(f"{what} must yield batches (x, y), two tensors each; got {_made_of(wrong) if batches else 'no batch'}")
    try:
        x, y = (_joined(part) for part in zip(*batches, strict=True))
    except (RuntimeError, TypeError, IndexError) as error:
        raise ValueError(f"{what} must yield batches (x, y) whose rows have one shape; got others: {shown(error)}") from error
    return x, y


def _read(batches: Iterable[Any], what: str) -> list[Any]:
    """All batches; an exception of the user's own code becomes the cause of the error."""
    try:
        return list(batches)
    except (TypeError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"{what} must yield batches (x, y); reading it failed: {type(error).__name__}: {shown(error)}") from error


def _in_order(loader: DataLoader[Any], seed: int) -> Iterable[Any]:
    """The batches of a loader in the order of its dataset; as they come from a loader of the user's own class."""
    if type(loader).__iter__ is not DataLoader.__iter__:
        return loader
    return DataLoader(
        loader.dataset,
        batch_size=loader.batch_size or (BATCH if loader.batch_sampler is not None else None),
        sampler=None if isinstance(loader.dataset, IterableDataset) else _indices(loader),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        generator=torch.Generator().manual_seed(seed),
    )


def _indices(loader: DataLoader[Any]) -> Any:
    """The rows of a loader as indices of its dataset, in ascending order.

    A row that a sampler of the user's own draws several times, as those with weights do, is there once: held-out rows must be others.
    """
    if loader.batch_sampler is not None and type(loader.batch_sampler) is not BatchSampler:
        return sorted({index for batch in loader.batch_sampler for index in batch})
    if isinstance(loader.sampler, (SequentialSampler, RandomSampler)):
        return range(len(loader.dataset))  # type: ignore[arg-type]
    return sorted({*(loader.sampler.indices if isinstance(loader.sampler, SubsetRandomSampler) else loader.sampler)})


def _generators(loader: DataLoader[Any]) -> list[Any]:
    """The generators that reading a loader may move: its own, those of its samplers, and those of its dataset and what that wraps."""
    owners = [loader, loader.sampler, loader.batch_sampler, getattr(loader.batch_sampler, "sampler", None), loader.dataset]
    while (inner := getattr(owners[-1], "dataset", None)) is not None:
        owners.append(inner)
    held = [value for owner in owners for value in getattr(owner, "__dict__", {}).values()]
    return [value for value in held if isinstance(value, (torch.Generator, np.random.Generator, np.random.RandomState, random.Random))]


@contextlib.contextmanager
def _seeded(seed: int, generators: Iterable[Any]) -> Iterator[None]:
    """Seed the global generators and those of torch among the given, and put all of them back at the end."""
    whole = {id(each): each for each in (torch.default_generator, np.random, random, *generators)}.values()
    back = [_restore(each) for each in whole]
    try:
        for each in whole:
            if isinstance(each, torch.Generator):
                each.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 (the user's datasets draw from it)
        random.seed(seed)
        yield
    finally:
        for restore in back:
            restore()


def _restore(generator: Any) -> Callable[[], None]:
    """A call that puts a generator, or a module that has one, back to where it is now."""
    if hasattr(generator, "getstate"):
        return partial(generator.setstate, generator.getstate())
    if hasattr(generator, "get_state"):
        return partial(generator.set_state, generator.get_state())
    return partial(setattr, generator.bit_generator, "state", generator.bit_generator.state)


def _paired(batch: Any) -> Any:
    """A batch of several inputs and targets, ``(a, b, y)``, as ``((a, b), y)``; inputs in a list as a tuple."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        return batch
    *first, y = batch
    x = first if len(first) > 1 else first[0]
    return (tuple(x) if isinstance(x, list) and all(isinstance(each, (Tensor, np.ndarray)) for each in x) else x), y


def _is_pair(batch: Any, several: bool) -> bool:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        return False
    x, y = batch
    many = several and isinstance(x, tuple) and bool(x) and all(map(_is_part, x))
    return (many or _is_part(x)) and _is_part(y)


def _is_part(part: Any) -> bool:
    return isinstance(part, (Tensor, np.ndarray)) or (isinstance(part, (tuple, list)) and all(isinstance(each, str) for each in part))


def _joined(parts: Sequence[Any]) -> Any:
    """Batches, or single targets without a dimension, one after another; tuples of inputs input by input."""
    if isinstance(parts[0], tuple) and not isinstance(parts[0][0], str):
        return tuple(_joined(each) for each in zip(*parts, strict=True))
    if isinstance(parts[0], Tensor):
        return torch.cat(parts) if parts[0].ndim else torch.stack(parts)  # type: ignore[arg-type]
    return np.concatenate(parts)


def _made_of(batch: Any) -> str:
    """The type of a batch for an error text: ``a dict``, or ``(Tensor, Tensor, int)``."""
    return f"({', '.join(type(part).__name__ for part in batch)})" if isinstance(batch, (tuple, list)) else f"a {type(batch).__name__}"
