"""The cases of TensorFlow Lite: converted from Keras, in single precision and in whole numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.conformance.cases import Case, Inputs, Oracle, numbers
from tests.conformance.graphs import SINGLE, softmax
from tests.conformance.keras_cases import (
    answers,
    dense,
    features,
    first,
    image_model,
    pixels,
    same,
)
from tests.conformance.onnx_cases import image_toml, pictures

FILE = "models/m.tflite"
ROUNDED = 0.03
"""How far whole numbers may be off."""


def examples() -> Iterator[list[Any]]:
    """Yield rows of features, from which a converter learns their range."""
    for row in features(numbers(1000)):
        yield [row[None]]


def example_pictures() -> Iterator[list[Any]]:
    """Yield pictures, from which a converter learns their range."""
    for picture in pixels(pictures(8)):
        yield [picture[None]]


@cache
def converted(
    made: Callable[[], Any], kind: Any = None, known: Callable[[], Iterator[list[Any]]] = examples
) -> bytes:
    """Return a model in the form of TensorFlow Lite; `kind` is a type of whole numbers."""
    with tempfile.TemporaryDirectory() as folder:
        made().export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if kind is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = known
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = kind
        return bytes(converter.convert())


def save(folder: Path, model: bytes) -> Path:
    """Write a model to models/m.tflite."""
    file = folder / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(model)
    return file


def value() -> Any:
    """Return a model of one value."""
    return dense(None, SINGLE)


def fixed() -> Any:
    """Return a model of four rows at a time."""
    return dense(batch=4)


def _write(
    made: Callable[[], Any],
    kind: Any = None,
    arrays: Callable[[Inputs], Any] = features,
    finish: Callable[[Any], Any] = same,
    **options: Any,
) -> Callable[[Path], Oracle]:
    def write(folder: Path) -> Oracle:
        save(folder, converted(made, kind, **options))
        return answers(dense() if made is fixed else made(), arrays, finish)

    return write


def _case(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    return Case(f"tflite-{name}", FILE, write, **{"inputs": numbers, **options})


CASES = (
    _case("softmax", _write(dense)),
    _case("fixed-batch", _write(fixed)),
    _case("int8", _write(dense, tf.int8), tolerance=ROUNDED),
    _case("uint8", _write(dense, tf.uint8), tolerance=ROUNDED),
    _case("value", _write(value, finish=first), kind="regression", labels=()),
    _case("value-int8", _write(value, tf.int8, finish=first), kind="regression", labels=(),
          tolerance=ROUNDED),
    _case("image", _write(image_model, None, pixels, softmax), inputs=pictures,
          inputs_toml=image_toml("NHWC", "scale = 1")),
    _case("image-uint8", _write(image_model, tf.uint8, pixels, softmax, known=example_pictures),
          inputs=pictures, inputs_toml=image_toml("NHWC", "scale = 1"), tolerance=ROUNDED),
)  # fmt: skip
