"""What is special about scikit-learn: votes, what a model cannot know, and attack files."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from scipy.stats import entropy
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from podium.app import App
from podium.errors import ModelError, PodiumError, UntrustedModel
from podium.options import Options
from podium.prediction import ClassPrediction, ClassUncertainty, ValuePrediction, ValueUncertainty
from podium.runtimes import Source, load
from tests.conformance.cases import Built, build, matrix, numbers, rows_of
from tests.conformance.sklearn_cases import (
    CASES,
    FILE,
    ORDER,
    TREES,
    forest,
    save,
    training_set,
)

BY_NAME = {case.name: case for case in CASES}
SAMPLES = Options(include=frozenset({"samples"}))


def app_of(folder: Path, estimator: Any, case: str = "sklearn-logistic") -> App:
    """Return an application around an estimator, with the features and labels of a case."""
    save(folder, estimator)
    (folder / "podium.toml").write_text(BY_NAME[case].toml)
    return App(folder)


def open_case(name: str, folder: Path) -> Built:
    """Return a case of scikit-learn, opened."""
    return build(BY_NAME[f"sklearn-{name}"], folder)


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
@pytest.mark.parametrize("scaled", [False, True])
def test_forest_splits_its_entropy(kind: Any, scaled: bool, tmp_path: Path) -> None:
    """A forest's trees are its passes: the mean's entropy, its mean, and their difference."""
    x, y = training_set()
    fitted = forest(kind).fit(StandardScaler().fit_transform(x) if scaled else x, y)
    model = make_pipeline(StandardScaler().fit(x), fitted) if scaled else fitted
    inputs = numbers(12)
    seen = StandardScaler().fit(x).transform(matrix(inputs)) if scaled else matrix(inputs)
    votes = np.stack([tree.predict_proba(seen) for tree in fitted.estimators_])
    total = entropy(votes.mean(axis=0), axis=1)
    aleatoric = entropy(votes, axis=2).mean(axis=0)
    rows: Any = [tuple(one.values()) for one in inputs]
    found: Any = app_of(tmp_path, model).predict(rows, Options())
    assert (total - aleatoric > 0.01).any()
    for index, prediction in enumerate(found.predictions):
        certainty = prediction.uncertainty
        assert isinstance(certainty, ClassUncertainty)
        assert certainty.samples == TREES
        assert certainty.entropy == pytest.approx(total[index], abs=1e-9)
        assert certainty.aleatoric == pytest.approx(aleatoric[index], abs=1e-9)
        assert certainty.epistemic == pytest.approx(total[index] - aleatoric[index], abs=1e-9)
        assert certainty.entropy_normalized == pytest.approx(total[index] / np.log(3), abs=1e-9)


def test_forest_returns_its_votes(tmp_path: Path) -> None:
    """With include=samples every tree's probabilities come, under the application's labels."""
    built = open_case("forest", tmp_path)
    votes = _votes(built, numbers(4))
    order = [sorted(ORDER).index(label) for label in ORDER]
    for index, prediction in enumerate(built.ask(numbers(4), SAMPLES)):
        assert isinstance(prediction, ClassPrediction)
        found = prediction.uncertainty.sample_probabilities
        assert isinstance(found, dict)
        np.testing.assert_allclose([found[label] for label in ORDER], votes[index][:, order].T)


def _votes(built: Built, inputs: list[dict[str, object]]) -> NDArray[np.float64]:
    estimator = skops.io.load(built.app.folder / FILE, trusted=["sklearn.tree._tree.Tree"])
    return np.stack([tree.predict_proba(matrix(inputs)) for tree in estimator.estimators_], axis=1)


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
def test_forest_of_values_has_a_spread(kind: Any, tmp_path: Path) -> None:
    """A regression forest's trees give the standard deviation, the variance and the interval."""
    x, _ = training_set()
    fitted = forest(kind).fit(x, x[:, 0])
    app = app_of(tmp_path, fitted, "sklearn-linear")
    votes = np.array([tree.predict(matrix(numbers(5))) for tree in fitted.estimators_])
    rows: Any = [tuple(one.values()) for one in numbers(5)]
    found: Any = app.predict(rows, Options(confidence_level=0.8))
    for index, prediction in enumerate(found.predictions):
        assert isinstance(prediction, ValuePrediction)
        certainty = prediction.uncertainty
        low, high = np.quantile(votes[:, index], [0.1, 0.9])
        assert prediction.value == pytest.approx(votes[:, index].mean())
        assert certainty.std == pytest.approx(votes[:, index].std())
        assert certainty.epistemic == pytest.approx(votes[:, index].var())
        assert certainty.interval == pytest.approx((low, high))
        assert (certainty.interval_level, certainty.samples) == (0.8, TREES)
        assert certainty.aleatoric is None


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeClassifier(max_depth=3, random_state=0),
        GaussianNB(),
        LogisticRegression(),
        GradientBoostingClassifier(n_estimators=3, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_single_model_knows_no_parts(estimator: Any, tmp_path: Path) -> None:
    """A model that answers once has the entropy of its probabilities and null for all else."""
    app = app_of(tmp_path, estimator.fit(*training_set()))
    inputs = numbers(6)
    expected = entropy(estimator.predict_proba(matrix(inputs)), axis=1)
    rows: Any = [tuple(one.values()) for one in inputs]
    found: Any = app.predict(rows, Options())
    for prediction, total in zip(found.predictions, expected, strict=True):
        certainty = prediction.uncertainty
        assert isinstance(certainty, ClassUncertainty)
        assert certainty.entropy == pytest.approx(total, abs=1e-9)
        assert (certainty.aleatoric, certainty.epistemic, certainty.samples) == (None, None, None)
        assert (certainty.intervals, certainty.interval_level) == (None, None)


def test_single_value_has_no_spread(tmp_path: Path) -> None:
    """A regressor that answers once knows nothing of its uncertainty."""
    built = open_case("linear", tmp_path)
    for prediction in built.ask(numbers(3)):
        assert prediction.uncertainty == ValueUncertainty()


@pytest.mark.parametrize("estimator", [LinearSVC(random_state=0), RidgeClassifier()])
def test_label_without_probability(estimator: Any, tmp_path: Path) -> None:
    """A classifier without predict_proba answers its label; all that it does not know is null."""
    app = app_of(tmp_path, estimator.fit(*training_set()))
    inputs = numbers(30)
    rows: Any = [tuple(one.values()) for one in inputs]
    answer = app.predict(rows, Options())
    labels = estimator.predict(matrix(inputs))
    for prediction, label in zip(answer.predictions, labels, strict=True):
        assert prediction == ClassPrediction(label, None, None, ClassUncertainty(), [])


def test_label_of_number_is_the_applications_name(tmp_path: Path) -> None:
    """Classes 0, 1, 2 of a model without probabilities are the first to third label."""
    x, y = training_set()
    codes = np.array([ORDER.index(label) for label in y])
    fitted = LinearSVC(random_state=0).fit(x, codes)
    answer = app_of(tmp_path, fitted).predict([tuple(row) for row in x[:30]], Options())
    found = [prediction.label for prediction in answer.predictions]  # type: ignore[union-attr]
    assert found == [ORDER[code] for code in fitted.predict(x[:30])]


def test_label_that_is_a_number_with_a_point(tmp_path: Path) -> None:
    """Classes 0.0 and 1.0 of a model without probabilities are labels, not probabilities."""
    x, _ = training_set()
    fitted = LinearSVC(random_state=0).fit(x, (x[:, 0] > 0).astype(np.float64))
    save(tmp_path, fitted)
    text = BY_NAME["sklearn-logistic"].toml.replace(json.dumps(ORDER), '["0.0", "1.0"]')
    (tmp_path / "podium.toml").write_text(text)
    rows = rows_of((2.0, 0.0, 0.0), (-2.0, 0.0, 0.0))
    expected = [
        ClassPrediction(name, None, None, ClassUncertainty(), []) for name in ("1.0", "0.0")
    ]
    assert App(tmp_path).predict(rows, Options()).predictions == expected


def test_named_columns_need_no_names_at_the_call(tmp_path: Path) -> None:
    """A model that was trained on named columns answers without a warning."""
    built = open_case("named-features", tmp_path)
    np.testing.assert_allclose(built.scores(numbers(3)), built.oracle(numbers(3)), 0, 1e-12)


def test_other_feature_names_are_a_model_error(tmp_path: Path) -> None:
    """A model trained on other names than podium.toml lists is refused with both lists."""
    fitted = LogisticRegression().fit(*training_set())
    fitted.feature_names_in_ = np.array(["a", "b", "d"], np.object_)
    app = app_of(tmp_path, fitted)
    with pytest.raises(ModelError, match=r"trained on a, b, d.*lists a, b, c"):
        app.served()


def test_other_labels_by_number_stand_in_the_models_order(tmp_path: Path) -> None:
    """Labels that the file does not know name the model's classes in the model's order."""
    x, y = training_set()
    codes = np.array([ORDER.index(label) for label in y])
    fitted = LogisticRegression().fit(x, codes)
    answer = app_of(tmp_path, fitted).predict([tuple(row) for row in x[:5]], Options())
    for prediction, row in zip(answer.predictions, fitted.predict_proba(x[:5]), strict=True):
        assert isinstance(prediction, ClassPrediction)
        assert prediction.probabilities == pytest.approx(dict(zip(ORDER, row, strict=True)))


def test_missing_value_that_the_model_cannot_take(tmp_path: Path) -> None:
    """Where the model refuses NaN, an optional feature is an error in words, not a crash."""
    fitted = LogisticRegression().fit(*training_set())
    save(tmp_path, fitted)
    text = BY_NAME["sklearn-logistic"].toml.replace('name = "a"', 'name = "a"\noptional = true')
    (tmp_path / "podium.toml").write_text(text)
    with pytest.raises(PodiumError):
        App(tmp_path).predict(rows_of((None, 0.0, 0.0)), Options())


@pytest.mark.parametrize("case", ["forest", "logistic", "tree"])
@pytest.mark.parametrize("value", [1e300, -1e300, 3.3e38])
def test_huge_value_is_answered_or_refused_in_words(
    case: str, value: float, tmp_path: Path
) -> None:
    """A finite number too large for the model is the caller's mistake, never a crash."""
    built = open_case(case, tmp_path)
    try:
        predictions = built.ask([{"a": value, "b": 0, "c": 0}])
    except PodiumError:
        return
    assert len(predictions) == 1


def test_estimator_that_is_not_fitted(tmp_path: Path) -> None:
    """An estimator that was never fitted is refused in words."""
    app = app_of(tmp_path, LogisticRegression())
    with pytest.raises(ModelError, match=r"m\.skops: the LogisticRegression is not fitted"):
        app.served()


def test_something_that_predicts_nothing(tmp_path: Path) -> None:
    """A transformer is no model."""
    app = app_of(tmp_path, StandardScaler().fit(training_set()[0]))
    with pytest.raises(ModelError, match=r"m\.skops: StandardScaler is no classifier or regressor"):
        app.served()


def test_untrusted_type_is_named_and_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with a type outside the safe list is refused by name and never imported."""
    (tmp_path / "podium_evil.py").write_text(
        "raise SystemExit('the attacker ran')\n\n\nclass Attack:\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    file = save(tmp_path, LogisticRegression().fit(*training_set()))
    _rewrite(file, lambda schema: _plant(schema, "podium_evil", "Attack"))
    with pytest.raises(UntrustedModel, match=r"m\.skops.*podium_evil\.Attack"):
        load(Source.alone(file))
    assert "podium_evil" not in sys.modules


def test_function_that_runs_commands_is_refused(tmp_path: Path) -> None:
    """A file that would call os.system is refused by name and nothing runs."""
    file = save(tmp_path, LogisticRegression().fit(*training_set()))
    _rewrite(file, lambda schema: _plant(schema, "os", "system"))
    with pytest.raises(UntrustedModel, match=r"os\.system"):
        load(Source.alone(file))


def _plant(schema: dict[str, Any], module: str, name: str) -> None:
    """Make the estimator's C an object of another type."""
    attributes = schema["content"]["content"]
    attributes["C"] = {
        "__class__": name,
        "__module__": module,
        "__loader__": "ObjectNode",
        "content": None,
        "__id__": 987654321,
    }


def _rewrite(file: Path, change: Any) -> None:
    """Change the schema of a skops file."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(parts["schema.json"])
    change(schema)
    parts["schema.json"] = json.dumps(schema).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in parts.items():
            archive.writestr(name, body)


class _Touch:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.file,)


def test_pickle_with_another_ending_is_refused(tmp_path: Path) -> None:
    """A pickle that calls itself .skops is refused and never run."""
    file = tmp_path / "m.skops"
    file.write_bytes(pickle.dumps(_Touch(tmp_path / "ran")))
    with pytest.raises(ModelError, match=r"m\.skops"):
        load(Source.alone(file))
    assert not (tmp_path / "ran").exists()


def _forged(field: str, node: int, value: int) -> DecisionTreeClassifier:
    """Return a tree of which one number leads elsewhere."""
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(*training_set())
    state = tree.tree_.__getstate__()
    state["nodes"][field][node] = value
    tree.tree_.__setstate__(state)
    return tree


FORGERIES = [
    ("left_child", 0, 10_000),
    ("right_child", 0, 10_000),
    ("left_child", 0, -7),
    ("right_child", 0, -1),
    ("left_child", 1, 0),
    ("right_child", 0, 0),
    ("feature", 0, 99),
    ("feature", 0, 3),
    ("feature", 0, -5),
]


@pytest.mark.parametrize(("field", "node", "value"), FORGERIES)
def test_forged_tree_is_refused(field: str, node: int, value: int, tmp_path: Path) -> None:
    """A tree whose walk would leave its memory, or never end, is refused before it is walked."""
    file = save(tmp_path, _forged(field, node, value))
    with pytest.raises(UntrustedModel, match=r"m\.skops: 1 trees lead outside"):
        load(Source.alone(file))


def test_forged_tree_within_a_pipeline_and_forest_is_refused(tmp_path: Path) -> None:
    """One forged tree of a forest behind a scaler is found."""
    x, y = training_set()
    model = forest(RandomForestClassifier).fit(x, y)
    model.estimators_[7].tree_ = _forged("feature", 0, 77).tree_
    file = save(tmp_path, make_pipeline(StandardScaler().fit(x), model))
    with pytest.raises(UntrustedModel, match="1 trees lead outside"):
        load(Source.alone(file))


def test_sound_trees_are_loaded(tmp_path: Path) -> None:
    """The audit refuses no forest, boosting or tree as scikit-learn makes it."""
    x, y = training_set()
    for estimator in (
        DecisionTreeClassifier(), forest(ExtraTreesClassifier),
        GradientBoostingClassifier(n_estimators=2),
    ):  # fmt: skip
        assert load(Source.alone(save(tmp_path, estimator.fit(x, y)))).labels == tuple(
            sorted(ORDER)
        )
