"""Documents as data: their sources, and splits without near-duplicates."""

from __future__ import annotations

import json
import random
import sys
import sysconfig
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_language_data import corpus, names, near, words

from sculpting.narrow.language.text.documents import Document, read_documents
from sculpting.narrow.language.text.similar import digest, similar_pairs
from sculpting.narrow.language.text.splitting import Split, check_disjoint, split_documents

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
