"""The cases of ONNX: every kind of input and output that exporters make."""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from PIL import Image
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tests.conformance.cases import (
    COLOURS,
    LABELS,
    MIXED,
    MIXED_NAMES,
    NUMBERS,
    OPTIONAL_MIXED,
    Case,
    Inputs,
    Oracle,
    encoded,
    matrix,
    mixed,
    numbers,
    with_gaps,
)
from tests.conformance.graphs import (
    BIAS,
    BOOL,
    DOUBLE,
    FLOAT,
    FLOAT16,
    INT64,
    SINGLE,
    STRING,
    UINT8,
    WEIGHTS,
    constant,
    linear,
    save,
    sigmoid,
    softmax,
)

FILE = "models/m.onnx"
TARGETS = {"": 21, "ai.onnx.ml": 3}

MIXED_WEIGHTS = np.array([[0.5, -0.2, 0.1], [0.1, -0.1, 0.05], [-0.4, 0.3, 0.2], [0.3, 0.6, -0.8]])


def _logits(inputs: Inputs) -> NDArray[np.float64]:
    return np.asarray(matrix(inputs) @ WEIGHTS + BIAS)


def _classes(inputs: Inputs) -> NDArray[np.float64]:
    return softmax(_logits(inputs))


def _two(inputs: Inputs) -> NDArray[np.float64]:
    second = sigmoid((matrix(inputs) @ SINGLE + BIAS[:1])[:, 0])
    return np.column_stack([1 - second, second])


def _value(inputs: Inputs) -> NDArray[np.float64]:
    return np.asarray((matrix(inputs) @ SINGLE + BIAS[:1])[:, 0])


def _linear(oracle: Oracle, **options: Any) -> Callable[[Path], Oracle]:
    def write(folder: Path) -> Oracle:
        linear(folder / FILE, **options)
        return oracle

    return write


