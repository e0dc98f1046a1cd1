"""A task: inputs, targets, loss, what counts as held out, and, where it is known, the ground truth.

S = rows, n = inputs, k = outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from .gates import GateGraph
from .truth import truth_graph

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Task", "as_task", "from_gates", "from_table"]


class Setting(TypedDict, total=False):
    """The noises of a ``Task``, the activation of its models, and how their edges are scored."""

    input_noise: float
    hidden_noise: float
    activation: str
    edge_score: str


# Of a complete truth table; docs/default-setting.md has the reasons.
TABLE: Setting = {"input_noise": 0.1, "hidden_noise": 0.3, "activation": "clipped_relu", "edge_score": "ablation"}


@dataclass(frozen=True, eq=False)
class Task:
    """What a network is to compute.

    Attributes
    ----------
    x : Tensor of shape (S, n), float32
    y : Tensor of shape (S, k), float32
        Bits for ``"bce"``, one-hot classes for ``"ce"``, real values for ``"mse"``.
    loss : {"bce", "ce", "mse"}
    x_check, y_check : Tensor
        The rows that decide whether a pruned network is accepted; the whole table where it is complete.
    complete : bool
        Whether ``x`` holds every row that the task has, as a truth table does, so that there is nothing to hold out.
    name : str
    input_names, output_names : tuple of str
    input_noise : float
        Standard deviation of the noise on the inputs in training.
    hidden_noise : float
        That of the noise on the sums of hidden units.
    activation : str
        Of the hidden units of ``model()``.
    edge_score : str
        What ``sculpt`` prunes edges by, unless it is told.
    gates : GateGraph or None
    x_test, y_test : Tensor or None
        Rows that nothing is decided on, where the task brings some. They are drawn together with the others so that none can be in both.
    labels_test : Tensor or None
        What each row of ``x_test`` was made of, where ``y_test`` may not tell it: of two digits the left and the right one, int64 of
        shape (S, 2).
    structure : function of the number of hidden layers that returns a networkx.DiGraph, or None
        The ground truth of a task that is not made of gates.
    sample : function of (key, step, rows), or None
        Fresh rows at every step: from keys ``(N, 2)``, the number of a step and how many rows, ``x`` of shape ``(N, n, rows)`` and ``y`` of
        shape ``(N, k, rows)``, float32, on the device of the keys. What a member gets depends on its key, the step and ``rows`` alone.
    image : (int, int) or None
        Height and width of the image whose pixels the inputs are, row by row from the top left.
    """

    x: Tensor
    y: Tensor
    loss: str
    x_check: Tensor
    y_check: Tensor
    complete: bool = False
    name: str = "data"
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    input_noise: float = 0.0
    hidden_noise: float = 0.0
    activation: str = "relu"
    edge_score: str = "magnitude"
    gates: GateGraph | None = None
    x_test: Tensor | None = None
    y_test: Tensor | None = None
    labels_test: Tensor | None = None
    structure: Callable[[int], nx.DiGraph] | None = None
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]] | None = None
    image: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"Task({self.name}: {self.x.shape[0]} rows, {self.x.shape[1]} inputs, {self.y.shape[1]} outputs, {self.loss})"

    def model(self, width: int | Sequence[int] = 24, hidden_layers: int = 2, *, activation: str | None = None) -> nn.Sequential:
        """An untrained multilayer perceptron for this task; its weights are zero until ``sculpt`` draws them.

        Parameters
        ----------
        width : int or sequence of int
            Units in every hidden layer, or in each.
        hidden_layers : int
            How many, when ``width`` is one number.
        activation : str, optional
            Of the hidden units, one of :data:`~sculpting.activations.ACTIVATIONS`; that of the task when left out, ``"relu"`` as published
            unless the task says otherwise. With ``"clipped_relu"``, ``max(0, min(1, z))``, a unit can carry one bit through noise but not
            two, as the short cuts of ReLU networks do.

        Raises
        ------
        ValueError
            When a width is below 1 or the activation is not known.

        Examples
        --------
        >>> len(from_gates({"y": "a & b"}).model(width=4, hidden_layers=1))
        3
        """
        hidden = [int(width)] * hidden_layers if isinstance(width, Integral) else [int(each) for each in width]  # type: ignore[union-attr]
        if not hidden or min(hidden) < 1:
            raise ValueError(f"a model must have at least one hidden layer of at least one unit; got widths {hidden}")
        activation = self.activation if activation is None else activation
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}; got {activation!r}")
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise([self.x.shape[1], *hidden, self.y.shape[1]]):
            layers += [torch.nn.utils.skip_init(nn.Linear, n_in, n_out), ACTIVATIONS[activation].module()]
        for parameter in nn.ModuleList(layers).parameters():
            nn.init.zeros_(parameter)
        return nn.Sequential(*layers[:-1])

    def constant_accuracy(self) -> float:
        """What the best constant answer reaches on the rows that decide acceptance: see ``sculpt`` for what accuracy means.

        Examples
        --------
        >>> from_gates({"y": "a & b"}).constant_accuracy()
        0.75
        """
        if self.loss == "mse":
            return 0.0
        shares = self.y_check.double().mean(dim=0)
        return float(shares.max() if self.loss == "ce" else torch.maximum(shares, 1 - shares).mean())

    def truth(self, hidden_layers: int) -> nx.DiGraph:
        """The modules of the task that a network with so many hidden layers can show; of gates with the truth table, see ``truth_graph``.

        Raises
        ------
        ValueError
            When the task was made of neither gates nor a ``structure``, so that its structure is not known.
        """
        if self.gates is not None:
            return truth_graph(self.gates, hidden_layers)
        if self.structure is None:
            raise ValueError(f"the structure of task {self.name!r} is not known: build it with tasks.from_gates to have a ground truth")
        return self.structure(hidden_layers)


def from_gates(
    gates: GateGraph | Mapping[str, str],
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    name: str = "gates",
) -> Task:
    """The task of computing a gate graph: its complete truth table and its ground truth.

    Parameters
    ----------
    gates : mapping of gate name to formula
        Formulas over inputs and gates with ``&``, ``|``, ``^``, ``~`` and parentheses.
    inputs, outputs : sequence of str, optional
        As in ``GateGraph.parse``.
    name : str

    Examples
    --------
    >>> task = from_gates({"p": "a & b", "q": "c & d", "either": "p | q"})
    >>> task.x.shape, task.output_names
    (torch.Size([16, 4]), ('either',))
    """
    graph = gates if isinstance(gates, GateGraph) else GateGraph.parse(gates, inputs, outputs)
    x, y = (torch.from_numpy(a.astype(np.float32)) for a in graph.truth_table())
    return Task(x, y, "bce", x, y, True, name, graph.inputs, graph.outputs, gates=graph, **TABLE)


def from_table(x: Any, y: Any, *, name: str = "table") -> Task:
    """The task of computing a truth table given as arrays.

    Parameters
    ----------
    x : array of shape (S, n)
    y : array of shape (S,) or (S, k), of 0 and 1
    name : str

    Raises
    ------
    ValueError
        When the table is not one row for each combination of the inputs' two values.

    Examples
    --------
    >>> from_table([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]).complete
    True
    """
    task = as_task((x, y), loss="bce", validation=(x, y), name=name)
    if not _is_table(task.x):
        raise ValueError(
            f"a truth table must hold each of the 2**{task.x.shape[1]} input rows once; got {len(task.x)} rows of {task.x.shape[1]} inputs"
        )
    return replace(task, complete=True)


def as_task(
    data: Any, *, loss: str | None = None, validation: Any = None, seed: int = 0, outputs: int | None = None, name: str = "data"
) -> Task:
    """Any data as a task; a task is handed through.

    Parameters
    ----------
    data : Task, pair (x, y) of tensors or arrays, TensorDataset, or DataLoader
        Columns of data frames give inputs and outputs their names.
    loss : {"bce", "ce", "mse"}, optional
        Otherwise it follows the targets: columns of 0 and 1, integer classes, or real values.
    validation : pair (x, y) or float, optional
        Rows that decide acceptance, or the fraction of the data held out for that, 0.2 when left out. A complete truth table
        of bits or classes is used whole unless a validation is given.
    seed : int
        Draws the held-out rows.
    outputs : int, optional
        Outputs of the model, which the targets have to fit.

    Raises
    ------
    TypeError, ValueError
        When data are empty, of different length, not finite, or do not fit the loss or the outputs.
    """
    if isinstance(data, Task):
        if loss not in (None, data.loss) or validation is not None:
            raise ValueError(f"a Task brings its own loss ({data.loss!r}) and validation; pass its (x, y) to choose others")
        _check_outputs(data.y, outputs, data.loss)
        return data
    x, raw = _pair(data)
    loss = loss or _loss_of(raw, outputs)
    y = _targets(raw, loss, outputs)
    complete = loss in ("bce", "ce") and _is_table(x)
    setting: Setting = TABLE if complete else {}
    input_names, output_names = (_columns(data, place, count) for place, count in enumerate((x.shape[1], y.shape[1])))
    if validation is None and complete:
        return Task(x, y, loss, x, y, True, name, input_names, output_names, **setting)
    if validation is None or isinstance(validation, (int, float)):
        x, y, x_check, y_check = _split(x, y, 0.2 if validation is None else float(validation), seed)
    else:
        x_check, raw = _pair(validation, "validation")
        y_check = _targets(raw, loss, y.shape[1])
        if x_check.shape[1] != x.shape[1]:
            raise ValueError(f"validation must have {x.shape[1]} inputs, as the data has; got {x_check.shape[1]}")
    return Task(x, y, loss, x_check, y_check, False, name, input_names, output_names, **setting)


def _pair(data: Any, what: str = "data") -> tuple[Tensor, Tensor]:
    if isinstance(data, torch.utils.data.DataLoader):
        batches = [tuple(batch) for batch in data]
        if not batches or any(len(b) != 2 for b in batches):
            raise ValueError(f"{what} must give batches (x, y); got {len(batches)} batches of {len(batches[0]) if batches else 0} parts")
        x, y = (torch.cat(part) for part in zip(*batches, strict=True))
    elif isinstance(data, torch.utils.data.TensorDataset) and len(data.tensors) == 2:
        x, y = data.tensors
    elif isinstance(data, (tuple, list)) and len(data) == 2:
        x, y = (_tensor(part, f"{what} {letter}") for part, letter in zip(data, "xy", strict=True))
    else:
        raise TypeError(
            f"{what} must be a pair (x, y) of tensors or arrays, a TensorDataset of two, a DataLoader or a Task; got {type(data).__name__}"
        )
    x = x.detach().flatten(1).float().cpu() if x.ndim > 1 else x.detach().unsqueeze(-1).float().cpu()
    y = y.detach().cpu()
    y = y if y.is_floating_point() or y.dtype == torch.bool else y.long()  # unsigned integers know little arithmetic
    if len(x) != len(y):
        raise ValueError(f"{what}: x and y must have as many rows; got {len(x)} and {len(y)}")
    if x.numel() == 0 or y.numel() == 0:
        raise ValueError(f"{what} must have at least one row and one column; got x of shape {tuple(x.shape)}, y of shape {tuple(y.shape)}")
    for letter, part in (("x", x), ("y", y)):
        bad = int((~torch.isfinite(part)).sum())
        if bad:
            raise ValueError(f"{what}: {letter} must be finite; got {bad} NaN or infinite values")
    return x, y


def _columns(data: Any, place: int, count: int) -> tuple[str, ...]:
    """The names of the columns of a data frame at a place of ``(x, y)``, where there are so many."""
    names = tuple(map(str, getattr(data[place], "columns", ()))) if isinstance(data, (tuple, list)) else ()
    return names if len(names) == len(set(names)) == count else ()


def _tensor(values: Any, what: str) -> Tensor:
    try:
        return values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} must be a numeric array; got {type(values).__name__} ({error})") from error


def _loss_of(y: Tensor, outputs: int | None) -> str:
    whole = not y.is_floating_point()
    if whole and y.ndim == 1 and y.dtype != torch.bool and (outputs or 2) > 1:
        return "ce"
    if bool(((y == 0) | (y == 1)).all()):
        return "bce"
    if whole and y.ndim == 1:
        return "ce"
    return "mse"


def _targets(y: Tensor, loss: str, outputs: int | None) -> Tensor:
    if loss not in ("bce", "ce", "mse"):
        raise ValueError(f"loss must be 'bce', 'ce' or 'mse'; got {loss!r}")
    if loss == "ce":
        if y.ndim != 1 or (y.is_floating_point() and bool((y != y.round()).any())):
            raise ValueError(f"loss 'ce' needs one integer class a row, y of shape (S,); got shape {tuple(y.shape)} of {y.dtype}")
        classes = outputs or int(y.max()) + 1
        if classes == 1:
            raise ValueError(
                "classes need an output each, at least two; got integer targets for one output. For counts and other numbers pass "
                "loss='mse'"
            )
        if int(y.min()) < 0 or int(y.max()) >= classes:
            raise ValueError(
                f"classes must lie in 0...{classes - 1}, one for each output of the model; got {int(y.min())}...{int(y.max())}"
            )
        return torch.nn.functional.one_hot(y.long(), classes).float()
    y = y.float().reshape(len(y), -1)
    if loss == "bce" and not bool(((y == 0) | (y == 1)).all()):
        raise ValueError(
            f"loss 'bce' needs targets of 0 and 1; got values from {y.min():g} to {y.max():g}. For real targets pass loss='mse'"
        )
    _check_outputs(y, outputs, loss)
    return y


def _check_outputs(y: Tensor, outputs: int | None, loss: str) -> None:
    if outputs is not None and y.shape[1] != outputs:
        hint = ". Classes are given as integers, y of shape (S,)" if y.shape[1] == 1 and bool((y == y.round()).all()) else ""
        raise ValueError(
            f"targets must have {outputs} columns, one for each output of the model, for loss {loss!r}; got {y.shape[1]}{hint}"
        )


def _is_table(x: Tensor) -> bool:
    """Whether every column takes two values and every combination of them stands there once."""
    rows, n = x.shape
    if n > 20 or rows != 2**n:
        return False
    low, high = x.amin(dim=0), x.amax(dim=0)
    if not bool(((x == low) | (x == high)).all()):
        return False
    codes = ((x == high).long() * 2 ** torch.arange(n)).sum(dim=1)
    return len(codes.unique()) == rows


def _split(x: Tensor, y: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    held_out = round(fraction * len(x))
    if not 0 < fraction < 1 or not 0 < held_out < len(x):
        raise ValueError(
            f"validation must be a pair (x, y) or a fraction of the {len(x)} rows that leaves some on either side; got {fraction}"
        )
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    check, rest = order[:held_out], order[held_out:]
    return x[rest], y[rest], x[check], y[check]
