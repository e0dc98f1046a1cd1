"""Sculpting modules that are no chain of Linear layers, from end to end."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from module_maps import SmallCNN, SmallTransformer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from sculpting import SculptResult, sculpt
from sculpting import checkpoint_file as checkpoint
from sculpting.tasks import Task, from_gates

QUICK: dict[str, Any] = {
    "seeds": 2, "unit_steps": [0.4], "edge_steps": [0.2], "unit_tries": 1, "edge_tries": 1, "steps": 16, "dense_rounds": 8,
    "learning_rate": 0.03, "tolerance": 0.05, "progress": False,
}  # fmt: skip


def bars(rows: int = 120) -> tuple[Tensor, Tensor]:
    """Images of 6 x 6 pixels with a bright upper or lower half."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(rows, 1, 6, 6, generator=generator), torch.arange(rows) % 2
    x[y == 0, :, :3] += 1
    x[y == 1, :, 3:] += 1
    return x, y


def sums(rows: int = 216) -> tuple[Tensor, Tensor]:
    """The parity of the first two of four tokens."""
    x = torch.randint(0, 6, (rows, 4), generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] + x[:, 1]) % 2


@pytest.fixture(scope="module")
def of_images() -> SculptResult:
    return sculpt(SmallCNN(classes=2), bars(), **QUICK)


@pytest.fixture(scope="module")
def of_tokens() -> SculptResult:
    return sculpt(SmallTransformer(classes=2), sums(), **QUICK)


