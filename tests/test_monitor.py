"""The monitor: what it notices, and how often it is wrong where nothing has changed."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from test_resculpt import network, signs, task_of

from analysis import detect_modules
from sculpting import SparseNetwork, monitor, resculpt, sculpt
from sculpting.monitoring.differences import of_groups


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the table with noise on the inputs, and the true bits, some of them wrong."""
    random = np.random.default_rng(seed)
    table = task_of()
    drawn = random.integers(64, size=count)
    x = table.x.numpy()[drawn] + random.normal(size=(count, 6)) * 0.1
    y = table.y.numpy()[drawn].astype(int)
    return x, np.where(random.random(y.shape) < 0.05, 1 - y, y)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_false_alarms_are_no_more_frequent_than_stated(rate: float) -> None:
    alarms = [next(monitor(network(), [rows(40, 2 * seed)], rows(60, 2 * seed + 1), rate=rate)).changed for seed in range(300)]
    assert np.mean(alarms) <= rate + 3 * (rate * (1 - rate) / 300) ** 0.5
    assert np.mean(alarms) > rate / 20  # nor is it deaf


def test_another_gate_shows_in_the_accuracy_and_other_inputs_in_the_units() -> None:
    reference = rows(400, 0)
    x, y = rows(200, 1)
    moved = x.copy()
    moved[:, :2] = np.round(np.random.default_rng(0).random((200, 1)) < 0.9)
    p = (x[:, :2].round() == 1).all(axis=1)
    other = y.copy()
    other[:, 0] = y[:, 0] ^ p
    usual, gate, inputs, plain = monitor(network(), [(x, y), (x, other), (moved, y), moved], reference)
    assert (usual.changed, usual.less_accurate, usual.units) == (False, False, ())
    assert (gate.changed, gate.less_accurate, gate.units) == (True, True, ())
    assert usual.accuracy == pytest.approx(0.86, abs=0.1)
    assert (1, 1) in inputs.units
    assert (1, 3) not in inputs.units
    assert (1, 5) not in inputs.units
    assert plain.changed
    assert plain.accuracy is None
    assert [alarm.batch for alarm in (usual, gate, inputs, plain)] == [0, 1, 2, 3]
    assert gate.p_value < 0.001 < usual.p_value <= 1


LABELS = [[0, 0, 1, 1, 2, 2], [9, 0, 9, 1, 9, 2, 9, 9], [3, 9, 4, 9, 5, 9, 9, 9], [3, 4, 5]]  # of the gates; unused units have any


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_with_modules_false_alarms_are_no_more_frequent_than_stated(rate: float) -> None:
    labels = [[0] * 6, [0] * 8, [1] * 8, [1] * 3]  # three units a module, which depend on one another
    alarms = [
        next(monitor(network(), [rows(40, 2 * seed)], rows(60, 2 * seed + 1), modules=labels, rate=rate)).changed for seed in range(300)
    ]
    assert np.mean(alarms) <= rate + 3 * (rate * (1 - rate) / 300) ** 0.5
    assert np.mean(alarms) > rate / 20


def test_an_alarm_names_the_modules_that_differ() -> None:
    x, _ = rows(200, 1)
    moved = x.copy()
    moved[:, :2] = np.round(np.random.default_rng(0).random((200, 1)) < 0.9)
    usual, inputs = monitor(network(), [x, moved], rows(400, 0)[0], modules=LABELS)
    assert (usual.changed, usual.modules, usual.units) == (False, (), ())
    assert inputs.changed
    assert inputs.units == ()
    assert 0 in inputs.modules
    assert {0, 3, 4} >= {*inputs.modules}  # the gate p, and y0 and y1, which read it
    names = detect_modules(network())
    found = next(monitor(network(), [moved], rows(400, 0)[0], modules=names))
    assert names.labels[1][1] in found.modules
    assert names.labels[1][3] not in found.modules
    again = [alarm for _ in range(2) for alarm in monitor(network(), [x, moved], rows(400, 0)[0], modules=LABELS)]
    assert again[:2] == again[2:] == [usual, inputs]


