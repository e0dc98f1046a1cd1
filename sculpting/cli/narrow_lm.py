"""``sculpting narrow-lm``: a language model narrowed to one domain of text."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from pathlib import Path
from typing import Any

from ..files import check_folder

__all__ = ["narrow_lm"]

CHECKPOINTS = "narrow-lm-checkpoints"


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of ``LanguageSettings`` that the options give."""
    from ..narrow.language import LanguageTraining, LassoPenalty

    training = LanguageTraining(
        tokens=options.tokens, learning_rate=options.rate, batch_size=options.batch_size, windows_at_once=options.windows_at_once,
        precision=options.precision, every=options.every, select=options.select, seed=options.seed,
    )  # fmt: skip
    same = (
        "method", "sparsity", "residual", "heads", "uneven", "scope", "scored_tokens", "rounds", "revival_tokens", "control", "length",
        "limit", "seed",
    )  # fmt: skip
    return {**{name: getattr(options, name) for name in same}, "lasso": LassoPenalty(options.strength), "training": training}


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a model and its tokenizer to a folder that is there once both are complete."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    part.rename(folder)


def _clear(folder: Path) -> None:
    """Delete the checkpoints of a run that is done, and nothing else."""
    for path in (*folder.glob("*.safetensors"), folder / "run.json"):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def narrow_lm(options: argparse.Namespace) -> None:
    """Narrow a language model; write it, its tokenizer and a report, and print the table."""
    from ..narrow.language.loading import check_installed

    check_installed()
    from accelerate import PartialState

    from ..narrow.language import LanguageSettings, load_language, narrow_language
    from ..narrow.language.loading import without_bars

    out: Path = options.out
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out must be a folder, or not there yet; got the file {out}")
    check_folder(out, "what --out names")
    folder = out / "model"
    if folder.exists():
        raise ValueError(f"--out must hold no model yet; got {out}, which has {folder}. Give another folder, or delete that one")
    settings = _settings(options)
    LanguageSettings(**settings)  # refused before the model is read
    with without_bars():
        model, tokenizer = load_language(options.model)
    result = narrow_language(
        model, options.keep, options.forget, tokenizer=tokenizer, checkpoint=out / CHECKPOINTS, device=options.device,
        progress=not options.quiet, **settings,
    )  # fmt: skip
    if not PartialState().is_main_process:  # of several under `accelerate launch`
        return
    with without_bars():
        _save(result.model, tokenizer, folder)
    written = [folder, *result.report(out)]
    _clear(out / CHECKPOINTS)
    if options.uneven and options.method not in ("distill", "scratch"):
        sys.stderr.write(
            "this model has MLPs of different widths: read it with sculpting.narrow.language.load; serving tools that know only the "
            "stock classes cannot\n"
        )
    if not options.quiet:
        print(f"{result}\n\nwrote {', '.join(map(str, written))}")
