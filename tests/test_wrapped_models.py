"""Models inside the wrappers of ``torch.compile`` and data parallelism are taken as the models that they wrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from module_maps import SmallCNN
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from sculpting import SparseModule, from_torch_prune, read_model, sculpt, tasks, to_torch_prune
from sculpting.models import units
from sculpting.models.groups.removal import removed_units
from sculpting.narrow import narrow

TASK = tasks.from_gates({"y": "(a & b) | c"})
CHAIN = TASK.model(width=6, hidden_layers=1)
X = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(60) % 2
STEPS: dict[str, Any] = {"seeds": 1, "unit_steps": [0.4], "edge_steps": [0.2], "progress": False}
SHORT: dict[str, Any] = {**STEPS, "unit_tries": 1, "edge_tries": 1, "steps": 4, "dense_rounds": 1, "min_accuracy": 0.1}
WRAPPERS: dict[str, Callable[[nn.Module], Any]] = {
    "compiled": lambda model: torch.compile(model, backend="eager"),
    "data parallel": nn.DataParallel,
    "distributed": DistributedDataParallel,
    "compiled, distributed": lambda model: torch.compile(DistributedDataParallel(model), backend="eager"),
    "data parallel, compiled": lambda model: nn.DataParallel(torch.compile(model, backend="eager")),  # type: ignore[arg-type]
}


@pytest.fixture(scope="module", autouse=True)
def one_process() -> Iterator[None]:
    """What DistributedDataParallel asks for."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def images() -> SmallCNN:
    torch.manual_seed(0)
    return SmallCNN(classes=2)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_chain_is_the_chain(wrapper: str) -> None:
    wrapped = WRAPPERS[wrapper](CHAIN)
    assert read_model(wrapped).shape == read_model(CHAIN).shape
    assert torch.equal(read_model(wrapped).values, read_model(CHAIN).values)
    network = from_torch_prune(wrapped)
    assert [*to_torch_prune(network).state_dict()] == [*to_torch_prune(from_torch_prune(CHAIN)).state_dict()]
    again, plain = (sculpt(model, TASK, **STEPS).network for model in (wrapped, CHAIN))
    assert all((a == b).all() for a, b in zip(again.weights, plain.weights, strict=True))
    small = [narrow(m, TASK, method="ablation", units=3, recovery_steps=10, seeds=1).network for m in (wrapped, CHAIN)]
    assert all((a == b).all() for a, b in zip(small[0].weights, small[1].weights, strict=True))


BOTH = "compiled, distributed"


@pytest.mark.parametrize("wrapper", [BOTH, *(pytest.param(name, marks=pytest.mark.slow) for name in WRAPPERS if name != BOTH)])
def test_a_wrapped_module_is_the_module(wrapper: str, images: SmallCNN, tmp_path: Path) -> None:
    wrapped = WRAPPERS[wrapper](images)
    found, plain = units(wrapped, X[:4]), units(images, X[:4])
    assert (found.shapes, [layer.name for layer in found.layers]) == (plain.shapes, [layer.name for layer in plain.layers])
    everything = torch.ones(len(plain), dtype=torch.bool)
    assert [*removed_units(wrapped, plain, everything, (X[:4],)).module.state_dict()] == [*images.state_dict()]
    network = sculpt(wrapped, (X, Y), **SHORT).network
    assert (network.name.rpartition(":")[2], [*network.state]) == ("SmallCNN", [*images.state_dict()])
    assert type(network.model()) is SmallCNN
    assert type(SparseModule.load(network.save(tmp_path / "n"), model=wrapped).model()) is SmallCNN
    assert type(narrow(wrapped, (X, Y), method="ablation", units=8, recovery_steps=4, seeds=1).network.model()) is SmallCNN
