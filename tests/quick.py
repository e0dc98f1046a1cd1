"""A quick call of ``sculpt``, and data with two classes."""

from __future__ import annotations

from typing import Any

import torch

QUICK: dict[str, Any] = {"seeds": 2, "unit_steps": [0.5, 0.25], "edge_steps": [0.05, 0.02], "progress": False}


def xor_classes(rows: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.rand(rows, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).long()
