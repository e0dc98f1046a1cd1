"""The study of transformers in words and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from ...store import Row
from ...study import Read
from ...tasks.programs import PROGRAMS
from ..common.module_reports import draw_cell, summary_of
from ..common.success_rates import table
from .cells import NORMS

__all__ = ["transformer_report"]

TITLES = {"none": "no norm", "rms": "RMSNorm", "layer": "LayerNorm"}
PUBLISHED = "0.81"
PROGRAM_HEADER = ("program", "seeds", "edges of the program", "first order", "magnitude", "at random", "published: EAP-IG, other models")
PROGRAMS_MEANING = (
    "How well a score tells the edges of a program from all others, as the area under the curve of rates, in the mean over four fillings "
    "of the weights around it. Beside it the area of EAP-IG-activations in InterpBench (MIB, ICML 2025, table 2, second-hand): other "
    "models, other programs, and edges between heads and layers, not single weights."
)


def transformer_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md``, and a picture for each norm."""
    kinds = [(f"two sums, {TITLES[norm]}", {"task": "two-sums", "norm": norm}) for norm in NORMS]
    programs = table(PROGRAM_HEADER, [line for name in PROGRAMS for line in _program_line(rows, name)])
    summary = summary_of("Transformers with a truth", rows, kinds, "## Compiled programs", PROGRAMS_MEANING, programs)
    files = {"summary.md": summary.encode()}
    for norm in NORMS:
        picture = draw_cell(rows, {"task": "two-sums", "norm": norm}, f"two-sums_{norm}_seed{{}}", read)
        if picture is not None:
            files[f"two-sums_{norm}.svg"] = picture
    return files


def _program_line(rows: Sequence[Row], name: str) -> list[list[str]]:
    own = [row for row in rows if row["task"] == name]
    if not own:
        return []
    areas = [f"{mean(row[f'auroc_{score}'] for row in own):.3f}" for score in ("loss_sensitivity", "magnitude", "random")]
    return [[name, str(len(own)), str(own[0]["edges"]), *areas, PUBLISHED]]
