"""A domain of text as a language model sees it: packed windows for training, validation and testing.

L = tokens of a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....randomness import keys, permutations
from .documents import read_documents
from .splitting import Split, check_disjoint, split_documents
from .tokens import bytes_per_token, check_vocabulary, tokenized
from .windows import PackedWindows

__all__ = ["TextDomain", "text_domain", "two_domains"]


@dataclass(frozen=True, eq=False)
class TextDomain:
    """Text of one domain, split by document.

    Attributes
    ----------
    name : str
    train : PackedWindows
    validation, test : int64 Tensor of shape (windows, L)
        Drawn from all windows of the held-out documents.
    bytes_per_token : float
        Of the training text: nats a token, divided by it and by log 2, are bits a byte.
    """

    name: str
    train: PackedWindows
    validation: Tensor
    test: Tensor
    bytes_per_token: float


def text_domain(
    source: Any,
    tokenizer: Any,
    *,
    length: int = 512,
    held_out: int = 32,
    limit: int | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
) -> TextDomain:
    """Read, split and tokenize a domain.

    Parameters
    ----------
    source : str, Path or sequence of texts
        See :func:`~sculpting.narrow.language.text.documents.read_documents`.
    tokenizer : transformers.PreTrainedTokenizerBase
    length : int
        L.
    held_out : int
        The most windows for validation, and for testing.
    limit : int, optional
        The most documents.
    seed : int
        Of the split.
    cache : str or Path, optional
        A folder for tokens.

    Raises
    ------
    ValueError
        When the source has no text, or too little for one window of each part.
    """
    return _domain(
        _named(source), split_documents(read_documents(source, limit=limit), seed=seed), tokenizer, length, held_out, seed, cache
    )


def two_domains(
    keep: Any, forget: Any, tokenizer: Any, vocabulary_size: int, *, length: int, held_out: int, limit: int | None, seed: int,
    cache: str | Path | None = None,
) -> tuple[TextDomain, TextDomain | None]:  # fmt: skip
    """Two domains that share no document; each is a source, or a :class:`TextDomain` of windows of ``length``."""
    if keep is forget:
        raise ValueError("the two domains must have no text in common; got the same object twice")
    if tokenizer is not None:
        check_vocabulary(tokenizer, vocabulary_size)
    for each in (keep, forget):
        if isinstance(each, TextDomain):
            _check_domain(each, vocabulary_size, length)
    read = [None if isinstance(each, TextDomain) or each is None else read_documents(each, limit=limit) for each in (keep, forget)]
    if read[0] is not None and read[1] is not None:
        check_disjoint(read[0], read[1])
    found = [
        each
        if documents is None
        else _domain(_named(each), split_documents(documents, seed=seed), tokenizer, length, held_out, seed, cache)
        for each, documents in zip((keep, forget), read, strict=True)
    ]
    return found[0], found[1]


def _check_domain(domain: TextDomain, vocabulary_size: int, length: int) -> None:
    parts = (domain.train.tokens, domain.validation, domain.test)
    largest = max(int(part.max()) for part in parts)
    if largest >= vocabulary_size or min(int(part.min()) for part in parts) < 0:
        raise ValueError(
            f"the tokens of {domain.name!r} must be below {vocabulary_size:,}, as in the model's embedding; got {largest:,}: "
            "a tokenizer of another vocabulary. Tokenize with that of the model"
        )
    if domain.train.length != length:
        raise ValueError(f"length must be that of the windows of {domain.name!r}, {domain.train.length}; got {length}")


def _domain(name: str, split: Split, tokenizer: Any, length: int, held_out: int, seed: int, cache: str | Path | None) -> TextDomain:
    train = tokenized(split.train, tokenizer, cache=cache)
    parts = [_some(tokenized(part, tokenizer, cache=cache), length, held_out, seed) for part in (split.validation, split.test)]
    return TextDomain(name, PackedWindows(train, length), parts[0], parts[1], bytes_per_token(split.train, train))


def _some(tokens: Tensor, length: int, most: int, seed: int) -> Tensor:
    """Some windows of a stream, in its order: all where there are few."""
    windows = PackedWindows(tokens, length).windows
    chosen = permutations(keys([("held out", seed)]), len(windows))[0, 0, :most]
    return windows[torch.sort(chosen).values]


def _named(source: Any) -> str:
    if isinstance(source, (str, Path)):
        return Path(str(source)).name
    return "texts"
