"""Documents of a dataset on the Hugging Face hub, read as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .text_files import Document

__all__ = ["HUB", "hub_documents"]

HUB = "hf:"


def hub_documents(source: str, key: str) -> Iterator[Document]:
    """The rows of the training split of ``hf:NAME`` or ``hf:NAME:CONFIGURATION``, as they come. Empty ones are left out.

    Raises
    ------
    ImportError
        When the package ``datasets`` is not installed.
    ValueError
        When the dataset cannot be read, or has no text under ``key``.
    """
    for number, row in enumerate(_rows(source), start=1):
        text = row.get(key)
        if not isinstance(text, str):
            known = ", ".join(map(repr, row))
            raise ValueError(f"row {number} of {source} must have a text under {key!r}; got the keys {known}. Choose another key with key=")
        if text.strip():
            yield Document(f"row {number} of {source.removeprefix(HUB)}", text)


def _rows(source: str) -> Iterator[Mapping[str, Any]]:
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            f'{source} needs the package datasets: pip install "neural-sculpting[datasets]". Or give files of text'
        ) from error
    name, _, configuration = source.removeprefix(HUB).partition(":")
    try:
        yield from datasets.load_dataset(name, configuration or None, split="train", streaming=True)
    except Exception as error:  # the hub, its network and its formats have errors of their own
        raise ValueError(f"{source} must be a dataset on the Hugging Face hub that can be reached; got {error}") from error
