"""Exit with an error unless a wheel holds exactly the two packages and its metadata. Run as `python tests/check_wheel.py WHEEL`."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def problems(names: list[str], sources: set[str]) -> list[str]:
    """What is in a wheel and should not be, and what is missing from it."""
    inside = {name for name in names if ".dist-info/" not in name}
    return [f"not expected: {name}" for name in sorted(inside - sources)] + [f"missing: {name}" for name in sorted(sources - inside)]


def main(wheel: str) -> int:
    root = Path(__file__).resolve().parents[1]
    kinds = (".py", ".html", ".css", ".js")
    paths = (p for package in ("sculpting", "analysis") for p in (root / package).rglob("*") if p.suffix in kinds)
    sources = {str(p.relative_to(root)) for p in paths}
    with zipfile.ZipFile(wheel) as archive:
        found = problems(archive.namelist(), sources | {f"{package}/py.typed" for package in ("sculpting", "analysis")})
    sys.stdout.write("\n".join(found) + "\n" if found else f"{wheel}: exactly sculpting and analysis\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
