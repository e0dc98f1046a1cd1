"""Two digits as two channels: the images, the targets, the splits, the truth and the network."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import pytest
import torch

from sculpting import sculpt, tasks
from sculpting.models.groups import units

SMALL = {"pairs": 200, "validation": 100, "test": 100}
PARTS = ("x", "x_validation", "x_test")


def test_red_is_the_left_digit_of_a_pair_and_green_the_right_one() -> None:
    task, pair = tasks.colour_digits(**SMALL), tasks.mnist_pair(source="digits", **SMALL)
    for part in PARTS:
        beside = getattr(pair, part).view(-1, 8, 16)
        assert torch.equal(getattr(task, part)[:, 0], beside[:, :, :8])
        assert torch.equal(getattr(task, part)[:, 1], beside[:, :, 8:])
    assert torch.equal(task.y, pair.y)
    assert task.output_names[:2] == ("red 0", "red 1")
    assert task.origin == {"task": "colour-digits"}


def test_no_image_is_in_two_parts() -> None:
    task = tasks.colour_digits(pairs=2000, validation=500, test=500)
    seen = [{image.numpy().tobytes() for image in getattr(task, part).flatten(0, 1)} for part in PARTS]
    assert seen[0].isdisjoint(seen[1] | seen[2])
    assert seen[1].isdisjoint(seen[2])


def test_the_targets_of_xor_are_its_bits() -> None:
    task = tasks.colour_xor(pairs=64, validation=64, test=64)
    assert task.labels_test is not None
    assert task.y_test is not None
    known = [[bool((a ^ b) & bit) for bit in (4, 2, 1)] for a, b in task.labels_test.tolist()]
    assert task.y_test.bool().tolist() == known


def test_the_truths_are_those_of_sides_with_a_channel_for_a_side() -> None:
    for task, beside in ((tasks.colour_digits(**SMALL), "mnist_pair"), (tasks.colour_xor(**SMALL), "mnist_xor")):
        for depth in (1, 3, 4):
            truth, known = task.truth(depth), getattr(tasks, beside)(source="digits", **SMALL).truth(depth)
            assert nx.utils.graphs_equal(nx.DiGraph(truth.edges), nx.DiGraph(known.edges))
            assert nx.get_node_attributes(truth, "outputs") == nx.get_node_attributes(known, "outputs")
            assert [each for each in nx.get_node_attributes(truth, "inputs").values() if each] == [(0,), (1,)]


def test_the_units_of_the_network_are_channels() -> None:
    task = tasks.colour_digits(**SMALL)
    found = units(task.model(channels=(3, 5), hidden=7), task.x[:2])
    assert [(layer.kind, layer.size) for layer in found.layers] == [
        ("input", 2), ("channel", 3), ("channel", 5), ("neuron", 7), ("output", 20),
    ]  # fmt: skip
    assert found.edge_count == 2 * 3 + 3 * 5 + 5 * 7 + 7 * 20
    with pytest.raises(TypeError, match="width"):
        task.model(width=24)


def test_other_sizes_of_images_fit_the_network() -> None:
    task = tasks.colour_digits(size=4, **SMALL)
    with pytest.raises(ValueError, match="images must be at least 6 pixels high and wide; got 4 x 4"):
        task.model()(task.x)
    assert tasks.ConvolutionalNetwork(1, 3)(torch.zeros(2, 1, 28, 28)).shape == (2, 3)


def test_digits_are_judged_and_not_bits() -> None:
    task = tasks.colour_digits(**SMALL)
    result = sculpt(task.model(channels=(2, 2), hidden=3), task, seeds=1, steps=5, dense_rounds=1, edge_steps=(0.5,), progress=False)
    with torch.no_grad():
        z = result.dense[0].model()(task.x_validation)
    assert result.metric == "group accuracy"
    assert result.dense[0].accuracy == pytest.approx(float(tasks.by_group(z, task.y_validation, 2).mean()))
    assert [*replace(result, candidates=result.dense).by_output()] == ["group 0", "group 1"]
    assert task.constant_scores().mean() == pytest.approx(0.1)


def test_sculpt_takes_the_task_with_its_setting() -> None:
    task = tasks.colour_xor(**SMALL)
    result = sculpt(task.model(channels=(2, 2), hidden=3), task, seeds=1, steps=5, dense_rounds=1, edge_steps=(0.5,), progress=False)
    assert result.history[0].phase == "dense"
