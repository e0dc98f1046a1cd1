"""What `docs/reproducibility.md` promises beside other members, on other threads and on other processors: the same to rounding.

The tolerance is for one pass, gradient or score, and for one short round of training of a small network.
"""

from __future__ import annotations

import torch
from torch import Tensor

RTOL, ATOL = 1e-4, 1e-5


def assert_same_to_rounding(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=RTOL, atol=ATOL)
