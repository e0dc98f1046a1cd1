"""IDX files, the file type of MNIST: a short header, then the bytes of one array.

The header is two zero bytes, a byte for the type, a byte for the number of dimensions, and each dimension as four bytes, the
highest first (LeCun, Cortes and Burges, "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["idx_bytes", "read_idx", "read_labelled"]

UNSIGNED_BYTES = 0x08
GZIP = b"\x1f\x8b"
AGAIN = "Get the file again"


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
        When the file is not such a file, is truncated, or has bytes after the array.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels"
    ...     _ = path.write_bytes(gzip.compress(idx_bytes(np.array([7, 2, 1], dtype=np.uint8))))
    ...     read_idx(path).tolist()
    [7, 2, 1]
    """
    content = _content(Path(path))
    if len(content) < 4 or content[:2] != b"\0\0" or not content[3]:
        raise ValueError(
            f"{path} must be an IDX file, which begins with two zero bytes, a type and a number of dimensions; "
            f"got {content[:4].hex(' ') or 'an empty file'}. Give an IDX file, such as those of MNIST"
        )
    if content[2] != UNSIGNED_BYTES:
        raise ValueError(
            f"{path} must hold unsigned bytes, IDX type 0x08; got type 0x{content[2]:02x}. Convert the values to bytes 0...255"
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{path} must have a header of {start} bytes for {content[3]} dimensions; got {len(content)} bytes. {AGAIN}")
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    expected = int(np.prod(shape, dtype=object))
    if len(content) - start != expected:
        what = "is truncated" if len(content) - start < expected else "has bytes after its array"
        raise ValueError(f"{path} {what}: expected {expected} bytes for shape {shape}; got {len(content) - start}. {AGAIN}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != GZIP:
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} must be a complete gzip file; got one that cannot be read: {error}. {AGAIN}") from error


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
