"""One thread for all tests: on small tensors two threads are slower, and far slower when anything else runs."""

from __future__ import annotations

import matplotlib as mpl
import torch

torch.set_num_threads(1)
mpl.use("agg")
