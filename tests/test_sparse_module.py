"""Sparse networks of any module: what they say of themselves, and how they are saved and loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from module_maps import SmallCNN, map_of_cnn
from torch import Tensor, nn

from sculpting import SparseModule
from sculpting.models.groups import units
from sculpting.models.network import by_edges


def pruned() -> tuple[SmallCNN, SparseModule]:
    """A network whose second channel of the first layer is gone, and one kernel with all but one element."""
    torch.manual_seed(0)
    model = SmallCNN()
    known = units(model, torch.zeros(3, 1, 6, 6))
    alive = torch.ones(len(known), dtype=torch.bool)
    alive[known.named("first").first + 1] = False
    values = {name: part.detach().clone() for name, part in (*model.named_parameters(), *model.named_buffers())}
    kept = known.masks(alive)
    masks = {name: torch.ones_like(part, dtype=torch.bool) & kept.get(name, True) for name, part in model.named_parameters()}
    masks["second.weight"][0, 0] = False
    masks["second.weight"][0, 0, 1, 1] = True
    masks["second.weight"][3, 3] = False
    values |= {name: values[name] * mask for name, mask in masks.items()}
    facts = {"accuracy": 0.75, "origin": {"seed": 3}, "loss": "ce", "output_names": ("a", "b", "c")}
    return model, SparseModule.of(model, known, values, masks, **facts)


def test_edges_and_units_are_counted() -> None:
    _, network = pruned()
    assert network.name.endswith("module_maps:SmallCNN")
    first, second, out = 4, 16, 4 * 9 * 3
    assert len(network.live_edges) == first + second + out
    assert network.edge_count == (first - 1) + (second - 4 - 1) + out
    assert network.density == network.edge_count / (first + second + out)
    counts = dict(zip((layer.name for layer in network.unit_layers), network.unit_counts, strict=True))
    assert counts["first"] == 3
    assert counts["second"] == 4
    assert repr(network) == f"SparseModule(SmallCNN, {network.edge_count} edges, density {network.density:.4f}, accuracy 0.7500)"
    assert by_edges([network, replace(network)])[0] is network


def test_the_map_by_hand_has_the_edges_that_are_found() -> None:
    model, network = pruned()
    assert map_of_cnn(model).edge_count == network.units.edge_count


def test_a_unit_without_edges_on_one_side_does_not_count() -> None:
    _, network = pruned()
    masks = {name: mask.clone() for name, mask in network.masks.items()}
    masks["second.weight"][2] = False
    counts = dict(zip((layer.name for layer in network.unit_layers), replace(network, masks=masks).unit_counts, strict=True))
    assert counts["second"] == 3


def test_the_model_has_the_state_and_is_not_the_users() -> None:
    model, network = pruned()
    x = torch.rand(5, 1, 6, 6)
    made = network.model()
    assert type(made) is SmallCNN
    assert not made.training
    assert made is not model
    assert bool((made.first.weight[1] == 0).all())
    assert bool((model.first.weight[1] != 0).any())
    model.load_state_dict(network.state_dict())
    assert torch.equal(model.eval()(x), made(x))
    assert (network.predict(x) == made(x).argmax(dim=1).numpy()).all()
    network.state_dict()["first.weight"].zero_()
    assert bool((network.state["first.weight"] != 0).any())


def test_a_network_survives_the_disk(tmp_path: Path) -> None:
    _, network = pruned()
    path = network.save(tmp_path / "network.safetensors")
    loaded = SparseModule.load(path)
    for name in ("name", "accuracy", "origin", "loss", "metric", "output_names", "tokens", "edge_count", "density", "unit_counts"):
        assert getattr(loaded, name) == getattr(network, name)
    assert all(torch.equal(part, loaded.state[name]) for name, part in network.state.items())
    assert str(loaded.units) == str(network.units)
    assert len(loaded.units.blocks) == len(network.units.blocks)
    with pytest.raises(ValueError, match=r"a module of class .*SmallCNN is needed, since files hold no code; got none. Pass one"):
        loaded.model()
    fresh = SmallCNN()
    whole = SparseModule.load(path, model=fresh)
    x = torch.rand(5, 1, 6, 6)
    assert torch.equal(whole.model()(x), network.model()(x))
    assert bool((fresh.first.weight[1] != 0).any())  # not changed
    with pytest.raises(ValueError, match=r"of the saved architecture, .*SmallCNN, with 'first.bias' of shape \(4,\); got \(5,\)"):
        SparseModule.load(path, model=SmallCNN(channels=5))


def test_tied_parameters_are_saved_under_both_names(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.out = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
            self.out.weight = self.embedding.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(torch.relu(self.embedding(x)).sum(dim=1))

    model, x = Tied(), torch.tensor([[0, 1], [2, 3]])
    values = {"embedding.weight": torch.ones(5, 3)}
    network = SparseModule.of(model, units(model, x), values, {"embedding.weight": torch.ones(5, 3, dtype=torch.bool)})
    loaded = SparseModule.load(network.save(tmp_path / "tied"), model=model)
    assert loaded.state.keys() == {"embedding.weight", "out.weight"}
    made = loaded.model()
    assert made.out.weight is made.embedding.weight  # type: ignore[union-attr]
    assert bool((made.out.weight == 1).all())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (None, FileNotFoundError, "there is no network file"),
        (b"nothing", ValueError, "is not a sparse module: expected a file written by SparseModule.save"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, error: type[Exception], text: str) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(error, match=text):
        SparseModule.load(tmp_path / "file")


def test_files_of_chains_and_other_endings_are_refused(tmp_path: Path) -> None:
    from sculpting import SparseNetwork

    path = SparseNetwork(([[1.0]], [[1.0]]), ([0.0], [0.0]), ("relu", "identity")).save(tmp_path / "chain")
    with pytest.raises(
        ValueError,
        match=r"expected a file written by SparseModule.save; got format 'neural-sculpting network' of version '3'\. Versions 1 to 2",
    ):
        SparseModule.load(path)
    with pytest.raises(ValueError, match=r"path must end in .safetensors or have no ending; got .*x.pt"):
        pruned()[1].save(tmp_path / "x.pt")


class Statistic(nn.Module):
    """Its answer depends on the mean of the hidden units, which no parameter reads."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.last = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.inside(x).relu()
        return self.last(hidden) + hidden.mean(1, keepdim=True)


