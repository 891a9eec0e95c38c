"""skops files: hostile archives, forged numbers behind sound types, and versions."""

from __future__ import annotations

import copy
import json
import re
import zipfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC, NuSVR
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from podium.app import App
from podium.errors import ModelError, UntrustedModel
from podium.runtimes import Source, load
from tests.conformance.cases import matrix, numbers
from tests.conformance.sklearn_cases import CASES, save, training_set

X, Y = training_set()
LOGISTIC: Final = next(case for case in CASES if case.name == "sklearn-logistic")


def rewrite(file: Path, change: Callable[[str], str], add: dict[str, bytes] | None = None) -> None:
    """Change the schema of a skops file, and add members."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["schema.json"] = change(parts["schema.json"].decode()).encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in (parts | (add or {})).items():
            archive.writestr(name, body)


def same(text: str) -> str:
    """Return a schema as it is."""
    return text


def refused(file: Path, error: type[ModelError], match: str) -> None:
    """Say that a file is not loaded, and why."""
    with pytest.raises(error, match=match) as caught:
        load(Source.alone(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier((4,), tol=1.0),
        CalibratedClassifierCV(RidgeClassifier(), cv=2),
        GaussianProcessClassifier(optimizer=None),
        KNeighborsClassifier(),
        KNeighborsClassifier(metric="manhattan", algorithm="ball_tree"),
        HistGradientBoostingClassifier(max_iter=2),
        VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier())]),
        StackingClassifier([("a", LogisticRegression())], cv=2),
        SVC(),
        make_pipeline(SelectKBest(k=2), LogisticRegression()),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2, scoring="f1_macro"),
        RandomizedSearchCV(LogisticRegression(), {"C": [0.1, 1]}, n_iter=2, cv=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_classifiers_that_skops_alone_would_not_load(estimator: Any, tmp_path: Path) -> None:
    """Types that hold data only are loaded, and answer as the framework does."""
    fitted = estimator.fit(X, Y)
    model = load(Source.alone(save(tmp_path, fitted)))
    x = matrix(numbers(20))
    (name, found), = model.predict({"X": x}).items()  # fmt: skip
    expected = fitted.predict_proba(x) if name == "probabilities" else fitted.predict(x)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "estimator",
    [TweedieRegressor(power=1.5), KNeighborsRegressor(), NuSVR()],
    ids=lambda estimator: type(estimator).__name__,
)
def test_regressors_that_skops_alone_would_not_load(estimator: Any, tmp_path: Path) -> None:
    """The same of regressors."""
    fitted = estimator.fit(X, np.exp(X[:, 0]))
    found = load(Source.alone(save(tmp_path, fitted))).predict({"X": X})["value"]
    np.testing.assert_array_equal(found, fitted.predict(X))


@pytest.mark.parametrize("kind", [SVC, KNeighborsClassifier], ids=lambda kind: kind.__name__)
def test_a_model_that_keeps_sparse_texts(kind: Any, tmp_path: Path) -> None:
    """A model that keeps its training texts as a sparse matrix is loaded."""
    words = ["good wood", "bad wood", "good", "bad", "late good", "bad bad"] * 5
    fitted = make_pipeline(TfidfVectorizer(), kind()).fit(words, ["yes", "no"] * 15)
    found = load(Source.alone(save(tmp_path, fitted)))
    array = np.array(words[:6], np.object_)
    (answer,) = found.predict({"text": array}).values()
    expected = fitted.predict(words[:6]) if kind is SVC else fitted.predict_proba(words[:6])
    np.testing.assert_array_equal(answer, expected)


def test_distribution_that_runs_text_is_refused(tmp_path: Path) -> None:
    """The distributions of a random search run Python text when loaded: the way out is named."""
    search = RandomizedSearchCV(LogisticRegression(), {"C": loguniform(0.1, 1)}, n_iter=2, cv=2)
    file = save(tmp_path, search.fit(X, Y))
    refused(file, UntrustedModel, r"scipy\.stats.*rv_continuous_frozen.*its best_estimator_\.$")


def test_spline_is_refused(tmp_path: Path) -> None:
    """Splines, whose knots compiled code trusts, are refused by name."""
    fitted = make_pipeline(SplineTransformer(), LogisticRegression()).fit(X, Y)
    refused(save(tmp_path, fitted), UntrustedModel, r"m\.skops holds types.*BSpline")


@pytest.mark.parametrize(
    ("estimator", "told"),
    [
        (KMeans(2, n_init=1), "KMeans is no classifier or regressor"),
        (IsolationForest(n_estimators=2), "IsolationForest is no classifier or regressor"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_answers_no_class_and_no_value(estimator: Any, told: str, tmp_path: Path) -> None:
    """Clusters and outliers are not served."""
    refused(save(tmp_path, estimator.fit(X)), ModelError, rf"m\.skops: {told}")


BOTH: Final = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)


@pytest.mark.parametrize(
    "estimator",
    [
        MultiOutputClassifier(LogisticRegression()),
        DecisionTreeClassifier(),
        KNeighborsClassifier(),
        RidgeClassifier(),
        OneVsRestClassifier(LogisticRegression()),
        MLPClassifier((4,), tol=1.0),
        make_pipeline(StandardScaler(), DecisionTreeClassifier()),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_several_targets_at_once(estimator: Any, tmp_path: Path) -> None:
    """A classifier of several targets, or of labels that do not exclude one another, is refused."""
    file = save(tmp_path, estimator.fit(X, BOTH))
    refused(file, ModelError, r"answers several targets at once; Podium serves one\. Train a model")


def test_several_values_at_once(tmp_path: Path) -> None:
    """A regressor of several values does not fit; the error names the shape."""
    save(tmp_path, LinearRegression().fit(X, X[:, :2]))
    text = LOGISTIC.toml.replace("classification", "regression")
    (tmp_path / "podium.toml").write_text(re.sub("labels = .*", "", text))
    with pytest.raises(ModelError, match=r"one number an item.*value \[16, 2\]"):
        App(tmp_path).served()


def test_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """An archive that would fill the memory is refused from its directory."""
    file = save(tmp_path, LogisticRegression().fit(X, Y))
    rewrite(file, same, {"bomb.npy": bytes(101_000_000)})
    assert file.stat().st_size < 200_000
    refused(file, UntrustedModel, r"m\.skops would unpack to 101 MB.*a zip bomb")


@pytest.mark.parametrize("count", [1, 4])
def test_bomb_within_the_archive_is_not_unpacked(count: int, tmp_path: Path) -> None:
    """Sparse matrices are archives themselves; what they all unpack to counts."""
    inner = tmp_path / "inner.npz"
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.npy", bytes(101_000_000 // count))
    file = save(tmp_path, LogisticRegression().fit(X, Y))
    rewrite(file, same, {f"{number}.npz": inner.read_bytes() for number in range(count)})
    refused(file, UntrustedModel, r"m\.skops.*zip bomb")


@pytest.mark.parametrize("name", ["../ran", "/etc/ran", "a/../../ran", "C:ran"])
def test_member_that_leads_outside(name: str, tmp_path: Path) -> None:
    """An archive with a name that leads outside of it is refused, and nothing is written."""
    file = save(tmp_path, LogisticRegression().fit(X, Y))
    rewrite(file, same, {name: b"here"})
    refused(file, UntrustedModel, r"m\.skops: .* leads outside of it")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["m.skops", "models"]


def test_archive_of_something_else(tmp_path: Path) -> None:
    """A zip archive without a schema is none of skops."""
    file = tmp_path / "m.skops"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", b"cos\nsystem\n(S'true'\ntR.")
    refused(file, ModelError, r"m\.skops is no skops archive: there is no schema\.json in it")


@pytest.mark.parametrize("ending", [".pkl", ".pickle", ".joblib", ".PKL"])
def test_skops_archive_with_the_ending_of_a_pickle(ending: str, tmp_path: Path) -> None:
    """What is in a file counts: an archive of skops needs no trust, whatever it is called."""
    file = save(tmp_path, LogisticRegression().fit(X, Y))
    model = load(Source.alone(file.rename(file.with_suffix(ending))))
    assert model.labels == ("left", "middle", "right")


def _forge_method() -> Any:
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2)).fit(X, Y)
    model[-1]._validate_X_predict = np.positive
    return model


def _forge_width() -> Any:
    model = GradientBoostingRegressor(n_estimators=2).fit(X, X[:, 0])
    wide = np.empty((2, 50), np.object_)
    wide[:] = model.estimators_[0, 0]
    model.estimators_ = wide
    return model


@cache
def _histogram() -> Any:
    with threadpool_limits(1, "openmp"):  # its threads would wait for those of other tests
        return HistGradientBoostingClassifier(max_iter=2).fit(X, Y)


def _forge_histogram(field: str, value: int) -> Callable[[], Any]:
    def forge() -> Any:
        model = copy.deepcopy(_histogram())
        model._predictors[1][2].nodes[field][0] = value
        return model

    return forge


def _boosting_with_texts() -> Any:
    data = pd.DataFrame({"a": X[:, 0], "b": pd.Categorical(np.where(X[:, 1] > 0, "u", "v"))})
    with threadpool_limits(1, "openmp"):
        return HistGradientBoostingClassifier(max_iter=2).fit(data, Y)


def _forge_encoder() -> Any:
    model = _boosting_with_texts()
    (name, _, columns), *rest = model._preprocessor.transformers_
    hot = OneHotEncoder(handle_unknown="ignore").fit(np.array([["u"], ["v"]], np.object_))
    model._preprocessor.transformers_ = [(name, hot, columns), *rest]
    return model


def _forge_columns() -> Any:
    model = _boosting_with_texts()
    own = model._preprocessor
    first, (name, numbers, _), *rest = own.transformers_
    own.transformers_ = [first, (name, numbers, np.zeros(2, np.bool_)), *rest]
    own._transformer_to_input_indices[name] = []
    return model


def _forge_support() -> Any:
    model = SVC().fit(X, Y)
    counts = np.zeros(40_000, np.int32)
    counts[0] = len(model.support_)
    model._n_support = counts
    return model


def _forge_kernel() -> Any:
    model = SVC().fit(X, Y)
    model.kernel = "precomputed"
    return model


def _forge_classes() -> Any:
    model = KNeighborsClassifier(algorithm="brute").fit(X, Y)
    model._y = model._y + 10**9
    return model


def _forge_sparse() -> Any:
    words = ["good wood", "bad wood", "good", "bad"] * 5
    model = make_pipeline(TfidfVectorizer(), KNeighborsClassifier()).fit(words, ["a", "b"] * 10)
    model[-1]._fit_X.indices[0] = 10**8
    return model


FORGERIES: Final = {
    "a method": (_forge_method, "DecisionTreeClassifier: an attribute stands in the place of a m"),
    "more trees than values": (_forge_width, "1 trees lead outside of themselves"),
    "a child of a histogram": (_forge_histogram("left", 2**31), "1 trees lead outside"),
    "a way back": (_forge_histogram("right", 0), "1 trees lead outside"),
    "a column of a histogram": (_forge_histogram("feature_idx", 3), "1 trees lead outside"),
    "a category": (_forge_histogram("is_categorical", 1), "1 trees lead outside"),
    "an encoder": (_forge_encoder, "HistGradientBoostingClassifier: its encoder does not make"),
    "a column less": (_forge_columns, "HistGradientBoostingClassifier: its encoder does not make"),
    "support vectors": (_forge_support, "SVC: its arrays do not belong together"),
    "a kernel": (_forge_kernel, "SVC: its arrays do not belong together"),
    "classes of points": (_forge_classes, "KNeighborsClassifier: its points and their classes"),
    "a sparse matrix": (_forge_sparse, "csr_.*: its indices lead outside of it"),
}


@pytest.mark.parametrize(("forge", "told"), FORGERIES.values(), ids=FORGERIES)
def test_forged_numbers(forge: Callable[[], Any], told: str, tmp_path: Path) -> None:
    """Numbers that would lead compiled code out of its memory are refused before they are used."""
    refused(save(tmp_path, forge()), UntrustedModel, rf"m\.skops: {told}.*damaged or forged")


def test_search_tree_is_built_again(tmp_path: Path) -> None:
    """A search tree that leads outside of its points is replaced before it is walked."""
    fitted = KNeighborsClassifier(algorithm="kd_tree").fit(X, Y)
    expected = fitted.predict_proba(X)
    state = list(fitted._tree.__getstate__())
    state[1] = np.asarray(state[1]) + 10**9
    fitted._tree.__setstate__(tuple(state))
    found = load(Source.alone(save(tmp_path, fitted))).predict({"X": X})
    np.testing.assert_array_equal(found["probabilities"], expected)


def test_search_tree_of_nobody_is_refused(tmp_path: Path) -> None:
    """A search tree in a place where nobody builds it again is refused."""
    model = LogisticRegression().fit(X, Y)
    model.extra = KNeighborsClassifier(algorithm="kd_tree").fit(X, Y)._tree
    refused(save(tmp_path, model), UntrustedModel, "a search tree belongs to nobody")


def _older(text: str) -> str:
    return re.sub(r'(_sklearn_version.*?"content": "\\")[^"\\]+', r"\g<1>1.2.3", text, flags=re.S)


def test_other_version_is_a_note(tmp_path: Path) -> None:
    """A file of another scikit-learn that loads says so in a note, with both versions."""
    file = save(tmp_path, make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y))
    assert load(Source.alone(file)).notes == ()
    rewrite(file, _older)
    (note,) = load(Source.alone(file)).notes
    assert note == (
        f"m.skops was saved with scikit-learn 1.2.3; installed is {version('scikit-learn')}. "
        "If it does not load or answers otherwise: pip install 'scikit-learn==1.2.3', "
        "or save it again."
    )


def test_other_version_is_part_of_an_error(tmp_path: Path) -> None:
    """A file of another scikit-learn that holds what is no longer there says both."""
    file = save(tmp_path, LogisticRegression().fit(X, Y))
    rewrite(file, lambda text: _older(text).replace('"LogisticRegression"', '"LogisticClassic"'))
    refused(file, ModelError, r"LogisticClassic.*saved with scikit-learn 1\.2\.3; installed is ")


def test_newer_protocol_names_the_versions_of_skops(tmp_path: Path) -> None:
    """A file that a newer skops wrote in another way says which, and how to get it."""
    file = save(tmp_path, LogisticRegression().fit(X, Y))

    def newer(text: str) -> str:
        schema = json.loads(text) | {"protocol": 99, "_skops_version": "7.0.0"}
        return str(json.dumps(schema))

    rewrite(file, newer)
    refused(file, ModelError, r"protocol 99.*saved with skops 7\.0\.0; installed is .*'skops==7\.0")
