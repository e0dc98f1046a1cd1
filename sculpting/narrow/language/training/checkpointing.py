"""Checkpoints of the training of a language model: one safetensors file, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....files import write_file, written_whole
from ....integrity import ALTERED, UNSIGNED, call_digest, is_number, read_header, read_safetensors, sign
from ....plain import plain_value

__all__ = [
    "RUN", "Expected", "Saved", "check_run", "first_identity_of", "identity_of", "read_checkpoint", "run_identity_of", "write_checkpoint",
]  # fmt: skip

FORMAT = "neural-sculpting language training 2"
FIRST = "neural-sculpting language training 1"  # without a digest of the file, and with few elements of a model in that of the call
SAMPLED = 64  # elements of each parameter that told models apart in the first version
PARTS = ("weight", "moment", "best")
RUN, RUN_FORMAT = "run.json", "neural-sculpting language run 1"  # which run the checkpoints of a folder are of


@dataclass(frozen=True, eq=False)
class Saved:
    """The state of a training after ``step`` steps."""

    step: int
    curve: list[Any]
    weights: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]
    best: Mapping[str, Tensor] | None


@dataclass(frozen=True, eq=False)
class Expected:
    """What a training expects of its checkpoint.

    Attributes
    ----------
    weights : mapping of name to Tensor
        The parameters that are trained.
    best : mapping of name to Tensor, or None
        The state of the model, where that of the best evaluation is kept.
    validation : sequence of str
        The names of the validation sets.
    every, steps, step_tokens : int
        Steps between checkpoints, of all the training, and tokens of one.
    """

    weights: Mapping[str, Tensor]
    best: Mapping[str, Tensor] | None
    validation: Sequence[str]
    every: int
    steps: int
    step_tokens: int


def identity_of(
    model: Any, teacher: Any, windows: Any, validation: Mapping[str, Tensor], settings: Any, lasso: Any, layers: Sequence[Any]
) -> str:
    """A digest of the model at the start, the tokens and the settings: a checkpoint of another call is refused."""
    models = [each for each in (model, teacher) if each is not None]
    named = [(name, tensor) for each in models for name, tensor in each.named_parameters()]
    facts = [_facts(windows, validation, settings, lasso, layers, teacher), [name for name, _ in named]]
    return call_digest(json.dumps(facts, sort_keys=True), [*(tensor for _, tensor in named), windows.tokens, *validation.values()])


def check_run(folder: Path, identity: str, *, main: bool = True) -> None:
    """Note in a folder of checkpoints which run they are of, or refuse the folder of another run.

    Parameters
    ----------
    folder : Path
    identity : str
    main : bool
        Whether this process writes.

    Raises
    ------
    ValueError
        When the folder is that of another run.
    OSError
        When it cannot be written to.
    """
    path = folder / RUN
    if not path.exists():
        if main and not any(folder.glob("*.safetensors")):  # those of earlier versions are of a run that is not known
            write_file(path, json.dumps({"format": RUN_FORMAT, "identity": identity}).encode())
        return
    try:
        facts = plain_value(path.read_bytes().decode(), finite=False)
    except ValueError as error:
        raise ValueError(f"{path} must say which run this is; got what is no JSON: {error}. Delete {folder} to start again") from error
    if facts != {"format": RUN_FORMAT, "identity": identity}:
        raise ValueError(
            f"checkpoint must be of this call; got {folder}, whose run is of another model, other text or other settings. "
            "Give another folder, or delete it to start again"
        )


def run_identity_of(model: Any, settings: Mapping[str, Any], domains: Sequence[Any]) -> str:
    """The same of a whole run of several trainings; each domain has windows to train on, to validate with and to test on."""
    named = [*model.named_parameters()]
    tokens = [part for domain in domains for part in (domain.train.tokens, domain.validation, domain.test)]
    facts = [settings, [domain.train.length for domain in domains], [name for name, _ in named]]
    return call_digest(json.dumps(facts, sort_keys=True), [*(tensor for _, tensor in named), *tokens])


def first_identity_of(
    model: Any, teacher: Any, windows: Any, validation: Mapping[str, Tensor], settings: Any, lasso: Any, layers: Sequence[Any]
) -> str:
    """The same as checkpoints of the first version have it."""
    digest = hashlib.sha256()
    digest.update(json.dumps(_facts(windows, validation, settings, lasso, layers, teacher), sort_keys=True).encode())
    for each in (model, teacher) if teacher is not None else (model,):
        for name, tensor in each.named_parameters():
            few = tensor.detach().flatten()[:: max(1, tensor.numel() // SAMPLED)].float().cpu()
            digest.update(f"{name} {tuple(tensor.shape)}".encode() + few.numpy().tobytes())
    for tokens in (windows.tokens, *validation.values()):
        digest.update(tokens.detach().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def write_checkpoint(path: Path, saved: Saved, identity: str) -> None:
    """Write a checkpoint; one that is there is replaced only once the new one is complete.

    Raises
    ------
    OSError
        When it cannot be written. What was there is then as before.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    parts = dict(zip(PARTS, (saved.weights, saved.moments, saved.best or {}), strict=True))
    # Copies, since tied parameters share memory, which safetensors refuses; on the CPU, since the memory of a GPU may be short.
    tensors = {f"{part}:{name}": t.detach().to("cpu", copy=True).contiguous() for part, named in parts.items() for name, t in named.items()}
    curve = [[step, tokens, None if loss != loss else loss, losses] for step, tokens, loss, losses in saved.curve]
    facts = {"format": FORMAT, "identity": identity, "step": str(saved.step), "curve": json.dumps(curve), **UNSIGNED}
    with written_whole(path) as part:
        try:
            save_file(tensors, str(part), metadata=facts)
        except SafetensorError as error:
            raise OSError(f"{path} was not written, and is as before: {error}. Make room there, or give another path") from error
        sign(part)


