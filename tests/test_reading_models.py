"""Models as users write them, read as chains: the chain computes what the model computes, and the model stays as it was."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from quick import QUICK
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from sculpting import sculpt
from sculpting.activations import ACTIVATIONS
from sculpting.mlp.batched_mlp import BatchedMLP
from sculpting.models.chain import Chain, read_model
from sculpting.narrow import narrow

X = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))


def outputs_of(chain: Chain, x: Tensor) -> Tensor:
    """Outputs (S, k) of a chain, its head included."""
    networks = BatchedMLP(chain.shape, chain.values.unsqueeze(0))
    table = torch.cat([x, torch.ones(len(x), 1)], dim=1).t()
    found = networks.outputs(networks.forward(table)[0][-1])[0].t()
    heads = {None: lambda z: z, "sigmoid": torch.sigmoid, "softmax": lambda z: z.softmax(1), "log_softmax": lambda z: z.log_softmax(1)}
    return heads[chain.head](found)


def mlp(*middle: nn.Module, n_in: int = 4, hidden: int = 6, n_out: int = 2, last: tuple[nn.Module, ...] = ()) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, hidden), *middle, nn.Linear(hidden, n_out), *last)


def moved(model: nn.Module) -> nn.Module:
    """A model in eval mode whose buffers and parameters are none of the usual ones."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.2)
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.weight.sub_(0.7)
    return model.eval()


class With(nn.Module):
    """A model whose forward is ``function(self, x)``."""

    def __init__(self, function: Callable[..., Any], n_out: int = 1, **parts: Any) -> None:
        super().__init__()
        self.net, self.function = mlp(nn.ReLU(), n_out=n_out), function
        for name, part in {"mean": torch.rand(4), "std": torch.rand(4) + 0.5}.items():
            self.register_buffer(name, part)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


WRITTEN: dict[str, Callable[[], nn.Module]] = {
    "data parallel": lambda: nn.DataParallel(mlp(nn.ReLU())),
    "compiled": lambda: torch.compile(mlp(nn.ReLU()), backend="eager"),
    "compiled in part": lambda: nn.Sequential(torch.compile(mlp(nn.ReLU()), backend="eager"), nn.Tanh(), nn.Linear(2, 1)),
    "averaged": lambda: torch.optim.swa_utils.AveragedModel(mlp(nn.ReLU())),
    "graph": lambda: torch.fx.symbolic_trace(mlp(nn.ReLU())),
    "squeeze": lambda: With(lambda m, x: m.net(x).squeeze(-1)),
    "squeeze all": lambda: With(lambda m, x: m.net(x).squeeze()),
    "flatten": lambda: With(lambda m, x: m.net(x).flatten()),
    "flattened module": lambda: nn.Sequential(mlp(nn.ReLU(), n_out=1), nn.Flatten(0)),
    "view": lambda: With(lambda m, x: m.net(x).view(-1)),
    "view by rows": lambda: With(lambda m, x: m.net(x.view(x.size(0), -1)).view(len(x))),
    "reshape": lambda: With(lambda m, x: torch.reshape(m.net(x), (x.shape[0],))),
    "column": lambda: With(lambda m, x: m.net(x)[:, 0]),
    "back and forth": lambda: With(lambda m, x: m.net(x).squeeze(1).unsqueeze(-1)),
    "sigmoid of a column": lambda: With(lambda m, x: torch.sigmoid(m.net(x)).squeeze(1)),
    "standardised": lambda: With(lambda m, x: m.net((x - m.mean) / m.std)),
    "standardised in double": lambda: With(lambda m, x: m.net(((x.double() - m.mean) / m.std).float())),
    "standardised without bias": lambda: nn.Sequential(
        With(lambda m, x: (x - m.mean) / m.std, net=None), nn.Linear(4, 5, bias=False), nn.ReLU(), nn.Linear(5, 1)
    ),
    "from numbers": lambda: With(lambda m, x: 3 - m.net(2 * x - 1) * 0.5 / 4),
    "in place": lambda: With(lambda m, x: m.net[2](m.net[0](x).add_(m.std.mean()).relu_())),
    "in place, unreturned": lambda: With(lambda m, x: (h := m.net[0](x), F.relu(h, inplace=True), m.net[2](h))[-1]),
    "like its input": lambda: With(lambda m, x: m.net(x.view_as(x)).type_as(x).to(x)),
    "squeezed in place": lambda: With(lambda m, x: m.net(x.data).squeeze_(1)),
    "a copy in place": lambda: With(lambda m, x: (h := m.net[0](x), h.clone().relu_(), m.net[2](h.tanh()))[-1]),
    "negated": lambda: With(lambda m, x: -m.net(-x)),
    "clamped": lambda: With(lambda m, x: m.net[2](m.net[0](x).clamp(min=0))),
    "matmul": lambda: With(lambda m, x: torch.relu(x @ m.weight + m.bias) @ m.out, weight=torch.rand(4, 5), bias=torch.rand(5),
                           out=torch.rand(5)),
    "addmm": lambda: With(lambda m, x: m.net(torch.addmm(m.mean, x, m.weight)), weight=torch.rand(4, 4)),
    "batch norm after": lambda: mlp(nn.BatchNorm1d(6), nn.ReLU()),
    "batch norm before": lambda: mlp(nn.ReLU(), nn.BatchNorm1d(6)),
    "batch norm of inputs": lambda: nn.Sequential(nn.BatchNorm1d(4), mlp(nn.ReLU())),
    "batch norm of outputs": lambda: mlp(nn.ReLU(), last=(nn.BatchNorm1d(2),)),
    "batch norms around": lambda: mlp(nn.BatchNorm1d(6, affine=False), nn.Tanh(), nn.Dropout(0.5), nn.BatchNorm1d(6, eps=0.1)),
    "batch norm without bias": lambda: nn.Sequential(nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)),
    "softmax": lambda: mlp(nn.ReLU(), last=(nn.Softmax(dim=1),)),
    "spectral norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 6)), nn.ReLU(), nn.Linear(6, 2)),
    "spectral norm by hooks": lambda: nn.Sequential(spectral_norm(nn.Linear(4, 6)), nn.ReLU(), nn.Linear(6, 2)),
    "weight norm by hooks": lambda: nn.Sequential(weight_norm(nn.Linear(4, 6)), nn.ReLU(), nn.Linear(6, 2)),
    "weight norm": lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 6)), nn.ReLU(), nn.Linear(6, 2)),
    "orthogonal": lambda: nn.Sequential(parametrizations.orthogonal(nn.Linear(4, 6)), nn.ReLU(), nn.Linear(6, 2)),
    "pruned": lambda: nn.Sequential(prune.l1_unstructured(nn.Linear(4, 6), "weight", 0.5), nn.ReLU(), nn.Linear(6, 2)),
    "aside": lambda: With(lambda m, x: (m.net[0](x).norm(), torch.isnan(x).any(), m.net(x))[-1]),
    "optional input": lambda: Optional(),
    "with a lock": lambda: With(lambda m, x: m.net(x), lock=threading.Lock()),
    "wrong order": lambda: Reversed(),
    "in double": lambda: mlp(nn.ReLU()).double(),
}  # fmt: skip


