"""Units of any module: for every architecture, what the map says is tried on the model itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from architectures import ARCHITECTURES, Mixer, language_models
from torch import Tensor, nn

from sculpting.models.exporting import arguments_of, first_tensor
from sculpting.models.groups import UnitMap, units
from sculpting.models.groups.rules import rules_in_words
from sculpting.models.groups.weights import weighted_blocks

TRANSFORMERS = ("GPT-2", "Llama", "Llama, grouped keys", "BERT")
CLOSE = 2e-5
Change = Callable[[Tensor], Tensor]


def made(name: str) -> tuple[nn.Module, object]:
    torch.manual_seed(0)
    if name in TRANSFORMERS:
        pytest.importorskip("transformers", reason="transformers is not installed: pip install neural-sculpting[lm]")
        make, example = language_models()[name]
    else:
        make, example = ARCHITECTURES[name]
    model = make().eval()
    for parameter in model.parameters():  # so that no bias and no norm is trivial
        parameter.data += 0.1 * torch.randn(parameter.shape)
    return model, example()


class Tried:
    """A model whose parameters are replaced for one answer."""

    def __init__(self, model: nn.Module, example: object, found: UnitMap) -> None:
        self.model, self.found = model, found
        self.args, self.kwargs = arguments_of(example)
        every = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
        first: dict[int, str] = {}
        self.first = {name: first.setdefault(id(tensor), name) for name, tensor in every}
        self.tensors = {name: tensor.detach() for name, tensor in every if self.first[name] == name}

    def changed(self, unit: int, written: Change | None = None, read: Change | None = None) -> Tensor:
        """The answer when the elements that write, or only read, a unit are replaced."""
        tensors = dict(self.tensors)
        writing = {name: torch.zeros(tensor.shape, dtype=torch.bool) for name, tensor in tensors.items()}
        for use in self.found.uses:
            if use.target is not None and use.kind != "statistic":
                writing[use.parameter] |= use.target == unit
        for use in self.found.uses:
            name, tensor = use.parameter, tensors[use.parameter]
            if written is not None:
                tensor = torch.where(writing[name], written(tensor), tensor)
            if read is not None and use.source is not None:
                tensor = torch.where((use.source == unit) & ~writing[name], read(tensor), tensor)
            tensors[name] = tensor
        whole = {name: tensors[first] for name, first in self.first.items()}
        with torch.no_grad():
            answer = first_tensor(torch.func.functional_call(self.model, whole, self.args, self.kwargs, tie_weights=False))
        assert answer is not None
        return answer


def some(found: UnitMap, chosen: Tensor) -> list[int]:
    """Chosen units: the first, the last and every fourth of each layer."""
    kept = {unit for layer in found.layers for unit in (*layer.units[::4], layer.units[-1])}
    return [unit for unit in torch.nonzero(chosen).flatten().tolist() if unit in kept]


@pytest.mark.parametrize("name", [*ARCHITECTURES, *TRANSFORMERS])
def test_the_map_is_true_of_the_model(name: str) -> None:
    model, example = made(name)
    found = units(model, example)
    tried = Tried(model, example, found)
    check_readers(tried, found, any_zero=name != "MLP of sigmoids")
    check_writers(tried, found)
    check_coverage(model, found)


def check_readers(tried: Tried, found: UnitMap, any_zero: bool) -> None:
    """What reads a unit does not matter once what writes it is zero."""
    chosen = some(found, found.removable & found.zero)
    assert bool(chosen) == any_zero
    for unit in chosen:
        gone = tried.changed(unit, written=torch.zeros_like)
        torch.testing.assert_close(tried.changed(unit, written=torch.zeros_like, read=torch.randn_like), gone, rtol=0, atol=CLOSE)


def check_writers(tried: Tried, found: UnitMap) -> None:
    """What writes a unit matters only to what reads it, except where it enters a statistic over several."""
    for unit in some(found, found.removable & ~found.mixed):
        if any(use.source is not None and bool((use.source == unit).any()) for use in found.uses):
            gone = tried.changed(unit, read=torch.zeros_like)
            torch.testing.assert_close(tried.changed(unit, written=torch.randn_like, read=torch.zeros_like), gone, rtol=0, atol=CLOSE)


def check_coverage(model: nn.Module, found: UnitMap) -> None:
    """Every parameter is covered or said to be free."""
    used = {use.parameter for use in found.uses}
    assert {*found.free} == ({"over_places.weight", "over_places.bias", "back.weight", "back.bias"} if isinstance(model, Mixer) else set())
    for parameter in dict(model.named_parameters()):
        assert (parameter in used) != (parameter in found.free)
        ends = [end for use in found.uses if use.parameter == parameter for end in (use.source, use.target) if end is not None]
        if parameter in used:
            covered = torch.zeros(found.shapes[parameter], dtype=torch.bool)
            for end in ends:
                covered |= (end >= 0).expand(covered.shape)
            assert bool(covered.all()), parameter


def test_the_stages_are_in_the_order_of_the_forward() -> None:
    found = units(ARCHITECTURES["decoder by hand"][0]().eval(), torch.randint(0, 11, (2, 6)))
    assert [(stage.name, stage.kind, len(stage.units)) for stage in found.stages] == [
        ("table.weight", "input", 8), ("place", "input", 8), ("table", "residual", 8), ("qkv", "query-key", 16), ("pattern", "gate", 2),
        ("matmul", "value", 8), ("add", "residual", 8), ("up", "neuron", 12), ("add stage", "residual", 8), ("table stage", "output", 11),
    ]  # fmt: skip
    kinds = [(block.source, block.target, block.kind) for block in found.blocks]
    assert kinds == [
        (0, 2, "embedding"), (1, 2, "embedding"), (2, 3, "dense"), (3, 4, "product"), (3, 4, "product"), (2, 5, "dense"), (4, 5, "gate"),
        (2, 6, "carry"), (5, 6, "dense"), (6, 7, "dense"), (6, 8, "carry"), (7, 8, "dense"), (8, 9, "dense"),
    ]  # fmt: skip


def test_a_table_of_positions_has_a_unit_for_each_column() -> None:
    make, example = ARCHITECTURES["vision transformer"]
    stages = {stage.name: len(stage.units) for stage in units(make().eval(), example()).stages}
    assert stages["place"] == 8


def test_units_of_gpt2_are_those_of_the_published_count() -> None:
    """768 dimensions; in each layer 3,072 neurons, 768 values and 768 pairs of queries and keys. Here three layers of a tenth of it."""
    make, example = made_gpt2()
    found = units(make, example)
    counts = {
        kind: sum(layer.size for layer in found.layers if layer.kind == kind) for kind in ("residual", "neuron", "value", "query-key")
    }
    assert counts == {"residual": 76, "neuron": 3 * 304, "value": 3 * 76, "query-key": 3 * 76}


def made_gpt2() -> tuple[nn.Module, object]:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(vocab_size=50, n_positions=8, n_embd=76, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0)
    return transformers.GPT2LMHeadModel(config), {"input_ids": torch.randint(0, 50, (2, 8)), "use_cache": False}


class Refused(nn.Module):
    def __init__(self, forward: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.call = nn.Linear(4, 4), forward

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.layer, x)


@pytest.mark.parametrize(
    ("forward", "match"),
    [
        (lambda layer, x: layer(x) if x.sum() > 0 else x, r"cannot be exported at .*test_units.py.*must not depend on the values"),
        (lambda layer, x: layer(x) * (layer(x) > 0), r"through 'gt', at .*test_units.py.*a comparison of units decides.*smooth gate"),
        (lambda layer, x: torch.fft.fft(layer(x)).real, r"through 'fft_\w+', at .*test_units.py.*: there is no rule for it"),
        (lambda layer, x: layer(torch.cat([layer(x)[:1], layer(x)[1:].roll(1, 1)])), r"'linear'.*: units differ between positions"),
        (lambda layer, x: layer(x.view(3, 4)), r"batch dimension of Refused must not be fixed; twice the rows fail at"),
        (lambda layer, x: layer(x).sum(0), r"must have a row for each row of the example; got shape \(4,\)"),
        (lambda layer, x: layer(x) / 0 * 0, r"must be finite; got 12 NaN"),
        (lambda layer, x: layer(x[:, :3]), r"fails on the example at .*mat1 and mat2 shapes"),
        (lambda layer, x: None, "must return a tensor"),
        (lambda layer, x: layer(layer(x).mean(1, keepdim=True).expand(-1, 4)), "through 'linear', at .*it reads a sum over units"),
        (lambda layer, x: layer(x).sum(1, keepdim=True), "the answer must be made of units; got one that is a sum over several"),
        (lambda layer, x: layer(nn.functional.dropout(layer(x))), "through 'native_dropout', at .*it drops units in eval mode, too. Pass"),
        (lambda layer, x: torch.clamp(layer(x), min=layer(2 * x)), "through 'clamp', at .*it joins several values"),
    ],
)
def test_what_cannot_be_followed_is_named(forward: Callable[..., Tensor], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        units(Refused(forward), torch.randn(3, 4))


@pytest.mark.parametrize(
    ("example", "match"),
    [((), "at least one tensor"), (torch.tensor(1.0), "at least one row"), (torch.full((3, 4), torch.nan), "must be finite")],
)
def test_an_example_is_checked(example: object, match: str) -> None:
    with pytest.raises((TypeError, ValueError), match=match):
        units(nn.Linear(4, 2), example)


def test_the_model_is_not_changed() -> None:
    model = ARCHITECTURES["ResNet-18"][0]().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    units(model, torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(state, torch.get_rng_state())
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_weights_that_are_used_twice_unite_what_they_read_and_write() -> None:
    layer = nn.Linear(4, 4)
    found = units(nn.Sequential(nn.Linear(2, 4), layer, nn.ReLU(), layer, nn.Linear(4, 3)), torch.randn(2, 2))
    assert [(layer.kind, layer.size) for layer in found.layers] == [("input", 2), ("neuron", 4), ("output", 3)]


def test_masks_cover_what_reads_and_writes_a_unit() -> None:
    found = units(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), torch.randn(2, 2))
    alive = torch.ones(2, len(found), dtype=torch.bool)
    alive[1, found.named("0").first] = False
    masks = found.masks(alive)
    assert masks["0.weight"].expand(2, 3, 2)[1].tolist() == [[False, False], [True, True], [True, True]]
    assert masks["0.bias"][1].tolist() == [False, True, True]
    assert masks["2.weight"].expand(2, 1, 3)[1].tolist() == [[False, True, True]]
    assert bool(masks["0.weight"][0].all())
    with pytest.raises(KeyError, match="layer must be one of"):
        found.named("1")


def test_edges_of_several_parameters_have_their_norm() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 2, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[[[3.0, 0.0], [0.0, 4.0]]], [[[0.0, 0.0], [0.0, 0.0]]]]))
        model[3].weight.copy_(torch.tensor([[0.0, 0.0, 0.0, -2.0, 1.0, 1.0, 1.0, 1.0]]))
    found = units(model, torch.randn(2, 1, 3, 3))
    blocks = weighted_blocks(found, dict(model.named_parameters()))
    assert [(source, target, kind, matrix.toarray().tolist()) for source, target, matrix, kind in blocks] == [
        (0, 1, "conv", [[5.0, 0.0]]),
        (1, 2, "dense", [[2.0], [2.0]]),
    ]


class LastToken(nn.Module):
    """A residual stream of which only the last token is read."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.mix, self.last = nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        x = x + self.mix(x.mean(1, keepdim=True))
        return self.last(x[:, -1])


