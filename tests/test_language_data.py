"""Text as data: sources of documents, splits without near-duplicates, tokens, packed windows."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sculpting.narrow.language.text.bpe import train_tokenizer
from sculpting.narrow.language.text.documents import Document, read_documents
from sculpting.narrow.language.text.similar import digest, similar_pairs
from sculpting.narrow.language.text.splitting import Split, check_disjoint, split_documents
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


def names(documents: tuple[Document, ...]) -> list[str]:
    return [each.name for each in documents]


# Sources


def test_a_folder_gives_its_files_of_text_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, content in {
        "b.txt": b"second",
        "d/x.txt": b"a folder",
        "a/c/x.txt": b"a folder in a folder",
        "b/x.txt": b"another folder",
        "a/z.md": b"\xef\xbb\xbfna\xc3\xafve",
        "a/a.rst": b"third",
        "c": b"last, without a suffix",
        ".hidden/x.txt": b"hidden folder",
        ".hidden.txt": b"hidden file",
        "latin.txt": b"na\xefve text in another encoding",
        "picture.png": b"\x89PNG\0\0 and more",
        "late.bin": b"x" * 5000 + b"\xff",
        "empty.txt": b"",
        "white.txt": b" \n\t",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(content)
    found = read_documents(tmp_path)
    assert names(found) == ["b.txt", "c", "a/a.rst", "a/z.md", "a/c/x.txt", "b/x.txt", "d/x.txt"]
    assert [each.text for each in found[:4]] == ["second", "last, without a suffix", "third", "naïve"]
    assert read_documents(str(tmp_path), limit=3) == found[:3]


def test_other_sources_give_documents(tmp_path: Path) -> None:
    lines = tmp_path / "rows.jsonl"
    lines.write_text(json.dumps({"text": "one\u2028two", "other": 1}) + "\n\n" + '{"text": "three"}\n', encoding="utf-8")
    assert [(each.name, each.text) for each in read_documents(lines)] == [
        ("line 1 of rows.jsonl", "one\u2028two"),
        ("line 3 of rows.jsonl", "three"),
    ]
    lines.write_text('{"body": "one\u2028two"}', encoding="utf-8")  # not escaped, which JSON allows
    assert [each.text for each in read_documents(lines, key="body")] == ["one\u2028two"]
    (tmp_path / "book.txt").write_text("a book")
    assert read_documents(tmp_path / "book.txt") == (Document("book.txt", "a book"),)
    assert read_documents(["x", Document("named", "y")]) == (Document("text 0", "x"), Document("named", "y"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("empty", r"empty must hold some text in UTF-8; got no document with any"),
        ("missing", r"no file or folder .*missing. A source .* 'english', 'python', a folder of text files, a .jsonl file .* 'hf:NAME'"),
        ("latin.txt", r"latin.txt must be text in UTF-8"),
        ("white.txt", r"white.txt must have some text; got none"),
        ("broken.jsonl", r"line 2 of broken.jsonl must be a JSON object; got Expecting"),
        ("list.jsonl", r"line 1 of list.jsonl must be a JSON object with a text under 'text'; got list"),
        ("key.jsonl", r"line 1 of key.jsonl must have a text under 'text'; got the keys 'body', 'id'. Choose another key"),
        ("number.jsonl", r"line 1 of number.jsonl must have a text under 'text'; got int there"),
        ("white.jsonl", r"line 2 of white.jsonl must have some text; got none"),
        ("half.jsonl", r"line 1 of half.jsonl must be text that UTF-8 can write"),
    ],
)
def test_a_file_without_text_is_refused(source: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.txt").write_bytes(b"na\xefve")
    for name, text in {
        "white.txt": " ",
        "broken.jsonl": '{"text": "a"}\n{"text": \n',
        "list.jsonl": '["text"]',
        "key.jsonl": '{"body": "a", "id": 3}',
        "number.jsonl": '{"text": 3}',
        "white.jsonl": '{"text": "a"}\n{"text": " "}',
        "half.jsonl": '{"text": "\\ud800"}',
    }.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(FileNotFoundError if source == "missing" else ValueError, match=message):
        read_documents(tmp_path / source)


@pytest.mark.parametrize(
    ("source", "limit", "message"),
    [
        ([], None, "a sequence of texts must hold some text"),
        (["a", " "], None, "text 1 must have some text"),
        (["a", 3], None, "text 1 must be text; got int"),
        (3, None, "a source of documents must be one of .*; got int"),
        (b"bytes", None, "got bytes"),
        ("python", 0, "limit must be a whole number of at least 1, or None for all documents; got 0"),
        ("hf:owner/name", None, "limit must be given for hf:owner/name"),
        ("many words " * 500, None, r"there is no file or folder many words .{69}\.\.\.\. A source"),
    ],
)
def test_what_holds_no_documents_is_refused(source: Any, limit: int | None, message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_documents(source, limit=limit)


def test_a_folder_with_the_name_of_a_domain_is_not_hidden_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "english").mkdir()
    (tmp_path / "english" / "own.txt").write_text("text of one's own")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="'english' is the domain of that name. For what is there under this name give './english'"):
        read_documents("english", limit=1)
    assert names(read_documents("./english")) == ["own.txt"]


def test_the_python_domain_holds_no_tests_no_packages_and_none_of_the_english_text() -> None:
    from pydoc_data.topics import topics

    found = read_documents("python")
    kept = set(names(found))
    assert {"argparse.py", "asyncio/base_events.py", "pydoc_data/__init__.py"} - kept <= {"pydoc_data/__init__.py"}
    assert not {"test", "tests", "idle_test", "site-packages", "dist-packages"} & {part for name in kept for part in name.split("/")}
    assert not [name for name in kept if not name.endswith(".py") or name.startswith("_sysconfigdata")]
    assert "pydoc_data/topics.py" not in kept
    assert (Path(sysconfig.get_paths()["stdlib"]) / "pydoc_data/topics.py").is_file()
    sources = "\n".join(" ".join(each.text.split()) for each in found)
    starts = [" ".join(text.split())[:200] for text in topics.values()]
    assert not [start for start in starts if len(start) == 200 and start in sources]


def test_the_english_domain_holds_topics_and_licences_each_once() -> None:
    from pydoc_data.topics import topics

    found = read_documents("english")
    of_topics = [each for each in found if each.name.startswith("topic ")]
    assert [each.name for each in of_topics] == sorted(each.name for each in of_topics)
    assert all(topics[each.name.removeprefix("topic ")] == each.text for each in of_topics)
    assert {each.text for each in of_topics} == {*topics.values()}
    licences = [each for each in found if each.name.startswith("licence ")]
    assert len(licences) + len(of_topics) == len(found)
    assert any("PYTHON SOFTWARE FOUNDATION LICENSE" in each.text for each in licences)
    assert len({" ".join(each.text.split()) for each in found}) == len({*names(found)}) == len(found)
    assert read_documents("english") == found
    assert not [each for each in licences if each.name.endswith((".py", ".pyc"))]


def dataset(rows: list[Any], asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*arguments: Any, **options: Any) -> Iterator[Any]:
        asked.append((arguments, options))
        for row in rows:
            if isinstance(row, Exception):
                raise row
            yield row

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))


def test_a_dataset_is_read_as_a_stream_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    dataset([{"text": "a"}, {"text": ""}, {"text": "b"}, RuntimeError("read too far")], asked, monkeypatch)
    assert read_documents("hf:owner/name:small", limit=2) == (
        Document("row 1 of owner/name:small", "a"),
        Document("row 3 of owner/name:small", "b"),
    )
    assert asked == [(("owner/name", "small"), {"split": "train", "streaming": True})]
    with pytest.raises(ValueError, match=r"hf:owner/name must be a dataset .* that can be reached; got read too far"):
        read_documents("hf:owner/name", limit=3)
    with pytest.raises(ValueError, match=r"row 1 of hf:x must have a text under 'body'; got the keys 'text'. Choose another key"):
        read_documents("hf:x", limit=3, key="body")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r"hf:x needs the package datasets: pip install"):
        read_documents("hf:x", limit=3)


# Near-duplicates and splits


def jaccard(a: str, b: str) -> float:
    sets = [{tuple(part[i : i + 5]) for i in range(len(part) - 4)} for part in (a.lower().split(), b.lower().split())]
    union = sets[0] | sets[1]
    return len(sets[0] & sets[1]) / len(union) if union else 0.0


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8, 1.0])
def test_similar_pairs_are_those_of_the_plain_definition(similarity: float) -> None:
    drawn, texts = random.Random(7), []
    for seed in range(8):  # families of texts with more and more words changed, and texts of few words
        whole = words(drawn.randrange(3, 120), seed)
        for changes in (0, 1, 2, 5, 12):
            other = [word if drawn.random() > changes / 100 else "new" for word in whole]
            texts.append("  ".join(other).upper() if changes == 1 else " ".join(other))
    texts += [" ".join(words(60, seed, choice=2)) for seed in range(10)]  # the same words and runs all over
    expected, first = [], {}
    for j, text in enumerate(texts):
        if first.setdefault(digest(text), j) != j:
            expected.append([first[digest(text)], j])
            continue
        expected += [[i, j] for i in first.values() if i != j and jaccard(texts[i], text) >= similarity]
    assert similar_pairs(texts, similarity).tolist() == sorted(expected)
    assert len(expected) > 10


def near(document: Document, name: str, changed: int = 1) -> Document:
    """The same text but for some of its last words."""
    return Document(name, " ".join([*document.text.split()[:-changed], *["changed"] * changed]))


def part_of(split: Split) -> dict[str, str]:
    return {each.name: part for part in ("train", "validation", "test") for each in getattr(split, part)}


def test_near_duplicates_are_in_one_part_and_exact_ones_are_dropped() -> None:
    base = corpus()
    chains = [[near(each, f"{each.name} v{changed}", changed) for changed in (2, 4, 6)] for each in base if len(each.text.split()) > 50]
    assert all(jaccard(versions[0].text, versions[-1].text) < 1 for versions in chains)
    copies = [Document(f"{each.name} copy", "\n\n" + each.text.replace(" ", "\n  ")) for each in base[:5]]
    together = [*base, *(each for versions in chains for each in versions), *copies]
    for seed in range(5):
        parts = part_of(split_documents(together, seed=seed, validation=0.3, test=0.3))
        assert parts.keys() == {each.name for each in together} - {each.name for each in copies}
        assert {*parts.values()} == {"train", "validation", "test"}
        for versions in chains:
            assert len({parts[versions[0].name.removesuffix(" v2")], *(parts[each.name] for each in versions)}) == 1


def test_documents_linked_through_another_stay_together() -> None:
    long = words(100, 1)
    chain = [Document(f"link {i}", " ".join([*(f"new{j}" for j in range(6 * i)), *long[6 * i :]])) for i in range(4)]
    assert jaccard(chain[0].text, chain[3].text) < 0.7 < 0.8 < min(jaccard(a.text, b.text) for a, b in pairwise(chain))
    for seed in range(8):
        parts = part_of(split_documents([*chain, *corpus()], seed=seed, validation=0.3, test=0.3))
        assert len({parts[each.name] for each in chain}) == 1


def test_a_split_follows_the_seed_and_not_the_order() -> None:
    documents = corpus(60)
    documents += [near(each, f"{each.name} near") for each in documents if len(each.text.split()) > 50]
    shuffled = random.Random(1).sample(documents, len(documents))
    for seed in range(3):
        first, again = part_of(split_documents(documents, seed=seed)), split_documents(shuffled, seed=seed)
        assert part_of(again) == first
        assert names(again.train) == [each.name for each in shuffled if first[each.name] == "train"]
    assert len({tuple(sorted(part_of(split_documents(documents, seed=seed)).items())) for seed in range(5)}) == 5


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.1), (0.2, 0.0), (0.0, 0.3), (0.5, 0.4), (0.0, 0.0)])
def test_fractions_are_of_the_characters(validation: float, test: float) -> None:
    documents = corpus(200)
    for seed in range(3):
        split = split_documents(documents, validation=validation, test=test, seed=seed)
        sizes = [sum(len(each.text) for each in part) for part in (split.train, split.validation, split.test)]
        assert [size / sum(sizes) for size in sizes] == pytest.approx([1 - validation - test, validation, test], abs=0.01)


def test_a_held_out_part_is_not_filled_by_one_large_document() -> None:
    documents = [*corpus(100), Document("large", " ".join(words(1300, 500)))]
    for seed in range(10):
        split = split_documents(documents, seed=seed)
        assert part_of(split)["large"] == "train"
        assert min(len(split.validation), len(split.test)) > 5


def test_few_documents_fill_all_parts() -> None:
    documents = corpus(3)
    for seed in range(5):
        split = split_documents(documents, seed=seed)
        assert [len(split.train), len(split.validation), len(split.test)] == [1, 1, 1]
    assert split_documents(documents, validation=0, test=0).train == tuple(documents)


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (2, {}, "documents must be at least 3 that are not nearly the same, for train, validation, test; got 2. Cut the text into more"),
        (1, {"test": 0}, "at least 2 that are not nearly the same, for train, validation; got 1"),
        (0, {}, "at least 3 .*; got 0"),
        (9, {"validation": 1.0}, "validation must be a fraction of the text from 0 to below 1; got 1.0"),
        (9, {"test": -0.1}, "test must be a fraction"),
        (9, {"validation": 0.5, "test": 0.5}, "validation and test must leave some of the text for training; got fractions 0.5 and 0.5"),
        (9, {"similarity": 0}, "similarity must be a number above 0 and at most 1; got 0"),
        (9, {"seed": -1}, "seed must be a whole number"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(count: int, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_documents(corpus(count), **options)


def test_domains_that_share_files_are_refused() -> None:
    documents = corpus()
    keep, forget = documents[:20], documents[20:]
    check_disjoint(keep, forget)
    check_disjoint([*keep, near(keep[0], "near")], [*forget, near(forget[0], "near")])  # within one domain they may be
    long = max(keep, key=lambda each: len(each.text))
    for other in (Document("copy", long.text.replace(" ", "\n")), near(long, "copy")):
        with pytest.raises(ValueError, match=rf"domains that share files, 1 pairs .*: '{long.name}' and 'copy'\. Leave them out"):
            check_disjoint(keep, [*forget, other])
    with pytest.raises(ValueError, match=r"20 pairs that are \(nearly\) the same: 'text 0' and 'text 0', .*, \.\.\.\. Leave"):
        check_disjoint(keep, keep)


def test_some_python_files_and_the_english_topics_share_nothing() -> None:
    check_disjoint(read_documents("python", limit=100), read_documents("english", limit=79))


@pytest.mark.slow
def test_the_whole_domains_share_nothing() -> None:
    check_disjoint(read_documents("python"), read_documents("english"))


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
