"""A task: inputs, targets, loss, validation and test rows, settings for ``sculpt`` and, where it is known, the ground truth.

S = rows, n = inputs, k = outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from ..checks import check_choice, check_parameter_count, shown
from ..losses import LOSSES
from ..metrics import Metric, metric_of
from ..settings import DEFAULT_SCHEDULE, DEFAULT_TRAINING, ScheduleSettings, TrainingSettings
from ..surroundings import set_aside
from .gates import GateGraph
from .truth import named_truth, truth_graph

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["MOST_LAYERS", "SAMPLED", "TABLE", "Setting", "Task", "from_gates"]


MOST_LAYERS = 1_000


class Setting(TypedDict, total=False):
    """Settings for training and pruning that tasks of one kind share: fields of ``Task``."""

    activation: str
    training: TrainingSettings
    schedule: ScheduleSettings


# For data of one's own; docs/real-data.md has the reasons.
SAMPLED: Setting = {
    "training": TrainingSettings(learning_rate=0.03, input_noise=0.1, keep_last=True),
    "schedule": ScheduleSettings(unit_steps=(0.5, 0.2, 0.05), edge_steps=(0.02, 0.01), tolerance=0.02, confidence=0.8),
}
# For complete truth tables; docs/default-setting.md has the reasons.
TABLE: Setting = {
    "activation": "clipped_relu",
    "training": TrainingSettings(input_noise=0.1, hidden_noise=0.3),
    "schedule": ScheduleSettings(edge_score="ablation"),
}


@dataclass(frozen=True, eq=False)
class Task:
    """Data that a network must fit, with the settings of ``sculpt`` for it.

    Attributes
    ----------
    x : Tensor of shape (S, n), float32
        For models that are no chain of Linear layers also of shape (S, ...), int64 tokens, or a tuple of several such inputs.
    y : Tensor of shape (S, k), float32
        Bits for ``"bce"``, one-hot classes for ``"ce"``, real values for ``"mse"``.
    loss : {"bce", "ce", "mse"}
    x_validation, y_validation : Tensor
        The rows that decide whether a pruned network is accepted; all rows of a complete table.
    complete : bool
        Whether ``x`` holds every possible row, as a truth table does. Then nothing is held out.
    name : str
    input_names, output_names : tuple of str
    activation : str
        The activation of the hidden units of ``model()``.
    training : TrainingSettings
        Settings of the training rounds of ``sculpt``.
    schedule : ScheduleSettings
        Settings of its pruning schedule.
    metric : str, Metric or function, optional
        The figure by which networks are judged, see ``sculpting.metrics.metric_of``; accuracy or R squared when left out.
    standardised : bool
        Whether ``sculpt`` trains on standardised inputs and real targets. Networks are returned in the units of ``x`` and ``y``.
    gates : GateGraph or None
    x_test, y_test : Tensor or None
        Rows that decide nothing, where the task has some. They are drawn together with the others, so that no image is in both.
    labels_test : Tensor or None
        What each row of ``x_test`` shows, where ``y_test`` does not say it: for two digits the left and the right one, int64 of shape
        (S, 2).
    structure : function of the number of hidden layers that returns a networkx.DiGraph, or None
        Returns the ground truth of a task that has no gates.
    sample : function of (key, step, rows), or None
        Draws fresh rows at every step. From keys ``(N, 2)``, the number of the step and the number of rows it returns ``x`` of shape
        ``(N, n, rows)`` and ``y`` of shape ``(N, k, rows)``, float32, on the device of the keys. The rows of a member depend on its key,
        the step and ``rows`` alone.
    image : (int, int) or None
        Height and width of the image whose pixels the inputs are, row by row from the top left.
    network : function that returns an nn.Module, or None
        Builds ``model()`` where that is no multilayer perceptron, from keywords of its own.
    """

    x: Any
    y: Tensor
    loss: str
    x_validation: Any
    y_validation: Tensor
    complete: bool = False
    name: str = "data"
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    activation: str = "relu"
    training: TrainingSettings = DEFAULT_TRAINING
    schedule: ScheduleSettings = DEFAULT_SCHEDULE
    metric: str | Metric | Callable[[Any, Any], float] | None = None
    standardised: bool = False
    gates: GateGraph | None = None
    x_test: Any = None
    y_test: Tensor | None = None
    labels_test: Tensor | None = None
    structure: Callable[[int], nx.DiGraph] | None = None
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]] | None = None
    image: tuple[int, int] | None = None
    network: Callable[..., nn.Module] | None = None

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, [*LOSSES])
        if not isinstance(self.name, str):
            raise TypeError(f"name of a Task must be text; got {type(self.name).__name__}")
        for what, settings, kind in (("training", self.training, TrainingSettings), ("schedule", self.schedule, ScheduleSettings)):
            if not isinstance(settings, kind):
                raise TypeError(f"{what} of a Task must be {kind.__name__}; got {type(settings).__name__}")
        metric_of(self.metric, self.loss)
        for x, y in (("x", "y"), ("x_validation", "y_validation"), *([("x_test", "y_test")] if self.x_test is not None else [])):
            inputs, targets = getattr(self, x), getattr(self, y)
            _check_inputs(x, inputs, self.x)
            _check_part(y, targets, self.y)
            for each in _parts(inputs):
                if len(each) != len(targets):
                    raise ValueError(f"{x} and {y} of a Task must have as many rows; got {len(each)} and {len(targets)}")
            if self.loss != "mse" and not bool(((targets == 0) | (targets == 1)).all()):
                raise ValueError(f"{y} of a Task must be 0 and 1 for loss {self.loss!r}, a column for each bit or class; got other values")

    def __repr__(self) -> str:
        inputs = " and ".join("x".join(map(str, each.shape[1:])) for each in _parts(self.x))
        return f"Task({self.name}: {len(self.y)} rows, {inputs} inputs, {self.y.shape[1]} outputs, {self.loss})"

    @set_aside()
    def model(self, width: int | Sequence[int] | None = None, hidden_layers: int | None = None, **options: Any) -> nn.Module:
        """An untrained network for this task: a multilayer perceptron, or what the ``network`` of the task builds.

        Parameters
        ----------
        width : int or sequence of int, optional
            Units of every hidden layer of a multilayer perceptron, 24 when left out, or of each in turn.
        hidden_layers : int, optional
            Number of hidden layers, when ``width`` is one number; 2 when left out.
        **options
            ``activation`` of the hidden units, one of :data:`~sculpting.activations.ACTIVATIONS`. When left out, that of the task:
            ``"relu"``, as published, unless the task has another. A unit with ``"clipped_relu"``, ``max(0, min(1, z))``, can carry one bit
            through noise but not two; the short cuts of ReLU networks carry two. A task with a ``network`` has other options: those of
            :class:`~sculpting.tasks.Transformer` or :class:`~sculpting.tasks.ConvolutionalNetwork`.

        Returns
        -------
        nn.Module
            The weights of a multilayer perceptron are zero until ``sculpt`` draws them.

        Raises
        ------
        TypeError
            When an option is not known.
        ValueError
            When a width is below 1, the activation is not known, ``x`` has more than rows and columns, or the model would have more than
            1,000 hidden layers or 100 million weights and biases.

        Examples
        --------
        >>> len(from_gates({"y": "a & b"}).model(width=4, hidden_layers=1))
        3
        """
        sizes: dict[str, Any] = {name: size for name, size in (("width", width), ("hidden_layers", hidden_layers)) if size is not None}
        return self._perceptron(**sizes, **options) if self.network is None else self.network(**sizes, **options)

    def _perceptron(self, width: int | Sequence[int] = 24, hidden_layers: int = 2, *, activation: str | None = None) -> nn.Sequential:
        hidden = _widths(width, hidden_layers)
        if len(_parts(self.x)) > 1 or self.x.ndim != 2:
            raise ValueError(f"a multilayer perceptron needs x of rows and columns; got {self!r}. Build a module for these inputs")
        activation = self.activation if activation is None else activation
        check_choice("activation", activation, [*ACTIVATIONS])
        layers: list[nn.Module] = []
        sizes = [self.x.shape[1], *hidden, self.y.shape[1]]
        check_parameter_count(sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes)))
        for n_in, n_out in pairwise(sizes):
            layers += [torch.nn.utils.skip_init(nn.Linear, n_in, n_out), ACTIVATIONS[activation].module()]
        for parameter in nn.ModuleList(layers).parameters():
            nn.init.zeros_(parameter)
        return nn.Sequential(*layers[:-1])

    @property
    def origin(self) -> dict[str, Any]:
        """What networks record of the task in their ``origin``: its name and, where it has one, the size of its image."""
        return {"task": self.name, **({"image": list(self.image)} if self.image else {})}

    def constant_accuracy(self) -> float:
        """Accuracy of the best constant prediction on the validation rows; ``sculpt`` defines accuracy.

        Examples
        --------
        >>> from_gates({"y": "a & b"}).constant_accuracy()
        0.75
        """
        if self.loss == "mse":
            return 0.0
        shares = self.y_validation.double().mean(dim=0)
        return float(shares.max() if self.loss == "ce" else torch.maximum(shares, 1 - shares).mean())

    def constant_scores(self) -> Tensor:
        """What each validation row adds to the metric of the best constant prediction on the training rows: float64 ``(K, S)``."""
        usual = self.y.double().mean(dim=0)
        if self.loss == "ce":
            usual = torch.nn.functional.one_hot(usual.argmax(), len(usual)).double()
        z = usual if self.loss != "bce" else usual - 0.5
        return self._scores(z.unsqueeze(1).expand(-1, len(self.y_validation)))

    def row_share(self) -> float:
        """The largest share that one validation row has in the metric of perfect answers; 0 where rows have none."""
        perfect = self._scores(self.y_validation.t() if self.loss != "bce" else self.y_validation.t() - 0.5)
        return float(perfect.max()) / perfect.shape[1] if perfect.shape[1] > 1 else 0.0

    def _scores(self, z: Tensor) -> Tensor:
        return metric_of(self.metric, self.loss).rows(z.unsqueeze(0), self.y_validation.t())[0]

    def truth(self, hidden_layers: int | None = None) -> nx.DiGraph:
        """The modules of the task that a network of this depth can show, or, without a depth, the gates as they are named.

        For tasks made of gates see ``truth_graph`` and ``named_truth``.

        Raises
        ------
        ValueError
            When the task has neither gates nor a ``structure``, or is not made of gates and no depth is given.
        """
        if hidden_layers is None and self.gates is not None:
            return named_truth(self.gates)
        if hidden_layers is None and self.structure is not None:
            raise ValueError(f"the structure of task {self.name!r} depends on the depth: give hidden_layers, such as truth(2)")
        if self.structure is not None and hidden_layers is not None:
            return self.structure(hidden_layers)
        if self.gates is None or hidden_layers is None:
            raise ValueError(f"the structure of task {self.name!r} is not known. Build it with tasks.from_gates to have a ground truth")
        return truth_graph(self.gates, hidden_layers)


@set_aside()
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

    Raises
    ------
    TypeError, ValueError
        As of ``GateGraph.parse``.

    Examples
    --------
    >>> task = from_gates({"p": "a & b", "q": "c & d", "either": "p | q"})
    >>> task.x.shape, task.output_names
    (torch.Size([16, 4]), ('either',))
    """
    graph = gates if isinstance(gates, GateGraph) else GateGraph.parse(gates, inputs, outputs)
    x, y = (torch.from_numpy(a.astype(np.float32)) for a in graph.truth_table())
    return Task(x, y, "bce", x, y, True, name, graph.inputs, graph.outputs, gates=graph, **TABLE)


