"""The cases of scikit-learn on tables with texts and missing values, on texts, and as pickles."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

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
from tests.conformance.sklearn_cases import FILE, ORDER, classifier, forest, save, training_set

WORDS: Final = ("good", "bad", "round", "late", "blue", "warm")
TEXT: Final = "\n[text]\n"


def frame(inputs: Inputs) -> pd.DataFrame:
    """Return inputs of OPTIONAL_MIXED as the DataFrame that a maker trains on."""
    return pd.DataFrame(
        {
            "id": range(len(inputs)),
            "colour": pd.array([one.get("colour") for one in inputs], "str"),
            "width": np.array([one.get("width") for one in inputs], np.float64),
            "count": [one["count"] for one in inputs],
            "flag": [one["flag"] for one in inputs],
        }
    )


def targets(inputs: Inputs) -> NDArray[np.float64]:
    """Return a number for each input of OPTIONAL_MIXED."""
    return np.asarray(np.nan_to_num(encoded(inputs)) @ np.array([1, 0.3, 1, 2]))


def texts(count: int) -> list[dict[str, object]]:
    """Return inputs of a text application."""
    rng = np.random.default_rng(7)
    return [{"text": " ".join(rng.choice(WORDS, 6))} for _ in range(count)]


def table(*steps: Any, **options: Any) -> ColumnTransformer:
    """Return what treats the columns of `frame` by their kinds; `steps` go before the others."""
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([*steps, ("numbers", scaled, ["count", "width"])], **options)


def fitted_on_table(estimator: Any, inputs: Inputs, change: Any = None) -> Any:
    """Return an estimator, trained on inputs of OPTIONAL_MIXED."""
    x = frame(inputs) if change is None else change(frame(inputs))
    y = targets(inputs)
    with threadpool_limits(1, "openmp"):  # its threads would wait for those of other tests
        answers = np.array(LABELS)[y.astype(int) % 3] if is_classifier(estimator) else y
        return estimator.fit(x, answers)


def on_table(estimator: Any, change: Any = None) -> Callable[[Path], Oracle]:
    """Fit on a DataFrame, save, and answer; `change` prepares it before."""

    def write(folder: Path) -> Oracle:
        fitted = fitted_on_table(estimator, with_gaps(150), change)
        save(folder, fitted)
        changed = change or (lambda one: one)
        return lambda inputs: _answers(fitted, changed(frame(inputs)))

    return write


def _answers(fitted: Any, x: Any) -> NDArray[Any]:
    if not hasattr(fitted, "predict_proba"):
        return np.asarray(fitted.predict(x))
    order = [list(fitted.classes_).index(label) for label in ORDER]
    return np.asarray(fitted.predict_proba(x)[:, order])


def _with_categories(data: pd.DataFrame) -> pd.DataFrame:
    kept = data[["colour", "width", "count", "flag"]]
    return kept.assign(colour=pd.Categorical(kept["colour"], ["blue", "green", "red"]))


def _objects(data: pd.DataFrame) -> NDArray[Any]:
    """Return a matrix without names, of texts, numbers and booleans."""
    return np.asarray(data[["width", "count", "flag", "colour"]], np.object_)


def on_texts(estimator: Any) -> Callable[[Path], Oracle]:
    """Fit on texts, save, and answer."""

    def write(folder: Path) -> Oracle:
        known = [str(one["text"]) for one in texts(150)]
        labels = [LABELS[text.count("good") % 2 + ("late" in text)] for text in known]
        fitted = estimator.fit(known, labels)
        save(folder, fitted)
        return lambda inputs: _answers(fitted, [one["text"] for one in inputs])

    return write


ROWS: Final = 60
RNG: Final = np.random.default_rng(3)
DATA: Final = pd.DataFrame({
    "size": np.where(np.arange(ROWS) % 5, RNG.normal(size=ROWS), np.nan),
    "age": RNG.normal(size=ROWS),
    "grade": RNG.integers(1, 4, ROWS),
    "new": RNG.integers(2, size=ROWS).astype(bool),
    "town": RNG.choice(["Ulm", "Bern"], ROWS),
    "wood": pd.array(RNG.choice(np.array(["oak", "elm", None], np.object_), ROWS), "str"),
    "note": [" ".join(RNG.choice(["good", "old", "red"], 4)) for _ in range(ROWS)],
})  # fmt: skip
ANSWER: Final = np.array(["no", "yes"])[RNG.integers(2, size=ROWS)]
CHOICES: Final = {"town": ("Bern", "Ulm"), "wood": ("elm", "oak"), "grade": ("1", "2", "3")}


def by_column(*steps: Any, **options: Any) -> Any:
    """Return a classifier behind a column transformer."""
    named = [(f"s{index}", *step) for index, step in enumerate(steps)]
    return make_pipeline(ColumnTransformer(named, **options), LogisticRegression())


LOGISTIC: Final = LogisticRegression().fit(*training_set())
PICKLE: Final = pickle.dumps(LOGISTIC)


def _joblib() -> bytes:
    stream = io.BytesIO()
    joblib.dump(LOGISTIC, stream, compress=("zlib", 3))
    return stream.getvalue()


JOBLIB: Final = _joblib()


def trusting(body: bytes) -> str:
    """Return the line of podium.toml that vouches for a file."""
    return f'trust = "{hashlib.sha256(body).hexdigest()}"'


def _program(file: str, body: bytes) -> Case:
    def write(folder: Path) -> Oracle:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return lambda inputs: _answers(LOGISTIC, matrix(inputs))

    return Case(f"sklearn-{path_ending(file)}", file, write, numbers, labels=ORDER,
                model_toml=trusting(body), tolerance=1e-12, names_labels=True)  # fmt: skip


def path_ending(file: str) -> str:
    """Return a file's ending without its dot."""
    return Path(file).suffix.removeprefix(".")


