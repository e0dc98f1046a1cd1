"""A Dask cluster of a scheduler and two workers, of which one is killed: nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from test_study import no_report

from sculpting.cli import main
from sculpting.executors import cluster
from sculpting.study import CellResult, Study, run

MAKERS = {f"net-{seed}": {"seed": seed} for seed in range(6)}
READERS = {f"reader-{seed}": {"seed": seed} for seed in range(6)}
PATIENCE = 60  # seconds


def work(seed: int, files: Mapping[str, bytes] | None = None) -> CellResult:
    """A layer that learns a linear map, kept as JSON, or the sum of one that was kept."""
    if files is not None:
        (content,) = files.values()
        return CellResult([{"seed": seed, "kind": "reader", "value": sum(map(abs, json.loads(content)))}])
    generator = torch.Generator().manual_seed(seed)
    x, target, weight = (torch.randn(shape, generator=generator) for shape in ((64, 5), (5, 1), (5, 1)))
    for _ in range(400):
        weight -= 0.01 * x.t() @ (x @ (weight - target)) / len(x)
        time.sleep(0.0005)
    error = float((x @ (weight - target)).square().mean())
    made = {f"networks/net-{seed}.json": json.dumps(weight.flatten().tolist()).encode()}
    return CellResult([{"seed": seed, "kind": "net", "value": error, "threads": torch.get_num_threads()}], made)


def grid() -> Study:
    needs = {f"reader-{seed}": [f"net-{seed}"] for seed in range(6)}
    return Study({**MAKERS, **READERS}, work, {}, no_report, needs=needs, table=lambda rows: [{k: r[k] for k in SHOWN} for r in rows])


SHOWN = ("seed", "kind", "value")


def dask(what: str, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """A scheduler or a worker, which sees the modules of these tests."""
    paths = [str(Path(__file__).parents[1]), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(folder / "scheduler.json"), *options]
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [*command, *local], stdout=log, stderr=log, cwd=folder, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        )


@pytest.fixture
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler, and its two workers; all are killed at the end."""
    folder = tmp_path_factory.mktemp("dask")
    with ExitStack() as stack:

        def start(what: str, *options: str) -> subprocess.Popen[bytes]:
            process = dask(what, folder, *options)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("scheduler", "--port", "0")
        found = [start("worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)) for _ in range(2)]
        end = time.monotonic() + PATIENCE
        while not (folder / "scheduler.json").exists() and time.monotonic() < end:
            time.sleep(0.05)
        yield json.loads((folder / "scheduler.json").read_text())["address"], found


def test_a_worker_that_is_killed_loses_nothing(processes: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path) -> None:
    address, (victim, _) = processes
    serial = run(grid(), tmp_path / "serial", progress=False)
    counts: list[int] = []

    def kill(done: int, total: int) -> None:
        counts.append(done)
        if done == 3:
            assert total == 12
            victim.send_signal(signal.SIGKILL)

    with cluster(address) as executor:
        executor._client.wait_for_workers(2, timeout=PATIENCE)  # type: ignore[attr-defined]
        assert run(grid(), tmp_path / "cluster", executor=executor, progress=kill) == serial
    assert victim.wait(PATIENCE) == -signal.SIGKILL
    assert counts == list(range(13))
    assert len(serial) == 12
    assert set(Counter(json.dumps(row) for row in serial).values()) == {1}
    one, other = ({path.name: path.read_bytes() for path in (tmp_path / name / "networks").iterdir()} for name in ("serial", "cluster"))
    assert one == other
    assert len(one) == 6
    rows = [row for path in (tmp_path / "cluster" / "cells").glob("net-*.json") for row in json.loads(path.read_text())["rows"]]
    assert [row["threads"] for row in rows] == [1] * 6


def test_a_cluster_without_dask_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["study", "parities", "--cluster", "tcp://127.0.0.1:1", "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert "a cluster needs Dask" in shown
    assert 'pip install "neural-sculpting[cluster]"' in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_does_not_reply_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sculpting.executors.PATIENCE", 0.5)
    for address, text in (("tcp://127.0.0.1:1", "got 'tcp://127.0.0.1:1'"), ("nonsense://x", "got 'nonsense://x'")):
        assert main(["study", "parities", "--cluster", address, "--out", str(tmp_path / "out")]) == 2
        shown = capsys.readouterr().err
        assert "cluster must be the address of a Dask scheduler, such as tcp://127.0.0.1:8786" in shown
        assert text in shown
        assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()
