"""Which engine takes a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from .autograd.setup import ModuleSetup
from .mlp.setup import ChainSetup
from .models.copying import check_readable
from .options import read_models

__all__ = ["setup_of"]


def setup_of(model: nn.Module | Sequence[nn.Module]) -> ChainSetup | ModuleSetup:
    """Chains of Linear layers with elementwise activations go to the engine ``mlp``, every other module to ``autograd``.

    Raises
    ------
    TypeError, ValueError
        When there is no module, or several that are no chains of equal depth and activations. Whether a module that is no chain can be
        taken is known once there are data, see ``ModuleSetup``.
    """
    several: list[Any] = [*model] if isinstance(model, (list, tuple)) else [model]
    try:
        return ChainSetup(read_models(several))
    except (TypeError, ValueError) as error:
        if len(several) != 1 or not isinstance(several[0], nn.Module):
            raise
        check_readable(several[0])
        return ModuleSetup(several[0], error)
