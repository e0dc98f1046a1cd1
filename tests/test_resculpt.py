"""Tasks that change: the part that is learnt again, what is kept bit for bit, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sculpting import ResculptResult, ResculptStatus, SparseNetwork, group_accuracy, resculpt, sculpt, tasks
from sculpting.resculpting.criteria import criterion_of, wrong_outputs
from sculpting.resculpting.parts import Part, Wiring, all_within, cuts_of, everything, pairs_of, parts_of
from sculpting.resculpting.search import Search

GATES = {"p": "x0 & x1", "q": "x2 & x3", "r": "x4 & x5", "y0": "p | q", "y1": "p | r", "y2": "q | r"}
NAMES = [f"x{i}" for i in range(6)]


def task_of(inputs: list[str] = NAMES, **changed: str) -> tasks.Task:
    return tasks.from_gates({**GATES, **changed}, inputs=inputs)


def network(width: int = 8) -> SparseNetwork:
    """The gates as units 1, 3 and 5 of the first hidden layer and 0, 2 and 4 of the second; the others are spare."""
    first, second, last = (np.zeros(shape, dtype=np.float32) for shape in ((width, 6), (width, width), (3, width)))
    biases = [np.zeros(n, dtype=np.float32) for n in (width, width, 3)]
    for gate, unit in enumerate((1, 3, 5)):
        first[unit, 2 * gate : 2 * gate + 2], biases[0][unit] = 1, -1
    for output, (unit, read) in enumerate(zip((0, 2, 4), ((1, 3), (1, 5), (3, 5)), strict=True)):
        second[unit, read], last[output, unit], biases[2][output] = 1, 2, -1
    names = {"input_names": NAMES, "output_names": ["y0", "y1", "y2"]}
    activations = ("clipped_relu", "clipped_relu", "identity")
    return SparseNetwork((first, second, last), tuple(biases), activations, accuracy=1.0, loss="bce", **names)  # type: ignore[arg-type]


def right(found: ResculptResult, task: tasks.Task) -> bool:
    return bool((found.network.predict(task.x) == task.y.numpy()).all())


def same_elsewhere(found: ResculptResult, units: set[tuple[int, int]]) -> bool:
    """Whether all parameters are the same bits but those into the units and the added ones, and weights from these."""
    free = units | set(found.added)
    for layer, (old, new) in enumerate(zip(found.before.weights, found.network.weights, strict=True)):
        rows, columns = ([index for its, index in free if its == level] for level in (layer + 1, layer))
        differ = old.view(np.int32) != new.view(np.int32)
        differ[rows] = False
        differ[:, columns] = False
        bias = found.before.biases[layer] != found.network.biases[layer]
        bias[rows] = False
        if differ.any() or bias.any():
            return False
    return True


def test_the_network_of_the_tests_computes_its_gates() -> None:
    task = task_of()
    assert (network().predict(task.x) == task.y.numpy()).all()


def test_where_nothing_has_changed_nothing_is_learnt_again() -> None:
    found = resculpt(network(), task_of(), progress=False)
    assert (found.status, found.steps, found.kept, found.changed, found.part) == (ResculptStatus.UNCHANGED, 0, 1.0, 0, ())
    assert "nothing was learnt again" in str(found)


@pytest.mark.parametrize(
    ("changed", "units"),
    [
        ({"p": "~(x0 & x1)"}, {(1, 1)}),
        ({"p": "x0 | x1"}, {(1, 1)}),
        ({"p": "x0 ^ x1"}, {(1, 1)}),
        ({"p": "x0 & x2"}, {(1, 1)}),
        ({"r": "x4 & ~x5"}, {(1, 5)}),
        ({"y0": "p & q"}, {(2, 0), (3, 0)}),
        ({"y1": "p ^ r"}, {(2, 2), (3, 1)}),
    ],
)
def test_the_gate_that_changed_is_learnt_again_and_all_else_is_kept_bit_for_bit(changed: dict[str, str], units: set[Any]) -> None:
    task = task_of(**changed)
    found = resculpt(network(), task, progress=False)
    assert found.status is ResculptStatus.ONE_PART
    assert set(found.part) <= units
    assert right(found, task)
    assert same_elsewhere(found, set(found.part))
    assert 0.7 < found.kept < 1
    assert 0 < found.steps < 40_000
    assert found.network.edge_count <= 15 + 5
    assert {found.name_of((3, output)) for output in found.wrong} <= {"y0", "y1", "y2"}


def test_an_output_that_is_added_reads_what_is_there() -> None:
    task = task_of(y3="p & r")
    found = resculpt(network(), task, progress=False)
    assert found.status is ResculptStatus.ONE_PART
    assert (found.wrong, found.part, found.kept) == ((3,), ((3, 3),), 1.0)
    assert right(found, task)
    assert all((new[:3] == old[:3]).all() for old, new in zip(found.before.weights[-1:], found.network.weights[-1:], strict=True))
    assert set(found.added) <= {(layer, unit) for layer in (1, 2) for unit in range(8)}


def test_inputs_go_by_name_and_may_be_added() -> None:
    names = ["x6", *reversed(NAMES)]
    task = task_of(names, p="x0 & x6")
    found = resculpt(network(), task, progress=False)
    assert found.before.input_names == tuple(names)
    assert (found.before.weights[0][:, 6:0:-1] == network().weights[0]).all()
    assert found.part == ((1, 1),)
    assert right(found, task)
    other = resculpt(network(), (task_of().x, task_of().y), progress=False)  # data without names: as they stand
    assert (other.before.weights[0] == network().weights[0]).all()


def test_two_gates_that_changed_are_learnt_again_together() -> None:
    task = task_of(p="x0 | x1", q="x2 | x3")
    found = resculpt(network(), task, progress=False)
    assert found.status is ResculptStatus.SEVERAL_PARTS
    assert set(found.part) == {(1, 1), (1, 3)}
    assert right(found, task)
    assert same_elsewhere(found, {(1, 1), (1, 3)})


def test_beyond_one_part_training_ends_once_some_candidate_is_accurate(monkeypatch: pytest.MonkeyPatch) -> None:
    task, best = task_of(p="x0 | x1", q="x2 | x3"), Search.best
    found = resculpt(network(), task, seeds=4, spare_units=(0,), progress=False)
    monkeypatch.setattr(Search, "best", lambda search, growths, until_first=False: best(search, growths))
    slow = resculpt(network(), task, seeds=4, spare_units=(0,), progress=False)
    assert found.status is slow.status is ResculptStatus.SEVERAL_PARTS
    assert found.steps < slow.steps


def test_the_whole_network_is_learnt_again_where_no_part_suffices() -> None:
    gates = {"p": "x0 ^ x2", "q": "x1 ^ x3", "r": "x4 & x5", "y0": "p & q", "y1": "q ^ r", "y2": "p"}
    task = tasks.from_gates(gates, inputs=NAMES, outputs=["y0", "y1", "y2"])
    found = resculpt(network(24), task, seeds=4, progress=False)
    assert found.status is ResculptStatus.WHOLE_NETWORK
    assert right(found, task)
    assert found.steps > 10_000


def test_what_is_not_learnt_leaves_the_network_as_it_is() -> None:
    task = task_of(p="x0 ^ x1 ^ x2 ^ x3", q="x0 ^ x4", y2="q ^ r")
    stages: list[tuple[int, int]] = []
    found = resculpt(network(), task, seeds=1, spare_units=(0,), steps=1, progress=lambda ended, total: stages.append((ended, total)))
    assert found.status is ResculptStatus.NOT_LEARNT
    assert not found.learnt
    assert all((a == b).all() for a, b in zip(found.network.weights, network().weights, strict=True))
    assert found.network.accuracy < 1
    assert found.steps > 0
    assert [ended for ended, _ in stages] == list(range(len(stages)))
    assert {total for _, total in stages} == {len(stages)}


def test_the_same_call_gives_the_same_network_and_another_seed_another() -> None:
    task = task_of(p="x0 ^ x1")
    first, again, other = (resculpt(network(), task, seeds=4, seed=seed, progress=False).network for seed in (0, 0, 5))
    assert all((a == b).all() for a, b in zip(first.weights, again.weights, strict=True))
    assert any((a != b).any() for a, b in zip(first.weights, other.weights, strict=True))


def test_the_network_of_a_result_is_taken_and_the_new_one_can_change_again() -> None:
    result = sculpt(task_of().model(width=12), task_of(), seeds=1, unit_steps=[0.5], edge_steps=[0.02], progress=False)
    before = [weight.copy() for weight in result.network.weights]
    once = resculpt(result, task_of(y0="p & q"), progress=False)
    back = resculpt(once, task_of(), progress=False)
    assert once.learnt
    assert right(back, task_of())
    assert all((a == b).all() for a, b in zip(before, result.network.weights, strict=True))
    assert once.network.origin["resculpted"]["status"] == once.status.name
    assert once.network.origin["seed"] == result.network.origin["seed"]


def test_a_changed_network_can_be_saved(tmp_path: Any) -> None:
    found = resculpt(network(), task_of(y0="p & q"), progress=False)
    loaded = SparseNetwork.load(found.network.save(tmp_path / "new"))
    assert loaded.origin == found.network.origin
    assert "learnt again" in str(found)
    assert found._repr_html_().startswith("<")


# --- Other data ---------------------------------------------------------------------------------------------------------------


def sampled(rows: int = 400) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, 4)) * [1, 3, 0.5, 1] + [0, 5, 0, -2]


def signs() -> SparseNetwork:
    """Two bits of four columns: y0 = x0 + x1 > 5, y1 = x2 - x3 > 2."""
    first, last = np.zeros((6, 4)), np.zeros((2, 6))
    first[0, :2], first[1, :2], first[2, 2:], first[3, 2:] = 1, -1, (1, -1), (-1, 1)
    last[0, :2], last[1, 2:4] = (1, -1), (1, -1)
    biases = (np.array([-5, 5, -2, 2, 0, 0]), np.zeros(2))
    return SparseNetwork((first, last), biases, ("relu", "identity"), accuracy=1.0, loss="bce")


def test_sampled_data_keep_the_bits_of_what_is_frozen_through_standardising() -> None:
    x = sampled()
    y = np.stack([x[:, 0] + x[:, 1] > 5, x[:, 2] + x[:, 3] > -2], axis=1).astype(int)
    assert resculpt(signs(), (x, np.stack([y[:, 0], x[:, 2] - x[:, 3] > 2], axis=1).astype(int))).status is ResculptStatus.UNCHANGED
    found = resculpt(signs(), (x, y), progress=False)
    assert found.status is ResculptStatus.ONE_PART
    assert found.wrong == (1,)
    assert {unit for unit in found.part if unit[0] == 1} <= {(1, 2), (1, 3)}
    assert same_elsewhere(found, set(found.part) | {(2, 1)})
    assert (found.network.predict(x) == y).mean() > 0.97
    assert found.min_accuracy == pytest.approx(0.975)  # two rows of 80 may always be lost


def test_real_values_are_learnt_again_in_their_own_units() -> None:
    x = sampled()
    values = replace(signs(), loss="mse", metric="R2")  # y0 = x0 + x1 - 5, y1 = x2 - x3 - 2
    y = np.stack([x[:, 0] + x[:, 1] - 5, 40 * np.abs(x[:, 2] - x[:, 3] - 2) + 100], axis=1)
    found = resculpt(values, (x, y), min_accuracy=0.95, steps=200, progress=False)
    assert found.status is ResculptStatus.ONE_PART
    assert found.wrong == (1,)
    assert same_elsewhere(found, set(found.part) | {(2, 1)})
    residual = (found.network.predict(x) - y) ** 2
    assert (1 - residual.mean(axis=0) / y.var(axis=0)).min() > 0.9


def test_groups_of_outputs_are_wrong_one_by_one() -> None:
    x, bits = sampled(), signs()
    pairs = np.zeros((4, 6))
    pairs[[0, 1]] = [bits.weights[1][0], -bits.weights[1][0]]
    pairs[[2, 3]] = [bits.weights[1][1], -bits.weights[1][1]]
    groups = replace(bits, weights=(bits.weights[0], pairs), biases=(bits.biases[0], np.zeros(4)), metric="group accuracy")
    y = np.stack([x[:, 0] + x[:, 1] > 5, x[:, 2] - x[:, 3] > 2], axis=1)
    turned = np.stack([y[:, 0], ~y[:, 0], ~y[:, 1], y[:, 1]], axis=1).astype(int)
    found = resculpt(groups, (x, turned), metric=group_accuracy(2), progress=False)
    assert found.wrong == (2, 3)
    assert found.status is ResculptStatus.ONE_PART
    assert same_elsewhere(found, set(found.part) | {(2, 2), (2, 3)})


def test_classes_are_one_wrong_part_and_groups_each_their_own() -> None:
    assert wrong_outputs(torch.tensor([0.4]), torch.tensor([0.9]), 3).tolist() == [True] * 3
    assert wrong_outputs(torch.tensor([0.95, 0.4]), torch.tensor([0.9, 0.9]), 6).tolist() == [False] * 3 + [True] * 3
    assert wrong_outputs(torch.tensor([0.95, 0.4]), torch.tensor([0.9, 0.9]), 5).tolist() == [True] * 5


def test_classes_that_are_renamed_are_learnt_again() -> None:
    x = np.random.default_rng(1).normal(size=(600, 2)) + np.eye(3, 2)[np.arange(600) % 3] * 6
    classes = np.arange(600) % 3
    result = sculpt(nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3)), (x, classes), seeds=1, progress=False)
    assert result.network is not None
    found = resculpt(result, (x, (classes + 1) % 3), progress=False)
    assert found.wrong == (0, 1, 2)
    assert found.learnt
    assert (found.network.predict(x) == (classes + 1) % 3).mean() > 0.95


def test_the_bar_of_each_output_is_what_it_reached_before() -> None:
    task = tasks.own_data.as_task((sampled(), (sampled()[:, :2] > [0, 5]).astype(int)))
    margin = 0.025  # two rows of 80
    bare = criterion_of(task, replace(signs(), accuracy=0.9), None, task.schedule, None)
    assert bare.bars.tolist() == pytest.approx([0.9 - margin] * 2)
    assert criterion_of(task, signs(), None, task.schedule, 0.7).bars.tolist() == [0.7, 0.7]
    scores = torch.tensor([[[1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]], dtype=torch.float64)
    given = criterion_of(task, signs(), None, task.schedule, 0.8)
    assert given.accepts(torch.tensor([0.875]), "edges", scores).tolist() == [False]
    assert given.accepts(torch.tensor([1.0]), "edges", scores.clamp(min=1)).tolist() == [True]
    bare.bars = torch.tensor([0.9, 0.7], dtype=torch.float64)
    bare.lower(torch.tensor([0.8, 0.71], dtype=torch.float64), torch.tensor([0.9, 0.69], dtype=torch.float64))
    # The first output has another function now; the second, which will not change, has fewer training rows right.
    assert (bare.bars.tolist(), bare.min_accuracy) == ([0.7, 0.69], pytest.approx(0.695))
    assert given.accepts(torch.tensor([1.0]), "edges", scores.clamp(min=1), fit=torch.tensor([[1.0, 0.5]])).tolist() == [False]
    with pytest.raises(ValueError, match=r"is not known, since its accuracy is NaN. Give min_accuracy"):
        criterion_of(task, replace(signs(), accuracy=float("nan")), None, task.schedule, None)


# --- Parts --------------------------------------------------------------------------------------------------------------------


def test_parts_are_units_of_one_layer_that_reach_exactly_the_wrong_outputs() -> None:
    wiring = Wiring.of(network().masks)
    of_p = parts_of(wiring, np.array([True, True, False]))
    assert of_p == [Part(((1, 1),))]
    assert parts_of(wiring, np.array([True, False, False])) == [Part(((2, 0),)), Part(((3, 0),))]
    assert parts_of(wiring, np.ones(3, dtype=bool)) == []
    assert all_within(wiring, np.array([True, True, False])).units == ((1, 1), (2, 0), (2, 2), (3, 0), (3, 1))
    assert len(everything(wiring).units) == 9
    assert Part(((1, 1), (1, 3))) in pairs_of(wiring, np.ones(3, dtype=bool))
    assert wiring.spare(1) == [0, 2, 4, 6, 7]
    assert cuts_of(wiring, np.array([True, True, False])) == [Part(((1, 1),)), Part(((2, 0), (2, 2))), Part(((3, 0), (3, 1)))]
    assert cuts_of(wiring, np.array([True, False, False])) == [Part(((2, 0),)), Part(((3, 0),))]


def test_units_of_a_part_with_other_inputs_are_also_parts_of_their_own() -> None:
    first, last = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], dtype=bool), np.array([[1, 1]], dtype=bool)
    found = parts_of(Wiring.of([first, last]), np.array([True]))
    assert [part.units for part in found] == [((1, 0),), ((1, 1),), ((2, 0),), ((1, 0), (1, 1))]


# --- What is refused ----------------------------------------------------------------------------------------------------------


def test_data_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least the 6 inputs of the network; got 5. Give a column for each"):
        resculpt(network(), task_of([name for name in NAMES if name != "x1"], p="x0 & x2"))
    with pytest.raises(ValueError, match=r"at least the 3 outputs of the network; got 2"):
        resculpt(network(), tasks.from_gates({"p": "x0 & x1", "y0": "p | x2 & x3", "y1": "p | x4 & x5"}))
    with pytest.raises(ValueError, match="must have the loss of the network, 'mse'; got 'bce'"):
        resculpt(replace(network(), loss="mse"), task_of())


def test_what_is_no_chain_and_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(TypeError, match="needs a SparseNetwork, a chain of Linear layers, or a result that has one; got Linear"):
        resculpt(nn.Linear(2, 2), task_of())
    for values in ((), (-1,), (0.5,), (True,)):
        with pytest.raises(ValueError, match="spare_units must be a sequence of whole numbers from 0"):
            resculpt(network(), task_of(), spare_units=values)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="min_accuracy must be a fraction"):
        resculpt(network(), task_of(), min_accuracy=90)
    with pytest.raises(TypeError, match=r"progress must be True, False or a function of \(stages ended, all stages\); got 'yes'"):
        resculpt(network(), task_of(), progress="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Did you mean spare_units"):
        resculpt(network(), task_of(), spare_unit=(0,))
