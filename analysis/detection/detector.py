"""Detection as an estimator of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from .clustering import MOST_COMPARED
from .modules import detect_modules

__all__ = ["ModuleDetector"]


class ModuleDetector(BaseEstimator):
    """:func:`detect_modules` with ``fit``; its parameters are the options.

    It takes networks, not tables of rows, so that it is no clusterer in the sense of ``check_estimator``.

    Attributes
    ----------
    hierarchy_ : Hierarchy
    labels_ : int64 array of shape (units,)
        The module of each unit, layer after layer, -1 for removed units.
    n_modules_ : int

    Examples
    --------
    >>> ModuleDetector(method="published").fit([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]).labels_.tolist()
    [0, 0, 1, 1, 0, 1, 0, 1]
    """

    def __init__(
        self,
        *,
        method: str = "refined",
        features: str = "binary",
        direction: str | None = None,
        linkage: str = "average",
        distance: str = "cosine",
        criterion: str = "modularity",
        ties: str | None = None,
        merge_threshold: float = 0.9,
        modularity_threshold: float = 0.2,
        reach: int | None = None,
        max_units: int = MOST_COMPARED,
    ) -> None:
        self.method = method
        self.features = features
        self.direction = direction
        self.linkage = linkage
        self.distance = distance
        self.criterion = criterion
        self.ties = ties
        self.merge_threshold = merge_threshold
        self.modularity_threshold = modularity_threshold
        self.reach = reach
        self.max_units = max_units

    def fit(self, X: Any, y: None = None) -> ModuleDetector:  # noqa: N803
        """Find the modules of one network, as :func:`detect_modules` takes it; ``y`` is not used.

        Raises
        ------
        TypeError, ValueError
            As :func:`detect_modules`; and when several networks are given.
        """
        found = detect_modules(X, **self.get_params())
        if isinstance(found, list):
            raise ValueError(f"X must be one network; got {len(found)}. Fit one after the other, or use detect_modules")
        self.hierarchy_ = found
        self.labels_: NDArray[np.int64] = np.concatenate(found.labels)
        self.n_modules_ = len(found.modules)
        return self

    def fit_predict(self, X: Any, y: None = None) -> NDArray[np.int64]:  # noqa: N803
        """The ``labels_`` of one network."""
        return self.fit(X).labels_
