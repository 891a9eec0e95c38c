"""One schema for every model, whatever made it: what it cannot know is null, and never left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    RandomForestClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from sklearn.linear_model import ARDRegression, BayesianRidge, LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from podium.app import App
from podium.errors import ModelError
from podium.options import Options
from podium.runtimes import Source, export_onnx, load
from tests.conformance.cases import NUMBERS, Case, build, matrix, numbers
from tests.conformance.sklearn_cases import training_set
from tests.conformance.test_runtimes import CASES

# The filter that a runtime sets when it loads does not outlive pytest's setup phase.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
    # Keras warns of itself when a test saves a model.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy"),
]

EVERY: Final = {"aleatoric", "epistemic", "interval_level", "samples", "confidence_level",
                "reproducible"}  # fmt: skip
CLASS: Final = EVERY | {"entropy", "entropy_normalized", "intervals", "prediction_set"}
VALUE: Final = EVERY | {"std", "interval", "prediction_interval"}

SURE: Final = {"reproducible"}
SINGLE: Final = SURE | {"entropy", "entropy_normalized"}
VOTES: Final = SINGLE | {"aleatoric", "epistemic", "intervals", "interval_level", "samples"}
VALUES: Final = SURE | {"epistemic", "std", "interval", "interval_level", "samples"}

KNOWN: Final = {
    **dict.fromkeys(("sklearn-labels-only", "python-labels"), SURE),
    **dict.fromkeys(("onnx-regressor", "sklearn-linear", "python-value", "torch-value",
                     "xgboost-regression", "lightgbm-regression", "lightgbm-forest", "keras-value",
                     "tensorflow-value", "tflite-value", "transformers-bert-regression"), SURE),
    **dict.fromkeys(("onnx-logits", "sklearn-logistic", "sklearn-naive-bayes", "sklearn-tree",
                     "sklearn-boosting", "python-function", "torch-logits", "xgboost-classes",
                     "xgboost-dart", "lightgbm-classes", "mlflow-sklearn",
                     "keras-softmax", "tensorflow-softmax", "tflite-softmax",
                     "transformers-bert"), SINGLE),
    **dict.fromkeys(("onnx-noise", "sklearn-forest", "sklearn-extra-trees",
                     "sklearn-pipeline-forest", "python-votes"), VOTES),
    **dict.fromkeys(("onnx-noise-regressor", "sklearn-forest-regressor",
                     "sklearn-extra-trees-regressor"), VALUES),
}  # fmt: skip
"""What is known of each case; all else of the schema is null."""

BY_NAME = {case.name: case for case in CASES}
X = matrix(numbers(5))
ROWS: Any = [tuple(row) for row in X.tolist()]


def told(app: App, **options: Any) -> list[dict[str, Any]]:
    """Return predictions as the JSON of /predict has them."""
    answer = json.loads(msgspec.json.encode(app.predict(ROWS, Options(**options))))
    predictions: list[dict[str, Any]] = answer["predictions"]
    return predictions


def served(folder: Path, estimator: Any, kind: str = "regression") -> App:
    """Return an application of an estimator that is fitted to numbers."""
    (folder / "models").mkdir(exist_ok=True)
    x, y = training_set()
    fitted = estimator.fit(x, y if kind == "classification" else np.sin(x[:, 0]) + x[:, 1])
    skops.io.dump(fitted, folder / "models/m.skops")
    labels = f"labels = {json.dumps(list(fitted.classes_))}" if kind == "classification" else ""
    (folder / "podium.toml").write_text(
        f'title = "M"\n[task]\nkind = "{kind}"\n{labels}\n{NUMBERS}\n[[models]]\nname = "m"\n'
        'file = "models/m.skops"\n'
    )
    return App(folder)


@pytest.mark.parametrize("case", [BY_NAME[name] for name in KNOWN], ids=lambda case: case.name)
def test_what_is_not_known_is_null(case: Case, tmp_path: Path) -> None:
    """Every key of the schema is there for each runtime's models; what none knows is null."""
    built = build(case, tmp_path)
    answer = json.loads(msgspec.json.encode(built.ask(case.inputs(2))))
    for prediction in answer:
        names = ["value", "unit"] if case.kind == "regression" else [
            "label", "probability", "probabilities"]  # fmt: skip
        assert list(prediction) == [*names, "uncertainty", "warnings"]
        certainty = prediction["uncertainty"]
        assert set(certainty) == (VALUE if case.kind == "regression" else CLASS)
        known = {name for name, value in certainty.items() if value is not None}
        assert known == KNOWN[case.name]
        assert certainty["reproducible"] is True


@pytest.mark.parametrize(
    ("estimator", "members"),
    [
        (BaggingClassifier(DecisionTreeClassifier(max_depth=3), 7, random_state=0), 7),
        (BaggingClassifier(KNeighborsClassifier(1), 5, max_samples=3, random_state=3), 5),
        (BaggingClassifier(LinearSVC(), 5, max_features=2, random_state=0), 5),
        (VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], voting="soft"), 2),
        (Pipeline([("only", RandomForestClassifier(6, max_depth=3, random_state=0))]), 6),
        (make_pipeline(StandardScaler(), BaggingClassifier(GaussianNB(), 4, random_state=0)), 4),
    ],
    ids=["bagging", "bagging-few", "bagging-labels", "voting", "pipeline", "pipeline-bagging"],
)
def test_members_of_a_classifier_are_votes(estimator: Any, members: int, tmp_path: Path) -> None:
    """Each member of bagging and of plain voting has a vote; their mean is the estimator's own."""
    app = served(tmp_path, estimator, "classification")
    own = estimator.predict_proba(X)
    for one, expected in zip(told(app), own, strict=True):
        found = [one["probabilities"][label] for label in estimator.classes_]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert one["uncertainty"]["samples"] == members
        assert one["uncertainty"]["epistemic"] >= 0


