"""The study store, tables, files of one's own, and the command line."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from .harness import Another, Reader, Refused
from .mutations import flipped_bit, mutated_bytes, mutated_json, odd_json, odd_text, odd_values

SETTINGS = {"steps": 60, "grid": [2.5, 1.0], "noise": None}
ARGUMENTS = {"width": 4, "task": "both"}
ROWS = [
    {"task": "[4, 2, 4]", "density": 0.1 + 0.2, "support": None, "exact": True},
    {"task": "b", "density": 1e-9, "support": 1, "exact": False},
]
NETWORK = "networks/one.json"
WEIGHTS = [np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]]), np.array([[1.0, 0], [0, -1]])]
TABLE = "colour,size,ripe,price,kind\n" + "".join(
    f"{c},{i},{'true' if i % 3 else 'false'},{i / 2},k{i % 3}\n" for i in range(12) for c in ("a", "b")
)


# --- The study store ----------------------------------------------------------------------------------------------------------


@cache
def study_files() -> dict[str, bytes]:
    """The files of an intact study with one cell."""
    from sculpting.store import Store

    with tempfile.TemporaryDirectory() as folder:
        Store.open(folder, SETTINGS).save("one", ARGUMENTS, ROWS, {NETWORK: b'{"weights": [1, 2]}'})
        return {name: (Path(folder) / name).read_bytes() for name in ("study.json", "cells/one.json", NETWORK)}


def _text(value: Any) -> str:
    """The value as JSON; one that is too deep for Python's writer as brackets alone."""
    try:
        return json.dumps(value, indent=1)
    except RecursionError:
        return "[" * 5000 + "]" * 5000


def _written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def make_study(random: Random, folder: Path) -> Path:
    """A study of which one file is mutated, as bytes or as the value that it holds."""
    files = dict(study_files())
    name = random.choice(list(files))
    if random.random() < 0.5:
        files[name] = mutated_bytes(random, files[name])
    else:
        files[name] = _text(mutated_json(random, json.loads(files[name]))).encode()
    return _written(folder, files)


def make_flipped_study(random: Random, folder: Path) -> Path:
    """A study of which one bit is flipped."""
    files = dict(study_files())
    name = random.choice(list(files))
    files[name] = flipped_bit(random, files[name])
    return _written(folder, files)


def read_study(folder: Path) -> None:
    """Open, load and read everything."""
    from sculpting.store import Store

    store = Store.open(folder, SETTINGS)
    rows = store.load("one", ARGUMENTS)
    if store.names() != {"one"} or repr(rows) != repr(ROWS):
        raise Another(f"rows {rows!r}"[:300])
    if store.made("one") != [NETWORK] or store.read(NETWORK) != study_files()[NETWORK]:
        raise Another("another file of the cell")


# --- Tables and what is saved -------------------------------------------------------------------------------------------------


def make_rows(random: Random, folder: Path) -> tuple[Path, Any, Any, Any, str]:
    """Odd rows, arguments and files, and the suffix of a table."""
    rows: Any = [dict(row) for row in ROWS]
    kind = random.randrange(4)
    if kind == 0:
        rows = odd_values(random)
    elif kind == 1:
        rows = mutated_json(random, rows)
    elif kind == 2:
        key = odd_text(random)
        rows = [{**row, key: odd_json(random)} for row in rows]
    else:
        rows = [{**row, "density": odd_values(random)} for row in rows]
    arguments = odd_values(random) if random.random() < 0.1 else mutated_json(random, ARGUMENTS) if random.random() < 0.5 else ARGUMENTS
    files = {odd_text(random): b"{}"} if random.random() < 0.2 else {NETWORK: odd_values(random)} if random.random() < 0.1 else {}
    return folder, rows, arguments, files, random.choice((".csv", ".json"))


