"""What a language model can lose: MLP neurons, residual dimensions, and key-value heads with their queries.

G = groups of one layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ....models.groups.unit_map import UnitLayer
from .norms import is_rms_norm
from .places import MissingError, Scaled, Segment, Slice
from .twin import sets_head_size, shapes_of, twin_units

__all__ = ["KINDS", "GroupLayer", "LanguageGroups", "Slice", "language_groups"]

KINDS = ("neurons", "residual", "heads")
MIXED = "a LayerNorm takes the mean over all of them, so that none can be removed exactly"
OWN_SIZE = "the class computes the size of a head from the width, so that heads and width cannot change by themselves"
ACROSS = "a norm takes the mean over all of them"
# A family that fuses its projections must put all queries first, then all keys, then all values.
ENTWINED = "queries, keys and values of a head lie in one block of a matrix"


@dataclass(frozen=True)
class GroupLayer:
    """Groups that are numbered through: the neurons of an MLP, the heads of an attention, or the dimensions of the residual stream.

    Attributes
    ----------
    name : str
        The module that they come from.
    kind : {"neurons", "residual", "heads"}
    size : int
        G.
    slices : tuple of Slice
        All that belongs to the groups. A neuron has its row of the gate, its row of the up projection, and its column of the down
        projection; a key-value head has its keys, values and queries, and what reads its values.
    """

    name: str
    kind: str
    size: int
    slices: tuple[Slice, ...]

    @property
    def norms(self) -> tuple[str, ...]:
        """The norms whose gains belong to the groups, in the order of the forward."""
        return tuple(dict.fromkeys(s.parameter.rpartition(".")[0] for s in self.slices if s.kind == "scale"))

    def modules(self, *, reads: bool) -> tuple[str, ...]:
        """The modules that read the groups, or those that write them, without norms."""
        return tuple(dict.fromkeys(s.parameter.rpartition(".")[0] for s in self.slices if s.reads is reads and s.kind in KEEPERS))

    def block(self, module: str) -> int:
        """How many entries a group has in what a module reads."""
        return next(s.block for s in self.slices if s.parameter.rpartition(".")[0] == module and s.reads)


KEEPERS = ("dense", "embedding")


@dataclass(frozen=True)
class LanguageGroups:
    """The groups of a language model.

    Attributes
    ----------
    layers : tuple of GroupLayer
        The residual stream first where it can be pruned, then layer by layer.
    missing : mapping of kind to str
        Kinds that this architecture cannot lose, and why.
    """

    layers: tuple[GroupLayer, ...]
    missing: Mapping[str, str]

    def of(self, kind: str) -> tuple[GroupLayer, ...]:
        """The layers of groups of one kind.

        Raises
        ------
        ValueError
            When the architecture has none, with the reason.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}; got {kind!r}")
        if kind in self.missing:
            raise ValueError(f"{kind} cannot be pruned in this architecture: {self.missing[kind]}")
        return tuple(layer for layer in self.layers if layer.kind == kind)

    def __str__(self) -> str:
        lines = []
        for kind in KINDS:
            sizes = [layer.size for layer in self.layers if layer.kind == kind]
            lines.append(f"{kind}: {sum(sizes):,} in {len(sizes)} layers" if sizes else f"{kind}: none, {self.missing[kind]}")
        return "\n".join(lines)


def language_groups(model: Any) -> LanguageGroups:
    """The groups of a ``transformers`` model for language, by its structure.

    The units of a small model of the same class are found by :func:`sculpting.models.groups.units`. Their places in the parameters are
    then scaled to the size of ``model``. Nothing is read from the names of classes or parameters.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A decoder, such as Llama, Mistral, Qwen2, Qwen3, Gemma, GPT-2 or GPT-NeoX. It is not changed.

    Returns
    -------
    LanguageGroups

    Raises
    ------
    ValueError
        When the model cannot be followed; the text names the module or the line.

    Examples
    --------
    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = dict(hidden_size=24, intermediate_size=20, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2)
    >>> print(language_groups(LlamaForCausalLM(LlamaConfig(vocab_size=50, **sizes))))
    neurons: 20 in 1 layers
    residual: 24 in 1 layers
    heads: 2 in 1 layers
    """
    _check_ordinary(model)
    small, found = twin_units(model)
    scaled = Scaled(small, shapes_of(model), found)
    layers, missing = [], {}
    for kind, of_kind in (("residual", _residual), ("neurons", _neurons), ("heads", _heads)):
        try:
            layers += of_kind(scaled, model)
        except MissingError as reason:
            missing[kind] = str(reason)
    if "neurons" in missing:
        raise ValueError(f"{type(model).__name__} must have an MLP whose neurons can be told apart; got none: {missing['neurons']}")
    return LanguageGroups(tuple(layers), missing)