class Optional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(nn.ReLU())

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        found: Tensor = self.net(x if mask is None else x * mask)
        return found


class Reversed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out, self.hidden = nn.Linear(7, 2), nn.Linear(4, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(-1, 4)
        assert x.ndim == 2
        assert x.shape[1] == 4
        found: Tensor = self.out(torch.relu(self.hidden(x.to(x.device))))
        return found


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated", "ignore:.*spectral_norm.*deprecated")
@pytest.mark.parametrize("name", WRITTEN)
def test_a_chain_computes_what_the_model_computes(name: str) -> None:
    torch.manual_seed(2)
    model = WRITTEN[name]().eval()
    inner = getattr(model, "_orig_mod", model)  # compiling is not what is tested
    if "norm" in name and "batch" in name:
        moved(model)
    if name == "compiled in part":
        inner = nn.Sequential(model[0]._orig_mod, *model[1:])
    chain = read_model(model)
    with torch.no_grad():
        expected = inner(X.double() if name == "in double" else X).float()
    torch.testing.assert_close(outputs_of(chain, X).view_as(expected), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_read_as_a_module_and_as_a_network_again(activation: str) -> None:
    model = mlp(ACTIVATIONS[activation].module())
    chain = read_model(model)
    assert chain.shape.activations == (activation, "identity")
    torch.testing.assert_close(outputs_of(chain, X), model(X).detach())


@pytest.mark.parametrize(
    ("function", "activation"),
    [
        (lambda x: F.hardtanh(x, 0, 6), "relu6"),
        (lambda x: x.clamp(-1, 1), "hardtanh"),
        (lambda x: torch.clip(x, min=0, max=1), "clipped_relu"),
        (lambda x: torch.clamp_min(x, 0), "relu"),
        (lambda x: F.threshold(x, 0, 0), "relu"),
        (lambda x: F.celu(x), "elu"),
        (lambda x: F.gelu(x, approximate="tanh"), "gelu_tanh"),
        (lambda x: torch.special.expit(x), "sigmoid"),
        (lambda x: F.leaky_relu(x, negative_slope=0.01), "leaky_relu"),
        (lambda x: F.logsigmoid(x), "log_sigmoid"),
        (lambda x: F.relu(x, True), "relu"),
        (lambda x: F.relu6(x), "relu6"),
    ],
)
def test_functions_are_read_as_the_activation_that_they_are(function: Callable[[Tensor], Tensor], activation: str) -> None:
    model = With(lambda m, x: m.net[2](function(m.net[0](x))))
    chain = read_model(model)
    assert chain.shape.activations[0] == activation
    torch.testing.assert_close(outputs_of(chain, X), model(X).detach())


def test_a_layer_without_neighbours_to_fold_keeps_its_bits() -> None:
    model = mlp(nn.ReLU(), nn.BatchNorm1d(6))
    kept = read_model(model).values[: 6 * 5].view(6, 5)
    assert torch.equal(kept[:, :4], model[0].weight)
    assert torch.equal(kept[:, 4], model[0].bias)


def test_a_bias_lives_where_the_model_or_what_was_folded_has_one() -> None:
    plain = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 2, bias=False))
    shifted = nn.Sequential(plain[0], nn.BatchNorm1d(6), *plain[1:])
    scaled = nn.Sequential(With(lambda m, x: x * 2), *plain)
    for model, lives in ((plain, [0.0, 0.0]), (shifted, [1.0, 0.0]), (scaled, [0.0, 0.0])):
        chain = read_model(model)
        assert [float(bias[0, 0]) for bias in chain.shape.biases(chain.mask.unsqueeze(0))] == lives


