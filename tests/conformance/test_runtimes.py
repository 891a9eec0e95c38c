"""What holds for every case of every runtime."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from podium.app import App
from podium.errors import ModelError
from podium.options import Options
from podium.prediction import ClassPrediction, ValuePrediction
from tests.conformance import (
    keras_cases,
    lightgbm_cases,
    mlflow_cases,
    onnx_cases,
    python_cases,
    sklearn_cases,
    sklearn_table_cases,
    tensorflow_cases,
    tflite_cases,
    torch_cases,
    transformers_cases,
    xgboost_cases,
)
from tests.conformance.cases import Built, Case, build, reversed_labels, rows_of

CASES = (
    *onnx_cases.CASES,
    *sklearn_cases.CASES,
    *sklearn_table_cases.CASES,
    *python_cases.CASES,
    *transformers_cases.CASES,
    *keras_cases.CASES,
    *tensorflow_cases.CASES,
    *tflite_cases.CASES,
    *torch_cases.CASES,
    *xgboost_cases.CASES,
    *lightgbm_cases.CASES,
    *mlflow_cases.CASES,
)
FIRST = tuple(
    {Path(case.file).suffix: case for case in reversed(CASES) if Path(case.file).suffix}.values()
)
"""One case of each runtime whose model is a file; those of folders have tests of their own."""

NAMING = tuple(case for case in CASES if case.names_labels)

THREADS = 16

# The filter that a runtime sets when it loads does not outlive pytest's setup phase.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
    # Keras warns of itself when a test saves a model.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy"),
]


def named(case: Case) -> str:
    """Return what pytest calls a case."""
    return case.name


@pytest.fixture(scope="module")
def opened() -> dict[str, Built]:
    """Return the cases that were opened already."""
    return {}


@pytest.fixture(params=CASES, ids=named)
def built(
    request: pytest.FixtureRequest,
    opened: dict[str, Built],
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    """Return each case, opened once."""
    case: Case = request.param
    if case.name not in opened:
        opened[case.name] = build(case, tmp_path_factory.mktemp(case.name))
    return opened[case.name]


def test_answers_are_the_frameworks_own(built: Built) -> None:
    """50 answers equal the framework's own within the case's tolerance."""
    inputs = built.case.inputs(50)
    np.testing.assert_allclose(built.scores(inputs), built.oracle(inputs), 0, built.case.tolerance)


def test_label_is_the_likeliest(built: Built) -> None:
    """The label has the greatest probability, and probabilities run down from it and sum to 1."""
    for prediction in built.ask(built.case.inputs(20)):
        if not isinstance(prediction, ClassPrediction) or prediction.probabilities is None:
            continue
        shares = list(prediction.probabilities.values())
        assert shares == sorted(shares, reverse=True)
        assert (prediction.label, prediction.probability) == next(
            iter(prediction.probabilities.items())
        )
        assert sum(shares) == pytest.approx(1, abs=1e-3)
        assert sorted(prediction.probabilities) == sorted(built.case.labels)


CLASSIFIERS = [case for case in CASES if case.kind == "classification"]


@pytest.mark.parametrize("built", CLASSIFIERS, ids=named, indirect=True)
def test_probability_is_null_exactly_where_the_model_tells_none(built: Built) -> None:
    """A model that tells labels alone has no probability; every other has one."""
    predictions = built.ask(built.case.inputs(5))
    assert all(isinstance(one, ClassPrediction) for one in predictions)
    assert {one.probability is not None for one in predictions if isinstance(one, ClassPrediction)
            } == {built.case.graded}  # fmt: skip


def test_batch_equals_single_answers(built: Built) -> None:
    """A batch gets what its items get one by one, or, where noise hangs on rows, its beginnings."""
    inputs = built.case.inputs(9)
    whole = built.scores(inputs)
    if built.case.depends_on_row:
        parts = [built.scores(inputs[: n + 1])[-1] for n in range(len(inputs))]
    else:
        parts = [built.scores([one])[0] for one in inputs]
    np.testing.assert_allclose(parts, whole, 0, 1e-6)


def test_order_is_kept(built: Built) -> None:
    """The answers stand in the order of the inputs, whatever it is."""
    inputs = built.case.inputs(30)
    turned = inputs[::-1]
    np.testing.assert_allclose(built.scores(turned), built.oracle(turned), 0, built.case.tolerance)
    assert len(np.unique(built.oracle(inputs).round(3), axis=0)) > 2, "answers must differ"


@pytest.mark.parametrize("count", [1, 1000])
def test_batch_sizes(built: Built, count: int) -> None:
    """One item and a thousand are answered, each with the framework's own answer."""
    inputs = built.case.inputs(count)
    found = built.scores(inputs)
    assert len(found) == count
    np.testing.assert_allclose(found, built.oracle(inputs), 0, built.case.tolerance)


