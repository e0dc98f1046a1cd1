"""Sculpted networks as estimators of scikit-learn.

N = rows, F = columns of X, K = classes, O = outputs.
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from .activations import ACTIVATIONS
from .models.network import SparseNetwork
from .options import check_choice, check_counts
from .results import SculptResult
from .sculptor import sculpt
from .structure import modules_of

if TYPE_CHECKING:
    from .structure import Hierarchy

__all__ = ["SculptedClassifier", "SculptedRegressor"]

LEAST_ROWS = 2


class _Sculpted(BaseEstimator):
    """What both estimators have in common: parameters, fitting, and what is read off the network."""

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (24,),
        *,
        activation: str = "relu",
        seeds: int = 4,
        min_accuracy: float | None = None,
        validation_fraction: float = 0.2,
        steps: int | None = None,
        learning_rate: float | None = None,
        unit_steps: tuple[float, ...] | None = None,
        edge_steps: tuple[float, ...] | None = None,
        tolerance: float | None = None,
        max_members: int | None = None,
        device: str | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.seeds = seeds
        self.min_accuracy = min_accuracy
        self.validation_fraction = validation_fraction
        self.steps = steps
        self.learning_rate = learning_rate
        self.unit_steps = unit_steps
        self.edge_steps = edge_steps
        self.tolerance = tolerance
        self.max_members = max_members
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _sculpt(self, x: NDArray[np.float64], y: NDArray[Any], outputs: int, loss: str) -> None:
        """Set ``result_`` and ``network_``."""
        self.result_: SculptResult = sculpt(
            self._model(x.shape[1], outputs), (x, y), loss=loss, seeds=self.seeds, seed=self._seed(), min_accuracy=self.min_accuracy,
            validation=self.validation_fraction, test=0, max_members=self.max_members, device=self.device, progress=bool(self.verbose),
            **self._settings(),
        )  # fmt: skip
        if self.result_.network is None:
            warnings.warn(f"network_ is a dense network: {self.result_.stop_reason.value}", ConvergenceWarning, stacklevel=3)
        dense = max(self.result_.dense, key=lambda network: network.accuracy)
        self.network_: SparseNetwork = dense if self.result_.network is None else self.result_.candidates[0]
        used = [np.abs(weight.astype(np.float64)) for weight in self.network_.weights]
        paths = x.std(axis=0) * np.linalg.multi_dot([*used[::-1], np.eye(x.shape[1])]).sum(axis=0)
        self.feature_importances_: NDArray[np.float64] = paths / paths.sum() if paths.any() else paths

    def _model(self, inputs: int, outputs: int) -> nn.Sequential:
        check_choice("activation", self.activation, [*ACTIVATIONS])
        sizes = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object)).tolist()
        check_counts(**{f"hidden_layer_sizes[{i}]": size for i, size in enumerate(sizes)})
        widths, layers = [inputs, *sizes, outputs], list[nn.Module]()
        for before, after in pairwise(widths):
            layers += [nn.utils.skip_init(nn.Linear, before, after), ACTIVATIONS[self.activation].module()]
        for parameter in nn.ModuleList(layers).parameters():
            nn.init.zeros_(parameter)  # ``sculpt`` draws them, and the generator of torch is the caller's
        return nn.Sequential(*layers[:-1])

    def _seed(self) -> int:
        state = self.random_state
        return int(state) if isinstance(state, Integral) else int(check_random_state(state).randint(2**31 - 1))

    def _settings(self) -> dict[str, Any]:
        names = ("steps", "learning_rate", "unit_steps", "edge_steps", "tolerance")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def _outputs(self, x: ArrayLike) -> NDArray[np.float64]:
        """The last layer of the network for each row, in float64: (N, O)."""
        check_is_fitted(self)
        values = validate_data(self, x, reset=False, dtype=np.float64)
        with torch.no_grad():
            found: NDArray[np.float64] = self.network_.model().double()(torch.from_numpy(np.ascontiguousarray(values))).numpy()
        return found

    @property
    def hierarchy_(self) -> Hierarchy:
        """The modules of ``network_``: see :func:`analysis.detect_modules`."""
        check_is_fitted(self)
        return modules_of(self.network_)


class SculptedClassifier(ClassifierMixin, _Sculpted):
    """A sparse network that tells classes apart, with the interface of scikit-learn.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int
        Units of each hidden layer before pruning.
    activation : str
        Of the hidden layers, such as ``"relu"`` or ``"tanh"``.
    seeds : int
        Networks that are trained and pruned side by side; the sparsest is taken.
    min_accuracy : float in (0, 1], optional
        The accuracy on the validation rows that a network must reach. When left out, a paired test against the dense networks decides.
    validation_fraction : float in (0, 1)
        Rows that are held out of the training to decide what can be pruned.
    steps, learning_rate, unit_steps, edge_steps, tolerance, max_members, device
        As in :func:`sculpting.sculpt`, whose defaults hold where they are None.
    random_state : int, RandomState or None
        An int is the ``seed`` of :func:`sculpting.sculpt`.
    verbose : bool
        Whether to show a progress bar.

    Attributes
    ----------
    network_ : SparseNetwork
        The sparsest network that was accepted. Where none was, the best dense one, and a ``ConvergenceWarning`` says why.
    hierarchy_ : Hierarchy
        The modules of ``network_``.
    result_ : SculptResult
        All candidates, and the history.
    feature_importances_ : float64 array of shape (F,)
        The sum over paths from each column of the product of absolute weights, times the standard deviation of the column, as a fraction
        of the total; 0 for a column that the network does not read.
    classes_ : array of shape (K,)
    n_features_in_ : int
    feature_names_in_ : array of shape (F,)
        Where ``X`` had names.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 5))
    >>> found = SculptedClassifier((8,), seeds=1, unit_steps=(0.5,), edge_steps=(0.05,), random_state=0).fit(x, x[:, 2] > 0)
    >>> found.score(x, x[:, 2] > 0) > 0.9, int(found.feature_importances_.argmax())
    (True, 2)
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> SculptedClassifier:  # noqa: N803
        """Train and prune on ``X`` of shape (N, F) and classes ``y`` of shape (N,).

        Raises
        ------
        ValueError
            When data or a parameter does not fit.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=LEAST_ROWS)  # noqa: N806
        check_classification_targets(y)
        encoder = LabelEncoder().fit(y)
        self.classes_ = encoder.classes_
        if len(self.classes_) < 2:
            raise ValueError(f"y must have at least two classes; got one class, {self.classes_[0]}")
        self._sculpt(np.asarray(X), encoder.transform(y), len(self.classes_), "ce")
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """The probability of each class: (N, K)."""
        return np.asarray(softmax(self._outputs(X), axis=1))

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """The most probable class of each row: (N,)."""
        best = self._outputs(X).argmax(axis=1)
        return np.asarray(self.classes_[best])


class SculptedRegressor(RegressorMixin, _Sculpted):
    """A sparse network that predicts real values, with the interface of scikit-learn.

    Parameters and attributes are those of :class:`SculptedClassifier`, without classes; ``min_accuracy`` is of R squared.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 5))
    >>> found = SculptedRegressor((8,), seeds=1, unit_steps=(0.5,), edge_steps=(0.05,), random_state=0).fit(x, 2 * x[:, 2])
    >>> found.score(x, 2 * x[:, 2]) > 0.9, int(found.feature_importances_.argmax())
    (True, 2)
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> SculptedRegressor:  # noqa: N803
        """Train and prune on ``X`` of shape (N, F) and targets ``y`` of shape (N,) or (N, O).

        Raises
        ------
        ValueError
            When data or a parameter does not fit.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=LEAST_ROWS)  # noqa: N806
        x, targets = np.asarray(X), np.asarray(y, dtype=np.float64)
        self._one_column = targets.ndim == 1
        targets = targets.reshape(len(x), -1)
        self._sculpt(x, targets, targets.shape[1], "mse")
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """The values of each row: (N,) or (N, O), as ``y`` was."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._one_column else outputs
