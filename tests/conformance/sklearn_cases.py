"""The cases of scikit-learn: estimators saved by skops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests.conformance.cases import (
    LABELS,
    MIXED,
    OPTIONAL_MIXED,
    Case,
    Inputs,
    Oracle,
    encoded,
    matrix,
    mixed,
    numbers,
    with_gaps,
)

FILE = "models/m.skops"
TREES = 15
ORDER = ("middle", "right", "left")
"""The application's order; scikit-learn's is that of the alphabet."""


def training_set(count: int = 150) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return a matrix of NUMBERS and a class for each row, some of them wrong."""
    x = matrix(numbers(count))
    rng = np.random.default_rng(5)
    classes = (x @ rng.normal(size=(3, 3)) + rng.normal(size=(count, 3))).argmax(axis=1)
    return x, np.array(LABELS)[classes]


def save(folder: Path, estimator: Any) -> Path:
    """Write an estimator to models/m.skops."""
    file = folder / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    skops.io.dump(estimator, file)
    return file


def _order(estimator: Any, labels: tuple[str, ...] = ORDER) -> list[int]:
    return [list(map(str, estimator.classes_)).index(label) for label in labels]


def classifier(estimator: Any) -> Callable[[Path], Oracle]:
    """Fit, save, and answer with predict_proba."""

    def write(folder: Path) -> Oracle:
        fitted = estimator.fit(*training_set())
        save(folder, fitted)
        return lambda inputs: np.asarray(fitted.predict_proba(matrix(inputs))[:, _order(fitted)])

    return write


def regressor(estimator: Any) -> Callable[[Path], Oracle]:
    """Fit, save, and answer with predict."""

    def write(folder: Path) -> Oracle:
        x, _ = training_set()
        fitted = estimator.fit(x, np.sin(x[:, 0]) + x[:, 1])
        save(folder, fitted)
        return lambda inputs: np.asarray(fitted.predict(matrix(inputs)))

    return write


def _labels_only(folder: Path) -> Oracle:
    fitted = LinearSVC(random_state=0).fit(*training_set())
    save(folder, fitted)

    def oracle(inputs: Inputs) -> NDArray[np.float64]:
        found = fitted.predict(matrix(inputs))
        return np.array([[float(label == one) for label in ORDER] for one in found])

    return oracle


def _named_features(folder: Path) -> Oracle:
    """Save a model whose columns are named in another order than podium.toml lists them."""
    x, y = training_set()
    fitted = LogisticRegression().fit(x[:, [2, 0, 1]], y)
    fitted.feature_names_in_ = np.array(["c", "a", "b"], np.object_)
    save(folder, fitted)
    del fitted.feature_names_in_

    def oracle(inputs: Inputs) -> NDArray[np.float64]:
        columns = matrix(inputs, ("c", "a", "b"))
        return np.asarray(fitted.predict_proba(columns)[:, _order(fitted)])

    return oracle


def _whole_numbers(folder: Path) -> Oracle:
    x, y = training_set()
    fitted = GaussianNB().fit(x, np.select([y == "left", y == "middle"], [30, 4], 100))
    save(folder, fitted)
    order = _order(fitted, ("100", "30", "4"))
    return lambda inputs: np.asarray(fitted.predict_proba(matrix(inputs))[:, order])


def _mixed(estimator: Any, gaps: bool) -> Callable[[Path], Oracle]:
    """Fit on MIXED, encoded by the rule."""

    def write(folder: Path) -> Oracle:
        x = encoded(with_gaps(150) if gaps else mixed(150))
        y = np.array(LABELS)[(np.nan_to_num(x) @ np.array([1, 0.3, 1, 2])).astype(int) % 3]
        fitted = estimator.fit(x, y)
        save(folder, fitted)
        return lambda inputs: np.asarray(fitted.predict_proba(encoded(inputs))[:, _order(fitted)])

    return write


def forest(kind: Any, **options: Any) -> Any:
    """Return a small forest."""
    return kind(n_estimators=TREES, max_depth=5, random_state=0, **options)


def _hot() -> ColumnTransformer:
    """Return what spreads the colour over sparse columns, as encoders do by default."""
    columns = [("hot", OneHotEncoder(), [3])]
    return ColumnTransformer(columns, remainder="passthrough", sparse_threshold=1.0)


def _case(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    given = {"inputs": numbers, "labels": ORDER, "names_labels": True, "tolerance": 1e-12}
    return Case(f"sklearn-{name}", FILE, write, **{**given, **options})


def _regression(name: str, write: Callable[[Path], Oracle]) -> Case:
    return _case(name, write, kind="regression", labels=(), names_labels=False)


CASES = (
    _case("logistic", classifier(LogisticRegression())),
    _case("naive-bayes", classifier(GaussianNB())),
    _case("tree", classifier(DecisionTreeClassifier(max_depth=4, random_state=0))),
    _case("forest", classifier(forest(RandomForestClassifier))),
    _case("extra-trees", classifier(forest(ExtraTreesClassifier))),
    _case("boosting", classifier(GradientBoostingClassifier(n_estimators=5, random_state=0))),
    _case("pipeline", classifier(make_pipeline(StandardScaler(), LogisticRegression()))),
    _case("pipeline-forest",
          classifier(make_pipeline(StandardScaler(), forest(RandomForestClassifier)))),
    _case("pipeline-one-hot-forest",
          _mixed(make_pipeline(_hot(), forest(RandomForestClassifier)), gaps=False),
          inputs=mixed, inputs_toml=MIXED),
    _case("pipeline-one-hot", _mixed(make_pipeline(_hot(), LogisticRegression()), gaps=False),
          inputs=mixed, inputs_toml=MIXED),
    _case("gaps", _mixed(DecisionTreeClassifier(random_state=0), gaps=True),
          inputs=with_gaps, inputs_toml=OPTIONAL_MIXED),
    _case("forest-gaps", _mixed(forest(RandomForestClassifier), gaps=True),
          inputs=with_gaps, inputs_toml=OPTIONAL_MIXED),
    _case("labels-only", _labels_only, graded=False),
    _case("named-features", _named_features),
    _case("whole-number-classes", _whole_numbers, labels=("100", "30", "4")),
    _regression("linear", regressor(LinearRegression())),
    _regression("pipeline-regressor",
                regressor(make_pipeline(StandardScaler(), LinearRegression()))),
    _regression("forest-regressor", regressor(forest(RandomForestRegressor))),
    _regression("extra-trees-regressor", regressor(forest(ExtraTreesRegressor))),
)  # fmt: skip
