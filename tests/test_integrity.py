"""Files know when they were changed: one bit anywhere is refused, or gives the same content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from fuzz.readers_files import chain_file, facts_of, module_file
from safetensors.numpy import load, save

from sculpting import SparseModule, SparseNetwork
from sculpting.integrity import UNSIGNED, call_digest, is_number, read_safetensors, sign, signed
from sculpting.plain import plain_value

DATA = Path(__file__).parent / "data"
KINDS: dict[str, tuple[Any, Callable[[], bytes]]] = {"chain": (SparseNetwork, chain_file), "module": (SparseModule, module_file)}


def content(**metadata: str) -> bytes:
    return save({"a": np.arange(6, dtype=np.float32)}, {**metadata, **UNSIGNED})


def test_a_digest_is_the_same_in_memory_and_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole = content(x="y")  # one writing for both: the order of the fields is not the same from one to the next
    path.write_bytes(whole)
    sign(path)
    assert path.read_bytes() == signed(whole)
    found = read_safetensors(path, "numpy")
    assert (found.altered, found.metadata["x"], found.tensors["a"].tolist()) == (False, "y", [0, 1, 2, 3, 4, 5])


def test_what_a_field_says_is_no_digest(tmp_path: Path) -> None:
    for number, text in enumerate(('"digest":"' + "0" * 64 + '"', "0" * 64, '{"digest":"1"}')):
        (tmp_path / str(number)).write_bytes(signed(content(x=text)))
        assert read_safetensors(tmp_path / str(number), "numpy").altered is False
    (tmp_path / "none").write_bytes(save({"a": np.zeros(1)}, {"x": '"digest":"' + "0" * 64 + '"'}))
    assert read_safetensors(tmp_path / "none", "numpy").altered is None


def test_what_was_read_stays_when_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(signed(content()))
    found = [read_safetensors(path, framework).tensors["a"] for framework in ("pt", "numpy")]
    path.write_bytes(bytes(len(path.read_bytes())))
    assert all(part.tolist() == [0, 1, 2, 3, 4, 5] for part in found)


@pytest.mark.parametrize("kind", KINDS)
def test_one_bit_flipped_anywhere_is_refused(kind: str, tmp_path: Path) -> None:
    reader, file = KINDS[kind]
    whole, random, path = file(), Random(0), tmp_path / "network"
    path.write_bytes(whole)
    intact = facts_of(reader.load(path))
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*range(64), *random.sample(range(64, 8 * header), 150), *random.sample(range(8 * header, 8 * len(whole)), 50)]
    refused = 0
    for place in places:
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            assert facts_of(reader.load(path)) == intact
        except ValueError:
            refused += 1
    assert refused == len(places)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_network_is_taken_only_when_asked_for_and_marked(kind: str, tmp_path: Path) -> None:
    reader, file = KINDS[kind]
    path = tmp_path / "network"
    path.write_bytes(file()[:-1] + bytes([file()[-1] ^ 1]))
    with pytest.raises(
        ValueError, match=r"network was changed since it was written: .* or pass altered=True to take it all the same, marked"
    ):
        reader.load(path)
    assert reader.load(path, altered=True).origin["altered"] is True
    again = reader.load(reader.load(path, altered=True).save(tmp_path / "again"))
    assert again.origin["altered"] is True  # for good
    path.write_bytes(file())
    assert "altered" not in reader.load(path, altered=True).origin


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_whose_digest_was_taken_away_is_refused_and_one_of_before_is_read(kind: str, tmp_path: Path) -> None:
    reader, file = KINDS[kind]
    size = int.from_bytes(file()[:8], "little")
    metadata = json.loads(file()[8 : 8 + size])["__metadata__"]
    del metadata["digest"]
    path = tmp_path / "network"
    path.write_bytes(save(load(file()), metadata))
    with pytest.raises(ValueError, match="was changed since it was written"):
        reader.load(path)
    path.write_bytes(save(load(file()), metadata | {"version": "1"}))
    assert "altered" not in reader.load(path).origin
    assert SparseNetwork.load(DATA / "network_v1.safetensors").edge_count == 16


# What identifies a call


def test_a_call_is_told_from_others_by_shapes_dtypes_and_the_borders_of_its_parts() -> None:
    x = torch.arange(30.0).view(30, 1)
    calls = [
        ("f", [x[:20], x[20:]]), ("f", [x[:10], x[10:]]), ("f", [x]), ("f", [x.view(15, 2)]), ("f", [x.view(torch.int32)]),
        ("f0", [x]), ("", [x]), ("f", []), ("f", [x[:0]]), ("f", [x[:0].view(0, 5)[:, :0]]), ("f", [x.bfloat16()]), ("f", [x > 3]),
    ]  # fmt: skip
    assert len({call_digest(*call) for call in calls}) == len(calls)
    assert call_digest("f", [x.t().contiguous().t()]) == call_digest("f", [x])


# JSON


def test_json_is_bounded() -> None:
    assert plain_value('{"a": [1, null, -Infinity]}', finite=False) == {"a": [1, None, float("-inf")]}
    with pytest.raises(ValueError, match="every key must occur once; got 'a' twice"):
        plain_value('{"a": 1, "a": 2}', finite=False)
    for text in ("[" * 100 + "]" * 100, "[" * 100_000 + "]" * 100_000, '{"a":' * 40 + "1" + "}" * 40):
        with pytest.raises(ValueError, match="at most 32 deep in one another"):
            plain_value(text, finite=False)
    for text in ("", "{", "1" * 10_000):
        with pytest.raises(ValueError, match=r"."):
            plain_value(text, finite=False)
    assert [is_number(value, 0, 2) for value in (1, 2.0, -1, 3, 10**400, True, "1", None, float("nan"))] == [True, True] + [False] * 7


def test_tensors_of_odd_shapes_and_dtypes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for shape, dtype in (([0, 2**40, 2**40], "F32"), ([0] * 40, "F32"), ([0], "F4")):
        header = json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]}}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        with pytest.raises(ValueError, match=r"the tensor 'a' must|dtype|shape|overflow|Overflow"):
            read_safetensors(path)
