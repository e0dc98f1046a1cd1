"""Text as data: tokens and packed windows."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sculpting.narrow.language.text.bpe import train_tokenizer
from sculpting.narrow.language.text.documents import Document
from sculpting.narrow.language.text.tokens import bits_per_byte, bytes_per_token, check_vocabulary, tokenized
from sculpting.narrow.language.text.windows import PackedWindows

END = "<|endoftext|>"


def words(count: int, seed: int, choice: int = 1000) -> list[str]:
    drawn = random.Random(seed)
    return [f"w{drawn.randrange(choice)}" for _ in range(count)]


def corpus(count: int = 40) -> list[Document]:
    """Documents of 20 to 200 words that have nothing in common."""
    lengths = random.Random(0)
    return [Document(f"text {i}", " ".join(words(lengths.randrange(20, 200), i))) for i in range(count)]


def near(document: Document, name: str, changed: int = 1) -> Document:
    """The same text but for some of its last words."""
    return Document(name, " ".join([*document.text.split()[:-changed], *["changed"] * changed]))


def names(documents: tuple[Document, ...]) -> list[str]:
    return [each.name for each in documents]


# Tokens


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(corpus(20), vocabulary=300)


def test_a_trained_tokenizer_writes_any_text(tokenizer: Any) -> None:
    text = "w12 w7  naïve\n\t日本 \x00 don ' t , <|endoftext|>"
    assert tokenizer.decode(tokenizer(text, split_special_tokens=True)["input_ids"]) == text
    assert (len(tokenizer), tokenizer.eos_token, tokenizer.eos_token_id) == (300, END, 0)
    assert train_tokenizer(corpus(20), vocabulary=300).get_vocab() == tokenizer.get_vocab()
    with pytest.raises(ValueError, match="vocabulary must be at least 257, for all bytes and the end of text; got 256"):
        train_tokenizer(corpus(2), vocabulary=256)
    with pytest.raises(ValueError, match="at least one to train a tokenizer"):
        train_tokenizer([])


@pytest.mark.parametrize("missing", ["transformers", "tokenizers"])
def test_a_missing_package_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r'Install it with pip install "neural-sculpting\[lm\]"'):
        train_tokenizer(corpus(1))


def test_tokens_are_the_documents_each_with_an_end(tokenizer: Any) -> None:
    documents = [*corpus(100), Document("end", f"a {END} b")]
    tokens = tokenized(documents, tokenizer)
    assert tokens.dtype == torch.int32
    ends = (tokens == tokenizer.eos_token_id).nonzero().flatten().tolist()
    assert len(ends) == len(documents)  # the letters of the end of text within a document are text
    assert ends[-1] == len(tokens) - 1
    starts = [0, *(end + 1 for end in ends[:-1])]
    texts = [tokenizer.decode(tokens[a:b].tolist()) for a, b in zip(starts, ends, strict=True)]
    assert texts == [each.text for each in documents]
    size = sum(len(each.text.encode()) for each in documents)
    assert bytes_per_token(documents, tokens) == size / len(tokens)
    # A uniform guess among 2**k tokens costs k bits each.
    uniform = bits_per_byte(torch.tensor(256.0).log().item(), bytes_per_token(documents, tokens))
    assert uniform * size == pytest.approx(8 * len(tokens))


def test_tokens_come_from_the_cache_unless_it_is_broken_or_something_changed(tokenizer: Any, tmp_path: Path) -> None:
    calls = []

    class Counted:
        eos_token_id = tokenizer.eos_token_id
        backend_tokenizer = tokenizer.backend_tokenizer
        get_vocab = tokenizer.get_vocab

        def __len__(self) -> int:
            return len(tokenizer)

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            calls.append(1)
            return tokenizer(*arguments, **options)

    documents, cache = corpus(5), tmp_path / "new" / "cache"
    expected = tokenized(documents, tokenizer)
    for count in (1, 1):
        assert torch.equal(tokenized(documents, Counted(), cache=cache), expected)
        assert len(calls) == count
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    from safetensors.torch import save

    for broken in (whole[:-3], b"", save({"other": expected}), save({"tokens": expected + 300}), save({"tokens": expected.float()})):
        path.write_bytes(broken)
        calls.clear()
        assert torch.equal(tokenized(documents, Counted(), cache=cache), expected)
        assert (len(calls), path.read_bytes()) == (1, whole)
    for other in (documents[::-1], [near(documents[0], "near"), *documents[1:]]):
        assert torch.equal(tokenized(other, Counted(), cache=cache), tokenized(other, tokenizer))
    merged = [Document("one", documents[0].text + documents[1].text), *documents[2:]]
    assert torch.equal(tokenized(merged, Counted(), cache=cache), tokenized(merged, tokenizer))
    another = train_tokenizer(corpus(20), vocabulary=280)
    assert torch.equal(tokenized(documents, tokenizer, cache=cache), expected)
    assert torch.equal(tokenized(documents, another, cache=cache), tokenized(documents, another))
    assert len([*cache.iterdir()]) == 6
    another.backend_tokenizer.enable_truncation(3)  # a setting of a call, not of the tokenizer
    assert torch.equal(tokenized(documents, another, cache=cache), tokenized(documents, another))
    assert len([*cache.iterdir()]) == 6


def test_what_cannot_be_tokenized_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="documents must be at least one to be tokenized"):
        tokenized([], tokenizer)
    with pytest.raises(ValueError, match=r"must have an end-of-text token, which separates documents; got none. Set tokenizer.eos_token"):
        tokenized(corpus(1), SimpleNamespace(eos_token_id=None))
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cache must be in a folder that can be written to"):
        tokenized(corpus(1), tokenizer, cache=tmp_path / "file" / "cache")
    check_vocabulary(tokenizer, 300)
    check_vocabulary(tokenizer, 512)
    with pytest.raises(ValueError, match=r"at most the 299 tokens of the model's embedding; got 300: a tokenizer of another vocabulary"):
        check_vocabulary(tokenizer, 299)
    with pytest.raises(ValueError, match="tokens must be at least one"):
        bytes_per_token(corpus(1), torch.tensor([]))


# Windows


def test_windows_cover_the_stream_but_for_the_rest() -> None:
    tokens = torch.arange(103, dtype=torch.int32)
    packed = PackedWindows(tokens, 10)
    assert (len(packed), packed.windows.dtype) == (10, torch.int64)
    assert torch.equal(packed.windows.flatten(), tokens[:100].long())


def test_every_epoch_has_all_windows_in_an_order_of_its_own() -> None:
    packed = PackedWindows(torch.arange(40), 4)
    stream = torch.cat([packed.batch(step, 3, seed=5) for step in range(20)])
    orders = [packed.order(5, epoch) for epoch in range(6)]
    assert torch.equal(stream, torch.cat([packed.windows[order] for order in orders]))
    assert all(sorted(order.tolist()) == [*range(10)] for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 6
    assert not torch.equal(packed.order(6, 0), orders[0])
    assert torch.equal(packed.batch(0, 25, seed=5), stream[:25])  # more than an epoch at once


def test_batches_depend_on_the_step_alone() -> None:
    tokens = torch.arange(1000)
    packed = PackedWindows(tokens, 7)
    stream = [packed.batch(step, 16, seed=1) for step in range(30)]
    state = torch.random.get_rng_state()
    resumed = PackedWindows(tokens.clone(), 7)
    assert all(torch.equal(resumed.batch(step, 16, seed=1), stream[step]) for step in (29, 3, 17))
    resumed.order(1, 0).zero_()  # what is returned is the caller's
    assert torch.equal(resumed.batch(0, 16, seed=1), stream[0])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert PackedWindows(torch.arange(10), 1).batch(7, 4, seed=2).flatten().tolist() == [3, 6, 9, 6]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: PackedWindows(torch.arange(9), 10),
            "tokens must fill at least one window of 10; got 9. Give more text",
        ),
        (lambda: PackedWindows(torch.arange(9), 0), "length must be a whole number of at least 1; got 0"),
        (lambda: PackedWindows(torch.zeros(9), 3), r"tokens must be whole numbers of shape \(tokens,\); got torch.float32"),
        (lambda: PackedWindows(torch.zeros(3, 3, dtype=torch.int32), 3), r"of shape \(3, 3\)"),
        (lambda: PackedWindows(torch.arange(9), 3).batch(-1, 2, 0), "step must be a whole number of at least 0; got -1"),
        (lambda: PackedWindows(torch.arange(9), 3).batch(0, 0, 0), "size must be a whole number of at least 1; got 0"),
        (lambda: PackedWindows(torch.arange(9), 3).batch(0, 1, -1), "seed must be a whole number"),
    ],
)
def test_windows_that_cannot_be_made_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_importing_the_modules_loads_no_package_of_language_models() -> None:
    parts = ("bpe", "documents", "splitting", "tokens", "windows")
    code = f"import sys\nfor part in {parts}: __import__('sculpting.narrow.language.text.' + part)\n"
    code += "print([name for name in ('transformers', 'tokenizers', 'datasets', 'sklearn', 'pydoc_data') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
