"""What is special about TensorFlow Lite: whole numbers, batches, labels in the file, operators."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from podium.errors import MissingExtra, ModelError, UntrustedModel
from podium.runtimes import Source, TensorSpec, load
from podium.runtimes.quiet import quiet
from podium.spec import Image
from tests.conformance.cases import numbers
from tests.conformance.keras_cases import dense, features, image_model
from tests.conformance.onnx_cases import SIDE
from tests.conformance.tflite_cases import (
    converted,
    example_pictures,
    fixed,
    save,
    value,
)

# Keras warns of itself when a test saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

FLOAT = np.dtype(np.float32)
X = features(numbers(5))


def from_function(
    call: Callable[..., Any], *inputs: tf.TensorSpec, operators: Any = None, custom: bool = False
) -> bytes:
    """Return a function of tensors in the form of TensorFlow Lite."""
    module = tf.Module()
    module.call = tf.function(call, input_signature=inputs)
    concrete = module.call.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.allow_custom_ops = custom
    if operators is not None:
        converter.target_spec.supported_ops = [operators]
    return bytes(converter.convert())


ROWS = tf.TensorSpec([None, 3], tf.float32, name="x")


def test_inputs_and_outputs_are_told(tmp_path: Path) -> None:
    """The signature names inputs and outputs; the batch may have any size."""
    model = load(Source.alone(save(tmp_path, converted(dense))))
    assert model.inputs == (TensorSpec("x", FLOAT, (None, 3)),)
    assert model.outputs == (TensorSpec("output_0", FLOAT, (None, 3)),)
    assert model.task == "classification"
    assert load(Source.alone(save(tmp_path, converted(value)))).task is None


@pytest.mark.parametrize("kind", [tf.int8, tf.uint8])
def test_whole_numbers_are_taken_and_given_as_real_ones(kind: Any, tmp_path: Path) -> None:
    """Real numbers are rounded by the file's own scale, and what comes out is scaled back."""
    file = save(tmp_path, converted(dense, kind))
    model = load(Source.alone(file))
    assert [spec.dtype for spec in (*model.inputs, *model.outputs)] == [FLOAT, FLOAT]
    with quiet():
        raw = Interpreter(str(file))
        raw.allocate_tensors()
    (taken,), (given,) = raw.get_input_details(), raw.get_output_details()
    rows = []
    for row in X:
        scale, zero = taken["quantization"]
        raw.set_tensor(taken["index"], np.rint(row / scale + zero).astype(taken["dtype"])[None])
        raw.invoke()
        scale, zero = given["quantization"]
        shares = (raw.get_tensor(given["index"])[0].astype(float) - zero) * scale
        rows.append(shares / shares.sum())
    found = model.predict({"x": X})["output_0"]
    np.testing.assert_allclose(found, rows, 0, 1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, 0, 1e-6)


def test_numbers_beyond_the_scale_are_the_nearest(tmp_path: Path) -> None:
    """A number that the whole numbers do not reach is their end, not what is left of its bits."""
    model = load(Source.alone(save(tmp_path, converted(value, tf.int8))))
    limits = model.predict({"x": np.array([[1e6] * 3, [-1e6] * 3])})["output_0"]
    widest = model.predict({"x": np.array([[1e3] * 3, [-1e3] * 3])})["output_0"]
    assert limits.tolist() == widest.tolist()
    assert limits[0] != limits[1]


def test_fixed_batch(tmp_path: Path) -> None:
    """A model of four rows answers any number of them."""
    model = load(Source.alone(save(tmp_path, converted(fixed))))
    expected = np.asarray(dense()(X))
    for rows in (1, 4, 5):
        found = model.predict({"x": X[:rows]})["output_0"]
        np.testing.assert_allclose(found, expected[:rows], 0, 1e-6)


