"""The cells of the study of language models, of either scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...store import Row
from ...study import CellResult
from .small import small_cell
from .smollm2 import smollm2_cell

__all__ = ["language_cell"]


def language_cell(scale: str, files: Mapping[str, bytes] | None = None, **given: Any) -> CellResult | list[Row]:
    """The rows of one cell of either scale."""
    return small_cell(files=files, **given) if scale == "small" else smollm2_cell(**given)
