"""The formulas and the simulation behind the page on compute: what the page says follows from them, and they know what can be counted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def scale() -> ModuleType:
    return _benchmark("scale")


@pytest.fixture(scope="module")
def cluster() -> ModuleType:
    return _benchmark("cluster")


def _benchmark(name: str) -> ModuleType:
    """A script of the folder of benchmarks, which import each other by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        patch.setenv("OMP_NUM_THREADS", "1")
        __import__(name)
    return sys.modules[name]


# --- The formula --------------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_the_measurements_say(scale: ModuleType) -> None:
    page, found = (ROOT / "docs" / "scale.md").read_text(), scale.read()
    missing = {name: line for name, lines in scale.tables(found).items() for line in lines if line not in page.split("\n")}
    assert missing == {}


def test_the_coefficients_of_the_page_give_its_table_of_times(scale: ModuleType) -> None:
    page = (ROOT / "docs" / "scale.md").read_text().split("\n")
    for engine in scale.ENGINES:
        row = next(line for line in page if line.startswith(f"| {engine} |"))
        coefficients = [float(cell.replace(",", "")) for cell in row.split("|")[2:-1]]
        measured = [each for each in scale.read() if each.engine == engine and each.seconds > 0]
        assert len({each.name for each in measured}) == 5
        for each in measured:
            seconds = scale.seconds_of_step(
                coefficients, each.size, each.members, each.batch, each.validation, each.evaluations, each.noisy, each.groups
            )
            shown = next(
                line.split("|")[6] for line in page
                if line.startswith(f"| {each.name} | {each.members} | {each.groups} | {each.batch}{', noise' * each.noisy} |")
            )  # fmt: skip
            assert seconds / each.seconds == pytest.approx(float(shown), abs=0.02)


def test_a_step_costs_its_terms(scale: ModuleType) -> None:
    size = scale.Size("mlp", "2-1", calls=3, parameters=5, products=7.0, written=11.0, inputs=13, noise=17)
    assert scale.terms(size, 2, 4, validation=12, evaluations=0.5).tolist() == [4.5, 10, 2 * 6 * 7, 2 * 6 * 11, 2 * 4 * 13]
    assert scale.terms(size, 2, 4, noisy=True, groups=2).tolist() == [6, 10, 2 * 4 * 7, 2 * 4 * 11, 2 * 4 * 30]
    assert scale.seconds_of_step([1e9, 0, 0, 0, 0], size, 2, 4) == 3.0
    assert scale.bytes_of_member([1.0, 1.0, 1.0], size, 4, 8) == 4 * (5 + 2 * 4 * 13 + 8 * 11)


def test_known_coefficients_are_found_again_and_predict_a_size_that_was_left_out(scale: ModuleType) -> None:
    features = np.random.default_rng(0).uniform(1, 1000, (12, 3))
    known, names = np.array([2.0, 0.0, 0.5]), [f"size {place // 3}" for place in range(12)]
    measured = features @ known
    assert scale.fitted(features, measured) == pytest.approx(known, abs=1e-9)
    assert scale.left_out(features, measured, names) == pytest.approx(np.ones(12))
    measured[:3] *= 2  # one size that is unlike all others is mispredicted, and by this factor
    assert scale.left_out(features, measured, names)[:3] == pytest.approx(np.full(3, 0.5))


def test_a_bound_is_that_of_memory_or_of_arithmetic(scale: ModuleType) -> None:
    size = scale.Size("mlp", "large", 1, 10**6, 1e6, 0.0, 0, 0)
    bandwidth, operations, _ = scale.GPUS["H100 SXM"]
    assert scale.bound("H100 SXM", size, 3, 1) == (pytest.approx(3 * 48e6 / bandwidth), "memory")
    assert scale.bound("H100 SXM", size, 3, 1000) == (pytest.approx(3 * 6e9 / operations), "arithmetic")


# --- The cluster --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("workers", "expected"), [(1, 12.0), (3, 4.0), (4, 3.0), (5, 3.0), (12, 1.0), (1000, 1.0)])
def test_equal_cells_take_as_many_turns_as_they_need(cluster: ModuleType, workers: int, expected: float) -> None:
    assert cluster.makespan([1.0] * 12, workers) == expected
    assert cluster.makespan([1.0] * 12, workers, startup=2.0) == expected + 2


def test_a_long_cell_that_begins_last_is_waited_for(cluster: ModuleType) -> None:
    cells = [1.0, 1.0, 1.0, 1.0, 4.0]
    assert cluster.makespan(cells, 2) == 6.0
    assert cluster.makespan(cluster.longest_first(cells), 2) == cluster.least(cells, 2) == 4.0


def test_no_order_beats_the_least_and_longest_first_is_near_it(cluster: ModuleType) -> None:
    cells = np.random.default_rng(1).lognormal(1, 1, 60).tolist()
    for workers in (1, 2, 7, 30, 100):
        least, greedy = cluster.least(cells, workers), cluster.makespan(cluster.longest_first(cells), workers)
        assert least - 1e-9 <= greedy <= least * 4 / 3  # Graham (1969): at most 4/3 of the best, which is at least this
        assert cluster.makespan(cells, workers) >= least - 1e-9


def test_cells_are_those_of_the_study_in_the_order_in_which_they_begin(cluster: ModuleType) -> None:
    from sculpting.studies import boolean
    from sculpting.study import _left

    class Empty:
        def made(self, name: str) -> None:
            return None

    study = boolean.study()
    assert [*cluster.cell_seconds("Boolean")] == _left(study, Empty(), {*study.cells})  # type: ignore[arg-type]
    assert sum(cluster.of_study("Boolean")) / 3600 == pytest.approx(3.16, abs=0.005)  # as docs/study.md says


def test_the_page_shows_the_simulation(cluster: ModuleType) -> None:
    page = (ROOT / "docs" / "scale.md").read_text()
    startup = cluster.startup_of(cluster.kept_lines(cluster.OUT, "workers"))
    assert "\n".join(cluster.simulated(startup)) in page


# --- A GPU --------------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is at hand")
def test_without_a_gpu_its_script_says_so_in_one_line_and_writes_nothing(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("*.csv", "*.md", "__pycache__"))
    ended = subprocess.run(["sh", "benchmarks/gpu.sh", sys.executable], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert (
        ended.stderr == f"gpu.sh: no GPU is at hand: torch.cuda.is_available() is False with {sys.executable}. Nothing was run or written\n"
    )
    assert not (tmp_path / "benchmarks" / "results" / "gpu.md").exists()


# --- Pages --------------------------------------------------------------------------------------------------------------------


def test_marks_keep_what_is_around_them() -> None:
    marks = _benchmark("marks")
    page = "before\n<!-- begin a -->\nold\n<!-- end a -->\nafter\n"
    filled = marks.filled(page, {"a": ["new"], "b": ["nowhere"]})
    assert filled == "before\n<!-- begin a -->\n\nnew\n\n<!-- end a -->\nafter\n"
    assert marks.filled(filled, {"a": ["new"]}) == filled
