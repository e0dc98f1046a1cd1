"""Which calls of PyTorch are which activation: by the function, and its settings in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["ALIASES", "FORMS", "HEADS_OF", "form_of"]

# The settings of a function, in order, with the values that PyTorch gives them.
SETTINGS: dict[str, dict[str, object]] = {
    "leaky_relu": {"negative_slope": 0.01},
    "hardtanh": {"min_val": -1.0, "max_val": 1.0},
    "clamp": {"min": None, "max": None},
    "elu": {"alpha": 1.0, "scale": 1.0, "input_scale": 1.0},
    "celu": {"alpha": 1.0},
    "gelu": {"approximate": "none"},
    "softplus": {"beta": 1.0, "threshold": 20.0},
    "threshold": {"threshold": None, "value": None},
    "softmax": {"dim": None},
    "log_softmax": {"dim": None},
}
_BOUNDED: dict[tuple[object, ...], str] = {(-1.0, 1.0): "hardtanh", (0.0, 1.0): "clipped_relu", (0.0, 6.0): "relu6"}
_PLAIN = ("relu", "relu6", "tanh", "sigmoid", "selu", "silu", "mish", "hardswish", "hardsigmoid", "softsign", "log_sigmoid")

# By function: the settings with which it is read, and the activation that it then is.
FORMS: dict[str, dict[tuple[object, ...], str]] = {
    **{name: {(): name} for name in _PLAIN},
    "leaky_relu": {(0.01,): "leaky_relu", (0.0,): "relu"},
    "hardtanh": _BOUNDED,
    "clamp": {**_BOUNDED, (0.0, None): "relu"},
    "elu": {(1.0, 1.0, 1.0): "elu"},
    "celu": {(1.0,): "elu"},
    "gelu": {("none",): "gelu", ("tanh",): "gelu_tanh"},
    "softplus": {(1.0, 20.0): "softplus"},
    "threshold": {(0.0, 0.0): "relu"},
}
HEADS_OF: dict[str, dict[tuple[object, ...], str]] = {name: {(dim,): name for dim in (None, -1, 1)} for name in ("softmax", "log_softmax")}
ALIASES = {"clip": "clamp", "clamp_min": "clamp", "special_expit": "sigmoid", "logsigmoid": "log_sigmoid"}


def form_of(function: str, positional: Sequence[object], named: Mapping[str, object]) -> str | None:
    """The activation or head that a call is; None where it is none that is known.

    Examples
    --------
    >>> form_of("hardtanh", (0, 6), {}), form_of("leaky_relu", (), {"negative_slope": 0.2})
    ('relu6', None)
    """
    function = ALIASES.get(function, function)
    settings = SETTINGS.get(function, {})
    given = settings | dict(zip(settings, positional, strict=False)) | {name: value for name, value in named.items() if name in settings}
    try:
        return (FORMS | HEADS_OF).get(function, {}).get(tuple(given.values()))
    except TypeError:  # settings that are tensors or lists
        return None
