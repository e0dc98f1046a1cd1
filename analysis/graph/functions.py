"""Activation functions by name, and the losses that a network may be trained with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

__all__ = ["ACTIVATIONS", "LOSSES", "known_loss"]

ACTIVATIONS: dict[str, Callable[[NDArray], NDArray]] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "clipped_relu": lambda z: np.clip(z, 0, 1),
    "hardtanh": lambda z: np.clip(z, -1, 1),
    "relu6": lambda z: np.clip(z, 0, 6),
    "tanh": np.tanh,
    "sigmoid": expit,
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "gelu": lambda z: 0.5 * z * (1 + erf(z / np.sqrt(2))),
    "gelu_tanh": lambda z: 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0))),
    "mish": lambda z: z * np.tanh(np.logaddexp(0, z)),
    "hardswish": lambda z: z * np.clip(z + 3, 0, 6) / 6,
    "hardsigmoid": lambda z: np.clip(z + 3, 0, 6) / 6,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "log_sigmoid": lambda z: -np.logaddexp(0, -z),
    "silu": lambda z: z * expit(z),
    "softplus": lambda z: np.logaddexp(0, z),
}

LOSSES = ("bce", "ce", "mse")


def known_loss(loss: Any) -> str:
    """``loss`` where it is one of ``LOSSES``, else ``"bce"``: other graphs may store a number, or nothing, under that name."""
    return loss if isinstance(loss, str) and loss in LOSSES else LOSSES[0]
