"""``sculpting narrow-lm``: a language model narrowed to one domain of text."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from ..files import check_folder

__all__ = ["narrow_lm"]


def narrow_lm(options: argparse.Namespace) -> None:
    """Narrow a language model; write it, its tokenizer and a report, and print the table."""
    from ..narrow.language.loading import check_installed

    check_installed()
    from accelerate import PartialState

    from ..narrow.language import LanguageSettings, LanguageTraining, LassoPenalty, load_language, narrow_language
    from ..narrow.language.loading import without_bars

    out: Path = options.out
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out must be a folder, or not there yet; got the file {out}")
    check_folder(out, "what --out names")
    training = LanguageTraining(
        tokens=options.tokens, learning_rate=options.rate, batch_size=options.batch_size, precision=options.precision,
        every=options.every, select=options.select, seed=options.seed,
    )  # fmt: skip
    settings = {
        "method": options.method, "sparsity": options.sparsity, "residual": options.residual, "heads": options.heads,
        "uneven": options.uneven, "rounds": options.rounds, "lasso": LassoPenalty(options.strength), "lasso_tokens": options.tokens,
        "revival_tokens": options.revival_tokens, "control": options.control, "length": options.length, "limit": options.limit,
        "seed": options.seed, "training": training,
    }  # fmt: skip
    LanguageSettings(**settings)  # refused before the model is read
    with without_bars():
        model, tokenizer = load_language(options.model)
    result = narrow_language(
        model, options.keep, options.forget, tokenizer=tokenizer, checkpoint=out / "checkpoints", device=options.device,
        progress=not options.quiet, **settings,
    )  # fmt: skip
    if not PartialState().is_main_process:  # of several under `accelerate launch`
        return
    folder = out / "model"
    with without_bars():
        result.model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    written = [folder, *result.report(out)]
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    if options.uneven and options.method not in ("distill", "scratch"):
        sys.stderr.write(
            "this model has MLPs of different widths: read it with sculpting.narrow.language.load; serving tools that know only the "
            "stock classes cannot\n"
        )
    if not options.quiet:
        print(f"{result}\n\nwrote {', '.join(map(str, written))}")
