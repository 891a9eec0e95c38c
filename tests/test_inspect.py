"""What a model file tells of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from sklearn.linear_model import LinearRegression, LogisticRegression

from podium.errors import ModelError
from podium.inspect import Guess, inspect_model
from podium.spec import Feature, Image
from tests.conformance.graphs import (
    BOOL,
    FLOAT,
    INT64,
    SINGLE,
    STRING,
    UINT8,
    constant,
    linear,
    save,
)
from tests.conformance.onnx_cases import CASES as ONNX
from tests.conformance.onnx_cases import FILE
from tests.conformance.sklearn_cases import save as save_sklearn
from tests.conformance.sklearn_cases import training_set

CASES = {case.name: case for case in ONNX}
NAMES = "The file names no classes: write their names under [task] labels."
FEATURES = "The file names no features: write their names, units and ranges."
CHECK = "Check [image] against the training: size, resize, colour, scale, mean, std."
SLICE = {"from": 0, "to": 3, "axis": 1}
XS = (Feature(name="x0"), Feature(name="x1"), Feature(name="x2"))


def guess_of(case: str, folder: Path) -> Guess:
    """Return what the file of a case tells."""
    CASES[f"onnx-{case}"].write(folder)
    return inspect_model(folder / FILE)


def test_scores_alone(tmp_path: Path) -> None:
    """Three scores make a classifier of three classes; what the file did not tell is noted."""
    linear(tmp_path / "my_best-model.onnx")
    assert inspect_model(tmp_path / "my_best-model.onnx") == Guess(
        "My best model", "classification", ("class 0", "class 1", "class 2"), XS, None,
        (NAMES, FEATURES),
    )  # fmt: skip


def test_classes_of_a_file(tmp_path: Path) -> None:
    """Classes that the file names are the labels."""
    found = guess_of("zipmap", tmp_path)
    assert (found.kind, found.labels) == ("classification", ("left", "middle", "right"))
    assert found.notes == (FEATURES,)


def test_label_beside_probabilities(tmp_path: Path) -> None:
    """A label beside scores makes a classifier of as many classes as there are scores."""
    found = guess_of("label-and-probabilities", tmp_path)
    assert found.kind == "classification"
    assert len(found.labels) == 3


def test_one_number_is_a_regression(tmp_path: Path) -> None:
    """One number an item is a regression's value."""
    linear(tmp_path / "m.onnx", weights=SINGLE)
    found = inspect_model(tmp_path / "m.onnx")
    assert (found.kind, found.labels, found.notes) == ("regression", (), (FEATURES,))


def test_an_input_a_feature(tmp_path: Path) -> None:
    """Inputs of their own are features of their name and kind."""
    nodes = [helper.make_node("Identity", ["a"], ["y"])]
    inputs = [("a", FLOAT, ["N", 1]), ("b", INT64, ["N"]), ("c", BOOL, ["N", 1])]
    save(tmp_path / "m.onnx", nodes, inputs, [("y", FLOAT, ["N", 1])])
    found = inspect_model(tmp_path / "m.onnx")
    assert [(one.name, one.kind) for one in found.features] == [
        ("a", "number"), ("b", "integer"), ("c", "boolean"),
    ]  # fmt: skip
    assert found.notes == ()


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        (["N", 3, 28, 32], Image(size=(28, 32), colour="rgb", layout="NCHW")),
        (["N", 28, 32, 3], Image(size=(28, 32), colour="rgb", layout="NHWC")),
        (["N", 1, 28, 28], Image(size=(28, 28), colour="grey", layout="NCHW")),
        (["N", 28, 28, 1], Image(size=(28, 28), colour="grey", layout="NHWC")),
        ([1, 3, "H", "W"], Image(size=(224, 224), colour="rgb", layout="NCHW")),
    ],
)
def test_images(shape: Any, image: Image, tmp_path: Path) -> None:
    """Four axes are an image, whose channels tell its layout; an open size is 224."""
    nodes = [
        helper.make_node("Flatten", ["X"], ["flat"]),
        helper.make_node("Slice", ["flat", "from", "to", "axis"], ["y"]),
    ]
    constants = [constant(name, np.array([value])) for name, value in SLICE.items()]
    outputs: Any = [("y", FLOAT, [shape[0], 3])]
    save(tmp_path / "m.onnx", nodes, [("X", FLOAT, shape)], outputs, constants)
    found = inspect_model(tmp_path / "m.onnx")
    assert (found.image, found.features) == (image, ())
    assert found.notes == (NAMES, CHECK)


