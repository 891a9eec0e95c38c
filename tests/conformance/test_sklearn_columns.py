"""What a scikit-learn pipeline tells of its columns, and what it is given for them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import MissingIndicator, SimpleImputer
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
from threadpoolctl import threadpool_info

from podium.app import App
from podium.errors import InvalidInput, MissingExtra, ModelError
from podium.options import Options
from podium.runtimes import Source, TensorSpec, load
from tests.conformance.cases import build, rows_of, with_gaps
from tests.conformance.sklearn_cases import save
from tests.conformance.sklearn_table_cases import CASES, fitted_on_table, table

BY_NAME: Final = {case.name.removeprefix("sklearn-"): case for case in CASES}
ROWS: Final = 60
FLOAT, TEXT, BOOL = (np.dtype(kind) for kind in (np.float64, np.object_, np.bool_))
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


def inputs_of(folder: Path, estimator: Any, columns: list[str]) -> dict[str, TensorSpec]:
    """Return what a model takes that was trained on some columns of DATA."""
    file = save(folder, estimator.fit(DATA[columns], ANSWER))
    return {spec.name: spec for spec in load(Source.alone(file)).inputs}


def by_column(*steps: Any, **options: Any) -> Any:
    """Return a classifier behind a column transformer."""
    named = [(f"s{index}", *step) for index, step in enumerate(steps)]
    return make_pipeline(ColumnTransformer(named, **options), LogisticRegression())


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
    ("step", "optional"),
    [
        (OneHotEncoder(), True),
        (OneHotEncoder(handle_unknown="ignore"), True),
        (TargetEncoder(cv=2), True),
        (OrdinalEncoder(encoded_missing_value=-1), True),
        (make_pipeline(OFTEN, OneHotEncoder()), True),
        (make_pipeline(FILL, OrdinalEncoder()), True),
        (make_pipeline(FILL, FunctionTransformer(), OneHotEncoder()), True),
        (make_pipeline(OrdinalEncoder(), SimpleImputer(), StandardScaler()), True),
        (make_pipeline(FILL, OneHotEncoder(), SelectKBest(k=1)), True),
        (FeatureUnion([("a", make_pipeline(FILL, OneHotEncoder())),
                       ("b", MissingIndicator(features="all"))]), True),
    ],
    ids=lambda value: " ".join(repr(value).split())[:60],
)  # fmt: skip
def test_a_text_that_may_be_missing(step: Any, optional: bool, tmp_path: Path) -> None:
    """Whichever step does with a missing text says so; what only stands for one is no choice."""
    found = inputs_of(tmp_path, by_column((step, ["wood"])), ["wood"])
    assert found == {"wood": TensorSpec("wood", TEXT, (None,), CHOICES["wood"], optional)}


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
    arrays = {spec.name: np.array([spec.choices[0], spec.choices[0]] if spec.choices
                                  else [0, 1], spec.dtype) for spec in found.inputs
              if spec.name != "age"}  # fmt: skip
    arrays["age"] = np.array([str(value) for value in DATA["age"][:2]], np.object_)
    rows = DATA.head(2).assign(grade=1, new=[False, True], town="Bern")
    np.testing.assert_array_equal(
        found.predict(arrays)["probabilities"], fitted.predict_proba(rows)
    )


@pytest.mark.parametrize("known", ["imputed", "a category"])
@pytest.mark.parametrize("marker", [np.nan, None, "", "?"], ids=repr)
def test_a_missing_text_is_what_the_maker_wrote(marker: Any, known: str, tmp_path: Path) -> None:
    """A missing text reaches the first step as NaN, None or whatever stood for it in training.

    A category such as "?" is one like any other.
    """
    values = np.array(["oak", "elm", marker] * 20, np.object_)
    data = pd.DataFrame({"wood": pd.Series(values, dtype=np.object_)})
    fill = SimpleImputer(missing_values=marker, strategy="most_frequent")
    step = make_pipeline(fill, OneHotEncoder()) if known == "imputed" else OneHotEncoder()
    fitted = by_column((step, ["wood"])).fit(data, ANSWER)
    model = load(Source.alone(save(tmp_path, fitted)))
    ordinary = known == "a category" and marker == "?"
    given = np.array(["oak", "elm", "?" if ordinary else ""], np.object_)
    found = model.predict({"wood": given})["probabilities"]
    np.testing.assert_array_equal(found, fitted.predict_proba(data[:3]))
    choices = ("?", *CHOICES["wood"]) if ordinary else CHOICES["wood"]
    assert model.inputs == (TensorSpec("wood", TEXT, (None,), choices, not ordinary),)


def test_a_missing_number_is_what_the_maker_wrote(tmp_path: Path) -> None:
    """A missing number reaches an imputer as the number that stood for it in training."""
    data = pd.DataFrame({"age": [1.0, -1.0, 3.0] * 20, "town": DATA["town"]})
    fill = SimpleImputer(missing_values=-1)
    fitted = by_column((fill, ["age"]), (OneHotEncoder(), ["town"])).fit(data, ANSWER)
    model = load(Source.alone(save(tmp_path, fitted)))
    arrays = {"age": np.array([1.0, np.nan]), "town": DATA["town"][:2].to_numpy(np.object_)}
    found = model.predict(arrays)["probabilities"]
    np.testing.assert_array_equal(found, fitted.predict_proba(data[:2]))


@pytest.mark.parametrize("given", ["2", "2.0"])
@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_a_category_that_is_a_number(kind: Any, given: str, tmp_path: Path) -> None:
    """A whole number that is a category may come as the text of a whole number or of a float."""
    data = DATA.astype({"grade": kind})
    fitted = by_column((OneHotEncoder(), ["grade"])).fit(data, ANSWER)
    model = load(Source.alone(save(tmp_path, fitted)))
    assert model.inputs[0].choices == CHOICES["grade"]
    found = model.predict({"grade": np.array([given], np.object_)})["probabilities"]
    expected = fitted.predict_proba(data[data["grade"] == 2][:1])
    np.testing.assert_array_equal(found, expected)


def test_an_unknown_number_where_any_may_come(tmp_path: Path) -> None:
    """An encoder that ignores what it does not know gets it as the number that it is.

    What is no number is refused all the same: the names of a choice are not its number.
    """
    fitted = by_column((OneHotEncoder(handle_unknown="ignore"), ["grade"])).fit(DATA, ANSWER)
    model = load(Source.alone(save(tmp_path, fitted)))
    found = model.predict({"grade": np.array(["9"], np.object_)})["probabilities"]
    np.testing.assert_array_equal(found, fitted.predict_proba(DATA[:1].assign(grade=9)))
    with pytest.raises(InvalidInput, match="grade: the model does not know 'red'; it knows 1, 2"):
        model.predict({"grade": np.array(["red"], np.object_)})


def test_a_boolean_that_may_be_missing(tmp_path: Path) -> None:
    """A boolean with gaps comes as a text, in either spelling."""
    values = pd.Series([True, False, None] * 20, dtype=np.object_)
    data = pd.DataFrame({"new": values})
    fitted = by_column((OneHotEncoder(), ["new"])).fit(data, ANSWER)
    model = load(Source.alone(save(tmp_path, fitted)))
    assert model.inputs == (TensorSpec("new", TEXT, (None,), ("False", "True"), optional=True),)
    found = model.predict({"new": np.array(["True", "false", ""], np.object_)})["probabilities"]
    np.testing.assert_array_equal(found, fitted.predict_proba(data[:3]))


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


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: ColumnTransformer(
    [("t", one, "note")])], ids=["alone", "of a column"])  # fmt: skip
def test_a_vectorizer_that_reads_files_is_refused(wrap: Any, tmp_path: Path) -> None:
    """A visitor's text is never taken for the name of a file of the server."""
    fitted = make_pipeline(wrap(CountVectorizer()), LogisticRegression()).fit(
        DATA["note"] if wrap(1) == 1 else DATA, ANSWER
    )
    vectorizer = fitted[0] if wrap(1) == 1 else fitted[0].named_transformers_["t"]
    vectorizer.input = "filename"
    with pytest.raises(ModelError, match=r"CountVectorizer takes a text for the name of a file"):
        load(Source.alone(save(tmp_path, fitted)))


