"""How do the time of a training step and the memory of a member grow with members, parameters and rows, on both engines?

Run as `python benchmarks/scale.py` (3 minutes, one thread). Measures both engines at five sizes each, fits one formula to each engine, and
predicts every size from the other four. Writes the measurements to `results/scale.csv`, the tables to `results/scale.md`, and those that
`docs/scale.md` shows between its marks. `--again` makes the tables from the measurements that are there.

N = members, P = parameters, B = rows of a batch, V = validation rows, which are evaluated once an epoch of E steps.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded

import argparse
import csv
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine import processor
from marks import filled, table
from numpy.typing import NDArray
from scale_cases import NOISY, PAIRS, ROWS, Size, bytes_measured, case_of, names, seconds_of, settings_of
from scipy.optimize import nnls

HERE = Path(__file__).parent
TABLE, OUT, PAGE = HERE / "results" / "scale.csv", HERE / "results" / "scale.md", HERE.parent / "docs" / "scale.md"
ENGINES = ("mlp", "autograd")
TERMS = ("a (calls (1 + 1/E))", "b (N P)", "c (N R M)", "d (N R A)", "e (N B D)")  # of the time of a step
STORED = ("f (P)", "g (2 B D)", "h (max(B, V) A)")  # of the memory of a member
FLOAT, BATCH = 4, 64  # bytes of a number; rows of a batch in the tables of GPUs
# Bytes and float32 operations a second, from the data sheets of NVIDIA. Dense float32, which is what the engines compute in.
GPUS = {"A100 80 GB SXM": (2.039e12, 19.5e12, 80e9), "H100 SXM": (3.35e12, 67e12, 80e9), "H200 SXM": (4.8e12, 67e12, 141e9)}


@dataclass(frozen=True)
class Measured:
    """One measurement: process ``seconds`` of a step of all members, or ``bytes`` of one more member and the engine's ``estimate``."""

    engine: str
    name: str
    calls: int
    parameters: int
    products: float
    written: float
    inputs: int
    noise: int
    members: int
    groups: int
    batch: int
    validation: int
    evaluations: float
    noisy: bool
    seconds: float
    bytes: float
    estimate: float

    @property
    def size(self) -> Size:
        return Size(self.engine, self.name, self.calls, self.parameters, self.products, self.written, self.inputs, self.noise)


# --- The formulas -------------------------------------------------------------------------------------------------------------


def terms(
    size: Size, members: int, batch: int, validation: int = 0, evaluations: float = 0.0, noisy: bool = False, groups: int = 1
) -> NDArray[np.float64]:
    """What a step of all members touches, in the order of ``TERMS``.

    Parameters
    ----------
    size : Size
    members, batch : int
        N and B.
    validation : int
        V. A forward is a third of the work of a row that is trained.
    evaluations : float
        For each step, 1 / E in the mean.
    noisy : bool
        Whether inputs have noise, and the hidden units of chains.
    groups : int
        In how many groups the members are trained, one after the other.
    """
    rows, calls = members * (batch + evaluations * validation / 3), size.calls * groups * (1 + evaluations)
    drawn = size.inputs + noisy * size.noise
    return np.array([calls, members * size.parameters, rows * size.products, rows * size.written, members * batch * drawn])


def seconds_of_step(coefficients: Sequence[float] | NDArray[np.float64], *given: Any, **options: Any) -> float:
    """Seconds of a step by the formula: the sum of coefficient times term; coefficients are in nanoseconds."""
    return float(terms(*given, **options) @ np.asarray(coefficients)) * 1e-9


def stored(size: Size, batch: int, validation: int) -> NDArray[np.float64]:
    """Numbers of a member at the peak of a round without noise, once each, in the order of ``STORED``: its parameters, the rows of two
    batches, and what a forward writes for a batch or for the validation rows.
    """
    return np.array([size.parameters, 2 * batch * size.inputs, max(batch, validation) * size.written])


def bytes_of_member(coefficients: Sequence[float] | NDArray[np.float64], *given: Any) -> float:
    """Bytes of one more member at the peak of a round by the formula: coefficients say how often each number is held."""
    return FLOAT * float(stored(*given) @ np.asarray(coefficients))


