"""Digests of safetensors files, which tell whether a file was changed since it was written.

The digest is a field of the header. It is the SHA-256 of the whole file with zeros in its own place, so that no bit is left out.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

__all__ = [
    "ALTERED",
    "UNSIGNED",
    "Contents",
    "call_digest",
    "is_number",
    "read_header",
    "read_safetensors",
    "sign",
    "signed",
]

UNSIGNED = {"digest": "0" * 64}  # the field of a header that is still to be filled in
FIELD = re.compile(rb'"digest":"([0-9a-f]{64})"')  # quotes inside the other fields are escaped
ALTERED = "was changed since it was written: its content does not have the digest that its header must state"
LARGEST_HEADER = 100_000_000  # bytes, as safetensors has it
BLOCK = 1 << 20
DTYPES = ("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "I64", "U64", "F64", "C64")
DIMENSIONS, ELEMENTS = 16, 1 << 40  # of one tensor at most, empty ones too, whose other sizes no length of a file bounds


@dataclass(frozen=True, eq=False)
class Contents:
    """What a safetensors file holds.

    Attributes
    ----------
    metadata : dict of str to str
    tensors : dict of str to Tensor, or to arrays
    altered : bool or None
        Whether it was changed since it was written; None where it states no digest.
    """

    metadata: dict[str, str]
    tensors: dict[str, Any]
    altered: bool | None


def signed(content: bytes) -> bytes:
    """The bytes of a safetensors file whose header has the field ``UNSIGNED``, with its digest there."""
    place, _, digest = _digests(io.BytesIO(content))
    return content[:place] + digest + content[place + len(digest) :]


def sign(path: Path) -> None:
    """The same in place, for files that need not fit into memory. Only for a file that nobody reads yet."""
    with path.open("r+b") as file:
        place, _, digest = _digests(file)
        file.seek(place)
        file.write(digest)


def read_header(path: Path) -> dict[str, str]:
    """The fields of the header of a file, to know what it is before anything else of it is read.

    Raises
    ------
    ValueError
        When it is no safetensors file. The text lacks the path.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(str(error)) from error


def read_safetensors(path: Path, framework: str = "pt", dtypes: Collection[str] = DTYPES) -> Contents:
    """The contents of a file, which is read once: later changes of the file do not reach them.

    Sizes are bounded by the length of the file: safetensors checks that they fill it.

    Raises
    ------
    ValueError
        When it is no such file, or holds tensors of other dtypes. The text lacks the path.
    """
    try:
        with path.open("rb") as stream, safe_open(path, framework=framework) as file:
            metadata = file.metadata() or {}
            altered = _altered(stream, "digest" in metadata)
            tensors = {}
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                _check_spec(name, file.get_slice(name).get_dtype(), file.get_slice(name).get_shape(), dtypes)
                tensor = file.get_tensor(name)
                tensors[name] = tensor.clone() if isinstance(tensor, Tensor) else tensor.copy()
            if not os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                raise ValueError("it was replaced while it was read. Read it again")
    except (SafetensorError, OSError) as error:
        raise ValueError(str(error)) from error
    return Contents(metadata, tensors, altered)


def call_digest(facts: str, tensors: Iterable[Tensor]) -> str:
    """A hash that differs between calls whose facts differ, or the shapes, dtypes or elements of their tensors."""
    found = hashlib.sha256(f"{len(facts)} {facts}".encode(errors="backslashreplace"))
    for tensor in tensors:
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def is_number(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    """Whether a value of JSON is a number from ``low`` to ``high``, and no NaN; truth values are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _check_spec(name: str, dtype: str, shape: list[int], dtypes: Collection[str]) -> None:
    if dtype not in dtypes:
        raise ValueError(f"the tensor {name[:80]!r} must be of a dtype among {', '.join(dtypes)}; got {dtype}")
    if len(shape) > DIMENSIONS or math.prod(max(1, size) for size in shape) > ELEMENTS:
        raise ValueError(f"the tensor {name[:80]!r} must have at most {DIMENSIONS} dimensions and {ELEMENTS:,} elements; got {shape[:20]}")


def _altered(stream: BinaryIO, stated: bool) -> bool | None:
    """Whether the file has another digest than it states; None where its header has no field for one."""
    try:
        _, there, digest = _digests(stream)
    except ValueError:
        return True if stated else None  # what it states is no digest
    return there != digest


def _digests(stream: BinaryIO) -> tuple[int, bytes, bytes]:
    """Where the digest of a file stands, what stands there, and what it is."""
    first, header = _header(stream)
    field = FIELD.search(header)
    if field is None:
        raise ValueError("expected a header with a digest; got none")
    place = field.start(1)
    found = hashlib.sha256(first + header[:place] + UNSIGNED["digest"].encode() + header[field.end(1) :])
    while block := stream.read(BLOCK):
        found.update(block)
    return len(first) + place, field[1], found.hexdigest().encode()


def _header(stream: BinaryIO) -> tuple[bytes, bytes]:
    """The bytes of the length of the header, and those of the header; what follows is to be read next."""
    stream.seek(0)
    first = stream.read(8)
    return first, stream.read(min(int.from_bytes(first, "little"), LARGEST_HEADER))
