"""The published truth tables against formulas in plain Python, their ground truth against the paper's criteria, and one's own tasks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sculpting import tasks
from sculpting.tasks import GateGraph, as_task

USES = (2, 4, 8, 12, 16)
Row = tuple[int, ...]


def f(a: int, b: int, c: int, d: int) -> int:
    return int((a, b, c, d) in {(1, 0, 1, 0), (1, 1, 0, 0), (0, 0, 1, 1)})


def g(a: int, b: int, c: int, d: int) -> int:
    return int((a, b, c, d) in {(1, 0, 0, 1), (0, 1, 0, 1), (1, 1, 1, 1)})


def alternate(even: Callable[[Row], int], odd: Callable[[Row], int], k: int) -> Callable[[Row], list[int]]:
    return lambda x: [(even, odd)[i % 2](x) for i in range(k)]


def formulas() -> dict[tuple[int, ...], Callable[[Row], list[int]]]:
    """Every published table, written without gates."""
    tables: dict[tuple[int, ...], Callable[[Row], list[int]]] = {
        (4, 2, 4): lambda x: [x[0] ^ x[1], 1 - (x[0] ^ x[1]), x[2] ^ x[3], 1 - (x[2] ^ x[3])],
        (6, 3, 3, 3): lambda x: [
            x[0] * x[1] or x[2] * x[3],
            x[0] * x[1] or x[4] * x[5],
            x[2] * x[3] or x[4] * x[5],
        ],
        (4, 1, 4): lambda x: [f(*x)] * 4,
    }
    for k in USES:
        tables[4, 1, 2, k] = alternate(
            lambda x: int(x in {(1, 0, 1, 0), (1, 1, 0, 0)}), lambda x: int(x in {(1, 0, 1, 0), (0, 0, 1, 1)}), k
        )
        for n, name in ((8, (8, 2, k)), (7, (7, 3, 2, k)), (6, (6, 3, 2, k)), (5, (5, 3, 2, k)), (4, (4, 1, 2, 2, k))):
            tables[name] = alternate(lambda x: f(*x[:4]), lambda x, n=n: g(*x[n - 4 :]), k)  # type: ignore[misc]
        tables[8, 2, 1, 2, k] = alternate(lambda x: f(*x[:4]) & (1 - g(*x[4:])), lambda x: g(*x[4:]) & (1 - f(*x[:4])), k)
    return tables


def test_there_is_a_formula_for_every_published_task() -> None:
    assert set(formulas()) == set(tasks.boolean_tasks())


@pytest.mark.parametrize("name", tasks.boolean_tasks(), ids=str)
def test_published_tables_equal_formulas_in_plain_python(name: tuple[int, ...]) -> None:
    task, formula = tasks.boolean(name), formulas()[name]
    rows = list(product((0, 1), repeat=name[0]))
    assert task.x.tolist() == [list(row) for row in rows]
    assert task.y.tolist() == [formula(row) for row in rows]
    assert task.complete
    assert task.loss == "bce"


def test_row_counts_of_ones_are_those_that_the_paper_lists() -> None:
    ones = {(4, 2, 4): 8, (6, 3, 3, 3): 28, (4, 1, 4): 3, (4, 1, 2, 16): 2, (8, 2, 8): 48, (7, 3, 2, 8): 24, (6, 3, 2, 8): 12}
    ones |= {(5, 3, 2, 8): 6, (4, 1, 2, 2, 8): 3, (8, 2, 1, 2, 8): 39}
    for name, count in ones.items():
        assert tasks.boolean(name).y.sum(dim=0).tolist() == [count] * name[-1], name


def modules(name: tuple[int, ...], hidden_layers: int) -> set[tuple[Row, Row]]:
    truth = tasks.boolean(name).truth(hidden_layers)
    return {(facts["inputs"], facts["outputs"]) for _, facts in truth.nodes(data=True)}


def groups(k: int) -> tuple[Row, Row]:
    return tuple(range(0, k, 2)), tuple(range(1, k, 2))


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_truth_of_the_exemplars(depth: int) -> None:
    assert modules((4, 2, 4), depth) == {((0, 1), (0, 1)), ((2, 3), (2, 3))}
    assert modules((4, 1, 4), depth) == {((0, 1, 2, 3), (0, 1, 2, 3))}
    assert modules((6, 3, 3, 3), depth) == {((0, 1), ()), ((2, 3), ()), ((4, 5), ()), ((), (0,)), ((), (1,)), ((), (2,))}


@pytest.mark.parametrize("k", USES)
def test_truth_of_the_reuse_and_hierarchy_tasks_shows_as_many_levels_as_fit(k: int) -> None:
    even, odd = groups(k)
    assert modules((4, 1, 2, k), 1) == {((0, 1, 2, 3), tuple(range(k)))}
    for depth in (2, 3):
        assert modules((4, 1, 2, k), depth) == {((0, 1, 2, 3), ()), ((), even), ((), odd)}
    for depth in (1, 2):
        assert modules((8, 2, 1, 2, k), depth) == {((0, 1, 2, 3), ()), ((4, 5, 6, 7), ()), ((), tuple(range(k)))}
    for depth in (3, 4):
        assert modules((8, 2, 1, 2, k), depth) == {((0, 1, 2, 3), ()), ((4, 5, 6, 7), ()), ((), ()), ((), even), ((), odd)}
        assert tasks.boolean((8, 2, 1, 2, k)).truth(depth).number_of_nodes() == 5


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("k", USES)
def test_truth_of_the_overlap_tasks(k: int, depth: int) -> None:
    even, odd = groups(k)
    assert modules((8, 2, k), depth) == {((0, 1, 2, 3), even), ((4, 5, 6, 7), odd)}
    assert modules((4, 1, 2, 2, k), depth) == {((0, 1, 2, 3), ()), ((), even), ((), odd)}
    for n, shared in ((7, (3,)), (6, (2, 3)), (5, (1, 2, 3))):
        private = tuple(range(shared[0])), tuple(range(shared[-1] + 1, n))
        expected = {(private[0], ()), (shared, ()), (private[1], ()), ((), even), ((), odd)}
        assert modules((n, 3, 2, k), depth) == expected


def test_truth_says_what_a_module_computes_and_what_it_reads() -> None:
    truth = tasks.boolean("both").truth(hidden_layers=2)
    functions = {facts["function"] for _, facts in truth.nodes(data=True)}
    assert functions == {"p = x0 & x1", "q = x2 & x3", "r = x4 & x5", "y0 = p | q", "y1 = p | r", "y2 = q | r"}
    by_function = {facts["function"]: node for node, facts in truth.nodes(data=True)}
    reads = {truth.nodes[s]["function"] for s in truth.predecessors(by_function["y1 = p | r"])}
    assert reads == {"p = x0 & x1", "r = x4 & x5"}


@pytest.mark.parametrize("name", [(6, 3, 3, 3), (4, 1, 2, 4), (8, 2, 1, 2, 2)])
def test_truth_carries_the_table_and_its_gates_as_plain_arrays(name: tuple[int, ...]) -> None:
    task = tasks.boolean(name)
    for depth in (1, 3):
        given_along = task.truth(depth).graph
        assert all(type(given_along[part]) is np.ndarray and given_along[part].dtype == np.uint8 for part in ("x", "y"))
        assert given_along["x"].tolist() == task.x.tolist()
        assert given_along["y"].tolist() == task.y.tolist()
        assert list(given_along["gates"]) == list(given_along["users"]) == list(task.gates.gates)  # type: ignore[union-attr]


def test_gates_have_their_bits_and_the_outputs_that_read_them() -> None:
    given_along = tasks.from_gates(
        {"p": "a & b", "q": "p | c", "idle": "a ^ b", "y": "~q", "z": "p"}, inputs=["a", "b", "c"], outputs=["y", "z", "c"]
    ).truth(2)
    gates, users = given_along.graph["gates"], given_along.graph["users"]
    assert {name: bits.tolist() for name, bits in gates.items()} == {
        "p": [0, 0, 0, 0, 0, 0, 1, 1],
        "idle": [0, 0, 1, 1, 1, 1, 0, 0],
        "q": [0, 1, 0, 1, 0, 1, 1, 1],
        "z": [0, 0, 0, 0, 0, 0, 1, 1],
        "y": [1, 0, 1, 0, 1, 0, 0, 0],
    }
    assert users == {"p": (0, 1), "idle": (), "q": (0,), "z": (1,), "y": (0,)}


def test_truth_of_ones_own_gates() -> None:
    chain = tasks.from_gates({"s": "a ^ b ^ c", "t": "d & e", "y": "s & t"})
    assert {(m["inputs"], m["outputs"]) for _, m in chain.truth(3).nodes(data=True)} >= {((3, 4), ())}
    alone = tasks.from_gates({"p": "a & b", "y": "p | c"})  # c is read by the module of y alone, and so belongs to it
    assert [(m["inputs"], m["outputs"]) for _, m in alone.truth(1).nodes(data=True)] == [((0, 1, 2), (0,))]
    unused = tasks.from_gates({"y": "a & b"}, inputs=["a", "b", "idle"])
    assert [m["inputs"] for _, m in unused.truth(1).nodes(data=True)] == [(0, 1)]
    direct = tasks.from_gates({"y": "~a"}, inputs=["a"])
    assert [(m["inputs"], m["outputs"]) for _, m in direct.truth(2).nodes(data=True)] == [((0,), (0,))]


@st.composite
def gate_texts(draw: st.DrawFn) -> tuple[int, dict[str, str]]:
    n = draw(st.integers(1, 5))
    names = [f"x{i}" for i in range(n)]
    gates = {}
    for i in range(draw(st.integers(1, 6))):
        terms = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
        signs = draw(st.lists(st.booleans(), min_size=3, max_size=3))
        operator = draw(st.sampled_from("&|^"))
        text = f" {operator} ".join("~" * s + t for t, s in zip(terms, signs, strict=False))
        gates[f"g{i}"] = f"~({text})" if draw(st.booleans()) else text
        names.append(f"g{i}")
    return n, gates


@settings(max_examples=60, deadline=None)
@given(gate_texts())
def test_truth_tables_equal_python_evaluation_and_truth_graphs_hold_every_output(drawn: tuple[int, dict[str, str]]) -> None:
    n, gates = drawn
    graph = GateGraph.parse(gates, inputs=[f"x{i}" for i in range(n)])
    x, y = graph.truth_table()
    for row, found in zip(product((0, 1), repeat=n), y, strict=True):
        values: dict[str, int] = {f"x{i}": v for i, v in enumerate(row)}
        for name, text in gates.items():
            values[name] = eval(text, {}, values) & 1
        assert found.tolist() == [values[o] for o in graph.outputs]
    assert x.tolist() == [list(row) for row in product((0, 1), repeat=n)]
    for depth in (1, 3):
        truth = tasks.truth_graph(graph, depth)
        outputs = sorted(o for _, facts in truth.nodes(data=True) for o in facts["outputs"])
        inputs = [i for _, facts in truth.nodes(data=True) for i in facts["inputs"]]
        assert outputs == list(range(len(graph.outputs)))
        assert len(set(inputs)) == len(inputs)


def test_twenty_inputs_are_compiled_on_packed_bits() -> None:
    x, y = GateGraph.parse({"y": " ^ ".join(f"x{i}" for i in range(20))}).truth_table()
    assert x.shape == (2**20, 20)
    sample = np.random.default_rng(0).integers(0, 2**20, 50)
    assert (x[sample] @ (1 << np.arange(19, -1, -1)) == sample).all()
    assert (y[:, 0] == x.sum(axis=1) % 2).all()


def test_names_and_texts_address_the_same_task() -> None:
    for name, key in tasks.EXEMPLARS.items():
        for spelling in (name, list(key), str(list(key)), ",".join(map(str, key))):
            assert tasks.boolean(spelling).name == str(list(key))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: tasks.boolean("bothh"), r"no task 'bothh'; the nearest are both"),
        (lambda: tasks.boolean([6, 3, 3, 4]), r"no task \[6, 3, 3, 4\]; the nearest are \[6, 3, 3, 3\]"),
        (lambda: tasks.boolean([]), "no task"),
        (lambda: tasks.boolean(8), "no task 8; the nearest are"),
        (lambda: tasks.from_gates({"y": "a + b"}), r"gate 'y' must be a formula.*got 'a \+ b' \('\+' is none of these\)"),
        (lambda: tasks.from_gates({"y": "a &"}), "must be a formula"),
        (lambda: tasks.from_gates({"p": "q & a", "q": "p | a"}), "cycle"),
        (lambda: tasks.from_gates({"y": "~z", "z": "~y"}), r"gates must not form a cycle; got one among \['y', 'z'\]"),
        (lambda: tasks.from_gates({"y": "a & b"}, inputs=["a"]), "every name must be an input or a gate; got 'b'"),
        (lambda: tasks.from_gates({"y": "a & b"}, outputs=["z"]), "got 'z'"),
        (lambda: tasks.from_gates({"a": "a0 & b"}, inputs=["a", "a0", "b"]), "different names"),
        (lambda: tasks.from_gates({"y": " & ".join(f"x{i}" for i in range(21))}), "1 to 20 inputs; got 21"),
        (lambda: tasks.from_gates({}), "1 to 20 inputs; got 0"),
        (lambda: tasks.boolean("both").truth(0), "hidden_layers must be a whole number of at least 1; got 0"),
        (lambda: tasks.from_table([[0, 0], [0, 1]], [0, 1]).truth(1), "each of the 2\\*\\*2 input rows once; got 2"),
        (lambda: tasks.from_table([[0], [1]], [0, 1]).truth(1), "structure of task 'table' is not known. Build it"),
        (lambda: tasks.boolean("both").model(width=0), "at least one hidden layer of at least one unit"),
        (lambda: tasks.boolean("both").model(activation="step"), r"activation must be one of \['clipped_relu', .*; got 'step'"),
    ],
)
def test_bad_tasks_get_one_clear_error(call: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_names_of_gates_are_read_as_python_reads_them() -> None:
    micro, mu = "\u00b5", "\u03bc"  # the micro sign and the letter, which Python reads as one name
    task = tasks.from_gates({micro: "  a & b", "y": f"{micro} | {mu} & c"}, inputs=["c", "b", "a"])
    assert (task.input_names, task.output_names) == (("c", "b", "a"), ("y",))
    assert task.y.flatten().tolist() == [0, 0, 0, 1, 0, 0, 0, 1]


class Frame:
    """Like a data frame: an array with names of columns."""

    def __init__(self, values: torch.Tensor, columns: list[Any]) -> None:
        self.values, self.columns = values.numpy(), columns

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values


def test_columns_of_data_frames_are_names() -> None:
    x, y = torch.randn(30, 3), torch.randint(0, 2, (30, 1))
    task = as_task((Frame(x, ["age", 2, "sex"]), Frame(y, ["ill"])))
    assert (task.input_names, task.output_names) == (("age", "2", "sex"), ("ill",))
    assert as_task((Frame(x, ["a", "a", "b"]), y)).input_names == ()
    assert as_task((x, Frame(y[:, 0], ["class"]))).output_names == ()  # two classes, one column


def test_columns_of_a_validation_are_those_of_the_data() -> None:
    x, y = torch.randn(30, 3), torch.randint(0, 2, (30, 1))
    data = Frame(x, ["age", "size", "sex"]), Frame(y, ["ill"])
    assert as_task(data, validation=(Frame(x, ["age", "size", "sex"]), y)).input_names == ("age", "size", "sex")
    with pytest.raises(ValueError, match=r"validation must have the columns of the data, in their order, \['age', 'size', 'sex'\]; got"):
        as_task(data, validation=(Frame(x, ["sex", "size", "age"]), y))
    with pytest.raises(ValueError, match=r"validation must have the columns of the data, in their order, \['ill'\]; got \['well'\]"):
        as_task(data, validation=(x, Frame(y, ["well"])))


X, Y = torch.rand(6, 2), torch.eye(2).repeat(3, 1)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((X, Y, "hinge", X, Y), r"loss must be one of \['bce', 'ce', 'mse'\]; got 'hinge'"),
        (
            (X.double(), Y, "bce", X, Y),
            r"x of a Task must be a float32 tensor of rows and columns; got torch.float64 of shape \(6, 2\). Pass \(x, y\) for other data",
        ),
        ((X, Y.numpy(), "bce", X, Y), "y of a Task must be a float32 tensor of rows and columns; got ndarray"),
        ((X, Y[:, 0], "bce", X, Y), r"y of a Task must be a float32 tensor of rows and columns; got torch.float32 of shape \(6,\)"),
        ((X, Y, "bce", X[:0], Y[:0]), r"x_validation of a Task must be a float32 tensor .*; got torch.float32 of shape \(0, 2\)"),
        ((X, Y, "bce", X[:, :1], Y), "x_validation of a Task must have 2 columns, as x has; got 1"),
        ((X, Y, "bce", X, Y[:, :1]), "y_validation of a Task must have 2 columns, as y has; got 1"),
        ((X / 0, Y, "mse", X, Y), "x of a Task must be finite; got 12 NaN or infinite values"),
        ((X, Y, "mse", X, Y * torch.nan), "y_validation of a Task must be finite; got 12 NaN"),
        ((X, 3 * Y, "ce", X, Y), "y of a Task must be 0 and 1 for loss 'ce', a column for each bit or class"),
        ((X[:4], Y, "bce", X, Y), "x and y of a Task must have as many rows; got 4 and 6"),
    ],
)
def test_a_task_checks_its_parts(parts: tuple[Any, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tasks.Task(*parts)
    with pytest.raises(ValueError, match="x_test and y_test of a Task must have as many rows; got 5 and 6"):
        tasks.Task(X, Y, "bce", X, Y, x_test=X[:5], y_test=Y)


def test_seeds_and_names_are_compared_by_value() -> None:
    assert torch.equal(tasks.cmsp(4, 4, n=64, rows=50, seed=1).x, tasks.cmsp(4, 4, n=64, rows=50, seed=np.int64(1)).x)
    for seed in (1.0, "1", None, True):
        with pytest.raises(ValueError, match=f"seed must be a whole number of at least 0; got {seed!r}"):
            tasks.cmsp(4, 4, n=64, rows=50, seed=seed)
    with pytest.raises(ValueError, match="m must be a whole number of at least 1; got True"):
        tasks.cmsp(True, 2)
    assert tasks.boolean(np.array([6, 3, 3, 3])).name == tasks.named(" both ").name == "[6, 3, 3, 3]"
    with pytest.raises(ValueError, match=r"gates must have different names, also after Python's normalization of names \(NFKC\); got"):
        tasks.from_gates({"\ufb01": "a & b", "fi": "a | b"})


def test_unsigned_classes_are_classes() -> None:
    task = as_task((torch.randn(6, 2), np.array([0, 1, 2, 0, 1, 2], dtype=np.uint16)), outputs=3, validation=0.5)
    assert task.loss == "ce"


def test_the_best_constant_prediction_reaches_the_share_of_the_most_frequent_value() -> None:
    y = torch.tensor([[0, 1], [0, 1], [1, 1], [0, 0]])
    assert as_task((torch.randn(4, 2), y), validation=(torch.randn(4, 2), y)).constant_accuracy() == 0.75
    classes = torch.tensor([2, 2, 0, 1, 2])
    assert as_task((torch.randn(5, 2), classes), validation=(torch.randn(5, 2), classes)).constant_accuracy() == pytest.approx(0.6)
    assert as_task((torch.randn(5, 2), torch.randn(5)), validation=0.4).constant_accuracy() == 0.0


def test_any_data_becomes_a_task() -> None:
    x, y = torch.randn(30, 3), torch.randint(0, 2, (30, 2))
    forms = [(x, y), [x.numpy(), y.numpy()], (x.tolist(), y.tolist()), TensorDataset(x, y), DataLoader(TensorDataset(x, y), batch_size=7)]
    for data in forms:
        task = as_task(data)
        assert (task.loss, len(task.x), len(task.x_validation), len(task.x_test)) == ("bce", 18, 6, 6)
        torch.testing.assert_close(torch.cat([task.x, task.x_validation, task.x_test]).sort(dim=0).values, x.sort(dim=0).values)
        assert not task.complete
    assert as_task((x, y), seed=1).x_validation.tolist() != as_task((x, y), seed=2).x_validation.tolist()
    task = as_task((x, y), validation=(x[:4], y[:4]))
    assert (len(task.x), len(task.x_validation), task.x_test) == (30, 4, None)
    assert as_task((x, y), test=0).x_test is None
    task = as_task((x, y), test=(x[:5], y[:5]), validation=0.1)
    assert (len(task.x), len(task.x_validation), len(task.x_test)) == (27, 3, 5)


@pytest.mark.parametrize(
    ("y", "outputs", "loss"),
    [
        (torch.tensor([0, 1, 2, 1]), 3, "ce"),
        (torch.tensor([0, 1, 1, 1]), 2, "ce"),
        (torch.tensor([0, 1, 1, 1]), 1, "bce"),
        (torch.tensor([True, False, True, True]), 1, "bce"),
        (torch.tensor([[0, 1], [1, 0], [1, 1], [0, 0]]), 2, "bce"),
        (torch.tensor([0.5, 1.0, -2.0, 1.0]), 1, "mse"),
        (torch.tensor([[0.0, 1.0], [1.0, 1.5], [1.0, 1.0], [0.0, 0.0]]), 2, "mse"),
    ],
)
def test_the_loss_follows_the_targets(y: torch.Tensor, outputs: int, loss: str) -> None:
    task = as_task((torch.randn(4, 2), y), outputs=outputs, validation=0.5, test=0)
    assert task.loss == loss
    assert task.y.shape == (2, outputs)


def test_a_complete_table_is_recognised_and_used_whole() -> None:
    x = torch.tensor(list(product((-1.0, 1.0), repeat=3)))[torch.randperm(8, generator=torch.Generator().manual_seed(0))]
    whole = as_task((x, (x[:, 0] > 0).float()))
    assert whole.complete
    assert len(whole.x_validation) == 8
    assert whole.training.input_noise > 0
    assert whole.training.hidden_noise > 0
    classes = as_task((x, (x[:, 0] > 0).long()), outputs=2)
    assert (classes.loss, classes.complete, len(classes.x_validation), classes.schedule.edge_score) == ("ce", True, 8, "ablation")
    assert not as_task((x, torch.randn(8))).complete
    twice = torch.cat([x[:7], x[:1]])
    assert not as_task((twice, (twice[:, 0] > 0).float())).complete
    assert not as_task((x, (x[:, 0] > 0).float()), validation=0.25).complete
    constant = x.clone()
    constant[:, 1] = 1.0
    assert not as_task((constant, (x[:, 0] > 0).float())).complete


def test_truth_tables_have_noise_and_models_the_activation_of_the_task() -> None:
    x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    table, some = as_task((x, x[:, :1])), as_task((x[:3], x[:3, :1]), validation=1 / 3, test=0)
    assert [type(task.model(4, 1)[1]) for task in (tasks.boolean("both"), table, some)] == [nn.Hardtanh, nn.Hardtanh, nn.ReLU]
    bounded = table.model(4, 1)[1]
    assert (bounded.min_val, bounded.max_val) == (0.0, 1.0)
    assert isinstance(table.model(4, 1, activation="relu")[1], nn.ReLU)
    assert isinstance(tasks.cmsp(2, 2).model(4, 1)[1], nn.Hardtanh)
    assert isinstance(tasks.cmsp(2, 2).model(4, 1, activation="tanh")[1], nn.Tanh)
    assert [(task.training.input_noise, task.training.hidden_noise) for task in (some, table)] == [(0.1, 0.0), (0.1, 0.3)]
    assert [task.schedule.edge_score for task in (some, table, tasks.boolean("both"))] == ["magnitude", "ablation", "ablation"]