def _check_ordinary(model: Any) -> None:
    from transformers import PreTrainedModel

    if not isinstance(model, PreTrainedModel):
        raise ValueError(
            f"the model must be a transformers.PreTrainedModel; got {type(model).__name__}. Merge adapters and unwrap the model first"
        )
    packed = [name for name, tensor in model.named_parameters() if not tensor.is_floating_point()]
    if packed:
        raise ValueError(f"parameters must be numbers with a point, to be cut; got {packed[0]!r} of a quantized model. Dequantize it first")


def _each_place(scaled: Scaled, layer: UnitLayer, kind: str) -> GroupLayer:
    """A layer of units of which each is a group: its numbers count up, once or several times in a segment."""
    slices, sizes = [], set()
    for segment in scaled.segments(layer):
        if not torch.equal(segment.numbers, torch.arange(len(segment.numbers)) % layer.size):
            raise MissingError(f"{segment.use.parameter} has them in another order")
        for start in range(0, len(segment.numbers), layer.size):
            size, found = scaled.slice(segment, start, layer.size, 0)
            slices.append(found)
            sizes.add(size)
    if len(sizes) != 1:
        raise MissingError(f"{layer.name} has them {' and '.join(map(str, sorted(sizes))) or 'nowhere'}")
    return GroupLayer(layer.name, kind, sizes.pop(), tuple(slices))


def _residual(scaled: Scaled, model: Any) -> list[GroupLayer]:
    known = [layer for layer in scaled.units.layers if layer.kind == "residual"]
    if len(known) != 1:
        raise MissingError(f"it has {len(known)} residual streams")
    found = _each_place(scaled, known[0], "residual")
    if not found.norms or not all(is_rms_norm(model.get_submodule(name)) for name in found.norms):
        raise MissingError(MIXED)
    if not sets_head_size(model):
        raise MissingError(OWN_SIZE)
    return [found]


def _neurons(scaled: Scaled, model: Any) -> list[GroupLayer]:
    known = [layer for layer in scaled.units.layers if layer.kind == "neuron"]
    if not known or not all(bool(scaled.units.zero[layer.first]) for layer in known):
        raise MissingError("it has none" if not known else "their activation is not 0 at 0")
    return [_each_place(scaled, layer, "neurons") for layer in known]


def _heads(scaled: Scaled, model: Any) -> list[GroupLayer]:
    if not sets_head_size(model):
        raise MissingError(OWN_SIZE)
    heads = int(model.config.num_attention_heads)
    groups = int(getattr(model.config, "num_key_value_heads", None) or heads)
    found, queries = [], None
    for layer in scaled.units.layers:
        if layer.kind == "query-key":
            queries = layer
        elif layer.kind == "value" and queries is not None:
            slices = [_head_slice(scaled, segment, groups) for segment in scaled.segments(layer)]
            for segment in scaled.segments(queries):
                if segment.use.kind == "scale":
                    raise MissingError(ACROSS)
                slices += _query_slices(scaled, segment, heads, groups)
            found.append(GroupLayer(layer.name, "heads", groups, tuple(slices)))
    if not found:
        raise MissingError("it has no attention whose values can be told apart")
    return found


def _head_slice(scaled: Scaled, segment: Segment, groups: int) -> Slice:
    numbers = segment.numbers
    per_head = (int(numbers.max()) + 1) // groups
    if not torch.equal(numbers // per_head, torch.arange(len(numbers)) * groups // len(numbers)):
        raise MissingError(ENTWINED)
    return scaled.slice(segment, 0, len(numbers), groups)[1]


def _query_slices(scaled: Scaled, segment: Segment, heads: int, groups: int) -> list[Slice]:
    """All queries, all keys, or queries and then keys, of one matrix."""
    length = len(segment.numbers)
    size = length // (heads + groups)
    whole = scaled.small[segment.use.parameter][segment.axis]
    if whole in (length, length + groups * size) and length == size * (heads + groups) and whole != length:
        parts = [(0, heads * size), (heads * size, groups * size)]
    elif whole == length and length % groups == 0:
        parts = [(0, length)]
    else:
        raise MissingError(ENTWINED)
    return [scaled.slice(segment, start, part, groups)[1] for start, part in parts]