def test_the_p_value_of_a_group_is_that_of_all_shuffles() -> None:
    reference, batch = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 2.0]]), np.array([[5.0, 2.0], [6.0, 3.0]])
    pooled = np.concatenate([reference, batch]).astype(np.float32)

    def distance(chosen: tuple[int, ...]) -> float:
        others = [i for i in range(6) if i not in chosen]
        steps = [(pooled[others, u] <= v).mean() - (pooled[[*chosen], u] <= v).mean() for u in range(2) for v in pooled[:, u]]
        return float(np.abs(steps).max())

    all_pairs = [distance(pair) for pair in combinations(range(6), 2)]
    exact = np.mean(np.array(all_pairs) >= distance((4, 5)) - 1e-9)
    found = [of_groups(pooled[:4], pooled[4:], 4000, np.random.default_rng(seed)) for seed in range(60)]
    assert np.mean(found) == pytest.approx(exact, abs=0.02)
    assert of_groups(pooled[:4], pooled[:4], 99, np.random.default_rng(0)) == 1.0


def test_p_values_of_groups_are_uniform_where_nothing_differs() -> None:
    random = np.random.default_rng(0)
    found = []
    for _ in range(400):
        x = random.normal(size=(50, 1)).astype(np.float32) + random.normal(size=(50, 3)).astype(np.float32) * 0.5
        found.append(of_groups(x[:30], x[30:], 199, random))
    for level in (0.05, 0.2, 0.5):
        share = np.mean(np.array(found) <= level)
        assert share <= level + 3 * (level * (1 - level) / 400) ** 0.5
        assert share > level * 0.5


def test_a_result_watches_batches_against_its_own_rows() -> None:
    task = task_of()
    x, y = task.x.numpy(), task.y.numpy().astype(int)
    many = np.random.default_rng(0).integers(64, size=300)
    found = resculpt(network(), task, progress=False)
    assert found.task is task
    usual, wrong = found.monitor([(x[many], y[many]), (x[many], 1 - y[many])], rate=0.01, modules=LABELS)
    assert (usual.changed, usual.accuracy, wrong.less_accurate) == (False, 1.0, True)
    result = sculpt(task.model(6, 1), task, seeds=1, unit_steps=[0.5], edge_steps=[0.05], progress=False)
    if result.network is not None:
        assert next(result.monitor([(x[many], y[many])])).changed is False
    with pytest.raises(ValueError, match="monitor needs reference rows, since the result has no test rows"):
        monitor(network(), [])
    sampled = replace(task, complete=False, x_test=task.x[:40], y_test=task.y[:40])
    alarm = next(replace(found, task=sampled).monitor([(x[:40], y[:40])]))
    assert (alarm.changed, alarm.p_value) == (False, 1.0)
    with pytest.raises(ValueError, match="monitor needs reference rows"):
        replace(found, task=replace(task, complete=False)).monitor([])


def test_it_reads_batches_one_by_one() -> None:
    taken: list[int] = []

    def batches() -> object:
        for number in range(3):
            taken.append(number)
            yield rows(50, number)

    found = monitor(network(), batches(), rows(100, 9))  # type: ignore[arg-type]
    assert taken == []
    next(found)
    assert taken == [0]


def test_classes_and_real_values() -> None:
    bits = signs()
    classes = SparseNetwork(bits.weights, bits.biases, bits.activations, loss="ce")
    x = np.random.default_rng(0).normal(size=(300, 4)) * 4
    reference = (x[:200], classes.predict(x[:200]))
    right, wrong, hot = monitor(classes, [(x[200:], classes.predict(x[200:])), (x[200:], 1 - classes.predict(x[200:])),
                                          (x[200:], np.eye(2)[classes.predict(x[200:])])], reference)  # fmt: skip
    assert (right.accuracy, wrong.accuracy, hot.accuracy) == (1, 0, 1)
    assert (right.changed, wrong.changed) == (False, True)
    real = SparseNetwork(bits.weights, bits.biases, bits.activations, loss="mse")
    assert next(monitor(real, [(x, x[:, :2])], (x, x[:, :2]))).accuracy is None


