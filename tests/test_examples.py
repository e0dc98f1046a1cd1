"""Every example and the README's quickstart run in an empty folder; slow, but for the one that is meant to be copied first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FINDINGS = {
    "follow_a_run": r"units: density 0\.0\d+ after round \d+, .*\nedges: density 0\.0[12]\d* after round",
    "digit_xor": r"M0: \d+ pixels left, 0 right(.*\n)+M1: 0 pixels left, \d+ right",
    "narrowed_parities": r"narrowed, sculpted: left out c0, c1, c2, b2_0, b2_1; modules those of the task",
    "parities": r"groups b0_0 b0_1 \| b1_0 b1_1, left out d0, d1;.*\n.*groups b0_0 b0_1 \| b1_0 b1_1, left out d0, d1;",
    "own_cnn": r"of 8 channels are left\n",
    "two_sums": r"blocks\.0\.up +\d+ units for a1 \+ a2, +\d+ for b1 \+ b2, 0 for both",
    "wine_beside_iris": r"\n0 paths between wine and iris",
    "two_digits": r"\n0 of \d+ modules have pixels of both digits",
}  # what the first lines of an example say


def run(code: str, folder: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def quickstart() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)[:1]
    return code


def test_the_quickstart_of_the_readme_is_short_and_runs(tmp_path: Path) -> None:
    lines = [line for line in quickstart().split("\n") if line.strip()]
    assert len(lines) <= 12
    told = run(quickstart(), tmp_path)
    assert "exact: yes" in told
    assert (tmp_path / "modules.svg").read_text().startswith("<?xml")


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_example_runs_and_draws(path: Path, tmp_path: Path) -> None:
    told = run(path.read_text(), tmp_path)
    assert re.search(FINDINGS.get(path.stem, "."), told), told
    assert list((tmp_path / "runs").glob("*.svg"))