@pytest.mark.parametrize(("last", "carries"), [(4, 0), (None, 3)])
def test_a_carry_that_is_the_same_in_all_rows_is_left_out_of_the_graph(last: int | None, carries: int) -> None:
    tokens = torch.cartesian_prod(torch.arange(4), torch.arange(4), torch.arange(4) if last is None else torch.tensor([last]))
    found = units(LastToken(), tokens, drop_constant=True)
    assert sum(len(block.rows) for block in found.blocks if block.kind == "carry") == carries
    assert [block.kind for block in units(LastToken(), tokens).blocks].count("carry") == 1


def test_rotary_pairs_are_mixed_and_not_carried() -> None:
    transformers = pytest.importorskip("transformers")
    assert transformers
    make, example = language_models()["Llama"]
    model = make().eval()
    blocks = weighted_blocks(units(model, example()), dict(model.named_parameters()))
    mixed = [matrix for *_, matrix, kind in blocks if kind == "mix"]
    assert len(mixed) == 4
    assert all(matrix.nnz == 16 for matrix in mixed)
    assert all(matrix.nnz == matrix.shape[0] for *_, matrix, kind in blocks if kind == "carry")


def test_the_documentation_has_the_table_of_rules() -> None:
    page = Path(__file__).parent.parent / "docs" / "any-network.md"
    assert "\n".join(rules_in_words()) in page.read_text(encoding="utf-8")


def test_channels_of_a_group_are_not_the_input_that_they_read() -> None:
    found = units(nn.Sequential(nn.Conv2d(2, 8, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)), torch.randn(2, 2, 4, 4))
    assert [(layer.kind, layer.size) for layer in found.layers] == [("input", 2), ("channel", 8), ("output", 2)]


def test_a_stream_from_the_input_to_the_answer_has_both_ends() -> None:
    class Stream(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.b(self.a(x).relu())

    assert [stage.kind for stage in units(Stream(), torch.randn(2, 4)).stages] == ["input", "neuron", "output"]


@pytest.mark.parametrize(("head", "last"), [(nn.Sigmoid(), "sigmoid"), (nn.Identity(), "linear"), (nn.Flatten(), "linear")])
def test_the_operator_that_makes_the_answer_is_known(head: nn.Module, last: str) -> None:
    assert units(nn.Sequential(nn.Linear(4, 2), head), torch.randn(2, 4)).last == last
