"""Masks of torch.nn.utils.prune, and ONNX files that onnxruntime reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from quick import QUICK
from torch import nn
from torch.nn.utils import prune

import sculpting
from sculpting import SparseNetwork, from_torch_prune, tasks, to_onnx, to_torch_prune


@pytest.fixture(scope="module")
def network() -> SparseNetwork:
    task = tasks.from_gates({"y": "(a & b) | c"})
    found: SparseNetwork = sculpting.sculpt(task.model(width=6, hidden_layers=2), task, **QUICK).network
    return found


@pytest.fixture(scope="module")
def module() -> tuple[Any, torch.Tensor]:
    x = torch.randn(64, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    y = (x.mean(dim=(1, 2, 3)) > 0).long()
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    result = sculpting.sculpt(model, (x, y), min_accuracy=0.6, **{**QUICK, "seeds": 1})
    return result.network, x


def run(path: Path, *inputs: Any) -> np.ndarray[Any, Any]:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    [answer] = session.run(None, dict(zip([each.name for each in session.get_inputs()], inputs, strict=True)))
    return np.asarray(answer)


def test_masks_go_there_and_back(network: SparseNetwork) -> None:
    model = to_torch_prune(network)
    assert all(prune.is_pruned(layer) for layer in model if isinstance(layer, nn.Linear))
    again = from_torch_prune(model)
    for ours, theirs in zip((*network.weights, *network.biases), (*again.weights, *again.biases), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.activations == network.activations


def test_zeros_stay_zero_in_further_training(network: SparseNetwork) -> None:
    model = to_torch_prune(network)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        model(torch.randn(8, 3, generator=torch.Generator().manual_seed(0))).square().sum().backward()
        optimiser.step()
    after = from_torch_prune(model)
    assert all((new[old == 0] == 0).all() for old, new in zip(network.weights, after.weights, strict=True))
    assert any((new != old).any() for old, new in zip(network.weights, after.weights, strict=True))


def test_a_module_has_masks_on_its_pruned_parameters(module: tuple[Any, torch.Tensor]) -> None:
    network, x = module
    model = to_torch_prune(network)
    assert any(name.endswith("_mask") for name, _ in model.named_buffers())
    torch.testing.assert_close(model(x), network.model()(x))


@pytest.mark.filterwarnings("ignore")
def test_what_is_left_is_written_as_onnx(network: SparseNetwork, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    path = to_onnx(network, tmp_path / "n.onnx")
    x = np.array([[0, 0, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]], dtype=np.float32)
    wanted = network.model()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(run(path, x), wanted, rtol=1e-5, atol=1e-5)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.filterwarnings("ignore")
def test_a_module_is_written_as_onnx(module: tuple[Any, torch.Tensor], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    network, x = module
    path = to_onnx(network, tmp_path / "n.onnx", x[:4])
    np.testing.assert_allclose(run(path, x.numpy()), network.model()(x).detach().numpy(), rtol=1e-4, atol=1e-4)


def test_bad_arguments_are_refused(network: SparseNetwork, module: tuple[Any, torch.Tensor], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path must end in \.onnx; got 'n\.pt'"):
        to_onnx(network, "n.pt")
    pytest.importorskip("onnxscript")
    with pytest.raises(ValueError, match="x must be a few rows as for predict"):
        to_onnx(module[0], tmp_path / "n.onnx")
    with pytest.raises(ValueError, match="at least one hidden layer"):
        from_torch_prune(nn.Linear(2, 1))
