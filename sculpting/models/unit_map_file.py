"""A map of units as plain facts and tensors, for files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .groups import Block, Stage, UnitLayer, UnitMap, Use

__all__ = ["packed", "unpacked"]

SIDES, ENDS = ("source", "target"), ("rows", "columns")


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
    tensors = {"removable": units.removable, "zero": units.zero, "mixed": units.mixed}
    tensors |= {f"use.{i}.{side}": ids for i, use in enumerate(units.uses) for side in SIDES if (ids := getattr(use, side)) is not None}
    tensors |= {f"stage.{i}": stage.units for i, stage in enumerate(units.stages)}
    tensors |= {f"block.{i}.{end}": getattr(block, end) for i, block in enumerate(units.blocks) for end in ENDS}
    return facts, tensors


def unpacked(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> UnitMap:
    """The map that :func:`packed` took apart."""
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
