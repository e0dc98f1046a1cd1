"""One sparse network, the result of sculpting; saved, loaded and compacted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from ..files import write_file
from ..integrity import ALTERED, UNSIGNED, Contents, is_number, read_header, read_safetensors, signed
from ..losses import LOSSES
from ..plain import plain_value
from ..structure import card_of
from ..surroundings import set_aside
from .chain import HEADS
from .network_facts import check_facts, facts_text

__all__ = ["SparseNetwork", "by_edges"]

FORMAT = "neural-sculpting network"
VERSION = 3
READ = (1, 2, VERSION)  # version 1 had the steps of its origin in percent; versions 1 and 2 had no digest
STEPS = ("unit_step", "edge_step")
FACTS = ("activations", "head", "accuracy", "input_names", "output_names", "origin", "loss", "metric")
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
        masks = _needed(self.masks)
        hidden = (int(mask.any(axis=1).sum()) for mask in masks[:-1])
        return (int(masks[0].any(axis=0).sum()), *hidden, self.widths[-1])

    @property
    def hidden_count(self) -> int:
        """Live hidden units of all layers."""
        return sum(self.unit_counts[1:-1])

    @set_aside()
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

    @set_aside()
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

        Raises
        ------
        ValueError
            When a bias so becomes too large for float32.
        """
        weights, biases = [w.copy() for w in self.weights], [b.copy() for b in self.biases]
        for layer in range(len(weights) - 1):
            constant = ~weights[layer].any(axis=1)
            bias = torch.from_numpy(biases[layer])
            value = ACTIVATIONS[self.activations[layer]].apply(bias, torch.empty_like(bias)).numpy() * constant
            with np.errstate(over="ignore", invalid="ignore"):
                biases[layer + 1] = biases[layer + 1] + weights[layer + 1] @ value
            weights[layer + 1][:, constant] = 0
        weights = [weight * mask for weight, mask in zip(weights, _needed(self.masks), strict=True)]
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
            When the path has an ending other than ``.safetensors`` or is that of a device, or the ``origin`` holds what JSON cannot.
        OSError
            When the folder cannot be written to.
        """
        if Path(path).suffix not in ENDINGS:
            raise ValueError(
                f"path must end in {ENDINGS[0]} or have no ending; got {str(path)!r}. For a file of torch, torch.save network.model()"
            )
        tensors = {f"{kind}.{i}": np.ascontiguousarray(a) for kind in ("weights", "biases") for i, a in enumerate(getattr(self, kind))}
        header = {"format": FORMAT, "version": str(VERSION), "network": facts_text(self, FACTS), **UNSIGNED}
        return write_file(path, signed(save(tensors, header)))

    @classmethod
    def load(cls, path: str | Path, *, altered: bool = False) -> SparseNetwork:
        """The network that :meth:`save` wrote.

        Parameters
        ----------
        path : str or Path
        altered : bool
            Take a file, too, that was changed since it was written: its digest differs. ``origin["altered"]`` is then True. Files of
            versions 1 and 2 have no digest.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the file is not a network, is of a later version, was changed since it was written, or its parts do not fit together.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no network file {path}")
        try:
            header = read_header(path)
            version = header.get("version")
            if header.get("format") != FORMAT:
                raise ValueError("one without its header")
            if version not in [str(number) for number in READ]:
                raise ValueError(f"version {version!r:.80}; this library reads versions {READ[0]} to {VERSION}. Install a newer one")
            found = read_safetensors(path, "numpy", ("F32",))
        except ValueError as error:
            raise ValueError(f"{path} is not a network: expected a file written by SparseNetwork.save; got {error}") from error
        changed = found.altered or (found.altered is None and version == str(VERSION))
        if changed and not altered:
            raise ValueError(f"{path} {ALTERED}. Take a copy that was not changed, or pass altered=True to take it all the same, marked")
        try:
            return cls(**_parts(found, version == "1", {"altered": True} if changed else {}))
        except ValueError as error:
            raise ValueError(f"{path} is not a complete network: {error}") from error


def _needed(masks: Sequence[NDArray[np.bool_]]) -> list[NDArray[np.bool_]]:
    """The edges that lie between units that are not constant and units that are read: bool of shape (n_out, n_in)."""
    left = [mask.copy() for mask in masks]
    for before, after in pairwise(left):
        after[:, ~before.any(axis=1)] = False
    for before, after in reversed([*pairwise(left)]):
        before[~after.any(axis=0)] = False
    return left


def _parts(found: Contents, percent: bool, marks: Mapping[str, bool]) -> dict[str, Any]:
    """The fields of a network, from the contents of its file."""
    given = plain_value(found.metadata.get("network", ""), finite=False)
    facts = check_facts(given, FACTS, {"activations", "input_names", "output_names", "origin"})
    count = len(facts["activations"])
    if found.tensors.keys() != {f"{kind}.{i}" for kind in ("weights", "biases") for i in range(count)}:
        raise ValueError(f"expected weights and biases of {count} layers, as many as activations; got {len(found.tensors)} arrays")
    if percent:
        steps = {name: step for name in STEPS if (step := facts["origin"].get(name))}
        if not all(is_number(step, 0, 100) for step in steps.values()):
            raise ValueError(f"the steps of its origin must be percent; got {steps!r:.80}")
        facts["origin"] |= {name: step / 100 for name, step in steps.items()}
    facts["origin"] |= marks
    return facts | {kind: tuple(found.tensors[f"{kind}.{i}"] for i in range(count)) for kind in ("weights", "biases")}


def by_edges(networks: Sequence[W]) -> tuple[W, ...]:
    """Networks in ascending order of their number of edges; ties keep their order."""
    return tuple(sorted(networks, key=lambda network: network.edge_count))
