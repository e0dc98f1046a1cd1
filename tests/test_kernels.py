"""Kernels of channels as images, from a module to the graph of units."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from torch import nn

from analysis import Layer, UnitGraph
from analysis.graph import as_graph
from sculpting.models.groups import units
from sculpting.models.sparse_module import SparseModule


def network_of(model: nn.Module, example: Any, masks: dict[str, torch.Tensor] | None = None) -> SparseModule:
    whole = {name: torch.ones_like(part, dtype=torch.bool) for name, part in model.named_parameters()} | (masks or {})
    values = {name: part.detach() * whole[name] for name, part in model.named_parameters()}
    return SparseModule.of(model, units(model, example), values, whole)


def images_of(network: SparseModule) -> dict[str, np.ndarray]:
    return {layer.name: layer.images for layer in as_graph(network).layers if layer.images is not None}


def test_the_image_of_a_channel_is_the_mean_of_the_kernels_that_are_left() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, (2, 3)), nn.Flatten(), nn.LazyLinear(2))
    model(example := torch.randn(2, 1, 6, 6))
    mask = torch.ones(2, 3, 2, 3, dtype=torch.bool)
    mask[0, 1:], mask[1] = False, False
    images = images_of(network_of(model, example, {"2.weight": mask}))
    assert list(images) == ["0", "2"]
    assert np.allclose(images["0"], model[0].weight[:, 0].detach())
    assert np.allclose(images["2"][0], model[2].weight[0, 0].detach())
    assert not images["2"][1].any()


def test_grouped_and_transposed_convolutions_have_kernels_too() -> None:
    torch.manual_seed(0)
    grouped, turned = nn.Conv1d(4, 6, 3, groups=2), nn.ConvTranspose1d(6, 4, 5, groups=2)
    images = images_of(network_of(nn.Sequential(grouped, turned), torch.randn(2, 4, 9)))
    assert np.allclose(images["0"][:, 0], grouped.weight.detach().mean(dim=1))
    assert np.allclose(images["1"][:, 0], turned.weight.detach().view(2, 3, 2, 5).mean(dim=1).view(4, 5))


def test_stages_with_kernels_of_several_sizes_or_single_weights_have_none() -> None:
    make, example = ARCHITECTURES["ResNet-18"]
    images = images_of(network_of(make(), example()))
    assert "blocks.0" in images
    assert "blocks.2" not in images  # a 3 x 3 and a 1 x 1 convolution are added
    assert all(each.shape[1:] == (3, 3) for each in images.values())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 3)), r"images of layers[1] must be 2 finite images of one size, shape (2, h, w); got shape (2, 3)"),
        (np.zeros((3, 1, 1)), "got shape (3, 1, 1)"),
        (np.full((2, 1, 1), np.nan), "got shape (2, 1, 1) with NaN or infinite values. Leave them out"),
    ],
)
def test_images_that_do_not_fit_are_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        UnitGraph([("x", "input", 1), Layer("c", "channel", 2, (), images), ("y", "output", 1)], [(0, 1, [[1.0, 1.0]])])


def test_images_are_copied_and_layers_compare_without_them() -> None:
    given = np.ones((1, 2, 2))
    graph = UnitGraph([("x", "input", 1), ("c", "channel", 1, (), given), ("y", "output", 1)], [(0, 1, [[1.0]])])
    given[:] = 5
    assert graph.layers[1].images is not None
    assert graph.layers[1].images.max() == 1
    assert graph.layers[1] == Layer("c", "channel", 1)
    assert UnitGraph.from_networkx(graph.to_networkx()).layers[1].images is None
