"""Which models are read, and every bad input once."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_sculpt import QUICK, assert_same_network
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sculpting import SparseNetwork, TrainingSettings, read_model, sculpt, tasks
from sculpting.autograd.setup import ModuleSetup
from sculpting.engines import setup_of


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(torch.relu(self.a(x)) + x)


class Chained(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.drop = nn.Linear(6, 8), nn.Linear(8, 3), nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.drop(torch.nn.functional.relu(self.a(x.flatten(1)))))


class Aside(Branching):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.relu(self.a(x))
        return self.b(x)


class Functional(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.a, self.b, self.function = nn.Linear(6, 8), nn.Linear(8, 3), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.function(self.a(x)))


class Keeping(nn.Module):
    """Stores its activations, and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.seen, self.last = nn.Linear(6, 8), nn.Linear(8, 3), {}, None
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.last = self.seen["h"] = torch.relu(self.a(x))
        self.count += 1
        return self.b(self.last)


class Around(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.inner, self.function = mlp(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.inner, x)


class Looping(Chained):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if x.sum() > 0 else x


def test_any_module_whose_forward_is_a_chain_is_read() -> None:
    from sculpting import read_model

    assert read_model(Chained()).shape.widths == (6, 8, 3)
    assert read_model(Chained()).shape.activations == ("relu", "identity")
    assert read_model(Reshaping()).shape.widths == (6, 8, 3)
    bounded = tasks.boolean("both").model(width=8, hidden_layers=1, activation="clipped_relu")
    assert read_model(bounded).shape.activations == ("clipped_relu", "identity")
    for function in (nn.functional.leaky_relu, nn.functional.gelu, torch.tanh, lambda x: x.sigmoid()):
        assert read_model(Functional(function)).shape.activations[0] in ("leaky_relu", "gelu", "tanh", "sigmoid")
    assert read_model(nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.GELU()), nn.Linear(3, 4), nn.Linear(4, 1))).shape.activations == (
        "gelu",
        "identity",
        "identity",
    )


def test_reading_a_model_leaves_it_as_it_was() -> None:
    from sculpting import read_model

    model = Keeping()
    model(X)
    kept = model.last
    read_model(model)
    assert model.last is kept
    assert model.seen == {"h": kept}
    assert model.count.tolist() == [1.0]


def test_numpy_integers_are_accepted_as_widths(tmp_path: Path) -> None:
    model = mlp(nn.Linear(6, np.int64(8)), nn.ReLU(), nn.Linear(np.int64(8), np.int64(3)))
    result = sculpt(model, (X, Y), **QUICK)
    assert SparseNetwork.load(result.dense[0].save(tmp_path / "dense")).origin["widths"] == [6, 8, 3]


def test_learning_rates_may_be_a_generator_or_fractions() -> None:
    assert TrainingSettings(learning_rate=(rate for rate in (0.1, 0.2))).learning_rates == (0.1, 0.2)
    assert TrainingSettings(learning_rate=Fraction(1, 10)).learning_rates == (0.1,)


def test_a_diverging_learning_rate_does_not_change_the_others() -> None:
    x = torch.rand(20, 6, generator=torch.Generator().manual_seed(0))
    call: dict[str, Any] = {**QUICK, "seeds": 1, "min_accuracy": 0.4, "restart_rate": None}
    y = x[:, :3] > 0.5  # can be learnt on every processor
    good, bad = sculpt(GOOD, (x, y), learning_rate=[0.1, 1e20], **call).dense
    (alone,) = sculpt(GOOD, (x, y), learning_rate=0.1, **call).dense
    assert min(good.accuracy, alone.accuracy) >= 0.4
    assert_same_network(good, alone)
    assert bad.accuracy == -math.inf  # NaN at every epoch: the initial values are returned
    assert 0 < abs(bad.weights[0]).max() < 10


def test_a_shuffled_loader_gives_the_same_order_again_and_moves_no_generator() -> None:
    def loader() -> DataLoader[Any]:
        return DataLoader(TensorDataset(X, Y.float()), batch_size=6, shuffle=True)

    found = []
    for state in (5, 6):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        found.append(tasks.as_task(loader(), seed=1).x)
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*found)


