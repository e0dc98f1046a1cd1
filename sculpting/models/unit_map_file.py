"""A map of units as plain facts and tensors, for files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .groups import Block, Stage, UnitLayer, UnitMap, Use
from .groups.unit_map import NONE
from .network_facts import is_count, is_list, is_text

__all__ = ["packed", "unpacked"]

SIDES, ENDS = ("source", "target"), ("rows", "columns")
FLAGS = ("removable", "zero", "mixed")
MOST = 1 << 40  # units, sizes and positions
USES = ("dense", "conv", "embedding", "bias", "scale", "statistic")


def packed(units: UnitMap) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What JSON can hold, and the tensors by name."""
    facts = {
        "layers": [[layer.name, layer.kind, layer.first, layer.size] for layer in units.layers],
        "uses": [[use.parameter, use.kind] for use in units.uses],
        "shapes": {name: list(shape) for name, shape in units.shapes.items()},
        "free": dict(units.free),
        "stages": [[stage.name, stage.kind] for stage in units.stages],
        "blocks": [[block.source, block.target, block.kind, block.use] for block in units.blocks],
    }
    tensors = {name: getattr(units, name) for name in FLAGS}
    tensors |= {f"use.{i}.{side}": ids for i, use in enumerate(units.uses) for side in SIDES if (ids := getattr(use, side)) is not None}
    tensors |= {f"stage.{i}": stage.units for i, stage in enumerate(units.stages)}
    tensors |= {f"block.{i}.{end}": getattr(block, end) for i, block in enumerate(units.blocks) for end in ENDS}
    return facts, tensors


