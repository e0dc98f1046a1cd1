"""Models whose MLPs have different widths: a class of their own, registered with the ``Auto`` classes of ``transformers``.

A folder that such a model is saved to can be read by ``sculpting.narrow.language.load``, and after that call by ``AutoModelForCausalLM``
too. Serving tools that build a known class from its configuration, such as vLLM, TGI, llama.cpp or ONNX exporters, cannot read it: fill
the layers up with zeros for these (``uneven=False``), which costs the space of the zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

__all__ = ["even_model", "load", "uneven_class", "uneven_model"]

PREFIX = "uneven_"
OWN = ("model_type", "architectures", "transformers_version", "shapes")  # fields of one class
WHERE = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder", "token")
SIZES = {"in_features": 1, "out_features": 0}  # of an nn.Linear, and the axis of its weight


def even_model(base: type, config: Any) -> Any:
    """A model of the ordinary class of ``base``, with initial weights."""
    made = _ordinary(base)
    return made(config if made is base else _as(made.config_class, config, {}))


def uneven_model(base: type, config: Any, shapes: Mapping[str, Sequence[int]]) -> Any:
    """A model of the class ``base`` in which some parameters have shapes of their own; its weights are initial.

    Raises
    ------
    ValueError
        When ``AutoModelForCausalLM`` does not know the class, so that the model could not be read again.
    """
    made = uneven_class(_ordinary(base))
    return made(_as(made.config_class, config, {"shapes": {name: list(shape) for name, shape in shapes.items()}}))


def _ordinary(made: Any) -> Any:
    """The class itself, or what an uneven one was made from."""
    return made.__bases__[0] if made.config_class.model_type.startswith(PREFIX) else made


def _as(kind: Any, config: Any, more: Mapping[str, Any]) -> Any:
    """A configuration of another class with the same fields."""
    fields = {name: value for name, value in config.to_dict().items() if name not in OWN}
    found = kind(**fields | dict(more))
    found._attn_implementation = config._attn_implementation
    return found


@cache
def uneven_class(base: type) -> Any:
    """The class for models like ``base`` with MLPs of different widths; it is registered with ``AutoConfig`` and ``AutoModelForCausalLM``.

    Its configuration has ``shapes``, those of the parameters that differ.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    _check_known(base)
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


def _check_known(base: Any) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(base.config_class.model_type) != base.__name__:
        raise ValueError(
            f"the class of an uneven model must be one that AutoModelForCausalLM knows, so that it can be read again; got {base.__name__}. "
            "Leave out uneven=True"
        )


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
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if options.get("ignore_mismatched_sizes"):
        raise ValueError("ignore_mismatched_sizes must be left out: it reads layers of another width as random weights without a word")
    asked = {name: options[name] for name in WHERE if name in options}
    kind = transformers.PreTrainedConfig.get_config_dict(folder, **asked)[0].get("model_type", "")
    if kind.startswith(PREFIX):
        uneven_class(getattr(transformers, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind.removeprefix(PREFIX)]))
    read: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, **options)
    model, info = read
    if missing := sorted(info["missing_keys"]):
        raise ValueError(
            f"the model must have all weights of its class, {type(model).__name__}; got none for {', '.join(missing[:3])}. Save the whole "
            "model, with its head for language"
        )
    return model