def read_rows(given: tuple[Path, Any, Any, Any, str]) -> None:
    """Save the rows as a cell and load them, or write them as a table."""
    import csv

    from sculpting.store import Store, table_bytes

    folder, rows, arguments, files, suffix = given
    try:
        content = table_bytes(rows, suffix)
    except (TypeError, ValueError):
        pass
    else:
        text = content.decode()
        if suffix == ".csv" and len(list(csv.reader(io.StringIO(text, newline="")))) != len(rows) + 1:
            raise Another("another number of rows")
        if suffix == ".csv" and any(row[0][:1] in ("=", "@") for row in csv.reader(io.StringIO(text, newline="")) if row):
            raise Another("a formula")
        if suffix == ".json" and len(json.loads(text)) != len(rows):
            raise Another("another number of rows")
    store = Store.open(folder / "study", SETTINGS)
    saved = store.save("one", arguments, rows, files)
    if repr(store.load("one", arguments)) != repr(saved) or store.made("one") != sorted(files):
        raise Another("the saved rows are others")


# --- Files of one's own -------------------------------------------------------------------------------------------------------


@cache
def own_files() -> dict[str, bytes]:
    """Intact files of every kind: tables and arrays to learn, and networks of other libraries."""
    import torch
    from safetensors.numpy import save

    arrays, matrices, state, table = io.BytesIO(), io.BytesIO(), io.BytesIO(), TABLE.encode()
    x = np.random.default_rng(0).random((30, 3))
    np.savez(arrays, x=x, y=(x[:, 0] > 0.5).astype(int))
    np.savez(matrices, w0=WEIGHTS[0], w1=WEIGHTS[1], b0=np.zeros(2), b1=np.zeros(2))
    tensors = {"0.weight": WEIGHTS[0], "0.bias": np.zeros(2), "2.weight": WEIGHTS[1], "2.bias": np.zeros(2)}
    torch.save({name: torch.from_numpy(value) for name, value in tensors.items()}, state)
    files = {"data.csv": table, "data.tsv": table.replace(b",", b"\t"), "data.npz": arrays.getvalue(), "net.npz": matrices.getvalue()}
    files |= {"net.pt": state.getvalue(), "net.safetensors": save(tensors)}
    with contextlib.suppress(ImportError):
        import pandas

        parquet = io.BytesIO()
        pandas.read_csv(io.BytesIO(table)).to_parquet(parquet)
        files["data.parquet"] = parquet.getvalue()
    return files


def make_own(random: Random, folder: Path) -> Path:
    """A file of a random kind, mutated."""
    name = random.choice(list(own_files()))
    (folder / name).write_bytes(mutated_bytes(random, own_files()[name]))
    return folder / name


def read_own(path: Path) -> None:
    """Read a file as a task or as a network, and use it."""
    import warnings

    from analysis import detect_modules
    from sculpting.cli.saved import read_network
    from sculpting.tasks import from_file

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.stem == "data":
            task = from_file(path, target=() if path.suffix == ".npz" else "price")
            task.model(width=2, hidden_layers=1)
            repr(task)
        else:
            repr(detect_modules(read_network(path)[0]))


# --- The command line ---------------------------------------------------------------------------------------------------------


@cache
def network_files() -> dict[str, Any]:
    """The facts of a saved network, as the file of a graph has them, and its bytes."""
    import networkx as nx

    from analysis import LayeredGraph
    from sculpting import SparseNetwork

    graph = LayeredGraph.from_weights(WEIGHTS).to_networkx()
    with tempfile.TemporaryDirectory() as folder:
        network = SparseNetwork(
            tuple(w.astype(np.float32) for w in WEIGHTS), (np.zeros(2, np.float32),) * 2, ("relu", "identity"),
            input_names=("a", "b", "c", "d"), accuracy=0.5, origin={"seed": 0, "image": [2, 2]},
        )  # fmt: skip
        saved = network.save(Path(folder) / "network.safetensors").read_bytes()
        nx.write_graphml(graph, Path(folder) / "network.graphml")
        written = (Path(folder) / "network.graphml").read_bytes()
    return {"json": nx.node_link_data(graph, edges="edges"), "safetensors": saved, "graphml": written}


