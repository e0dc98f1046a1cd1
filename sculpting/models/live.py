"""The units of a network that are in use."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from .network import SparseNetwork

__all__ = ["Unit", "live_units"]

Unit: TypeAlias = tuple[int, int]  # (layer, index), inputs being layer 0


def live_units(network: SparseNetwork) -> set[Unit]:
    """The hidden units with edges on both sides."""
    pairs = zip(network.masks, network.masks[1:], strict=False)
    both = enumerate((into.any(axis=1) & out.any(axis=0) for into, out in pairs), start=1)
    return {(layer, int(unit)) for layer, live in both for unit in np.flatnonzero(live)}