def _changed(folder: Path, name: str, old: str, new: str) -> App:
    build(BY_NAME[name], folder)
    text = (folder / "podium.toml").read_text()
    assert old in text
    (folder / "podium.toml").write_text(text.replace(old, new))
    return App(folder)


def test_choice_that_the_model_does_not_know(tmp_path: Path) -> None:
    """One choice among many that the encoder would refuse is found when the model is loaded."""
    towns = [f"town {number}" for number in range(ROWS)]
    save(tmp_path, by_column((OneHotEncoder(), ["town"])).fit(DATA.assign(town=towns), ANSWER))
    (tmp_path / "podium.toml").write_text(TOWNS.format(choices=[*towns, "Rome"]))
    with pytest.raises(ModelError, match=r"town: the model does not know 'Rome'; it knows town 0,"):
        App(tmp_path).served()


def test_other_columns_than_the_features(tmp_path: Path) -> None:
    """Features of other names are refused with both lists."""
    app = _changed(tmp_path, "table", 'name = "width"', 'name = "breadth"')
    with pytest.raises(
        ModelError,
        match=r"takes the inputs colour, count, flag, width; .* lists breadth, count, flag, colour",
    ):
        app.served()


def test_feature_that_may_not_be_missing(tmp_path: Path) -> None:
    """An optional feature that the encoder knows no missing value of is found when it loads."""
    inputs = [one | {"colour": one.get("colour", "red")} for one in with_gaps(150)]
    estimator = make_pipeline(table(("hot", OneHotEncoder(), ["colour", "flag"])),
                              LogisticRegression())  # fmt: skip
    case = BY_NAME["table"]
    (tmp_path / "podium.toml").write_text(case.toml)
    save(tmp_path, fitted_on_table(estimator, inputs))
    with pytest.raises(ModelError, match="colour: the model does not know a missing value; it k"):
        App(tmp_path).served()


