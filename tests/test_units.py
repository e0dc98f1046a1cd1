"""Units of any module: for every architecture, what the map says is tried on the model itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from architectures import ARCHITECTURES, language_models
from torch import Tensor, nn

from sculpting.models.exporting import arguments_of, first_tensor
from sculpting.models.groups import UnitMap, units

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
def test_what_reads_a_unit_does_not_matter_once_what_writes_it_is_zero(name: str) -> None:
    model, example = made(name)
    found = units(model, example)
    tried = Tried(model, example, found)
    chosen = some(found, found.removable & found.zero)
    assert bool(chosen) != (name == "MLP of sigmoids")
    for unit in chosen:
        gone = tried.changed(unit, written=torch.zeros_like)
        torch.testing.assert_close(tried.changed(unit, written=torch.zeros_like, read=torch.randn_like), gone, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("name", [*ARCHITECTURES, *TRANSFORMERS])
def test_what_writes_a_unit_matters_only_to_what_reads_it(name: str) -> None:
    """Except where the unit enters a statistic over several."""
    model, example = made(name)
    found = units(model, example)
    tried = Tried(model, example, found)
    for unit in some(found, found.removable & ~found.mixed):
        if any(use.source is not None and bool((use.source == unit).any()) for use in found.uses):
            gone = tried.changed(unit, read=torch.zeros_like)
            torch.testing.assert_close(tried.changed(unit, written=torch.randn_like, read=torch.zeros_like), gone, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("name", [*ARCHITECTURES, *TRANSFORMERS])
def test_every_parameter_is_covered_or_free(name: str) -> None:
    model, example = made(name)
    found = units(model, example)
    used = {use.parameter for use in found.uses}
    for parameter in dict(model.named_parameters()):
        assert (parameter in used) != (parameter in found.free)
        ends = [end for use in found.uses if use.parameter == parameter for end in (use.source, use.target) if end is not None]
        if parameter in used:
            covered = torch.zeros(found.shapes[parameter], dtype=torch.bool)
            for end in ends:
                covered |= (end >= 0).expand(covered.shape)
            assert bool(covered.all()), parameter