@pytest.mark.parametrize("name", ["of_images", "of_tokens"])
def test_a_sparse_module_computes_what_it_says(name: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(name)
    assert result.candidates, str(result)
    task, network = result.task, result.network
    for each in result.candidates:
        z = each.model()(task.x_validation)
        right = (z.argmax(dim=1) == task.y_validation.argmax(dim=1)).double().mean()
        assert each.accuracy == pytest.approx(float(right))
        for parameter, mask in each.masks.items():
            assert bool((each.state[parameter][~mask] == 0).all())
    assert network.edge_count < result.dense[0].edge_count
    assert network.density == result.density
    assert (network.predict(task.x_test) == network.model()(task.x_test).argmax(dim=1).numpy()).all()
    assert (result.predict(task.x_test.numpy()) == network.predict(task.x_test)).all()
    assert result.test_accuracy is not None
    assert f"sparsest   {network.edge_count} edges" in str(result)
    assert "test accuracy" in str(result)
    assert result.frontier().points[0].network is network
    assert result.by_output()["classes"].value == result.test_accuracy.value
    assert network.origin["seed"] in (0, 1)
    assert all(count <= width for count, width in zip(network.unit_counts, network.widths, strict=True))


def test_the_same_call_gives_the_same_result_and_changes_nothing(of_images: SculptResult) -> None:
    torch.manual_seed(5)
    model = SmallCNN(classes=2).train()
    state, before = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    again = sculpt(model, bars(), **QUICK)
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    assert all(torch.equal(part, state[name]) for name, part in model.state_dict().items())
    assert [n.edge_count for n in again.candidates] == [n.edge_count for n in of_images.candidates]
    for one, other in zip(again.candidates, of_images.candidates, strict=True):
        assert all(torch.equal(part, other.state[name]) for name, part in one.state.items())


def test_loaders_and_arrays_give_the_same_rows(of_images: SculptResult) -> None:
    x, y = bars()
    model = SmallCNN(classes=2)
    few = {**QUICK, "seeds": 1, "unit_steps": [], "steps": 3, "dense_rounds": 1, "min_accuracy": 0.99}
    results = [sculpt(model, data, **few) for data in ((x.numpy(), y.numpy()), DataLoader(TensorDataset(x, y), 7, shuffle=True))]
    assert torch.equal(results[0].task.x, results[1].task.x)  # type: ignore[union-attr]
    assert torch.equal(results[0].task.x, of_images.task.x)  # type: ignore[union-attr]
    assert results[0].history[0].accuracy == results[1].history[0].accuracy


class Two(nn.Module):
    """Reads an image and a number of tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.words, self.out = nn.Linear(4, 6), nn.Embedding(5, 6), nn.Linear(6, 1)

    def forward(self, image: Tensor, words: Tensor) -> Tensor:
        return self.out(torch.relu(self.image(image.flatten(1)) + self.words(words).sum(dim=1)))[:, 0]


def test_a_module_may_have_several_inputs_and_one_output_without_a_dimension() -> None:
    generator = torch.Generator().manual_seed(0)
    image, words = torch.rand(80, 2, 2, generator=generator), torch.randint(0, 5, (80, 3), generator=generator)
    y = image.sum(dim=(1, 2)) / 4 + words.sum(dim=1) / 6
    call = {**QUICK, "min_accuracy": 0.1, "dense_rounds": 20}
    result = sculpt(Two(), ((image, words), y), **call)
    assert result.metric == "R2"
    assert result.network is not None
    assert result.network.tokens == (False, True)
    assert result.predict((image[:3], words[:3])).shape == (3, 1)
    loader = DataLoader(TensorDataset(image, words, y), batch_size=9)
    again = sculpt(Two(), loader, **call)
    assert again.network.edge_count == result.network.edge_count
    with pytest.raises(ValueError, match="x must be 2 inputs, as the network was trained on; got 1"):
        result.predict(image)


def test_integers_become_numbers_where_a_module_takes_no_tokens() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.out = nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.relu(self.a(x))
            return self.out(hidden + torch.relu(self.b(hidden)))

    x = np.random.default_rng(0).integers(0, 9, (60, 3))
    result = sculpt(Skip(), (x, (x[:, 0] > 4).astype(int)), **{**QUICK, "min_accuracy": 0.6})
    assert result.task is not None
    assert result.task.x.dtype == torch.float32
    assert result.network is not None
    assert result.network.tokens == (False,)


def test_kinds_and_layers_of_units_can_be_kept() -> None:
    few = {**QUICK, "seeds": 1, "edge_steps": [], "dense_rounds": 2, "steps": 10, "min_accuracy": 0.3}
    result = sculpt(SmallTransformer(classes=2), sums(), keep=["residual", "q"], **few)
    assert result.network is not None
    counts = dict(zip((layer.name for layer in result.network.unit_layers), result.network.unit_counts, strict=True))
    assert counts["embedding"] == 8
    assert counts["q"] == 8
    assert counts["up"] < 12
    with pytest.raises(ValueError, match=r"keep must name kinds of units, some of \['residual', .*\], or layers, .*; got 'heads'"):
        sculpt(SmallTransformer(classes=2), sums(), keep=["heads"], **few)
    chain = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    with pytest.raises(ValueError, match=r"keep is for modules that are no chain of Linear layers; got \['neuron'\] with a chain"):
        sculpt(chain, (sums()[0].float(), sums()[1]), keep=["neuron"], **few)


def test_a_trained_module_is_sculpted_from_its_own_weights(of_images: SculptResult) -> None:
    dense = of_images.dense[0].model()
    result = sculpt(dense, bars(), initial="model", **{**QUICK, "seeds": 1})
    assert all(torch.equal(part, of_images.dense[0].state[name]) for name, part in result.dense[0].state.items())
    with torch.no_grad():
        dense.second.weight[0] = 0
    pruned = sculpt(dense, bars(), initial="model", **{**QUICK, "seeds": 1, "unit_steps": []})
    assert all(not network.masks["second.weight"][0].any() for network in pruned.candidates)
    assert pruned.candidates


def test_an_interrupted_call_ends_in_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_images: SculptResult) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    file, calls = tmp_path / "run", 0

    def stop(ended: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt

    call = {**QUICK, "checkpoint": file}
    with pytest.raises(KeyboardInterrupt):
        sculpt(SmallCNN(classes=2), bars(), **{**call, "progress": stop})
    result = sculpt(SmallCNN(classes=2), bars(), **call)
    assert len(result.history) == len(of_images.history)
    for one, other in zip(result.candidates, of_images.candidates, strict=True):
        assert all(torch.equal(part, other.state[name]) for name, part in one.state.items())
    with pytest.raises(ValueError, match="is the checkpoint of another call"):
        sculpt(SmallCNN(classes=2), bars(), keep=["first"], **call)


class Fixed(SmallCNN):
    """Has a number of rows written into its forward."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).view(8, -1)


class Returning(SmallCNN):
    def __init__(self, change: Any) -> None:
        super().__init__(classes=2)
        self.change = change

    def forward(self, x: Tensor) -> Any:
        return self.change(super().forward(x))


IMAGES, CLASSES = bars(40)


@pytest.mark.parametrize(
    ("model", "data", "options", "error", "text"),
    [
        (Fixed(classes=2), (IMAGES, CLASSES), {}, ValueError, r"number of rows, .*; it takes 8, and with 7 its forward raised"),
        (Returning(lambda z: z / 0), (IMAGES, CLASSES), {}, ValueError, "must return finite numbers; got 16 NaN or infinite of 16"),
        (Returning(lambda z: (z, z)), (IMAGES, CLASSES), {}, ValueError, r"one tensor of shape \(rows, outputs\), .*; got a tuple"),
        (Returning(lambda z: z[:, :, None]), (IMAGES, CLASSES), {}, ValueError, r"here \(8, k\), .*; got shape \(8, 2, 1\)"),
        (Returning(lambda z: z.softmax(dim=1)), (IMAGES, CLASSES), {}, ValueError, "logits; got outputs that are probabilities"),
        (Returning(lambda z: z - z.mean(dim=0)), (IMAGES, CLASSES), {}, ValueError, "must not depend on the other rows in eval mode"),
        (SmallCNN(classes=3), (IMAGES, CLASSES + 2), {}, ValueError, r"classes must lie in 0...2, .*; got 2...3"),
        (SmallCNN(classes=2), (IMAGES[:, :, :4], CLASSES), {}, TypeError, r"x of shape \(8, 1, 4, 6\) .*; its forward raised"),
        (SmallCNN(classes=2), (IMAGES, CLASSES), {"validation": (IMAGES[:, :, :4], CLASSES)}, ValueError, r"of shape \[\(1, 6, 6\)\], as"),
        (SmallCNN(classes=2), ((IMAGES, IMAGES[:9]), CLASSES), {}, ValueError, "x and y must have as many rows; got 9 and 40"),
        (SmallCNN(classes=2), (IMAGES / 0, CLASSES), {}, ValueError, "x must be finite"),
        ([SmallCNN(classes=2), SmallCNN(classes=2)], (IMAGES, CLASSES), {}, TypeError, "the forward of SmallCNN cannot be traced"),
        (SmallCNN(classes=2), (IMAGES, CLASSES), {"regrow": True}, ValueError, "regrow needs initial='model'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_gets_one_clear_error(model: Any, data: Any, options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        sculpt(model, data, **{**QUICK, **options})


def test_a_task_may_hold_images_and_tokens() -> None:
    x, y = torch.rand(6, 1, 2, 2), torch.eye(2).repeat(3, 1)
    words = torch.zeros(6, 3, dtype=torch.int64)
    task = Task((x, words), y, "ce", (x, words), y)
    assert repr(task) == "Task(data: 6 rows, 1x2x2 and 3 inputs, 2 outputs, ce)"
    with pytest.raises(ValueError, match="needs x of rows and columns"):
        task.model()
    with pytest.raises(ValueError, match="x_validation of a Task must be 2 inputs, as x is; got 1"):
        Task((x, words), y, "ce", x, y)
    with pytest.raises(ValueError, match=r"x_validation of a Task must have rows of shape \(1, 2, 2\) of torch.float32"):
        Task(x, y, "ce", x[:, :, :1], y)
    with pytest.raises(ValueError, match=r"x must be rows and columns of float32 for a chain of Linear layers; got"):
        sculpt(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), Task(x, y, "ce", x, y), **QUICK)


def test_a_truth_table_is_sculpted_with_ablation_of_edges() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.out = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.relu(self.a(x))
            return self.out(hidden + torch.relu(self.b(hidden)))

    task = from_gates({"y": "(a & b) | (c & d)"})
    result = sculpt(Skip(), task, **{**QUICK, "steps": 60, "learning_rate": 0.1})
    assert result.accuracy == 1.0
    assert result.network is not None
    assert bool(((result.network.model()(task.x) > 0) == (task.y > 0.5)).all())


class Refusing(nn.Module):
    """Two values in train mode, or a recurrent layer, which cannot be trained as one of several."""

    def __init__(self, recurrent: bool) -> None:
        super().__init__()
        self.inside, self.norm, self.last = nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2)
        self.recurrent = nn.GRU(4, 6, batch_first=True) if recurrent else None

    def forward(self, x: Tensor) -> Tensor:
        if self.recurrent is not None:
            return self.last(self.recurrent(x.unsqueeze(1))[0][:, -1])
        answer = self.last(self.norm(self.inside(x)))
        return (answer, answer) if self.training else answer


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_module_that_cannot_be_trained_is_refused_before_any_training(recurrent: bool) -> None:
    rows = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=r"cannot be trained as one of several: a step in train mode raised .*run a cell such as"):
        sculpt(Refusing(recurrent), (rows, (rows[:, 0] > 0).long()), seeds=1, progress=False)


def test_probabilities_are_refused_where_logits_are_meant() -> None:
    rows = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 1), nn.Sigmoid())
    with pytest.raises(ValueError, match=r"must return logits for loss 'bce'; got the result of 'sigmoid'. Leave it out"):
        sculpt(model, (rows, (rows[:, 0] > 0).long()), seeds=1, progress=False)


