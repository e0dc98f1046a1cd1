"""What ``narrow_language`` returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .phases import Phase, SparsityPoint
from .report import write_language_report

__all__ = ["LanguageResult"]


@dataclass(frozen=True, eq=False)
class LanguageResult:
    """A narrow language model, and what each phase cost and forgot.

    Attributes
    ----------
    model : transformers.PreTrainedModel
        An ordinary model: ``save_pretrained``, ``generate``.
    method : str
    phases : tuple of Phase
    frontier : tuple of SparsityPoint
        Loss against sparsity of neurons by the scores of this method, on validation windows, when nothing is trained after pruning; empty
        for models that are trained from initial weights.
    settings : mapping of str to plain values
    notes : tuple of str
        What stays in the model beside what was asked for.
    """

    model: Any
    method: str
    phases: tuple[Phase, ...]
    frontier: tuple[SparsityPoint, ...]
    settings: Mapping[str, Any]
    notes: tuple[str, ...]

    def phase(self, name: str) -> Phase:
        """The phase of a name.

        Raises
        ------
        KeyError
            When there is none; the text has the known names.
        """
        for each in self.phases:
            if each.name == name:
                return each
        raise KeyError(f"name must be one of {[each.name for each in self.phases]}; got {name!r}")

    @property
    def parameters(self) -> int:
        """Parameters of the model, without zeros that only fill up layers."""
        return int(self.model.num_parameters()) - self.zeros

    @property
    def zeros(self) -> int:
        """Parameters that only fill up layers of different widths."""
        return next(each.zeros for each in reversed(self.phases) if "control" not in each.name)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The phases as rows of a table."""
        names = ("name", "parameters", "zeros", "tokens", "keep", "forget", "tokens_per_second")
        return [{name: getattr(each, name) for name in names} for each in self.phases]

    def __str__(self) -> str:
        lines = [f"{self.method}: {self.parameters:,} parameters", f"{'phase':16}  {'parameters':>13}  {'tokens':>11}    keep  forget"]
        for each in self.phases:
            losses = "  ".join("     -" if math.isnan(loss) else f"{loss:6.3f}" for loss in (each.keep, each.forget))
            lines.append(f"{each.name:16}  {each.parameters:13,}  {each.tokens:11,}  {losses}")
        return "\n".join([*lines, *self.notes])

    def report(self, folder: str | Path) -> tuple[Path, ...]:
        """Write a table, the settings, and pictures of loss against sparsity and of the loss in training.

        Returns
        -------
        tuple of Path
            ``report.md``, ``settings.json`` and ``curves.svg`` in the folder, which is created.
        """
        return write_language_report(self, folder)