def test_image_of_bytes_is_not_scaled(tmp_path: Path) -> None:
    """A graph that takes bytes gets 0 to 255; scaled to 1 and cut, all would be black."""
    shape = ["N", 6, 6, 3]
    nodes = [
        helper.make_node("Cast", ["X"], ["floats"], to=FLOAT),
        helper.make_node("Flatten", ["floats"], ["y"]),
    ]
    save(tmp_path / "m.onnx", nodes, [("X", UINT8, shape)], [("y", FLOAT, ["N", 108])])
    found = inspect_model(tmp_path / "m.onnx")
    assert found.image is not None
    assert found.image.scale == 1


def test_sklearn_classifier_names_all(tmp_path: Path) -> None:
    """An estimator tells its kind, classes and features; nothing is left to note."""
    fitted = LogisticRegression().fit(*training_set())
    fitted.feature_names_in_ = np.array(["bill", "depth", "mass"], np.object_)
    assert inspect_model(save_sklearn(tmp_path, fitted)) == Guess(
        "M", "classification", ("left", "middle", "right"),
        tuple(Feature(name=name) for name in ("bill", "depth", "mass")), None, (),
    )  # fmt: skip


def test_sklearn_regressor(tmp_path: Path) -> None:
    """A regressor is a regression; without names its features are numbered."""
    x, _ = training_set()
    found = inspect_model(save_sklearn(tmp_path, LinearRegression().fit(x, x[:, 0])))
    assert found == Guess("M", "regression", (), XS, None, (FEATURES,))


def test_sklearn_model_of_one_feature_keeps_its_name(tmp_path: Path) -> None:
    """One feature has the name that the file holds."""
    x, _ = training_set()
    fitted = LinearRegression().fit(x[:, :1], x[:, 0])
    fitted.feature_names_in_ = np.array(["bill"], np.object_)
    assert inspect_model(save_sklearn(tmp_path, fitted)).features == (Feature(name="bill"),)


@pytest.mark.parametrize(
    ("element", "shape", "message"),
    [
        (FLOAT, ["N", "K"], "does not say how many columns 'X' has"),
        (FLOAT, ["N", 4, 5], r"'X' of shape \[None, 4, 5\] is neither a feature nor an image"),
        (STRING, ["N", 1], "'X' takes text"),
    ],
)
def test_what_a_file_does_not_tell(element: int, shape: Any, message: str, tmp_path: Path) -> None:
    """Where nothing can be guessed, what to write by hand is told."""
    nodes = [helper.make_node("Identity", ["X"], ["Z"]), helper.make_node("Shape", ["Z"], ["y"])]
    save(tmp_path / "m.onnx", nodes, [("X", element, shape)], [("y", INT64, ["R"])])
    with pytest.raises(ModelError, match=message):
        inspect_model(tmp_path / "m.onnx")


def test_unknown_number_of_classes(tmp_path: Path) -> None:
    """Scores of an open width do not tell the classes."""
    nodes = [
        helper.make_node("ArgMax", ["X"], ["label"], axis=1, keepdims=0),
        helper.make_node("NonZero", ["X"], ["found"]),
        helper.make_node("Cast", ["found"], ["y"], to=FLOAT),
    ]
    outputs: Any = [("label", INT64, ["N"]), ("y", FLOAT, ["M", "K"])]
    save(tmp_path / "m.onnx", nodes, [("X", FLOAT, ["N", 3])], outputs)
    with pytest.raises(ModelError, match="does not say how many classes it has"):
        inspect_model(tmp_path / "m.onnx")
