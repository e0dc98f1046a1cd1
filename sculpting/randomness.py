"""Random numbers from keys, so that the numbers of a member do not depend on the other members.

N = members. Numbers come from a counter-based hash. Its constants are those of the 32-bit "lowbias32" mixer (Wellons
2018); the second half of the key is added between its rounds. Numbers are the same on any device, in any order and in any population.
Nothing is drawn from a global generator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from functools import lru_cache
from numbers import Integral

import torch
from torch import Tensor

from .checks import shown
from .sorting import sorted_positions

__all__ = ["bits", "check_seed", "fold", "keys", "normals", "normals_between", "permutations", "uniforms"]

# Kept as tensors: to convert Python's numbers in every call takes as long as the call itself where members are few.
SIXTEEN, FIFTEEN, LOW_16, LOW_17, FIRST_FACTOR, SECOND_FACTOR = (
    torch.tensor(number, dtype=torch.int32, device="cpu") for number in (16, 15, 0xFFFF, 0x1FFFF, 0x7FEB352D, 0x846CA68B - (1 << 32))
)
LARGEST_SEED = 2**64
FEW = 1024  # positions up to which 22 bits of a hash order them: two of 1,024 are tied once in eight draws


def check_seed(seed: object) -> int:
    """The seed as a Python integer, since keys depend on the ``repr`` of names; refused when it is no whole number of 0 ... 2^64 - 1."""
    if not isinstance(seed, Integral) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0; got {shown(seed)}")
    number = int(seed)
    if number >= LARGEST_SEED:
        raise ValueError(f"seed must be below 2**64, as PyTorch's generators require; got {shown(seed)}")
    return number


def keys(names: Sequence[Hashable], device: torch.device | str = "cpu") -> Tensor:
    """Int32 keys of shape ``(N, 2)``, one for each name; equal names give equal keys.

    Examples
    --------
    >>> bool((keys(["a", "b"])[1] == keys(["b"])[0]).all())
    True
    """
    digests = b"".join(hashlib.blake2b(repr(name).encode(), digest_size=8).digest() for name in names)
    return torch.frombuffer(bytearray(digests), dtype=torch.int32).view(-1, 2).to(device)


def fold(key: Tensor, purpose: int | Tensor) -> Tensor:
    """New keys ``(N, 2)`` for one of several purposes, such as the noise of a round; ``purpose`` may hold one number a key, ``(N,)``."""
    start = 2 * purpose.to(key).unsqueeze(1) if isinstance(purpose, Tensor) else 2 * purpose
    return _hash(key, 2, start)


def normals(key: Tensor, length: int, count: int = 1, start: int = 0, last: bool = False, deviation: float = 1.0) -> Tensor:
    """Normal float32 numbers of shape ``(N, count, length)``: the draws ``start ... start + count - 1`` of each key.

    Each hash picks two of the 65,536 equally likely quantiles of the normal distribution, which lie within 4.4 standard
    deviations: ample for noise and initial weights, and twice as fast as ``torch.randn``. ``last`` puts members last in memory.

    Examples
    --------
    >>> both, later = normals(keys([0]), 3, count=2), normals(keys([0]), 3, start=1)
    >>> bool((both[:, 1] == later[:, 0]).all())
    True
    """
    half = (length + 1) // 2
    drawn = _normal_pairs(key, count * half, start * half, last, deviation)
    return drawn.unflatten(1, (count, 2 * half))[:, :, :length]


def normals_between(key: Tensor, length: int, first: int, end: int, draw: int, deviation: float = 1.0) -> Tensor:
    """The numbers ``first ... end - 1`` of one draw of :func:`normals`: float32 ``(N, end - first)``. ``first`` must be even.

    Examples
    --------
    >>> whole = normals(keys([0]), 9, start=5)[:, 0]
    >>> bool((normals_between(keys([0]), 9, 4, 9, draw=5) == whole[:, 4:]).all())
    True
    """
    start = draw * ((length + 1) // 2) + first // 2
    return _normal_pairs(key, (end - first + 1) // 2, start, False, deviation)[:, : end - first]


def _normal_pairs(key: Tensor, count: int, start: int, last: bool, deviation: float) -> Tensor:
    """Two normal numbers for each of the hashes ``start ... start + count - 1``: float32 ``(N, 2 count)``."""
    bits, quantiles = _hash(key, count, start, last), _quantiles(key.device, deviation)
    if last:
        halves = bits.new_empty(count, 2, len(key))
        torch.bitwise_and(bits.t(), LOW_16, out=halves[:, 0])
        torch.bitwise_right_shift(bits.t(), SIXTEEN, out=halves[:, 1]).bitwise_and_(LOW_16)
        return quantiles.index_select(0, halves.flatten()).view(2 * count, len(key)).t()
    halves = bits.view(torch.uint16).int()  # as masked int32, they and the look-up took a fifth longer
    return quantiles.index_select(0, halves.flatten()).view(len(key), 2 * count)


def uniforms(key: Tensor, length: int) -> Tensor:
    """Float64 numbers in [0, 1) of shape ``(N, length)``."""
    return _hash(key, length).double().mul_(2.0**-32).add_(0.5)


def bits(key: Tensor, length: int) -> Tensor:
    """Fair bits, float32 zeros and ones of shape ``(N, length)``: 32 from each hash.

    Examples
    --------
    >>> bits(keys(["a"]), 1000).mean().round(decimals=1).item()
    0.5
    """
    places = (1 << torch.arange(8, device=key.device)).to(torch.uint8)
    whole = _hash(key, -(-length // 32)).view(torch.uint8)
    return (whole.unsqueeze(2) & places).ne_(0).flatten(1)[:, :length].float()


def permutations(key: Tensor, length: int, count: int = 1, start: int = 0) -> Tensor:
    """Random orders of ``range(length)``: integers of shape ``(N, count, length)``, the draws ``start ... start + count - 1`` of each key.

    Examples
    --------
    >>> sorted(permutations(keys([7]), 5)[0, 0].tolist())
    [0, 1, 2, 3, 4]
    """
    ranks = _hash(key, count * length, start * length).view(-1, count, length)
    return sorted_positions(ranks, coarse=length <= FEW)


@lru_cache(maxsize=8)
def _quantiles(device: torch.device, deviation: float) -> Tensor:
    middles = (torch.arange(65536, dtype=torch.float64) + 0.5) / 65536
    return torch.special.ndtri(middles).float().mul_(deviation).to(device)


def _hash(key: Tensor, count: int, start: int | Tensor = 0, last: bool = False) -> Tensor:
    """The hashes of the counters ``start ... start + count - 1``: int32 of shape ``(N, count)``."""
    counters, first = torch.arange(count, dtype=torch.int32, device=key.device), key[:, :1] + start
    second = key[:, 1:].contiguous()  # contiguous: with members last the sum took half as long
    bits = (counters.unsqueeze(1) + first.t()).t() if last else counters + first
    rest = torch.empty_like(bits)
    _fold_down(bits, SIXTEEN, LOW_16, rest)
    bits.mul_(FIRST_FACTOR).add_(second)
    _fold_down(bits, FIFTEEN, LOW_17, rest)
    _fold_down(bits.mul_(SECOND_FACTOR), SIXTEEN, LOW_16, rest)
    return bits


def _fold_down(bits: Tensor, places: Tensor, kept: Tensor, rest: Tensor) -> None:
    """``bits ^= bits >> places``, shifted logically: torch's own shift keeps the sign."""
    bits.bitwise_xor_(torch.bitwise_right_shift(bits, places, out=rest).bitwise_and_(kept))
