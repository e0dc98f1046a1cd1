"""Some documents of a domain, drawn without a seed of their own: the same in every cell."""

from __future__ import annotations

from ...narrow.language import Document, read_documents
from ...randomness import keys, permutations

__all__ = ["some_documents"]


def some_documents(domain: str, count: int) -> list[Document]:
    """At most ``count`` documents of a domain, in a random order that is always the same."""
    documents = read_documents(domain)
    return [documents[place] for place in permutations(keys([("documents", domain)]), len(documents))[0, 0, :count].tolist()]
