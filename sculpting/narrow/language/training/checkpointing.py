"""Checkpoints of the training of a language model: one safetensors file, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ....files import written_whole

__all__ = ["Saved", "identity_of", "read_checkpoint", "write_checkpoint"]

FORMAT = "neural-sculpting language training 1"
SAMPLED = 64  # elements of each parameter that tell models apart


@dataclass(frozen=True, eq=False)
class Saved:
    """The state of a training after ``step`` steps."""

    step: int
    curve: list[Any]
    weights: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]
    best: Mapping[str, Tensor] | None


def identity_of(
    model: Any, teacher: Any, windows: Any, validation: Mapping[str, Tensor], settings: Any, lasso: Any, layers: Sequence[Any]
) -> str:
    """A digest of the model at the start, the tokens and the settings: a checkpoint of another call is refused."""
    digest = hashlib.sha256()
    groups = [[layer.name, layer.kind, layer.size] for layer in layers]
    held_out = [[name, list(tensor.shape)] for name, tensor in validation.items()]
    facts = [asdict(settings), None if lasso is None else asdict(lasso), groups, held_out, windows.length, teacher is not None]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    for each in (model, teacher) if teacher is not None else (model,):
        for name, tensor in each.named_parameters():
            few = tensor.detach().flatten()[:: max(1, tensor.numel() // SAMPLED)].float().cpu()
            digest.update(f"{name} {tuple(tensor.shape)}".encode() + few.numpy().tobytes())
    for tokens in (windows.tokens, *validation.values()):
        digest.update(tokens.detach().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def write_checkpoint(path: Path, saved: Saved, identity: str) -> None:
    """Write a checkpoint; one that is there is replaced only once the new one is complete."""
    from safetensors.torch import save_file

    parts = {"weight": saved.weights, "moment": saved.moments, "best": saved.best or {}}
    # Copies, since tied parameters share memory, which safetensors refuses; on the CPU, since the memory of a GPU may be short.
    tensors = {f"{part}:{name}": t.detach().to("cpu", copy=True).contiguous() for part, named in parts.items() for name, t in named.items()}
    curve = [[step, tokens, None if loss != loss else loss, losses] for step, tokens, loss, losses in saved.curve]
    facts = {"format": FORMAT, "identity": identity, "step": str(saved.step), "curve": json.dumps(curve)}
    with written_whole(path) as part:
        save_file(tensors, str(part), metadata=facts)


def read_checkpoint(path: Path, identity: str) -> Saved:
    """Read a checkpoint.

    Raises
    ------
    ValueError
        When it is broken, or of another model, other data or other settings.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()} if facts.get("identity") == identity else {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"checkpoint must be a file that this training wrote; got {path}: {error}. Delete it to start again") from error
    if facts.get("format") != FORMAT or not tensors:
        raise ValueError(
            f"checkpoint must be of this call; got {path}, of another model, other data or other settings. "
            "Give another path, or delete it to start again"
        )
    parts: dict[str, dict[str, Tensor]] = {"weight": {}, "moment": {}, "best": {}}
    for name, tensor in tensors.items():
        part, _, key = name.partition(":")
        parts[part][key] = tensor
    return Saved(int(facts["step"]), json.loads(facts["curve"]), parts["weight"], parts["moment"], parts["best"] or None)
