"""The cells of the study of transformers: two sums at once, and programs compiled into weights."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from ...autograd.architecture import Architecture
from ...autograd.population import ModulePopulation
from ...autograd.rows import ModuleRows
from ...autograd.scores import MODULE_EDGE_SCORES
from ...models.groups import UnitMap, units
from ...models.touching import edge_view
from ...randomness import keys
from ...store import Row
from ...study import CellResult
from ...tasks import compiled, two_sums
from ...tasks.programs import PROGRAMS, CompiledProgram
from ..common.module_cells import module_cell
from ..common.settings import SEEDS

__all__ = ["MODULUS", "NORMS", "cells_of", "edge_auroc", "transformer_cell"]

MODULUS, SUMS = 5, 2
NORMS = ("none", "rms", "layer")
FILLINGS = 4  # seeds of the weights around a program
COLUMNS = (
    "task", "norm", "seeds", "seed", "rule", "density", "edges", "units", "dense_edges", "dense_accuracy", "dense_groups", "accuracy",
    "groups", "apart", "shared", "modules", "null_apart", "support", "seconds", *(f"auroc_{score}" for score in MODULE_EDGE_SCORES),
)  # fmt: skip


def cells_of(groups: int) -> dict[str, dict[str, Any]]:
    """The arguments of the cells, by their names; ``groups`` of four seeds for each norm."""
    sums = {
        f"two-sums_{norm}_seed{first}": {"task": "two-sums", "norm": norm, "first": first}
        for first in range(0, groups * SEEDS, SEEDS)
        for norm in NORMS
    }
    programs = {f"{name}_seed{seed}": {"task": name, "norm": "none", "first": seed} for name in PROGRAMS for seed in range(FILLINGS)}
    return programs | sums


def transformer_cell(task: str, norm: str, first: int, *, study: str) -> CellResult:
    """The rows of one cell, and of two sums the network that the consensus of its seeds selects."""
    if task in PROGRAMS:
        return CellResult([_program_row(task, first)])
    given = two_sums(MODULUS)
    model = given.model(norm=None if norm == "none" else norm)
    name = f"{task}_{norm}_seed{first}"
    result = module_cell(given, model, SUMS, first, name, study, {"task": task, "norm": norm})
    return CellResult([_whole(row) for row in result.rows], result.files)


def _whole(row: Row) -> Row:
    return {name: row.get(name) for name in COLUMNS}


def _program_row(name: str, seed: int) -> Row:
    start = time.perf_counter()
    program = compiled(name, seed=seed)
    found = {f"auroc_{score}": edge_auroc(program, score) for score in MODULE_EDGE_SCORES if score != "ablation"}
    facts = {
        "task": name,
        "norm": "none",
        "seeds": 1,
        "seed": seed,
        "rule": "program",
        "apart": False,
        "edges": int(_truth(program, units(program.model, program.task.x[:8])).sum()),
    }
    return _whole({**facts, **found, "seconds": round(time.perf_counter() - start, 3)})


def edge_auroc(program: CompiledProgram, score: str, seed: int = 0) -> float:
    """How well a score of edges tells those of a program from the others: the area under the curve of rates.

    Edges are weights between two units; the tables of tokens and positions, which no unit is read by, are none.

    Examples
    --------
    >>> edge_auroc(compiled("reverse"), "loss_sensitivity") > 0.9
    True
    """
    from sklearn.metrics import roc_auc_score

    found = units(program.model, program.task.x[:8])
    architecture = Architecture.of(program.model, found, (program.task.x[:8],))
    members = ModulePopulation.of(architecture, *architecture.own())
    scores = MODULE_EDGE_SCORES[score](members, ModuleRows.of(program.task), keys([seed]))[0]
    return float(roc_auc_score(_truth(program, found).numpy(), scores.numpy()))


def _truth(program: CompiledProgram, found: UnitMap) -> Tensor:
    """Which edges belong to the program: bool ``(E,)``."""
    return torch.cat([edge_view(program.used[name].unsqueeze(0), numbers, torch.any).flatten() for name, numbers in found.edges.items()])
