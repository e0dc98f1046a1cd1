"""Narrowing of language models: text of two domains, and what of a model each of them needs."""
