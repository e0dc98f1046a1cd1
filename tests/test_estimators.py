"""The estimators of scikit-learn: its own checks, and work inside its tools."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import analysis
import sculpting
from analysis import ModuleDetector, detect_modules
from sculpting import SculptedClassifier, SculptedRegressor, SparseNetwork

QUICK: dict[str, Any] = {"hidden_layer_sizes": (8,), "seeds": 1, "unit_steps": (0.5,), "edge_steps": (0.05,), "random_state": 0}
TEN_ROWS = "the two of ten rows that decide acceptance have the same target, for which R squared is not defined"
EXPECTED = {"check_fit2d_1feature": TEN_ROWS}


def failures(estimator: Any) -> dict[str, str]:
    return EXPECTED if isinstance(estimator, SculptedRegressor) else {}


@pytest.mark.filterwarnings("ignore")  # the checks give odd data, of which scikit-learn and we warn
@parametrize_with_checks([SculptedClassifier(**QUICK), SculptedRegressor(**QUICK)], expected_failed_checks=failures)  # type: ignore[untyped-decorator]
def test_the_checks_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def wine() -> tuple[Any, Any]:
    return load_wine(return_X_y=True, as_frame=True)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def fitted() -> SculptedClassifier:
    return SculptedClassifier(**QUICK).fit(*wine())


def test_a_fitted_classifier_has_a_sparse_network_its_modules_and_named_features(fitted: SculptedClassifier) -> None:
    x, y = wine()
    assert isinstance(fitted.network_, SparseNetwork)
    assert fitted.network_.density < 0.5
    assert fitted.score(x, y) > 0.9
    assert fitted.feature_names_in_.tolist() == list(x.columns)
    read = np.abs(fitted.network_.compact().weights[0]).sum(axis=0) > 0
    assert ((fitted.feature_importances_ > 0) <= read).all()
    assert fitted.feature_importances_.sum() == pytest.approx(1)
    assert [a.tolist() for a in fitted.hierarchy_.labels] == [a.tolist() for a in detect_modules(fitted.network_).labels]
    np.testing.assert_allclose(fitted.predict_proba(x).sum(axis=1), 1)
    np.testing.assert_allclose(fitted.predict(x), fitted.network_.predict(x.to_numpy()))


def test_the_seed_is_that_of_sculpt(fitted: SculptedClassifier) -> None:
    x, y = wine()
    result = sculpting.sculpt(
        fitted._model(13, 3), (x.to_numpy(), y.to_numpy()), seeds=1, seed=0, unit_steps=(0.5,), edge_steps=(0.05,), test=0, progress=False
    )
    for ours, theirs in zip(fitted.network_.weights, result.network.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    other = clone(fitted).set_params(random_state=np.random.RandomState(1)).fit(x, y)
    assert other.result_.seeds != fitted.result_.seeds


def test_it_works_in_pipelines_searches_and_permutations(fitted: SculptedClassifier) -> None:
    x, y = wine()
    search = GridSearchCV(make_pipeline(StandardScaler(), clone(fitted)), {"sculptedclassifier__hidden_layer_sizes": [(4,), (8,)]}, cv=2)
    assert search.fit(x, y).best_score_ > 0.8
    found = permutation_importance(fitted, x, y, n_repeats=2, random_state=0).importances_mean
    unread = fitted.feature_importances_ == 0
    assert unread.any()
    assert (found[unread] == 0).all()
    assert found.max() > 0.05


@pytest.mark.parametrize("through", ["pickle", "joblib"])
def test_it_is_kept_by_pickle_and_joblib(fitted: SculptedClassifier, through: str) -> None:
    buffer = io.BytesIO()
    if through == "pickle":
        again = pickle.loads(pickle.dumps(fitted))
    else:
        joblib.dump(fitted, buffer)
        buffer.seek(0)
        again = joblib.load(buffer)
    np.testing.assert_array_equal(again.predict_proba(wine()[0]), fitted.predict_proba(wine()[0]))


def test_several_targets_are_predicted_side_by_side() -> None:
    x = np.random.default_rng(0).normal(size=(200, 4))
    y = np.stack([x[:, 0], x[:, 1] - x[:, 2]], axis=1)
    found = SculptedRegressor(**QUICK).fit(x, y)
    assert found.predict(x).shape == (200, 2)
    assert found.score(x, y) > 0.9
    assert SculptedRegressor(**QUICK).fit(x, y[:, 0]).predict(x).shape == (200,)


def test_where_nothing_is_accepted_the_network_is_dense_and_a_warning_says_why() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(60, 3)), generator.integers(0, 2, size=60)
    with pytest.warns(ConvergenceWarning, match="network_ is a dense network: No dense network beat the best constant prediction"):
        found = SculptedClassifier(**QUICK).fit(x, y)
    assert found.network_.density == 1
    assert found.predict(x).shape == (60,)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"activation": "step"}, "activation must be one of"),
        ({"hidden_layer_sizes": (4, 0)}, r"hidden_layer_sizes\[1\] must be a whole number of at least 1; got 0"),
        ({"seeds": 0}, "seeds must be a whole number of at least 1; got 0"),
        ({"edge_steps": (5,)}, "edge_steps must be a sequence of fractions"),
    ],
)
def test_bad_parameters_are_refused_in_fit(parameters: dict[str, Any], text: str) -> None:
    estimator = SculptedClassifier(**{**QUICK, **parameters})
    with pytest.raises(ValueError, match=text):
        estimator.fit(*wine())
    with pytest.raises(ValueError, match="y must have at least two classes; got one class, 0"):
        SculptedClassifier(**QUICK).fit(np.eye(5), np.zeros(5))


def test_a_detector_has_labels_and_the_options_of_detection() -> None:
    network = [[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]
    found = ModuleDetector().fit(network)
    assert found.labels_.tolist() == [0, 0, 1, 1, 0, 1, 0, 1]
    assert found.n_modules_ == 2
    assert found.fit_predict(network).tolist() == found.labels_.tolist()
    assert clone(ModuleDetector(method="published")).get_params()["method"] == "published"
    with pytest.raises(ValueError, match="method must be one of"):
        ModuleDetector(method="other").fit(network)
    with pytest.raises(ValueError, match="X must be one network; got 2"):
        ModuleDetector().fit([network, network])
    with pytest.raises(AttributeError):
        ModuleDetector().labels_  # noqa: B018
    parameters = set(analysis.detect_modules.__kwdefaults__ or {})
    assert parameters == set(ModuleDetector().get_params())


def test_nothing_is_read_before_it_is_fitted() -> None:
    with pytest.raises(NotFittedError):
        SculptedClassifier().predict(np.eye(3))
    with pytest.raises(NotFittedError):
        SculptedRegressor().hierarchy_  # noqa: B018
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "SculptedClassifier" in repr(SculptedClassifier(seeds=2))
