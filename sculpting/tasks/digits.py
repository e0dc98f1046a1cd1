"""Sources of images of digits: a folder of IDX files, the user's cache, OpenML, or the small images in scikit-learn."""

from __future__ import annotations

import os
from dataclasses import dataclass
from gzip import compress
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..checks import shown
from ..files import write_file
from ..surroundings import load
from .idx import idx_bytes, read_labelled

__all__ = ["SOURCES", "VARIABLE", "Digits", "read_digits"]

SOURCES = ("mnist", "digits")
VARIABLE = "SCULPTING_DATA"
PARTS = {"train": "training", "t10k": "test"}  # how the names of the files begin
# SHA-256 of the published files before compression, as many copies of MNIST list them.
CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
TRAINING_IMAGES = 60_000  # of the 70,000 at OpenML these are the first


@dataclass(frozen=True, eq=False)
class Digits:
    """Square images of the digits 0 to 9, in the order of their source.

    Attributes
    ----------
    images : array of shape (N, side, side), uint8
    labels : array of shape (N,), uint8
    white : int
        The value of a pixel of full ink; 0 is paper.
    name : str
        The name of the images in error texts.

    Raises
    ------
    ValueError
        When images are not square or a label is no digit.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    white: int
    name: str

    def __post_init__(self) -> None:
        if self.images.shape[1] != self.images.shape[2]:
            raise ValueError(f"{self.name} must be square; got {self.images.shape[1]} x {self.images.shape[2]} pixels. Give other files")
        unknown = np.unique(self.labels[self.labels > 9])
        if len(unknown):
            raise ValueError(f"{self.name} must have labels 0...9; got {unknown[0]}. Give files of digits, such as MNIST")


def read_digits(source: str = "mnist", data_dir: str | Path | None = None) -> tuple[Digits, Digits]:
    """Training and test images; no image is in both.

    Parameters
    ----------
    source : {"mnist", "digits"}
        ``"mnist"`` is read from the first of these: ``data_dir``; the folder in the environment variable ``SCULPTING_DATA``; the user's
        cache, ``$XDG_CACHE_HOME/neural-sculpting/mnist`` or ``~/.cache/...``; OpenML (``mnist_784``, version 1), checked by SHA-256 and
        kept in the cache. ``"digits"`` are the 1,797 images of 8 x 8 pixels in scikit-learn, for quick tests; the last sixth of them are
        the test images.
    data_dir : str or Path, optional
        A folder with IDX files, plain or gzipped: ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``,
        ``t10k-labels-idx1-ubyte``; or parts of them, as ``train-10k-images-idx3-ubyte.gz``.

    Raises
    ------
    TypeError, ValueError
        When ``source`` is not known, ``data_dir`` is no path, or a file is broken or cannot be read.
    FileNotFoundError
        When the folder or files are missing. Where MNIST cannot be fetched either, the text says how to provide it.

    Examples
    --------
    >>> train, test = read_digits("digits")
    >>> train.images.shape, test.images.shape, train.white
    ((1498, 8, 8), (299, 8, 8), 16)
    """
    if not isinstance(source, str) or source not in SOURCES:
        raise ValueError(f"source must be 'mnist' or 'digits'; got {shown(source)}")
    if data_dir is not None and not isinstance(data_dir, (str, Path)):
        raise TypeError(f"data_dir must be the path of a folder, or None; got {shown(data_dir)}")
    if source == "digits":
        if data_dir is not None:
            raise ValueError(f"data_dir must be left out for source='digits', which needs no files; got {str(data_dir)!r}")
        return _bundled()
    folder = data_dir or os.environ.get(VARIABLE)
    return _of_folder(Path(folder) if folder else _cached())


def _bundled() -> tuple[Digits, Digits]:
    load("sklearn.datasets")
    from sklearn.datasets import load_digits

    found = load_digits()
    images, labels = found.images.astype(np.uint8), found.target.astype(np.uint8)
    first_test = len(labels) - len(labels) // 6
    train, test = slice(first_test), slice(first_test, None)
    return Digits(images[train], labels[train], 16, "training digits"), Digits(images[test], labels[test], 16, "test digits")


def _of_folder(folder: Path) -> tuple[Digits, Digits]:
    read = []
    for start, part in PARTS.items():
        images, labels = read_labelled(_only(folder, f"{start}*images[-.]idx3-ubyte"), _only(folder, f"{start}*labels[-.]idx1-ubyte"))
        read.append(Digits(images, labels, 255, f"{part} images in {folder}"))
    train, test = read
    if train.images.shape[1] != test.images.shape[1]:
        raise ValueError(
            f"images in {folder} must be of one size; got {train.images.shape[1]} pixels a side for training and "
            f"{test.images.shape[1]} for testing. Take both from one set"
        )
    return train, test


def _only(folder: Path, pattern: str) -> Path:
    """The one file with a name of this pattern. Of a plain and a gzipped one, the plain one."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}. Name another folder with data_dir= or {VARIABLE}")
    there = {path.name.removesuffix(".gz"): path for path in (*folder.glob(f"{pattern}.gz"), *folder.glob(pattern))}
    if len(there) != 1:
        raise FileNotFoundError(
            f"{folder} must hold one file {pattern.replace('[-.]', '-')}, plain or .gz; got {', '.join(sorted(there)) or 'none'}. "
            f"Put the four MNIST files there and no others like them, or name another folder with data_dir= or {VARIABLE}"
        )
    return next(iter(there.values()))


def _cached() -> Path:
    """The folder in the user's cache with all four files, which are fetched when one is missing."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neural-sculpting" / "mnist"
    paths = {name: folder / f"{name}.gz" for name in CHECKSUMS}
    if not all(path.exists() for path in paths.values()):
        for name, content in _fetched(folder).items():
            write_file(paths[name], compress(content, mtime=0))
    return folder


def _fetched(folder: Path) -> dict[str, bytes]:
    """The content of the four files, from OpenML."""
    from sklearn.datasets import fetch_openml

    try:
        found = fetch_openml("mnist_784", version=1, as_frame=False, parser="liac-arff")  # the other parser needs pandas
        files = _as_files(found.data.reshape(-1, 28, 28).astype(np.uint8), found.target.astype(np.uint8))
    except (OSError, ValueError, HTTPException) as error:
        raise FileNotFoundError(
            f"MNIST is not in {folder} and cannot be fetched from OpenML ({error}). Either connect to the network and try again, or pass "
            f"data_dir= or set {VARIABLE} to a folder with {', '.join(CHECKSUMS)}. source='digits' needs neither"
        ) from error
    for name, content in files.items():
        if sha256(content).hexdigest() != CHECKSUMS[name]:
            raise ValueError(
                f"{name} from OpenML must have SHA-256 {CHECKSUMS[name]}; got {sha256(content).hexdigest()}. "
                f"Get the files elsewhere and pass data_dir= or set {VARIABLE}"
            )
    return files


def _as_files(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, bytes]:
    train, test = slice(TRAINING_IMAGES), slice(TRAINING_IMAGES, None)
    return dict(zip(CHECKSUMS, map(idx_bytes, (images[train], labels[train], images[test], labels[test])), strict=True))
