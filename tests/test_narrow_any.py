"""``narrow`` for any module: methods, sizes, zeros that stay, hooks and errors."""

from __future__ import annotations

import re
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import LeNet
from torch import Tensor, nn

from sculpting import SparseModule, read_model
from sculpting.autograd import ModulePopulation, ModuleRows
from sculpting.autograd.training import train
from sculpting.engine import Hooks
from sculpting.narrow import Lasso, UnitScores, ablation_scores, learn, lowest, narrow, prune_units
from sculpting.narrow.engines import engine_of
from sculpting.narrow.reading import read_pair
from sculpting.randomness import keys
from sculpting.settings import RoundSettings
from sculpting.tasks import Task, cmsp

METHODS = ("group-lasso", "first-order", "activation-gradient", "ablation", "random", "distill", "scratch")
BROAD, KEEP, FORGET = (cmsp(2, 3, codes=codes) for codes in ([[0], [1]], [[0]], [[1]]))
QUICK = {"batch_size": 64, "learning_rate": 0.003, "recovery_steps": 60, "revival_steps": 60, "steps": 120}


class Unreadable(nn.Module):
    """A chain of Linear layers that no reader of chains takes: the mean of its answer and its answer."""

    def __init__(self, chain: nn.Sequential) -> None:
        super().__init__()
        self.chain = chain

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.chain(x), self.chain(x)]).mean(dim=0)


class Residual(nn.Module):
    """A stream that a matrix reads and writes: s + W s."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.block, self.out = nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        stream = self.into(x)
        return self.out(stream + self.block(stream))


def mlp(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for into, out in pairwise(widths):
        layers += [nn.Linear(into, out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def seeded(make: Any, *arguments: Any, seed: int = 0) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make(*arguments)


def rows_for(loss: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, z = torch.randn(40, 5, generator=generator), torch.randn(40, 3, generator=generator)
    return x, {"bce": (z > 0).float(), "ce": z.argmax(dim=1), "mse": z}[loss]


def unreadable(*widths: int, seed: int = 0) -> Unreadable:
    model: Unreadable = seeded(lambda: Unreadable(mlp(*widths)), seed=seed)
    with pytest.raises((TypeError, ValueError)):
        read_model(model)
    return model


class Planted(nn.Module):
    """Two convolutions that each read one of two channels of an image, with more channels than a task of the first needs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(1, 6, 3, padding=1)
        self.out = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        parts = [torch.relu(conv(x[:, i : i + 1])).mean(dim=(2, 3)) for i, conv in enumerate((self.first, self.second))]
        return self.out(torch.cat(parts, dim=1))


def planted() -> tuple[Task, Task]:
    """Whether the bright spots of the first or of the second channel are many."""
    generator = torch.Generator().manual_seed(4)
    counts = torch.randint(0, 9, (300, 2), generator=generator)
    x = (torch.rand(300, 2, 16, generator=generator).argsort(dim=2) < counts.unsqueeze(2)).float().view(300, 2, 4, 4)
    tasks = []
    for side in (0, 1):
        y = nn.functional.one_hot((counts[:, side] > 4).long(), 2).float()
        tasks.append(Task(x[:240], y[:240], "ce", x[240:], y[240:], name=f"side {side}"))
    return tasks[0], tasks[1]