def fitted(features: NDArray[np.float64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients, none negative, with the least sum of squares of relative errors.

    Examples
    --------
    >>> fitted(np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 4.0]]), np.array([5.0, 8.0, 14.0])).round(6).tolist()
    [2.0, 3.0]
    """
    weighed = features / measured[:, None]
    scale = weighed.max(axis=0)
    scale[scale == 0] = 1
    found, _ = nnls(weighed / scale, np.ones(len(measured)))
    return np.asarray(found / scale)


def left_out(features: NDArray[np.float64], measured: NDArray[np.float64], sizes: Sequence[str]) -> NDArray[np.float64]:
    """What the measurements of all other sizes predict for each, as a fraction of what was measured."""
    found = np.empty(len(measured))
    for name in dict.fromkeys(sizes):
        here = np.array([other == name for other in sizes])
        found[here] = features[here] @ fitted(features[~here], measured[~here]) / measured[here]
    return found


def bound(gpu: str, size: Size, members: int, batch: int) -> tuple[float, str]:
    """The least seconds that a step of all members takes on a GPU, and what bounds it: memory or arithmetic.

    At least: values, mask, gradient, two moments and the best values read and written once a step, a batch's rows read once, and for each
    multiplication of a forward two more in the backward, each with an addition. Calls, caches and what a product leaves idle cost more.
    """
    bandwidth, operations, _ = GPUS[gpu]
    moved = FLOAT * (12 * size.parameters + batch * size.inputs) * members / bandwidth
    computed = 6 * size.products * batch * members / operations
    return (moved, "memory") if moved >= computed else (computed, "arithmetic")


# --- Measuring ----------------------------------------------------------------------------------------------------------------


def measurements() -> Iterable[Measured]:
    """Every size of both engines: seconds of a step with few and many members and rows, bytes of a member with small and large batches."""
    for engine in ENGINES:
        for name, pairs in zip(names(engine), PAIRS[engine], strict=True):
            case = case_of(engine, name)
            wanted = [(*pair, False) for pair in pairs] + ([(*NOISY, True)] if engine == "mlp" else [])
            for members, batch, noise in wanted:
                seconds = seconds_of(case, members, batch, noise)
                given = members, case.groups(members, settings_of(1, batch, noise)), batch, ROWS, 1 / -(-ROWS // batch), noise
                yield Measured(*asdict(case.size).values(), *given, seconds, np.nan, np.nan)
            for batch, count, estimate in bytes_measured(engine, name):
                yield Measured(*asdict(case.size).values(), 0, 0, batch, 2 * batch, 0.5, False, np.nan, count, estimate)


def read(path: Path = TABLE) -> list[Measured]:
    kinds = {field.name: {"str": str, "int": int, "float": float, "bool": "True".__eq__}[str(field.type)] for field in fields(Measured)}
    with path.open(newline="") as file:
        return [Measured(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(file)]


def write(found: Sequence[Measured], path: Path = TABLE) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Measured)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(each) for each in found)


# --- Tables -------------------------------------------------------------------------------------------------------------------


def of_time(found: Sequence[Measured], engine: str) -> tuple[list[Measured], NDArray[np.float64], NDArray[np.float64]]:
    """The measurements of time of an engine, their terms, and nanoseconds."""
    mine = [each for each in found if each.engine == engine and each.seconds > 0]
    rows = [terms(each.size, each.members, each.batch, each.validation, each.evaluations, each.noisy, each.groups) for each in mine]
    return mine, np.array(rows), np.array([each.seconds * 1e9 for each in mine])


def of_memory(found: Sequence[Measured], engine: str) -> tuple[list[Measured], NDArray[np.float64], NDArray[np.float64]]:
    """The measurements of memory of an engine, the numbers that are stored, and numbers of four bytes."""
    mine = [each for each in found if each.engine == engine and each.bytes > 0]
    return (
        mine,
        np.array([stored(each.size, each.batch, each.validation) for each in mine]),
        np.array([each.bytes / FLOAT for each in mine]),
    )


def size_table(found: Sequence[Measured]) -> list[str]:
    sizes = dict.fromkeys(each.size for each in found)
    rows = [(s.engine, s.name, s.calls, *(f"{n:,.0f}" for n in (s.parameters, s.products, s.written, s.inputs, s.noise))) for s in sizes]
    return table(["engine", "network", "calls", "P", "M", "A", "D", "D of noise"], rows)


def coefficient_table(found: Sequence[Measured]) -> list[str]:
    times = [[engine, *map(significant, fitted(*of_time(found, engine)[1:]))] for engine in ENGINES]
    bytes_ = [[engine, *map(significant, fitted(*of_memory(found, engine)[1:]))] for engine in ENGINES]
    return [*table(["engine", *(f"{term}, ns" for term in TERMS)], times), "", *table(["engine", *STORED], bytes_)]


def ratios(found: Sequence[Measured], features: NDArray[np.float64], measured: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The formula over what was measured, and the prediction from the other sizes over it."""
    return [features @ fitted(features, measured) / measured, left_out(features, measured, [each.name for each in found])]


def time_table(found: Sequence[Measured], engine: str) -> list[str]:
    mine, features, measured = of_time(found, engine)
    rows = [
        (
            e.name,
            e.members,
            e.groups,
            f"{e.batch}{', noise' * e.noisy}",
            significant(ns / 1e3 / e.members),
            f"{by_all:.2f}",
            f"{by_others:.2f}",
        )
        for e, ns, by_all, by_others in zip(mine, measured, *ratios(mine, features, measured), strict=True)
    ]
    return table(
        [
            "network",
            "members",
            "groups",
            "batch",
            "us a member-step, measured",
            "formula / measured",
            "from the other four sizes / measured",
        ],
        rows,
    )


def memory_table(found: Sequence[Measured]) -> list[str]:
    rows: list[tuple[object, ...]] = []
    for engine in ENGINES:
        mine, features, measured = of_memory(found, engine)
        for e, *parts in zip(mine, *ratios(mine, features, measured), strict=True):
            rows.append((engine, e.name, e.batch, significant(e.bytes / 1e3), *(f"{part:.2f}" for part in (e.estimate / e.bytes, *parts))))
    columns = ["engine", "network", "batch", "kB a member, measured", "estimate of the engine / measured", "formula / measured"]
    return table([*columns, "from the other four sizes / measured"], rows)


