"""Reading of fitted multilayer perceptrons of scikit-learn, by their attributes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .chains import STORED

__all__ = ["estimator_fields", "is_estimator"]

NAMES = {"logistic": "sigmoid", "softmax": "identity"}  # the largest output decides, with softmax and without


def is_estimator(value: Any) -> bool:
    """Whether a value is a fitted ``MLPClassifier`` or ``MLPRegressor``, or has their attributes."""
    return all(hasattr(value, name) for name in ("coefs_", "intercepts_", "activation", "out_activation_"))


def estimator_fields(model: Any) -> dict[str, Any]:
    """The arguments of ``LayeredGraph.from_weights`` for a fitted ``MLPClassifier`` or ``MLPRegressor``.

    Inputs have the names of the columns that it was fitted on, outputs those of its classes.

    Examples
    --------
    >>> from sklearn.neural_network import MLPClassifier
    >>> model = MLPClassifier((4,), max_iter=1).partial_fit([[0.0, 1.0], [1.0, 0.0]], ["cat", "dog"], classes=["cat", "dog", "eel"])
    >>> fields = estimator_fields(model)
    >>> fields["orientation"], fields["loss"], fields["output_names"]
    ('in_out', 'ce', ('cat', 'dog', 'eel'))
    """
    hidden, last = (NAMES.get(name, name) for name in (model.activation, model.out_activation_))
    outputs = len(model.intercepts_[-1])
    classes = getattr(model, "classes_", ())
    names = tuple(map(str, classes[1:] if outputs == 1 else classes))
    return {
        "matrices": model.coefs_,
        "orientation": STORED,
        "biases": tuple(map(np.asarray, model.intercepts_)),
        "activations": (*[hidden] * (len(model.coefs_) - 1), last),
        "input_names": tuple(map(str, getattr(model, "feature_names_in_", ()))),
        "output_names": names if len(names) == outputs else (),
        "loss": "ce" if model.out_activation_ == "softmax" else "bce" if len(classes) else "mse",
    }
