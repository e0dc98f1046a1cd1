"""The monitor: what it notices, and how often it is wrong where nothing has changed."""

from __future__ import annotations

import numpy as np
import pytest
from test_resculpt import network, signs, task_of

from sculpting import SparseNetwork, monitor


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


def test_a_network_without_live_units_raises_no_alarm() -> None:
    network = SparseNetwork((np.zeros((2, 3)), np.zeros((1, 2))), (np.ones(2), np.ones(1)), ("relu", "identity"), loss="bce")
    rows = np.random.default_rng(0).random((20, 3))
    [alarm] = monitor(network, [rows + 5], rows)
    assert (alarm.changed, alarm.p_value, alarm.units) == (False, 1.0, ())
