"""The studies of transformers and convolutions: which units are shared, the rows of a cell, the reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor, nn

from analysis import UnitGraph
from sculpting.models.sparse_module import SparseModule
from sculpting.studies import STUDIES
from sculpting.studies.common.module_cells import module_cell, module_from, outputs_apart, shared_units
from sculpting.studies.convolutions import study as convolutions
from sculpting.studies.convolutions.report import convolution_report
from sculpting.studies.transformers import study as transformers
from sculpting.studies.transformers.cells import cells_of, edge_auroc, transformer_cell
from sculpting.studies.transformers.report import transformer_report
from sculpting.tasks import compiled, from_gates

LAYERS = [("x", "input", 2), ("h", "neuron", 3), ("y", "output", 2)]


def graph(hidden: list[list[float]], out: list[list[float]], kind: str = "dense") -> UnitGraph:
    return UnitGraph(LAYERS, [(0, 1, np.array(hidden), kind), (1, 2, np.array(out), "dense")])


def test_units_that_lead_to_two_groups_are_counted() -> None:
    apart = graph([[1, 0, 0], [0, 1, 0]], [[1, 0], [0, 1], [0, 0]])
    assert shared_units(apart, 2) == 0
    assert outputs_apart(apart, 2)
    shared = graph([[1, 0, 0], [0, 1, 1]], [[1, 0], [0, 1], [1, 0]])  # the second input leads to both
    assert shared_units(shared, 2) == 1
    assert not outputs_apart(shared, 2)


def test_a_group_that_nothing_answers_is_not_apart() -> None:
    assert shared_units(graph([[1, 0, 0], [0, 1, 0]], [[1, 0], [0, 0], [0, 0]]), 2) is None


def test_a_unit_that_is_not_alive_is_not_shared() -> None:
    assert shared_units(graph([[1, 0, 0], [0, 1, 0]], [[1, 0], [0, 1], [1, 1]]), 2) == 0  # the third has no input


def test_tables_and_the_stream_that_they_write_do_not_count() -> None:
    assert shared_units(graph([[1, 0, 0], [0, 1, 0]], [[1, 1], [1, 1], [0, 0]], kind="embedding"), 2) == 0


class Skip(nn.Module):
    """A layer beside a skip connection, which is no chain."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.layer, self.last = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inside(x).relu()
        return self.last(x + self.layer(x).relu())


def test_a_cell_has_a_row_for_each_choice_of_seeds_and_rule() -> None:
    task = from_gates({"p": "a & b", "q": "c | d"})
    task = replace(task, schedule=replace(task.schedule, unit_steps=(0.3,), edge_steps=(0.2,), edge_tries=1, edge_score="magnitude"))
    result = module_cell(task, Skip(), 2, 4, "tiny", "a study", {"task": "two-sums", "norm": "none"})
    assert [(row["seeds"], row["seed"], row["rule"]) for row in result.rows[:4]] == [
        (4, 4, "consensus"), (4, 4, "sparsest"), (1, 4, "consensus"), (1, 4, "sparsest"),
    ]  # fmt: skip
    assert len(result.rows) == 10
    learnt = [row for row in result.rows if row["edges"] is not None]
    assert learnt
    for row in learnt:
        assert row["accuracy"] == 1.0
        assert 0 < row["edges"] < row["dense_edges"] == 24 + 36 + 12
        assert (row["null_apart"] is None) == (row["seeds"] == 4)
    (content,) = result.files.values()
    network = module_from(content)
    assert isinstance(network, SparseModule)
    assert outputs_apart(network, 2) == result.rows[0]["apart"]
    files = transformer_report(result.rows, {"networks/two-sums_none_seed4.safetensors": content}.get)
    assert "two sums, no norm" in files["summary.md"].decode()
    assert files["two-sums_none.svg"].startswith(b"<?xml")


def test_edges_of_a_program_are_told_from_others() -> None:
    program = compiled("reverse")
    assert edge_auroc(program, "loss_sensitivity") > 0.95 > edge_auroc(program, "magnitude")
    (row,) = transformer_cell("reverse", "none", 0, study="a study").rows
    assert row["auroc_loss_sensitivity"] == edge_auroc(program, "loss_sensitivity")
    assert "| reverse | 1 | 19 |" in transformer_report([row], {}.get)["summary.md"].decode()


def test_the_studies_name_their_cells_and_settings() -> None:
    assert len(cells_of(1)) == 3 * 4 + 3
    assert {"colour-digits_edges_seed0", "colour-xor_units-first_seed4"} <= {*convolutions(groups=2).cells}
    assert transformers(groups=1).settings["two-sums.unit_steps"] == ()
    assert {"transformers", "convolutions"} <= {*STUDIES}
    assert "0 cells of four seeds" in convolution_report([], {}.get)["summary.md"].decode()


def test_groups_must_be_a_count() -> None:
    with pytest.raises(ValueError, match="groups"):
        transformers(groups=0)
