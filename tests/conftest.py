"""One thread in every process: on tensors this small, two are slower, and far slower when anything else runs, such as other workers."""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # read when NumPy, SciPy and torch are first imported, by processes that tests start too

import matplotlib as mpl  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)
mpl.use("agg")
