"""The cases of LightGBM: Boosters as text, and scikit-learn wrappers in skops archives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import lightgbm
import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.base import clone

from tests.conformance.cases import (
    LABELS,
    OPTIONAL_MIXED,
    Case,
    Inputs,
    Oracle,
    encoded,
    matrix,
    numbers,
    with_gaps,
)
from tests.conformance.sklearn_cases import ORDER
from tests.conformance.xgboost_cases import ROWS, TWO, classes, frame, values

TXT: Final = "models/m.txt"
LGB: Final = "models/m.lgb"
SKOPS: Final = "models/m.skops"


def small(kind: Any, **options: Any) -> Any:
    """Return a small model that is trained in milliseconds."""
    given = {"n_estimators": 5, "num_leaves": 5, "min_child_samples": 3, "n_jobs": 1}
    return kind(**{**given, **options}, random_state=0, verbose=-1)


def _wrapped(estimator: Any, name: str, count: int | None) -> Callable[[Path], Oracle]:
    """Save a scikit-learn wrapper's Booster; `count` is the number of its classes."""

    def write(folder: Path) -> Oracle:
        x = matrix(numbers(ROWS))
        y = values(x) if count is None else classes(x, count)
        fitted = clone(estimator).fit(x, y)
        save(fitted.booster_, folder / name)
        tell = fitted.predict if count is None else fitted.predict_proba
        return lambda inputs: _shares(np.asarray(tell(matrix(inputs))))

    return write


def save(booster: lightgbm.Booster, file: Path) -> Path:
    """Write a Booster as text."""
    file.parent.mkdir(parents=True, exist_ok=True)
    booster.save_model(file)
    return file


def _shares(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows that sum to 1, which those of one against all others do not."""
    return found / found.sum(axis=1, keepdims=True) if found.ndim == 2 else found


def _skops(folder: Path) -> Oracle:
    """Save a classifier with the names of its classes, which was best after three rounds."""
    x = matrix(numbers(ROWS))
    y = np.array(LABELS)[classes(x, 3)]
    fitted = small(lightgbm.LGBMClassifier).fit(x, y)
    fitted.booster_.best_iteration = 3  # as early stopping sets it
    (folder / SKOPS).parent.mkdir(parents=True, exist_ok=True)
    skops.io.dump(fitted, folder / SKOPS)
    order = [list(fitted.classes_).index(label) for label in ORDER]
    return lambda inputs: np.asarray(fitted.predict_proba(matrix(inputs)))[:, order]


def _skops_regressor(folder: Path) -> Oracle:
    x = matrix(numbers(ROWS))
    fitted = small(lightgbm.LGBMRegressor).fit(x, values(x))
    (folder / SKOPS).parent.mkdir(parents=True, exist_ok=True)
    skops.io.dump(fitted, folder / SKOPS)
    return lambda inputs: np.asarray(fitted.predict(matrix(inputs)))


def _categories(folder: Path) -> Oracle:
    """Save a model that knows the names of its categories."""
    inputs = with_gaps(ROWS)
    fitted = small(lightgbm.LGBMClassifier, min_data_per_group=1, cat_smooth=0.1)
    fitted.fit(frame(inputs), classes(encoded(inputs), 3))
    save(fitted.booster_, folder / TXT)
    return lambda given: np.asarray(fitted.predict_proba(frame(given)))


def _codes(folder: Path) -> Oracle:
    """Save a model that knows its categories by their codes alone."""
    inputs = with_gaps(ROWS)
    fitted = small(lightgbm.LGBMClassifier, min_data_per_group=1, cat_smooth=0.1)
    x = np.nan_to_num(encoded(inputs), nan=-1)
    fitted.fit(x, classes(x, 3), categorical_feature=[3])
    save(fitted.booster_, folder / TXT)

    def oracle(given: Inputs) -> NDArray[Any]:
        return np.asarray(fitted.predict_proba(encoded(given)))

    return oracle


def _case(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    given = {"file": TXT, "inputs": numbers, "labels": LABELS, "tolerance": 1e-12}
    return Case(f"lightgbm-{name}", write=write, **{**given, **options})


def _regression(name: str, **options: Any) -> Case:
    write = _wrapped(small(lightgbm.LGBMRegressor, **options), TXT, None)
    return _case(name, write, kind="regression", labels=())


CLASSIFIER: Final = small(lightgbm.LGBMClassifier)
OWN: Final = {"file": SKOPS, "model_toml": 'runtime = "lightgbm"'}

CASES = (
    _case("classes", _wrapped(CLASSIFIER, TXT, 3)),
    _case("one-against-all",
          _wrapped(small(lightgbm.LGBMClassifier, objective="multiclassova"), LGB, 3), file=LGB),
    _case("two", _wrapped(small(lightgbm.LGBMClassifier, sigmoid=0.7), TXT, 2), labels=TWO),
    _case("categories", _categories, inputs=with_gaps, inputs_toml=OPTIONAL_MIXED),
    _case("codes", _codes, inputs=with_gaps, inputs_toml=OPTIONAL_MIXED),
    _case("skops", _skops, labels=ORDER, names_labels=True, **OWN),
    _case("skops-regression", _skops_regressor, kind="regression", labels=(), **OWN),
    _regression("regression"),
    _regression("poisson", objective="poisson"),
    _regression("forest", boosting_type="rf", subsample=0.7, subsample_freq=1),
    _regression("dart", boosting_type="dart"),
    _regression("linear-leaves", linear_tree=True, num_leaves=3, n_estimators=3),
)  # fmt: skip
