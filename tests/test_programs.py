"""Compiled programs: exact on every row, what is not theirs does nothing, and first-order scores find their edges."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from sculpting import tasks
from sculpting.autograd import MODULE_EDGE_SCORES, Architecture, ModulePopulation, ModuleRows
from sculpting.models.groups import units
from sculpting.tasks.programs import PROGRAMS

NAMES = sorted(PROGRAMS)


def balanced(text: str) -> bool:
    while "()" in text:
        text = text.replace("()", "")
    return not text


def bits(name: str, row: list[int]) -> list[bool]:
    """The answers to a row, worked out in another way."""
    if name == "histogram":
        return [False] * 4 + [row[1:].count(token) == count for token in row[1:] for count in range(1, 5)]
    if name == "reverse":
        return [token == known for token in reversed(row) for known in range(3)]
    beginnings = ["".join("()"[token] for token in row[: i + 1]) for i in range(len(row))]
    return [bit for text in beginnings for bit in (any(balanced(text + ")" * n) for n in range(7)), balanced(text))]


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_right_whatever_the_other_weights_are(name: str) -> None:
    for seed in range(3):
        program = tasks.compiled(name, seed=seed)
        assert [[bool(bit) for bit in row] for row in program.task.y] == [bits(name, row) for row in program.task.x.tolist()]
        z = program.model(program.task.x)
        assert bool(((z > 0) == (program.task.y > 0)).all())
        assert len({tuple(row) for row in program.task.x.tolist()}) == len(program.task.x)


@pytest.mark.parametrize("name", NAMES)
def test_without_all_other_weights_the_answers_are_sure(name: str) -> None:
    program = tasks.compiled(name)
    with torch.no_grad():
        for parameter, part in program.model.named_parameters():
            part *= program.used[parameter]
        z = program.model(program.task.x)
    assert float((z.abs()).min()) > 3.98


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_of_the_program_matters(name: str) -> None:
    program = tasks.compiled(name, noise=0.0)
    before = program.model(program.task.x).detach()
    for parameter, part in program.model.named_parameters():
        for place in torch.nonzero(program.used[parameter] & (part != 0)).tolist():
            with torch.no_grad():
                known = part[tuple(place)].item()
                part[tuple(place)] = 0.0
                changed = program.model(program.task.x)
                part[tuple(place)] = known
            assert not torch.allclose(changed, before, atol=1e-4), (parameter, place)


def test_heads_neurons_and_dimensions_are_those_of_the_used_weights() -> None:
    for name, heads, neurons in (("histogram", 1, 7), ("reverse", 1, 0), ("brackets", 2, 5)):
        program = tasks.compiled(name)
        assert (len(program.heads), len(program.neurons)) == (heads, neurons)
        held = {dimension for dimensions in program.dimensions.values() for dimension in dimensions}
        for parameter, used in program.used.items():
            kind = parameter.split(".")[-2]
            if kind in ("q", "k", "v", "up", "read") and used.ndim == 2:
                assert {*torch.nonzero(used.any(dim=0)).flatten().tolist()} <= held
            if kind == "up" and used.ndim == 2:
                layer, there = int(parameter.split(".")[1]), torch.nonzero(used.any(dim=1)).flatten().tolist()
                assert there == [neuron for known, neuron in program.neurons if known == layer]


def scores_and_truth(program: tasks.CompiledProgram, score: str) -> tuple[Tensor, Tensor]:
    """A score of every edge, and whether it is the program's."""
    task, model = program.task, program.model
    found = units(model, task.x[:3])
    members = ModulePopulation.of(architecture := Architecture.of(model, found, (task.x[:3],)), *architecture.own())
    edges = MODULE_EDGE_SCORES[score](members, ModuleRows.of(task), torch.zeros(1, 2, dtype=torch.int32))[0]
    return edges, torch.cat([program.used[name].expand(numbers.shape).flatten() for name, numbers in found.edges.items()])


@pytest.mark.parametrize("name", NAMES)
def test_first_order_scores_find_the_edges_of_the_program(name: str) -> None:
    program = tasks.compiled(name)
    areas = {}
    for score in ("loss_sensitivity", "magnitude", "random"):
        edges, truth = scores_and_truth(program, score)
        areas[score] = roc_auc_score(truth, edges.detach())
    assert areas["loss_sensitivity"] > 0.96
    assert areas["magnitude"] < areas["loss_sensitivity"] - 0.05
    assert abs(areas["random"] - 0.5) < 0.2


def test_what_cannot_be_compiled_is_refused() -> None:
    with pytest.raises(ValueError, match=r"name must be one of \['brackets', 'histogram', 'reverse'\]; got 'sort'"):
        tasks.compiled("sort")
    with pytest.raises(ValueError, match="width must be at least 11 for this program; got 8"):
        tasks.compiled("reverse", width=8)
    with pytest.raises(ValueError, match="heads must have at least 5 dimensions for this program; got width / heads = 4"):
        tasks.compiled("reverse", width=16)
    with pytest.raises(ValueError, match="neurons must be at least 7 for this program; got 6"):
        tasks.compiled("histogram", neurons=6)
    with pytest.raises(ValueError, match=r"noise must leave every answer right; got 1.0, by which 2\d\d of 243 rows change. Lower it"):
        tasks.compiled("reverse", noise=1.0)
