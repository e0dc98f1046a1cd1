"""Tasks of sums for transformers: every row, its answer and its truth; the transformer itself."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from torch.nn import functional

from sculpting import tasks
from sculpting.models.groups import units
from sculpting.tasks.transformer import Attention


def answers(task: tasks.Task, p: int) -> list[list[int]]:
    return task.y.unflatten(1, (-1, p)).argmax(dim=2).tolist()


@pytest.mark.parametrize("p", [2, 3, 5])
def test_every_row_occurs_once_and_has_its_answer(p: int) -> None:
    sums, shared, composed = tasks.two_sums(p), tasks.shared_step(p), tasks.composition(p)
    for task, operands in ((sums, 4), (shared, 4), (composed, 3)):
        assert len({tuple(row) for row in task.x.tolist()}) == len(task.x) == p**operands
        assert task.complete
        assert bool((task.x[:, -1] == p).all())
        assert bool((task.y.unflatten(1, (-1, p)).sum(dim=2) == 1).all())
        assert len(task.input_names) == task.x.shape[1]
        assert len(task.output_names) == task.y.shape[1]
    assert answers(sums, p) == [[(a + b) % p, (c + d) % p] for a, b, c, d, _ in sums.x.tolist()]
    assert answers(shared, p) == [[(a + b) * c % p, (a + b) * d % p] for a, b, c, d, _ in shared.x.tolist()]
    assert answers(composed, p) == [[(a + b) * c % p] for a, b, c, _ in composed.x.tolist()]


@pytest.mark.parametrize("task", [tasks.two_sums(3), tasks.shared_step(3), tasks.composition(3)], ids=lambda task: task.name)
def test_the_truth_says_which_positions_each_answer_depends_on(task: tasks.Task) -> None:
    # Which positions matter is counted on the complete table: two rows that differ there alone, with different answers.
    truth = task.truth(hidden_layers=1)
    rows = {tuple(x): y for x, y in zip(task.x.tolist(), task.y.tolist(), strict=True)}
    changes = [(i, y, rows[(*x[:i], n, *x[i + 1 :])]) for x, y in rows.items() for i in range(len(x) - 1) for n in range(3)]
    for output in range(task.y.shape[1]):
        found = {i for i, y, other in changes if y[output] != other[output]}
        module = next(node for node, facts in truth.nodes(data=True) if output in facts["outputs"])
        assert found == {i for node in {module, *nx.ancestors(truth, module)} for i in truth.nodes[node]["inputs"]}


@pytest.mark.parametrize("p", [1, 18, 2.5, "5"])
def test_a_modulus_out_of_range_is_refused(p: int) -> None:
    with pytest.raises(ValueError, match=r"p must be a whole number of 2 ... 17, which gives at most 100,000 rows; got"):
        tasks.two_sums(p)


@pytest.mark.parametrize("norm", [None, "rms", "layer"])
def test_the_units_of_the_transformer_are_found(norm: str | None) -> None:
    task = tasks.two_sums(3)
    found = units(task.model(norm=norm, width=8, heads=2, neurons=6, layers=2), task.x[:3])
    sizes = {kind: sum(layer.size for layer in found.layers if layer.kind == kind) for kind in {layer.kind for layer in found.layers}}
    assert sizes == {"residual": 8, "query-key": 16, "value": 16, "gate": 4, "neuron": 12, "output": 6}


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_that_of_torch(causal: bool) -> None:
    torch.manual_seed(0)
    attention, stream = Attention(8, 2, causal), torch.randn(3, 5, 8)
    q, k, v = (part(stream).view(3, 5, 2, 4).transpose(1, 2) for part in (attention.q, attention.k, attention.v))
    known = attention.o(functional.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2))
    assert torch.allclose(attention(stream), known, atol=1e-6)


def test_a_transformer_that_cannot_be_is_refused() -> None:
    task = tasks.two_sums(2)
    with pytest.raises(ValueError, match="width must be a multiple of heads; got width 10 and 8 heads"):
        task.model(width=10)
    with pytest.raises(ValueError, match=r"norm must be one of \['layer', 'rms'\], or None; got 'batch'"):
        task.model(norm="batch")
    with pytest.raises(TypeError, match="activation"):
        task.model(activation="relu")


def test_by_group_counts_the_largest_output_of_each_group() -> None:
    y = torch.tensor([[1.0, 0, 0, 0, 1, 0], [0, 0, 1, 1, 0, 0]])
    z = torch.tensor([[-1.0, -2, -3, 5, 4, 0], [0, 0, 1, 9, 8, 7]])
    assert tasks.by_group(z, y, 2).tolist() == [1.0, 0.5]
    assert tasks.by_group(torch.stack([z, y]), y, 2).tolist() == [[1.0, 0.5], [1.0, 1.0]]
    with pytest.raises(ValueError, match="groups must divide the 6 outputs; got 4"):
        tasks.by_group(z, y, 4)