def unpacked(facts: Any, tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> UnitMap:
    """The map that :func:`packed` took apart, of a module with this state.

    Raises
    ------
    ValueError
        When a part is missing, of another kind, or names a unit, a stage or an element that there is not.
    """
    _check_facts(facts)
    _check_tensors(facts, tensors, state)
    return UnitMap(
        layers=tuple(UnitLayer(*each) for each in facts["layers"]),
        uses=tuple(Use(*each, *(tensors.get(f"use.{i}.{side}") for side in SIDES)) for i, each in enumerate(facts["uses"])),
        shapes={name: tuple(shape) for name, shape in facts["shapes"].items()},
        removable=tensors["removable"],
        zero=tensors["zero"],
        mixed=tensors["mixed"],
        free=facts["free"],
        stages=tuple(Stage(name, kind, tensors[f"stage.{i}"]) for i, (name, kind) in enumerate(facts["stages"])),
        blocks=tuple(Block(*each, *(tensors[f"block.{i}.{end}"] for end in ENDS)) for i, each in enumerate(facts["blocks"])),
    )


def _row(*fits: Callable[[object], bool]) -> Callable[[object], bool]:
    """Whether a value is a list with one value for each check."""
    return lambda value: isinstance(value, list) and len(value) == len(fits) and all(fit(v) for fit, v in zip(fits, value, strict=True))


def _count(value: object) -> bool:
    return is_count(value, MOST)


def _names(value: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(value, dict) and all(is_text(name) and fits(each) for name, each in value.items())


def _check_facts(facts: Any) -> None:
    """Refuse facts of another form; what they refer to comes after."""
    rows = {
        "layers": _row(is_text, is_text, _count, _count),
        "uses": _row(is_text, lambda kind: is_text(kind) and kind in USES),
        "stages": _row(is_text, is_text),
        "blocks": _row(_count, _count, is_text, lambda use: use is None or _count(use)),
    }
    if not isinstance(facts, dict) or facts.keys() != {*rows, "shapes", "free"}:
        raise ValueError(f"units must be an object with {sorted({*rows, 'shapes', 'free'})}; got {facts!r:.80}")
    for name, fits in rows.items():
        if not is_list(facts[name], fits):
            raise ValueError(f"the {name} of units must be rows as SparseModule.save writes them; got {facts[name]!r:.80}")
    if not _names(facts["shapes"], lambda shape: is_list(shape, _count)) or not _names(facts["free"], is_text):
        raise ValueError(f"the shapes of units must be sizes by name; got {facts['shapes']!r:.80} and {facts['free']!r:.80}")


def _check_tensors(facts: Mapping[str, Any], tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Refuse numbers of units, stages and elements that there are not."""
    count = _check_layers(facts, tensors)
    for name, shape in facts["shapes"].items():
        if name in state and list(state[name].shape) != shape:
            raise ValueError(f"{name!r:.80} must have the shape of its state, {list(state[name].shape)}; got {shape!r:.80}")
    _check_uses(facts, tensors, count)
    stages = [tensors.get(f"stage.{i}") for i in range(len(facts["stages"]))]
    for i, stage in enumerate(stages):
        _check_numbers(f"stage.{i}", stage, count, None if stage is None else [stage.numel()])
    for i, (source, target, kind, use) in enumerate(facts["blocks"]):
        if not source < target < len(stages) or not (use is None or use < len(facts["uses"])):
            raise ValueError(f"blocks must lead from a stage to a later one, by a use; got {facts['blocks'][i]}")
        shape = None if use is None else facts["shapes"][facts["uses"][use][0]]
        if use is not None and (facts["uses"][use][0] not in state or kind != facts["uses"][use][1]):
            raise ValueError(f"blocks must be of the kind of their use, whose parameter is in the state; got {facts['blocks'][i]!r:.80}")
        for end, place in zip(ENDS, (source, target), strict=True):
            _check_block_end(f"block.{i}.{end}", tensors.get(f"block.{i}.{end}"), stages[place], shape)
        if use is None and len(tensors[f"block.{i}.rows"]) != len(tensors[f"block.{i}.columns"]):
            raise ValueError(f"block.{i} must have as many rows as columns; got others")


def _check_layers(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> int:
    """The number of units, of which every layer has its part."""
    count = 0
    for layer in facts["layers"]:
        if layer[2] != count:
            raise ValueError(f"layers of units must follow one another; got {layer!r:.80} where unit {count} is next")
        count += layer[3]
    for name in FLAGS:
        flags = tensors.get(name)
        if flags is None or flags.dtype != torch.bool or flags.shape != (count,):
            raise ValueError(f"units.{name} must be truth values of {count} units; got {_shown(flags)}")
    return count


def _check_uses(facts: Mapping[str, Any], tensors: Mapping[str, Tensor], count: int) -> None:
    for i, (parameter, kind) in enumerate(facts["uses"]):
        shape = facts["shapes"].get(parameter)
        if shape is None or (kind == "conv" and len(shape) < 3):
            raise ValueError(f"uses of units must be of parameters with a shape; got {parameter!r:.80} of {shape}")
        for side in SIDES:
            if f"use.{i}.{side}" in tensors:
                _check_numbers(f"use.{i}.{side}", tensors[f"use.{i}.{side}"], count, shape)


def _check_block_end(name: str, places: Tensor | None, stage: Tensor | None, shape: list[int] | None) -> None:
    assert stage is not None
    if shape is not None:
        _check_numbers(name, places, len(stage), shape)
        return
    _check_numbers(name, places, len(stage), None if places is None else [places.numel()])
    if places is not None and bool((places == NONE).any()):
        raise ValueError(f"units.{name} must be positions in its stage; got {NONE}")


def _check_numbers(name: str, found: Tensor | None, end: int, shape: list[int] | None) -> None:
    """Refuse what are no numbers below ``end``, -1 for none, or what does not broadcast to the shape; a vector may have its own length."""
    if found is None or found.dtype != torch.int64 or shape is None or not _broadcasts(found, shape):
        raise ValueError(f"units.{name} must be whole numbers of a shape like {shape}; got {_shown(found)}")
    if found.numel() and not NONE <= int(found.min()) <= int(found.max()) < end:
        raise ValueError(f"units.{name} must be numbers from {NONE} to below {end}; got {int(found.min())} to {int(found.max())}")


def _broadcasts(found: Tensor, shape: list[int]) -> bool:
    own = [1] * (len(shape) - found.ndim) + list(found.shape)
    return found.ndim <= len(shape) and all(size in (1, whole) for size, whole in zip(own, shape, strict=True))


def _shown(found: Tensor | None) -> str:
    return "none" if found is None else f"{found.dtype} of shape {tuple(found.shape)}"
