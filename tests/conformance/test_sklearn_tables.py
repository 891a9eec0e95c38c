"""What a scikit-learn pipeline of a table is given, and the applications around it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from threadpoolctl import threadpool_info

from podium.app import App
from podium.errors import InvalidInput, MissingExtra, ModelError
from podium.options import Options
from podium.runtimes import Source, TensorSpec, load
from tests.conformance.cases import build, rows_of, with_gaps
from tests.conformance.sklearn_cases import save
from tests.conformance.sklearn_table_cases import (
    ANSWER,
    CASES,
    CHOICES,
    DATA,
    ROWS,
    by_column,
    fitted_on_table,
    table,
)

BY_NAME: Final = {case.name.removeprefix("sklearn-"): case for case in CASES}
TEXT: Final = np.dtype(np.object_)


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
