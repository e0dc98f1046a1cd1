"""The bar in a notebook, with and without the package that draws it there."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A kernel as tqdm recognises it. Whether the package is installed here does not matter.
NOTEBOOK = """
import sys, types
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace(config={"IPKernelApp": {}}))
sys.modules["ipykernel.zmqshell"] = types.ModuleType("ipykernel.zmqshell")
sys.modules["ipywidgets"] = None
"""


@pytest.mark.parametrize(
    ("code", "warns"),
    [("from tqdm.auto import tqdm", True), ("from sculpting.progress import tqdm", False), ("import sculpting.study", False)],
)
def test_a_notebook_without_widgets_gets_a_bar_and_no_warning(code: str, warns: bool) -> None:
    """What tqdm itself does shows that the check can fail."""
    found = subprocess.run([sys.executable, "-W", "always", "-c", NOTEBOOK + code], capture_output=True, text=True, check=True)
    assert ("TqdmWarning: IProgress not found" in found.stderr) is warns
