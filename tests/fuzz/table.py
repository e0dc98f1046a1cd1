"""The table of all readers: ``make fuzz N=20000``."""

from __future__ import annotations

import argparse
import importlib
from datetime import date
from pathlib import Path

from tqdm import tqdm

from .harness import MEMORY, SECONDS, Reader, counted, outcomes

__all__ = ["main", "readers"]

HEADER = """# Mutated inputs

Made by `make fuzz N={count} SEED={seed}` on {day}; {seconds:g} s and {memory} GiB for each input. A child process reads one
after another; where one hangs or the child dies, another child goes on with the next. *Documented*: the
exception that the docstring names. *Other*: any other exception, or a child that died.

| reader | inputs | right | documented error | other exceptions | hangs | silently another |
|---|---|---|---|---|---|---|
"""


def readers() -> list[Reader]:
    """The readers of all files ``readers_*.py`` beside this one."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("readers_*.py"))
    return [reader for name in names for reader in importlib.import_module(f"{__package__}.{name}").READERS]


def main() -> int:
    """Run all readers, or those whose name has a text; print faults, and write the table where a path is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=2_000_000, help="those below 2,000,000 were used for mending")
    parser.add_argument("--only", default="", help="readers whose name has this text")
    parser.add_argument("--out", type=Path, help="a file for the table")
    given = parser.parse_args()
    chosen = [reader for reader in readers() if given.only in reader.name]
    each = -(-given.inputs // len(chosen))
    lines, clean = [], True
    for reader in chosen:
        found = outcomes(reader, given.seed, each)
        counts, faults = counted(tqdm(found, total=each, desc=reader.name, mininterval=1))
        lines.append("| " + " | ".join([reader.name, f"{each:,}", *(f"{count:,}" for count in counts.values())]) + " |")
        clean &= not faults
        for fault in faults[:20]:
            print(f"input {fault.number}: {fault.outcome}: {fault.text}")
    table = HEADER.format(count=given.inputs, seed=given.seed, day=date.today(), seconds=SECONDS, memory=MEMORY >> 30) + "\n".join(lines)
    print(table)
    if given.out is not None:
        given.out.write_text(table + "\n")
    return 0 if clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