TOWNS: Final = """
title = "Towns"
[task]
kind = "classification"
[[features]]
name = "town"
kind = "category"
choices = {choices}
[[models]]
name = "m"
file = "models/m.skops"
"""


def test_unknown_category_of_a_request(tmp_path: Path) -> None:
    """A number that is no category of the model is the visitor's mistake, with its field."""
    save(tmp_path, by_column((OneHotEncoder(), ["grade"])).fit(DATA, ANSWER))
    (tmp_path / "podium.toml").write_text("""
title = "Grades"
[task]
kind = "classification"
[[features]]
name = "grade"
kind = "integer"
range = [1, 3]
[[models]]
name = "m"
file = "models/m.skops"
""")
    app = App(tmp_path)
    assert len(app.predict(rows_of((1,), (3,)), Options()).predictions) == 2
    with pytest.raises(InvalidInput) as caught:
        app.predict(rows_of((1,), (7,), (2,), (8,)), Options())
    told = "the model does not know {!r}; it knows 1, 2, 3"
    assert caught.value.errors == tuple(
        (f"inputs[{index}].grade", told.format(value)) for index, value in ((1, "7"), (3, "8"))
    )


def test_estimators_start_no_processes(tmp_path: Path) -> None:
    """A pipeline that was trained in parallel answers in its own thread."""
    fitted = by_column((OneHotEncoder(), ["town"]), ("passthrough", ["age"])).fit(DATA, ANSWER)
    fitted[0].n_jobs = 2
    model: Any = load(Source.alone(save(tmp_path, fitted)))
    assert model.estimator[0].n_jobs is None


@pytest.mark.parametrize("package", ["pandas", "skops.io", "sklearn.base"])
def test_missing_package(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed is said when the model is loaded, with the command to install it."""
    file = save(tmp_path, by_column((OneHotEncoder(), ["town"])).fit(DATA, ANSWER))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingExtra, match=r"m\.skops \(scikit-learn model.*\).*pip install 'podium\[sklearn\]'"
    ):
        load(Source.alone(file))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_of_compiled_code(threads: int, tmp_path: Path) -> None:
    """Compiled code that would take every processor for one row keeps to the threads it has."""
    fitted = HistGradientBoostingClassifier(max_iter=1).fit(DATA[["age"]], ANSWER)
    model: Any = load(Source.alone(save(tmp_path, fitted), threads=threads))
    with model.limited():
        pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
    assert set(pools) == {threads}
