"""The cases of Keras: .keras archives, legacy .h5, weights with a factory; run on TensorFlow."""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from podium.runtimes.quiet import quiet
from tests.conformance.cases import (
    COLOURS,
    MIXED,
    Case,
    Inputs,
    Oracle,
    matrix,
    mixed,
    numbers,
)
from tests.conformance.graphs import BIAS, SINGLE, WEIGHTS, sigmoid, softmax
from tests.conformance.onnx_cases import SIDE, image_toml, pictures

with quiet():
    import keras
    import tensorflow as tf

# What the tests themselves save in old formats is no news.
tf.get_logger().setLevel("ERROR")
keras.src.utils.io_utils.set_logging_verbosity("ERROR")

FILE = "models/m.keras"
OLD_FILE = "models/m.h5"
WEIGHTS_FILE = "models/m.weights.h5"
WORDS = ("good", "bad", "very", "not", "film", "plot", "actor", "dull", "bright")
NETS = """
import keras

def build():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax")])

class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3, activation="softmax")

    def call(self, x):
        return self.dense(x)

def own():
    model = Own()
    model(keras.ops.zeros((1, 3)))
    return model

def nothing():
    return "no model"
"""


def dense(
    activation: str | None = "softmax",
    weights: NDArray[Any] = WEIGHTS,
    batch: int | None = None,
) -> Any:
    """Return a Sequential that is X @ weights + bias, then an activation."""
    rows, columns = weights.shape
    model = keras.Sequential(
        [
            keras.Input((rows,), batch_size=batch, name="x"),
            keras.layers.Dense(columns, activation=activation),
        ]
    )
    model.layers[-1].set_weights([weights, BIAS[:columns]])
    return model


def columns(lookup: Any = None) -> Any:
    """Return a model of the inputs of MIXED, by their names; `lookup` turns a colour to numbers."""
    keras.utils.set_random_seed(3)
    inputs = {name: keras.Input((1,), name=name) for name in ("width", "count", "flag")}
    inputs["colour"] = keras.Input((1,), name="colour", dtype="string")
    lookup = lookup or keras.layers.StringLookup(vocabulary=COLOURS, output_mode="one_hot")
    parts = [*list(inputs.values())[:3], lookup(inputs["colour"])]
    joined = keras.layers.Concatenate()(parts)
    return keras.Model(inputs, {"scores": keras.layers.Dense(3)(joined)})


def image_model() -> Any:
    """Return a model of pictures of SIDE x SIDE with bytes as they are."""
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(0, 5)),
        ]
    )


def text_model() -> Any:
    """Return a model of texts."""
    keras.utils.set_random_seed(5)
    words = keras.layers.TextVectorization(vocabulary=list(WORDS), output_mode="multi_hot")
    return keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            words,
            keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(0, 1)),
            keras.layers.Softmax(),
        ]
    )


def texts(count: int) -> list[dict[str, object]]:
    """Return texts of 1 to 6 words."""
    rng = np.random.default_rng(4)
    return [{"text": " ".join(rng.choice(WORDS, int(rng.integers(1, 7))))} for _ in range(count)]


def pixels(inputs: Inputs) -> NDArray[np.float32]:
    """Return the pictures of inputs, shape (batch, SIDE, SIDE, 3)."""
    opened = (Image.open(BytesIO(base64.b64decode(str(one["image"])))) for one in inputs)
    return np.array([np.asarray(picture.convert("RGB")) for picture in opened], np.float32)


def by_name(inputs: Inputs) -> dict[str, Any]:
    """Return the inputs of MIXED as columns of shape (batch, 1)."""
    floats = {
        name: tf.constant([[float(one[name])] for one in inputs])  # type: ignore[arg-type]
        for name in ("width", "count", "flag")
    }
    return {**floats, "colour": tf.constant([[str(one["colour"])] for one in inputs])}


def strings(inputs: Inputs) -> Any:
    """Return texts, shape (batch, 1)."""
    return tf.constant([[str(one["text"])] for one in inputs])


def features(inputs: Inputs) -> NDArray[np.float32]:
    """Return numeric inputs as a matrix."""
    return matrix(inputs).astype(np.float32)


def answers(
    model: Any, arrays: Callable[[Inputs], Any], finish: Callable[[NDArray[Any]], Any]
) -> Oracle:
    """Return what a model itself answers."""

    def oracle(inputs: Inputs) -> NDArray[Any]:
        found = model(arrays(inputs), training=False)
        return np.asarray(finish(np.asarray(found["scores"] if isinstance(found, dict) else found)))

    return oracle


def same(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as it is."""
    return array


def both(array: NDArray[Any]) -> NDArray[Any]:
    """Return the probabilities of two classes from that of the second."""
    return np.hstack([1 - array, array])


def first(array: NDArray[Any]) -> NDArray[Any]:
    """Return the only column."""
    return array[:, 0]


def save(folder: Path, model: Any, file: str = FILE) -> Path:
    """Write a model into a folder."""
    target = folder / file
    target.parent.mkdir(parents=True, exist_ok=True)
    model.save(target)
    return target


def saved(
    made: Callable[[], Any],
    arrays: Callable[[Inputs], Any] = features,
    finish: Callable[[NDArray[Any]], Any] = same,
    file: str = FILE,
) -> Callable[[Path], Oracle]:
    """Return what saves a model and answers with it."""

    def write(folder: Path) -> Oracle:
        model = made()
        save(folder, model, file)
        return answers(model, arrays, finish)

    return write


def _weights(folder: Path) -> Oracle:
    (folder / "models").mkdir(exist_ok=True)
    (folder / "nets.py").write_text(NETS)
    model = dense()
    model.save_weights(folder / WEIGHTS_FILE)
    return answers(model, features, same)


def _fixed_batch(folder: Path) -> Oracle:
    save(folder, dense(batch=4))
    return answers(dense(), features, same)


def _case(name: str, write: Callable[[Path], Oracle], file: str = FILE, **options: Any) -> Case:
    return Case(f"keras-{name}", file, write, **{"inputs": numbers, **options})


def _regression(name: str, write: Callable[[Path], Oracle], file: str = FILE) -> Case:
    return _case(name, write, file, kind="regression", labels=())


CASES = (
    _case("softmax", saved(dense)),
    _case("logits", saved(lambda: dense(None), finish=softmax)),
    _case("sigmoid", saved(lambda: dense("sigmoid", SINGLE), finish=both), labels=("no", "yes")),
    _case("one-logit", saved(lambda: dense(None, SINGLE), finish=lambda x: both(sigmoid(x))),
          labels=("no", "yes")),
    _case("fixed-batch", _fixed_batch),
    _case("columns", saved(columns, by_name, softmax), inputs=mixed, inputs_toml=MIXED),
    _case("image", saved(image_model, pixels, softmax), inputs=pictures,
          inputs_toml=image_toml("NHWC", "scale = 1")),
    _case("text", saved(text_model, strings), inputs=texts, inputs_toml="[text]"),
    _regression("value", saved(lambda: dense(None, SINGLE), finish=first)),
    _case("old", saved(dense, file=OLD_FILE), OLD_FILE),
    _case("old-image", saved(image_model, pixels, softmax, OLD_FILE), OLD_FILE, inputs=pictures,
          inputs_toml=image_toml("NHWC", "scale = 1")),
    _regression("old-value", saved(lambda: dense(None, SINGLE), finish=first, file=OLD_FILE),
                OLD_FILE),
    _case("weights", _weights, WEIGHTS_FILE, model_toml='factory = "nets:build"'),
)  # fmt: skip
