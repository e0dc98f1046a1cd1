"""One sparse network of any module, the result of sculpting; saved and loaded.

U = units, E = edges.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from ..files import write_file
from ..integrity import ALTERED, UNSIGNED, Contents, read_header, read_safetensors, signed
from ..plain import plain_value
from ..structure import card_of
from ..surroundings import set_aside
from .copying import copy_of
from .groups import UnitLayer, UnitMap
from .groups.kernels import kernels_of
from .groups.removal import Removal, removed_units
from .groups.weights import weighted_blocks
from .network_facts import check_facts, facts_text
from .norm_folding import without_norms
from .touching import edge_view, read_units, touched_units, written_units
from .unit_map_file import packed, unpacked

__all__ = ["SparseModule"]

FORMAT, VERSION = "neural-sculpting module", "2"
FIRST = "1"  # the version without a digest
ENDINGS = (".safetensors", "")
FACTS = ("name", "accuracy", "origin", "loss", "metric", "input_names", "output_names", "tokens")
PARTS = ("state.", "masks.", "units.")


@dataclass(frozen=True, eq=False)
class SparseModule:
    """A module in which some units and edges have been pruned.

    Attributes
    ----------
    name : str
        The class of the module, such as ``"models.vision:LeNet"``.
    state : dict of name to Tensor
        As ``nn.Module.state_dict`` has it; exactly zero where a parameter was pruned.
    masks : dict of name to bool Tensor
        For each parameter, False where it was pruned.
    units : UnitMap
        Which units the elements of the parameters read and write.
    accuracy : float
        The ``metric`` on the validation rows.
    origin : dict
        Where the network comes from, as that of ``SparseNetwork``.
    loss : {"bce", "ce", "mse"} or None
    metric : str
    input_names, output_names : tuple of str
    tokens : tuple of bool
        For each input, whether it holds integers.
    architecture : nn.Module, optional
        A module of the class with any weights. It is not saved.
    """

    name: str
    state: dict[str, Tensor] = field(repr=False)
    masks: dict[str, Tensor] = field(repr=False)
    units: UnitMap = field(repr=False)
    accuracy: float = float("nan")
    origin: dict[str, Any] = field(default_factory=dict)
    loss: str | None = None
    metric: str = "accuracy"
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    tokens: tuple[bool, ...] = (False,)
    architecture: nn.Module | None = field(default=None, repr=False)

    @classmethod
    def of(cls, module: nn.Module, units: UnitMap, values: Mapping[str, Tensor], masks: Mapping[str, Tensor], **facts: Any) -> SparseModule:
        """A network from a module of its architecture, and the parameters and buffers that differ, by the first of their names."""
        first = {id(part): name for name, part in (*module.named_parameters(), *module.named_buffers())}
        held = module.state_dict(keep_vars=True)
        state = {name: values.get(first.get(id(part), name), part.detach().cpu()) for name, part in held.items()}
        kind = type(module)
        return cls(f"{kind.__module__}:{kind.__qualname__}", state, dict(masks), units, architecture=module, **facts)

    def __repr__(self) -> str:
        kind = self.name.rpartition(":")[2]
        return f"SparseModule({kind}, {self.edge_count} edges, density {self.density:.4f}, {self.metric} {self.accuracy:.4f})"

    @property
    def head(self) -> None:
        """None: a module returns logits or real values."""
        return None

    @cached_property
    def live_edges(self) -> Tensor:
        """Which edges are left: bool ``(E,)``, numbered as in ``units.edges``. One of several elements is there while one of them is."""
        parts = [edge_view(self.masks[name].unsqueeze(0), numbers, torch.any).flatten() for name, numbers in self.units.edges.items()]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.bool)

    def _repr_html_(self) -> str:
        return card_of(repr(self), self)

    @property
    def edge_count(self) -> int:
        """Edges that are left."""
        return int(self.live_edges.sum())

    @property
    def density(self) -> float:
        """Edges that are left as a fraction of all, in [0, 1]."""
        return self.edge_count / max(1, len(self.live_edges))

    @property
    def unit_layers(self) -> tuple[UnitLayer, ...]:
        """The layers of ``units`` but for gates, such as the patterns of attention, which no parameter reads or writes."""
        return tuple(layer for layer in self.units.layers if layer.kind != "gate")

    @property
    def widths(self) -> tuple[int, ...]:
        """Units in each of the ``unit_layers``, pruned ones included."""
        return tuple(layer.size for layer in self.unit_layers)

    @property
    def unit_counts(self) -> tuple[int, ...]:
        """Live units of each of the ``unit_layers``: those with edges on both sides, or on the side that they have; all outputs."""
        alive = self._connected()
        counts = [int(alive[layer.first : layer.first + layer.size].sum()) for layer in self.unit_layers]
        return tuple(layer.size if layer.kind == "output" else count for layer, count in zip(self.unit_layers, counts, strict=True))

    @property
    def hidden_count(self) -> int:
        """Live units of all layers, without those that cannot be removed: inputs, outputs and gates."""
        return int((self._connected() & self.units.removable).sum())

    @property
    def layers(self) -> tuple[tuple[str, str, int, tuple[str, ...], NDArray[Any] | None], ...]:
        """The layers of the graph of units: name, kind, size, of inputs and outputs the names of units, and of channels their mean kernels.

        ``analysis`` reads a graph from these and from :attr:`blocks`.
        """
        named = {"input": self.input_names, "output": self.output_names}
        ends = [stage.kind for stage in self.units.stages]

        def names(kind: str, size: int) -> tuple[str, ...]:
            known = named.get(kind, ())
            return known if len(known) == size and ends.count(kind) == 1 else ()

        kernels = kernels_of(self.units, self.state)
        sizes = [(stage.name, stage.kind, len(stage.units)) for stage in self.units.stages]
        return tuple((name, kind, size, names(kind, size), kernels.get(i)) for i, (name, kind, size) in enumerate(sizes))

    @cached_property
    def blocks(self) -> tuple[tuple[int, int, Any, str], ...]:
        """The blocks of the graph of units: source, target, weights (row = source, a SciPy CSR array) and kind."""
        return tuple((source, target, weights, kind) for source, target, weights, kind in weighted_blocks(self.units, self.state))

    @set_aside()
    def compact(self, x: Any) -> Removal:
        """A smaller module without dead units, as far as its forward allows; see ``removed_units``.

        A BatchNorm that directly follows a convolution or Linear layer is folded into it, which leaves the answer in eval mode as it is
        to rounding, and an ``nn.Identity`` in its place; see ``without_norms`` for where norms stay. ``x`` holds some rows as for
        :meth:`predict`, on which it is checked that the smaller module answers the same.
        """
        model, inputs = self.model(), self._inputs(x)
        removal = removed_units(model, self.units, self._connected() | ~self.units.removable, inputs)
        with torch.no_grad():
            same = torch.allclose(removal.module(*inputs), model(*inputs), rtol=1e-3, atol=1e-4)
        if not same:
            removal = Removal(model, torch.zeros_like(removal.removed), dict.fromkeys(removal.staying, "the answers change without them"))
        return replace(removal, module=without_norms(removal.module, inputs))

    def _connected(self) -> Tensor:
        """Which units matter, bool ``(U,)``: those with edges on every side on which the module has some.

        A unit that is written also matters where nothing reads it, if it enters a statistic over several units or is multiplied.
        """
        left = {name: mask.unsqueeze(0) for name, mask in self.masks.items()}
        whole = {name: torch.ones_like(mask) for name, mask in left.items()}
        touched = touched_units(self.units, left)[0] > 0
        sides = {side: (side(self.units, left)[0] > 0) | (side(self.units, whole)[0] == 0) for side in (read_units, written_units)}
        return touched & sides[written_units] & (sides[read_units] | self.units.acting)

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the state, for ``load_state_dict`` of a module of the class."""
        return {name: part.clone() for name, part in self.state.items()}

    @set_aside()
    def model(self) -> nn.Module:
        """An ordinary module of the user's class in eval mode, with zeros for pruned parameters.

        Raises
        ------
        ValueError
            When the network was loaded without its architecture.
        """
        if self.architecture is None:
            raise ValueError(
                f"a module of class {self.name} is needed, since files hold no code; got none. Pass one: SparseModule.load(path, model=...)"
            )
        module = copy_of(self.architecture).cpu()
        module.load_state_dict(self.state)
        return module.eval()

    @set_aside()
    def predict(self, x: Any) -> NDArray[Any]:
        """What the network answers: class numbers of shape (rows,), else bits or real values of shape (rows, outputs).

        ``x`` has the shape of the rows that were trained on, or is a tuple of several inputs.
        """
        inputs = self._inputs(x)
        try:
            with torch.no_grad():
                z = self.model()(*inputs)
        except (RuntimeError, IndexError, ValueError) as error:
            raise ValueError(
                f"x must have rows like those that were trained on; got shapes {[tuple(part.shape) for part in inputs]}, and the forward "
                f"raised {type(error).__name__}: {error}"
            ) from error
        z = z.unsqueeze(1) if z.ndim == 1 else z
        if self.loss == "ce":
            found: NDArray[Any] = z.argmax(dim=1).numpy()
            return found
        return z.numpy() if self.loss == "mse" else (z > 0).numpy().astype(np.int64)

    def _inputs(self, x: Any) -> tuple[Tensor, ...]:
        """The inputs of the module, as it takes them."""
        parts = x if isinstance(x, tuple) else (x,)
        if len(parts) != len(self.tokens):
            raise ValueError(f"x must be {len(self.tokens)} inputs, as the network was trained on; got {len(parts)}")
        real = next((part.dtype for part in self.state.values() if part.is_floating_point()), torch.float32)
        kinds = [torch.int64 if token else real for token in self.tokens]
        found = [np.asarray(self._in_order(part)).copy() for part in parts]
        whole = [part.dtype.kind in "iub" or bool((part == np.round(part)).all()) for part in found]
        if any(token and not integers for token, integers in zip(self.tokens, whole, strict=True)):
            raise ValueError("x must hold whole numbers where the network takes tokens; got fractions")
        return tuple(torch.as_tensor(part, dtype=kind) for part, kind in zip(found, kinds, strict=True))

    def _in_order(self, part: Any) -> Any:
        """The columns of a data frame in the order of the inputs, where it has their names."""
        columns = [str(name) for name in getattr(part, "columns", ())]
        named = bool(columns) and len(columns) == len(self.input_names) and {*columns} == {*self.input_names}
        return part[[part.columns[columns.index(name)] for name in self.input_names]] if named else part

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
        facts, of_units = packed(self.units)
        parts = zip(PARTS, (self.state, self.masks, of_units), strict=True)
        tensors = {kind + name: part.contiguous().clone() for kind, named in parts for name, part in named.items()}
        header = {"format": FORMAT, "version": VERSION, "units": json.dumps(facts), "network": facts_text(self, FACTS), **UNSIGNED}
        return write_file(path, signed(save(tensors, header)))

    @classmethod
    def load(cls, path: str | Path, model: nn.Module | None = None, *, altered: bool = False) -> SparseModule:
        """The network that :meth:`save` wrote.

        Parameters
        ----------
        path : str or Path
        model : nn.Module, optional
            A module of the architecture, with any weights, which is not changed. Without it the network has no :meth:`model`.
        altered : bool
            Take a file, too, that was changed since it was written: its digest differs. ``origin["altered"]`` is then True. Files of
            version 1 have no digest.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the file is not such a network, was changed since it was written, or the model is of another architecture.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no network file {path}")
        try:
            header = read_header(path)
            version = header.get("version")
            if header.get("format") != FORMAT or version not in (FIRST, VERSION):
                raise ValueError(f"format {header.get('format')!r:.80} of version {version!r:.80}. Versions {FIRST} to {VERSION} are read")
            found = read_safetensors(path)
        except ValueError as error:
            raise ValueError(f"{path} is not a sparse module: expected a file written by SparseModule.save; got {error}") from error
        changed = found.altered or (found.altered is None and version != FIRST)
        if changed and not altered:
            raise ValueError(f"{path} {ALTERED}. Take a copy that was not changed, or pass altered=True to take it all the same, marked")
        try:
            network = cls(**_fields(found, {"altered": True} if changed else {}))
        except ValueError as error:
            raise ValueError(f"{path} is not a complete sparse module: {error}") from error
        return network if model is None else replace(network, architecture=_fitting(model, network))


def _fields(found: Contents, marks: Mapping[str, bool]) -> dict[str, Any]:
    """The fields of a network, from the contents of its file."""
    state, masks, of_units = (
        {name.removeprefix(kind): part for name, part in found.tensors.items() if name.startswith(kind)} for kind in PARTS
    )
    if len(state) + len(masks) + len(of_units) != len(found.tensors):
        raise ValueError(f"the names of all tensors must begin with one of {', '.join(PARTS)}; got others")
    facts = check_facts(plain_value(found.metadata.get("network", ""), finite=False), FACTS, FACTS)
    facts["origin"] |= marks
    units = unpacked(plain_value(found.metadata.get("units", ""), finite=False), of_units, state)
    for name, mask in masks.items():
        _check_mask(name, mask, state.get(name))
    for use in units.uses:
        if use.source is not None and use.target is not None and use.parameter not in masks:
            raise ValueError(f"the parameter {use.parameter!r:.80}, which has edges, must have a mask; got none")
    return {**facts, "state": state, "masks": masks, "units": units}


def _check_mask(name: str, mask: Tensor, part: Tensor | None) -> None:
    if part is None or mask.dtype != torch.bool or mask.shape != part.shape:
        raise ValueError(f"the mask of {name!r:.80} must be truth values of the shape of its parameter; got {tuple(mask.shape)}")
    if bool((part[~mask] != 0).any()) or not bool(torch.isfinite(part).all()):
        raise ValueError(f"the parameter {name!r:.80} must be finite, and zero where it was pruned; got other values")


def _fitting(model: nn.Module, network: SparseModule) -> nn.Module:
    """A copy of the model, which must have the state of the network."""
    copied = copy_of(model)
    here, there = ({name: tuple(part.shape) for name, part in state.items()} for state in (copied.state_dict(), network.state))
    if here != there:
        differ = next(name for name in [*there, *here] if here.get(name) != there.get(name))
        raise ValueError(
            f"model must be of the saved architecture, {network.name}, with {differ!r} of shape {there.get(differ)}; got {here.get(differ)}"
        )
    return copied.to(dtype=next((part.dtype for part in network.state.values() if part.is_floating_point()), torch.float32))
