"""Small tokenizers for models that are trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .text_files import Document

__all__ = ["train_tokenizer"]

END = "<|endoftext|>"
LEAST = 257  # all bytes and the end of text


def train_tokenizer(documents: Sequence[Document], vocabulary: int = 2048) -> Any:
    """A byte-level BPE tokenizer of the given documents, as a ``transformers.PreTrainedTokenizerFast``.

    Any text can be written in its tokens and read back unchanged. Its end-of-text token is ``<|endoftext|>``, number 0.

    Parameters
    ----------
    documents : sequence of Document
        The training documents only: the tokenizer is a part of the model.
    vocabulary : int
        The largest number of tokens, at least 257; a short text may have fewer.

    Raises
    ------
    ImportError
        When transformers is not installed.
    ValueError
        When there are no documents, or the vocabulary does not hold all bytes.
    """
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
        from transformers import PreTrainedTokenizerFast
    except ImportError as error:
        raise ImportError('a tokenizer is trained with transformers. Install it with pip install "neural-sculpting[lm]"') from error
    if vocabulary < LEAST:
        raise ValueError(f"vocabulary must be at least {LEAST}, for all bytes and the end of text; got {vocabulary}")
    if not documents:
        raise ValueError("documents must be at least one to train a tokenizer; got none")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator((each.text for each in documents), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, clean_up_tokenization_spaces=False)
