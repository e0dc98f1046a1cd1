"""Compositional multitask sparse parity: rows against plain loops, what a draw depends on, scores by code, sculpting and errors."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from parities import TWO_TRIPLES, parity
from torch import Tensor

from analysis import compare, detect_modules
from sculpting import sculpt, tasks
from sculpting.losses import LOSSES
from sculpting.randomness import bits, fold, keys

Code = tuple[int, ...]
CASES: list[dict[str, Any]] = [
    {"m": 2, "k": 2},
    {"m": 3, "k": 2},
    {"m": 2, "k": 3, "n": 8},
    {"m": 1, "k": 3, "n": 5},
    {"m": 3, "k": 1, "n": 4, "codes": [[2, 0], [1], [0, 1, 2]]},
]


def usual_codes(m: int) -> list[Code]:
    return [(i,) for i in range(m)] + ([tuple(range(m))] if m > 1 else [])


def codes_in(case: dict[str, Any]) -> list[Code]:
    return [tuple(sorted(code)) for code in case.get("codes", usual_codes(case["m"]))]


def check_rows(x: Tensor, y: Tensor, case: dict[str, Any], each: bool) -> list[Code]:
    """Refuse a wrong target; the codes that the rows are of."""
    m, k, codes = case["m"], case["k"], codes_in(case)
    shown = []
    for row, target in zip(x.tolist(), y.tolist(), strict=True):
        if each:
            assert target == [parity(row, code, k) for code in codes]
        else:
            shown.append(tuple(i for i in range(m) if row[i] == 1))
            assert target == [parity(row[m:], shown[-1], k)]
    assert set(shown) <= set(codes)
    return shown


def rows_of(task: tasks.Task, key: Tensor, step: int, rows: int) -> tuple[Tensor, Tensor]:
    assert task.sample is not None
    return task.sample(key, step, rows)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_tables_with_one_output_hold_every_code_with_every_combination_of_task_bits(case: dict[str, Any]) -> None:
    task, m, n = tasks.cmsp(**case), case["m"], case.get("n", case["m"] * case["k"])
    expected = []
    for code in codes_in(case):
        for row in product((0.0, 1.0), repeat=n):
            expected.append([float(i in code) for i in range(m)] + list(row))
    assert task.x.tolist() == expected
    assert set(Counter(check_rows(task.x, task.y, case, each=False)).values()) == {2**n}
    assert task.output_names == ("parity",)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_tables_with_an_output_for_each_code_have_no_control_bits(case: dict[str, Any]) -> None:
    task, n = tasks.cmsp(**case, outputs="each"), case.get("n", case["m"] * case["k"])
    assert task.x.tolist() == [list(row) for row in product((0.0, 1.0), repeat=n)]
    check_rows(task.x, task.y, case, each=True)
    assert task.output_names == tuple("+".join(map(str, code)) for code in codes_in(case))


@pytest.mark.parametrize("outputs", ["one", "each"])
def test_a_table_is_a_table_and_a_sample_is_none(outputs: str) -> None:
    table, sample = tasks.cmsp(2, 2, outputs=outputs), tasks.cmsp(2, 2, outputs=outputs, rows=30)
    for task in (table, sample):
        assert task.x.dtype == task.y.dtype == torch.float32
        assert task.x.is_contiguous()
        assert task.loss == "bce"
    assert table.complete
    assert table.training == sample.training
    assert (table.training.steps, table.training.input_noise, table.training.hidden_noise) == (300, 0.1, 0.3)
    assert table.x_validation is table.x
    assert table.x_test is None
    assert not sample.complete
    assert sample.x_test is not None
    assert len(sample.x) == len(sample.x_validation) == len(sample.x_test) == 30


def test_tables_end_at_twenty_inputs() -> None:
    assert tasks.cmsp(2, 2, n=11, outputs="each").complete
    assert tasks.cmsp(1, 1, n=19, codes=[[0]]).complete
    for task, rows in ((tasks.cmsp(2, 2, n=19), 6000), (tasks.cmsp(4, 4, n=64), 10_000), (tasks.cmsp(2, 2, n=21, outputs="each"), 2000)):
        assert not task.complete
        assert len(task.x) == rows


def test_names_say_what_each_input_is() -> None:
    task = tasks.cmsp(2, 2, n=6)
    assert task.input_names == ("c0", "c1", "b0_0", "b0_1", "b1_0", "b1_1", "d0", "d1")
    assert tasks.cmsp(2, 2, n=6, outputs="each").input_names == task.input_names[2:]
    assert (task.name, tasks.cmsp(3, 2).name) == ("cmsp:m=2,k=2,n=6", "cmsp:m=3,k=2")
    assert tasks.cmsp(2, 1, codes=[[1], [1, 0]], outputs="each").name == "cmsp:m=2,k=1,codes=1|0+1,outputs=each"


def test_each_bit_counts_in_its_own_block_alone() -> None:
    task = tasks.cmsp(3, 2, n=7)
    table = {tuple(row): target for row, (target,) in zip(task.x.tolist(), task.y.tolist(), strict=True)}
    for row, target in table.items():
        for bit in range(7):
            changed = [*row[: 3 + bit], 1 - row[3 + bit], *row[4 + bit :]]
            named = bit < 6 and row[bit // 2] == 1
            assert (table[tuple(changed)] != target) == named


@pytest.mark.parametrize("outputs", ["one", "each"])
@pytest.mark.parametrize("case", [{"m": 4, "k": 4, "n": 64}, {"m": 6, "k": 3, "codes": TWO_TRIPLES}], ids=str)
def test_fixed_samples_follow_the_definition_and_differ(case: dict[str, Any], outputs: str) -> None:
    task = tasks.cmsp(**case, outputs=outputs, rows=301)
    assert task.x_test is not None
    assert task.y_test is not None
    parts = [(task.x, task.y), (task.x_validation, task.y_validation), (task.x_test, task.y_test)]
    for x, y in parts:
        counts = Counter(check_rows(x, y, case, outputs == "each")).values()
        assert outputs == "each" or (len(counts) == len(codes_in(case)) and max(counts) - min(counts) == 1)
        assert 0.4 < float(y.mean()) < 0.6
    bits_of = [x[:, -case["m"] * case["k"] :] for x, _ in parts]
    assert not any(torch.equal(a, b) for a, b in combinations(bits_of, 2))
    again, other = (tasks.cmsp(**case, outputs=outputs, rows=301, seed=seed) for seed in (0, 1))
    assert torch.equal(again.x, task.x)
    assert torch.equal(again.x_validation, task.x_validation)
    assert not torch.equal(other.x, task.x)
    assert not torch.equal(other.x_validation, task.x_validation)


@settings(max_examples=30, deadline=None)
@given(
    m=st.integers(1, 4), k=st.integers(1, 3), spare=st.integers(0, 2), rows=st.integers(1, 40), step=st.integers(0, 10**6), data=st.data()
)
def test_fresh_rows_follow_the_definition(m: int, k: int, spare: int, rows: int, step: int, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.sets(st.integers(0, m - 1), min_size=1), min_size=1, max_size=5, unique_by=lambda c: tuple(sorted(c))))
    case = {"m": m, "k": k, "n": m * k + spare, "codes": [list(code) for code in codes]}
    for outputs in ("one", "each"):
        task = tasks.cmsp(**case, outputs=outputs, rows=9)
        x, y = rows_of(task, keys(["a", "b"]), step, rows)
        assert x.shape == (2, task.x.shape[1], rows)
        assert y.shape == (2, task.y.shape[1], rows)
        assert x.dtype == y.dtype == torch.float32
        for member in range(2):
            shown = Counter(check_rows(x[member].t(), y[member].t(), case, outputs == "each"))
            if outputs == "one":
                often = [shown[tuple(sorted(code))] for code in codes]
                assert max(often) - min(often) <= 1


@pytest.mark.parametrize("outputs", ["one", "each"])
@pytest.mark.parametrize("rows", [None, 50])
def test_what_a_member_gets_depends_on_its_key_the_step_and_the_rows(outputs: str, rows: int | None) -> None:
    task = tasks.cmsp(2, 3, outputs=outputs, rows=rows)
    before = torch.random.get_rng_state()
    alone, target = rows_of(task, keys(["mine"]), 7, 100)
    for place in (0, 3):
        names = ["a", "b", "c", "d"]
        names.insert(place, "mine")
        x, y = rows_of(task, keys(names), 7, 100)
        assert torch.equal(x[place], alone[0])
        assert torch.equal(y[place], target[0])
        assert not any(torch.equal(x[a], x[b]) for a, b in combinations(range(5), 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    free = slice(-6, None)
    assert torch.equal(rows_of(task, keys(["mine"]), 7, 100)[0], alone)
    assert not torch.equal(rows_of(task, keys(["mine"]), 8, 100)[0][:, free], alone[:, free])
    again = pickle.loads(pickle.dumps(task.sample))(keys(["mine"]), 7, 100)[0]
    assert torch.equal(again, alone)


def test_over_steps_no_code_comes_first_more_often() -> None:
    task = tasks.cmsp(3, 1, rows=8)  # four codes
    counts = Counter()  # type: ignore[var-annotated]
    for step in range(4):
        x, _ = rows_of(task, keys([0]), step, 7)
        counts.update(tuple(column) for column in x[0, :3].t().tolist())
    assert sorted(counts.values()) == [7] * 4


def test_task_bits_are_fair_and_independent_of_one_another_of_members_and_of_steps() -> None:
    task = tasks.cmsp(2, 2, n=8)
    drawn = torch.cat([rows_of(task, keys(range(3)), step, 4096)[0][:, 2:].flatten(0, 1) for step in (0, 1, 2)]).numpy()
    assert np.abs(drawn.mean(axis=1) - 0.5).max() < 5 * 0.5 / 64
    off = np.corrcoef(drawn)[~np.eye(len(drawn), dtype=bool)]
    assert np.abs(off).max() < 5.5 / 64
    patterns = np.bincount((drawn[:8].T @ 2 ** np.arange(8)).astype(int), minlength=256)
    assert ((patterns - 16) ** 2 / 16).sum() < 255 + 5 * math.sqrt(2 * 255)


def test_bits_are_fair_at_every_place_of_a_hash() -> None:
    drawn = bits(keys(range(64)), 32 * 512).view(-1, 32)
    assert drawn.dtype == torch.float32
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert (drawn.mean(dim=0) - 0.5).abs().max() < 5 * 0.5 / math.sqrt(len(drawn))
    off = np.corrcoef(drawn.numpy().T)[~np.eye(32, dtype=bool)]
    assert np.abs(off).max() < 5.5 / math.sqrt(len(drawn))
    assert bits(keys([0]), 33).shape == (1, 33)
    assert torch.equal(bits(keys([1, 0]), 9)[1], bits(keys([0]), 9)[0])
    assert not torch.equal(bits(fold(keys([0]), 1), 64), bits(keys([0]), 64))


def test_losses_are_in_bits_and_chance_is_one() -> None:
    task = tasks.cmsp(2, 2)
    codes, code = tasks.codes_of(task.x, m=2)
    assert codes == ((0,), (1,), (0, 1))
    assert code.tolist() == [0] * 16 + [1] * 16 + [2] * 16
    loss, accuracy = tasks.by_code(torch.zeros(5, 1, 48), task.y.t(), code)
    assert loss.shape == accuracy.shape == (5, 3)
    assert loss.tolist() == [[1.0] * 3] * 5
    assert accuracy.tolist() == [[0.5] * 3] * 5


def test_each_code_has_its_own_loss_and_accuracy() -> None:
    task = tasks.cmsp(2, 2)
    codes, code = tasks.codes_of(task.x, m=2)
    sure = torch.tensor([math.log(3), 50.0, -math.log(7)])  # probabilities 3/4, 1 and 1/8 of the right bit
    z = (2 * task.y - 1).t() * sure[code]
    loss, accuracy = tasks.by_code(torch.stack([z, -z]), task.y.t(), code)
    np.testing.assert_allclose(loss[0], [-math.log2(3 / 4), 0, 3], atol=1e-6)
    np.testing.assert_allclose(loss[1], [2, 50 / math.log(2), -math.log2(7 / 8)], rtol=1e-6)
    assert accuracy.tolist() == [[1, 1, 0], [0, 0, 1]]
    shuffled = torch.randperm(48, generator=torch.Generator().manual_seed(0))
    other, again = tasks.codes_of(task.x[shuffled], m=2)
    assert other == codes
    torch.testing.assert_close(tasks.by_code(z[:, shuffled], task.y.t()[:, shuffled], again)[0], loss[0])


def test_where_every_output_is_a_code_its_loss_is_that_of_the_output() -> None:
    task = tasks.cmsp(2, 2, outputs="each")
    z = torch.randn(4, 3, 16, generator=torch.Generator().manual_seed(1))
    loss, accuracy = tasks.by_code(z, task.y.t())
    assert loss.shape == (4, 3)
    torch.testing.assert_close(loss.mean(dim=1).float() * math.log(2), LOSSES["bce"].mean(z, task.y.t()))
    torch.testing.assert_close(accuracy.mean(dim=1), LOSSES["bce"].accuracy(z, task.y.t()))
    one = z[:, :1]
    torch.testing.assert_close(tasks.by_code(one, task.y.t()[:1])[0], tasks.by_code(one, task.y.t()[:1], torch.zeros(16).long())[0])


def test_codes_that_no_row_is_of_have_no_score_and_smaller_codes_come_first() -> None:
    loss, accuracy = tasks.by_code(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0, 2]))
    assert loss.isnan().tolist() == accuracy.isnan().tolist() == [False, True, False]
    shown = [(1,), (0, 1, 2), (2,), (1, 2), (0,), (0, 2), (0, 1), (2,)]
    x = torch.tensor([[*(float(i in code) for i in range(3)), 1.0] for code in shown])
    codes, code = tasks.codes_of(x, m=3)
    assert codes == ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
    assert [codes[place] for place in code.tolist()] == shown
    assert tasks.codes_of(x[3:4], m=3)[0] == ((1, 2),)


def test_scores_refuse_codes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"a code for each of the 5 rows of one output; got shape \(4,\) and 1 outputs"):
        tasks.by_code(torch.zeros(1, 5), torch.zeros(1, 5), torch.zeros(4))
    with pytest.raises(ValueError, match=r"got shape \(5,\) and 2 outputs\. Leave it out where every output is a code"):
        tasks.by_code(torch.zeros(2, 5), torch.zeros(2, 5), torch.zeros(5))


@pytest.mark.parametrize("outputs", ["one", "each"])
@pytest.mark.parametrize("rows", [None, 60])
def test_it_is_sculpted_and_compared(outputs: str, rows: int | None) -> None:
    task = tasks.cmsp(2, 2, n=5, outputs=outputs, rows=rows)
    model = task.model(width=6, hidden_layers=2)
    result = sculpt(model, task, seeds=1, min_accuracy=0.4, unit_steps=[0.5], edge_steps=[], steps=5, progress=False)
    assert result.network is not None
    hierarchy = detect_modules(result.network)
    assert hierarchy.graph.input_names == task.input_names
    comparison = compare(hierarchy, task.truth(hidden_layers=2))
    assert (comparison.valid is None) == (outputs == "one")
    if rows is None:
        missed = sculpt(model, task, seeds=1, unit_steps=[0.5], edge_steps=[], steps=1, progress=False)
        assert missed.min_accuracy == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"m": 0, "k": 2}, "m must be a whole number of at least 1; got 0"),
        ({"m": 2.0, "k": 2}, r"m must be a whole number of at least 1; got 2\.0"),
        ({"m": 2, "k": -1}, "k must be a whole number of at least 1; got -1"),
        ({"m": 2, "k": 2, "n": 0}, "n must be a whole number of at least 1; got 0"),
        ({"m": 2, "k": 3, "n": 5}, r"n must be at least m \* k = 6, 3 bits for each of 2 atomic tasks; got 5"),
        ({"m": 2, "k": 2, "codes": []}, r"different sets of atomic tasks, at least one, such as .* got \[\]"),
        ({"m": 2, "k": 2, "codes": 3}, "different sets of atomic tasks, at least one, such as .* got 3"),
        ({"m": 2, "k": 2, "codes": [[0, 1], [0], [1, 0]]}, r"different sets of atomic tasks.* got \[0, 1\] more than once"),
        ({"m": 2, "k": 2, "codes": [[0], []]}, r"at least one of the atomic tasks 0\.\.\.1, such as \[0\] or \[0, 1\]; got \[\]"),
        ({"m": 2, "k": 2, "codes": [[0], [0, 2]]}, r"atomic tasks 0\.\.\.1.*; got \[0, 2\]"),
        ({"m": 2, "k": 2, "codes": [[-1]]}, r"atomic tasks 0\.\.\.1.*; got \[-1\]"),
        ({"m": 2, "k": 2, "codes": [[0, 0]]}, r"a code must be a set.*; got \[0, 0\]"),
        ({"m": 2, "k": 2, "codes": [0, 1]}, "a code must be a set.*; got 0"),
        ({"m": 2, "k": 2, "codes": ["01"]}, "a code must be a set.*; got '01'"),
        ({"m": 2, "k": 2, "outputs": "two"}, "outputs must be 'one', or 'each' for one output per code; got 'two'"),
        ({"m": 2, "k": 2, "rows": 2}, "rows must be a whole number of at least 3, so that every code has a row; got 2"),
        ({"m": 2, "k": 2, "rows": 12.0}, r"rows must be a whole number of at least 3.*; got 12\.0"),
        ({"m": 2, "k": 2, "rows": 0, "outputs": "each"}, "rows must be a whole number of at least 1.*; got 0"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tasks.cmsp(**arguments)


def test_codes_may_be_any_sets_and_keep_their_order() -> None:
    task = tasks.cmsp(2, 1, codes=iter([{1, 0}, frozenset({1})]))
    assert task.x[:, :2].tolist() == [[1, 1]] * 4 + [[0, 1]] * 4
    assert len(tasks.cmsp(2, 1, rows=1, outputs="each").x) == 1
    assert len(tasks.cmsp(2, 1, rows=3).x) == 3
