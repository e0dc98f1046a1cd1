"""The command line on files of one's own: data to sculpt, and networks to find modules in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from fuzz.readers_files import module_file
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from analysis import LayeredGraph, detect_modules
from sculpting import SparseNetwork
from sculpting.cli import main
from sculpting.cli.saved import read_network

# Two modules: x0 and x1 are read by a unit for y0, x2 and x3 by another for y1.
WEIGHTS = [np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]]), np.array([[1.0, 0], [0, -1]])]
TABLE = "colour,size,sign,kind\n" + "".join(
    f"{colour},{size},{sign},{'big' if size > 14 else 'small'}\n" for colour in ("red", "green") for size in range(30) for sign in (-1, 1)
)
QUICK = ["--hidden", "6", "--seeds", "1"]


def test_a_table_is_sculpted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fruit.csv").write_text(TABLE)
    assert main(["sculpt", "fruit.csv", "--target", "kind", "--ignore", "sign", *QUICK]) == 0
    shown = capsys.readouterr()
    assert "Task fruit, 1 hidden layer of 6 units\n\nTask(fruit: 72 rows, 3 inputs, 2 outputs, ce)\n" in shown.out
    assert "inputs size; outputs" in shown.out
    assert "exact" not in shown.out
    folder = tmp_path / "runs" / "fruit"
    assert sorted(p.name for p in folder.iterdir()) == ["modules.html", "modules.svg", "network.graphml", "network.safetensors"]
    network = SparseNetwork.load(folder / "network.safetensors")
    assert (network.input_names, network.output_names) == (("colour=green", "colour=red", "size"), ("big", "small"))
    assert network.widths == (3, 6, 2)


def test_arrays_and_numbers_are_sculpted_and_notes_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).random((60, 3))
    for name, y, note in (("numbers", x[:, :1] * 2 - 7, ""), ("signs", np.where(x[:, 0] > 0.5, 1, -1)[:, None], "targets of -1 and 1")):
        file = tmp_path / f"{name}.npz"
        np.savez(file, x=x, y=y)
        assert main(["sculpt", str(file), "--hidden", "4", "4", "--seeds", "1", "--out", str(tmp_path / name)]) == 0
        shown = capsys.readouterr()
        assert "2 hidden layers of 4 units" in shown.out
        assert ("Lesions" in shown.out) == bool(note)  # which count wrong decisions
        assert [line for line in shown.err.splitlines() if str(file) in line] == [
            line for line in shown.err.splitlines() if note and line.startswith(f"{file}: {note}")
        ]


def test_hidden_layers_of_a_named_task_may_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "4,2,4").write_text("a file of the name of a task hides no task")
    assert main(["sculpt", "4,2,4", "--hidden", "12", "10", "--seeds", "1", "--out", "here"]) == 0
    assert "Task [4, 2, 4], 2 hidden layers of 12, 10 units" in capsys.readouterr().out


def graph() -> nx.DiGraph:
    found: nx.DiGraph = LayeredGraph.from_weights(WEIGHTS).to_networkx()
    return found


def named_by_text() -> nx.DiGraph:
    return nx.relabel_nodes(graph(), {unit: f"{unit[0]}:{unit[1]}" for unit in graph()})


def chain(**options: Any) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(4, 2, **options), nn.ReLU(), nn.Linear(2, 2, **options))
    with torch.no_grad():
        for layer, weight in zip(model[::2], WEIGHTS, strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
    return model


def pruned() -> nn.Sequential:
    model = chain()
    with torch.no_grad():
        mask = (model[0].weight != 0).float()
        model[0].weight += 1 - mask
    prune.custom_from_mask(model[0], "weight", mask)
    return model


def ten_layers() -> dict[str, np.ndarray[Any, Any]]:
    """Names whose alphabetical order is not that of the layers."""
    return {f"layer{i}": weight for i, weight in enumerate([WEIGHTS[0], *[np.eye(2)] * 9, WEIGHTS[1]])}


def old_links(graph: nx.DiGraph) -> dict[str, Any]:
    data = nx.node_link_data(graph, edges="links")
    return {"directed": True, "multigraph": False, "graph": data["graph"], "nodes": data["nodes"], "links": data["links"]}


NOTE = "the file has no activations; relu is assumed"
KINDS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "graph.graphml": (lambda p: nx.write_graphml(named_by_text(), p), ""),
    "graph.gexf": (lambda p: nx.write_gexf(named_by_text(), p), NOTE),
    "links.json": (lambda p: p.write_text(json.dumps(old_links(graph()))), ""),
    "edges.json": (lambda p: p.write_text(json.dumps(nx.node_link_data(named_by_text(), edges="edges"))), ""),
    "matrices.npz": (lambda p: np.savez(p, *WEIGHTS), NOTE),
    "biases.npz": (lambda p: np.savez(p, w1=WEIGHTS[0], b1=np.ones(2), w2=WEIGHTS[1], b2=np.ones(2)), NOTE),
    "deep.npz": (lambda p: np.savez(p, **ten_layers()), NOTE),
    "names.npz": (lambda p: np.savez(p, **{name: value.numpy() for name, value in chain().state_dict().items()}), NOTE),
    "state.pt": (lambda p: torch.save(chain().state_dict(), p), NOTE),
    "bare.pth": (lambda p: torch.save(chain(bias=False).state_dict(), p), NOTE),
    "pruned.pt": (lambda p: torch.save(pruned().state_dict(), p), NOTE),
    "checkpoint.pt": (lambda p: torch.save({"epoch": 3, "state_dict": chain().state_dict()}, p), NOTE),
    "state.safetensors": (lambda p: save_file(chain().state_dict(), p), NOTE),
    "ours.safetensors": (lambda p: SparseNetwork(tuple(WEIGHTS), (np.zeros(2),) * 2, ("relu", "identity")).save(p), ""),
}


@pytest.mark.parametrize("name", KINDS)
def test_networks_of_every_kind_are_read(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write, note = KINDS[name]
    write(tmp_path / name)
    assert main(["modules", str(tmp_path / name)]) == 0
    shown = capsys.readouterr()
    modules = [line for line in shown.out.splitlines() if line.startswith("M")]
    assert [line.partition("; hidden")[0] for line in modules] == ["M0: inputs x0, x1; outputs y0", "M1: inputs x2, x3; outputs y1"]
    assert shown.err.startswith(f"{tmp_path / name}: {note}") if note else not shown.err
    assert main(["draw", str(tmp_path / name)]) == 0
    assert (tmp_path / name).with_suffix(".svg").stat().st_size > 500


def test_the_graph_that_sculpt_writes_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = detect_modules([weight.repeat(6, axis=0) if i == 0 else weight.repeat(6, axis=1) for i, weight in enumerate(WEIGHTS)])
    found.write_graphml(tmp_path / "network.graphml")
    assert main(["modules", str(tmp_path / "network.graphml")]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{found}\n"
    assert not shown.err


def written(folder: Path) -> None:
    """Files that are not what a command expects."""
    (folder / "fruit.csv").write_text(TABLE)
    (folder / "text.graphml").write_text("not a graph")
    (folder / "text.json").write_text('{"a": 1}')
    (folder / "text.pt").write_text("not a state_dict")
    (folder / "text.npz").write_text("no arrays")
    (folder / "notes.txt").write_text("notes")
    np.savez(folder / "data.npz", x=np.eye(4), y=np.arange(4))
    np.savez(folder / "cube.npz", w=np.zeros((2, 2, 2)))
    nx.write_graphml(nx.DiGraph([("a", "b"), ("b", "a")]), folder / "circle.graphml")
    torch.save(chain(), folder / "whole.pt")
    torch.save(nn.Sequential(nn.Conv2d(1, 2, 3)).state_dict(), folder / "conv.pt")
    torch.save(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).state_dict(), folder / "norm.pt")
    KINDS["ours.safetensors"][0](folder / "ours.safetensors")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["modules", "fruit.csv"], "fruit.csv must be a network, such as network.safetensors; got a table. `sculpting sculpt` takes those"),
        (["draw", "data.npz"], "data.npz must hold the matrices of a network; got x and y. `sculpting sculpt` takes those"),
        (["modules", "cube.npz"], "cube.npz must hold matrices (n_out, n_in) and, if any, as many biases; got w of shape (2, 2, 2)"),
        (["modules", "text.npz"], "text.npz is not a network"),
        (["modules", "text.graphml"], "text.graphml must be well-formed XML; got syntax error"),
        (["draw", "circle.graphml"], "circle.graphml is not a network: the graph must be layered; got one with a cycle"),
        (["modules", "text.json"], "text.json must hold a graph with nodes and links, as networkx.node_link_data gives it"),
        (["modules", "text.pt"], "text.pt must hold tensors only. Save model.state_dict()"),
        (["modules", "whole.pt"], "whole.pt must hold tensors only. Save model.state_dict()"),
        (["modules", "conv.pt"], "a state_dict must be of a chain of Linear layers, with weights and biases only; got '0'"),
        (["modules", "norm.pt"], "with weights and biases only; got '1'"),
        (["modules", "notes.txt"], "notes.txt is not a network: expected a file written by SparseNetwork.save"),
        (["modules", "."], "there is no network file ."),
        (["sculpt", "fruit.csv"], "the target must be a column of fruit.csv, one of colour, size, sign, kind; got none"),
        (["sculpt", "fruit.csv", "--target", "knid"], "got 'knid'. Did you mean 'kind'?"),
        (["sculpt", "nowhere.csv", "--target", "kind"], "there is no file nowhere.csv"),
        (["sculpt", "ours.safetensors"], "a file of data must end in one of .csv, .tsv, .parquet, .npz; got ours.safetensors"),
        (["sculpt", "cube.npz"], "cube.npz must hold arrays x and y; got w"),
        (["sculpt", "text.npz"], "text.npz must hold numeric arrays x and y"),
        (["sculpt", "both", "--target", "y"], "--target is for a file of data, .csv, .tsv, .parquet, .npz; got the task both"),
        (["sculpt", "both", "--hidden", "8", "--layers", "2"], "--hidden gives the units of each hidden layer; leave out --width"),
        (["sculpt", "both", "--hidden", "0"], "at least one hidden layer of at least one unit"),
    ],
)
def test_swapped_and_unreadable_files_get_one_line_and_write_nothing(
    arguments: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"sculpting {arguments[0]}: ")
    assert text in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert sorted(tmp_path.rglob("*")) == before


def onnx_file(path: Path, *nodes: tuple[str, list[str], dict[str, Any]]) -> Path:
    """A model whose nodes are made one after the other; names of their outputs are h0, h1 and so on."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    arrays = {"w0": WEIGHTS[0], "w1": WEIGHTS[1], "w1t": WEIGHTS[1].T, "b0": np.array([0.5, -0.5])}
    made = [helper.make_node(op, given, [f"h{i}"], name=op.lower(), **settings) for i, (op, given, settings) in enumerate(nodes)]
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, n]) for name, n in (("x", 4), (f"h{len(nodes) - 1}", 2))]
    constants = [onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    onnx.save(helper.make_model(helper.make_graph(made, "chain", values[:1], values[1:], constants)), path)
    return path


def test_a_chain_in_an_onnx_file_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chain = [("Gemm", ["x", "w0", "b0"], {"transB": 1}), ("Tanh", ["h0"], {}), ("MatMul", ["h1", "w1t"], {}), ("Softmax", ["h2"], {})]
    graph, note = read_network(onnx_file(tmp_path / "net.onnx", *chain))
    assert (graph.widths, graph.activations, note) == ((4, 2, 2), ("tanh", "identity"), "")
    assert [weight.T.tolist() for weight in graph.weights] == [weight.tolist() for weight in WEIGHTS]
    assert [bias.tolist() for bias in graph.biases] == [[0.5, -0.5], [0.0, 0.0]]
    assert main(["modules", str(tmp_path / "net.onnx")]) == 0
    assert "M0: inputs x0, x1; outputs y0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([("Gemm", ["x", "w0"], {}), ("Sin", ["h0"], {})], r"got the operator Sin \(sin\)"),
        ([("Gemm", ["x", "w0"], {}), ("Add", ["h0", "h0"], {})], r"must be a chain; got Add \(add\), which reads other values too"),
        ([("Gemm", ["x", "w0"], {}), ("Gemm", ["x", "w0"], {})], r"must be a chain; got Gemm"),
        ([("Gemm", ["x", "w0"], {}), ("Elu", ["h0"], {"alpha": 0.5})], r"must have Elu with {'alpha': 1.0}; got"),
        ([("Identity", ["x"], {})], "must be a chain of Gemm or MatMul with constant matrices; got none"),
    ],
)
def test_other_onnx_files_are_refused(nodes: list[Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=text):
        read_network(onnx_file(tmp_path / "net.onnx", *nodes))


def test_a_sparse_module_is_read_in_python_alone(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(module_file())
    with pytest.raises(ValueError, match=r"is a SparseModule, which needs the code of its model. In Python: analysis.detect_modules"):
        read_network(tmp_path / "net.safetensors")


def test_layers_without_numbers_have_no_order_in_safetensors(tmp_path: Path) -> None:
    save_file({"encoder.weight": torch.ones(3, 8), "decoder.weight": torch.ones(8, 3)}, tmp_path / "net.safetensors")
    with pytest.raises(
        ValueError, match=r"must number its layers, since such files keep no order; got \['decoder', 'encoder'\]. Save it as .pt"
    ):
        read_network(tmp_path / "net.safetensors")
