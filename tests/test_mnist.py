"""Two digits side by side: which rows are drawn, and the ground truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tagged import MNIST, SIDE, TEST_LABELS, TRAIN_LABELS, fill, leave_alone, needs_mnist, write

from analysis import compare, detect_modules
from sculpting import sculpt, tasks
from sculpting.tasks import digits as sources
from sculpting.tasks.pairs import draw_pairs, hold_out

TASKS = {"pair": (tasks.mnist_pair, 10), "xor": (tasks.mnist_xor, 8)}
SMALL = {"pairs": 730, "validation": 130, "test": 130}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_alone(tmp_path, monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "data")


def parts(task: tasks.Task) -> list[tuple[torch.Tensor, torch.Tensor]]:
    assert task.x_test is not None
    assert task.y_test is not None
    return [(task.x, task.y), (task.x_validation, task.y_validation), (task.x_test, task.y_test)]


def seen(x: torch.Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers and the labels of the tagged images in each row, two columns: left and right."""
    pixels = (x.double().numpy() * 255).round().astype(int).reshape(len(x), SIDE, 2, SIDE)[:, 0]
    return pixels[..., 0] * 256 + pixels[..., 1], pixels[..., 2]


@pytest.mark.parametrize("kind", TASKS)
def test_no_image_is_in_two_parts_and_validation_is_each_digits_last_sixth(folder: Path, kind: str) -> None:
    make, known = TASKS[kind]
    images = [set(seen(x)[0].ravel().tolist()) for x, _ in parts(make(data_dir=folder, **SMALL))]
    numbers = {d: np.nonzero(d == TRAIN_LABELS)[0].tolist() for d in range(known)}
    assert images[0] == {n for d in numbers for n in numbers[d][:15]}
    assert images[1] == {n for d in numbers for n in numbers[d][15:]}
    assert images[2] == {1000 + n for n in np.flatnonzero(known > TEST_LABELS)}
    other = [set(seen(x)[0].ravel().tolist()) for x, _ in parts(make(data_dir=folder, seed=1, **SMALL))]
    assert other == images


@pytest.mark.parametrize("kind", TASKS)
def test_every_ordered_pair_of_digits_occurs_equally_often(folder: Path, kind: str) -> None:
    make, known = TASKS[kind]
    often = []
    for seed in (0, 1):
        for x, _ in parts(make(data_dir=folder, seed=seed, **SMALL)):
            counts = Counter(map(tuple, seen(x)[1].tolist()))
            assert set(counts) == set(product(range(known), repeat=2))
            assert max(counts.values()) - min(counts.values()) == 1
            often.append(frozenset(pair for pair, count in counts.items() if count == max(counts.values())))
    assert len(set(often)) == len(often), "which pairs there is one more of must be drawn"


def test_rows_are_in_random_order_and_images_drawn_with_replacement(folder: Path) -> None:
    numbers, labels = seen(tasks.mnist_pair(data_dir=folder, **SMALL).x)
    assert len(set(map(tuple, labels[:100].tolist()))) < 80, "the first hundred rows must not be one of each pair"
    often = Counter(numbers[:, 0][labels[:, 0] == 1].tolist()).values()
    assert max(often) > min(often) + 1, "images must not be dealt out in turn"
    alike = numbers[labels[:, 0] == labels[:, 1]]
    assert (alike[:, 0] != alike[:, 1]).any(), "the sides must be drawn apart"


@pytest.mark.parametrize("kind", TASKS)
def test_targets_follow_the_labels_of_the_images(folder: Path, kind: str) -> None:
    make, known = TASKS[kind]
    task = make(data_dir=folder, **SMALL)
    for x, y in parts(task):
        for (left, right), bits in zip(seen(x)[1].tolist(), y.tolist(), strict=True):
            if kind == "pair":
                assert bits == [float(d == left) for d in range(10)] + [float(d == right) for d in range(10)]
            else:
                assert bits == [float(c) for c in f"{left ^ right:03b}"]
        assert x.dtype == y.dtype == torch.float32
    assert task.loss == "bce"
    assert not task.complete
    assert known**2 <= len(task.x_validation)


@pytest.mark.parametrize("kind", TASKS)
def test_a_seed_gives_the_same_rows_and_another_seed_others(folder: Path, kind: str) -> None:
    make, _ = TASKS[kind]
    first, again, other = (parts(make(data_dir=folder, seed=seed, **SMALL)) for seed in (3, 3, 4))
    longer = parts(make(data_dir=folder, seed=3, pairs=900, validation=130, test=130))
    for i in range(3):
        assert all(torch.equal(a, b) for a, b in zip(first[i], again[i], strict=True))
        assert not torch.equal(first[i][0], other[i][0])
        assert i == 0 or torch.equal(first[i][0], longer[i][0])
    assert not torch.equal(seen_labels(first[1]), seen_labels(first[2])), "validation and test must be drawn apart"


