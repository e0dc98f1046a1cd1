"""IDX files, and where images of digits come from. Nothing here uses the network."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from http.client import IncompleteRead
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from sklearn.utils import Bunch
from tagged import MNIST, TEST_LABELS, TRAIN_LABELS, fill, leave_alone, needs_mnist, tagged, write

from sculpting import tasks
from sculpting.tasks import digits as sources
from sculpting.tasks.idx import idx_bytes, read_idx, read_labelled


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_alone(tmp_path, monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "data")


def test_an_idx_file_is_read_byte_by_byte(tmp_path: Path) -> None:
    content = bytes.fromhex("00 00 08 02  00 00 00 02  00 00 00 03") + bytes([0, 1, 2, 253, 254, 255])
    for name, packed in (("plain", content), ("packed", gzip.compress(content))):
        (tmp_path / name).write_bytes(packed)
        found = read_idx(tmp_path / name)
        assert (found.tolist(), found.dtype) == ([[0, 1, 2], [253, 254, 255]], np.uint8)
    assert idx_bytes(found) == content


HEADER = bytes([0, 0, 8, 1, 0, 0, 0, 4])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "must be an IDX file.*got an empty file. Give"),
        (b"\x89PNG\r\n", "must be an IDX file.*got 89 50 4e 47"),
        (b"\0\x01\x08\x01\0\0\0\0", "must be an IDX file.*got 00 01 08 01"),
        (b"\0\0\x08", "must be an IDX file.*got 00 00 08"),
        (b"\0\0\x08\0", "must be an IDX file.*a number of dimensions; got 00 00 08 00"),
        (b"\0\0\x0d\x01\0\0\0\0", "must hold unsigned bytes, IDX type 0x08; got type 0x0d. Convert"),
        (b"\0\0\x08\x03\0\0\0\x01\0\0", "must have a header of 16 bytes for 3 dimensions; got 10 bytes. Get the file again"),
        (HEADER + b"abc", r"is truncated: expected 4 bytes for shape \(4,\); got 3. Get the file again"),
        (HEADER + b"abcde", r"has bytes after its array: expected 4 bytes for shape \(4,\); got 5 or more. Get"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"a", "is truncated: expected 79228162458924105385300197375 bytes"),
        (gzip.compress(HEADER + b"abcd", mtime=0)[:-9], "must be a complete gzip file; got one that cannot be read: .* Get the file again"),
        (gzip.compress(HEADER + b"abcd", mtime=0)[:10] + b"\xff" * 20, "must be a complete gzip file; got .* cannot be read: Error -3"),
        (gzip.compress(HEADER + b"abcd", mtime=0)[:-8] + b"\0" * 8, "must be a complete gzip file; got one that cannot be read: CRC"),
    ],
)
def test_a_broken_idx_file_is_one_clear_error(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(path)) + " " + text):
        read_idx(path)


@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        ((3, 2, 2), (2,), "labels must have a label for each of the 3 images of .*images; got 2. Take both from one set"),
        ((2, 2, 2), (3,), "labels must have a label for each of the 2 images of .*images; got 3"),
        ((3, 4), (3,), r"images must hold images, an array of 3 dimensions that is not empty; got shape \(3, 4\)"),
        ((3, 2, 2), (3, 1), r"labels must hold labels, an array of 1 dimension that is not empty; got shape \(3, 1\). Give"),
        ((0, 2, 2), (0,), r"images must hold images, .*; got shape \(0, 2, 2\)"),
    ],
)
def test_images_and_labels_have_to_fit(tmp_path: Path, images: tuple[int, ...], labels: tuple[int, ...], text: str) -> None:
    paths = write(tmp_path / "images", np.zeros(images)), write(tmp_path / "labels", np.zeros(labels))
    with pytest.raises(ValueError, match=text):
        read_labelled(*paths)


@pytest.mark.parametrize(
    "names", [{}, {"end": ".gz"}, {"dash": "."}, {"train": "train-10k", "end": ".gz"}, {"train": "train-10k", "test": "t10k-100"}], ids=str
)
def test_a_folder_of_idx_files_under_any_usual_names(tmp_path: Path, names: dict[str, str]) -> None:
    train, test = sources.read_digits(data_dir=fill(tmp_path / "any", **names))
    assert train.labels.tolist() == TRAIN_LABELS.tolist()
    assert (train.images == tagged(TRAIN_LABELS, 0)).all()
    assert test.labels.tolist() == TEST_LABELS.tolist()
    assert (test.images == tagged(TEST_LABELS, 1000)).all()
    assert train.white == test.white == 255


def test_a_file_that_is_there_plain_and_gzipped_is_read_plain(folder: Path) -> None:
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"left over from a broken download")
    assert len(sources.read_digits(data_dir=folder)[0].labels) == len(TRAIN_LABELS)


def test_the_argument_comes_before_the_variable_and_that_before_the_cache(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = fill(tmp_path / "cache" / "neural-sculpting" / "mnist", end=".gz")
    write(cache / "t10k-labels-idx1-ubyte.gz", np.full(40, 1))
    other = fill(tmp_path / "other")
    write(other / "t10k-labels-idx1-ubyte", np.full(40, 2))

    def labels(data_dir: Path | None = None) -> set[int]:
        return set(sources.read_digits(data_dir=data_dir)[1].labels.tolist())

    assert labels() == {1}
    monkeypatch.setenv("SCULPTING_DATA", str(other))
    assert labels() == {2}
    assert labels(folder) == set(range(10))
    monkeypatch.setenv("SCULPTING_DATA", "")
    assert labels() == {1}
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    fill(tmp_path / ".cache" / "neural-sculpting" / "mnist", end=".gz")
    assert labels() == set(range(10))


@pytest.fixture
def openml(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """A small substitute for OpenML, with its own checksums; it counts the fetches."""
    images, labels = np.zeros((7, 28, 28), dtype=np.uint8), np.array([5, 0, 4, 1, 9, 7, 2])
    images[:, 3, 5] = 10 * np.arange(7)
    fetches: Counter[str] = Counter()

    def fetch(name: str, *, version: int, as_frame: bool, parser: str) -> Bunch:
        fetches[f"{name} {version} {as_frame} {parser}"] += 1
        return Bunch(data=images.reshape(7, 784).astype(float), target=labels.astype(str).astype(object))

    parts = (images[:5], labels[:5].astype(np.uint8), images[5:], labels[5:].astype(np.uint8))
    known = dict(zip(sources.CHECKSUMS, (sha256(idx_bytes(part)).hexdigest() for part in parts), strict=True))
    monkeypatch.setattr(sources, "CHECKSUMS", known)
    monkeypatch.setattr(sources, "TRAINING_IMAGES", 5)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    return fetches


def test_without_files_mnist_is_fetched_once_checked_and_kept(tmp_path: Path, openml: Counter[str]) -> None:
    for _ in range(2):
        train, test = sources.read_digits()
        assert (train.labels.tolist(), test.labels.tolist()) == ([5, 0, 4, 1, 9], [7, 2])
        assert [part.images[:, 3, 5].tolist() for part in (train, test)] == [[0, 10, 20, 30, 40], [50, 60]]
        assert train.images.sum() == 100
    assert openml == {"mnist_784 1 False liac-arff": 1}
    kept = tmp_path / "cache" / "neural-sculpting" / "mnist"
    assert sorted(path.name for path in kept.iterdir()) == sorted(f"{name}.gz" for name in sources.CHECKSUMS)
    (kept / "t10k-labels-idx1-ubyte.gz").unlink()
    sources.read_digits()
    assert openml.total() == 2


@pytest.mark.parametrize("name", sources.CHECKSUMS)
def test_files_with_another_checksum_are_refused_and_not_kept(
    tmp_path: Path, openml: Counter[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sources.CHECKSUMS, name, "0" * 64)
    with pytest.raises(ValueError, match=f"{name} from OpenML must have SHA-256 0{{64}}; got [0-9a-f]{{64}}. Get the files elsewhere"):
        sources.read_digits()
    assert not (tmp_path / "cache").exists()


def test_with_neither_files_nor_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        f"MNIST is not in {tmp_path}/cache/neural-sculpting/mnist and cannot be fetched from OpenML (<urlopen error no route to host>). "
        "Either connect to the network and try again, or pass data_dir= or set SCULPTING_DATA to a folder with train-images-idx3-ubyte, "
        "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte. source='digits' needs neither"
    )
    with pytest.raises(FileNotFoundError, match=re.escape(text)):
        tasks.mnist_pair()


@pytest.mark.parametrize(
    ("fetch", "text"),
    [
        (lambda: Bunch(data=np.zeros((3, 10)), target=np.array(["1", "2", "3"])), "cannot reshape"),
        (lambda: raises(IncompleteRead(b"half", 10)), "IncompleteRead"),
        (lambda: raises(ValueError("md5 checksum of local file does not match")), "md5 checksum"),
    ],
)
def test_every_failure_of_fetching_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, fetch: Callable[[], Bunch], text: str) -> None:
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda *_, **__: fetch())
    with pytest.raises(FileNotFoundError, match=rf"cannot be fetched from OpenML \({text}"):
        tasks.mnist_xor()


def raises(error: Exception) -> Bunch:
    raise error


def test_published_checksums_are_those_of_the_real_test_files() -> None:
    needs_mnist()
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        assert sha256(idx_bytes(read_idx(MNIST / f"{name}.gz"))).hexdigest() == sources.CHECKSUMS[name]


def test_the_small_images_of_scikit_learn_are_a_source() -> None:
    train, test = sources.read_digits("digits")
    known = sklearn.datasets.load_digits()
    assert np.concatenate([train.images, test.images]).tolist() == known.images.tolist()
    assert np.concatenate([train.labels, test.labels]).tolist() == known.target.tolist()
    assert (len(train.labels), len(test.labels), train.white, test.white, train.images.max()) == (1498, 299, 16, 16, 16)


def spoil_images(folder: Path, start: str, shape: tuple[int, ...]) -> None:
    write(folder / f"{start}-images-idx3-ubyte", np.zeros(shape))


def spoil_labels(folder: Path, start: str, old: int, new: int, keep: int = 0) -> None:
    labels = np.array(TRAIN_LABELS if start == "train" else TEST_LABELS)
    labels[np.flatnonzero(labels == old)[keep:]] = new
    write(folder / f"{start}-labels-idx1-ubyte", labels)


@pytest.mark.parametrize(
    ("spoil", "error", "text"),
    [
        (lambda f: spoil_labels(f, "train", 3, 10), ValueError, "training images in .*data must have labels 0...9; got 10. Give files of"),
        (lambda f: spoil_labels(f, "t10k", 3, 255), ValueError, "test images in .*data must have labels 0...9; got 255"),
        (
            lambda f: spoil_labels(f, "train", 3, 4, keep=1),
            ValueError,
            "training images in .* must have at least 2 of each digit, one for training and one for validation; got 1 of 3. Give files",
        ),
        (lambda f: spoil_labels(f, "t10k", 7, 4), ValueError, "test images in .* at least 1 of each digit, for testing; got 0 of 7"),
        (lambda f: spoil_images(f, "train", (180, 4, 5)), ValueError, "training images in .* must be square; got 4 x 5 pixels. Give other"),
        (lambda f: spoil_images(f, "t10k", (40, 6, 6)), ValueError, "must be of one size; got 4 pixels a side for training and 6 for"),
        (lambda f: spoil_images(f, "t10k", (39, 4, 4)), ValueError, "must have a label for each of the 39 images"),
        (
            lambda f: (f / "t10k-labels-idx1-ubyte").unlink(),
            FileNotFoundError,
            r"data must hold one file t10k\*labels-idx1-ubyte, plain or .gz; got none. Put the four MNIST files there and no others",
        ),
        (
            lambda f: fill(f, train="train-10k", end=".gz"),
            FileNotFoundError,
            r"one file train\*images-idx3-ubyte, plain or .gz; got train-10k-images-idx3-ubyte, train-images-idx3-ubyte. Put",
        ),
    ],
)
def test_a_bad_folder_gets_one_clear_error(folder: Path, spoil: Callable[[Path], object], error: type[Exception], text: str) -> None:
    spoil(folder)
    with pytest.raises(error, match=text):
        tasks.mnist_xor(data_dir=folder)
