"""What tasks and data ask for is checked and bounded before anything is built."""

from __future__ import annotations

import gzip
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from sculpting import sculpt, tasks
from sculpting.tasks.idx import idx_bytes, read_idx


def chained(sign: str, count: int) -> dict[str, str]:
    return {f"g{i}": f"x0 {sign} x1" if i == 0 else f"g{i - 1} {sign} x{i % 10}" for i in range(count)}


def sharing(count: int) -> dict[str, str]:
    return {f"g{i}": "x0 ^ x1" if i < 2 else f"g{i - 1} ^ g{i - 2}" for i in range(count)}


def wide(count: int) -> dict[str, str]:
    return {f"g{i}": f"x{i % 10} & (x{i // 10 % 10} | ~x{(i // 100 + 3) % 10})" for i in range(count)}


@pytest.mark.parametrize(
    "gates", [chained("^", 1000), chained("&", 1000), sharing(1000), wide(1000), {"y": " ^ ".join(map("a{}".format, range(20)))}]
)
def test_the_truth_of_a_thousand_gates_takes_about_a_second(gates: dict[str, str]) -> None:
    graph = tasks.GateGraph.parse(gates)
    start = time.process_time()
    truth = tasks.truth_graph(graph, hidden_layers=2)
    assert time.process_time() - start < 10  # a second on a processor of its own; before, it did not end
    assert sorted(o for _, facts in truth.nodes(data=True) for o in facts["outputs"]) == list(range(len(graph.outputs)))


def test_unnamed_parts_are_shown_in_the_order_of_the_formula() -> None:
    truth = tasks.random_gates(0).truth(hidden_layers=1)  # it depended on the hash seed of the process
    assert truth.nodes[3]["function"] == "p3.0, p3.1"


def test_a_gate_with_the_name_of_a_part_is_refused() -> None:
    graph = tasks.GateGraph.parse({"p": "a ^ b", "p+": "a & b"})
    with pytest.raises(ValueError, match=r"names of parts of other gates; got 'p\+' for both"):
        tasks.truth_graph(graph, 2)


class Unshown:
    def __repr__(self) -> str:
        raise RuntimeError


class Broken(Dataset[Any]):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, i: int) -> Any:
        raise RuntimeError("row")


class Endless(Broken):
    def __getitem__(self, i: int) -> Any:
        return torch.zeros(2)


