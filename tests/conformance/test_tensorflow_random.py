"""SavedModels and TensorFlow Lite models that draw at random: seeds, passes, statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes import Model, Source, load
from podium.runtimes.quiet import quiet
from tests.conformance.tensorflow_graphs import ROWS, module

with quiet():
    import keras
    from keras import layers

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def weights_of_each_call(x: Any) -> Any:
    """Return x with weights that are drawn once a call."""
    return {"y": x * tf.random.normal((1, 3), 1.0)}


def exported(folder: Path, model: Any) -> Path:
    """Write a Keras model as a SavedModel whose signature calls it as in training."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", lambda x: model(x, training=True), input_signature=[ROWS])
    archive.write_out(str(folder / "m"), verbose=False)
    return folder / "m"


def network() -> Any:
    """Return a Keras model with batch-norm and dropout."""
    return keras.Sequential([keras.Input((3,)), layers.BatchNormalization(), layers.Dropout(0.5)])


def answer(model: Model, seed: int) -> NDArray[Any]:
    """Return the only output for X, drawn by a seed."""
    with model.drawing(seed):
        (found,) = model.predict({model.inputs[0].name: X}).values()
    return found


def test_graph_that_draws(tmp_path: Path) -> None:
    """What tf.random draws differs between calls, and between passes made together."""
    model = load(Source.alone(module(weights_of_each_call, folder=tmp_path), random=True))
    assert not np.allclose(answer(model, 1), answer(model, 1))
    together = model.together(50)
    assert together is not None
    found = answer(together, 1)
    assert found.shape == (4, 50, 3)
    drawn = found / X[:, None]
    np.testing.assert_allclose(drawn, drawn[:1].repeat(4, 0), 1e-4)
    assert len(np.unique(drawn[0], axis=0)) == 50


def test_seeds_of_layers(tmp_path: Path) -> None:
    """The seed generators of a Keras model that was exported in training mode are set."""
    model = network()
    model.trainable = False
    loaded = load(Source.alone(exported(tmp_path, model), random=True))
    found = answer(loaded, 1)
    np.testing.assert_array_equal(answer(loaded, 1), found)
    assert not np.array_equal(answer(loaded, 2), found)


def test_statistics_that_move_are_refused(tmp_path: Path) -> None:
    """A SavedModel in which batch-norm goes on learning is an error that names the way out."""
    loaded = load(Source.alone(exported(tmp_path, network()), random=True))
    with pytest.raises(ModelError, match=r"changes .*moving_mean.* with every pass.* export a Sav"):
        answer(loaded, 1)


def test_plain_graph_has_no_passes(tmp_path: Path) -> None:
    """A SavedModel of which no samples are asked makes no passes together."""
    assert load(Source.alone(module(weights_of_each_call, folder=tmp_path))).together(2) is None


def test_tensorflow_lite(tmp_path: Path) -> None:
    """A TensorFlow Lite graph draws anew at each call."""
    call = tf.function(weights_of_each_call, input_signature=[ROWS])
    owner = tf.Module()
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [call.get_concrete_function()], owner
        )
        (tmp_path / "m.tflite").write_bytes(converter.convert())
    model = load(Source.alone(tmp_path / "m.tflite", random=True))
    assert not np.allclose(answer(model, 1), answer(model, 1))
