"""How many members fit into free memory."""

from __future__ import annotations

import torch

from ..mlp.memory import SHARE, free_bytes
from ..settings import RoundSettings
from .architecture import Architecture
from .rows import EPOCH_FLOATS, ModuleRows

__all__ = ["bytes_of_member", "copies_at_once", "members_that_fit", "rows_at_once"]

PARAMETER_COPIES = 9  # values, mask, gradient and its parts, two moments, best, and what a caller holds
BACKWARD = 3  # times what a forward keeps: slopes, and what vmap copies
EVALUATED = 1 << 22  # bytes of activations of one member that is evaluated
COPIES = 1 << 27  # bytes of copies of members of which each lacks something else


def bytes_of_member(architecture: Architecture, rows: ModuleRows, settings: RoundSettings) -> int:
    """Peak bytes for training one more member: its parameters, its batch, its noise and its activations. An upper estimate."""
    number = torch.finfo(architecture.dtype).bits // 8
    each = sum(part[0].numel() for part in rows.x)
    noise = each * len(rows) if settings.input_noise and each * len(rows) <= EPOCH_FLOATS else each * settings.batch_size
    evaluated = min(rows.y_validation.shape[1], rows_at_once(architecture))
    active = architecture.bytes_per_row * max(BACKWARD * settings.batch_size, evaluated)
    return number * (PARAMETER_COPIES * architecture.size + 3 * noise + 2 * each * settings.batch_size) + active


def rows_at_once(architecture: Architecture) -> int:
    """Rows that are evaluated at once. They do not depend on the number of members, so that the rounding of a member does not."""
    return max(1, EVALUATED // max(1, architecture.bytes_per_row))


def copies_at_once(architecture: Architecture, rows: ModuleRows) -> int:
    """Copies of members that are evaluated at once on the validation rows."""
    evaluated = min(rows.y_validation.shape[1], rows_at_once(architecture)) * architecture.bytes_per_row
    return max(1, COPIES // (BACKWARD * architecture.size * torch.finfo(architecture.dtype).bits // 8 + evaluated))


def members_that_fit(wanted: int, architecture: Architecture, rows: ModuleRows, settings: RoundSettings) -> int:
    """How many of the ``wanted`` members to train at once, at least one: they fit into half of the free memory."""
    each = bytes_of_member(architecture, rows, settings)
    return min(wanted, max(1, int(SHARE * free_bytes(rows.y.device)) // each))