def test_a_compact_module_answers_as_the_network_does() -> None:
    torch.manual_seed(0)
    module, x = Statistic().eval(), torch.randn(20, 4)
    masks = {name: torch.ones_like(part, dtype=torch.bool) for name, part in module.named_parameters()}
    masks["last.weight"][:, :3] = False  # these act through the mean alone
    masks["inside.weight"][5], masks["inside.bias"][5] = False, False
    values = {name: part.detach() * masks[name] for name, part in module.named_parameters()}
    network = SparseModule.of(module, units(module, x), values, masks)
    removal = network.compact(x)
    with torch.no_grad():
        torch.testing.assert_close(removal.module(x), network.model()(x))


def test_columns_of_a_frame_are_read_by_their_names() -> None:
    pandas = pytest.importorskip("pandas")
    torch.manual_seed(0)
    module, x = nn.Sequential(nn.Linear(3, 6), nn.LayerNorm(6), nn.Linear(6, 2)).eval(), torch.randn(20, 3)
    masks = {name: torch.ones_like(part, dtype=torch.bool) for name, part in module.named_parameters()}
    values = {name: part.detach() for name, part in module.named_parameters()}
    network = SparseModule.of(module, units(module, x), values, masks, loss="mse", input_names=("a", "b", "c"))
    frame = pandas.DataFrame(x.numpy(), columns=list("abc"))
    assert (network.predict(frame) == network.predict(frame[["c", "a", "b"]])).all()
    with pytest.raises(ValueError, match=r"x must have rows like those that were trained on; got shapes \[\(20, 2\)\]"):
        network.predict(x[:, :2])
