"""Calls of the library leave the process as it was, and their results do not depend on what the caller has set in torch."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from module_maps import SmallCNN
from process_state import changes, state
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from sculpting import Frontier, SparseModule, read_model, sculpt, tasks
from sculpting.models.groups import units
from sculpting.narrow import ablation_scores, attribution_scores, narrow, prune_units

QUICK: dict[str, Any] = {
    "seeds": 2, "unit_steps": [0.5], "edge_steps": [0.4], "unit_tries": 1, "edge_tries": 1, "steps": 8, "dense_rounds": 2,
    "learning_rate": 0.03, "min_accuracy": 0.4, "progress": False,
}  # fmt: skip
NARROW: dict[str, Any] = {"batch_size": 64, "learning_rate": 0.003, "recovery_steps": 12, "revival_steps": 12, "steps": 12}


torch.manual_seed(0)
CHAIN = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
CNN = SmallCNN(classes=2)


def chain() -> nn.Module:
    return CHAIN


def cnn() -> nn.Module:
    return CNN


def rows() -> tuple[Tensor, Tensor]:
    x = torch.rand(60, 4, generator=torch.Generator().manual_seed(0), device="cpu", dtype=torch.float32)
    return x, (x[:, 0] > x[:, 1]).long()


def images() -> tuple[Tensor, Tensor]:
    x = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0), device="cpu", dtype=torch.float32)
    y = torch.arange(60, device="cpu") % 2
    x[y == 0, :, :3] += 1
    return x, y


def weights(networks: Any) -> list[np.ndarray]:
    found = [network.state.values() if isinstance(network, SparseModule) else network.weights for network in networks]
    return [np.asarray(part) for parts in found for part in parts]


def sculpted(model: nn.Module, data: Any) -> list[np.ndarray]:
    result = sculpt(model, data, **QUICK)
    assert result.candidates
    answers = result.predict(data[0] if isinstance(data, tuple) else data.x)
    figures = [value for figure in (result.test_accuracy, result.dense_test_accuracy) if figure for value in (figure.value, figure.low)]
    if result.test_accuracy is not None:
        figures += [point.validation.value for point in Frontier.of(result.candidates, result.dense, result.task).points]
    return [*weights(result.candidates), answers, np.array([*figures, *(figure.value for figure in result.by_output().values())])]


def of_task() -> list[np.ndarray]:
    task = tasks.from_gates({"y": "(a & b) | c"})
    return sculpted(task.model(width=6, hidden_layers=1), task)


def of_loader() -> list[np.ndarray]:
    loader = DataLoader(TensorDataset(*rows()), batch_size=16, shuffle=True, generator=torch.Generator().manual_seed(3))
    return weights(sculpt(chain(), loader, **QUICK).candidates)


def narrowed(model: Callable[[], nn.Module], data: Callable[[], Any], method: str) -> list[np.ndarray]:
    size = {} if method == "group-lasso" else {"sparsity": 0.3}
    found = narrow(model(), data(), method=method, seeds=2, **size, **NARROW)
    return weights([found.network])


def compacted() -> list[np.ndarray]:
    x = images()[0]
    pruned = prune_units(cnn(), ablation_scores(cnn(), images()), 0.4)
    assert isinstance(pruned, SparseModule)
    small = pruned.compact(x).module
    return [np.asarray(part.detach()) for part in small.parameters()] + [pruned.predict(x)]


def made() -> list[np.ndarray]:
    several = [tasks.boolean([4, 1, 4]), tasks.cmsp(2, 2), tasks.two_sums(3), tasks.random_gates(0), tasks.from_table([[0], [1]], [0, 1])]
    several += [tasks.side_by_side(tasks.from_gates({"y": "a & b"}), tasks.from_gates({"z": "a | b"}))]
    return [np.asarray(part) for task in several for part in (task.x, task.y)] + [np.array([task.constant_accuracy() for task in several])]


def compiled() -> list[np.ndarray]:
    program = tasks.compiled("reverse")
    return [np.asarray(part.detach()) for part in program.model.parameters()] + [np.asarray(program.task.x)]


CALLS: dict[str, Callable[[], list[np.ndarray]]] = {
    "sculpt a chain": lambda: sculpted(chain(), rows()),
    "sculpt a task": of_task,
    "sculpt a CNN": lambda: sculpted(cnn(), images()),
    "sculpt from a loader": of_loader,
    "read_model": lambda: [read_model(chain()).values.numpy()],
    "units": lambda: [np.frombuffer(str(units(cnn(), images()[0])).encode(), dtype=np.uint8)],
    "narrow a chain": lambda: narrowed(chain, rows, "group-lasso"),
    "distill a chain": lambda: narrowed(chain, rows, "distill"),
    "narrow a CNN": lambda: narrowed(cnn, images, "first-order"),
    "ablation_scores": lambda: [*ablation_scores(cnn(), images()), *ablation_scores(chain(), rows())],
    "attribution_scores": lambda: [
        *attribution_scores(cnn(), images(), "activation_gradient"), *attribution_scores(chain(), rows()),
    ],
    "prune and compact": compacted,
    "tasks": made,
    "compiled": compiled,
}  # fmt: skip


@contextlib.contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def default_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def all_at_once() -> Iterator[None]:
    with torch.inference_mode(), default_dtype(), default_device(), torch.autocast("cpu", dtype=torch.bfloat16):
        yield


SURROUNDINGS: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "default dtype": default_dtype,
    "default device": default_device,
    "device context": lambda: torch.device("meta"),
    "all at once": all_at_once,
}
MODULES = [name for name in CALLS if "CNN" in name or name in ("units", "ablation_scores", "attribution_scores", "prune and compact")]
PAIRS = [(name, around) for name in CALLS for around in SURROUNDINGS if name not in MODULES or around == "all at once"]


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """What SciPy, SymPy and scikit-learn enter as they are first imported: filters for warnings of their own, and two variables."""
    sculpt(CHAIN, rows(), **QUICK)
    units(CNN, images()[0])


@pytest.fixture
def unusual() -> Iterator[dict[str, Any]]:
    """A process with another number of threads, and generators that are somewhere; its state."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    yield state()
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_leaves_the_process_as_it_was(name: str, unusual: dict[str, Any]) -> None:
    CALLS[name]()
    assert changes(unusual, state()) == {}


@pytest.mark.parametrize(("name", "around"), PAIRS)
def test_the_result_does_not_depend_on_the_surroundings(name: str, around: str) -> None:
    expected = CALLS[name]()
    with SURROUNDINGS[around]():
        before = state()
        found = CALLS[name]()
        assert changes(before, state()) == {}
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
