"""``narrow_language``: a small language model of one domain, made from a large one of many."""

from __future__ import annotations

import difflib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from ...files import check_folder
from ...progress import Progress
from .groups.finding import language_groups
from .loading import check_installed, load_language, without_bars
from .narrowing_run import KIND_OF, NarrowingRun
from .options import LanguageSettings
from .results import LanguageResult
from .text.text_domains import TextDomain, two_domains
from .training.checkpointing import check_run, run_identity_of
from .training.processes import placed, processes_of
from .training.settings import LanguageTraining

__all__ = ["narrow_language"]

ARGUMENTS = ("model", "keep", "forget", "tokenizer", "checkpoint", "device", "progress")


def narrow_language(
    model: Any,
    keep: Any,
    forget: Any = None,
    *,
    tokenizer: Any = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    progress: Progress = True,
    **settings: Any,
) -> LanguageResult:
    """A small language model that does what the text of ``keep`` asks, and how much of ``forget`` it lost.

    Parameters
    ----------
    model : transformers.PreTrainedModel, str or Path
        A decoder whose groups :func:`language_groups` finds; or where to read one, see :func:`load_language`. It is as before at the end.
    keep, forget : str, Path, sequence of texts, or TextDomain
        The text that the model is scored and trained on, and that on which it is also evaluated; see :func:`read_documents`. Text is split
        by document, and near-duplicates never straddle a split.
    tokenizer : transformers.PreTrainedTokenizerBase, optional
        That of the model; not needed for a model that is read here, or for domains that are tokens already.
    checkpoint : str or Path, optional
        A folder in which every training keeps a checkpoint, so that the same call goes on where it was stopped. It notes in ``run.json``
        which call that is; another is refused before anything is trained.
    device : str, optional
        ``"cpu"``, or the one that ``accelerate`` chooses.
    progress : bool or callable
        See :func:`train_language`.
    **settings
        Fields of :class:`LanguageSettings` and of :class:`LanguageTraining`, such as ``method``, ``sparsity``, ``tokens``, ``seed``.

    Returns
    -------
    LanguageResult

    Raises
    ------
    TypeError, ValueError
        Before any training when an argument does not fit; and when a loss is not finite.
    ImportError
        Without ``transformers`` and ``accelerate``.

    Notes
    -----
    Groups are removed before the training that follows, so that it costs what the small model costs. Losses are those of test windows, of
    documents that nothing was trained, scored or selected on. The published study counted training losses, of single runs.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025.

    Examples
    --------
    >>> result = narrow_language("smollm2", "python", "english", sparsity=0.5, tokens=10_000)  # doctest: +SKIP
    >>> print(result)  # doctest: +SKIP
    """
    known = settings_of(settings)
    check_installed()
    processes = processes_of(device)
    folder = None if checkpoint is None else Path(checkpoint)
    if folder is not None:
        check_folder(folder, "checkpoint")
    if isinstance(model, (str, Path)):
        with without_bars():
            model, read = load_language(model)
        tokenizer = read if tokenizer is None else tokenizer
    _check_model(model, known)
    if tokenizer is None and not (isinstance(keep, TextDomain) and isinstance(forget, TextDomain | None)):
        raise TypeError("tokenizer must be that of the model; got none. Give it, or the folder of the model in place of the model")
    groups = language_groups(model)
    for kind, name in KIND_OF.items():
        if getattr(known, name):
            groups.of(kind)
    domains = two_domains(
        keep, forget, tokenizer, int(model.config.vocab_size),
        length=known.length, held_out=known.held_out, limit=known.limit, seed=known.seed,
    )  # fmt: skip
    if known.revival_tokens and domains[1] is None:
        raise ValueError(f"forget must be the text to revive for revival_tokens={known.revival_tokens:,}; got none")
    if folder is not None:
        of_run = run_identity_of(model, known.plain(), [domain for domain in domains if domain is not None])
        check_run(folder, of_run, main=processes.index == 0)
    with placed(model, processes.device):
        return NarrowingRun(model, groups, *domains, known, folder, device, progress).result()


def _check_model(model: Any, known: LanguageSettings) -> None:
    config = getattr(model, "config", None)
    if not hasattr(config, "vocab_size"):
        raise TypeError(f"model must be a language model of transformers, or where to read one; got {type(model).__name__}")
    if model.dtype == torch.float16:
        raise ValueError("model must be in float32 or bfloat16, since small updates are lost in float16; got float16. Call model.float()")
    most = getattr(config, "max_position_embeddings", None)
    if most is not None and known.length > most:
        raise ValueError(f"length must be at most the {most:,} positions of the model; got {known.length:,}")


def settings_of(given: dict[str, Any]) -> LanguageSettings:
    """Settings from the fields of both classes; ``seed`` is one for both."""
    own, training = ({field.name for field in fields(kind)} for kind in (LanguageSettings, LanguageTraining))
    if unknown := sorted(given.keys() - own - training):
        near = difflib.get_close_matches(unknown[0], [*ARGUMENTS, *own, *training], n=1)
        raise TypeError(
            f"settings must be fields of LanguageSettings or LanguageTraining, {sorted(own | training)}; got {unknown[0]!r}"
            + f". Did you mean {near[0] if near else ''}?" * len(near)
        )
    known = LanguageSettings(**{name: value for name, value in given.items() if name in own})
    rest = {name: value for name, value in given.items() if name in training}
    return replace(known, training=replace(known.training, **rest))
