"""Networks as files of a study: their names, and their content."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from ...models.network import SparseNetwork
from ...models.sparse_module import SparseModule

__all__ = ["module_from", "network_bytes", "network_file", "network_from"]


def network_file(cell: str) -> str:
    """The name of the file of a cell's network.

    Examples
    --------
    >>> network_file("width64_seed0_plain")
    'networks/width64_seed0_plain.safetensors'
    """
    return f"networks/{cell}.safetensors"


def network_bytes(network: SparseNetwork | SparseModule) -> bytes:
    """The content of the file that :meth:`~sculpting.SparseNetwork.save` writes."""
    with TemporaryDirectory() as folder:
        return network.save(Path(folder) / "network.safetensors").read_bytes()


def network_from(content: bytes) -> SparseNetwork:
    """The network of such a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        path.write_bytes(content)
        return SparseNetwork.load(path)


def module_from(content: bytes, model: nn.Module) -> SparseModule:
    """The network of a file that a ``SparseModule`` wrote, of the architecture of a model."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        path.write_bytes(content)
        return SparseModule.load(path, model)