X = torch.rand(8, 2, generator=torch.Generator().manual_seed(0))
Y = torch.arange(8) % 2
BOTH = tasks.boolean("both")


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: tasks.from_gates({"y": Unshown()}), ValueError, "must be a formula, as text"),  # type: ignore[dict-item]
        (lambda: tasks.from_gates({None: "a"}), TypeError, "names of gates must be text"),  # type: ignore[dict-item]
        (lambda: tasks.from_gates({"y": "a"}, inputs=3), TypeError, "inputs must be a sequence of names"),  # type: ignore[arg-type]
        (lambda: tasks.from_gates({"y": "a"}, outputs=itertools.repeat("y")), ValueError, "different names"),  # type: ignore[arg-type]
        (lambda: tasks.from_gates({"y": "a &" * 200_000 + "b"}), ValueError, "at most 300,000 characters"),
        (lambda: tasks.from_gates({f"g{i}": "a" for i in range(10_001)}), ValueError, "at most 10,000; got 10,001"),
        (lambda: tasks.from_gates({"y": "a" * 1001}), ValueError, "at most 1,000 characters"),
        (lambda: tasks.from_gates({f"g{i}": f"x{i % 20} & x1" for i in range(400)}), ValueError, "must take at most 400 MB"),
        (lambda: BOTH.truth(10**9), ValueError, "must take at most 2,000,000 steps"),
        (lambda: BOTH.truth("2"), ValueError, "hidden_layers must be a whole number"),  # type: ignore[arg-type]
        (lambda: BOTH.model(width=10**9), ValueError, "at most 100,000,000 weights and biases"),
        (lambda: BOTH.model(width=1, hidden_layers=10**6), ValueError, "hidden_layers must be at most 1,000"),
        (lambda: BOTH.model(width=1.5), TypeError, "width must be a whole number"),  # type: ignore[arg-type]
        (lambda: tasks.Transformer(4, 4, 2, width=10**6), ValueError, "at most 100,000,000 weights"),
        (lambda: tasks.ConvolutionalNetwork(2, 2, channels=(1, 0)), ValueError, "channels must be a whole number"),
        (lambda: tasks.cmsp(1, 10**9), ValueError, "at most 100,000 task bits"),
        (lambda: tasks.cmsp(2, 2, rows=10**12), ValueError, "rows of a task must take at most 2 GB"),
        (lambda: tasks.cmsp(2, 2, codes=itertools.count()), ValueError, "codes must be different sets"),  # type: ignore[arg-type]
        (lambda: tasks.random_gates(10**30), ValueError, r"seed must be below 2\*\*64"),
        (lambda: tasks.named(7), TypeError, "the name of a task must be text"),  # type: ignore[arg-type]
        (lambda: tasks.as_task((X.to("meta"), Y)), TypeError, "on the device meta"),
        (lambda: tasks.as_task((X[0, 0], Y)), ValueError, "data must have rows; got a single number"),
        (lambda: tasks.as_task((X, [0, 10**9] * 4)), ValueError, "classes must be fewer than the rows"),
        (lambda: tasks.as_task((X, [10**400] * 8)), ValueError, "must hold numbers that a float can"),
        (lambda: tasks.as_task((range(10**9), Y)), ValueError, "must be an array where it has more than"),
        (lambda: tasks.as_task((Endless(), Y)), TypeError, "got Endless. Pass a dataset by itself"),
        (lambda: tasks.as_task(Broken()), ValueError, "reading it failed: RuntimeError"),
        (lambda: tasks.as_task((X, Y), loss=["bce"]), ValueError, "loss must be one of"),  # type: ignore[arg-type]
        (lambda: tasks.as_task((X, Y), name=3), TypeError, "name of a Task must be text"),  # type: ignore[arg-type]
        (lambda: tasks.as_task((X, Y), validation=10**400), ValueError, "validation must be a pair"),
        (lambda: sculpt(BOTH.model(), BOTH, seeds=10**9), ValueError, "must give at most 1,000,000 chains"),
        (lambda: sculpt(BOTH.model(), BOTH, seeds=Unshown()), ValueError, "seeds must be a whole number"),  # type: ignore[arg-type]
        (lambda: sculpt(BOTH.model(), BOTH, device="meta"), ValueError, "device must hold numbers"),
        (lambda: sculpt(BOTH.model(), BOTH, device=[]), ValueError, "device must be available"),  # type: ignore[arg-type]
        (lambda: sculpt(BOTH.model(), BOTH, progress="yes"), TypeError, "progress must be True, False or"),  # type: ignore[arg-type]
        (lambda: sculpt(BOTH.model(), BOTH, checkpoint=3), TypeError, "checkpoint must be a path"),  # type: ignore[arg-type]
        (lambda: sculpt(BOTH.model(), BOTH, keep=3), TypeError, "keep must be a sequence of names"),  # type: ignore[arg-type]
        (lambda: sculpt(BOTH.model(), BOTH, regrow="no"), TypeError, "regrow must be True or False"),  # type: ignore[arg-type]
        (lambda: sculpt(BOTH.model(), BOTH, learning_rate=itertools.repeat(0.1)), ValueError, "at most 1,000; got more"),
        (lambda: sculpt(BOTH.model(), BOTH, unit_steps=[10**400]), ValueError, "unit_steps must be a sequence of fractions"),
        (lambda: sculpt(BOTH.model(), BOTH, tolerance=1j), ValueError, "tolerance must be a fraction"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_documented_error(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    start = time.process_time()
    with pytest.raises(kind, match=text):
        call()
    assert time.process_time() - start < 20


def test_a_gzip_file_is_read_as_far_as_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros(10, dtype=np.uint8)) + b"\0" * 10**8, 1))
    with pytest.raises(ValueError, match=r"has bytes after its array: expected 10 bytes .* got 11 or more"):
        read_idx(path)


@pytest.mark.parametrize(("kind", "error"), [("folder", ValueError), ("device", ValueError), ("none", FileNotFoundError)])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str, error: type[Exception]) -> None:
    path = tmp_path / "images"
    if kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    with pytest.raises(error, match="must be a file"):
        read_idx(path)


def test_a_formula_that_grows_to_the_left_is_read_in_one_go() -> None:
    deep = 40_000
    graph = tasks.GateGraph.parse({"y": "x0 | (" * deep + "x1" + ")" * deep})
    assert len(graph.gates["y"].terms) == deep + 1