def _flat(oracle: Oracle, activation: str | None = None) -> Callable[[Path], Oracle]:
    """Write a graph whose output has shape (batch,)."""

    def write(folder: Path) -> Oracle:
        nodes = [
            helper.make_node("MatMul", ["X", "W"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["sum"]),
            helper.make_node("Squeeze", ["sum", "axes"], ["flat" if activation else "scores"]),
        ]
        if activation:
            nodes.append(helper.make_node(activation, ["flat"], ["scores"]))
        constants = [
            constant("W", SINGLE.astype(np.float32)),
            constant("b", BIAS[:1].astype(np.float32)),
            constant("axes", np.array([1])),
        ]
        save(folder / FILE, nodes, [("X", FLOAT, ["N", 3])], [("scores", FLOAT, ["N"])], constants)
        return oracle

    return write


def _mixed_oracle(inputs: Inputs) -> NDArray[np.float64]:
    return softmax(np.nan_to_num(encoded(inputs), nan=-1.0) @ MIXED_WEIGHTS)


def _write_matrix(element: int) -> Callable[[Path], Oracle]:
    """Write a graph over MIXED as one matrix; it counts a missing value as -1."""

    def write(folder: Path) -> Oracle:
        nodes = [helper.make_node("Cast", ["X"], ["floats"], to=FLOAT)]
        nodes += [
            helper.make_node("IsNaN", ["floats"], ["gaps"]),
            helper.make_node("Where", ["gaps", "gap", "floats"], ["filled"]),
            helper.make_node("MatMul", ["filled", "W"], ["scores"]),
        ]
        constants = [
            constant("gap", np.array(-1, np.float32)),
            constant("W", MIXED_WEIGHTS.astype(np.float32)),
        ]
        outputs = [("scores", FLOAT, ["N", 3])]
        save(folder / FILE, nodes, [("X", element, ["N", 4])], outputs, constants)
        return _mixed_oracle

    return write


def _write_columns(shape: list[int | str]) -> Callable[[Path], Oracle]:
    """Write a graph with an input a feature, each of its own type; in another order."""

    def write(folder: Path) -> Oracle:
        types = {"colour": STRING, "flag": BOOL, "count": INT64, "width": FLOAT}
        nodes = [
            helper.make_node(
                "LabelEncoder", ["colour"], ["colour_code"], domain="ai.onnx.ml",
                keys_strings=COLOURS, values_floats=[0.0, 1.0, 2.0], default_float=-1.0,
            ),
            helper.make_node("Cast", ["flag"], ["flag_code"], to=FLOAT),
            helper.make_node("Cast", ["count"], ["count_code"], to=FLOAT),
            helper.make_node("IsNaN", ["width"], ["gaps"]),
            helper.make_node("Where", ["gaps", "gap", "width"], ["width_code"]),
        ]  # fmt: skip
        for name in MIXED_NAMES:
            nodes.append(helper.make_node("Reshape", [f"{name}_code", "one"], [f"{name}_column"]))
        columns = [f"{name}_column" for name in MIXED_NAMES]
        nodes += [
            helper.make_node("Concat", columns, ["matrix"], axis=1),
            helper.make_node("MatMul", ["matrix", "W"], ["scores"]),
        ]
        save(
            folder / FILE,
            nodes,
            [(name, element, shape) for name, element in types.items()],
            [("scores", FLOAT, ["N", 3])],
            [
                constant("gap", np.array(-1, np.float32)),
                constant("one", np.array([-1, 1])),
                constant("W", MIXED_WEIGHTS.astype(np.float32)),
            ],
        )
        return _mixed_oracle

    return write


STRINGS = """
[[features]]
name = "size"
kind = "category"
choices = ["small", "large"]
[[features]]
name = "colour"
kind = "category"
choices = ["red", "green", "blue"]
optional = true
"""


def strings(count: int) -> list[dict[str, object]]:
    """Return inputs for STRINGS; every fifth has no colour."""
    rng = np.random.default_rng(3)
    return [
        {"size": ("small", "large")[int(rng.integers(2))],
         "colour": None if index % 5 == 0 else COLOURS[int(rng.integers(3))]}
        for index in range(count)
    ]  # fmt: skip


def _write_strings(folder: Path) -> Oracle:
    def texts(inputs: Inputs) -> NDArray[Any]:
        return np.array([[one["size"], one.get("colour") or ""] for one in inputs], np.object_)

    rows = strings(200)
    x = texts(rows)
    y = np.array(LABELS)[[(len(row[0]) + len(row[1])) % 3 for row in x]]
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(x, y)
    _save_sklearn(folder, model, [("X", StringTensorType([None, 2]))], zipmap=True)
    order = [list(model.classes_).index(label) for label in LABELS]
    return lambda inputs: np.asarray(model.predict_proba(texts(inputs))[:, order])


def _save_sklearn(folder: Path, model: Any, types: Any, zipmap: bool) -> None:
    (folder / FILE).parent.mkdir(exist_ok=True)
    options = {"zipmap": zipmap} if hasattr(model, "predict_proba") else None
    graph = to_onnx(model, initial_types=types, options=options, target_opset=TARGETS)
    (folder / FILE).write_bytes(graph.SerializeToString())


def _write_logistic(zipmap: bool, classes: list[Any]) -> Callable[[Path], Oracle]:
    def write(folder: Path) -> Oracle:
        x = matrix(numbers(200))
        y = np.array(classes)[_classes(numbers(200)).argmax(axis=1)]
        model = LogisticRegression().fit(x.astype(np.float32), y)
        _save_sklearn(folder, model, [("X", FloatTensorType([None, 3]))], zipmap)
        # The application lists the classes in the order of `classes`.
        order = [list(model.classes_).index(one) for one in classes]
        return lambda inputs: np.asarray(model.predict_proba(matrix(inputs))[:, order])

    return write


def _write_one_hot_columns(folder: Path) -> Oracle:
    """Write what skl2onnx makes of a ColumnTransformer over numbers and texts."""
    numeric = matrix(numbers(200))[:, :2]
    colours = np.array(COLOURS, np.object_)[np.arange(200) % 3]
    y = np.array(LABELS)[_classes(numbers(200)).argmax(axis=1)]
    x = np.column_stack([numeric.astype(np.object_), colours])
    columns = ColumnTransformer([("same", "passthrough", [0, 1]), ("hot", OneHotEncoder(), [2])])
    model = make_pipeline(columns, LogisticRegression()).fit(x, y)
    types = [
        ("a", FloatTensorType([None, 1])),
        ("b", FloatTensorType([None, 1])),
        ("colour", StringTensorType([None, 1])),
    ]
    _save_sklearn(folder, model, types, zipmap=True)
    order = [list(model.classes_).index(label) for label in LABELS]

    def oracle(inputs: Inputs) -> NDArray[Any]:
        rows = np.array([[one["a"], one["b"], one["colour"]] for one in inputs], np.object_)
        return np.asarray(model.predict_proba(rows)[:, order])

    return oracle


ONE_HOT = """
[[features]]
name = "a"
[[features]]
name = "b"
[[features]]
name = "colour"
kind = "category"
choices = ["red", "green", "blue"]
"""


def one_hot(count: int) -> list[dict[str, object]]:
    """Return inputs for ONE_HOT."""
    return [
        {"a": one["a"], "b": one["b"], "colour": COLOURS[index % 3]}
        for index, one in enumerate(numbers(count))
    ]


def _write_regression(folder: Path) -> Oracle:
    x = matrix(numbers(200))
    model = LinearRegression().fit(x, _value(numbers(200)) + 0.1 * x[:, 1] ** 2)
    _save_sklearn(folder, model, [("X", FloatTensorType([None, 3]))], zipmap=False)
    return lambda inputs: np.asarray(model.predict(matrix(inputs)))


NOISE_WIDTH = 4
NOISE_WEIGHTS = np.array([[0.5, -0.5, 0.0], [0.0, 0.4, -0.4], [0.3, 0.0, 0.2], [-0.1, 0.1, 0.6]])


def write_noise(classes: int) -> Callable[[Path], Oracle]:
    """Write scores = X @ W + eps @ V; the oracle answers for noise 0."""

    def write(folder: Path) -> Oracle:
        nodes = [
            helper.make_node("MatMul", ["X", "W"], ["product"]),
            helper.make_node("MatMul", ["eps", "V"], ["noise"]),
            helper.make_node("Add", ["product", "noise"], ["scores"]),
        ]
        constants = [
            constant("W", WEIGHTS[:, :classes].astype(np.float32)),
            constant("V", NOISE_WEIGHTS[:, :classes].astype(np.float32)),
        ]
        inputs = [("X", FLOAT, ["N", 3]), ("eps", FLOAT, ["N", NOISE_WIDTH])]
        save(folder / FILE, nodes, inputs, [("scores", FLOAT, ["N", classes])], constants)
        return noise_oracle(classes, 50)

    return write


def noise_oracle(classes: int, samples: int, seed: int = 0) -> Oracle:
    """Return the mean answer of the passes, with the noise that (seed, row number) gives."""

    def oracle(inputs: Inputs) -> NDArray[np.float64]:
        passes = noisy_passes(inputs, classes, samples, seed)
        return np.asarray(passes.mean(axis=1))

    return oracle


def noisy_passes(inputs: Inputs, classes: int, samples: int, seed: int = 0) -> NDArray[Any]:
    """Return every pass's answer, shape (batch, samples, classes) or (batch, samples)."""
    answers = []
    for row, values in enumerate(matrix(inputs)):
        source = np.random.Philox(np.random.SeedSequence([seed, row]))
        noise = np.random.Generator(source).standard_normal((samples, NOISE_WIDTH), np.float32)
        answers.append(values @ WEIGHTS[:, :classes] + noise @ NOISE_WEIGHTS[:, :classes])
    logits = np.array(answers)
    return softmax(logits) if classes > 1 else logits[:, :, 0]


NUMBERS_PIPELINE = (
    NUMBERS
    + """
[pipeline]
preprocess = "steps:prepare"
postprocess = "steps:name"
"""
)

STEPS = """
import numpy as np

def prepare(items):
    return {"X": np.array([[i["c"], i["b"], i["a"]] for i in items], np.float32)}

def name(outputs):
    logits = outputs["scores"] * 2
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
"""


def _write_pipeline(folder: Path) -> Oracle:
    linear(folder / FILE)
    (folder / "steps.py").write_text(STEPS)
    turned = ("c", "b", "a")
    return lambda inputs: softmax(2 * (matrix(inputs, turned) @ WEIGHTS + BIAS))


SIDE = 6
"""Height and width of the pictures; they are not resized, so that the oracle stays simple."""


def pictures(count: int) -> list[dict[str, object]]:
    """Return PNG files in base64, each of another colour."""
    return [{"image": base64.b64encode(_png(seed)).decode()} for seed in range(count)]


def _png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    pixels //= 1 + seed % 3
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _pixels(one: object) -> NDArray[np.float64]:
    with Image.open(BytesIO(base64.b64decode(str(one)))) as picture:
        return np.asarray(picture, np.float64)


def write_pictures(layout: str, element: int = FLOAT) -> Callable[[Path], Oracle]:
    """Write a classifier by the means of the three channels."""

    def write(folder: Path) -> Oracle:
        shape = ["N", 3, SIDE, SIDE] if layout == "NCHW" else ["N", SIDE, SIDE, 3]
        axes = [2, 3] if layout == "NCHW" else [1, 2]
        nodes = [
            helper.make_node("Cast", ["X"], ["floats"], to=FLOAT),
            helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
            helper.make_node("Mul", ["means", "scale"], ["scaled"]),
            helper.make_node("MatMul", ["scaled", "W"], ["scores"]),
        ]
        scale = 3 / 255 if element == UINT8 else 3
        constants = [
            constant("axes", np.array(axes)),
            constant("scale", np.array(scale, np.float32)),
            constant("W", WEIGHTS.astype(np.float32)),
        ]
        save(
            folder / FILE, nodes, [("X", element, shape)], [("scores", FLOAT, ["N", 3])], constants
        )
        return _picture_oracle

    return write


def _picture_oracle(inputs: Inputs) -> NDArray[np.float64]:
    means = np.array([_pixels(one["image"]).mean(axis=(0, 1)) / 255 for one in inputs])
    return softmax(3 * means @ WEIGHTS)


def image_toml(layout: str, more: str = "") -> str:
    """Return [image] for the pictures."""
    return f'[image]\nsize = [{SIDE}, {SIDE}]\nlayout = "{layout}"\n{more}\n'


def _case(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    return Case(f"onnx-{name}", FILE, write, **{"inputs": numbers, **options})


def _binary(name: str, write: Callable[[Path], Oracle]) -> Case:
    return _case(name, write, labels=("no", "yes"))


def _regression(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    return _case(name, write, kind="regression", labels=(), **options)


_NOISE = 'noise = "eps"\nsamples = 50'

CASES = (
    _case("logits", _linear(_classes)),
    _case("logits-one-at-a-time", _linear(_classes, batch=1)),
    _case("logits-seven-at-a-time", _linear(_classes, batch=7)),
    _case("probabilities", _linear(_classes, activation="Softmax")),
    _case("double", _linear(_classes, element=DOUBLE), tolerance=1e-12),
    _case("float16", _linear(_classes, element=FLOAT16), tolerance=4e-3),
    _binary("single-logit", _linear(_two, weights=SINGLE)),
    _binary("single-logit-flat", _flat(_two)),
    _binary("single-sigmoid", _linear(_two, weights=SINGLE, activation="Sigmoid")),
    _binary("single-sigmoid-flat", _flat(_two, "Sigmoid")),
    _case("label-and-probabilities", _write_logistic(False, ["left", "middle", "right"])),
    _case("zipmap", _write_logistic(True, ["right", "left", "middle"]),
          labels=("right", "left", "middle"), names_labels=True),
    _case("zipmap-whole-numbers", _write_logistic(True, [7, 3, 11]),
          labels=("7", "3", "11"), names_labels=True),
    _case("float-matrix", _write_matrix(FLOAT), inputs=with_gaps, inputs_toml=OPTIONAL_MIXED),
    _case("columns", _write_columns(["N", 1]), inputs=with_gaps, inputs_toml=OPTIONAL_MIXED),
    _case("columns-flat", _write_columns(["N"]), inputs=with_gaps, inputs_toml=OPTIONAL_MIXED),
    _case("columns-one-at-a-time", _write_columns([1, 1]), inputs=mixed, inputs_toml=MIXED),
    _case("columns-one-hot", _write_one_hot_columns, inputs=one_hot, inputs_toml=ONE_HOT,
          names_labels=True),
    _case("text-matrix", _write_strings, inputs=strings, inputs_toml=STRINGS, names_labels=True),
    _regression("regressor", _write_regression),
    _regression("regressor-flat", _flat(_value)),
    _regression("regressor-one-at-a-time", _linear(_value, weights=SINGLE, batch=1)),
    _case("noise", write_noise(3), model_toml=_NOISE, depends_on_row=True),
    _regression("noise-regressor", write_noise(1), model_toml=_NOISE, depends_on_row=True),
    _case("own-functions", _write_pipeline, inputs_toml=NUMBERS_PIPELINE),
    _case("image-nchw", write_pictures("NCHW"), inputs=pictures, inputs_toml=image_toml("NCHW")),
    _case("image-nhwc", write_pictures("NHWC"), inputs=pictures, inputs_toml=image_toml("NHWC")),
    _case("image-bytes", write_pictures("NHWC", UINT8), inputs=pictures,
          inputs_toml=image_toml("NHWC", "scale = 1")),
)  # fmt: skip
"""The float-matrix cases also hold the rule of encoding: an index, 0 or 1, and NaN."""