@pytest.mark.parametrize(
    ("estimator", "members"),
    [
        (BaggingRegressor(LinearRegression(), 6, max_features=2, random_state=0), 6),
        (VotingRegressor([("a", LinearRegression()), ("b", BayesianRidge())]), 2),
    ],
    ids=["bagging", "voting"],
)
def test_members_of_a_regressor_are_votes(estimator: Any, members: int, tmp_path: Path) -> None:
    """Bagging and plain voting answer the members' mean, and its spread."""
    app = served(tmp_path, estimator)
    found = told(app, include=frozenset({"samples"}))
    np.testing.assert_allclose([one["value"] for one in found], estimator.predict(X))
    for one in found:
        samples = one["uncertainty"]["sample_values"]
        assert len(samples) == members
        assert one["uncertainty"]["std"] == pytest.approx(np.std(samples))


@pytest.mark.parametrize(
    "estimator",
    [
        VotingClassifier(
            [("a", GaussianNB()), ("b", LogisticRegression())], voting="soft", weights=[1, 2]
        ),
        VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], voting="hard"),
    ],
    ids=["weighted", "hard"],
)
def test_other_voting_is_one_answer(estimator: Any, tmp_path: Path) -> None:
    """Members of unequal weight, or that vote for labels, are no passes."""
    for one in told(served(tmp_path, estimator, "classification")):
        assert one["uncertainty"]["samples"] is None
        assert one["uncertainty"]["epistemic"] is None


WHITE = ConstantKernel() * RBF() + WhiteKernel(0.3)


@pytest.mark.parametrize(
    "estimator",
    [
        BayesianRidge(),
        ARDRegression(),
        make_pipeline(StandardScaler(), BayesianRidge()),
        GaussianProcessRegressor(WHITE, normalize_y=True),
        GaussianProcessRegressor(RBF() + WhiteKernel() * DotProduct(), optimizer=None),
        make_pipeline(StandardScaler(), GaussianProcessRegressor(WHITE)),
    ],
    ids=["ridge", "ard", "pipeline-ridge", "process", "uneven-noise", "pipeline-process"],
)
@pytest.mark.filterwarnings("ignore:The optimal value found for dimension")
def test_a_std_that_an_estimator_tells_is_split(estimator: Any, tmp_path: Path) -> None:
    """The std is scikit-learn's own; the noise in it is the aleatoric part, the rest epistemic."""
    found = told(served(tmp_path, estimator))
    value, std = estimator.predict(X, return_std=True)
    np.testing.assert_allclose([one["value"] for one in found], value)
    certainty = [one["uncertainty"] for one in found]
    np.testing.assert_allclose([one["std"] for one in certainty], std)
    noise = _noise(estimator, X)
    np.testing.assert_allclose([one["aleatoric"] for one in certainty], noise, rtol=1e-9)
    rest = [one["epistemic"] for one in certainty]
    np.testing.assert_allclose(rest, std**2 - noise, atol=1e-9)
    assert {one["samples"] for one in certainty} == {None}


def _noise(estimator: Any, x: NDArray[Any]) -> Any:
    """Return the variance of the noise that an estimator assumes, worked out another way."""
    if isinstance(estimator, Pipeline):
        return _noise(estimator[-1], estimator[:-1].transform(x))
    if not isinstance(estimator, GaussianProcessRegressor):
        return np.full(len(x), 1 / estimator.alpha_)
    white = estimator.kernel_.k2
    if isinstance(white, WhiteKernel):
        return np.full(len(x), white.noise_level) * estimator._y_train_std**2
    return (1 + (x**2).sum(axis=1)) * white.k1.noise_level


def test_a_process_without_noise_knows_none(tmp_path: Path) -> None:
    """A Gaussian process whose kernel has no noise leaves the aleatoric part unknown."""
    process = GaussianProcessRegressor(RBF(), alpha=0.1, optimizer=None)
    (first, *_) = told(served(tmp_path, process))
    std = process.predict(X[:1], return_std=True)[1][0]
    assert first["uncertainty"]["aleatoric"] is None
    assert first["uncertainty"]["epistemic"] == pytest.approx(std**2)
    assert first["uncertainty"]["std"] == pytest.approx(std)


@pytest.mark.parametrize("rows", [1, 200])
def test_noise_of_many_rows(rows: int, tmp_path: Path) -> None:
    """The noise of a row does not depend on how many there are."""
    app = served(tmp_path, GaussianProcessRegressor(WHITE, optimizer=None))
    many: Any = [tuple(one.values()) for one in numbers(rows)]
    found: Any = [one.uncertainty.aleatoric for one in app.predict(many, Options()).predictions]
    np.testing.assert_allclose(found, 0.3)


@pytest.mark.parametrize("estimator", [BayesianRidge(), GaussianProcessRegressor(RBF())])
@pytest.mark.filterwarnings("ignore:The optimal value found for dimension")
def test_variances_are_not_lost_in_a_graph(estimator: Any, tmp_path: Path) -> None:
    """What tells its variances is not exported: an ONNX graph would tell the value alone."""
    served(tmp_path, estimator)
    source = Source.alone(tmp_path / "models/m.skops")
    assert "epistemic_variance" in load(source).predict({"X": X})
    with pytest.raises(ModelError, match="the variances, and with them how sure it is, would be"):
        export_onnx(source, {"X": X}, tmp_path / "m.onnx")
