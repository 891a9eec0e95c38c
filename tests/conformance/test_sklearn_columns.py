"""What a scikit-learn pipeline tells of its columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)

from podium.errors import ModelError
from podium.runtimes import Source, TensorSpec, load
from podium.runtimes.sklearn.steps import table_of
from tests.conformance.sklearn_cases import save
from tests.conformance.sklearn_table_cases import (
    ANSWER,
    CHOICES,
    DATA,
    by_column,
)

FLOAT, TEXT, BOOL = (np.dtype(kind) for kind in (np.float64, np.object_, np.bool_))


def inputs_of(folder: Path, estimator: Any, columns: list[str]) -> dict[str, TensorSpec]:
    """Return what a model takes that was trained on some columns of DATA."""
    file = save(folder, estimator.fit(DATA[columns], ANSWER))
    return {spec.name: spec for spec in load(Source.alone(file)).inputs}


def test_a_column_is_an_input(tmp_path: Path) -> None:
    """Texts and whole numbers that are categories have choices, booleans and numbers their type.

    What the pipeline imputes, or knows as a category of its own, may be missing.
    """
    estimator = by_column(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["size"]),
        (StandardScaler(), ["age"]),
        (OneHotEncoder(), ["grade", "new", "town", "wood"]),
    )
    found = inputs_of(tmp_path, estimator, ["wood", "size", "age", "town", "new", "grade"])
    assert list(found.values()) == [
        TensorSpec("wood", TEXT, (None,), CHOICES["wood"], optional=True),
        TensorSpec("size", FLOAT, (None,), optional=True),
        TensorSpec("age", FLOAT, (None,)),
        TensorSpec("town", TEXT, (None,), CHOICES["town"]),
        TensorSpec("new", BOOL, (None,)),
        TensorSpec("grade", TEXT, (None,), CHOICES["grade"]),
    ]


FILL = SimpleImputer(strategy="constant", fill_value="none")
OFTEN = SimpleImputer(strategy="most_frequent")


@pytest.mark.parametrize(
    "step",
    [
        OneHotEncoder(),
        OneHotEncoder(handle_unknown="ignore"),
        TargetEncoder(cv=2),
        OrdinalEncoder(encoded_missing_value=-1),
        make_pipeline(OFTEN, OneHotEncoder()),
        make_pipeline(FILL, OrdinalEncoder()),
        make_pipeline(FILL, FunctionTransformer(), OneHotEncoder()),
        make_pipeline(OrdinalEncoder(), SimpleImputer(), StandardScaler()),
        make_pipeline(FILL, OneHotEncoder(), SelectKBest(k=1)),
        FeatureUnion([("a", make_pipeline(FILL, OneHotEncoder())),
                       ("b", MissingIndicator(features="all"))]),
    ],
    ids=lambda value: " ".join(repr(value).split())[:60],
)  # fmt: skip
def test_a_text_that_may_be_missing(step: Any, tmp_path: Path) -> None:
    """Whichever step does with a missing text says so; what only stands for one is no choice."""
    found = inputs_of(tmp_path, by_column((step, ["wood"])), ["wood"])
    assert found == {"wood": TensorSpec("wood", TEXT, (None,), CHOICES["wood"], optional=True)}


@pytest.mark.parametrize(
    ("steps", "optional"),
    [
        ([SimpleImputer(), PolynomialFeatures()], True),
        ([StandardScaler(), SimpleImputer(add_indicator=True)], True),
        ([FunctionTransformer(np.abs), SimpleImputer()], True),
        ([FeatureUnion([("a", SimpleImputer()), ("b", MissingIndicator())])], True),
        ([FeatureUnion([("a", SimpleImputer()), ("b", StandardScaler())])], False),
        ([StandardScaler()], True),
        ([PCA(1)], False),
    ],
    ids=str,
)
def test_a_number_that_may_be_missing(steps: Any, optional: bool, tmp_path: Path) -> None:
    """A number may be missing where every step that would meet the gap can do with it."""
    chosen = ColumnTransformer([("s", make_pipeline(*steps), ["size"])])
    estimator = make_pipeline(chosen, HistGradientBoostingClassifier(max_iter=1))
    data = DATA if optional else DATA.fillna({"size": 0})
    file = save(tmp_path, estimator.fit(data[["size", "age"]], ANSWER))
    found = {spec.name: spec for spec in load(Source.alone(file)).inputs}
    assert found == {"size": TensorSpec("size", FLOAT, (None,), (), optional)}


def test_columns_keep_their_places(tmp_path: Path) -> None:
    """Behind an encoder that makes several columns of one, each is still known for what it is."""
    first = ColumnTransformer([("hot", OneHotEncoder(), ["town"]), ("keep", "passthrough",
                                                                     ["size", "age"])])  # fmt: skip
    second = ColumnTransformer([("fill", SimpleImputer(), [2])], remainder="passthrough")
    estimator = make_pipeline(first, second, LogisticRegression())
    found = inputs_of(tmp_path, estimator, ["town", "size", "age"])
    assert {name: spec.optional for name, spec in found.items()} == {
        "town": False, "size": True, "age": False
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@pytest.mark.parametrize("fill", [SimpleImputer(), KNNImputer()], ids=repr)
def test_column_that_an_imputer_leaves_out(fill: Any, tmp_path: Path) -> None:
    """Behind an imputer that leaves an empty column out, no column is taken for another."""
    filled = ColumnTransformer([("fill", fill, ["empty", "grade"])])
    hot = ColumnTransformer([("hot", OneHotEncoder(), [0])])
    data = DATA[["grade"]].assign(empty=np.nan)
    fitted = make_pipeline(filled, hot, LogisticRegression()).fit(data, ANSWER)
    found = load(Source.alone(save(tmp_path, fitted)))
    assert {spec.name: spec.choices for spec in found.inputs} == {"grade": (), "empty": ()}


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
def test_encoder_behind_an_imputer_that_leaves_a_column_out(tmp_path: Path) -> None:
    """Where nobody knows which column an encoder got, none is told to have its categories."""
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    data = DATA[["grade"]].assign(empty=np.nan)
    fitted = by_column((filled, ["empty", "grade"])).fit(data, ANSWER)
    found = load(Source.alone(save(tmp_path, fitted)))
    assert {spec.name: spec.choices for spec in found.inputs} == {"grade": (), "empty": ()}


def test_texts_that_no_encoder_names() -> None:
    """What an imputer fills with a text is a text, whatever comes behind."""
    lengths = FunctionTransformer(lambda x: np.char.str_len(np.asarray(x).astype(str)))
    estimator = by_column((make_pipeline(OFTEN, lengths), ["wood"])).fit(DATA, ANSWER)
    found = table_of(estimator)
    assert found is not None
    assert found.inputs == (TensorSpec("wood", TEXT, (None,), (), optional=True),)


def test_a_number_that_two_steps_take(tmp_path: Path) -> None:
    """One step that cannot do with a missing value is enough to need it."""
    estimator = by_column((SimpleImputer(), ["age"]), (StandardScaler(), ["age"]))
    assert inputs_of(tmp_path, estimator, ["age"])["age"].optional is False


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: CalibratedClassifierCV(one, cv=2),
        lambda one: VotingClassifier([("a", one), ("b", one)]),
        lambda one: make_pipeline(one),
    ],
    ids=["calibrated", "voting", "pipeline"],
)
def test_a_pipeline_within_another_estimator(wrap: Any, tmp_path: Path) -> None:
    """What is wrapped around a pipeline takes what the pipeline takes."""
    inner = by_column((OneHotEncoder(), ["town"]), ("passthrough", ["age"]))
    assert inputs_of(tmp_path, wrap(inner), ["age", "town"]) == {
        "age": TensorSpec("age", FLOAT, (None,)),
        "town": TensorSpec("town", TEXT, (None,), CHOICES["town"]),
    }


def test_a_regressor_of_a_changed_target(tmp_path: Path) -> None:
    """A pipeline whose target is transformed has its columns too."""
    inner = make_pipeline(ColumnTransformer([("c", OneHotEncoder(), ["town"])]), LinearRegression())
    fitted = TransformedTargetRegressor(inner).fit(DATA[["town"]], DATA["age"])
    found = load(Source.alone(save(tmp_path, fitted)))
    assert found.inputs == (TensorSpec("town", TEXT, (None,), CHOICES["town"]),)
    assert (found.task, found.labels, found.features) == ("regression", (), ())


@pytest.mark.parametrize(
    "columns",
    [["town", "age"], [4, 1], slice("age", "town"), slice(1, 5), [-3, -6],
     np.array([False, True, False, False, True, False, False]),
     lambda data: [name for name in data if name in ("age", "town")]],
    ids=["names", "numbers", "slice of names", "slice", "from the end", "mask", "function"],
)  # fmt: skip
def test_columns_may_be_named_in_any_way(columns: Any, tmp_path: Path) -> None:
    """However a transformer picks its columns, and whatever it leaves out is not asked for."""
    transformer = ColumnTransformer([("s", OneHotEncoder(), columns)])
    fitted = make_pipeline(transformer, LogisticRegression()).fit(DATA, ANSWER)
    fitted[0].transformers = [("s", OneHotEncoder(), [])]  # skops saves no function of one's own
    found = load(Source.alone(save(tmp_path, fitted)))
    picked = list(DATA)[1:5] if isinstance(columns, slice) else ["age", "town"]
    assert [spec.name for spec in found.inputs] == picked
    arrays = {spec.name: _given(DATA[spec.name], spec) for spec in found.inputs}
    np.testing.assert_array_equal(
        found.predict(arrays)["probabilities"], fitted.predict_proba(DATA)
    )


def _given(column: pd.Series[Any], spec: TensorSpec) -> NDArray[Any]:
    """Return a column as Podium gives it: what is no boolean as text."""
    return np.array(column if spec.dtype == BOOL else [str(value) for value in column], spec.dtype)


def test_histogram_boosting_that_encodes_its_own_categories(tmp_path: Path) -> None:
    """Categories of a DataFrame's own type are told, and all columns may be missing."""
    data = DATA[["age", "wood"]].assign(wood=pd.Categorical(DATA["wood"]))
    fitted = HistGradientBoostingClassifier(max_iter=2).fit(data, ANSWER)
    assert load(Source.alone(save(tmp_path, fitted))).inputs == (
        TensorSpec("age", FLOAT, (None,), optional=True),
        TensorSpec("wood", TEXT, (None,), CHOICES["wood"], optional=True),
    )


