"""One sparse network, the result of sculpting; saved, loaded and compacted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from ..files import write_file
from ..losses import LOSSES
from ..structure import card_of
from .chain import HEADS

__all__ = ["SparseNetwork", "by_edges"]

FORMAT = "neural-sculpting network"
VERSION = 2
READ = (1, VERSION)  # version 1 had the steps of its origin in percent
STEPS = ("unit_step", "edge_step")
ENDINGS = (".safetensors", "")
W = TypeVar("W", bound=Any)  # a sparse network of any kind


@dataclass(frozen=True, eq=False)
class SparseNetwork:
    """A multilayer perceptron in which some weights have been pruned.

    Attributes
    ----------
    weights : tuple of float32 arrays of shape (n_out, n_in)
        Exactly zero where an edge was pruned.
    biases : tuple of float32 arrays of shape (n_out,)
    activations : tuple of str
        One for each weight layer.
    head : str or None
        ``"sigmoid"``, ``"softmax"`` or ``"log_softmax"`` where the original model ended in one.
    accuracy : float
        The ``metric`` on the validation rows.
    input_names, output_names : tuple of str
    origin : dict
        Where the network comes from: ``seed``, ``unit_step`` and ``edge_step`` as fractions, ``widths`` of the model, ``task``, for
        inputs that are pixels the height and width of the ``image``, and ``restarted`` where the dense network had a second start.
    loss : {"bce", "ce", "mse"} or None
        The loss of its training, which says how outputs become decisions; None where it is not known.
    metric : str
        What ``accuracy`` is, such as ``"accuracy"``, ``"balanced accuracy"`` or ``"R2"``.

    Examples
    --------
    >>> network = SparseNetwork((np.array([[1.0, 0.0]]), np.array([[2.0]])), (np.zeros(1), np.zeros(1)), ("relu", "identity"))
    >>> network.widths, network.edge_count, network.density
    ((2, 1, 1), 2, 0.6666666666666666)
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    activations: tuple[str, ...]
    head: str | None = None
    accuracy: float = float("nan")
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    origin: dict[str, Any] = field(default_factory=dict)
    loss: str | None = None
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        # Copies: the given arrays may change when training goes on.
        weights, biases = (
            tuple(np.array(a.detach().cpu().float().numpy() if isinstance(a, Tensor) else a, dtype=np.float32) for a in part)
            for part in (self.weights, self.biases)
        )
        if not weights or any(w.ndim != 2 or not w.size for w in weights):
            raise ValueError(f"weights must be matrices (n_out, n_in), at least one, none empty; got shapes {[w.shape for w in weights]}")
        for i, (before, after) in enumerate(pairwise(weights), start=1):
            if before.shape[0] != after.shape[1]:
                raise ValueError(
                    f"weights[{i}] must have {before.shape[0]} columns to follow weights[{i - 1}] of shape {before.shape}; "
                    f"got shape {after.shape}"
                )
        if [b.shape for b in biases] != [(len(w),) for w in weights]:
            raise ValueError(f"biases must have shapes {[(len(w),) for w in weights]}; got {[b.shape for b in biases]}")
        if len(self.activations) != len(weights) or set(self.activations) - set(ACTIVATIONS):
            raise ValueError(f"activations must be {len(weights)} of {sorted(ACTIVATIONS)}; got {list(self.activations)}")
        if self.head is not None and self.head not in HEADS:
            raise ValueError(f"head must be None or one of {sorted(HEADS)}; got {self.head!r}")
        if self.loss is not None and self.loss not in LOSSES:
            raise ValueError(f"loss must be None or one of {sorted(LOSSES)}; got {self.loss!r}")
        if not np.isfinite(np.concatenate([a.ravel() for a in (*weights, *biases)])).all():
            raise ValueError("weights and biases must be finite; got NaN or infinite values")
        for name, count in (("input_names", weights[0].shape[1]), ("output_names", len(weights[-1]))):
            if len(getattr(self, name)) not in (0, count):
                raise ValueError(f"{name} must be {count} names or none; got {len(getattr(self, name))}")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "biases", biases)
        object.__setattr__(self, "accuracy", float(self.accuracy))
        for name in ("activations", "input_names", "output_names"):
            object.__setattr__(self, name, tuple(map(str, getattr(self, name))))

    def __repr__(self) -> str:
        widths = "-".join(map(str, self.widths))
        return f"SparseNetwork({widths}, {self.edge_count} edges, density {self.density:.4f}, {self.metric} {self.accuracy:.4f})"

    def _repr_html_(self) -> str:
        return card_of(repr(self), self)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units in each layer, pruned ones included."""
        return (self.weights[0].shape[1], *(len(w) for w in self.weights))

    @property
    def masks(self) -> tuple[NDArray[np.bool_], ...]:
        """Where an edge is left: bool of shape (n_out, n_in)."""
        return tuple(w != 0 for w in self.weights)

    @property
    def edge_count(self) -> int:
        """Edges that are left."""
        return sum(int(np.count_nonzero(w)) for w in self.weights)

    @property
    def density(self) -> float:
        """Edges that are left as a fraction of all, in [0, 1]."""
        return self.edge_count / sum(w.size for w in self.weights)

    @property
    def unit_counts(self) -> tuple[int, ...]:
        """Live units of each layer: inputs that are read, hidden units with edges on both sides, and all outputs."""
        weights = self.compact().weights
        hidden = (int(w.any(axis=1).sum()) for w in weights[:-1])
        return (int(weights[0].any(axis=0).sum()), *hidden, self.widths[-1])

    @property
    def hidden_count(self) -> int:
        """Live hidden units of all layers."""
        return sum(self.unit_counts[1:-1])

    def model(self) -> nn.Sequential:
        """A plain ``nn.Sequential`` that computes the same function, in the original shape with zeros for pruned weights."""
        layers: list[nn.Module] = []
        for weight, bias, name in zip(self.weights, self.biases, self.activations, strict=True):
            linear = torch.nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], dtype=torch.float32)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weight.copy()))
                linear.bias.copy_(torch.from_numpy(bias.copy()))
            layers += [linear] if name == "identity" else [linear, ACTIVATIONS[name].module()]
        if self.head is not None:
            layers.append(HEADS[self.head]() if self.head == "sigmoid" else HEADS[self.head](dim=-1))
        return nn.Sequential(*layers)

    def predict(self, x: Any) -> NDArray[Any]:
        """What the network answers: class numbers of shape (rows,), else bits or real values of shape (rows, outputs).

        Raises
        ------
        ValueError
            When ``x`` is not of shape (rows, inputs).
        """
        rows = torch.as_tensor(np.asarray(x), dtype=torch.float32)
        rows = rows.flatten(1) if rows.ndim > 2 else rows
        if rows.ndim != 2 or rows.shape[1] != self.widths[0]:
            raise ValueError(f"x must be of shape (rows, {self.widths[0]}); got {tuple(rows.shape)}")
        with torch.no_grad():
            z = self.model()(rows)
        if self.loss == "ce":
            found: NDArray[Any] = z.argmax(dim=1).numpy()
            return found
        return z.numpy() if self.loss == "mse" else (z > (0.5 if self.head else 0.0)).numpy().astype(np.int64)

    def compact(self) -> SparseNetwork:
        """A network that computes the same function without dead hidden units.

        A unit without incoming edges is constant. Its constant is added to the biases of the units that read it.
        """
        weights, biases = [w.copy() for w in self.weights], [b.copy() for b in self.biases]
        for layer in range(len(weights) - 1):
            constant = ~weights[layer].any(axis=1)
            bias = torch.from_numpy(biases[layer])
            value = ACTIVATIONS[self.activations[layer]].apply(bias, torch.empty_like(bias)).numpy() * constant
            biases[layer + 1] = biases[layer + 1] + weights[layer + 1] @ value
            weights[layer + 1][:, constant] = 0
        for layer in range(len(weights) - 1, 0, -1):
            read = weights[layer].any(axis=0)
            weights[layer - 1][~read] = 0
        kept = [np.arange(self.widths[0])]
        kept += [np.flatnonzero(w.any(axis=1)) if w.any() else np.arange(1) for w in weights[:-1]] + [np.arange(self.widths[-1])]
        return SparseNetwork(
            tuple(w[np.ix_(rows, columns)] for w, columns, rows in zip(weights, kept, kept[1:], strict=False)),
            tuple(b[rows] for b, rows in zip(biases, kept[1:], strict=True)),
            self.activations,
            self.head,
            self.accuracy,
            self.input_names,
            self.output_names,
            dict(self.origin),
            self.loss,
            self.metric,
        )

    def save(self, path: str | Path) -> Path:
        """Write the network as one safetensors file with a JSON header. An existing file is replaced only once the new one is complete.

        Raises
        ------
        ValueError
            When the path has an ending other than ``.safetensors``.
        OSError
            When the folder cannot be written to.
        """
        if Path(path).suffix not in ENDINGS:
            raise ValueError(
                f"path must end in {ENDINGS[0]} or have no ending; got {str(path)!r}. For a file of torch, torch.save network.model()"
            )
        tensors = {f"{kind}.{i}": np.ascontiguousarray(a) for kind in ("weights", "biases") for i, a in enumerate(getattr(self, kind))}
        facts = {
            name: getattr(self, name)
            for name in ("activations", "head", "accuracy", "input_names", "output_names", "origin", "loss", "metric")
        }
        header = {"format": FORMAT, "version": str(VERSION), "network": json.dumps(facts)}
        return write_file(path, save(tensors, header))

    @classmethod
    def load(cls, path: str | Path) -> SparseNetwork:
        """The network that :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the file is not a network, is of a later version, or its parts do not fit together.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no network file {path}")
        try:
            with safe_open(path, framework="numpy") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        except (SafetensorError, OSError, ValueError) as error:
            raise ValueError(f"{path} is not a network: expected a file written by SparseNetwork.save; got {error}") from error
        if header.get("format") != FORMAT:
            raise ValueError(f"{path} is not a network: expected a file written by SparseNetwork.save; got one without its header")
        version = header.get("version")
        if version not in [str(number) for number in READ]:
            raise ValueError(f"{path} is of version {version}; this library reads versions {READ[0]} to {VERSION}. Install a newer one")
        try:
            facts = json.loads(header["network"])
            count = len(facts["activations"])
            if len(tensors) != 2 * count:
                raise ValueError(f"expected weights and biases of {count} layers, as many as activations; got {len(tensors)} arrays")
            parts = [tuple(tensors[f"{kind}.{i}"] for i in range(count)) for kind in ("weights", "biases")]
            names: dict[str, Any] = {name: tuple(facts.pop(name)) for name in ("activations", "input_names", "output_names")}
            if version == "1":
                facts["origin"] |= {name: facts["origin"][name] / 100 for name in STEPS if facts["origin"].get(name)}
            return cls(weights=parts[0], biases=parts[1], **names, **facts)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a complete network: {error}") from error


def by_edges(networks: Sequence[W]) -> tuple[W, ...]:
    """Networks in ascending order of their number of edges; ties keep their order."""
    return tuple(sorted(networks, key=lambda network: network.edge_count))