def _safetensors(random: Random, content: bytes) -> bytes:
    """The file with one of its facts mutated, under a header of the right length."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    facts = header["__metadata__"]
    name = random.choice(list(facts))
    try:
        value = _text(mutated_json(random, json.loads(facts[name])))
    except ValueError:
        value = odd_text(random)
    facts[name] = value
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + content[8 + size :]


def make_facts(random: Random, folder: Path) -> list[str]:
    """``modules`` or ``draw`` of a file whose facts are mutated."""
    kind = random.choice(("json", "safetensors", "safetensors", "graphml"))
    path = folder / f"network.{kind}"
    intact = network_files()[kind]
    if kind == "json":
        path.write_text(_text(mutated_json(random, json.loads(json.dumps(intact)))))
    elif kind == "safetensors" and random.random() < 0.7:
        path.write_bytes(_safetensors(random, intact))
    else:
        path.write_bytes(mutated_bytes(random, intact))
    if random.random() < 0.5:
        return ["modules", str(path)]
    return ["draw", str(path), "--out", str(folder / f"m.{random.choice(('svg', 'html', 'dot'))}")]


VALUES = ("0", "-1", "3", "1e9", "1000000000", "9" * 30, "9" * 5000, "nan", "inf", "-inf", "0.5", "90", "", "\ud800", "=1")


def make_line(random: Random, folder: Path) -> list[str]:
    """A command with odd arguments, which ends before anything is trained; the names of tasks are odd ones too."""
    odd = lambda: random.choice((*VALUES, odd_text(random)))  # noqa: E731
    kind = random.randrange(6)
    if kind == 0:
        name = random.choice(("both", "cmsp", "cmsp:m=2,k=2", "random-gates", "mnist-pair", "[4,2,4]", "4,2,4"))
        name = mutated_bytes(random, name.encode()).decode(errors="surrogateescape")
        more = random.choice(("", f":m={odd()},k={odd()}", f":seed={odd()},levels={odd()}", f":codes={odd()}", ":size=1000000000"))
        return ["sculpt", name[:10_000] + more, "--device", "abacus"]
    if kind == 1:
        flag = random.choice(("--width", "--layers", "--hidden", "--seeds", "--seed", "--merge-threshold", "--select", "--out"))
        return ["sculpt", "both", f"{flag}={odd()}", "--device", "abacus"]
    if kind == 2:
        return [random.choice(("modules", "draw")), odd(), "--image", odd(), odd(), f"--merge-threshold={odd()}"]
    if kind == 3:
        return [odd() for _ in range(random.randrange(4))]
    if kind == 4:
        flag = random.choice(("--sparsity", "--heads", "--rounds", "--tokens", "--rate", "--batch-size", "--length", "--every", "--limit"))
        return ["narrow-lm", "--model", str(folder / "none"), "--keep", "python", "--out", str(folder / "out"), f"{flag}={odd()}"]
    flag = random.choice(("--groups", "--tasks", "--jobs", "--candidates"))
    return ["study", "boolean", f"{flag}={odd()}", "--cluster", "nowhere"]


def run_line(arguments: list[str]) -> None:
    """Run a command; anything but a status and one line, or a usage error, is a fault."""
    from sculpting.cli import main

    shown, printed = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(shown), contextlib.redirect_stdout(printed):
        try:
            status = main(arguments)
        except SystemExit as stopped:
            status = int(stopped.code or 0)
            usage = True
        else:
            usage = False
    text = shown.getvalue()
    if status not in (0, 1, 2) or "Traceback" in text or (not usage and status and text.count("\n") != 1):
        raise AssertionError(f"status {status}: {text[-200:]}")
    if status:
        raise Refused(text)


def warm() -> None:
    """Import everything, and make the intact files."""
    from analysis import detect_modules
    from sculpting.cli import commands, saved  # noqa: F401

    study_files()
    own_files()
    network_files()
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("svg", "html", "dot"):
            detect_modules(WEIGHTS).draw(Path(folder) / f"warm.{suffix}")


READERS = [
    Reader("study store", make_study, read_study, warm=warm),
    Reader("study store, one bit flipped", make_flipped_study, read_study, warm=warm),
    Reader("tables, Store.save", make_rows, read_rows, warm=warm),
    Reader("CSV, TSV, Parquet, NPZ, state_dict files of one's own", make_own, read_own, warm=warm),
    Reader("sculpting modules, draw on mutated facts", make_facts, run_line, (Refused,), warm),
    Reader("task names, command line", make_line, run_line, (Refused,), warm),
]