def seen_labels(part: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return torch.from_numpy(seen(part[0])[1])


def test_the_left_digit_is_the_left_half_of_a_row_major_image(folder: Path) -> None:
    left, right = np.array([[1, 2], [3, 4]], dtype=np.uint8), np.array([[50, 60], [70, 80]], dtype=np.uint8)
    both = sources.Digits(np.stack([left, right]), np.array([0, 1], dtype=np.uint8), 100, "two images")
    x, a, b = draw_pairs(both, known=2, rows=4, size=2, seed=[0])
    row = x[(a == 0) & (b == 1)][0]
    np.testing.assert_allclose(row, [0.01, 0.02, 0.5, 0.6, 0.03, 0.04, 0.7, 0.8], rtol=1e-6)
    x, a, b = draw_pairs(both, known=2, rows=4, size=1, seed=[0])
    np.testing.assert_allclose(x[(a == 0) & (b == 1)][0], [0.025, 0.65], rtol=1e-6)
    names = tasks.mnist_pair(data_dir=folder, size=2, **SMALL).input_names
    assert names == ("L0,0", "L0,1", "R0,0", "R0,1", "L1,0", "L1,1", "R1,0", "R1,1")


def test_half_the_size_is_the_mean_of_two_by_two_pixels() -> None:
    image = np.array([[0, 4, 255, 255], [8, 0, 255, 255], [1, 1, 0, 0], [1, 2, 0, 100]], dtype=np.uint8)
    one = sources.Digits(image[None], np.zeros(1, dtype=np.uint8), 255, "one image")
    x, *_ = draw_pairs(one, known=1, rows=1, size=2, seed=[0])
    np.testing.assert_allclose(x[0] * 255, [3, 255, 3, 255, 1.25, 25, 1.25, 25], rtol=1e-6)
    assert x.dtype == np.float32


def test_the_whole_range_of_a_source_is_zero_to_one() -> None:
    for size, mean in ((None, 8), (4, 4)):
        task = tasks.mnist_pair(source="digits", size=size, pairs=400, validation=100, test=100)
        assert task.x.shape == (400, 2 * mean * mean)
        assert float(task.x.min()) == 0
        assert 0.9 < float(task.x.max()) <= 1


def test_hold_out_leaves_something_on_either_side() -> None:
    labels = np.array([0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], dtype=np.uint8)
    images = np.arange(14, dtype=np.uint8).reshape(14, 1, 1)
    training, validation = hold_out(sources.Digits(images, labels, 255, "images"))
    assert validation.images.ravel().tolist() == [1, 12, 13]
    assert validation.labels.tolist() == [0, 1, 1]
    assert training.images.ravel().tolist() == [0, *range(2, 12)]


# Ground truth


def modules(task: tasks.Task, depth: int) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Sides whose pixels a module holds, each whole, and names of its outputs."""
    found = []
    for _, facts in task.truth(depth).nodes(data=True):
        names = [task.input_names[i] for i in facts["inputs"]]
        sides = tuple(sorted({name[0] for name in names}))
        assert len(names) == len(sides) * len(task.input_names) // 2
        found.append((sides, tuple(task.output_names[i] for i in facts["outputs"])))
    return found


def test_truth_of_two_digits_is_two_modules_at_any_depth() -> None:
    task = tasks.mnist_pair(source="digits", pairs=100, validation=100, test=100)
    digits = [tuple(f"{side} {d}" for d in range(10)) for side in ("left", "right")]
    for depth in (1, 2, 3, 4, 5):
        assert modules(task, depth) == [(("L",), digits[0]), (("R",), digits[1])]
        assert not task.truth(depth).edges
    constant = int((task.x.amax(dim=0) == task.x.amin(dim=0)).sum())
    assert constant > 0, "pixels that never change must be there to be in the truth"


def test_truth_of_the_xor_has_a_middle_from_four_hidden_layers_on() -> None:
    task = tasks.mnist_xor(source="digits", pairs=64, validation=64, test=64)
    sides = [(("L",), ()), (("R",), ())]
    outputs = [((), (f"xor {bit}",)) for bit in (4, 2, 1)]
    for depth in (1, 2, 3):
        assert modules(task, depth) == [*sides, *outputs]
        assert set(task.truth(depth).edges) == set(product((0, 1), (2, 3, 4)))
    for depth in (4, 5):
        assert modules(task, depth) == [*sides, ((), ()), *outputs]
        assert set(task.truth(depth).edges) == {(0, 2), (1, 2), (2, 3), (2, 4), (2, 5)}
    facts = dict(task.truth(4).nodes(data=True))
    assert [facts[node]["name"] for node in range(6)] == ["T0", "T1", "T2", "T3", "T4", "T5"]
    assert facts[0]["function"] == "a = digit on the left"
    with pytest.raises(ValueError, match="hidden_layers must be a whole number of at least 1; got 0"):
        task.truth(0)
    assert facts[5]["function"] == "xor 1 = bit 1 of a ^ bit 1 of b"


def test_a_network_of_two_apart_sides_is_exactly_the_truth() -> None:
    truth = tasks.mnist_pair(source="digits", size=4, pairs=100, validation=100, test=100).truth(1)
    first, second = np.zeros((2, 32)), np.zeros((20, 2))
    for node, facts in truth.nodes(data=True):
        first[node, list(facts["inputs"])] = 1
        second[list(facts["outputs"]), node] = 1
    assert compare(detect_modules([first, second]), truth).connected
    first[0, truth.nodes[1]["inputs"][0]] = 1
    assert not compare(detect_modules([first, second]), truth).exact


def test_a_structure_comes_before_gates_but_for_the_gates_as_named() -> None:
    gates = tasks.from_gates({"y": "a & b"}).gates
    x = torch.zeros(1, 2)
    task = tasks.Task(x, x, "bce", x, x, gates=gates, structure=tasks.mnist_pair(source="digits").structure)
    assert [len(task.truth(1)), len(task.truth())] == [2, 1]


# Errors


@pytest.mark.parametrize("make", [tasks.mnist_pair, tasks.mnist_xor])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"source": "fashion"}, "source must be 'mnist' or 'digits'; got 'fashion'"),
        ({"source": "digits", "data_dir": "here"}, "data_dir must be left out for source='digits', which needs no files; got 'here'"),
        ({"source": "digits", "size": 28}, "size must be 8 or 4 for images of 8 x 8 pixels; got 28"),
        ({"source": "digits", "size": 0}, "size must be 8 or 4"),
        ({"pairs": 63}, r"pairs must be a whole number of at least (100|64), one for every ordered pair of digits; got 63"),
        ({"pairs": 200.0}, r"pairs must be a whole number .* got 200.0"),
        ({"validation": 0}, r"validation must be a whole number of at least (100|64), one.* got 0"),
        ({"test": "many"}, r"test must be a whole number .* got 'many'"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
    ],
)
def test_bad_arguments_get_one_clear_error(make: Callable[..., tasks.Task], arguments: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make(**arguments)


def test_a_size_as_a_float_and_the_least_counts_are_taken() -> None:
    assert tasks.mnist_pair(source="digits", size=4.0, pairs=100, validation=100, test=100).x.shape == (100, 32)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 100"):
        tasks.mnist_pair(source="digits", pairs=99)
    assert len(tasks.mnist_xor(source="digits", pairs=64, validation=64, test=64).x) == 64


def test_missing_eights_are_an_error_for_the_pair_only(folder: Path) -> None:
    write(folder / "t10k-labels-idx1-ubyte", np.where(TEST_LABELS == 8, 4, TEST_LABELS))
    assert len(tasks.mnist_xor(data_dir=folder, **SMALL).x) == 730
    with pytest.raises(ValueError, match="got 0 of 8"):
        tasks.mnist_pair(data_dir=folder, **SMALL)


def test_images_of_an_odd_size_have_no_half(tmp_path: Path) -> None:
    for start in ("train", "t10k"):
        write(tmp_path / f"{start}-images-idx3-ubyte", np.zeros((20, 3, 3)))
        write(tmp_path / f"{start}-labels-idx1-ubyte", np.arange(20) % 10)
    with pytest.raises(ValueError, match="size must be 3 for images of 3 x 3 pixels; got 1"):
        tasks.mnist_xor(data_dir=tmp_path, size=1)


# The real images


def test_the_real_images_come_in_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_mnist()
    monkeypatch.setenv("SCULPTING_DATA", str(MNIST))
    train, test = sources.read_digits()
    assert (train.labels[:5].tolist(), test.labels[:5].tolist()) == ([5, 0, 4, 1, 9], [7, 2, 1, 0, 4])
    full, half = (tasks.mnist_xor(size=size, pairs=640, validation=64, test=64) for size in (28, 14))
    assert (full.x.shape, half.x.shape, tasks.mnist_xor(pairs=64, validation=64, test=64).x.shape[1]) == ((640, 1568), (640, 392), 1568)
    means = full.x.reshape(640, 14, 2, 28, 2).mean(dim=(2, 4)).reshape(640, 392)
    torch.testing.assert_close(half.x, means)
    assert (float(full.x.min()), float(full.x.max())) == (0, 1)
    assert torch.equal(full.y, half.y)


def test_sculpted_networks_of_images_know_their_size() -> None:
    task = tasks.mnist_pair(source="digits", size=4, pairs=100, validation=100, test=100)
    result = sculpt(task.model(8, 1), task, seeds=1, unit_steps=[0.5], edge_steps=[0.05], min_accuracy=0.5, steps=8, progress=False)
    assert result.network.origin["image"] == [4, 8]
