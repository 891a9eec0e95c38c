"""From a saved file of each format through `podium init` to an answer, no podium.toml by hand."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from podium.app import App
from podium.cli import main
from tests.conformance.cases import Built, Case, Inputs, Oracle
from tests.conformance.test_runtimes import CASES as ALL

CASES = {case.name: case for case in ALL}
NAMES = ["--features", "a,b,c"]
FACTORY = ["--factory", "nets:build"]

# Frameworks warn of themselves when a test saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")


def init(model: Path, options: Sequence[str]) -> Result:
    """Run `podium init` in the model's folder; it makes the folder app/."""
    arguments = ["init", str(model), "--output", "app", *options]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def check_answers(case: Case, oracle: Oracle, inputs: Inputs, tolerance: float) -> None:
    """Ask the application in app/; the answers are the framework's own."""
    built = Built(case, App(Path("app")), oracle)
    np.testing.assert_allclose(built.scores(inputs), oracle(inputs), atol=tolerance)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("onnx-logits", NAMES),
        ("onnx-regressor", NAMES),
        ("onnx-image-nchw", []),
        ("sklearn-forest", NAMES),
        ("sklearn-named-features", []),
        ("sklearn-words", []),
        ("sklearn-pkl", [*NAMES, "--trust"]),
        ("python-function", NAMES),
        ("python-texts", ["--text"]),
        ("keras-softmax", NAMES),
        ("keras-one-logit", NAMES),
        ("keras-image", []),
        ("keras-text", []),
        ("keras-old", NAMES),
        ("keras-weights", [*NAMES, *FACTORY]),
        ("tensorflow-softmax", NAMES),
        ("tensorflow-text", []),
        ("tflite-softmax", NAMES),
        ("tflite-image-uint8", []),
        ("torch-logits", NAMES),
        ("torch-picture", []),
        ("torch-weights-safetensors", [*NAMES, "--factory", "nets:Tied"]),
        ("torch-weights-value", [*NAMES, "--factory", "nets:value"]),
        ("torch-script", [*NAMES, "--trust"]),
        ("transformers-vit", []),
        ("transformers-bert", []),
        ("xgboost-classes", NAMES),
        ("xgboost-regression", NAMES),
        ("lightgbm-classes", NAMES),
        ("lightgbm-skops", [*NAMES, "--runtime", "lightgbm"]),
        ("mlflow-sklearn", []),
        ("mlflow-lightgbm", []),
        ("mlflow-pickle", ["--trust"]),
    ],
)
def test_from_a_saved_file_to_an_answer(
    name: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The made application passes its check, and answers as the framework does."""
    case = CASES[name]
    oracle = case.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    told = ["--labels", ",".join(case.labels)] if case.labels else ["--task", "regression"]
    file = Path("m.py:predict") if name.startswith("python") else Path(case.file)
    done = init(file, [*told, *options])
    assert done.exit_code == 0, done.output
    assert re.search(r"^All is well(\.|, but for \d+ notes? above\.)$", done.output, re.MULTILINE)
    check_answers(case, oracle, case.inputs(5), 10 * case.tolerance)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("onnx-columns", []),
        ("sklearn-table", []),
        ("sklearn-table-regressor", []),
        ("keras-columns", []),
        ("tensorflow-columns", []),
        ("torch-logits", []),
        ("torch-weights-logits", ["--factory", "nets:Table"]),
        ("xgboost-two", []),
        ("lightgbm-categories", []),
        ("mlflow-program", ["--trust"]),
    ],
)
def test_labelled_data_fill_in_the_rest(
    name: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, kinds, choices, labels and examples come from the data that the model was made for."""
    case = CASES[name]
    oracle = case.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    inputs = case.inputs(120)
    write_data(Path("train.csv"), case, inputs, oracle)
    done = init(Path(case.file), ["--data", "train.csv", "--target", "answer", *options])
    assert done.exit_code == 0, done.output
    app = App(Path("app"))
    assert set(app.signature.names) == set().union(*inputs)
    assert app.spec.task.target == "answer"
    assert [one.title for one in app.spec.examples][: len(case.labels)] == list(
        app.signature.labels
    )
    assert len(app.spec.examples) == (len(case.labels) or 5)
    check_answers(case, oracle, inputs[:5], 10 * case.tolerance)


def write_data(file: Path, case: Case, inputs: Inputs, oracle: Oracle) -> None:
    """Write inputs with the framework's own answers to a CSV file, and a number for each row."""
    names = sorted({name for one in inputs for name in one})
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["id", *names, "answer"])
        for index, (one, found) in enumerate(zip(inputs, oracle(inputs), strict=True)):
            answer = case.labels[int(np.argmax(found))] if case.labels else float(found)
            rows.writerow([index, *[one.get(name) for name in names], answer])
