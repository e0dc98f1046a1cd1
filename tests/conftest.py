"""One thread: on tensors this small, two are slower, and far slower when anything else runs."""

from __future__ import annotations

import matplotlib as mpl
import torch

torch.set_num_threads(1)
mpl.use("agg")
