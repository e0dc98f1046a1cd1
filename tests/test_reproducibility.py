"""What `docs/reproducibility.md` promises of one round of training: the same bits for the same call, and the same to rounding elsewhere."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rounding import ATOL, RTOL, assert_same_to_rounding
from safetensors.torch import load_file, save_file
from torch import Tensor

from sculpting import tasks
from sculpting.data import Data
from sculpting.engine import Evaluation
from sculpting.mlp.population import Population
from sculpting.mlp.training import train
from sculpting.models.chain import read_model
from sculpting.randomness import keys
from sculpting.settings import RoundSettings

TASK, MEMBERS = tasks.boolean("both"), 16
SETTINGS = {  # the variables that hold torch, oneDNN and MKL to what other processors can do
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "default": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"},
}


def trained(first: int = 0, count: int = MEMBERS, **options: int) -> tuple[Tensor, Evaluation]:
    """The values and scores of some of sixteen networks 6-24-3 after one round of the default setting."""
    key = keys(range(first, first + count))
    shape = read_model(TASK.model(width=24, hidden_layers=1)).shape
    settings = RoundSettings(input_noise=0.1, hidden_noise=0.3, rate_width=12)
    population, score = train(Population.fresh(shape, key), Data.of(TASK), settings, key, **options)
    return population.values, score


def in_another_process(folder: Path, environment: dict[str, str]) -> dict[str, Tensor]:
    """The same round there: its values, accuracies, and the vector instructions that torch used."""
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS["default"]} if environment else dict(os.environ)
    command = [sys.executable, __file__, str(folder / "round.safetensors")]
    subprocess.run(command, check=True, env={**kept, **environment})
    return load_file(folder / "round.safetensors")


def assert_same_scores(found: list[Evaluation], expected: Evaluation) -> None:
    assert_same_to_rounding(torch.cat([score.loss for score in found]), expected.loss)
    accuracy = torch.cat([score.accuracy for score in found])
    assert float((accuracy - expected.accuracy).abs().max()) < 1.5 / TASK.y.numel()  # at most one output is at the threshold


def test_the_same_call_gives_the_same_bits_in_another_process_too(tmp_path: Path) -> None:
    (values, score), (again, score_again) = trained(), trained()
    there = in_another_process(tmp_path, {})
    for other, accuracy, loss in ((again, score_again.accuracy, score_again.loss), (there["values"], there["accuracy"], there["loss"])):
        assert torch.equal(other, values)
        assert torch.equal(accuracy, score.accuracy)
        assert torch.equal(loss, score.loss)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="another processor's instructions have other names")
@pytest.mark.parametrize("setting", SETTINGS)
def test_another_processor_gives_the_same_to_rounding(setting: str, tmp_path: Path) -> None:
    there = in_another_process(tmp_path, SETTINGS[setting])
    assert bytes(there["capability"].tolist()).decode() == setting.upper()
    values, score = trained()
    assert_same_to_rounding(there["values"], values)
    assert_same_scores([Evaluation(there["accuracy"], there["loss"])], score)


@pytest.mark.parametrize("members", [1, 5])
def test_another_population_gives_the_same_to_rounding(members: int) -> None:
    values, score = trained()
    parts = [trained(first, min(members, MEMBERS - first)) for first in range(0, MEMBERS, members)]
    for found in (torch.cat([part for part, _ in parts]), trained(max_members=members)[0]):
        assert_same_to_rounding(found, values)
    assert_same_scores([part for _, part in parts], score)


def test_another_number_of_threads_gives_the_same_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    values, score = trained(count=4)
    monkeypatch.setattr("sculpting.mlp.training.WORTH_A_THREAD", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for threads in (1, 2):
            found, score_found = trained(count=4, threads=threads)
            assert_same_to_rounding(found, values)
            assert_same_scores([score_found], score)
    finally:
        torch.set_num_threads(before)


def test_the_tolerance_is_the_documented_one_and_can_fail() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs/reproducibility.md").read_text()
    assert f"`rtol={RTOL:g}, atol={ATOL:g}`" in page
    values, _ = trained(count=2)
    for other in (values.flip(0), values * (1 + 3 * RTOL) + 3 * ATOL):
        with pytest.raises(AssertionError, match="not close"):
            assert_same_to_rounding(other, values)


if __name__ == "__main__":
    torch.set_num_threads(1)
    values, score = trained()
    capability = torch.tensor(list(torch.backends.cpu.get_cpu_capability().encode()))
    save_file({"values": values, "accuracy": score.accuracy, "loss": score.loss, "capability": capability}, sys.argv[1])
