"""The cases of XGBoost: Boosters in JSON and UBJSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray
from sklearn.base import clone

from tests.conformance.cases import (
    COLOURS,
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

ROWS: Final = 150
TWO: Final = ("no", "yes")


def classes(x: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return a class for each row, some of them wrong."""
    rng = np.random.default_rng(5)
    known = np.nan_to_num(x)
    scores = known @ rng.normal(size=(x.shape[1], count)) + rng.normal(size=(len(x), count))
    return np.asarray(scores.argmax(axis=1))


def values(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a positive number for each row."""
    known = np.nan_to_num(x)
    return np.asarray(np.exp(np.sin(known[:, 0]) + known[:, 1] / 2))


def frame(inputs: Inputs) -> pd.DataFrame:
    """Return inputs of MIXED as a DataFrame; the order of COLOURS is not that of the codes."""
    colours = [one.get("colour") for one in inputs]
    table = pd.DataFrame(encoded(inputs)[:, :3], columns=["width", "count", "flag"])
    table["colour"] = pd.Categorical(colours, sorted(COLOURS))
    return table


def train(
    params: dict[str, Any],
    y: Callable[[NDArray[np.float64]], NDArray[Any]],
    rounds: int = 4,
) -> xgboost.Booster:
    """Return a Booster of NUMBERS whose columns have no names."""
    x = matrix(numbers(ROWS))
    given = {"max_depth": 3, "nthread": 1, "seed": 0, **params}
    return xgboost.train(given, xgboost.DMatrix(x, y(x)), rounds)


def _wrapped(estimator: Any, name: str, count: int | None) -> Callable[[Path], Oracle]:
    """Save a scikit-learn wrapper's Booster; `count` is the number of its classes."""

    def write(folder: Path) -> Oracle:
        x = matrix(numbers(ROWS))
        y = values(x) if count is None else classes(x, count)
        stop: dict[str, Any] = {}
        if estimator.early_stopping_rounds:
            stop = {"eval_set": [(x[100:], y[100:])], "verbose": False}
        fitted = clone(estimator).fit(x[:100], y[:100], **stop)
        _save(fitted, folder / name)
        tell = fitted.predict if count is None else fitted.predict_proba
        return lambda inputs: np.asarray(tell(matrix(inputs)), np.float64)

    return write


def _trained(
    params: dict[str, Any],
    y: Callable[[NDArray[np.float64]], NDArray[Any]],
    told: Callable[[NDArray[np.float64]], NDArray[Any]] = np.asarray,
) -> Callable[[Path], Oracle]:
    """Save what xgboost.train makes; `told` makes the expected answer of its prediction."""

    def write(folder: Path) -> Oracle:
        booster = train(params, y)
        _save(booster, folder / UBJ)
        margin = params["objective"] == "multi:softmax"

        def oracle(inputs: Inputs) -> NDArray[Any]:
            asked = xgboost.DMatrix(matrix(inputs), nthread=1)
            return told(np.asarray(booster.predict(asked, output_margin=margin), np.float64))

        return oracle

    return write


def _categories(folder: Path) -> Oracle:
    """Save a model that knows the names of its categories."""
    inputs = with_gaps(ROWS)
    fitted = _small(xgboost.XGBClassifier, max_cat_to_onehot=1, enable_categorical=True)
    fitted.fit(frame(inputs), classes(encoded(inputs), 3))
    _save(fitted, folder / UBJ)
    return lambda given: np.asarray(fitted.predict_proba(frame(given)), np.float64)


def _codes(folder: Path) -> Oracle:
    """Save a model that knows its categories by their codes alone."""
    inputs = with_gaps(ROWS)
    kinds = ["float", "int", "i", "c"]
    fitted = _small(xgboost.XGBClassifier, feature_types=kinds, enable_categorical=True)
    fitted.fit(encoded(inputs), classes(encoded(inputs), 3))
    _save(fitted, folder / UBJ)
    return lambda given: np.asarray(fitted.predict_proba(encoded(given)), np.float64)


def _aft(folder: Path) -> Oracle:
    x = matrix(numbers(ROWS))
    data = xgboost.DMatrix(x)
    data.set_float_info("label_lower_bound", values(x))
    data.set_float_info("label_upper_bound", values(x) * 2)
    booster = xgboost.train({"objective": "survival:aft", "max_depth": 3, "nthread": 1}, data, 4)
    _save(booster, folder / UBJ)
    return lambda inputs: np.asarray(
        booster.predict(xgboost.DMatrix(matrix(inputs), nthread=1)), np.float64
    )


def _save(model: Any, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # The ending .xgb holds UBJSON, too, as MLflow writes it.
    ending = "ubj" if file.suffix == ".xgb" else file.suffix[1:]
    booster = model if isinstance(model, xgboost.Booster) else model.get_booster()
    file.write_bytes(booster.save_raw(ending))


def _small(kind: Any, **options: Any) -> Any:
    return kind(n_estimators=5, max_depth=3, n_jobs=1, random_state=0, **options)


def _softmax(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(margins)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _both(second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([1 - second, second], axis=1)


def _sigmoid(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    return _both(1 / (1 + np.exp(-raw)))


def _three(x: NDArray[np.float64]) -> NDArray[np.int64]:
    return classes(x, 3)


def _two(x: NDArray[np.float64]) -> NDArray[np.int64]:
    return classes(x, 2)


def _case(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    given = {"file": UBJ, "inputs": numbers, "labels": LABELS, "tolerance": 1e-6}
    return Case(f"xgboost-{name}", write=write, **{**given, **options})


def _pair(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    return _case(name, write, labels=TWO, **options)


def _regression(name: str, write: Callable[[Path], Oracle]) -> Case:
    return _case(name, write, kind="regression", labels=())


def _multi(objective: str, **params: Any) -> dict[str, Any]:
    return {"objective": objective, "num_class": 3, **params}


UBJ: Final = "models/m.ubj"
JSON: Final = "models/m.json"
XGB: Final = "models/m.xgb"
CLASSIFIER: Final = _small(xgboost.XGBClassifier)
STOPPED: Final = xgboost.XGBClassifier(
    n_estimators=60, max_depth=4, learning_rate=1.0, early_stopping_rounds=3, n_jobs=1,
    random_state=0,
)  # fmt: skip

CASES = (
    _case("classes", _wrapped(CLASSIFIER, UBJ, 3)),
    _case("stopped-early", _wrapped(STOPPED, JSON, 3), file=JSON),
    _case("xgb", _wrapped(CLASSIFIER, XGB, 3), file=XGB),
    _pair("two", _wrapped(CLASSIFIER, UBJ, 2)),
    _case("softmax", _trained(_multi("multi:softmax"), _three, _softmax)),
    _case("dart", _trained(_multi("multi:softprob", booster="dart", rate_drop=0.5), _three)),
    _case("linear", _trained(_multi("multi:softprob", booster="gblinear"), _three)),
    _pair("logits", _trained({"objective": "binary:logitraw"}, _two, _sigmoid)),
    _case("categories", _categories, inputs=with_gaps, inputs_toml=OPTIONAL_MIXED),
    _case("codes", _codes, inputs=with_gaps, inputs_toml=OPTIONAL_MIXED),
    _regression("regression", _wrapped(_small(xgboost.XGBRegressor), UBJ, None)),
    _regression("forest", _wrapped(_small(xgboost.XGBRFRegressor), UBJ, None)),
    _regression("poisson", _trained({"objective": "count:poisson"}, values)),
    _regression("survival", _aft),
)
