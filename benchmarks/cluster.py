"""What do N workers give a study: measured with one and two, simulated up to 1,000 from the times of its cells?

Run as `python benchmarks/cluster.py` (4 minutes; `--again` takes what was measured before). Cell times are the column `seconds` of
`docs/*/rows.csv`. Writes `results/cluster.md`, the picture `docs/scale/workers.svg`, and the tables that `docs/scale.md` shows between its
marks.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded

import argparse
import ast
import csv
import hashlib
import heapq
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from engine import processor
from marks import filled, kept_lines, table, wrapped

from analysis.drawing.colours import HUES, INK, NEGATIVE
from analysis.drawing.encoding import picture_bytes
from analysis.figures.paper import axes_of, letter
from analysis.files import write_file
from sculpting.executors import workers
from sculpting.studies import boolean
from sculpting.studies.boolean.cells import boolean_cell, cell_name
from sculpting.study import run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HERE = Path(__file__).parent
DOCS, OUT = HERE.parent / "docs", HERE / "results" / "cluster.md"
PICTURE = DOCS / "scale" / "workers.svg"
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 1000)
# Which columns of the rows name a cell.
STUDIES = {
    "Boolean": ("study", ("task", "width", "depth")),
    "functions": ("functions", ("function", "depth")),
    "parities": ("parities", ("task", "width", "depth")),
    "known structure": ("known-structure", ("kind", "sample", "depth")),
}
ALL = "all side by side"
MEASURED, RUNS = "[4, 2, 4]", 2  # the task of the study that is measured, of nine cells; runs of each, of which the fastest counts


def cell_seconds(study: str) -> dict[str, float]:
    """Seconds of every cell of a study, in the order in which cells are begun: shuffled by the digest of their names."""
    folder, columns = STUDIES[study]
    found: dict[str, float] = {}
    with (DOCS / folder / "rows.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["rule"] == "consensus" and row["seeds"] == "4":  # the rows of groups of four seeds share the seconds of a cell
                name = _name(study, [row[column] for column in columns])
                found[name] = found.get(name, 0.0) + float(row["seconds"])
    return dict(sorted(found.items(), key=lambda item: _digest(item[0])))


def _name(study: str, values: Sequence[str]) -> str:
    if study == "Boolean":
        return cell_name(ast.literal_eval(values[0]), int(values[1]), int(values[2]))
    return "_".join(values)


def makespan(seconds: Sequence[float], count: int, startup: float = 0.0) -> float:
    """When the last cell ends if each, in this order, goes to the first worker that is free; workers are there after ``startup``.

    Examples
    --------
    >>> makespan([1.0] * 10, 5), makespan([1.0, 1.0, 2.0], 2), makespan([2.0, 1.0, 1.0], 2, startup=3.0)
    (2.0, 3.0, 5.0)
    """
    free = [startup] * min(count, len(seconds))
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free, default=startup)


def least(seconds: Sequence[float], count: int, startup: float = 0.0) -> float:
    """What no order can beat: all work on all workers, and the longest cell.

    Examples
    --------
    >>> least([1.0, 1.0, 2.0], 2), least([1.0, 1.0, 5.0], 2)
    (2.0, 5.0)
    """
    return startup + max(sum(seconds) / count, max(seconds))


def of_study(name: str) -> list[float]:
    """Seconds of the cells of a study, or of all studies side by side, in the order in which they are begun."""
    found = {f"{study} {cell}": s for study in (STUDIES if name == ALL else [name]) for cell, s in cell_seconds(study).items()}
    return [*found.values()] if name != ALL else [found[cell] for cell in sorted(found, key=_digest)]


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def longest_first(seconds: Sequence[float]) -> list[float]:
    return sorted(seconds, reverse=True)


# --- Measuring ----------------------------------------------------------------------------------------------------------------


def startup_seconds(count: int = 2) -> tuple[float, float]:
    """Seconds of the clock until each of some workers has done its first call, and process seconds of each for it."""
    before, start = _children(), time.perf_counter()
    with workers(count) as executor:
        assert executor is not None
        for future in [executor.submit(cell_name, (4, 2, 4), 24, 1) for _ in range(count)]:
            future.result()
        clock = time.perf_counter() - start
    return clock, (_children() - before) / count


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def study_seconds(jobs: int) -> tuple[float, float]:
    """Seconds of the clock, and process seconds of this process and its workers, of a small study with so many jobs."""
    before, own, start = _children(), time.process_time(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, workers(jobs) as executor:
        run(boolean.study(tasks=[MEASURED], groups=1), Path(folder) / "study", executor=executor, progress=False)
    return time.perf_counter() - start, _children() - before + time.process_time() - own


def group_seconds(groups: int) -> tuple[float, float]:
    """Seconds of the clock and process seconds of one cell with so many groups of four seeds."""
    own, start = time.process_time(), time.perf_counter()
    boolean_cell((4, 2, 4), 36, 2, groups)
    return time.perf_counter() - start, time.process_time() - own


def measured() -> list[str]:
    """A table of a small study with one and two workers, of a cell with fewer seeds, and of starting workers."""
    group_seconds(1)  # what is loaded at the first use
    rows = []
    what: dict[str, Callable[[], tuple[float, float]]] = {
        f"the nine cells of {MEASURED}, four seeds each, in this process": lambda: study_seconds(1),
        "the same, `--jobs 2`": lambda: study_seconds(2),
        "one of its cells, width 36, two hidden layers, four seeds": lambda: group_seconds(1),
        "the same with sixteen seeds, as in the study": lambda: group_seconds(4),
        "starting two workers, until each has imported the study": startup_seconds,
    }
    for name, measure in what.items():
        clock, process = zip(*(measure() for _ in range(RUNS)), strict=True)
        rows.append((name, *_all(clock), *_all(process)))
        print(rows[-1], flush=True)
    lines = table(["what", "s of the clock, least", "all", "process s, least", "all"], rows)
    machine = f"{processor()}, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}."
    return [*lines, "", *wrapped(f"{machine} Process seconds of starting are those of each worker.")]


def _all(values: Sequence[float]) -> tuple[str, str]:
    return f"{min(values):.1f}", ", ".join(f"{value:.1f}" for value in values)


# --- Tables and the picture ---------------------------------------------------------------------------------------------------


def simulated(startup: float) -> list[str]:
    """Minutes and speed-up of every study by the number of workers."""
    lines = []
    for name in (*STUDIES, ALL):
        seconds = of_study(name)
        total, most = sum(seconds), max(seconds)
        said = (
            f"{len(seconds)} cells, {total / 60:.1f} minutes of one worker, the longest {most / 60:.1f}: at most {total / most:.0f} times"
        )
        lines += [*wrapped(f"**{name}**: {said} as fast."), ""]
        rows = []
        for count in COUNTS:
            times = [makespan(order, count, startup) for order in (seconds, longest_first(seconds))]
            cells = [cell for each in times for cell in (f"{each / 60:.2f}", f"{total / each:.1f}")]
            rows.append((f"{count:,}", *cells, f"{least(seconds, count, startup) / 60:.2f}"))
        lines += [*table(["workers", "minutes, as begun", "speed-up", "minutes, longest first", "speed-up", "least minutes"], rows), ""]
    return lines[:-1]


def picture(startup: float) -> Axes:
    """Speed-up against the number of workers: in the order in which cells are begun (dashed), and longest first."""
    ax = axes_of(None, 4.8, 3.0)
    letter(ax, "", "workers", "times as fast as one worker")
    counts = np.unique(np.geomspace(1, COUNTS[-1], 120).astype(int))
    ax.plot(counts, counts, color="#bbbbbb", linewidth=0.8)
    ends = {}
    for name, colour in zip([*STUDIES, ALL], (INK, *HUES[:2], HUES[3], NEGATIVE), strict=True):
        seconds = of_study(name)
        for order, style in ((seconds, "--"), (longest_first(seconds), "-")):
            times = [sum(seconds) / makespan(order, count, startup) for count in counts]
            ax.plot(counts, times, style, color=colour, linewidth=1.3)
        ends[name] = times[-1], colour
    at = 0.0
    for name, (end, colour) in sorted(ends.items(), key=lambda item: item[1][0]):
        at = max(end, 1.18 * at)  # names do not overlap
        ax.annotate(name, (COUNTS[-1], at), (4, 0), textcoords="offset points", va="center", fontsize=7, color=colour)
    ax.set(xscale="log", yscale="log", xlim=(1, 1000), ylim=(1, 100))
    for axis, ticks in ((ax.xaxis, (1, 10, 100, 1000)), (ax.yaxis, (1, 10, 100))):
        axis.set_ticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def startup_of(lines: Sequence[str]) -> float:
    """Seconds until workers are there, each on a core of its own: their process seconds in the table of :func:`measured`."""
    return float(next(line for line in lines if "starting" in line).split("|")[4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="take the times of workers that were measured before")
    options = parser.parse_args()
    torch.set_num_threads(1)
    of_workers = kept_lines(OUT, "workers") if options.again else measured()
    startup = startup_of(of_workers)
    blocks = {"workers": of_workers, "simulation": simulated(startup)}
    write_file(OUT, filled("".join(f"<!-- begin {name} -->\n<!-- end {name} -->\n\n" for name in blocks), blocks).encode())
    page = DOCS / "scale.md"
    if page.exists():
        write_file(page, filled(page.read_text(), blocks).encode())
    PICTURE.parent.mkdir(exist_ok=True)
    write_file(PICTURE, picture_bytes(picture(startup), "svg"))


if __name__ == "__main__":
    main()
