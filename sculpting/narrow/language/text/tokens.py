"""Documents as tokens.

T = tokens.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ....files import check_folder, write_file
from .text_files import Document

__all__ = ["bits_per_byte", "bytes_per_token", "check_vocabulary", "tokenized"]

TOGETHER = 64  # documents that the tokenizer gets at once
VERSION = 1  # of the files of tokens


def tokenized(documents: Sequence[Document], tokenizer: Any, *, cache: str | Path | None = None) -> Tensor:
    """The tokens of all documents, one after the other, with the tokenizer's end-of-text token after each.

    No other special token is added, and none is read from the text: where a document holds the letters of one, they are tokens of text.

    Parameters
    ----------
    documents : sequence of Document
    tokenizer : transformers tokenizer
        One with an end-of-text token.
    cache : str or Path, optional
        A folder for files of tokens, each named by a hash of the texts and of the tokenizer. A broken file is written again.

    Returns
    -------
    int32 tensor of shape (T,)

    Raises
    ------
    ValueError
        When there are no documents, the tokenizer has no end-of-text token, or the folder cannot be written to.
    """
    if not documents:
        raise ValueError("documents must be at least one to be tokenized; got none")
    if getattr(tokenizer, "eos_token_id", None) is None:
        raise ValueError("the tokenizer must have an end-of-text token, which separates documents; got none. Set tokenizer.eos_token")
    if cache is None:
        return _tokens(documents, tokenizer)
    check_folder(cache, "cache")
    path = Path(cache) / f"{_name(documents, tokenizer)}.safetensors"
    tokens = _read(path, tokenizer)
    if tokens is None:
        tokens = _tokens(documents, tokenizer)
        write_file(path, save({"tokens": tokens}))
    return tokens


def check_vocabulary(tokenizer: Any, vocabulary_size: int) -> None:
    """Refuse a tokenizer with more tokens than the model has embeddings. A model may have more embeddings than tokens."""
    largest = _vocabulary(tokenizer)
    if largest > vocabulary_size:
        raise ValueError(
            f"the tokenizer must have at most the {vocabulary_size:,} tokens of the model's embedding; got {largest:,}: "
            "a tokenizer of another vocabulary. Give the one that the model was trained with"
        )


def bytes_per_token(documents: Sequence[Document], tokens: Tensor) -> float:
    """Bytes of text in UTF-8 for each token, where ``tokens (T,)`` are those of the same documents, ends of text included.

    Examples
    --------
    >>> bytes_per_token([Document("a", "né")], torch.tensor([5, 0]))
    1.5
    """
    if not len(tokens):
        raise ValueError("tokens must be at least one; got none")
    return sum(len(each.text.encode()) for each in documents) / len(tokens)


def bits_per_byte(nats: float, bytes_per_token: float) -> float:
    """A loss in nats per token as bits per byte of text, which tokenizers of any vocabulary can be compared by.

    Examples
    --------
    >>> round(bits_per_byte(2.6, 3.2), 2)
    1.17
    """
    return nats / math.log(2) / bytes_per_token


def _tokens(documents: Sequence[Document], tokenizer: Any) -> Tensor:
    parts: list[Tensor] = []
    for start in range(0, len(documents), TOGETHER):
        texts = [each.text for each in documents[start : start + TOGETHER]]
        ids = tokenizer(texts, add_special_tokens=False, split_special_tokens=True, return_attention_mask=False, verbose=False)["input_ids"]
        parts += (torch.tensor([*each, tokenizer.eos_token_id], dtype=torch.int32) for each in ids)
    return torch.cat(parts)


def _name(documents: Sequence[Document], tokenizer: Any) -> str:
    """A hash of what the tokens depend on."""
    whole = hashlib.blake2b(digest_size=16)
    for part in _identity(tokenizer):
        whole.update(part.encode())
    for each in documents:
        text = each.text.encode()
        whole.update(b"%d\n" % len(text) + text)
    return whole.hexdigest()


def _identity(tokenizer: Any) -> Iterator[str]:
    """Texts that differ between tokenizers that differ."""
    yield repr((VERSION, type(tokenizer).__name__, tokenizer.eos_token_id))
    yield json.dumps(sorted(tokenizer.get_vocab().items()))
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is not None:
        rules = json.loads(fast.to_str())
        yield json.dumps({name: rule for name, rule in rules.items() if name not in ("truncation", "padding")})  # those of the last call


def _read(path: Path, tokenizer: Any) -> Tensor | None:
    """The tokens of a file, None where it is absent or broken."""
    try:
        tokens = load(path.read_bytes())["tokens"]
    except (OSError, SafetensorError, KeyError):
        return None
    whole = tokens.dtype == torch.int32 and tokens.dim() == 1 and len(tokens) > 0
    return tokens if whole and int(tokens.min()) >= 0 and int(tokens.max()) < _vocabulary(tokenizer) else None


def _vocabulary(tokenizer: Any) -> int:
    """The lowest number above all tokens."""
    return max(len(tokenizer), 1 + max(tokenizer.get_vocab().values(), default=-1))