def test_threads_get_their_own_answers(built: Built) -> None:
    """16 threads at once each get the answers to their own inputs, several times over."""
    batches = [built.case.inputs(THREADS * 3)[n::THREADS] for n in range(THREADS)]
    expected = [built.oracle(batch) for batch in batches]
    start = Barrier(THREADS)

    def ask(number: int) -> None:
        start.wait(10)
        for _ in range(3):
            found = built.scores(batches[number])
            np.testing.assert_allclose(found, expected[number], 0, built.case.tolerance)

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(ask, number) for number in range(THREADS)]:
            done.result(30)


def test_values_have_their_unit(built: Built) -> None:
    """A regression answers a number and the application's unit; a class is no value."""
    prediction = built.ask(built.case.inputs(1))[0]
    if built.case.kind == "regression":
        assert isinstance(prediction, ValuePrediction)
        assert (type(prediction.value), prediction.unit) == (float, "mm")
    else:
        assert isinstance(prediction, ClassPrediction)


def test_version_is_the_files_digest(built: Built) -> None:
    """The version is the beginning of the sha256 of the model's files, loaded or not."""
    file = built.app.folder / built.case.file
    files = sorted(one for one in file.rglob("*") if one.is_file()) if file.is_dir() else [file]
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in files)).hexdigest()[:6]
    fresh = App(built.app.folder)
    assert fresh.version("m") == digest
    assert built.app.served().version == digest
    assert built.app.version("m") == digest


@pytest.mark.parametrize("case", NAMING, ids=named)
def test_labels_stand_in_the_applications_order(case: Case, tmp_path: Path) -> None:
    """Where the file names its classes, listing them the other way round changes no answer."""
    built = build(case, tmp_path / "one")
    turned = build(reversed_labels(case), tmp_path / "two")
    inputs = case.inputs(20)
    mine = [(one.label, one.probabilities) for one in built.ask(inputs)]  # type: ignore[union-attr]
    other = [(one.label, one.probabilities) for one in turned.ask(inputs)]  # type: ignore[union-attr]
    assert len({label for label, _ in mine}) > 1
    assert mine == other


@pytest.mark.parametrize("case", NAMING, ids=named)
def test_labels_may_be_left_out_where_the_file_names_them(case: Case, tmp_path: Path) -> None:
    """Without [task] labels the file's own are used, and the answers are the same."""
    built = build(case, tmp_path)
    text = (tmp_path / "podium.toml").read_text()
    kept = [line for line in text.splitlines() if not line.startswith("labels = ")]
    (tmp_path / "podium.toml").write_text("\n".join(kept))
    bare = replace(built, app=App(tmp_path))
    assert sorted(bare.app.signature.labels) == sorted(case.labels)
    inputs = case.inputs(20)
    np.testing.assert_allclose(bare.scores(inputs), built.scores(inputs), 0, 1e-12)


@pytest.mark.parametrize("case", FIRST, ids=named)
@pytest.mark.parametrize("damage", ["empty", "garbage", "truncated", "of text"])
def test_damaged_file_is_a_model_error(case: Case, damage: str, tmp_path: Path) -> None:
    """A damaged file cannot be loaded, and the error names it."""
    built = build(case, tmp_path)
    file = tmp_path / case.file
    body = file.read_bytes()
    bodies = {"empty": b"", "garbage": bytes(range(256)) * 20, "of text": b"hello\n",
              "truncated": body[: len(body) // 2]}  # fmt: skip
    file.write_bytes(bodies[damage])
    with pytest.raises(ModelError, match=file.name):
        App(tmp_path).served()
    assert built.app.names == ("m",)


@pytest.mark.parametrize("case", FIRST, ids=named)
def test_version_changes_with_the_file(case: Case, tmp_path: Path) -> None:
    """Another model in the same file has another version; the same bytes have the same."""
    built = build(case, tmp_path)
    file = tmp_path / case.file
    version = built.app.version("m")
    assert App(tmp_path).version("m") == version
    file.write_bytes(file.read_bytes() + b"\0")
    assert App(tmp_path).version("m") != version


@pytest.mark.parametrize("case", [case for case in FIRST if case.tells_inputs], ids=named)
def test_wrong_number_of_features_is_a_model_error(case: Case, tmp_path: Path) -> None:
    """A model of three columns does not fit two features; the error names both."""
    cut = replace(case, inputs_toml="\n".join(case.inputs_toml.split("\n")[:-3]))
    app = build(cut, tmp_path).app
    with pytest.raises(ModelError, match=r"\[n, 3\].*lists 2: a, b"):
        app.served()


@pytest.mark.parametrize("case", FIRST, ids=named)
def test_wrong_number_of_labels_is_a_model_error(case: Case, tmp_path: Path) -> None:
    """A model of three classes does not fit two labels."""
    app = build(replace(case, labels=("left", "right")), tmp_path).app
    with pytest.raises(ModelError, match="2 labels"):
        app.served()


@pytest.mark.parametrize("case", FIRST, ids=named)
def test_answer_has_the_models_name_and_version(case: Case, tmp_path: Path) -> None:
    """An answer names its model and version and has a prediction for each item."""
    app = build(case, tmp_path).app
    answer = app.predict(rows_of((0.1, 0.2, 0.3), (1.0, 2.0, 3.0)), Options())
    assert (answer.model, answer.version) == ("m", app.version("m"))
    assert len(answer.predictions) == 2
