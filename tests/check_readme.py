"""Exit with an error unless a wheel does what the README shows. Run as `python tests/check_readme.py WHEEL [--empty]`.

The wheel is installed into an environment of its own, and the README's blocks of Python and the demo run in an empty folder. With
``--empty`` the dependencies are installed anew too; without, those of the Python that runs this are used.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
LIMIT = 600  # seconds for one step
# What importing must not load where it is installed. Not pandas: scikit-learn loads it itself.
OPTIONAL = (
    "onnx",
    "onnxscript",
    "onnxruntime",
    "pyarrow",
    "matplotlib.pyplot",
    "transformers",
    "tokenizers",
    "datasets",
    "distributed",
    "gguf",
)
FACTS = f"""
import sys, sculpting, analysis
print(sculpting.__file__, analysis.__file__, sep="\\n")
import sculpting.sculptor, sculpting.estimators, sculpting.narrow
print(*(name for name in {OPTIONAL!r} if name in sys.modules), sep="\\n")
"""


def blocks_of(text: str) -> list[tuple[str, str | None]]:
    """The blocks of Python, each with the block of text right after it, which is what it prints, or None."""
    found = re.findall(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", text, re.DOTALL)
    return [(code, printed or None) for code, printed in found]


def differences(printed: str, expected: str | None) -> list[str]:
    """The lines expected and not printed, or printed and not expected, marked."""
    if expected is None:
        return []
    found, known = printed.strip().splitlines(), expected.strip().splitlines()
    return [f"missing: {line}" for line in known if line not in found] + [
        f"not in the README: {line}" for line in found if line not in known
    ]


def install(folder: Path, wheel: Path, empty: bool) -> Path:
    """The folder of the programs of a new environment that has the wheel."""
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / Path(sys.executable).name
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", str(wheel)]
    subprocess.run(pip if empty else [*pip, "--no-deps", "--no-index"], check=True, timeout=3 * LIMIT)
    if not empty:
        # A path in a .pth file is searched, but its own .pth files are not read: an editable installation there is not seen.
        site = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
        Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def run(command: list[str], folder: Path) -> str:
    """What a command prints, run in a folder and without the settings of the shell that lead to other packages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") and name != "VIRTUAL_ENV"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr[-3000:]}")
    return done.stdout


def problems(programs: Path, place: Path, work: Path) -> list[str]:
    """What is wrong with the installation, the blocks and the demo."""
    python = str(next(programs.glob("python*")))
    first, second, *loaded = run([python, "-c", FACTS], work).split("\n")
    found = [f"imported from elsewhere: {path}" for path in (first, second) if not Path(path).is_relative_to(place)]
    found += [f"imported and not used: {name}" for name in loaded if name]
    for code, expected in blocks_of(README.read_text()):
        found += differences(run([python, "-c", code], work), expected)
    run([str(programs / "sculpting"), "demo"], work)
    named = ["modules.svg", *(f"runs/demo/{name}" for name in ("modules.svg", "modules.html"))]
    return found + [f"not written: {name}" for name in named if not (work / name).is_file()]


def main(wheel: str, *options: str) -> int:
    if not blocks_of(README.read_text()):
        sys.stdout.write("the README has no block of Python\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        place, work = Path(folder).resolve() / "environment", Path(folder).resolve() / "empty"
        work.mkdir()
        found = problems(install(place, Path(wheel).resolve(), "--empty" in options), place, work)
    sys.stdout.write("\n".join(found) + "\n" if found else f"{wheel}: does what the README shows, from an empty folder\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
