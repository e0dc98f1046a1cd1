"""Calls that are repeated do not grow the memory of the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read where Linux states it")
CODE = """
import gc
from pathlib import Path
import torch
from analysis import detect_modules, report_html
from sculpting import sculpt, tasks
from sculpting.narrow import narrow

task = tasks.from_gates({{"y": "a & b", "z": "c | d"}})
model = task.model(width=6, hidden_layers=1)
network = sculpt(model, task, seeds=1, unit_steps=[0.5], edge_steps=[0.1], steps=20, progress=False).dense[0]
rows = torch.rand(60, 4, generator=torch.Generator().manual_seed(0))
leaked = []


def call() -> None:
    {call}


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1])


for _ in range(10):
    call()
before = resident()
for _ in range(50):
    call()
print(resident() / before)
"""
CALLS = {
    "sculpt": "sculpt(model, task, seeds=1, unit_steps=[0.5], edge_steps=[0.1], steps=20, progress=False)",
    "narrow": "narrow(model, (rows, rows[:, :2].round()), sparsity=0.3, method='random', steps=20, recovery_steps=20)",
    "report": "report_html(detect_modules(network))",
}


def growth(call: str) -> float:
    """How many times the memory is that of before, after 50 more calls."""
    done = subprocess.run([sys.executable, "-c", CODE.format(call=call)], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return float(done.stdout)


@pytest.mark.parametrize("name", CALLS)
def test_fifty_calls_grow_memory_by_less_than_a_twentieth(name: str) -> None:
    assert growth(CALLS[name]) < 1.05


def test_growth_is_seen() -> None:
    assert growth("leaked.append(bytearray(2**20))") > 1.05