def test_a_group_lasso_removes_exactly_the_side_that_the_task_does_not_need() -> None:
    keep, forget = planted()
    model = seeded(Planted, seed=3)
    settings: dict[str, Any] = {"batch_size": 40, "learning_rate": 0.01, "steps": 600, "recovery_steps": 60, "revival_steps": 60}
    result = narrow(model, keep, forget, method="group-lasso", lasso=Lasso(1.0), **settings)
    assert isinstance(result.network, SparseModule)
    assert result.accuracy_keep > 0.95
    assert result.accuracy_forget < 0.7
    assert result.accuracy_revived < 0.7  # nothing reads the other side any more
    state = result.network.state
    assert not state["second.weight"].any()
    assert not state["out.weight"][:, 6:].any()
    live = state["first.weight"].flatten(1).any(dim=1)
    assert 1 <= int(live.sum()) == result.units <= 6
    assert result.path
    assert result.path[-1].units == result.history[1].units == result.units


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_modules_of_the_size_asked_for_that_are_what_the_history_says(method: str) -> None:
    model = unreadable(BROAD.x.shape[1], 12, 12, 1)
    before = deepcopy(model.state_dict())
    result = narrow(model, KEEP, FORGET, method=method, units=[8, 16], seeds=2, **QUICK)
    assert [(one.seed, one.asked) for one in result.narrowed] == [(0, 8), (1, 8), (0, 16), (1, 16)]
    stages = [[stage for stage in result.history if stage.phase == phase] for phase in ("learnt", "revived")]
    for one, learnt, revived in zip(result.narrowed, *stages, strict=True):
        assert one.units <= learnt.units <= one.asked
        assert learnt.units == one.asked or method == "group-lasso"
        for task, accuracy in ((KEEP, one.accuracy_keep), (FORGET, one.accuracy_forget)):
            z = one.network.model()(task.x_validation)
            assert ((z > 0) == (task.y_validation > 0.5)).double().mean().item() == accuracy
            assert (one.network.predict(task.x_validation) == task.y_validation.numpy()).mean() == accuracy
        assert revived.accuracy_forget == one.accuracy_revived
        assert one.network.origin == {"method": method, "seed": one.seed, "units": one.asked, "task": KEEP.name}
        for name, mask in one.network.masks.items():
            assert not one.network.state[name][~mask].any()
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    assert len(str(result).splitlines()) == 6


@pytest.mark.parametrize("method", ["ablation", "first-order", "activation-gradient"])
def test_a_chain_read_as_a_module_is_narrowed_alike(method: str) -> None:
    model = unreadable(BROAD.x.shape[1], 12, 12, 1)
    ours, theirs = (narrow(each, KEEP, method=method, units=10, **QUICK).best for each in (model, model.chain))
    assert (ours.accuracy_keep, ours.examples) == (theirs.accuracy_keep, theirs.examples)
    x = KEEP.x_validation
    torch.testing.assert_close(ours.network.model()(x), theirs.network.model()(x), atol=1e-4, rtol=1e-4)


def test_a_distilled_module_learns_what_its_chain_learns() -> None:
    """From the same weights, at full size, on the same batches and from the same teacher."""
    teacher = unreadable(BROAD.x.shape[1], 10, 1, seed=5)
    results = []
    for model in (teacher, teacher.chain):
        members, rows = read_pair(model, KEEP, None)
        engine = engine_of(members)
        start = members.select([0])
        start.values.mul_(0.5)
        taught = engine.taught(rows, members, "bce", 0.9, 2.0)
        results.append(learn(start, taught, keys([0]), steps=20, batch_size=16, learning_rate=0.01))
    for name in ("accuracy", "loss"):
        ours, theirs = (getattr(result.score, name) for result in results)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_rows_that_are_drawn_bring_the_teachers_logits() -> None:
    task = cmsp(2, 2, n=20, rows=30)
    model = unreadable(task.x.shape[1], 6, 1)
    members, rows = read_pair(model, task, None)
    taught = engine_of(members).taught(rows, members, "bce", 0.5, 2.0)
    assert taught.sample is not None
    assert task.sample is not None
    x, y = taught.sample(keys([0, 1, 2]), 3, 10)
    expected_x, expected_y = task.sample(keys([0, 1, 2]), 3, 10)
    assert torch.equal(x, expected_x)
    assert torch.equal(y[:, :1], expected_y)
    with torch.no_grad():
        for member in range(3):
            torch.testing.assert_close(y[member, 1:], model(x[member].t()).t())
    learnt = learn(members.select([0, 0]), taught, keys([0, 1]), steps=4, batch_size=10, learning_rate=0.01)
    assert learnt.consumed.tolist() == [60, 60]  # two epochs of 3 batches


