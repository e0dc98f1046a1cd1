"""Physical removal of units: the smaller module answers as the masked one does."""

from __future__ import annotations

import copy

import pytest
import torch
from architectures import ARCHITECTURES
from torch import nn

from sculpting.models.groups import units
from sculpting.models.groups.removal import masked_module, removed_units

# For each architecture the layers of which units can be removed: not where a forward reshapes to sizes of its own.
REMOVED = {
    "MLP of sigmoids": {"0"},
    "LeNet": {"c1", "c2", "f1", "f2"},
    "ResNet-18": {"stem.0", *(f"blocks.{i}.c1" for i in range(8)), *(f"blocks.{i}.c2" for i in (2, 4, 6))},
    "VGG, grouped and depthwise": {"3", "8", "13"},  # a depthwise channel goes with the one that it reads
    "1-D convolution": {"0", "3"},
    "U-Net": {"down1", "down2", "up", "mix"},
    "TransformerEncoder": {"1.layers.0.linear1", "1.layers.1.linear1"},
    "decoder by hand": {"table", "up"},
    "mixture of experts": {"inside", "gate", "first"},
    "LSTM cell by hand": set(),
    "vision transformer": {"layer.linear1"},
}


@pytest.mark.parametrize("name", [*REMOVED])
def test_a_module_without_its_dead_units_answers_as_the_masked_one(name: str) -> None:
    torch.manual_seed(0)
    make, example = ARCHITECTURES[name]
    model, x = make().eval(), example()
    found = units(model, x)
    alive = torch.ones(len(found), dtype=torch.bool)
    for layer in found.layers:
        alive[layer.first : layer.first + layer.size : 3] = ~found.removable[layer.first]
    before = {key: part.clone() for key, part in model.state_dict().items()}
    masked, removal = masked_module(model, found, alive), removed_units(model, found, alive, x)
    torch.testing.assert_close(removal.module(x), masked(x), rtol=1e-4, atol=1e-5)
    gone = {layer.name for layer in found.layers if bool(removal.removed[layer.first : layer.first + layer.size].any())}
    dead = {layer.name for layer in found.layers if not bool(alive[layer.first : layer.first + layer.size].all())}
    assert gone == REMOVED[name]
    assert {*removal.staying} == dead - gone
    sizes = [sum(parameter.numel() for parameter in each.parameters()) for each in (removal.module, model)]
    assert (sizes[0] < sizes[1]) == bool(gone)
    assert all(torch.equal(before[key], part) for key, part in model.state_dict().items())


def test_a_channel_that_a_batch_norm_shifts_is_gone_for_good() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)).eval()
    with torch.no_grad():
        model[1].bias.fill_(1.0)
        model[1].running_mean.fill_(-1.0)
    x = torch.randn(3, 1, 4, 4)
    found = units(model, x)
    alive = torch.ones(len(found), dtype=torch.bool)
    alive[found.named("0").first + 2] = False
    removal = removed_units(model, found, alive, x)
    assert (removal.module[0].out_channels, removal.module[1].num_features, removal.module[4].in_features) == (3, 3, 12)
    torch.testing.assert_close(removal.module(x), masked_module(model, found, alive)(x))
    assert removal.staying == {}


def test_residual_dimensions_stay_under_a_layer_norm_and_the_reason_is_said() -> None:
    make, example = ARCHITECTURES["TransformerEncoder"]
    model, x = make().eval(), example()
    found = units(model, x)
    alive = torch.ones(len(found), dtype=torch.bool)
    alive[found.named("0").first] = False
    removal = removed_units(model, found, alive, x)
    assert removal.staying == {"0": "they enter a statistic over several units, such as the mean of a LayerNorm"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["LeNet", "ResNet-18"])
def test_torch_pruning_removes_the_same(name: str) -> None:
    pruning = pytest.importorskip("torch_pruning", reason="torch-pruning is not installed: pip install torch-pruning")
    torch.manual_seed(0)
    make, example = ARCHITECTURES[name]
    model, x = make().eval(), example()
    found = units(model, x)
    layers = [layer for layer in found.layers if layer.kind in ("channel", "neuron")]
    assert len(layers) > 3
    for layer in layers:
        theirs = copy.deepcopy(model)
        module = theirs.get_submodule(layer.name)
        cut = pruning.prune_conv_out_channels if isinstance(module, nn.Conv2d) else pruning.prune_linear_out_channels
        pruning.DependencyGraph().build_dependency(theirs, example_inputs=x).get_pruning_group(module, cut, idxs=[1]).prune()
        alive = torch.ones(len(found), dtype=torch.bool)
        alive[layer.first + 1] = False
        ours = removed_units(model, found, alive, x).module
        assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}
        torch.testing.assert_close(ours(x), theirs(x))
