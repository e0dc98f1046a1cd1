"""Carries whose value is the same in all rows of some data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import GraphModule, Interpreter, Node
from torch.utils._pytree import tree_leaves

from ..exporting import arguments_of
from .shadow import Entries, Link

__all__ = ["constant_carries"]

DRAWS, NOISE = 2, 0.1  # of noise on the parameters, and its standard deviation
SAME = 1e-5  # of the largest value of an operand: what a value may differ between rows


class _Recorder(Interpreter):
    """Runs the operators, and keeps the values of some."""

    def __init__(self, module: GraphModule, names: set[str]) -> None:
        super().__init__(module)
        self.names = names
        self.kept: dict[str, Any] = {}

    def run_node(self, n: Node) -> Any:
        found = super().run_node(n)
        if n.name in self.names:
            self.kept[n.name] = found
        return found


def constant_carries(program: ExportedProgram, links: Sequence[Link], example: Any) -> dict[int, Tensor]:
    """For each link that is a carry of a sum, by its position: which of its pairs carry a value that is the same in all rows.

    Only entries of the sum on which the answer depends in some row of the example count; whether it does is told by the gradient of a
    random combination of the answers. That must hold for two draws of noise on the parameters, so that neither a unit that happens to be
    silent nor a layer that begins at zero decides. Pruned parameters, zeros beside others, stay zero.
    """
    carries = {i: (link, link.entries) for i, link in enumerate(links) if link.entries is not None}
    found = {i: torch.ones(len(link.source), dtype=torch.bool) for i, (link, _) in carries.items()}
    for seed in range(DRAWS):
        values, depends = _run(program, [entries for _, entries in carries.values()], example, torch.Generator().manual_seed(seed))
        for i, (link, entries) in carries.items():
            found[i] &= _constant(link, entries, values[entries.operand], depends.get(entries.operator))
    return found


def _run(
    program: ExportedProgram, places: Sequence[Entries], example: Any, generator: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The values of sums and operands by name, and on which entries of each sum the answer depends in some row."""
    module = program.module()
    with torch.no_grad():
        for parameter in filter(Tensor.is_floating_point, module.parameters()):
            noise = NOISE * torch.randn(parameter.shape, generator=generator).to(parameter)
            parameter.data = parameter + noise * ((parameter != 0) | ~(parameter != 0).any())
            parameter.requires_grad_()
    recorder = _Recorder(module, {name for entries in places for name in (entries.operator, entries.operand)})
    with torch.enable_grad():
        answers = recorder.run(*tree_leaves(arguments_of(example)), enable_io_processing=False)
        answer = next(each for each in tree_leaves(answers) if isinstance(each, Tensor))
        weights = torch.rand(answer.shape, generator=generator).to(answer) + 0.5
        sums = {entries.operator: recorder.kept[entries.operator] for entries in places}
        needing = {name: value for name, value in sums.items() if value.requires_grad}
        slopes = torch.autograd.grad((answer * weights).sum(), [*needing.values()], allow_unused=True) if needing else ()
    return recorder.kept, {name: (slope != 0).any(dim=0) for name, slope in zip(needing, slopes, strict=True) if slope is not None}


def _constant(link: Link, entries: Entries, value: Tensor, depends: Tensor | None) -> Tensor:
    if depends is None:  # the answer does not depend on the sum at all
        return torch.ones(len(link.source), dtype=torch.bool)
    value = value.detach()
    spread = value.amax(dim=0) - value.amin(dim=0)
    varies = (spread > SAME * value.abs().amax().clamp(min=1e-30)).expand(depends.shape) & depends
    pairs = torch.stack([entries.carried[0].expand(depends.shape)[varies], entries.result[0][varies]]).unique(dim=1)
    found = {(a, b) for a, b in pairs.t().tolist()}
    return torch.tensor([pair not in found for pair in zip(link.source.tolist(), link.target.tolist(), strict=True)], dtype=torch.bool)
