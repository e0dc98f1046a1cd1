"""One thread: on tensors this small, two are slower, and far slower when anything else runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import matplotlib as mpl
import pytest
import torch

torch.set_num_threads(1)
mpl.use("agg")

SHARED = Path(os.environ.get("SCULPTING_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def published_networks() -> list[dict]:
    """The sparse networks released with the 2023 paper, where they are at hand."""
    path = SHARED / "published_networks" / "networks.json.gz"
    if not path.exists():
        pytest.skip(f"the published networks are not at {path}; set SCULPTING_SHARED_DATA to their folder")
    import gzip

    with gzip.open(path) as file:
        return json.load(file)
