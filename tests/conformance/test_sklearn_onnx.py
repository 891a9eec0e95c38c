"""scikit-learn models as ONNX graphs: the same inputs and answers, or a reason in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from podium.app import App
from podium.errors import ModelError
from podium.runtimes import Source, TensorSpec, export_onnx, load
from podium.runtimes.onnx import write_names
from tests.conformance import sklearn_cases, sklearn_table_cases
from tests.conformance.cases import Case, build, mixed
from tests.conformance.sklearn_cases import save, training_set
from tests.conformance.sklearn_table_cases import fitted_on_table

BY_NAME: Final = {
    case.name.removeprefix("sklearn-"): case
    for case in (*sklearn_cases.CASES, *sklearn_table_cases.CASES)
}
DOUBLE: Final = ("logistic", "naive-bayes", "pipeline", "pipeline-one-hot", "named-features",
                 "whole-number-classes", "linear", "pipeline-regressor", "pkl")  # fmt: skip
SINGLE: Final = ("tree", "boosting", "table", "table-search", "labels-only")


def exported(case: Case, folder: Path) -> tuple[Any, Any]:
    """Return a case, and the same application around the ONNX graph of its model."""
    built = build(case, folder)
    app = built.app
    file = folder / "models/m.onnx"
    export_onnx(app.source(app.spec.models[0]), {}, file)
    model = app.served().pipeline.model
    write_names(file, model.labels, model.features)
    text = case.toml.replace(case.file, "models/m.onnx").replace(case.model_toml or "\0", "")
    (folder / "podium.toml").write_text(text)
    return built, replace(built, app=App(folder))


@pytest.mark.parametrize(("name", "tolerance"), [*((name, 1e-12) for name in DOUBLE),
                                                 *((name, 1e-6) for name in SINGLE)])  # fmt: skip
def test_graph_answers_the_same(name: str, tolerance: float, tmp_path: Path) -> None:
    """The graph has the model's inputs, also with missing texts, and gives its answers."""
    case = BY_NAME[name]
    built, graph = exported(case, tmp_path)
    inputs = case.inputs(200)
    np.testing.assert_allclose(graph.scores(inputs), built.scores(inputs), 0, tolerance)
    (old, new) = (one.app.served().pipeline.model for one in (built, graph))
    assert {spec.name for spec in new.inputs} == {spec.name for spec in old.inputs}
    precision = {np.dtype(np.float64 if name in DOUBLE else np.float32)}
    assert {spec.dtype for spec in new.inputs if spec.dtype.kind == "f"} == precision


def test_columns_of_the_graph(tmp_path: Path) -> None:
    """Texts stay texts, booleans booleans; a column that nothing takes is not asked for."""
    _, graph = exported(BY_NAME["table"], tmp_path)
    assert set(graph.app.served().pipeline.model.inputs) == {
        TensorSpec("colour", np.dtype(np.object_), (None, 1)),
        TensorSpec("width", np.dtype(np.float32), (None, 1)),
        TensorSpec("count", np.dtype(np.float32), (None, 1)),
        TensorSpec("flag", np.dtype(np.bool_), (None, 1)),
    }


def test_numbers_that_are_categories_come_as_texts(tmp_path: Path) -> None:
    """A whole number that is a category is text here and in the graph."""
    estimator = make_pipeline(ColumnTransformer([("c", OneHotEncoder(), ["count"])]),
                              LogisticRegression())  # fmt: skip
    file = save(tmp_path, fitted_on_table(estimator, mixed(150)))
    export_onnx(Source.alone(file), {}, tmp_path / "m.onnx")
    old, new = (load(Source.alone(one)) for one in (file, tmp_path / "m.onnx"))
    texts = np.array(list("0123456789"), np.object_)
    np.testing.assert_allclose(
        new.predict({"count": texts.reshape(-1, 1)})["probabilities"],
        old.predict({"count": texts})["probabilities"], 0, 1e-6,
    )  # fmt: skip


@pytest.mark.parametrize(
    "estimator",
    [LinearSVC(), make_pipeline(StandardScaler(), RidgeClassifier())],
    ids=["alone", "in a pipeline"],
)
def test_scores_that_are_no_probabilities_are_left_out(estimator: Any, tmp_path: Path) -> None:
    """A classifier without probabilities tells its label alone in the graph too."""
    x, y = training_set()
    file = save(tmp_path, estimator.fit(x, y))
    export_onnx(Source.alone(file), {}, tmp_path / "m.onnx")
    found = load(Source.alone(tmp_path / "m.onnx"))
    assert [spec.dtype for spec in found.outputs] == [np.dtype(np.object_)]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("forest", ".*their votes, and with them how sure it is, would be lost"),
        ("table-forest", ".*their votes, and with them how sure it is, would be lost"),
        ("words", "ONNX parts texts into words by other rules than scikit-learn"),
        ("table-without-names", r"its columns have no names.*Train it on a DataFrame"),
        ("gaps", "its trees tell missing values from all others, which skl2onnx cannot write"),
        ("table-histogram", "the HistGradientBoostingClassifier cannot be exported to ONNX: "),
    ],
)
def test_what_cannot_be_exported(name: str, told: str, tmp_path: Path) -> None:
    """What ONNX cannot say is refused in words, and no file is written."""
    built = build(BY_NAME[name], tmp_path)
    file = tmp_path / "m.onnx"
    with pytest.raises(ModelError, match=rf"m\.skops: {told}") as caught:
        export_onnx(built.app.source(built.app.spec.models[0]), {}, file)
    assert "\n" not in str(caught.value)
    assert not file.exists()


def test_estimator_that_skl2onnx_does_not_know(tmp_path: Path) -> None:
    """An estimator without a converter is named."""
    file = save(tmp_path, NearestCentroid().fit(*training_set()))
    with pytest.raises(ModelError, match=r"m\.skops: the NearestCentroid cannot be exported"):
        export_onnx(Source.alone(file), {}, tmp_path / "m.onnx")