def test_the_default_dtype_of_torch_is_ignored() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        task = tasks.boolean([4, 2, 4])
        network = sculpt(task.model(8, 1), task, **QUICK).dense[0]
        assert network.model()[0].weight.dtype == torch.float32
        assert tasks.mnist_digits(source="digits").y.dtype == tasks.cmsp(4, 4, n=64, rows=50).x.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


class Reshaping(nn.Module):
    """Reads sizes in its forward, and has a layer named like one."""

    def __init__(self) -> None:
        super().__init__()
        self.size_in, self.out = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.size_in(x.view(x.shape[0], -1)).relu()
        return self.out(x.view(x.size()[0], -1).reshape(x.size(0), -1))


def mlp(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def hooked() -> nn.Sequential:
    model = mlp(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    model[1].register_forward_hook(lambda module, given, out: out * 0)
    return model


def wrong(value: float) -> nn.Sequential:
    model = mlp(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    nn.init.constant_(model[0].weight, value)
    return model


GOOD = mlp(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
ONE = mlp(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
SPARSE = SparseNetwork(([[1.0]], [[1.0]]), ([0.0], [0.0]), ("relu", "identity"))
X, Y = torch.rand(20, 6), torch.randint(0, 2, (20, 3), generator=torch.Generator().manual_seed(0))
NAN = torch.full((20, 6), torch.nan)
NAMED = tasks.Task(X, Y.float(), "bce", X, Y.float())


NO_CHAINS = [
    (mlp(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3)), r"not supported: 1 \(LayerNorm"),
    (mlp(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Linear(8, 3)), r"not supported: 1 \(LeakyReLU"),
    (Functional(lambda x: nn.functional.leaky_relu(x, 0.2)), r"not supported: leaky_relu\(.*0.2"),
    (Functional(torch.cos), "not supported: cos"),
    (mlp(nn.Linear(6, 8), nn.Softmax(dim=1), nn.Linear(8, 3)), "hidden activations must be elementwise"),
    (mlp(nn.ReLU(), nn.Linear(6, 8), nn.Linear(8, 3)), "must follow a Linear layer"),
    (mlp(nn.Linear(6, 3)), "at least one hidden layer, so two Linear layers; got 1"),
    (nn.Linear(6, 3), "at least one hidden layer, so two Linear layers; got 1"),
    (Branching(), "must be a chain; got 'add'"),
    (Around(lambda inner, x: inner(x)[:, [1, 0, 2]]), "not supported: getitem"),
    (Aside(), "at least one hidden layer, so two Linear layers; got 1"),
]


@pytest.mark.parametrize(("model", "text"), NO_CHAINS)
def test_what_is_no_chain_is_named_and_goes_to_the_other_engine(model: nn.Module, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        read_model(model)
    assert isinstance(setup_of(model), ModuleSetup)


@pytest.mark.parametrize(
    ("model", "data", "options", "error", "text"),
    [
        ("model", (X, Y), {}, TypeError, "must be a torch.nn.Module; got str"),
        ([], (X, Y), {}, ValueError, "a module or a list of at least one; got an empty one"),
        ([GOOD, mlp(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))], (X, Y), {}, ValueError, r"differ in widths only; got .*'tanh'.* beside"),
        (
            mlp(nn.Conv1d(1, 2, 3), nn.Linear(6, 3)),
            (X, Y),
            {},
            TypeError,
            "its forward raised RuntimeError: Given groups=1",
        ),
        (
            mlp(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=0)),
            (X, Y[:, 0]),
            {},
            ValueError,
            "rows of the model's output must not depend",
        ),
        (SPARSE, (X, Y), {}, TypeError, r"must be a torch.nn.Module; got SparseNetwork. Pass its model\(\)"),
        (mlp(nn.Linear(6, 8), nn.Linear(7, 3)), (X, Y), {}, TypeError, "its forward raised RuntimeError: mat1 and mat2 shapes"),
        (
            mlp(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.ReLU()),
            (X, Y),
            {},
            ValueError,
            "for loss 'bce' must end in a Linear layer or in sigmoid; got relu",
        ),
        (Around(lambda inner, x: inner(x.view(4, -1))), (X, Y), {}, TypeError, "its forward raised RuntimeError: mat1 and mat2 shapes"),
        (Functional(nn.functional.dropout), (X, Y), {}, TypeError, "dropout must be .* off in eval mode; .* Pass training=self.training"),
        (Around(lambda inner, x: inner(torch.flatten(x))), (X, Y), {}, TypeError, "its forward raised RuntimeError: mat1 and mat2 shapes"),
        (mlp(nn.Flatten(0), *GOOD), (X, Y), {}, TypeError, "its forward raised RuntimeError: mat1 and mat2 shapes"),
        (
            nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 3)),
            (X, Y),
            {},
            ValueError,
            r"the model has uninitialized parameters: '0.weight'",
        ),
        (
            nn.Sequential(nn.Linear(6, 4, device="meta"), nn.ReLU(), nn.Linear(4, 3)),
            (X, Y),
            {},
            ValueError,
            r"the model has uninitialized parameters: '0.weight'",
        ),
        (hooked(), (X, Y), {}, ValueError, "must have no forward hooks, which may change the output of its layers; got some at '1'"),
        (wrong(torch.nan), (X, Y), {"initial": "model"}, ValueError, "the model's weights and biases must be finite; got 48 NaN"),
        (Looping(), (X, Y), {}, ValueError, "forward of Looping cannot be exported .*x.sum"),
        (GOOD, (X, Y[:19]), {}, ValueError, "x and y must have as many rows; got 20 and 19"),
        (GOOD, (X[:0], Y[:0]), {}, ValueError, "at least one row and one column"),
        (GOOD, (NAN, Y), {}, ValueError, "x must be finite, as float32; got 120 NaN or infinite values"),
        (GOOD, (X, Y / 0), {}, ValueError, "y must be finite"),
        (GOOD, (X[:, :5], Y), {}, ValueError, "x must have 6 columns, one for each input of the model; got 5"),
        (GOOD, (X, Y[:, :2]), {}, ValueError, "targets must have 3 columns, one for each output of the model, for loss 'bce'; got 2"),
        (GOOD, (X, Y * 2), {"loss": "bce"}, ValueError, "loss 'bce' needs targets of 0 and 1; got values from 0 to 2"),
        (GOOD, (X, Y), {"loss": "ce"}, ValueError, "loss 'ce' needs one integer class a row"),
        (GOOD, (X, Y[:, 0] + 3), {}, ValueError, r"classes must lie in 0...2, one for each output of the model; got 3...4"),
        (GOOD, (X, Y[:, :1] + 0.0), {}, ValueError, r"for loss 'bce'; got 1. Classes are given as integers, y of shape \(S,\)"),
        (ONE, (X, Y.sum(dim=1) + 5), {}, ValueError, "integer targets for one output. For counts and other numbers pass loss='mse'"),
        (ONE, (X, torch.full((20,), 2.5)), {}, ValueError, "the 4 rows that decide acceptance must have different targets"),
        (
            GOOD,
            replace(NAMED, input_names=("a", "b")),
            {},
            ValueError,
            r"input_names of the task must be 6 different names or none; got \[",
        ),
        (GOOD, replace(NAMED, output_names=("y",) * 3), {}, ValueError, "output_names of the task must be 3 different names or none"),
        (GOOD, (X, Y), {"unit_steps": "70"}, ValueError, "unit_steps must be a sequence of fractions"),
        (
            GOOD,
            (X, Y),
            {"stps": 9},
            TypeError,
            r"settings must be fields of TrainingSettings, \[.*'steps'.*; got 'stps'. Did you mean steps\?",
        ),
        (GOOD, (X, Y), {"min_acuracy": 0.9}, TypeError, r"got 'min_acuracy'. Did you mean min_accuracy\?"),
        (GOOD, (X, Y), {"epochs": 3}, TypeError, r"got 'epochs'. Did you mean steps\?"),
        (GOOD, (X, Y), {"min_accuracy": "0.97"}, ValueError, r"min_accuracy must be a fraction in \(0, 1\], such as 0.97; got '0.97'"),
        (GOOD, (X, Y), {"min_accuracy": 97}, ValueError, r"min_accuracy must be .*; got 97. For percentages, divide by 100"),
        (GOOD, (X, Y), {"tolerance": None}, ValueError, r"tolerance must be a fraction in \[0, 1\), such as 0.005; got None"),
        (GOOD, (X, Y), {"input_noise": "x"}, ValueError, "input_noise must be at least 0, and finite; got 'x'"),
        (GOOD, (X, Y), {"final_rate": "x"}, ValueError, r"final_rate must be a fraction of the learning rate, in \[0, 1\]; got 'x'"),
        (GOOD, (X, Y), {"edge_steps": (2, 1)}, ValueError, r"edge_steps must be .*, such as \(0.02, 0.01\); got \(2, 1\). For percentages"),
        (GOOD, (X, Y), {"training": {"steps": 9}}, TypeError, "training must be TrainingSettings; got dict"),
        (GOOD, (X, Y), {"schedule": TrainingSettings()}, TypeError, "schedule must be ScheduleSettings; got TrainingSettings"),
        (GOOD, (X, Y), {"seeds": True}, ValueError, "seeds must be a whole number of at least 1; got True"),
        (GOOD, (X, Y), {"learning_rate": []}, ValueError, r"learning_rate must be positive, one number or a sequence of them; got \[\]"),
        (GOOD, (X, Y), {"loss": "hinge"}, ValueError, r"loss must be one of \['bce', 'ce', 'mse'\]; got 'hinge'"),
        (GOOD, X, {}, TypeError, "must be a pair .*; got Tensor"),
        (GOOD, (X, [["a"]] * 20), {}, ValueError, "data y must have at least two classes; got 'a' alone"),
        (GOOD, (X[:0], torch.zeros(0).numpy().astype("U2")), {}, ValueError, "data y must have at least two classes; got no rows"),
        (GOOD, TensorDataset(X), {}, ValueError, r"must yield batches \(x, y\), two tensors each; got \(Tensor\)"),
        (GOOD, DataLoader(TensorDataset(X)), {}, ValueError, r"must yield batches \(x, y\), two tensors each; got \(Tensor\)"),
        (GOOD, DataLoader([{"x": x} for x in X]), {}, ValueError, "two tensors each; got a dict"),  # type: ignore[arg-type]
        (GOOD, DataLoader([(x, [1, 2]) for x in X]), {}, ValueError, r"two tensors each; got \(Tensor, list\)"),  # type: ignore[arg-type]
        (GOOD, DataLoader(TensorDataset(X[:0], Y[:0])), {}, ValueError, "two tensors each; got no batch"),
        (GOOD, (X, Y), {"validation": 1.5}, ValueError, "validation must be a pair .* or a fraction of the 20 rows"),
        (GOOD, (X, Y), {"validation": (X[:, :5], Y)}, ValueError, "validation must have 6 inputs, as the data has; got 5"),
        (GOOD, (X, Y), {"min_accuracy": 0}, ValueError, r"min_accuracy must be a fraction in \(0, 1\], such as 0.97; got 0"),
        (GOOD, (X, Y), {"min_accuracy": 97}, ValueError, r"min_accuracy must be a fraction in \(0, 1\], such as 0.97; got 97"),
        (GOOD, (X, Y), {"unit_steps": [0]}, ValueError, r"unit_steps must be a sequence of fractions in \(0, 1\).*got \[0\]$"),
        (
            GOOD,
            (X, Y),
            {"edge_steps": [50, 20]},
            ValueError,
            "edge_steps must be a sequence of fractions .*divide by 100",
        ),
        (GOOD, (X, Y), {"edge_steps": 2}, ValueError, "edge_steps must be a sequence"),
        (GOOD, (X, Y), {"unit_steps": [], "edge_steps": []}, ValueError, "nothing to prune"),
        (GOOD, (X, Y), {"unit_score": "size"}, ValueError, "unit_score must be one of .*got 'size'"),
        (GOOD, (X, Y), {"edge_score": "size"}, ValueError, "edge_score must be one of .*got 'size'"),
        (GOOD, (X, Y), {"edge_score": ""}, ValueError, "edge_score must be one of .*got ''"),
        (GOOD, (X, Y), {"initial": "given"}, ValueError, r"initial must be one of \['fresh', 'model'\]; got 'given'"),
        (GOOD, (X, Y), {"seeds": 0}, ValueError, "seeds must be a whole number of at least 1; got 0"),
        (GOOD, (X, Y), {"tolerance": -0.1}, ValueError, r"tolerance must be a fraction in \[0, 1\), such as 0.005; got -0.1"),
        (GOOD, (X, Y), {"unit_tries": 0}, ValueError, "unit_tries must be a whole number of at least 1; got 0"),
        (GOOD, (X, Y), {"edge_tries": 1.5}, ValueError, "edge_tries must be a whole number of at least 1; got 1.5"),
        (GOOD, (X, Y), {"rate_width": 0}, ValueError, "rate_width must be a whole number of at least 1; got 0"),
        (GOOD, (X, Y), {"double_after": 0}, ValueError, "double_after must be a whole number of at least 1; got 0"),
        (GOOD, (X, Y), {"max_members": 0}, ValueError, "max_members must be a whole number of at least 1; got 0"),
        (GOOD, (X, Y), {"steps": 0}, ValueError, "steps must be a whole number of at least 1; got 0"),
        (GOOD, (X, Y), {"batch_size": 0}, ValueError, "batch_size must be a whole number of at least 1; got 0"),
        (GOOD, (X, Y), {"seeds": 2.5}, ValueError, "seeds must be a whole number of at least 1; got 2.5"),
        (
            GOOD,
            (X, Y),
            {"learning_rate": float("nan")},
            ValueError,
            "learning_rate must be positive, one number or a sequence of them; got nan",
        ),
        (GOOD, (X, Y), {"learning_rate": 0}, ValueError, "learning_rate must be positive, one number or a sequence of them; got 0"),
        (GOOD, (X, Y), {"input_noise": -1}, ValueError, "input_noise must be at least 0, and finite; got -1"),
        (GOOD, (X, Y), {"hidden_noise": -0.1}, ValueError, "hidden_noise must be at least 0, and finite; got -0.1"),
        (GOOD, (X, Y), {"weight_decay": float("inf")}, ValueError, "weight_decay must be at least 0, and finite; got inf"),
        (GOOD, (X, Y), {"unit_steps": "55"}, ValueError, "unit_steps must be a sequence of fractions .*; got '55'"),
        (GOOD, (X, Y), {"seed": 1.5}, ValueError, "seed must be a whole number of at least 0; got 1.5"),
        (GOOD, (X.to(torch.complex64), Y), {}, TypeError, "data must be real numbers; got x of torch.complex64"),
        (GOOD, (X, torch.full((20, 3), 1e39, dtype=torch.float64)), {}, ValueError, "y must be finite, as float32; got 60 NaN"),
        (GOOD, (np.ma.masked_less(X.numpy(), 0.5), Y), {}, TypeError, r"data x must not have masked values; got \d+ in a masked array"),
        (GOOD, (X, Y), {"validation": NAMED}, TypeError, "validation must be .*a DataLoader, or a fraction of the data; got Task"),
        (GOOD, (X, Y), {"checkpoint": "/"}, ValueError, "checkpoint must be the path of a file; got the folder /. Give the name of a file"),
        (
            GOOD,
            (X, Y),
            {"checkpoint": "pyproject.toml/run"},
            ValueError,
            "checkpoint must be in a folder that can be written to; got pyproject.toml",
        ),
        (GOOD, (X, Y), {"final_rate": 1.5}, ValueError, r"final_rate must be a fraction of the learning rate, in \[0, 1\]; got 1.5"),
        (
            GOOD,
            (X, Y),
            {"restart_rate": 30},
            ValueError,
            r"restart_rate must be a fraction of the learning rate in \(0, 1\], or None; got 30",
        ),
        (GOOD, (X, Y), {"dense_rounds": 0}, ValueError, "dense_rounds must be a whole number of at least 1; got 0"),
        (GOOD, (X, Y), {"device": "cuda:99"}, ValueError, "device must be available, one of cpu.*; got 'cuda:99'"),
        (GOOD, (X, Y), {"device": "abacus"}, ValueError, "device must be available"),
        (GOOD, tasks.boolean("both"), {"loss": "mse"}, ValueError, "a Task brings its own loss"),
        (mlp(nn.Linear(6, 8), nn.Linear(8, 4)), tasks.boolean("both"), {}, ValueError, "targets must have 4 columns"),
    ],
)
def test_bad_input_gets_one_clear_error_before_any_training(
    model: Any, data: Any, options: dict[str, Any], error: type[Exception], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sculpting.mlp.engine.train", lambda *a, **k: pytest.fail("training began"))
    with pytest.raises(error, match=text):
        sculpt(model, data, **{**QUICK, **options})