def state_of(model: nn.Module) -> tuple[list[Any], list[bool], Tensor]:
    tensors = [(id(t), t.clone(), t._version) for t in (*model.parameters(), *model.buffers())]
    return tensors, [module.training for module in model.modules()], torch.get_rng_state()


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated", "ignore:.*spectral_norm.*deprecated")
@pytest.mark.parametrize("name", [*WRITTEN, "counting"])
def test_reading_changes_nothing_of_a_model_in_training(name: str) -> None:
    def count(model: Any, x: Tensor) -> Tensor:
        model.std.add_(1)
        model.seen.append(x)
        model.net[0].weight.data.mul_(2)
        return model.net(x)

    model = (WRITTEN | {"counting": lambda: With(count, seen=[])})[name]().train()
    before = state_of(model)
    read_model(model)
    after = state_of(model)
    assert all(a[0] == b[0] and a[2] == b[2] and torch.equal(a[1], b[1]) for a, b in zip(before[0], after[0], strict=True))
    assert before[1] == after[1]
    assert torch.equal(before[2], after[2])
    assert getattr(model, "seen", []) == []
    assert not any(module._forward_hooks for module in model.modules())


def test_sculpt_and_narrow_start_from_a_folded_model_and_leave_it() -> None:
    model = nn.Sequential(With(lambda m, x: (x - m.mean) / m.std), moved(mlp(nn.BatchNorm1d(6), nn.Tanh()))).train()
    before = state_of(model)
    y = (X[:, :2] > 0).float()
    dense = sculpt(model, (X, y), initial="model", **QUICK, steps=20).dense
    kept = narrow(model, (X, y), units=6, method="ablation", recovery_steps=0).narrowed[0].network
    after = state_of(model)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(before[0], after[0], strict=True))
    assert before[1] == after[1]
    for network in (*dense, kept):
        torch.testing.assert_close(network.model()(X), copy.deepcopy(model).eval()(X), rtol=1e-5, atol=1e-5)


