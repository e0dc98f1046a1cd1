"""Mutations that readers share: of bytes, of JSON values, and odd objects."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from random import Random
from typing import Any

__all__ = ["flipped_bit", "mutated_bytes", "mutated_json", "odd_text", "odd_values"]

TEXTS = (
    "", " ", "\0", "a\0b", "a\nb", "a\rb", "\u202eabc", "\ufeff", "<script>alert(1)</script>", "]]>", "'\"", "../../etc", "/", ".", "..",
    "=1+1", "-1", "NaN", "inf", "1e400", "\N{SNOWMAN}", "\N{GRINNING FACE}", "\ud800", "%s%n", "{0}", "\\", "None", "true", "ß", "x" * 300,
    "y" * 10_000,
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 3, 7, 255, 256, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**9, 10**18, 10**40, -(10**9), 0.5, -0.0,
    1e-320, 1e308, 1e18, math.nan, math.inf, -math.inf,
)  # fmt: skip


def flipped_bit(random: Random, data: bytes) -> bytes:
    """The bytes with one bit changed."""
    place = random.randrange(8 * len(data))
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def mutated_bytes(random: Random, data: bytes) -> bytes:
    """The bytes after one to four mutations, now and then none."""
    for _ in range(random.choice((0, 1, 1, 1, 1, 2, 3, 4))):
        data = random.choice(BYTES)(random, data)
    return data


def _cut(random: Random, data: bytes) -> bytes:
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return random.choice((data[:a], data[b:], data[:a] + data[b:]))


def _inserted(random: Random, data: bytes) -> bytes:
    place = random.randrange(len(data) + 1)
    more = random.choice((random.randbytes(random.randrange(1, 40)), b"\0" * 8, b"[" * 3000, b'{"a":' * 3000, b"\xff\xfe", b"\r\n"))
    return data[:place] + more + data[place:]


def _repeated(random: Random, data: bytes) -> bytes:
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:b] + data[a:b] + data[b:]


def _overwritten(random: Random, data: bytes) -> bytes:
    number = random.choice([number for number in NUMBERS if isinstance(number, int) and -(2**63) <= number < 2**63])
    more = random.choice((struct.pack("<q", number), struct.pack(">i", number % 2**31), str(number).encode(), b"\0", b"\xff"))
    place = random.randrange(min(len(data), 64) + 1) if random.random() < 0.5 else random.randrange(len(data) + 1)
    return data[:place] + more + data[place + len(more) :]


def _flipped(random: Random, data: bytes) -> bytes:
    return flipped_bit(random, data) if data else data


BYTES: tuple[Callable[[Random, bytes], bytes], ...] = (_flipped, _flipped, _cut, _inserted, _repeated, _overwritten)


def odd_text(random: Random) -> str:
    """A text that a careless reader trips over."""
    return random.choice(TEXTS)


def odd_json(random: Random) -> Any:
    """A JSON value of a random kind, also a deep or a long one."""
    kind = random.randrange(8)
    if kind == 0:
        value: Any = random.choice(NUMBERS)
        for _ in range(random.choice((1, 30, 900, 5000))):
            value = [value] if random.random() < 0.5 else {"a": value}
        return value
    if kind == 1:
        return [random.choice(NUMBERS) for _ in range(random.choice((0, 1, 3, 1000)))]
    if kind == 2:
        return {odd_text(random): random.choice(NUMBERS) for _ in range(3)}
    if kind == 3:
        return random.choice((None, True, False))
    return odd_text(random) if kind == 4 else random.choice(NUMBERS)


def mutated_json(random: Random, value: Any) -> Any:
    """The value with one to three places of it changed: dropped, of another kind, doubled, deep, huge, not a number."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value = _changed(random, value)
    return value


def _changed(random: Random, value: Any) -> Any:
    inside = isinstance(value, (dict, list)) and len(value) > 0
    if not inside or random.random() < 0.15:
        return odd_json(random)
    if isinstance(value, dict):
        name = random.choice(list(value))
        kind = random.randrange(6)
        if kind == 0:
            return {key: each for key, each in value.items() if key != name}
        if kind == 1:
            return {**value, odd_text(random): odd_json(random)}
        if kind == 2:
            return {odd_text(random) if key == name else key: each for key, each in value.items()}
        return {**value, name: _changed(random, value[name])}
    place, kind = random.randrange(len(value)), random.randrange(6)
    if kind == 0:
        return value[:place] + value[place + 1 :]
    if kind == 1:
        return value[: place + 1] + value[place:]
    if kind == 2:
        return value * 2
    return [*value[:place], _changed(random, value[place]), *value[place + 1 :]]


class _Liar:
    """An object whose length is no length, whose items are no items."""

    def __len__(self) -> int:
        return 10**12

    def __getitem__(self, key: object) -> object:
        return self

    def __iter__(self) -> Any:
        raise RuntimeError("an iterator that fails")


class _NoText:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def odd_values(random: Random) -> Any:
    """An argument that nobody would mean: of any kind."""
    kind = random.randrange(12)
    if kind == 0:
        return random.choice(
            (b"bytes", 1j, {1, 2}, frozenset(), range(3), slice(None), ..., NotImplemented, object(), int, print, iter([1]))
        )
    if kind == 1:
        return random.choice((_Liar(), _NoText()))
    if kind == 2:
        return lambda *_, **__: None
    return odd_json(random)
