"""The cases of TensorFlow: SavedModel folders as Keras and TensorFlow itself write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.conformance.cases import COLOURS, MIXED, Case, Inputs, Oracle, mixed, numbers
from tests.conformance.graphs import BIAS, SINGLE, WEIGHTS, softmax
from tests.conformance.keras_cases import (
    answers,
    by_name,
    columns,
    dense,
    features,
    first,
    image_model,
    pixels,
    same,
    strings,
    text_model,
    texts,
)
from tests.conformance.onnx_cases import image_toml, pictures

FOLDER = "models/m"
COLOURED = """
[[features]]
name = "width"
[[features]]
name = "colour"
kind = "category"
choices = ["red", "green", "blue"]
"""
Finish = Callable[[Any], Any]


class Module(tf.Module):  # type: ignore[misc]
    """X @ weights + bias."""

    def __init__(self, weights: Any = WEIGHTS) -> None:
        super().__init__()
        self.weights = tf.Variable(weights.astype(np.float32))
        self.bias = tf.Variable(BIAS[: weights.shape[1]].astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> dict[str, Any]:
        """Return the scores."""
        return {"scores": x @ self.weights + self.bias}


class FromFile(tf.Module):  # type: ignore[misc]
    """A value for each colour, by a table that is read from a text file, plus the width."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        file.write_text("".join(f"{colour}\n" for colour in COLOURS))
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        lines = tf.lookup.TextFileInitializer(str(file), tf.string, line, tf.int64, number)
        self.table = tf.lookup.StaticHashTable(lines, -1)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None, 1], tf.float32, name="width"),
            tf.TensorSpec([None, 1], tf.string, name="colour"),
        ]
    )
    def __call__(self, width: Any, colour: Any) -> dict[str, Any]:
        """Return the values."""
        return {"scores": width + tf.cast(self.table.lookup(colour), tf.float32)}


def export(folder: Path, model: Any) -> Path:
    """Write a Keras model or a module to models/m."""
    target = folder / FOLDER
    if hasattr(model, "export"):
        model.export(target, verbose=False)
    else:
        tf.saved_model.save(model, str(target), signatures=model.__call__)
    return target


def exported(
    made: Callable[[], Any], arrays: Callable[[Inputs], Any] = features, finish: Finish = same
) -> Callable[[Path], Oracle]:
    """Return what exports a Keras model and answers with it."""

    def write(folder: Path) -> Oracle:
        model = made()
        export(folder, model)
        return answers(model, arrays, finish)

    return write


def _module(folder: Path) -> Oracle:
    module = Module(SINGLE)
    export(folder, module)
    return lambda inputs: np.asarray(module(features(inputs))["scores"])[:, 0]


def _from_file(folder: Path) -> Oracle:
    module = FromFile(folder / "words.txt")
    export(folder, module)
    (folder / "words.txt").unlink()

    def oracle(inputs: Inputs) -> Any:
        width = np.array([[one["width"]] for one in inputs], np.float32)
        colour = tf.constant([[str(one["colour"])] for one in inputs])
        return np.asarray(module(width, colour)["scores"])[:, 0]

    return oracle


def coloured(count: int) -> list[dict[str, object]]:
    """Return inputs for COLOURED."""
    return [{name: one[name] for name in ("width", "colour")} for one in mixed(count)]


def _case(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    return Case(f"tensorflow-{name}", FOLDER, write, **{"inputs": numbers, **options})


CASES = (
    _case("softmax", exported(dense)),
    _case("columns", exported(columns, by_name, softmax), inputs=mixed, inputs_toml=MIXED),
    _case("image", exported(image_model, pixels, softmax), inputs=pictures,
          inputs_toml=image_toml("NHWC", "scale = 1")),
    _case("text", exported(text_model, strings), inputs=texts, inputs_toml="[text]"),
    _case("value", exported(lambda: dense(None, SINGLE), finish=first), kind="regression",
          labels=()),
    _case("module", _module, kind="regression", labels=()),
    _case("from-file", _from_file, kind="regression", labels=(), inputs=coloured,
          inputs_toml=COLOURED),
)  # fmt: skip