def test_eight_threads_read_and_run_models_side_by_side() -> None:
    models, errors, start = [mlp(nn.BatchNorm1d(6), nn.ReLU()) for _ in range(2)], [], threading.Barrier(8)
    expected = [read_model(model).values for model in models]

    def one(number: int) -> None:
        start.wait()
        try:
            for _ in range(10):
                if number % 4 == 3:
                    copy.deepcopy(models[0]).eval()(X)  # a model that runs meanwhile
                else:
                    assert torch.equal(read_model(models[number % 2]).values, expected[number % 2])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (mlp(nn.PReLU()), r"not supported: 1 \(PReLU\(num_parameters=1\)\). Use nn.LeakyReLU\(\), of slope 0.01, the nearest one"),
        (mlp(nn.Softplus(beta=2)), r"not supported: 1 \(Softplus\(beta=2.*Use nn.Softplus\(\), of beta 1"),
        (mlp(nn.Hardtanh(-2, 2)), r"not supported: 1 \(Hardtanh\(min_val=-2.*Use nn.Hardtanh\(0, 1\), nn.Hardtanh\(\) or nn.ReLU6\(\)"),
        (mlp(nn.Softshrink()), r"not supported: 1 \(Softshrink\(0.5\)\). Use nn.Tanh\(\), the nearest one"),
        (mlp(nn.LayerNorm(6)), r"not supported: 1 \(LayerNorm.*Use nn.BatchNorm1d, which folds"),
        (mlp(nn.BatchNorm1d(6, track_running_stats=False)), r"not supported: 1 \(BatchNorm1d.*with running statistics"),
        (nn.Sequential(nn.Embedding(5, 4), mlp(nn.ReLU())), r"not supported: 0 \(Embedding.*one column for each category"),
        (With(lambda m, x: m.net(torch.erf(x))), r"not supported: erf\(\). Use nn.Tanh\(\)"),
        (With(lambda m, x: m.net(x) ** 2), r"not supported: pow\(2\). Use nn.ReLU\(\)"),
        (With(lambda m, x: m.net(torch.cat([x, x], dim=1))), "must be a chain; got 'cat', which joins several values. Skip connections"),
        (With(lambda m, x: m.net(torch.cat([x, m.std[:1]], dim=1))), r"not supported: cat\(\[a tensor of shape \(7919, 4\), a tensor"),
        (With(lambda m, x: m.net(x)[:, :0]), r"not supported: getitem\(.*Choose columns of the data or of the targets instead"),
        (With(lambda m, x: m.net(x).argmax(1)), r"not supported: argmax\(1\). Return the logits instead"),
        (With(lambda m, x: m.net(x - x.mean(0))), r"not supported: mean\(0\). Keep a statistic of the training data in a buffer instead"),
        (nn.Sequential(nn.BatchNorm2d(4), mlp(nn.ReLU())), r"traced on rows of shape \(S, 4\) in '0': expected 4D input"),
        (nn.Linear, "must be a torch.nn.Module; got type. Pass an instance of the class"),
        (With(lambda m, x: (h := m.net[0](x), m.net[2](h * torch.sigmoid(h)))[-1]), "must be a chain; got 'mul', which joins"),
        (With(lambda m, x: m.net(x).flatten(), n_out=2), r"must leave rows as they are; got flatten\(\). Flatten from dimension 1 on"),
        (With(lambda m, x: (m.mean.add_(x.mean(0)), m.net(x - m.mean))[-1]), "must not write its rows .* got 'add_'. Use its result"),
        (With(lambda m, x: torch.add(x, 1, out=torch.empty(1))), "must not write its rows into another tensor; got 'add'"),
        (With(lambda m, x: (x.__setitem__((slice(None), 0), 0), m.net(x))[-1]), r"not supported: setitem\(.*Choose columns"),
        (With(lambda m, x: m.net(x.T)), r"not supported: T\(\). Write it as an nn.Linear"),
        (With(lambda m, x: m.net(x) + torch.rand(1)), "must compute the same at every call; got random numbers of aten::rand in eval mode"),
        (With(lambda m, x: m.net(F.dropout(x))), r"same at every call; got random numbers of dropout\(\) .*Pass training=self.training"),
        (With(lambda m, x: m.net(F.dropout1d(x, 0.1, inplace=True))), r"at every call; got random numbers of dropout1d\(\) in eval mode"),
        (With(lambda m, x: m.net(torch.dropout(x, 0.5, True))), r"at every call; got random numbers of dropout\(0.5, True\) in eval mode"),
        (With(lambda m, x: m.net(F.alpha_dropout(x, training=True))), r"at every call; got random numbers of alpha_dropout\(\) in eval"),
        (With(lambda m, x: {"logits": m.net(x)}), "must return one tensor made from its input; got a dict. Pass a module that returns"),
        (With(lambda m, x: m.mean), "got a tensor that does not depend on its input"),
        (nn.Bilinear(4, 4, 6), "must take one input; got a second one, 'input2'. Pass a module that sets it"),
        (With(lambda m, x: m.net(x.numpy())), "it depends on the values of its input, by numpy"),
        (mlp(nn.ReLU(), last=(nn.Tanh(), With(lambda m, x: x * 2))), r"a constant must come beside a Linear layer.*mul\(2\) in '4' after"),
        (mlp(nn.Tanh(), With(lambda m, x: x * 2), nn.Tanh()), r"beside a Linear layer.*got mul\(2\) in '2' between two activations"),
        (mlp(nn.ReLU(), nn.ReLU()), r"must follow a Linear layer; got 2 \(ReLU\(\)\) after another activation"),
        (mlp(With(lambda m, x: x + x.new_ones(len(x), 1))), r"not supported: new_ones\(7919, 1\) in '1'"),
        (mlp(nn.Linear(5, 6)), r"Linear layers must chain; got 6 outputs before 5 inputs at 1 \(Linear"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_what_to_do(model: nn.Module, text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        read_model(model)


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated")
def test_compiled_code_is_refused() -> None:
    model = nn.Sequential(mlp(nn.ReLU()), torch.jit.trace(nn.Linear(2, 1), X[:, :2]))
    with pytest.raises(ValueError, match=r"must be Python code; got a part compiled by torch.jit at '1'. Pass the module it was made from"):
        read_model(model)