def test_columns_of_numbers_alone_are_a_matrix(tmp_path: Path) -> None:
    """Without a column transformer or categories, named numbers stay the faster matrix."""
    fitted = make_pipeline(SimpleImputer(), LogisticRegression()).fit(DATA[["size", "age"]], ANSWER)
    found = load(Source.alone(save(tmp_path, fitted)))
    assert found.inputs == (TensorSpec("X", FLOAT, (None, 2)),)
    assert found.features == ("size", "age")


def test_a_column_of_texts_alone_is_a_text(tmp_path: Path) -> None:
    """A column that is parted into words takes any text."""
    found = inputs_of(tmp_path, by_column((TfidfVectorizer(), "note")), ["note"])
    assert found == {"note": TensorSpec("note", TEXT, (None,))}


@pytest.mark.parametrize("step", [CountVectorizer(), TfidfVectorizer()], ids=repr)
def test_a_model_of_texts(step: Any, tmp_path: Path) -> None:
    """What begins with a vectorizer takes texts."""
    fitted = make_pipeline(step, LogisticRegression()).fit(DATA["note"], ANSWER)
    assert load(Source.alone(save(tmp_path, fitted))).inputs == (TensorSpec("text", TEXT, (None,)),)


@pytest.mark.parametrize("column", [None, "note"], ids=["alone", "of a column"])
def test_a_vectorizer_that_reads_files_is_refused(column: str | None, tmp_path: Path) -> None:
    """A visitor's text is never taken for the name of a file of the server."""
    step = CountVectorizer()
    steps = step if column is None else ColumnTransformer([("t", step, column)])
    fitted = make_pipeline(steps, LogisticRegression())
    fitted.fit(DATA["note"] if column is None else DATA, ANSWER)
    vectorizer = step if column is None else fitted[0].named_transformers_["t"]
    vectorizer.input = "filename"
    with pytest.raises(ModelError, match=r"CountVectorizer takes a text for the name of a file"):
        load(Source.alone(save(tmp_path, fitted)))
