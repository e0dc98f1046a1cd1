"""Models whose MLPs have different widths: a class of their own, registered with the ``Auto`` classes of ``transformers``.

A folder that such a model is saved to can be read by ``sculpting.narrow.language.load``, and after that call by ``AutoModelForCausalLM``
too. Serving tools that build a known class from its configuration, such as vLLM, TGI, llama.cpp or ONNX exporters, cannot read it: fill
the layers up with zeros for these (``uneven=False``), which costs the space of the zeros.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

__all__ = ["load", "uneven_class", "uneven_model"]

PREFIX = "uneven_"
SIZES = {"in_features": 1, "out_features": 0}  # of an nn.Linear, and the axis of its weight


def uneven_model(base: type, config: Any, shapes: Mapping[str, Sequence[int]]) -> Any:
    """A model of the class ``base`` in which some parameters have shapes of their own; its weights are initial."""
    made = uneven_class(base)
    fields = {
        name: value for name, value in config.to_dict().items() if name not in ("model_type", "architectures", "transformers_version")
    }
    return made(made.config_class(**fields, shapes={name: list(shape) for name, shape in shapes.items()}))


@cache
def uneven_class(base: type) -> Any:
    """The class for models like ``base`` with MLPs of different widths; it is registered with ``AutoConfig`` and ``AutoModelForCausalLM``.

    Its configuration has ``shapes``, those of the parameters that differ.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    known: Any = base.config_class  # type: ignore[attr-defined]
    config: Any = type(
        f"Uneven{known.__name__}", (known,), {"model_type": PREFIX + known.model_type, "__module__": __name__, "shapes": None}
    )

    def build(self: Any, given: Any) -> None:
        super(model, self).__init__(given)
        for name, shape in (given.shapes or {}).items():
            _resize(self, name, shape)

    model: Any = type(f"Uneven{base.__name__}", (base,), {"config_class": config, "__init__": build, "__module__": __name__})
    AutoConfig.register(config.model_type, config, exist_ok=True)
    AutoModelForCausalLM.register(config, model, exist_ok=True)
    return model


def _resize(model: nn.Module, name: str, shape: Sequence[int]) -> None:
    """Give a parameter another shape, with fresh initial weights; the sizes that an ``nn.Linear`` remembers follow."""
    path, _, key = name.rpartition(".")
    owner: Any = model.get_submodule(path)
    before = getattr(owner, key)
    bound = 1 / max(shape[-1], 1) ** 0.5
    setattr(owner, key, nn.Parameter(torch.empty(tuple(shape), dtype=before.dtype, device=before.device).uniform_(-bound, bound)))
    for size, axis in SIZES.items():
        if key == "weight" and hasattr(owner, size):
            setattr(owner, size, shape[axis])
    if key == "weight" and hasattr(owner, "nf"):  # GPT-2 stores its weights transposed
        owner.nx, owner.nf = shape


def load(folder: str | Path, **options: Any) -> Any:
    """Read a model that was saved by ``save_pretrained``, also one whose MLPs have different widths.

    Parameters
    ----------
    folder : str or Path
        Or the name of a model on a hub, where that can be reached.
    **options
        As for ``AutoModelForCausalLM.from_pretrained``. ``ignore_mismatched_sizes`` is refused: it reads layers of another width as
        random weights without a word.

    Raises
    ------
    ValueError, OSError
        When there is no such model, or it is of an unknown kind.
    """
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if options.get("ignore_mismatched_sizes"):
        raise ValueError("ignore_mismatched_sizes must be left out: it reads layers of another width as random weights without a word")
    path = Path(folder) / "config.json"
    kind = json.loads(path.read_text()).get("model_type", "") if path.is_file() else ""
    if kind.startswith(PREFIX):
        import transformers

        base = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind.removeprefix(PREFIX)]
        uneven_class(getattr(transformers, base))
    return AutoModelForCausalLM.from_pretrained(folder, **options)