def _widths(width: object, hidden_layers: object) -> list[int]:
    """The units of each hidden layer."""
    if not isinstance(hidden_layers, Integral) or isinstance(hidden_layers, bool):
        raise ValueError(f"hidden_layers must be a whole number of at least 1; got {shown(hidden_layers)}")
    widths: list[Any]
    if isinstance(width, Integral):
        widths = [width] * max(0, min(int(hidden_layers), MOST_LAYERS + 1))
    elif isinstance(width, Iterable) and not isinstance(width, (str, bytes)):
        widths = list(islice(width, MOST_LAYERS + 1))
    else:
        raise TypeError(f"width must be a whole number of units, or a sequence of them; got {shown(width)}")
    if not widths or not all(isinstance(each, Integral) and not isinstance(each, bool) and int(each) >= 1 for each in widths):
        raise ValueError(f"a model must have at least one hidden layer of at least one unit; got widths {shown(widths)}")
    if len(widths) > MOST_LAYERS:
        raise ValueError(f"hidden_layers must be at most {MOST_LAYERS:,}; got more")
    return [int(each) for each in widths]


def _parts(x: Any) -> tuple[Any, ...]:
    """One input or several as a tuple."""
    return x if isinstance(x, tuple) else (x,)


def _check_inputs(name: str, inputs: Any, like: Any) -> None:
    """Refuse what cannot be the inputs of a task: rows and columns, or rows of another shape, tokens or several of them."""
    if len(_parts(inputs)) != len(_parts(like)):
        raise ValueError(f"{name} of a Task must be {len(_parts(like))} inputs, as x is; got {len(_parts(inputs))}")
    for part, known in zip(_parts(inputs), _parts(like), strict=True):
        _check_plain(name, part)
        general = isinstance(part, Tensor) and part.ndim >= 2 and part.numel() > 0 and part.dtype in (torch.float32, torch.int64)
        if not general or (part.ndim == 2 and part.dtype == torch.float32):
            _check_part(name, part, known)
        elif part.shape[1:] != known.shape[1:] or part.dtype != known.dtype:
            got = f"{part.dtype} of shape {tuple(part.shape)}"
            raise ValueError(f"{name} of a Task must have rows of shape {tuple(known.shape[1:])} of {known.dtype}, as x has; got {got}")
        elif not bool(part.isfinite().all()):
            raise ValueError(f"{name} of a Task must be finite; got {int((~part.isfinite()).sum())} NaN or infinite values")