def test_whole_numbers_are_numbers_where_no_index_needs_them() -> None:
    rows = torch.randint(0, 9, (60, 4), generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2))
    settings = {"steps": 20, "unit_steps": [], "edge_steps": [0.5], "edge_tries": 1, "min_accuracy": 0.3}
    result = sculpt(model, (rows, (rows[:, 0] > 4).long()), seeds=1, progress=False, **settings)
    assert result.network.tokens == (False,)


class Casting(nn.Module):
    """Makes the integers for its table itself."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.hidden, self.out = nn.Embedding(5, 4), nn.Linear(8, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.hidden(self.table(x.long()).flatten(1)).relu())


def test_integers_stay_where_a_module_casts_to_them_and_real_numbers_are_refused() -> None:
    rows = torch.randint(0, 5, (60, 2), generator=torch.Generator().manual_seed(0))
    settings = {"seeds": 1, "steps": 20, "unit_steps": [], "edge_steps": [0.5], "edge_tries": 1, "min_accuracy": 0.3, "progress": False}
    result = sculpt(Casting(), (rows, (rows[:, 0] > 2).long()), **settings)
    assert result.network.tokens == (True,)
    with pytest.raises(ValueError, match=r"through 'embedding', .*x.long.*: its index depends on units. Give tokens as integers"):
        sculpt(Casting(), (rows.float(), (rows[:, 0] > 2).long()), **settings)
