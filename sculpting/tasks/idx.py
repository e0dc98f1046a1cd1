"""IDX files, the file type of MNIST: a short header, then the bytes of one array.

The header is two zero bytes, a byte for the type, a byte for the number of dimensions, and each dimension as four bytes, the
highest first (LeCun, Cortes and Burges, "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import contextlib
import gzip
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

__all__ = ["idx_bytes", "read_idx", "read_labelled"]

UNSIGNED_BYTES = 0x08
GZIP = b"\x1f\x8b"
AGAIN = "Get the file again"
MOST_BYTES, MOST_DIMENSIONS = 2**32, 32
PIECE = 2**24  # bytes


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """The content of the IDX file of an array of unsigned bytes.

    Examples
    --------
    >>> idx_bytes(np.array([7, 2], dtype=np.uint8)).hex(" ")
    '00 00 08 01 00 00 00 02 07 02'
    """
    return bytes([0, 0, UNSIGNED_BYTES, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes, plain or gzipped. Whether it is gzipped follows from its content, not its name.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    array of uint8
        In the shape that the header gives; read-only.

    Raises
    ------
    ValueError
        When it is no such file, is truncated, has bytes after the array, or its header says more than 4 GiB or 32 dimensions.
    FileNotFoundError
        When there is no file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels"
    ...     _ = path.write_bytes(gzip.compress(idx_bytes(np.array([7, 2, 1], dtype=np.uint8))))
    ...     read_idx(path).tolist()
    [7, 2, 1]
    """
    path = Path(path)
    if not path.is_file():  # a device or a pipe may have no end
        there = path.exists()
        raise (ValueError if there else FileNotFoundError)(f"{path} must be a file; got {'a folder or a device' if there else 'none'}")
    with open(path, "rb") as file:
        zipped = file.read(len(GZIP)) == GZIP
        file.seek(0)
        try:
            with gzip.GzipFile(fileobj=file) if zipped else contextlib.nullcontext(file) as content:
                return _array(content, path)
        except (OSError, EOFError, zlib.error) as error:
            what = "a complete gzip file" if zipped else "a file that can be read"
            raise ValueError(f"{path} must be {what}; got one that cannot be read: {error}. {AGAIN}") from error


def _array(content: IO[bytes] | gzip.GzipFile, path: Path) -> NDArray[np.uint8]:
    """The array of an opened file. Of its content no more is read than the header says, and one byte: gzip makes gigabytes of megabytes."""
    first = content.read(4)
    if len(first) < 4 or first[:2] != b"\0\0" or not first[3]:
        raise ValueError(
            f"{path} must be an IDX file, which begins with two zero bytes, a type and a number of dimensions; "
            f"got {first.hex(' ') or 'an empty file'}. Give an IDX file, such as those of MNIST"
        )
    if first[2] != UNSIGNED_BYTES:
        raise ValueError(f"{path} must hold unsigned bytes, IDX type 0x08; got type 0x{first[2]:02x}. Convert the values to bytes 0...255")
    sizes = content.read(4 * first[3])
    if len(sizes) < 4 * first[3]:
        raise ValueError(
            f"{path} must have a header of {4 + 4 * first[3]} bytes for {first[3]} dimensions; got {4 + len(sizes)} bytes. {AGAIN}"
        )
    shape = tuple(int(size) for size in np.frombuffer(sizes, dtype=">u4"))
    expected = math.prod(shape)
    values = _read(content, min(expected, MOST_BYTES) + 1)
    if len(values) != expected:
        what, got = ("is truncated", "") if len(values) < expected else ("has bytes after its array", " or more")
        raise ValueError(f"{path} {what}: expected {expected} bytes for shape {shape}; got {len(values)}{got}. {AGAIN}")
    if len(shape) > MOST_DIMENSIONS or expected > MOST_BYTES:
        raise ValueError(f"{path} must have at most {MOST_DIMENSIONS} dimensions and {MOST_BYTES:,} bytes; got shape {shape}. {AGAIN}")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _read(content: IO[bytes] | gzip.GzipFile, count: int) -> bytes:
    """As many bytes, or those that there are; in pieces, since a header may say more than there is memory for."""
    pieces = []
    while count and (piece := content.read(min(count, PIECE))):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def read_labelled(images: str | Path, labels: str | Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images, shape (N, height, width), and their labels, shape (N,), of two IDX files.

    Parameters
    ----------
    images, labels : str or Path

    Raises
    ------
    ValueError
        When a file is broken, empty or of the wrong number of dimensions, or the numbers of labels and images differ.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = Path(folder) / "images", Path(folder) / "labels"
    ...     for path, shape in zip(paths, [(3, 2, 2), (3,)]):
    ...         _ = path.write_bytes(idx_bytes(np.zeros(shape, dtype=np.uint8)))
    ...     [part.shape for part in read_labelled(*paths)]
    [(3, 2, 2), (3,)]
    """
    pictures, names = read_idx(images), read_idx(labels)
    for path, array, what, dimensions in ((images, pictures, "images", 3), (labels, names, "labels", 1)):
        if array.ndim != dimensions or not array.size:
            raise ValueError(
                f"{path} must hold {what}, an array of {dimensions} dimension{'s' * (dimensions > 1)} that is not empty; "
                f"got shape {array.shape}. Give images and labels each their own file"
            )
    if len(pictures) != len(names):
        raise ValueError(
            f"{labels} must have a label for each of the {len(pictures)} images of {images}; got {len(names)}. Take both from one set"
        )
    return pictures, names
