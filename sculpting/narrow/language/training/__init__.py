"""The one training loop of language models."""
