"""The study of functions: its circuits and random hierarchies, its cells and its report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sculpting import run, tasks
from sculpting.studies import functions
from sculpting.studies.common import candidates
from sculpting.studies.functions import cells as function_cells
from sculpting.studies.functions.cells import cells_of, function_of, functions_cell, kind_of
from sculpting.studies.functions.circuits import CIRCUITS
from sculpting.studies.functions.report import functions_summary

COLUMNS = [
    "function", "kind", "inputs", "outputs", "depth", "seeds", "seed", "rule", "density", "edges", "units", "accuracy", "support",
    "verdict", "reason", "score", "exact", "valid", "modules", "true_modules", "restarts", "seconds",
]  # fmt: skip


# --- Random hierarchies -------------------------------------------------------------------------------------------------------


def test_random_hierarchies_are_sound_and_the_same_each_time() -> None:
    kinds = Counter[str]()
    for seed in range(12):
        task = tasks.random_gates(seed)
        assert task.gates is not None
        assert {name: str(formula) for name, formula in task.gates.gates.items()} == {
            name: str(formula)
            for name, formula in tasks.random_gates(seed).gates.gates.items()  # type: ignore[union-attr]
        }
        assert 6 <= len(task.input_names) <= 10
        assert tasks.layers_needed(task.gates) <= 3
        share = task.y.mean(dim=0)
        assert 1 / 16 <= share.min() <= share.max() <= 15 / 16
        columns = {(column ^ column[0]).tobytes() for column in task.y.numpy().astype(np.uint8).T}
        assert len(columns) == len(task.output_names)
        readers = Counter(read for formula in task.gates.gates.values() for read in set(formula.names()))
        assert all(readers[name] == 1 for name in task.input_names)
        assert all(readers[name] for name in task.gates.gates if name not in task.output_names)
        kinds["reused"] += any(readers[name] > 1 for name in task.gates.gates)
        kinds["three levels"] += any(name.startswith("q") for name in task.gates.gates)
    assert kinds["reused"] > 6
    assert 0 < kinds["three levels"] < 12
    assert any(name.startswith("q") for name in tasks.random_gates(0, levels=3).gates.gates)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="levels must be 2 or 3, or None to draw them; got 4"):
        tasks.random_gates(0, levels=4)
    assert tasks.named("random-gates:seed=3").name == tasks.random_gates(3).name == "random-gates:seed=3"
    assert tasks.named("random-gates:seed=3,levels=3").name == "random-gates:seed=3,levels=3"


def test_every_output_depends_on_all_inputs_that_lead_to_it() -> None:
    for seed in range(6):
        task = tasks.random_gates(seed)
        x, y = task.x.numpy().astype(int), task.y.numpy()
        order = {tuple(row): i for i, row in enumerate(x.tolist())}
        users = task.gates.users()  # type: ignore[union-attr]
        for i, name in enumerate(task.input_names):
            flipped = x.copy()
            flipped[:, i] ^= 1
            other = y[[order[tuple(row)] for row in flipped.tolist()]]
            matters = set(np.flatnonzero((other != y).any(axis=0)).tolist())
            reader = next(gate for gate, formula in task.gates.gates.items() if name in formula.names())  # type: ignore[union-attr]
            assert matters == set(users[reader])


# --- The study ----------------------------------------------------------------------------------------------------------------


def test_the_study_has_at_least_forty_functions_at_two_depths_and_none_is_published() -> None:
    cells = cells_of()
    names = list(dict.fromkeys(cell["function"] for cell in cells.values()))
    assert len(names) == 44
    assert len(cells) == 88
    kinds = Counter(map(kind_of, names))
    assert kinds == {"circuit": 20, "tuning": 12, "reported": 12}
    assert kind_of("random-3") == "reported"
    published = {(task.x.shape[1], task.y.numpy().tobytes()) for task in map(tasks.boolean, map(list, tasks.boolean_tasks()))}
    for name in names:
        task = function_of(name)
        assert (task.x.shape[1], task.y.numpy().tobytes()) not in published
        depths = [cell["depth"] for cell in cells.values() if cell["function"] == name]
        assert depths[1] == depths[0] + 1
        assert 2 <= depths[0] <= 4
        assert len(task.truth(depths[0])) >= 1


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("adder-2+2", lambda a1, a0, b1, b0: format(2 * a1 + a0 + 2 * b1 + b0, "03b")[::-1]),
        ("multiplier-2", lambda a1, a0, b1, b0: format((2 * a1 + a0) * (2 * b1 + b0), "04b")[::-1]),
        ("comparator-2", lambda a1, a0, b1, b0: f"{int(2 * a1 + a0 < 2 * b1 + b0)}{int(2 * a1 + a0 > 2 * b1 + b0)}"),
    ],
)
def test_circuits_compute_what_their_names_say(name: str, rows: Any) -> None:
    task = function_of(name)
    order = {"adder-2+2": ("s0", "s1", "s2"), "multiplier-2": ("m0", "m1", "m2", "m3"), "comparator-2": ("less", "more")}[name]
    for x, y in zip(task.x.int().tolist(), task.y.int().tolist(), strict=True):
        bits, out = dict(zip(task.input_names, x, strict=True)), dict(zip(task.output_names, y, strict=True))
        assert "".join(str(out[name]) for name in order) == rows(bits["a1"], bits["a0"], bits["b1"], bits["b0"])


def test_a_cell_has_twelve_rows_and_its_report_says_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_cells, "CIRCUITS", {name: CIRCUITS[name] for name in ("interlock",)})
    monkeypatch.setattr(function_cells, "RANDOM", 0)
    few = candidates.sculpt
    chains: dict[str, Any] = {"unit_steps": [0.5, 0.3], "edge_steps": [0.02], "max_members": None}
    monkeypatch.setattr(candidates, "sculpt", lambda *arguments, **options: few(*arguments, **options, **chains))
    rows = run(functions.study(), tmp_path / "one", progress=False)
    assert len(rows) == 24
    assert all(list(row) == COLUMNS for row in rows)
    first = rows[0]
    assert (first["function"], first["kind"], first["depth"], first["inputs"], first["outputs"]) == ("interlock", "circuit", 2, 7, 3)
    assert first["accuracy"] == 1.0
    assert first["verdict"] in ("exact", "coarser", "finer", "valid", "mixed", "wrong")
    assert first["reason"]
    again = functions_cell("interlock", {}, 2, candidates=str(tmp_path / "one"))
    assert [*again.rows] == rows[:12]
    text = (tmp_path / "one" / "summary.md").read_text()
    assert "| interlock | circuit | door = a & b & c, alarm = d \\| e," in text
    assert "2 results: a function at a depth." in text
    assert [row["rule"] for row in rows[10:12]] == ["levels", "published"]
    assert all(f"| {rule} |" in text for rule in ("consensus", "levels", "published", "sparsest"))


def test_a_study_with_another_setting_sculpts_with_it_says_so_and_needs_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function_cells, "CIRCUITS", {name: CIRCUITS[name] for name in ("interlock",)})
    monkeypatch.setattr(function_cells, "RANDOM", 0)
    few, given = candidates.sculpt, list[dict[str, Any]]()

    def spy(*arguments: Any, **options: Any) -> Any:
        given.append(options)
        return few(*arguments, **{**options, "unit_steps": [0.5], "edge_steps": [0.02]})

    monkeypatch.setattr(candidates, "sculpt", spy)
    changed = functions.study(changed=[("unit_tries", 1), ("edge_score", "magnitude")])
    usual = functions.study()
    run(changed, tmp_path / "changed", progress=False)
    assert [(options["unit_tries"], options["edge_score"]) for options in given] == [(1, "magnitude")] * 2
    different = {name for name in usual.settings if usual.settings[name] != changed.settings[name]}
    assert different == {"schedule.unit_tries", "schedule.edge_score"}
    assert (changed.settings["schedule.unit_tries"], changed.settings.keys()) == (1, usual.settings.keys())
    text = (tmp_path / "changed" / "summary.md").read_text()
    assert "Not by the default setting: `unit_tries=1`, `edge_score=magnitude`." in text
    with pytest.raises(ValueError, match="settings"):
        run(usual, tmp_path / "changed", progress=False)
    with pytest.raises(ValueError, match="must hold candidates of the same task and settings"):
        functions_cell("interlock", {}, 2, candidates=str(tmp_path / "changed"))
    with pytest.raises(TypeError, match=r"got 'unit_trys'\. Did you mean unit_tries\?"):
        functions.study(changed={"unit_trys": 1})
    with pytest.raises(ValueError, match="unit_tries must be a whole number of at least 1; got 0"):
        functions.study(changed={"unit_tries": 0})


def test_rows_without_a_network_are_not_right() -> None:
    row = dict.fromkeys(COLUMNS) | {"function": "c17", "kind": "circuit", "depth": 2, "seeds": 4, "seed": 0, "rule": "consensus"}
    row |= {"verdict": "none", "reason": "", "valid": False, "seconds": 1.0}
    right = {**row, "verdict": "finer", "valid": True, "score": 0.5, "support": 0.5, "edges": 9, "units": "3-3", "modules": 2}
    text = functions_summary([{**row, "true_modules": 3}, {**right, "true_modules": 3}])
    assert "| circuits with a name | 2 | 0 | 0 | 1 | 0 | 0 | 0 | 1 | 1/2 (" in text
    assert "finer, valid" in text
