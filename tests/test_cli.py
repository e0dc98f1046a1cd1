"""The command line: what it prints, what it writes, and one line with status 2 on bad input."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import detect_modules
from sculpting import SparseNetwork, studies, tasks
from sculpting.cli import commands, main
from sculpting.studies import STUDIES
from sculpting.studies.common.evidence import evidence_of

SMALL = ["--width", "12", "--layers", "1", "--seeds", "1"]


@pytest.fixture(scope="module")
def sculpted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sculpted")
    assert main(["sculpt", "both", *SMALL, "--out", str(folder), "--quiet"]) == 0
    return folder


def test_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert len(lines) == 45
    assert lines[-1].strip() == "expression-parity:[digits=],[operators=]"
    assert "cmsp:m=,k=,[n=],[codes=],[outputs=],[rows=],[seed=]" in [line.strip() for line in lines]
    assert "6,3,3,3      both               64 rows   6 inputs   3 outputs" in lines


def test_sculpt_writes_everything_and_is_quiet_when_asked(sculpted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert capsys.readouterr().out == ""
    assert sorted(p.name for p in sculpted.iterdir()) == ["modules.html", "modules.svg", "network.graphml", "network.safetensors"]
    assert SparseNetwork.load(sculpted / "network.safetensors").accuracy == 1.0
    assert "Task [6, 3, 3, 3]" in (sculpted / "modules.html").read_text()


@pytest.mark.parametrize("rule", ["consensus", "sparsest"])
def test_sculpt_reports(rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sculpt", "4,2,4", *SMALL, "--select", rule, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "Task [4, 2, 4], 1 hidden layer of 12 units",
        rule.capitalize(),
        "density",
        "units:",
        "accuracy on the validation rows: 1.0000",
        "M0: inputs x0, x1",
        "exact:",
        "wrote",
    ):
        assert part in shown
    assert ("support:" in shown) == (rule == "consensus")


def test_report_writes_a_page_of_a_saved_network(sculpted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "network.safetensors"
    file.write_bytes((sculpted / "network.safetensors").read_bytes())
    assert main(["report", str(file)]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'network.html'}\n"
    page = (tmp_path / "network.html").read_text()
    assert "<h1>network</h1>" in page
    assert "the report was made from the network alone" in page
    assert "Against the truth" not in page
    assert main(["report", str(file), "--task", "both", "--out", str(tmp_path / "b.html"), "--image", "2", "3"]) == 0
    page = (tmp_path / "b.html").read_text()
    assert all(part in page for part in ("Against the truth", "<h2>Chance</h2>", "accuracy lost without it", "computes", "<h2>Pixels</h2>"))
    assert main(["report", str(file), "--out", str(tmp_path / "b.pdf")]) == 2
    assert main(["report", str(file), "--task", "none"]) == 2


def test_sculpt_writes_a_page_with_the_rounds(sculpted: Path) -> None:
    page = (sculpted / "modules.html").read_text()
    assert 'type="range"' in page
    assert all(part in page for part in ("Against the truth", "<h2>Chance</h2>", "<dt>seeds</dt><dd>0</dd>", "<dt>PyTorch</dt>"))


def test_modules_and_draw_read_a_saved_network(sculpted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(sculpted / "network.safetensors")
    assert main(["modules", file, "--task", "both"]) == 0
    shown = capsys.readouterr().out
    assert "modules in a network of widths 6-12-3" in shown
    assert "exact:" in shown
    for suffix in ("svg", "png", "pdf", "html", "dot"):
        assert main(["draw", file, "--out", str(tmp_path / f"m.{suffix}")]) == 0
        assert (tmp_path / f"m.{suffix}").stat().st_size > 500


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", r"\xe9t\xe9, \u03c0"), ("cp1252", r"été, \u03c0"), ("utf-8", "été, π")])
def test_names_that_the_console_lacks_are_printed_with_escapes(
    encoding: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = SparseNetwork((np.ones((1, 2)),), (np.zeros(1),), ("identity",), input_names=("été", "π"))
    console = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", console)
    assert main(["modules", str(network.save(tmp_path / "named.safetensors"))]) == 0
    console.flush()
    assert f"inputs {shown}; outputs y0" in console.buffer.getvalue().decode(encoding)


def test_saved_networks_of_images_say_so_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = (np.repeat(np.eye(2), 4, axis=1), np.eye(2))
    network = SparseNetwork(weights, (np.zeros(2), np.zeros(2)), ("relu", "identity"), origin={"seed": 0, "image": [2, 4]})
    shown = []
    for name, origin in (("says", network.origin), ("silent", {"seed": 0})):
        file = str(replace(network, origin=origin).save(tmp_path / f"{name}.safetensors"))
        asked = [] if "image" in origin else ["--image", "2", "4", "--merge-threshold", "0.6"]
        assert main(["modules", file, *asked]) == 0
        assert main(["draw", file, *asked]) == 0
        shown.append((capsys.readouterr().out.splitlines()[:-1], (tmp_path / f"{name}.svg").read_bytes()))
    assert shown[0] == shown[1]
    assert "pixels" in "".join(shown[0][0])
    assert main(["draw", file, "--out", str(tmp_path / "plain.svg")]) == 0
    assert (tmp_path / "plain.svg").read_bytes() != shown[0][1]
    assert main(["draw", str(tmp_path / "says.safetensors"), "--out", str(tmp_path / "plain.dot")]) == 0  # Graphviz draws no maps of pixels


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["sculpt", "booth"], "sculpting sculpt: there is no task 'booth'; the nearest are both"),
        (["sculpt", "both", "--layers", "0"], "at least one hidden layer"),
        (["sculpt", "both", "--width", "0"], "at least one hidden layer of at least one unit"),
        (["sculpt", "both", "--layers", "1000000"], "hidden_layers must be at most 1,000; got more"),
        (["sculpt", "both", "--width", "1000000000"], "a model must have at most 100,000,000 weights and biases"),
        (["sculpt", "both", "--seeds", "1000000000"], "must give at most 1,000,000 chains"),
        (["sculpt", "both", "--merge-threshold", "nan"], "--merge-threshold must be a fraction in [0, 1]; got nan"),
        (["sculpt", "both", "--seeds", "0"], "at least 1; got 0"),
        (["sculpt", "both", "--seed", "-1"], "seed must be a whole number of at least 0; got -1"),
        (["demo", "--out", "/dev/null/demo"], "what --out names must be in a folder that can be written to; got /dev/null/demo"),
        (["sculpt", "both", "--device", "abacus"], "device must be available"),
        (["sculpt", "both", "--width", "1", "--layers", "1", "--seeds", "1", "--quiet"], "No network reached the accuracy"),
        (["sculpt", "both", "--merge-threshold", "90"], "--merge-threshold must be a fraction in [0, 1]; got 90"),
        (["modules", "nowhere.safetensors"], "sculpting modules: there is no network file nowhere.safetensors"),
        (["draw", "nowhere.safetensors"], "there is no network file"),
        (["study", "boolean", "--tasks", "both", "booth"], "sculpting study boolean: there is no task 'booth'; the nearest are both"),
        (["study", "functions", "--changed", "unit_trys=1"], "got 'unit_trys'. Did you mean unit_tries?"),
        (["study", "boolean", "--groups", "0"], "groups must be a whole number of groups of four seeds, at least 1; got 0"),
        (["study", "sensitivity", "--jobs", "0"], "jobs must be a whole number of processes, at least 1 and at most 1024; got 0"),
        (["study", "boolean", "--cluster", "nowhere"], "such as tcp://127.0.0.1:8786; got 'nowhere': it has no port"),
    ],
)
def test_bad_input_gets_status_two_and_one_line(
    arguments: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert text in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder_to_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(commands, "sculpt", None)
    (tmp_path / "taken").write_text("mine")
    assert main(["sculpt", "both", "--out", str(tmp_path / "taken")]) == 2
    assert "--out must be a folder, or not there yet; got the file" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_file_that_is_no_network_and_a_picture_of_no_known_kind(
    sculpted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.safetensors"
    text.write_text("not a network")
    assert main(["modules", str(text)]) == 2
    assert "is not a network" in capsys.readouterr().err
    assert main(["draw", str(sculpted / "network.safetensors"), "--out", str(tmp_path / "m.jpeg")]) == 2
    assert "path must end in one of" in capsys.readouterr().err
    assert not (tmp_path / "m.jpeg").exists()


def test_usage_errors_have_status_two() -> None:
    both = ["study", "parities", "--jobs", "2", "--cluster", "tcp://127.0.0.1:8786"]
    for arguments in ([], ["carve"], ["sculpt"], ["sculpt", "both", "--select", "best"], ["study"], ["study", "letters"], both):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2


def test_counts_of_studies_are_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["boolean", "--groups", "1001"], ["nonlocality", "--seeds", "9" * 30]):
        with pytest.raises(SystemExit, match="2"):
            main(["study", *arguments])
        assert "must be at most" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (RuntimeError("cell one failed\nin two lines"), 1, "cell one failed in two lines"),
        (MemoryError(), 1, "there was not enough memory"),
        (OSError("no space"), 2, "no space"),
        (ValueError("x" * 10_000), 2, "x ... x"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_whatever_happens_is_said_in_one_line(
    error: BaseException, status: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: Any) -> None:
        raise error

    monkeypatch.setattr(commands, "list_tasks", fail)
    assert main(["tasks"]) == status
    shown = capsys.readouterr().err
    assert shown.startswith("sculpting tasks: ")
    assert text in shown
    assert shown.count("\n") == 1
    assert len(shown) < 2100


@pytest.mark.parametrize("size", ["text", [1], [0, 4], [2.0, 4], {"0": 1}])
def test_an_image_size_that_is_none_is_refused(size: Any, sculpted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = SparseNetwork((np.ones((1, 8)),), (np.zeros(1),), ("identity",), origin={"image": size})
    with pytest.raises(ValueError, match="image"):
        commands._image(argparse.Namespace(image=None, file=tmp_path / "n.safetensors"), network)


def test_a_reader_that_closes_the_pipe_and_a_full_device_are_no_traceback() -> None:
    done = subprocess.run(f"{sys.executable} -m sculpting tasks | true", shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    if Path("/dev/full").exists():
        done = subprocess.run(f"{sys.executable} -m sculpting tasks > /dev/full", shell=True, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (2, "sculpting tasks: [Errno 28] No space left on device\n")


def test_python_m_sculpting_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "sculpting", "tasks"], capture_output=True, text=True, check=True)
    assert "6,3,3,3" in done.stdout


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("boolean", {"tasks": None, "groups": 4, "candidates": None, "changed": ()}),
        ("boolean --tasks both 4,1,4 --groups 2", {"tasks": ["both", "4,1,4"], "groups": 2, "candidates": None, "changed": ()}),
        ("functions --candidates kept", {"candidates": Path("kept"), "changed": ()}),
        (
            "functions --changed unit_tries=1 edge_score=magnitude unit_steps=[0.5,0.2] rate_width=null",
            {
                "candidates": None,
                "changed": [("unit_tries", 1), ("edge_score", "magnitude"), ("unit_steps", [0.5, 0.2]), ("rate_width", None)],
            },
        ),
        ("sensitivity --groups 2", {"groups": 2, "candidates": None}),
        ("digits", {"tasks": None, "sizes": [14], "source": "mnist", "data_dir": None}),
        (
            "digits --tasks mnist-xor --size 28 14 --source digits --data-dir data",
            {"tasks": ["mnist-xor"], "sizes": [28, 14], "source": "digits", "data_dir": Path("data")},
        ),
        ("parities", {}),
        ("curriculum --full", {"protocol": "full"}),
        ("nonlocality", {"size": "reduced", "widths": None, "seeds": 5, "lasso": True}),
        ("nonlocality --full --widths 64 128 --seeds 15 --no-lasso", {"size": "full", "widths": [64, 128], "seeds": 15, "lasso": False}),
        ("side-by-side", {"sets": None, "data_dir": None}),
        ("side-by-side --sets wine+iris wine+mnist --data-dir d", {"sets": ["wine+iris", "wine+mnist"], "data_dir": Path("d")}),
        ("known-structure", {"kinds": None}),
        ("known-structure --kinds scenes comparisons", {"kinds": ["scenes", "comparisons"]}),
        ("other-methods", {"kinds": None, "functions": None, "digits": None, "source": "mnist", "data_dir": None}),
        (
            "other-methods --kinds functions digits --functions f.csv --digits d.csv --source digits --data-dir d",
            {
                "kinds": ["functions", "digits"],
                "functions": Path("f.csv"),
                "digits": Path("d.csv"),
                "source": "digits",
                "data_dir": Path("d"),
            },
        ),
        ("even-digits", {"protocol": "reduced", "source": "mnist", "data_dir": None}),
        ("even-digits --full --source digits --data-dir d", {"protocol": "full", "source": "digits", "data_dir": Path("d")}),
    ],
)
def test_a_study_gets_its_options(
    line: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given: list[Any] = []
    name = line.split()[0]

    def fake_run(study: str, out: Path, **options: Any) -> None:
        given.append((study, out, options))
        out.mkdir(parents=True, exist_ok=True)
        (out / "summary.md").write_text("# A summary")

    monkeypatch.setitem(STUDIES, name, replace(STUDIES[name], study=lambda **options: given.append(options) or "a study"))
    monkeypatch.setattr(commands, "run", fake_run)
    monkeypatch.setattr(commands, "workers", lambda jobs: nullcontext(jobs))
    monkeypatch.setattr(commands, "cluster", lambda address: nullcontext(address))
    assert main(["study", *line.split()]) == 0
    assert capsys.readouterr().out == f"# A summary\nrows, summary and figures are in runs/study-{name}\n"
    assert main(["study", *line.split(), "--jobs", "3", "--out", "here", "--quiet"]) == 0
    assert main(["study", *line.split(), "--cluster", "tcp://there:8786", "--out", "here", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert given == [
        *(options, ("a study", Path(f"runs/study-{name}"), {"executor": 1, "progress": True, "altered": False})),
        *(options, ("a study", Path("here"), {"executor": 3, "progress": False, "altered": False})),
        *(options, ("a study", Path("here"), {"executor": "tcp://there:8786", "progress": False, "altered": False})),
    ]


def test_every_study_is_a_folder_of_its_name() -> None:
    folder = Path(studies.__file__ or "").parent
    assert {name.replace("-", "_") for name in STUDIES} == {path.parent.name for path in folder.glob("*/cells.py")}


def test_chance_is_judged_by_the_threshold_that_found_the_modules() -> None:
    """The detector of another threshold finds other modules in this network, and would be refused."""
    task = tasks.boolean("both")
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(np.float32) * (rng.random(shape) < 0.5) for shape in ((6, 6), (3, 6))]
    network = SparseNetwork(tuple(weights), tuple(np.zeros(len(w), dtype=np.float32) for w in weights), ("relu", "identity"))
    loose, strict = (detect_modules(network, merge_threshold=threshold) for threshold in (0.6, 0.9))
    assert len(loose.modules) != len(strict.modules)
    for found, threshold in ((loose, 0.6), (strict, 0.9)):
        assert set(evidence_of(found, task, task.truth(1), 0, threshold)) == {"Chance", "Lesions", "Gates"}