def test_batch_that_the_graph_cannot_take(tmp_path: Path) -> None:
    """A graph that says it takes any batch, and cannot, is run row by row."""
    one = tf.TensorSpec([1, 3], tf.float32, name="x")
    factors = tf.constant([[1.0], [2.0], [3.0]])
    body = from_function(lambda x: tf.reshape(tf.reshape(x, [3, 1]) * factors, [1, 3]), one)
    file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(body))
    file.subgraphs[0].tensors[0].shapeSignature = np.array([-1, 3], np.int32)
    model = load(Source.alone(save(tmp_path, packed(file))))
    assert model.inputs[0].shape == (None, 3)
    (found,) = model.predict({"x": X}).values()
    np.testing.assert_allclose(found, X * [1, 2, 3], 1e-6)


def packed(model: Any) -> bytes:
    """Return a file of the schema's objects."""
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_texts(tmp_path: Path) -> None:
    """Texts go in and come out as texts."""
    given = tf.TensorSpec([None], tf.string, name="x")
    model = load(Source.alone(save(tmp_path, from_function(lambda x: tf.gather(x, [0]), given))))
    assert model.inputs[0].dtype == np.object_
    texts = np.array(["größer", "", "as"], np.object_)
    (found,) = model.predict({model.inputs[0].name: texts}).values()
    assert found.tolist() == ["größer", "", "as"]


@pytest.mark.parametrize(("kind", "expected"), [(tf.uint8, 1.0), (tf.int8, 1.0), (None, None)])
def test_pictures(kind: Any, expected: float | None, tmp_path: Path) -> None:
    """256 levels that a model takes are those of a pixel: the file tells how to prepare them."""
    image = load(Source.alone(save(tmp_path, converted(image_model, kind, example_pictures)))).image
    if expected is None:
        assert image is None
        return
    assert image is not None
    assert image == Image(size=(SIDE, SIDE), layout="NHWC", scale=image.scale, mean=image.mean)
    assert image.scale == pytest.approx(expected, abs=1e-3)
    assert sum(image.mean) == pytest.approx(0, abs=1)


def with_labels(file: Path, *names: str, entry: str = "labels.txt") -> Path:
    """Pack labels behind a model, as tools for mobile applications do."""
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(entry, "\n".join(names) + "\n")
    return file


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("left", "middle", "right"), ("left", "middle", "right")),
        (("left", "right"), ()),
        (("left", "left", "right"), ()),
        ((), ()),
    ],
)
def test_labels(names: tuple[str, ...], expected: tuple[str, ...], tmp_path: Path) -> None:
    """A list of labels behind the model names its classes, if it fits them."""
    file = save(tmp_path, converted(dense))
    model = load(Source.alone(with_labels(file, *names) if names else file))
    assert model.labels == expected


def test_labels_that_lead_outside(tmp_path: Path) -> None:
    """An archive behind the model is looked at as any other."""
    file = with_labels(save(tmp_path, converted(dense)), "a", "b", "c", entry="../labels.txt")
    with pytest.raises(UntrustedModel, match=r"m\.tflite: '\.\./labels\.txt' in it leads outside"):
        load(Source.alone(file))


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    """A model that keeps its weights elsewhere is refused before they are looked for."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(converted(dense)))
    group = schema.ExternalBufferGroupT()
    group.name = "/etc/passwd"
    model.externalBufferGroups = [group]
    with pytest.raises(UntrustedModel, match=r"m\.tflite keeps weights in other files"):
        load(Source.alone(save(tmp_path, packed(model))))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"operators": tf.lite.OpsSet.SELECT_TF_OPS}, "operators of TensorFlow itself (Flex)"),
        ({"custom": True}, "it holds custom operators"),
    ],
)
def test_operators_that_litert_lacks(options: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """Operators of TensorFlow or of somebody else are an error that says what to do."""
    body = from_function(lambda x: tf.linalg.det(x[:, :, None] * x[:, None, :]), ROWS, **options)
    with pytest.raises(ModelError, match=r"m\.tflite: LiteRT cannot load it") as caught:
        load(Source.alone(save(tmp_path, body)))
    assert reason in str(caught.value)
    assert "serve the SavedModel" in str(caught.value)


def test_missing_litert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without LiteRT the error names file, format and the command that installs it."""
    file = save(tmp_path, converted(dense))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtra) as caught:
        load(Source.alone(file))
    assert str(caught.value) == (
        "m.tflite (TensorFlow Lite model) needs the extra 'tflite': pip install 'podium[tflite]'"
    )