def _case(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    given = {"inputs": with_gaps, "inputs_toml": OPTIONAL_MIXED, "labels": ORDER,
             "names_labels": True, "tolerance": 1e-12}  # fmt: skip
    return Case(f"sklearn-{name}", FILE, write, **{**given, **options})


def _regression(name: str, write: Callable[[Path], Oracle]) -> Case:
    return _case(name, write, kind="regression", labels=(), names_labels=False)


HOT: Final = ("hot", OneHotEncoder(), ["colour", "flag"])
FILLED: Final = make_pipeline(
    SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder()
)
SCALED: Final = make_pipeline(KNNImputer(), StandardScaler())
BY_KIND: Final = ColumnTransformer(
    [
        ("numbers", SCALED, make_column_selector("width|count")),
        ("texts", FILLED, make_column_selector(dtype_exclude=["number", "bool"])),
        ("id", "drop", ["id"]),
    ],
    remainder="passthrough",
)
SEARCH: Final = GridSearchCV(
    make_pipeline(table(HOT), LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=2
)
HISTOGRAM: Final = HistGradientBoostingClassifier(max_iter=5, random_state=0)

CASES = (
    _case("table", on_table(make_pipeline(table(HOT), LogisticRegression()))),
    _case("table-by-kind", on_table(make_pipeline(BY_KIND, LogisticRegression()))),
    _case("table-forest",
          on_table(make_pipeline(table(HOT), forest(RandomForestClassifier)))),
    _case("table-search", on_table(SEARCH)),
    _case("table-histogram", on_table(HISTOGRAM, _with_categories)),
    _case("table-without-names",
          on_table(make_pipeline(
              ColumnTransformer([("hot", OneHotEncoder(), [3, 2]),
                                 ("numbers", SimpleImputer(), slice(0, 2))]),
              LogisticRegression()), _objects)),
    _regression("table-regressor", on_table(make_pipeline(
        table(("codes", OrdinalEncoder(encoded_missing_value=-1), ["colour", "flag"])),
        LinearRegression()))),
    _regression("table-histogram-regressor", on_table(make_pipeline(
        ColumnTransformer([("codes", OrdinalEncoder(), ["colour"]), ("id", "drop", ["id"])],
                          remainder="passthrough"),
        HistGradientBoostingRegressor(max_iter=5, random_state=0)))),
    _case("words", on_texts(make_pipeline(TfidfVectorizer(), LogisticRegression())),
          inputs=texts, inputs_toml=TEXT),
    _case("counted-words", on_texts(
        make_pipeline(CountVectorizer(), forest(RandomForestClassifier))),
          inputs=texts, inputs_toml=TEXT),
    _case("neighbours", classifier(KNeighborsClassifier(weights="distance")),
          inputs=numbers, inputs_toml=Case.inputs_toml),
    _case("vectors", classifier(CalibratedClassifierCV(SVC(), ensemble=False)),
          inputs=numbers, inputs_toml=Case.inputs_toml),
    _program("models/m.pkl", PICKLE),
    _program("models/m.joblib", JOBLIB),
)  # fmt: skip