def _check_plain(name: str, part: Any) -> None:
    """Refuse tensors without plain numbers: sparse ones, those of the device meta, and those that require gradients."""
    if isinstance(part, Tensor) and (part.layout != torch.strided or part.is_meta or part.requires_grad):
        got = "one that requires gradients" if part.requires_grad else f"layout {part.layout} on device {part.device}"
        raise ValueError(f"{name} of a Task must be a dense tensor that needs no gradient; got {got}. Pass it detached, and dense")


def _check_part(name: str, part: Any, like: Tensor) -> None:
    """Refuse what cannot be rows and columns of a task."""
    _check_plain(name, part)
    if not isinstance(part, Tensor) or part.dtype != torch.float32 or part.ndim != 2 or not part.numel():
        got = f"{part.dtype} of shape {tuple(part.shape)}" if isinstance(part, Tensor) else type(part).__name__
        raise ValueError(f"{name} of a Task must be a float32 tensor of rows and columns; got {got}. Pass (x, y) for other data")
    if part.shape[1] != like.shape[1]:
        raise ValueError(f"{name} of a Task must have {like.shape[1]} columns, as {name[0]} has; got {part.shape[1]}")
    bad = int((~torch.isfinite(part)).sum())
    if bad:
        raise ValueError(f"{name} of a Task must be finite; got {bad} NaN or infinite values")