def test_what_does_not_fit_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"rate must be a fraction in \(0, 1\), such as 0.001; got 2"):
        monitor(network(), [], rows(9, 0), rate=2)
    with pytest.raises(TypeError, match="monitor needs a SparseNetwork or a result that has one; got int"):
        monitor(3, [], rows(9, 0))
    with pytest.raises(ValueError, match=r"reference must have x of shape \(rows, 6\), at least 2 rows; got \(4, 5\)"):
        monitor(network(), [], np.zeros((4, 5)))
    with pytest.raises(ValueError, match="a batch must be finite"):
        list(monitor(network(), [np.full((4, 6), np.nan)], rows(9, 0)))
    with pytest.raises(ValueError, match=r"a batch must have y of shape \(9, 3\), as the network answers; got \(9, 2\)"):
        list(monitor(network(), [(rows(9, 1)[0], rows(9, 1)[1][:, :2])], rows(9, 0)))
    with pytest.raises(ValueError, match="a batch must have a target for every row; got NaN in y"):
        list(monitor(network(), [(rows(9, 1)[0], np.full((9, 3), np.nan))], rows(9, 0)))


def test_alarms_that_are_read_under_another_default_device_are_the_same() -> None:
    batches, reference = [rows(50, 0)], rows(100, 1)
    with torch.device("meta"):  # which has no values
        found = [*monitor(network(), batches, reference)]
    assert found == [*monitor(network(), batches, reference)]


def test_modules_that_do_not_fit_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"modules must be a Hierarchy of the network, or arrays of int of shapes \[\(6,\), \(8,\), \(8,\)"
    ):
        monitor(network(), [], rows(9, 0), modules=LABELS[1:])
    with pytest.raises(ValueError, match=r"arrays of int of shapes .*; got \['float64 \(6,\)', 'float64 \(8,\)'"):
        monitor(network(), [], rows(9, 0), modules=[np.array(part, dtype=float) for part in LABELS])
    with pytest.raises(TypeError, match=r"modules must be a Hierarchy of the network, or arrays of int .*; got 3"):
        monitor(network(), [], rows(9, 0), modules=3)
    with pytest.raises(ValueError, match=r"modules must be a Hierarchy of the network, or arrays of int .*; got \[\[\[0\], \[1, 2\]\]\]"):
        monitor(network(), [], rows(9, 0), modules=[[[0], [1, 2]]])
    with pytest.raises(ValueError, match=r"a label from 0 for every live hidden unit; got -1 for h1.1"):
        monitor(network(), [], rows(9, 0), modules=[np.full(len(part), 2**64 - 1, dtype=np.uint64) for part in LABELS])
    none = [LABELS[0], [-1, 0, -1, -1, -1, 2, -1, -1], *LABELS[2:]]
    with pytest.raises(ValueError, match=r"a label from 0 for every live hidden unit; got -1 for h1.3"):
        monitor(network(), [], rows(9, 0), modules=none)


def test_a_rate_that_shuffles_cannot_show_is_refused_and_all_others_can_raise_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    text = r"rate must be at least 7e-05 with 6 modules, 7 tests in all, .* at most 100,000 shuffles; got 6e-05. Give a larger rate"
    with pytest.raises(ValueError, match=text):
        monitor(network(), [], rows(9, 0), modules=LABELS, rate=6e-5)
    monitor(network(), [], rows(9, 0), modules=LABELS, rate=7e-5)
    monitor(network(), [], rows(9, 0)[0], modules=LABELS, rate=6e-5)  # without targets there is a test less
    monitor(network(), [], rows(9, 0), rate=1e-12)  # units need no shuffles
    monkeypatch.setattr("sculpting.monitoring.alarms.MOST_SHUFFLES", 300)
    x = rows(400, 0)[0]
    [alarm] = monitor(network(), [x[:200] + 3], x[200:], modules=LABELS, rate=6 / 300)
    assert alarm.changed
    assert alarm.p_value == pytest.approx(6 / 301)


@pytest.mark.parametrize("batches", [None, 3, np.array(1.0)])
def test_what_is_no_iterable_of_batches_is_refused_at_the_call(batches: Any) -> None:
    with pytest.raises(TypeError, match=r"batches must be an iterable of arrays x, or of pairs \(x, y\); got (None|3|array|1.0)"):
        monitor(network(), batches, rows(9, 0))


def test_a_network_without_live_units_raises_no_alarm() -> None:
    network = SparseNetwork((np.zeros((2, 3)), np.zeros((1, 2))), (np.ones(2), np.ones(1)), ("relu", "identity"), loss="bce")
    rows = np.random.default_rng(0).random((20, 3))
    for modules in (None, [[0, 0, 0], [-1, -1], [0]]):
        [alarm] = monitor(network, [rows + 5], rows, modules=modules)
        assert (alarm.changed, alarm.p_value, alarm.units, alarm.modules) == (False, 1.0, (), ())