def gpu_table(found: Sequence[Measured]) -> list[str]:
    """Bounds of a step of so many members that it moves a gigabyte, and how many members the formula lets into half of the memory."""
    rows, held = [], {engine: fitted(*of_memory(found, engine)[1:]) for engine in ENGINES}
    for size in dict.fromkeys(each.size for each in found):
        members = max(1, int(1e9 / (FLOAT * 12 * size.parameters)))
        bounds = [bound(gpu, size, members, BATCH) for gpu in GPUS]
        by = ", ".join(dict.fromkeys(what for _, what in bounds))
        each = bytes_of_member(held[size.engine], size, BATCH, 2 * BATCH)
        fits = [f"{memory / 2 / each:,.0f}" for memory in sorted({memory for *_, memory in GPUS.values()})]
        rows.append((size.name, f"{members:,}", *(significant(s * 1e6 / members) for s, _ in bounds), by, *fits))
    fit = [f"members in half of {memory / 1e9:.0f} GB" for memory in sorted({memory for *_, memory in GPUS.values()})]
    return table(["network", "members", *(f"{gpu}, us a member-step" for gpu in GPUS), "bound by", *fit], rows)


def summary(found: Sequence[Measured]) -> list[str]:
    """How far formula and prediction are off, in the median and at worst."""
    rows = []
    for engine in ENGINES:
        for what, given in (("time", of_time(found, engine)), ("memory", of_memory(found, engine))):
            off = [np.exp(np.abs(np.log(part))) for part in ratios(*given)]
            rows.append((engine, f"{what}, {len(given[0])}", *(f"{v:.2f}" for part in off for v in (np.median(part), part.max()))))
    columns = ["engine", "measured", "formula off by a factor, median", "worst", "from the other four sizes, median", "worst"]
    return table(columns, rows)


def calls_table(found: Sequence[Measured]) -> list[str]:
    """How long the calls of a step take here, and from how many members on the bound of a GPU is longer."""
    rows = []
    for engine in ENGINES:
        each = fitted(*of_time(found, engine)[1:])[0] * 1e-9
        for size in dict.fromkeys(one.size for one in found if one.engine == engine):
            counts = [int(np.ceil(each * size.calls / bound(gpu, size, 1, BATCH)[0])) for gpu in GPUS]
            rows.append((size.name, significant(each * size.calls * 1e6), *(f"{count:,}" for count in counts)))
    return table(["network", "us of the calls of a step, here", *(f"members, {gpu}" for gpu in GPUS)], rows)


def giant(found: Sequence[Measured], parameters: int = 10**9) -> list[str]:
    """A step of one chain of four layers of a billion parameters: by the formula here, and the bounds of GPUs."""
    width = int((parameters / 4) ** 0.5)
    size = Size("mlp", "four layers", 4, parameters, parameters, 7 * width, 2 * width, 4 * width)
    here = seconds_of_step(fitted(*of_time(found, "mlp")[1:]), size, 1, BATCH)
    rows = [("here, by the formula", here)]
    rows += [(f"{gpu}, at least ({bound(gpu, size, 1, BATCH)[1]})", bound(gpu, size, 1, BATCH)[0]) for gpu in GPUS]
    return table(["where", "s of a step", "s of a round of 120"], [(name, significant(s), significant(120 * s)) for name, s in rows])


def significant(value: float, digits: int = 3) -> str:
    """A number with three digits that count, without an exponent.

    Examples
    --------
    >>> significant(0.012345), significant(12345.6)
    ('0.0123', '12,300')
    """
    if not value:
        return "0"
    places = digits - 1 - int(np.floor(np.log10(abs(value))))
    return f"{round(value, places):,.{max(0, places)}f}"


def tables(found: Sequence[Measured]) -> dict[str, list[str]]:
    """Every table by the name of its mark."""
    return {
        "sizes": size_table(found),
        "coefficients": coefficient_table(found),
        **{f"time of {engine}": time_table(found, engine) for engine in ENGINES},
        "summary": summary(found),
        "memory": memory_table(found),
        "gpu": gpu_table(found),
        "least members": calls_table(found),
        "giant": giant(found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="make the tables from the measurements that are there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.again:
        found = []
        for each in measurements():
            found.append(each)
            print(each.engine, each.name, each.members, each.batch, each.seconds, each.bytes, flush=True)
        write(found)
        machine = f"{processor()}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, torch {torch.__version__}; "
        machine += f"load {os.getloadavg()[0]:.1f}"
    else:
        machine = OUT.read_text().splitlines()[0]
    blocks = {"machine": [machine], **tables(read())}
    OUT.write_text("\n\n".join("\n".join(lines) for lines in blocks.values()) + "\n")
    if PAGE.exists():
        PAGE.write_text(filled(PAGE.read_text(), blocks))


if __name__ == "__main__":
    main()