def read_checkpoint(path: Path, identity: str, expected: Expected | None = None, first: Callable[[], str] | None = None) -> Saved:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
    identity : str
        Of this call.
    expected : Expected, optional
        What the training expects; a checkpoint that does not fit is refused.
    first : function, optional
        Gives the identity of this call as the first version had it.

    Raises
    ------
    ValueError
        When it is broken, was changed since it was written, or is of another model, other data or other settings.
    """
    try:
        facts = read_header(path)
        if facts.get("format") not in (FORMAT, FIRST):
            raise ValueError("it has another header")
        contents = read_safetensors(path)
    except ValueError as error:
        raise ValueError(f"checkpoint must be a file that this training wrote; got {path}: {error}. Delete it to start again") from error
    old = facts["format"] == FIRST
    if contents.altered or (contents.altered is None and not old):
        raise ValueError(f"checkpoint {path} {ALTERED}. To go on from it would give another result. Delete it to start again")
    if contents.metadata.get("identity") != (first() if old and first is not None else identity):
        raise ValueError(
            f"checkpoint must be of this call; got {path}, of another model, other data or other settings. "
            "Give another path, or delete it to start again"
        )
    try:
        saved = _saved(contents.metadata, contents.tensors)
        if expected is not None:
            _check(saved, expected)
    except ValueError as error:
        raise ValueError(f"checkpoint {path} is not whole: {error}. Delete it to start again") from error
    return saved


def _facts(windows: Any, validation: Mapping[str, Tensor], settings: Any, lasso: Any, layers: Sequence[Any], teacher: Any) -> list[Any]:
    groups = [[layer.name, layer.kind, layer.size] for layer in layers]
    held_out = [[name, list(tensor.shape)] for name, tensor in validation.items()]
    return [asdict(settings), None if lasso is None else asdict(lasso), groups, held_out, windows.length, teacher is not None]


def _saved(facts: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Saved:
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for name, tensor in tensors.items():
        part, _, key = name.partition(":")
        if part not in parts:
            raise ValueError(f"its tensors must be of {', '.join(PARTS)}; got {name[:80]!r}")
        parts[part][key] = tensor
    step, curve = facts.get("step", ""), plain_value(facts.get("curve", ""), finite=False)
    if not (step.isascii() and step.isdigit() and len(step) < 19):
        raise ValueError(f"its step must be a whole number; got {step[:80]!r}")
    if not isinstance(curve, list) or not all(isinstance(point, list) and len(point) == 4 for point in curve):
        raise ValueError(f"its curve must be rows of step, tokens, training loss and losses; got {curve!r:.80}")
    return Saved(int(step), curve, parts["weight"], parts["moment"], parts["best"] or None)


def _check(saved: Saved, expected: Expected) -> None:
    """Refuse a state that this training cannot have had."""
    if saved.step not in (*range(expected.every, expected.steps + 1, expected.every), expected.steps):
        raise ValueError(f"its step must be that of an evaluation of the {expected.steps} steps; got {saved.step}")
    _check_tensors("weights", saved.weights, expected.weights, expected.weights)
    best = expected.best or {}
    _check_tensors("best weights", saved.best or {}, best, best.keys() & expected.weights.keys())
    names = {name.partition(".")[2] for name in saved.moments}
    if not names <= expected.weights.keys():
        raise ValueError(f"its moments must be those of the parameters; got {min(names - expected.weights.keys())[:80]!r}")
    of_moments = {f"{kind}.{name}": expected.weights[name] for kind in ("exp_avg", "exp_avg_sq") for name in names}
    counts = {f"step.{name}": torch.zeros(()) for name in names}
    _check_tensors("moments", saved.moments, of_moments | counts, of_moments)
    for name in counts:
        if not 1 <= float(saved.moments[name]) <= saved.step or bool((saved.moments[f"exp_avg_sq{name[4:]}"] < 0).any()):
            raise ValueError(f"the moments of a parameter must be those of at most {saved.step} steps; got others at {name[:80]!r}")
    _check_curve(saved, expected)


def _check_tensors(what: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], finite: Any) -> None:
    if found.keys() != wanted.keys():
        raise ValueError(f"its {what} must be those of {len(wanted)} tensors of the model; got {len(found)}, or other names")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise ValueError(f"its {what} {name[:80]!r} must be {wanted[name].dtype} of shape {tuple(wanted[name].shape)}; got others")
        if name in finite and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"its {what} {name[:80]!r} must be finite; got NaN or infinite values")


def _check_curve(saved: Saved, expected: Expected) -> None:
    steps = [0, *range(expected.every, saved.step, expected.every), saved.step]
    if [point[:2] for point in saved.curve] != [[step, step * expected.step_tokens] for step in steps]:
        raise ValueError(f"its curve must have the evaluations of {saved.step} steps; got {saved.curve!r:.80}")
    for _, _, training, losses in saved.curve:
        fits = isinstance(losses, dict) and [*losses] == [*expected.validation] and all(map(_is_loss, losses.values()))
        if not fits or not (training is None or _is_loss(training)):
            raise ValueError(
                f"the losses of its curve must be numbers, on {[*expected.validation]}; got {training!r:.80} and {losses!r:.80}"
            )


def _is_loss(value: object) -> bool:
    return is_number(value, -1e300, 1e300)