def test_pruned_units_of_a_network_of_convolutions_leave_its_answer() -> None:
    x, y = torch.randn(12, 1, 28, 28, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 10
    model = seeded(LeNet)
    scores = ablation_scores(model, (x, y))
    assert isinstance(scores, UnitScores)
    assert [(layer.kind, layer.size) for layer in scores.layers] == [("channel", 4), ("channel", 6), ("neuron", 12), ("neuron", 8)]
    pruned = prune_units(model, scores, 0.5, scope="layer")
    assert isinstance(pruned, SparseModule)
    assert pruned.hidden_count == 2 + 3 + 6 + 4
    masked = deepcopy(model)
    with torch.no_grad():
        for layer, part in zip((masked.c1, masked.c2, masked.f1, masked.f2), scores, strict=True):
            gone = torch.from_numpy(part.argsort(kind="stable")[: len(part) // 2])
            layer.weight[gone] = 0
            layer.bias[gone] = 0
        torch.testing.assert_close(pruned.model()(x), masked(x))
    smaller = pruned.compact(x)
    with torch.no_grad():
        torch.testing.assert_close(smaller.module(x), masked(x), atol=1e-5, rtol=1e-5)
    again = prune_units(pruned, [part.copy() for part in scores], 0.75, scope="layer")
    assert again.hidden_count < pruned.hidden_count
    found = prune_units(model, [part.copy() for part in scores], 0.5, scope="layer", example=x)
    assert all(torch.equal(part, found.masks[name]) for name, part in pruned.masks.items())
    whole = prune_units(model, scores, 0.0)
    assert all(torch.equal(part, model.state_dict()[name]) for name, part in whole.state.items())


class Normed(nn.Module):
    """Channels with batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.norm(self.conv(x))).mean(dim=(2, 3)))


def test_masks_hold_and_batch_norms_move_in_recovery() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(61, 1, 5, 5, generator=generator) + 1, torch.randint(0, 3, (61,), generator=generator)
    model = seeded(Normed)
    options: dict[str, Any] = {"batch_size": 16, "recovery_steps": 12, "learning_rate": 0.01}
    result = narrow(model, (x, y), method="ablation", units=4, **options)
    state = result.network.state
    gone = ~state["conv.weight"].flatten(1).any(dim=1)
    assert int(gone.sum()) == 2
    for name in ("conv.bias", "norm.weight", "norm.bias"):
        assert not state[name][gone].any()
    assert not state["out.weight"][:, gone].any()
    assert bool((state["norm.running_mean"][~gone] != 0).all())
    assert result.examples == 4 * 49  # 12 steps of 17 rows, 3 an epoch: batches of 16 would leave a single row
    smaller = result.network.compact(x)
    with torch.no_grad():
        torch.testing.assert_close(smaller.module(x), result.network.model()(x), atol=1e-5, rtol=1e-5)
    captured = narrow(
        model, (x, y), method="group-lasso", units=[5, 3], capture_sizes=True, lasso=Lasso(20.0), steps=40, check_every=1, **options
    )
    assert [one.units <= one.asked for one in captured.narrowed] == [True, True]


def test_a_model_for_each_seed_is_pruned_by_itself() -> None:
    models = [unreadable(BROAD.x.shape[1], 8, 1, seed=seed) for seed in (0, 1)]
    result = narrow(models, KEEP, method="ablation", units=4, **{**QUICK, "recovery_steps": 0})
    for model, one in zip(models, result.narrowed, strict=True):
        kept = one.network.state["chain.0.weight"].any(dim=1)
        assert int(kept.sum()) == 4
        assert torch.equal(one.network.state["chain.0.weight"][kept], model.chain[0].weight[kept])
    taught = narrow(models, KEEP, method="distill", units=4, **{**QUICK, "steps": 4})
    assert [one.seed for one in taught.narrowed] == [0, 1]


def test_what_was_narrowed_is_narrowed_further_and_zeros_stay() -> None:
    model = unreadable(BROAD.x.shape[1], 8, 8, 1)
    first = narrow(model, KEEP, method="random", units=8, **QUICK).network
    second = narrow(first, KEEP, method="ablation", units=5, **QUICK).network
    assert second.hidden_count <= 5
    for name, mask in first.masks.items():
        assert not second.masks[name][~mask].any()
    with torch.no_grad():
        model.chain[0].weight[2, :3] = 0
    again = narrow(model, KEEP, method="ablation", units=16, **QUICK).network
    assert not again.state["chain.0.weight"][2, :3].any()


def test_fresh_networks_lose_the_last_units_of_each_layer_in_proportion() -> None:
    model = unreadable(BROAD.x.shape[1], 9, 3, 1)
    network = narrow(model, KEEP, method="scratch", units=8, **{**QUICK, "steps": 1}).network
    assert network.masks["chain.0.weight"].any(dim=1).tolist() == [True] * 6 + [False] * 3
    assert network.masks["chain.2.weight"].any(dim=1).tolist() == [True] * 2 + [False]


def test_hooks_see_the_members_and_change_them() -> None:
    members, rows = read_pair(unreadable(5, 4, 3), rows_for("ce"), None)
    seen: list[tuple[int, int]] = []

    def watch(places: Tensor, part: ModulePopulation, score: Any, steps: int) -> bool:
        seen.append((len(places), steps))
        return steps >= 6

    def still(part: ModulePopulation, slopes: Tensor) -> None:
        slopes.zero_()

    def doubled(part: ModulePopulation, rate: float) -> None:
        assert rate == 0.01
        part.values.mul_(2.0)

    settings = RoundSettings(10, 20, 0.01, final_rate=1.0, weight_decay=0.0, check_every=2, keep_last=True)
    hooks = Hooks(before_step=still, after_step=doubled, watch=watch)
    both = members.select([0, 0])
    trained, _ = train(both, rows, settings, keys([0, 1]), hooks=hooks)
    assert seen == [(2, 2), (2, 4), (2, 6)]
    torch.testing.assert_close(trained.values, both.values * 2**6)


def test_what_does_not_fit_is_refused() -> None:
    model, (x, y) = unreadable(5, 4, 3), rows_for("ce")
    scores = ablation_scores(model, (x, y))
    with pytest.raises(ValueError, match=r"the units of a module .* must be known; got scores without them. Pass what ablation_scores"):
        prune_units(model, [part.copy() for part in scores], 0.5)
    with pytest.raises(ValueError, match=r"scores must have shapes \[\(4,\)\], one for each layer of units; got \[\(3,\)\]"):
        prune_units(model, UnitScores([scores[0][:3]], scores.layers, scores.units), 0.5)
    with pytest.raises(ValueError, match=r"units must be whole numbers in 1...4: a narrow network has at most the hidden units"):
        narrow(model, (x, y), method="ablation", units=5)
    with pytest.raises(ValueError, match=r"method 'random' needs a size: give units, 1...4, or sparsity"):
        narrow(model, (x, y), method="random")
    with pytest.raises(ValueError, match=r"models must have one architecture, with chain.0.weight as \(4, 5\); got \(6, 5\)"):
        narrow([model, unreadable(5, 6, 3)], (x, y), method="random", units=2)
    with pytest.raises(TypeError, match="models must all be modules of one architecture; got int"):
        narrow([model, 3], (x, y), method="random", units=2)
    with pytest.raises(TypeError, match="the model must take x of shape"):
        ablation_scores(model, (x[:, :4], y))
    broken = deepcopy(model)
    broken.chain[0].weight.data[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"must .*finite"):
        narrow(broken, (x, y), method="random", units=2)
    with pytest.raises(ValueError, match="keep and forget must be for one network, with the same inputs and loss"):
        narrow(model, (x, y), (x, (x[:, :3] > 0).float()), method="random", units=2)
    with pytest.raises(ValueError, match="the model must have units that can be removed; got none"):
        ablation_scores(Unreadable(mlp(5, 3)), (x, y))


def test_lowest_ranks_units_of_a_module_in_the_order_of_its_map() -> None:
    members, rows = read_pair(unreadable(5, 4, 4, 3), rows_for("ce"), None)
    assert isinstance(rows, ModuleRows)
    scores = torch.tensor([[3.0, 1.0, 2.0, 4.0, 0.5, 5.0, 6.0, 7.0]])
    assert torch.nonzero(lowest(scores, members, 0.25)[0]).flatten().tolist() == [1, 4]
    assert torch.nonzero(lowest(scores, members, 0.25, "layer")[0]).flatten().tolist() == [1, 4]
    assert torch.nonzero(lowest(scores, members, 0.375)[0]).flatten().tolist() == [1, 2, 4]


def test_the_example_of_the_documentation_runs() -> None:
    page = (Path(__file__).parents[1] / "docs/narrow.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page[page.index("## Narrow any module") :], flags=re.DOTALL)
    known: dict[str, Any] = {}
    with torch.random.fork_rng():
        exec(code, known)
    assert known["result"].accuracy_keep > 0.9
    assert known["result"].accuracy_forget < 0.75
    assert known["half"].hidden_count == 4
    assert known["small"][0].out_channels == known["result"].units < 8
