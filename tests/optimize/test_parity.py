"""Two models are asked the same, and the greatest difference is told with its input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from podium.app import App, Served
from podium.errors import ModelError
from podium.optimize.parity import Parity, compare, probes
from podium.runtimes import Arrays
from tests.conformance.cases import COLOURS, OPTIONAL_MIXED, Case, build
from tests.conformance.graphs import BIAS, FLOAT, INT64, SINGLE, WEIGHTS, linear, save
from tests.conformance.onnx_cases import CASES as ONNX

CASES = {case.name: case for case in ONNX}
LOGITS = CASES["onnx-logits"]
REGRESSION = CASES["onnx-regressor-one-at-a-time"]
IMAGE = CASES["onnx-image-nchw"]
OTHER = '[[models]]\nname = "other"\nfile = "models/other.onnx"\n'


def application(folder: Path, case: Case, more: str = "") -> App:
    """Return a case's application with a second model, which the test has written."""
    build(case, folder)
    (folder / "podium.toml").write_text(case.toml + OTHER + more)
    return App(folder)


def parity(app: App) -> Parity:
    """Return how far the two models are apart."""
    return compare(app, app.served("m"), app.served("other"))


def shifted(folder: Path, by: float, weights: NDArray[np.float64] = WEIGHTS) -> None:
    """Write the graph of a linear case whose first output is greater by a number."""
    bias = BIAS[: weights.shape[1]] + np.eye(weights.shape[1])[0] * by
    linear(folder / "models/other.onnx", weights=weights, bias=bias)


def test_the_same_model_differs_by_nothing(tmp_path: Path) -> None:
    """Two files of the same graph agree exactly, on a hundred inputs and more."""
    shifted(tmp_path, 0)
    found = parity(application(tmp_path, LOGITS))
    assert (found.answers, found.outputs, found.greatest) == (0, 0, 0)
    assert found.inputs > 100


def test_the_greatest_difference_of_a_probability(tmp_path: Path) -> None:
    """Answers are compared as probabilities, raw outputs as a part of their spread."""
    shifted(tmp_path, 0.1)
    found = parity(application(tmp_path, LOGITS))
    steepest = np.tanh(0.1 / 4)  # a logistic curve's rise over 0.1 around one half
    assert 0.9 * steepest < found.answers < steepest
    assert found.outputs is not None
    assert 0.005 < found.outputs < 0.03  # 0.1 of a spread of several
    assert found.worst.startswith("a = ")


def test_a_value_is_compared_with_the_spread_of_all(tmp_path: Path) -> None:
    """For a regression the difference is a part of the spread of the values."""
    shifted(tmp_path, 0.01, SINGLE)
    found = parity(application(tmp_path, REGRESSION))
    assert found.answers == found.outputs
    assert 0.001 < found.answers < 0.01


def test_saturated_probabilities_do_not_hide_other_outputs(tmp_path: Path) -> None:
    """Where all probabilities are 0 or 1, the raw outputs tell the difference."""
    linear(tmp_path / "models/other.onnx", bias=np.array([2e4, 0, 0]))
    app = application(tmp_path, LOGITS)
    linear(tmp_path / "models/m.onnx", bias=np.array([1e4, 0, 0]))
    found = compare(app, App(tmp_path).served("m"), app.served("other"))
    assert found.answers == 0
    assert found.outputs is not None
    assert found.outputs > 0.9


def test_an_example_is_among_the_inputs(tmp_path: Path) -> None:
    """The maker's examples are asked too, and called by their titles."""
    shifted(tmp_path, 0, WEIGHTS * 1.01)
    far = '[[examples]]\ntitle = "Far"\ninputs = { a = -90, b = 45, c = -60 }\n'
    assert parity(application(tmp_path, LOGITS, far)).worst == "the example 'Far'"


def test_rows_cover_what_the_features_admit(tmp_path: Path) -> None:
    """Each choice, each end of a range, each value missing, short numbers and long ones."""
    case = replace(CASES["onnx-float-matrix"], inputs_toml=OPTIONAL_MIXED)
    app = build(case, tmp_path).app
    names = [probe.name for probe in probes(app, app.served())]
    seen = [dict(pair.split(" = ") for pair in name.split(", ")) for name in names]
    assert {row["colour"] for row in seen} == {*COLOURS, "missing"}
    missing = [[name for name, value in row.items() if value == "missing"] for row in seen]
    assert all(names in missing for names in ([], ["width"], ["colour"], ["width", "colour"]))
    assert {row["flag"] for row in seen} == {"True", "False"}
    assert {row["count"] for row in seen} == {str(count) for count in range(10)}
    widths = {row["width"] for row in seen}
    assert "missing" in widths
    assert {len(width) > 6 for width in widths - {"missing"}} == {True, False}


def test_pictures_are_noise_and_smooth(tmp_path: Path) -> None:
    """Random pictures differ from pixel to pixel, smooth ones little."""
    app = build(IMAGE, tmp_path).app
    pictures = {p.name: p.item for p in probes(app, app.served())}
    steps = {name: np.abs(np.diff(np.asarray(item, float), axis=1)).mean()
             for name, item in pictures.items()}  # fmt: skip
    rough = [step for name, step in steps.items() if name.startswith("random picture ")]
    smooth = [step for name, step in steps.items() if name.startswith("smooth picture ")]
    assert (len(rough), len(smooth), len(pictures)) == (24, 8, 32)
    assert min(rough) > max(smooth)


def test_a_label_alone_is_another_form(tmp_path: Path) -> None:
    """A model with probabilities and one with labels alone are not compared."""
    nodes = [helper.make_node("ArgMax", ["X"], ["label"], axis=1, keepdims=0)]
    save(tmp_path / "models/other.onnx", nodes, [("X", FLOAT, ["N", 3])], [("label", INT64, ["N"])])
    told = (
        r"^For a = .* the model gives scores of shape \[1, 3\], and its ONNX graph gives a label "
        r"without scores of shape \[1, 3\]$"
    )
    with pytest.raises(ModelError, match=told):
        parity(application(tmp_path, LOGITS))


def broken(served: Served) -> Served:
    """Return a model that gives no number where the first feature is negative."""
    model = served.pipeline.model
    whole = model.predict

    def predict(inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        (scores,) = whole(inputs).values()
        return {"scores": np.where(inputs["X"][:, :1] < 0, np.nan, scores)}

    model.predict = predict  # type: ignore[method-assign]
    return served


def test_an_input_that_one_model_alone_answers(tmp_path: Path) -> None:
    """A model that gives no finite answer where the other does is not the same."""
    shifted(tmp_path, 0)
    app = application(tmp_path, LOGITS)
    told = r"For a = -[^,]*, b = .* the model gives scores.* graph gives no answer .*no finite"
    with pytest.raises(ModelError, match=told):
        compare(app, app.served("m"), broken(app.served("other")))


def test_inputs_that_neither_model_answers_prove_nothing(tmp_path: Path) -> None:
    """Inputs that neither model answers are left out of the count; others are compared."""
    shifted(tmp_path, 0)
    app = application(tmp_path, LOGITS)
    all_of_them = parity(app).inputs
    found = compare(app, broken(app.served("m")), broken(app.served("other")))
    assert 0 < found.inputs < 0.7 * all_of_them
    assert found.greatest == 0
