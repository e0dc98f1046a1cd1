"""Reports of studies of modules: a table of rates, one of sizes, and a picture of each kind of cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory

from ...store import Row
from ...study import Read
from .module_cells import module_from
from .networks import network_file
from .reporting import consensus_rows, hours, spread, with_interval
from .settings import SEEDS
from .success_rates import rate_of, table

__all__ = ["MEANING", "draw_cell", "rate_lines", "summary_of"]

MEANING = (
    "*Apart*: every group of outputs is answered from inputs, and no living unit leads to outputs of two groups; tables of tokens do not "
    "count. *Learnt*: seeds with an accepted network. *By chance*: of 100 networks with the same numbers of edges at every unit, drawn at "
    "random, the fraction that is apart, in the mean over seeds. Accuracies are those of whole groups of outputs, the largest of each, on "
    "test rows, or on all rows of a complete table. Intervals are Wilson's."
)
HEADER = (
    "kind", "learnt, of seeds", "apart: one seed", "apart: consensus of four", "by chance", "shared units", "modules, median", "edges",
    "dense edges", "accuracy", "dense",
)  # fmt: skip


def rate_lines(rows: Sequence[Row], kinds: Sequence[tuple[str, dict[str, str]]]) -> list[list[str]]:
    """A line for each kind of cell that was run, by its title and the columns that tell it."""
    return [line for title, facts in kinds for line in _line(rows, title, facts)]


def _line(rows: Sequence[Row], title: str, facts: dict[str, str]) -> Iterable[list[str]]:
    single = [row for row in rows if row["rule"] == "sparsest" and row["seeds"] == 1 and all(row[k] == v for k, v in facts.items())]
    if not single:
        return
    learnt = [row for row in single if row["edges"] is not None]
    four = [row for row in consensus_rows(rows, SEEDS, **facts) if row["edges"] is not None]
    chance = [row["null_apart"] for row in learnt if row["null_apart"] is not None]
    modules = [row["modules"] for row in learnt]
    numbers = [
        f"{mean(chance):.2f}" if chance else "", spread([row["shared"] for row in learnt], "d"), str(median(modules)) if modules else "",
        spread([row["edges"] for row in learnt], "d"), spread([row["dense_edges"] for row in single], "d"),
        *(f"{mean(known):.3f}" if known else "" for known in ([row["groups"] for row in learnt], [row["dense_groups"] for row in learnt])),
    ]  # fmt: skip
    yield [
        title,
        f"{len(learnt)} of {len(single)}",
        with_interval(rate_of(learnt, ("apart",))),
        with_interval(rate_of(four, ("apart",))),
        *numbers,
    ]


def summary_of(title: str, rows: Sequence[Row], kinds: Sequence[tuple[str, dict[str, str]]], *further: str) -> str:
    """The summary of a study, as markdown."""
    cells = consensus_rows(rows, SEEDS)
    lines = rate_lines(rows, kinds)
    parts = [f"# {title}", f"{len(cells)} cells of four seeds were run, in {hours(cells)}.", MEANING]
    return "\n\n".join([*parts, table(HEADER, lines), *further]) + "\n"


def draw_cell(rows: Sequence[Row], facts: dict[str, str], cell: str, read: Read) -> bytes | None:
    """A picture, as SVG, of the network of the first cell of a kind whose groups are apart, else of the first; None without any.

    ``cell`` is the name of a cell of this kind, with ``{}`` for its first seed.
    """
    from analysis import detect_modules

    found = sorted((row for row in consensus_rows(rows, SEEDS, **facts) if row["edges"] is not None), key=lambda row: not row["apart"])
    content = next((part for row in found if (part := read(network_file(cell.format(row["seed"])))) is not None), None)
    if content is None:
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder) / "found.svg"
        detect_modules(module_from(content)).draw(path, title=f"{found[0]['task']}, {found[0]['edges']} edges")
        return path.read_bytes()
