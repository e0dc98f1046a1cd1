"""Sensors, scenes and expressions: each target is read from the inputs that the truth names, and from no others."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from analysis import compare, consensus, detect_modules
from sculpting import sculpt, tasks
from sculpting.tasks.expressions import value_of
from sculpting.tasks.fused_bits import balanced_bits, fused, fused_structure
from sculpting.tasks.scenes import SHAPES, Sprite, draw_scenes
from sculpting.tasks.sensors import bells_and_funnels

FEW = {"rows": 400, "validation": 100, "test": 100}
PARTS = ("x", "x_validation", "x_test")
SAMPLED: list[Any] = [
    lambda **options: tasks.sensor_fusion(2, **options),
    lambda **options: tasks.sensor_fusion(3, "and", **options),
    lambda **options: tasks.sprite_scenes(**options),
    lambda **options: tasks.sprite_scenes("alone", **options),
]


def modules_of(truth: nx.DiGraph) -> tuple[list[tuple[Any, Any]], set[Any]]:
    ends = {node: (facts["inputs"], facts["outputs"]) for node, facts in truth.nodes(data=True)}
    return sorted(ends.values()), {(ends[a], ends[b]) for a, b in truth.edges}


# --- All sampled tasks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", SAMPLED)
def test_parts_share_no_row_and_follow_the_seed(make: Any) -> None:
    task, again, other = make(**FEW), make(**FEW), make(**FEW, seed=1)
    seen = [{row.numpy().tobytes() for row in getattr(task, part)} for part in PARTS]
    assert [len(part) for part in seen] == [400, 100, 100]
    assert all(not a & b for a, b in combinations(seen, 2))
    assert all(torch.equal(getattr(task, part), getattr(again, part)) for part in PARTS)
    assert not any(torch.equal(getattr(task, part), getattr(other, part)) for part in PARTS)


@pytest.mark.parametrize("make", SAMPLED)
def test_targets_are_gates_of_what_the_labels_say_which_are_balanced(make: Any) -> None:
    task = make(**FEW)
    labels = task.labels_test.numpy().astype(bool)
    for i, name in enumerate(task.output_names):
        both = labels[:, i : i + 2].sum(axis=1)  # true of the bit, and of the next
        expected = both == 1 if " xor " in name else both == 2 if " and " in name else labels[:, i]
        assert (task.y_test[:, i].numpy() > 0).tolist() == expected.tolist()
    counts = np.unique(labels, axis=0, return_counts=True)[1]
    assert len(counts) == 2 ** labels.shape[1]
    assert counts.max() - counts.min() <= 1


def test_the_truth_of_gates_of_two_is_that_of_boolean_tasks_at_every_depth() -> None:
    gates = tasks.GateGraph.parse({"p": "x0 & x1", "q": "x2 & x3", "r": "x4 & x5", "y0": "p ^ q", "y1": "q ^ r"})
    structure = fused_structure([(0, 1), (2, 3), (4, 5)], ("p", "q", "r"), "xor")
    for depth in (2, 3, 4):
        assert modules_of(structure(depth)) == modules_of(tasks.truth_graph(gates, depth))
    alone = fused_structure([(0, 1), (2, 3)], ("p", "q"), "alone")(1)
    assert modules_of(alone) == ([((0, 1), (0,)), ((2, 3), (1,))], set())


def test_balanced_bits_are_not_in_order() -> None:
    bits = balanced_bits(64, 2, np.random.default_rng(0))
    assert bits.sum(axis=0).tolist() == [32, 32]
    assert len(np.unique(bits[:8], axis=0)) > 2
    assert fused(bits, "and").tolist() == [[a and b] for a, b in bits.tolist()]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: tasks.sensor_fusion(1), "count must be 2 to 8 sensors; got 1"),
        (lambda: tasks.sensor_fusion(2, "or"), r"targets must be one of \['alone', 'and', 'xor'\]; got 'or'"),
        (lambda: tasks.sensor_fusion(samples=12), "samples must be one of 8, 16, 32, 64, 128, which divide 128 steps; got 12"),
        (lambda: tasks.sensor_fusion(seed=-1), "seed must be a whole number of at least 0; got -1"),
        (lambda: tasks.sensor_fusion(rows=99), "rows must be a whole number of at least 100; got 99"),
        (lambda: tasks.sensor_fusion(test=10**9), r"rows must take at most 4 GB; got 1,000,002,500 rows in all. Give fewer"),
        (lambda: tasks.sprite_scenes("both"), "targets must be one of"),
        (lambda: tasks.sprite_scenes(validation=True), "validation must be a whole number of at least 100; got True"),
        (lambda: tasks.sprite_scenes(rows=10**8), "rows must take at most 4 GB"),
        (lambda: tasks.expression_parity(1), "digits must be a whole number of 2 to 10; got 1"),
        (lambda: tasks.expression_parity(2, "+-"), r"operators must be different characters of \+\*<=; got '\+-'"),
        (lambda: tasks.expression_parity(2, "**"), "operators must be different characters"),
        (lambda: tasks.expression_parity(2, ""), "operators must be different characters"),
        (lambda: tasks.expression_parity(3, "+"), r"with operators '\+' the first digit adds its part by itself"),
        (lambda: tasks.expression_parity(2, "+="), r"with operators '\+=' the first digit adds its part by itself"),
        (lambda: tasks.expression_parity(10, "+*<="), "there must be at most 100,000 expressions; got 160,000"),
    ],
)
def test_what_makes_no_task_is_refused(call: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_names_of_the_command_line_make_the_same_tasks() -> None:
    for task in (tasks.sensor_fusion(3, "and"), tasks.sprite_scenes("alone"), tasks.expression_parity(3, "<="), tasks.expression_parity()):
        named = tasks.named(task.name)
        assert named.name == task.name
        assert torch.equal(named.x, task.x)
        assert torch.equal(named.y, task.y)
    short = tasks.sensor_fusion(samples=8, rows=100, validation=100, test=100)
    assert tasks.named(short.name).x.shape[1] == short.x.shape[1] == 16


# --- Sensors ------------------------------------------------------------------------------------------------------------------


def test_series_follow_the_published_recipe() -> None:
    funnels = np.array([True, False, True])
    found = bells_and_funnels(funnels, 16, np.random.default_rng(7))
    generator = np.random.default_rng(7)
    starts, lengths = generator.integers(16, 33, 3), generator.integers(32, 97, 3)
    heights, noise = generator.normal(size=3), generator.normal(size=(3, 128))
    for row in range(3):
        series = []
        for t in range(128):
            a, b = starts[row], starts[row] + lengths[row]
            slope = 0.0 if not a <= t <= b else (b - t) / (b - a) if funnels[row] else (t - a) / (b - a)
            series.append((6 + heights[row]) * slope + noise[row, t])
        assert found[row] == pytest.approx([np.mean(series[8 * i : 8 * i + 8]) for i in range(16)], abs=1e-5)


def linear_accuracy(task: tasks.Task, inputs: Any, side: int) -> float:
    """How well a linear fit on these inputs of the training rows tells the kind of a sensor in the test rows."""
    kinds = (task.y[:, side].numpy(), task.y_test[:, side].numpy())  # type: ignore[index]
    x, x_test = (np.c_[part[:, list(inputs)].numpy(), np.ones(len(part))] for part in (task.x, task.x_test))
    weights = np.linalg.lstsq(x, 2 * kinds[0] - 1, rcond=None)[0]
    return float(((x_test @ weights > 0) == (kinds[1] > 0)).mean())


def test_the_kind_of_a_sensor_is_told_by_its_own_series_alone() -> None:
    task = tasks.sensor_fusion(3, "alone", rows=2000, test=1000)
    own = [facts["inputs"] for _, facts in task.truth(2).nodes(data=True)]
    assert sorted(i for inputs in own for i in inputs) == [*range(48)]
    for sensor, inputs in enumerate(own):
        others = [i for i in range(48) if i not in inputs]
        assert linear_accuracy(task, inputs, sensor) > 0.95
        assert linear_accuracy(task, others, sensor) < 0.6


# --- Scenes -------------------------------------------------------------------------------------------------------------------


def read_sprites(cells: Any) -> Any:
    """Whether the sprite of each image of 5 x 5 pixels is a cross, bright and on the right, by the template that fits best."""
    templates, facts = [], []
    for shape in (0, 1):
        for right in (0, 2):
            for top in range(3):
                template = np.zeros((5, 5))
                template[top : top + 3, right : right + 3] = SHAPES[shape]
                templates.append(template.ravel())
                facts.append((shape == 1, right == 2))
    levels = cells.reshape(len(cells), 25) @ np.array(templates).T / 5
    best = levels.argmax(axis=1)
    cross, right = np.array(facts)[best].T
    return np.stack([cross, levels.max(axis=1) > 0.6, right], axis=1)


def test_each_attribute_of_a_scene_is_read_from_the_pixels_of_its_module() -> None:
    task = tasks.sprite_scenes("alone", **FEW)
    assert task.x_test is not None
    assert task.y_test is not None
    for node, (inputs, outputs) in enumerate(modules_of(task.truth(2))[0]):
        attribute = outputs[0]
        read = read_sprites(task.x_test[:, list(inputs)].numpy())
        assert (read[:, attribute] == (task.y_test[:, attribute] > 0).numpy()).all(), node
    fourth = [i for i in range(100) if i // 10 >= 5 and i % 10 >= 5]
    assert not set(fourth) & {i for inputs, _ in modules_of(task.truth(2))[0] for i in inputs}
    beside = read_sprites(task.x_test[:, fourth].numpy())
    assert all(0.3 < (beside[:, k] == (task.y_test[:, k] > 0).numpy()).mean() < 0.7 for k in range(3))


@pytest.mark.parametrize("sprite", range(4))
@pytest.mark.parametrize("attribute", ["cross", "bright", "right"])
def test_an_attribute_of_a_sprite_changes_its_own_quarter_alone(sprite: int, attribute: str) -> None:
    bits = np.random.default_rng(0).random((4, 3, 50)) < 0.5
    changed = bits.copy()
    changed[sprite, ("cross", "bright", "right").index(attribute)] ^= True
    before, after = (draw_scenes([Sprite(*each) for each in part], np.random.default_rng(1)) for part in (bits, changed))
    differs = (before != after).any(axis=0)
    quarter = np.zeros((10, 10), dtype=bool)
    quarter[5 * (sprite // 2) :, 5 * (sprite % 2) :][:5, :5] = True
    assert differs.any()
    assert not differs[~quarter].any()
    assert (before != after).any(axis=(1, 2)).all()


def test_compare_finds_the_truth_of_a_scene_by_few_pixels_and_names_one_of_the_fourth_quarter() -> None:
    task = tasks.sprite_scenes(**FEW)
    first, second = np.zeros((3, 100)), np.array([[1.0, 1, 0], [1, -1, 0], [0, 1, 1], [0, 1, -1]])
    for unit, pixels in enumerate(([0, 11], [5, 16], [50, 61])):
        first[unit, pixels] = 1.0
    weights = [first, second, np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])]
    assert compare(detect_modules(weights), task.truth(2)).verdict == "exact"
    first[0, 99] = 1.0
    same = compare(detect_modules(weights), task.truth(2))
    assert not same.exact
    assert not same.inputs.exact


# --- Expressions --------------------------------------------------------------------------------------------------------------


def written(task: tasks.Task, row: Any) -> str:
    """The expression of a row, as text."""
    held = [name for name, bit in zip(task.input_names, row, strict=True) if bit]
    known = {name.split(" is ")[0]: name.split(" is ")[1] for name in held}
    assert len(known) == len(held)
    usual = task.name.split("operators=")[1]
    terms = [f"({known[a]}{known.get(f'operator of {a} and {b}', usual)}{known[b]})" for a, b in ("ab", "cd")]
    return "+".join(terms).replace("=", "==")


@pytest.mark.parametrize(("digits", "operators"), [(2, "+*"), (3, "<="), (4, "*"), (3, "+*<=")])
def test_the_target_is_the_parity_of_the_value_of_what_is_written(digits: int, operators: str) -> None:
    task = tasks.expression_parity(digits, operators)
    texts = [written(task, row) for row in task.x.tolist()]
    assert len(set(texts)) == len(texts) == (digits * digits * len(operators)) ** 2
    assert [bool(eval(text) % 2) for text in texts] == (task.y[:, 0] > 0).tolist()
    assert value_of(9, "*", 9) == 81


def parts_add(odd: Any, characters: tuple[int, ...]) -> bool:
    """Whether an array of bits, an axis for each character, is a sum of a part of some characters and a part of all others."""
    table = np.moveaxis(odd, characters, range(len(characters)))
    table = table.reshape(int(np.prod(table.shape[: len(characters)])), -1)
    return not (table ^ table[:1] ^ table[:, :1] ^ table[0, 0]).any()


@pytest.mark.parametrize(("digits", "operators"), [(2, "+*"), (3, "<="), (3, "+*<=")])
def test_the_two_terms_are_the_only_parts_that_act_through_one_bit_each(digits: int, operators: str) -> None:
    task = tasks.expression_parity(digits, operators)
    odd = (task.y[:, 0] > 0).numpy().reshape([digits, len(operators), digits] * 2)
    splits = [part for size in (1, 2, 3) for part in combinations(range(6), size)]
    assert [part for part in splits if parts_add(odd, part)] == [(0, 1, 2), (3, 4, 5)]
    truth = task.truth(2)
    left, right = (tuple(facts["inputs"]) for _, facts in list(truth.nodes(data=True))[:2])
    assert {task.input_names[i][0] for i in left} | {"o"} == {"a", "b", "o"}
    assert {task.input_names[i][0] for i in right} | {"o"} == {"c", "d", "o"}
    assert all(("a and b" in task.input_names[i]) == (i in left) for i in range(len(task.input_names)) if task.input_names[i][0] == "o")
    assert modules_of(truth) == ([((), (0,)), (left, ()), (right, ())], {((left, ()), ((), (0,))), ((right, ()), ((), (0,)))})


@pytest.mark.parametrize("make", [lambda: tasks.expression_parity(4, "<"), lambda: tasks.sensor_fusion(2, rows=1000)])
def test_sculpt_finds_the_truth(make: Any) -> None:
    task = make()
    result = sculpt(task.model(), task, seeds=2, unit_steps=(0.5,), edge_steps=(0.02,), progress=False)
    assert compare(consensus(result.candidates), task.truth(2)).verdict == "exact"
