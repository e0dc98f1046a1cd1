"""Two hundred mutated inputs for every reader; ``make fuzz`` runs many more."""

from __future__ import annotations

import os
import random
import sys
import time

import pytest
from fuzz.harness import Another, Reader, counted, outcomes
from fuzz.mutations import flipped_bit, mutated_bytes, mutated_json, odd_values
from fuzz.table import readers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are forked, and their memory is limited as Linux does")
SEED, INPUTS = 0, 200


@pytest.mark.parametrize("reader", readers(), ids=lambda reader: reader.name)
def test_mutated_inputs_are_right_or_refused(reader: Reader) -> None:
    counts, faults = counted(outcomes(reader, SEED, INPUTS))
    assert not faults, "\n".join(f"{each.number}: {each.outcome}: {each.text}" for each in faults[:10])
    assert sum(counts.values()) == INPUTS
    assert (counts["documented"] > 0) == bool(reader.refused)  # mutations that nothing refuses try nothing


def test_the_harness_sees_each_kind_of_fault() -> None:
    def read(kind: str) -> None:
        if kind == "documented":
            raise ValueError("refused")
        if kind == "other":
            raise KeyError("not documented")
        if kind == "another":
            raise Another("it lies")
        if kind == "memory":
            bytearray(2**29)
        while kind == "hang":
            time.sleep(1)
        if kind == "dead":
            os._exit(3)

    kinds = ("right", "documented", "other", "hang", "another", "memory", "dead", "right")
    found = [
        next(outcomes(Reader("own", lambda _, __, kind=kind: kind, read), 0, 1, seconds=0.3, memory=2**28)).outcome  # type: ignore[misc]
        for kind in kinds
    ]
    assert found == ["right", "documented", "other", "hang", "another", "other", "other", "right"]


def test_a_run_goes_on_after_a_hang() -> None:
    def read(number: int) -> None:
        while number == 0:
            time.sleep(1)

    reader = Reader("own", lambda generator, _: generator.randrange(3), read)
    counts, faults = counted(outcomes(reader, 1, 12, seconds=0.2))
    assert counts["hang"] == len(faults) > 0
    assert counts["right"] == 12 - counts["hang"] > 0
    again = counted(outcomes(reader, 1, 6, first=6, seconds=0.2))[1]
    assert [each.number for each in again] == [each.number for each in faults if each.number >= 6]


def test_mutations_depend_on_the_generator_alone() -> None:
    value = {"widths": [3, 2], "names": ["a", "b"], "rate": 0.5}
    first, second = ([mutated_bytes(random.Random(i), b"0123456789" * 9) for i in range(99)] for _ in range(2))
    assert first == second
    assert len(set(first)) > 60
    texts = [[_shown(mutated_json(random.Random(i), value)) for i in range(99)] for _ in range(2)]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 60
    assert value == {"widths": [3, 2], "names": ["a", "b"], "rate": 0.5}
    assert bin(int.from_bytes(flipped_bit(random.Random(0), b"abc")) ^ int.from_bytes(b"abc")).count("1") == 1
    assert len({type(odd_values(random.Random(i))) for i in range(300)}) > 8


def _shown(value: object) -> str:
    try:
        return repr(value)
    except RecursionError:
        return "deep"
