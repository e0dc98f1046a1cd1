"""Files of networks and checkpoints: bytes of them changed, single bits, and fields and tensors written anew by another program."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np
import torch
from module_maps import SmallCNN
from narrow_runs import facts as narrow_facts
from narrow_runs import narrowed
from safetensors.torch import load, save
from torch import Tensor

from analysis.graph import as_graph
from fuzz.harness import Another, Reader
from fuzz.mutations import flipped_bit, mutated_bytes, mutated_json, odd_text
from sculpting import SparseModule, SparseNetwork, sculpt, tasks
from sculpting.engines import setup_of
from sculpting.integrity import UNSIGNED, signed
from sculpting.models.groups import units
from sculpting.narrow.language.training import checkpointing
from sculpting.narrow.resuming import NarrowCheckpoint
from sculpting.schedule.rounds import Rounds

__all__ = ["READERS"]

TASK = tasks.from_gates({"y": "(a & b) | c"})
CALL: dict[str, Any] = {"seeds": 2, "unit_steps": [0.5], "edge_steps": [0.1], "steps": 20, "progress": False}
DENSE: dict[str, Any] = {"steps": 3, "dense_rounds": 2, "input_noise": 0.1}
X = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 1]], dtype=np.float32)
ODD = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool, torch.uint8)


@cache
def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def in_folder(name: str) -> Path:
    return Path(folder().name) / name


# Networks


@cache
def chain_file() -> bytes:
    rng = np.random.default_rng(0)
    weights = tuple(rng.normal(size=shape) * (rng.random(shape) < 0.5) for shape in ((6, 3), (5, 6), (2, 5)))
    names, origin = (
        (("a", "b", "c"), ("left", "right")),
        {"seed": 3, "unit_step": 0.5, "edge_step": 0.1, "widths": [3, 6, 5, 2], "image": None},
    )
    network = SparseNetwork(
        weights, tuple(rng.normal(size=len(w)) for w in weights), ("relu", "relu", "identity"), None, 0.75, *names, origin, "bce"
    )
    return network.save(in_folder("network")).read_bytes()


@cache
def module_file() -> bytes:
    torch.manual_seed(0)
    model = SmallCNN()
    known = units(model, torch.zeros(3, 1, 6, 6))
    values = {name: part.detach().clone() for name, part in (*model.named_parameters(), *model.named_buffers())}
    masks = {name: torch.ones_like(part, dtype=torch.bool) for name, part in model.named_parameters()}
    masks["second.weight"][3, 3] = False
    values |= {name: values[name] * mask for name, mask in masks.items()}
    network = SparseModule.of(model, known, values, masks, accuracy=0.75, origin={"seed": 3}, loss="ce", output_names=("a", "b", "c"))
    return network.save(in_folder("module")).read_bytes()


def use_chain(network: SparseNetwork) -> None:
    (
        str(network),
        network.unit_counts,
        network.density,
        network.predict(X[:, : network.widths[0]] if network.widths[0] <= 3 else np.zeros((2, network.widths[0]))),
    )
    as_graph(network).evaluate(np.zeros((2, network.widths[0])))
    try:
        network.compact()
    except ValueError as error:  # documented: constants that are too large for float32
        if "finite" not in str(error):
            raise


def use_module(network: SparseModule) -> None:
    str(network), network.unit_counts, network.hidden_count, network.layers, network.blocks
    as_graph(network)


def tensors_of(network: Any) -> list[bytes]:
    parts = (
        [*network.weights, *network.biases] if isinstance(network, SparseNetwork) else [*network.state.values(), *network.masks.values()]
    )
    return [np.asarray(part).tobytes() + str(np.asarray(part).shape).encode() for part in parts]


def facts_of(network: Any) -> tuple[Any, ...]:
    return tensors_of(network), repr(network), network.origin, network.input_names, network.output_names, network.loss, network.metric


# Mutations of whole files


def dumped(value: Any) -> str:
    """As JSON, or where Python cannot write that, something as deep."""
    try:
        return json.dumps(value)
    except RecursionError:
        return "[" * 5000 + "]" * 5000


def split(content: bytes) -> tuple[dict[str, str], dict[str, Tensor]]:
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size])["__metadata__"], load(content)


def forged(random: Random, content: bytes, fields: tuple[str, ...], older: tuple[str, ...]) -> bytes:
    """Fields in JSON or tensors changed, and written as a program would that knows the format: with a digest, or as a version without."""
    metadata, tensors = split(content)
    left = [*fields]  # a field that is changed may be no JSON that Python reads
    for _ in range(random.choice((1, 1, 2))):
        if left and random.random() < 0.5:
            name = left.pop(random.randrange(len(left)))
            metadata[name] = dumped(mutated_json(random, json.loads(metadata[name])))
        else:
            changed_tensor(random, tensors)
    if random.random() < 0.1:
        metadata[random.choice([*metadata])] = odd_text(random).encode(errors="ignore").decode()
    if older and random.random() < 0.5:
        metadata["version"] = random.choice(older)
        del metadata["digest"]
        return save(tensors, metadata)
    return signed(save(tensors, metadata | UNSIGNED))


def changed_tensor(random: Random, tensors: dict[str, Tensor]) -> None:
    name = random.choice([*tensors])
    part, kind = tensors[name], random.randrange(8)
    if kind == 0:
        del tensors[name]
    elif kind == 1:
        tensors[odd_text(random).encode(errors="ignore").decode() or "x"] = part.clone()
    elif kind == 2:
        tensors[name] = part.to(random.choice(ODD))
    elif kind == 3:
        tensors[name] = random.choice((part[:0].clone() if part.ndim else part, part.reshape(-1).clone(), part.unsqueeze(0).clone()))
    elif kind == 4:
        tensors[name] = torch.cat([part, part]) if part.ndim else part
    elif part.numel():
        flat = part.clone().flatten()
        number = random.choice((0, 1, -1, 2, 1e9, -1e9, 1e300, float("inf"), float("nan"), 2**31, 2**62))
        try:
            flat[random.randrange(len(flat))] = number
        except (RuntimeError, OverflowError, ValueError):  # no such number in this dtype
            flat[0] = 0
        tensors[name] = flat.view(part.shape)


def makes(file: Callable[[], bytes], fields: tuple[str, ...], older: tuple[str, ...]) -> Callable[[Random, Path], tuple[Path, bool]]:
    """A path, and whether another result can be told: not of files that were written anew with a digest of their own."""

    def make(random: Random, folder: Path) -> tuple[Path, bool]:
        path, telling = folder / "file", random.random() < 0.5
        path.write_bytes(mutated_bytes(random, file()) if telling else forged(random, file(), fields, older))
        return path, telling

    return make


def reads(load_one: Callable[[Path], Any], file: Callable[[], bytes], use: Callable[[Any], None]) -> Callable[[tuple[Path, bool]], None]:
    @cache
    def intact() -> tuple[Any, ...]:
        path = in_folder("intact")
        path.write_bytes(file())
        return facts_of(load_one(path))

    def read(given: tuple[Path, bool]) -> None:
        path, telling = given
        network = load_one(path)
        use(network)
        if telling and facts_of(network) != intact():
            raise Another(f"{network!r}")

    return read


# Checkpoints of sculpt


class Stopped(Exception):  # noqa: N818 (not an error)
    pass


@cache
def run_file() -> tuple[bytes, Any]:
    """A checkpoint in the middle of a run, and what the run ends with."""
    from sculpting import checkpoint_file as checkpoint

    model, path, left = TASK.model(width=6, hidden_layers=1), in_folder("run"), iter(range(4))

    def stop(done: int, total: int) -> None:
        if next(left, None) is None:
            raise Stopped

    before, checkpoint.SECONDS = checkpoint.SECONDS, 0.0
    try:
        sculpt(model, TASK, **(CALL | {"progress": stop}), checkpoint=path)
        raise AssertionError("the run was to be stopped")
    except Stopped:
        content = path.read_bytes()
    finally:
        checkpoint.SECONDS = before
    return content, ended(path, measured=True)


@cache
def dense_file() -> tuple[bytes, Any]:
    """The same of dense networks in training, of which some have a second start."""
    path, left, attempt = in_folder("dense"), iter(range(5)), Rounds.attempt

    def stopping(self: Any, *rest: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return attempt(self, *rest)

    with mock.patch.object(Rounds, "attempt", stopping):
        try:
            ended(path, measured=False, **DENSE)
            raise AssertionError("the run was to be stopped")
        except KeyboardInterrupt:
            pass
    return path.read_bytes(), ended(path, measured=True, **DENSE)


@cache
def known_setup() -> Any:
    return setup_of(TASK.model(width=6, hidden_layers=1))


def ended(path: Path, *, measured: bool, **changes: Any) -> Any:
    with mock.patch("sculpting.sculptor.setup_of", return_value=known_setup()):  # a model is traced for longer than its checkpoint is read
        result = sculpt(TASK.model(width=6, hidden_layers=1), TASK, **CALL | changes, checkpoint=path)
    networks = [[part.tobytes() for part in (*n.weights, *n.biases)] for n in result.candidates]
    for network in result.candidates:
        stated, x = network.accuracy, TASK.x.numpy()
        if measured and abs(stated - float((network.predict(x) == TASK.y.numpy()).mean())) > 1e-6:
            raise Another(f"{network!r} states an accuracy that it lacks")
    return networks, [attempt._replace(seconds=0) for attempt in result.history], result.min_accuracy, str(result.stop_reason)


def run_content() -> bytes:
    return run_file()[0]


def read_run(given: tuple[Path, bool]) -> None:
    path, telling = given
    forged_digest = not telling and b'"digest"' in path.read_bytes()  # whoever writes one can state any accuracy
    if ended(path, measured=not forged_digest) != run_file()[1] and telling:
        raise Another("a run went on to another result")


def dense_content() -> bytes:
    return dense_file()[0]


def read_dense(given: tuple[Path, bool]) -> None:
    path, telling = given
    if ended(path, measured=False, **DENSE) != dense_file()[1] and telling:
        raise Another("a run went on to another result")


def make_flipped(random: Random, folder: Path) -> tuple[Path, bool]:
    path = folder / "file"
    path.write_bytes(flipped_bit(random, run_content()))
    return path, True


# Checkpoints of narrow


@cache
def narrow_file() -> tuple[bytes, str]:
    """A checkpoint in the middle of a run, and what the run ends with."""
    path, left, hold = in_folder("narrow"), iter(range(4)), NarrowCheckpoint.hold

    def stopping(self: NarrowCheckpoint) -> None:
        hold(self)
        if next(left, None) is None:
            raise KeyboardInterrupt

    with mock.patch.object(NarrowCheckpoint, "hold", stopping):
        try:
            narrowed("captured", path)
            raise AssertionError("the run was to be stopped")
        except KeyboardInterrupt:
            pass
    return path.read_bytes(), narrow_facts(narrowed("captured", path))


def narrow_content() -> bytes:
    return narrow_file()[0]


def read_narrow_run(given: tuple[Path, bool]) -> None:
    path, telling = given
    if narrow_facts(narrowed("captured", path)) != narrow_file()[1] and telling:
        raise Another("a run went on to another result")


# Checkpoints of language training


WEIGHTS = {"a.weight": torch.linspace(-1, 1, 12).view(3, 4), "b": torch.ones(5)}
EXPECTED = checkpointing.Expected(WEIGHTS, WEIGHTS | {"count": torch.tensor(3)}, ("keep", "forget"), 3, 12, 32)
IDENTITY = "ab" * 32


@cache
def language_saved() -> checkpointing.Saved:
    moments = {f"exp_avg.{name}": part / 3 for name, part in WEIGHTS.items()} | {
        f"exp_avg_sq.{name}": part.square() for name, part in WEIGHTS.items()
    }
    moments |= {f"step.{name}": torch.tensor(6.0) for name in WEIGHTS}
    curve = [[step, 32 * step, float("nan") if not step else 1.5, {"keep": 2.0 - step / 9, "forget": 3.0}] for step in (0, 3, 6)]
    assert EXPECTED.best is not None
    return checkpointing.Saved(6, curve, WEIGHTS, moments, EXPECTED.best)


@cache
def language_file() -> bytes:
    path = in_folder("training")
    checkpointing.write_checkpoint(path, language_saved(), IDENTITY)
    return path.read_bytes()


def make_language(random: Random, folder: Path) -> tuple[Path, bool]:
    path, telling = folder / "file", random.random() < 0.5
    if telling:
        path.write_bytes(mutated_bytes(random, language_file()))
        return path, telling
    metadata, tensors = split(language_file())
    changed_tensor(random, tensors)
    if random.random() < 0.5:
        metadata["curve"] = dumped(mutated_json(random, json.loads(metadata["curve"])))
    if random.random() < 0.2:
        metadata["step"] = odd_text(random).encode(errors="ignore").decode()
    old = random.random() < 0.5
    metadata["format"] = checkpointing.FIRST if old else checkpointing.FORMAT
    metadata |= {} if old else UNSIGNED
    path.write_bytes(save(tensors, metadata) if old else signed(save(tensors, metadata)))
    return path, telling


def as_facts(saved: checkpointing.Saved) -> Any:
    parts = (saved.weights, saved.moments, saved.best or {})
    curve = [
        [step, tokens, None if loss != loss else loss, losses]
        for step, tokens, loss, losses in ([*p[:2], p[2] or float("nan"), p[3]] for p in saved.curve)
    ]
    return saved.step, curve, [sorted((name, part.numpy().tobytes(), part.shape) for name, part in each.items()) for each in parts]


def read_language(given: tuple[Path, bool]) -> None:
    path, telling = given
    saved = checkpointing.read_checkpoint(path, IDENTITY, EXPECTED, lambda: IDENTITY)
    found = as_facts(saved)
    if telling and found != as_facts(language_saved()):
        raise Another("the state of a training is another")


def warm() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)  # threads do not survive a fork
    for file, read in (
        (chain_file, READERS[2].read),
        (module_file, READERS[3].read),
        (run_content, read_run),
        (language_file, read_language),
        (narrow_content, read_narrow_run),
        (dense_content, read_dense),
    ):
        path = in_folder("intact")
        path.write_bytes(file())
        read((path, True))


NETWORK = makes(chain_file, ("network",), ("1", "2"))
MODULE = makes(module_file, ("network", "units"), ("1",))
RUN = makes(run_content, ("state",), ("4", "3"))
OF_DENSE = makes(dense_content, ("state",), ())
NARROW = makes(narrow_content, ("state",), ())

READERS = [
    Reader("checkpoint of sculpt", RUN, read_run, (ValueError, TypeError), warm),
    Reader("the same, one bit flipped", make_flipped, read_run, (ValueError, TypeError), warm),
    Reader("SparseNetwork.load", NETWORK, reads(SparseNetwork.load, chain_file, use_chain), (ValueError, TypeError), warm),
    Reader("SparseModule.load", MODULE, reads(SparseModule.load, module_file, use_module), (ValueError, TypeError), warm),
    Reader("checkpoint of language training", make_language, read_language, (ValueError, TypeError), warm),
    Reader("checkpoint of narrow", NARROW, read_narrow_run, (ValueError, TypeError), warm),
    Reader("checkpoint of sculpt in the dense phase", OF_DENSE, read_dense, (ValueError, TypeError), warm),
]
