"""Long runs that are killed at random moments and go on, each in children of one process that has imported everything once.

``python faults.py KINDS MOMENTS SEED`` prints what each killed run ended with, beside what a run that was not killed ended with.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["KINDS"]


def of_sculpt(path: Path | None) -> str:
    from test_checkpoint import CALL, MODEL, TASK, facts

    from sculpting import checkpoint_file as checkpoint
    from sculpting import sculpt

    checkpoint.SECONDS = 0.0
    return repr(facts(sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)))


def of_narrow(path: Path | None) -> str:
    from narrow_runs import facts, narrowed

    from sculpting import checkpoint_file

    checkpoint_file.SECONDS = 0.0
    kinds = ("captured", "in parts", "teachers")
    return repr([facts(narrowed(kind, path and path.with_name(kind), steps=150)) for kind in kinds])


def of_training(path: Path | None) -> str:
    from language_tiny import tiny
    from test_language_training import SETTINGS, losses, train, weights

    model = tiny("gpt2")  # which has dropout
    trained = train(model, SETTINGS, checkpoint=path)
    return repr((losses(trained), weights(model).numpy().tobytes()))


def of_narrow_language(path: Path | None) -> str:
    import test_narrow_language as narrowing

    for module in (narrowing.narrowing, narrowing.narrowing_run):  # groups take seconds to find, and depend on the shapes alone
        module.language_groups = groups
    result = narrowing.narrow(checkpoint=path, control=True)
    return repr(([(p.name, p.keep, p.forget) for p in result.phases], narrowing.weights(result.model).numpy().tobytes()))


KNOWN: dict[Any, Any] = {}


def groups(model: Any) -> Any:
    from sculpting.narrow.language.groups.finding import language_groups

    key = tuple((name, tuple(tensor.shape)) for name, tensor in model.named_parameters())
    if key not in KNOWN:
        KNOWN[key] = language_groups(model)
    return KNOWN[key]


KINDS: dict[str, Callable[[Path | None], str]] = {
    "sculpt": of_sculpt, "narrow": of_narrow, "training": of_training, "narrow_language": of_narrow_language,
}  # fmt: skip


def begun(run: Callable[[Path | None], str], path: Path | None) -> tuple[int, int]:
    """A child that writes the digest of its result to a pipe; its number, and the end of the pipe to read."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.write(writing, hashlib.sha256(run(path).encode()).hexdigest().encode())
    except BaseException as error:
        os.write(writing, f"{type(error).__name__}: {error}"[:500].encode())
    finally:
        os._exit(0)


def ended(child: int, reading: int) -> str:
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def killed(run: Callable[[Path | None], str], path: Path, seconds: float) -> None:
    child, reading = begun(run, path)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    ended(child, reading)


def prepare(kind: str) -> None:
    """Import and find once what the children need. No backward: autograd refuses to go on in a child after one."""
    if kind in ("sculpt", "narrow"):
        KINDS[kind](None)
        return
    import accelerate  # noqa: F401
    import test_narrow_language  # noqa: F401
    import torch
    from language_tiny import tiny

    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))]).step()
    tiny("gpt2")
    groups(tiny())


def main(kinds: str, moments: int, seed: int) -> None:
    import torch

    torch.set_num_threads(1)  # threads do not survive a fork
    for kind in kinds.split(","):
        prepare(kind)
        run, drawn = KINDS[kind], random.Random(f"{kind} {seed}")
        start = time.monotonic()
        whole = ended(*begun(run, None))
        seconds, found = time.monotonic() - start, []
        for _ in range(moments):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "run"
                for _ in range(drawn.choice((1, 1, 2))):
                    killed(run, path, drawn.uniform(0.1, 0.9) * seconds)
                left = sum(each.is_file() for each in Path(folder).rglob("*"))
                found.append([left, ended(*begun(run, path))])
        sys.stdout.write(json.dumps({"kind": kind, "whole": whole, "found": found}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
