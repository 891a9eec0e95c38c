"""Keras models that go on drawing at random: what is kept on, what is frozen, seeds, passes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes import Model, Source, export_onnx, load
from tests.conformance.keras_cases import save

# Keras warns of itself when a test saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

ROWS = 20_000
SIGMAS = 5
FLAT = np.random.default_rng(0).normal(size=(1, 6)).astype(np.float32)
SEQUENCE = np.random.default_rng(1).normal(size=(1, 5, 6)).astype(np.float32)
PICTURE = np.random.default_rng(2).uniform(1, 255, (2, 8, 8, 3)).astype(np.float32)


def opened(folder: Path, model: Any, file: str = "m.keras", random: bool = True) -> Model:
    """Return a model that was saved and loaded."""
    return load(Source.alone(save(folder, model, file), random=random))


def answer(model: Model, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
    """Return the only output; with a seed, drawn by it."""
    (name,) = [spec.name for spec in model.inputs] or ["x"]
    if seed is None:
        (found,) = model.predict({name: x}).values()
    else:
        with model.drawing(seed):
            (found,) = model.predict({name: x}).values()
    return found


def network(*drawn: Any, shape: tuple[int, ...] = (6,)) -> Any:
    """Return a Sequential of layers."""
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input(shape), *drawn])


def normalised(rate: float) -> Any:
    """Return an MLP whose batch-norm has learnt statistics, with dropout after it."""
    model = network(
        layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(rate), layers.Dense(2)
    )
    rng = np.random.default_rng(3)
    norm = model.layers[1]
    norm.set_weights([rng.uniform(0.5, 2, 8) for _ in norm.get_weights()])
    return model


# What is kept on, and what is frozen


def test_dropout_draws_around_frozen_statistics(tmp_path: Path) -> None:
    """Mean and variance of the passes are those that the weights tell; statistics do not move.

    Each of the last layer's inputs h is 0 or h / (1 - p): its sum has the mean of inference and
    the variance sum (w h)^2 p / (1 - p).
    """
    model, rate = normalised(0.4), 0.4
    first, norm, _, last = model.layers
    gamma, beta, mean, variance = norm.get_weights()
    weights, bias = first.get_weights()
    hidden = np.maximum(FLAT @ weights + bias, 0)
    hidden = (hidden - mean) / np.sqrt(variance + norm.epsilon) * gamma + beta
    kernel, shift = last.get_weights()
    expected = (hidden @ kernel + shift)[0]
    spread = (hidden**2 @ kernel**2)[0] * rate / (1 - rate)

    loaded = opened(tmp_path, model)
    found = answer(loaded, np.repeat(FLAT, ROWS, 0), seed=1)
    np.testing.assert_array_less(np.abs(found.mean(0) - expected), SIGMAS * np.sqrt(spread / ROWS))
    # The kurtosis of such a sum is below the normal's.
    np.testing.assert_allclose(found.var(0), spread, SIGMAS * np.sqrt(2 / ROWS))
    for before, after in zip(norm.get_weights(), loaded.built.layers[1].get_weights(), strict=True):  # type: ignore[attr-defined]
        np.testing.assert_array_equal(after, before)


def test_gaussian_noise_has_its_deviation(tmp_path: Path) -> None:
    """Noise has the standard deviation that the layer names, and differs in every row."""
    found = answer(
        opened(tmp_path, network(layers.GaussianNoise(0.3))), np.repeat(FLAT, ROWS, 0), 2
    )
    np.testing.assert_allclose((found - FLAT).std(0), np.full(6, 0.3), SIGMAS / np.sqrt(2 * ROWS))


def attention() -> Any:
    """Return a model with dropout inside of multi-head attention, and nowhere else."""
    given = keras.Input((5, 6))
    return keras.Model(given, layers.MultiHeadAttention(2, 4, dropout=0.3)(given, given))


def nested() -> Any:
    """Return a model whose dropout is in a model inside of it."""
    inner = network(layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5))
    return network(inner, layers.Dense(3))


DRAWING: dict[str, tuple[Callable[[], Any], NDArray[Any]]] = {
    "dropout": (lambda: network(layers.Dropout(0.4)), FLAT),
    "spatial": (lambda: network(layers.SpatialDropout1D(0.4), shape=(5, 6)), SEQUENCE),
    "gaussian": (lambda: network(layers.GaussianDropout(0.4)), FLAT),
    "alpha": (lambda: network(layers.AlphaDropout(0.4)), FLAT),
    "lstm": (lambda: network(layers.LSTM(8, dropout=0.3, recurrent_dropout=0.3), shape=(5, 6)),
             SEQUENCE),
    "bidirectional": (lambda: network(layers.Bidirectional(layers.GRU(8, recurrent_dropout=0.3)),
                                      shape=(5, 6)), SEQUENCE),
    "attention": (attention, SEQUENCE),
    "nested": (nested, FLAT),
    "each-step": (lambda: network(layers.TimeDistributed(layers.Dropout(0.4)), shape=(5, 6)),
                  SEQUENCE),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWING)
def test_kept_on(name: str, tmp_path: Path) -> None:
    """Layers draw for each row on its own, by the seed; without `random` they do not."""
    make, x = DRAWING[name]
    model = make()
    loaded, batch = opened(tmp_path, model), np.repeat(x, 16, 0)
    found = answer(loaded, batch, seed=1)
    assert len(np.unique(found.reshape(16, -1), axis=0)) > 8
    np.testing.assert_array_equal(answer(loaded, batch, seed=1), found)
    assert not np.array_equal(answer(loaded, batch, seed=2), found)
    still = opened(tmp_path, model, random=False)
    np.testing.assert_allclose(answer(still, batch, 1), model(batch, training=False), 0, 1e-5)
    assert still.together(2) is None


def test_old_files_draw_too(tmp_path: Path) -> None:
    """A model in the old format, .h5, draws by the seed as well."""
    loaded = opened(tmp_path, normalised(0.4), "m.h5")
    np.testing.assert_array_equal(answer(loaded, FLAT, seed=1), answer(loaded, FLAT, seed=1))
    assert not np.array_equal(answer(loaded, FLAT, seed=1), answer(loaded, FLAT, seed=2))


def frozen_statistics() -> Any:
    """Return a model with batch-norm at each step and in a model inside of it."""
    inner = network(layers.BatchNormalization(), layers.Dense(2), shape=(30,))
    each = layers.TimeDistributed(layers.BatchNormalization())
    return network(each, layers.Flatten(), inner, shape=(5, 6))


PICTURES = {"shape": (8, 8, 3)}
RATIO: dict[str, Any] = {"factor": 0.5}
STILL: dict[str, tuple[Callable[[], Any], NDArray[Any]]] = {
    "batch-norm": (frozen_statistics, SEQUENCE),
    "spectral": (lambda: network(layers.SpectralNormalization(layers.Dense(3))), FLAT),
    "flip": (lambda: network(layers.RandomFlip(), **PICTURES), PICTURE),
    "rotation": (lambda: network(layers.RandomRotation(0.3), **PICTURES), PICTURE),
    "crop": (lambda: network(layers.RandomCrop(5, 5), **PICTURES), PICTURE),
    "colours": (lambda: network(layers.RandomContrast(**RATIO), layers.RandomBrightness(0.5),
                                **PICTURES), PICTURE),
    "nested": (lambda: network(network(layers.RandomZoom(0.5), layers.Rescaling(0.1), **PICTURES),
                               layers.Conv2D(2, 3), **PICTURES), PICTURE),
    "pipeline": (lambda: network(layers.Pipeline([layers.RandomFlip(), layers.RandomZoom(0.5)]),
                                 **PICTURES), PICTURE),
}  # fmt: skip


@pytest.mark.parametrize("name", STILL)
def test_held(name: str, tmp_path: Path) -> None:
    """Batch-norm, spectral normalisation and changes of pictures are as after training."""
    make, x = STILL[name]
    model = make()
    loaded = opened(tmp_path, model)
    for _ in range(3):
        np.testing.assert_allclose(answer(loaded, x, 1), model(x, training=False), 0, 1e-4)


def test_flip_is_off_where_dropout_draws(tmp_path: Path) -> None:
    """Behind a flip that is off, dropout draws: kept pixels are those of the unchanged picture."""
    found = answer(opened(tmp_path, network(layers.RandomFlip(), layers.Dropout(0.5), **PICTURES)),
                   PICTURE, seed=1)  # fmt: skip
    kept = found != 0
    np.testing.assert_allclose(found[kept], 2 * PICTURE[kept], 1e-5)
    assert abs(kept.mean() - 0.5) < SIGMAS * np.sqrt(0.25 / kept.size)


# The maker's own layers

OWN = """
import keras
import tensorflow as tf

class Net(keras.Model):
    def __init__(self):
        super().__init__(name="net")
        self.random = keras.random.SeedGenerator()
        self.mean = self.add_weight(shape=(6,), initializer="zeros", trainable=False,
                                    name="own_mean")

    def call(self, x, training=False):
        {body}

def build():
    net = Net()
    net(keras.ops.zeros((1, 6)))
    return net
"""


def own(folder: Path, *lines: str) -> Model:
    """Return a model whose `call` has these lines."""
    code = OWN.replace("{body}", "\n        ".join(lines))
    (folder / "nets.py").write_text(code)
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102  the test's own code
    space["build"]().save_weights(folder / "m.weights.h5")
    return load(Source(file=folder / "m.weights.h5", root=folder, code="nets:build", random=True))


NOISE = "keras.random.normal(keras.ops.shape(x), seed=self.random)"


def test_own_layer_draws_by_its_seed_generator(tmp_path: Path) -> None:
    """A class of the maker's that draws only in training draws, by the seed."""
    model = own(tmp_path, f"return x + ({NOISE} if training else 0)")
    found = answer(model, FLAT, seed=1)
    assert not np.array_equal(answer(model, FLAT, seed=2), found)
    np.testing.assert_array_equal(answer(model, FLAT, seed=1), found)


def test_own_draws_that_no_seed_reaches(tmp_path: Path) -> None:
    """What tf.random draws differs with the same seed, and nothing breaks."""
    model = own(tmp_path, "return x + tf.random.normal(tf.shape(x)) if training else x")
    assert not np.array_equal(answer(model, FLAT, seed=1), answer(model, FLAT, seed=1))


LEARNS = "self.mean.assign(0.9 * self.mean + 0.1 * keras.ops.mean(x, axis=0))"


def test_own_statistics_that_move_are_refused(tmp_path: Path) -> None:
    """A layer that learns with each pass is an error that names the variable and the way out."""
    model = own(tmp_path, "if training:", f"    {LEARNS}", f"return x + {NOISE}")
    with pytest.raises(ModelError) as caught:
        answer(model, FLAT, seed=1)
    assert str(caught.value) == (
        "The model changes net/own_mean with every pass, and its answers with it. Let a layer of "
        "your own learn only `if training and self.trainable`, as Keras's BatchNormalization does; "
        "export a SavedModel after model.trainable = False."
    )


def test_own_statistics_that_are_trainable_rest(tmp_path: Path) -> None:
    """The way out of the error works: what learns only while it is trainable stays as it is."""
    model = own(tmp_path, "if training and self.trainable:", f"    {LEARNS}", f"return x + {NOISE}")
    answer(model, FLAT, seed=1)
    np.testing.assert_array_equal(model.built.mean, np.zeros(6))  # type: ignore[attr-defined]


# Seeds and passes


def test_threads_draw_what_they_draw_alone(tmp_path: Path) -> None:
    """Two threads with seeds of their own do not disturb each other."""
    model = opened(tmp_path, network(layers.Dropout(0.5), layers.GaussianNoise(1.0)))
    expected = {seed: answer(model, FLAT, seed) for seed in (1, 2)}
    start = threading.Barrier(2)
    wrong: list[int] = []

    def ask(seed: int) -> None:
        start.wait()
        wrong.extend(i for i in range(50)
                     if not np.array_equal(answer(model, FLAT, seed), expected[seed]))  # fmt: skip

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_layers_draw_differently(tmp_path: Path) -> None:
    """Two equal layers in one model do not draw the same."""
    given = keras.Input((6,))
    model = keras.Model(given, layers.Subtract()([layers.GaussianNoise(1.0)(given) for _ in "ab"]))
    found = answer(opened(tmp_path, model), np.repeat(FLAT, ROWS, 0), seed=1)
    np.testing.assert_allclose(found.std(0), np.full(6, np.sqrt(2)), SIGMAS / np.sqrt(2 * ROWS))


@pytest.mark.parametrize("size", [None, 4], ids=["any-batch", "fixed-batch"])
def test_together_is_pass_after_pass(size: int | None, tmp_path: Path) -> None:
    """Passes made together are, by one seed, the same as calls one after the other."""
    layered = [keras.Input((6,), batch_size=size), layers.Dropout(0.5), nested()]
    model, x = opened(tmp_path, keras.Sequential(layered)), np.repeat(FLAT, 3, 0)
    with model.drawing(1):
        expected = np.stack([answer(model, x) for _ in range(5)], axis=1)
    together = model.together(5)
    assert together is not None
    found = answer(together, x, seed=1)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, 0, 1e-5)


def test_weights_drawn_once_a_call(tmp_path: Path) -> None:
    """A Bayesian layer draws for all rows of a pass at once, and anew for each pass together."""
    model = own(tmp_path, "return x * keras.random.normal((1, 6), mean=1.0, seed=self.random)")
    together = model.together(8)
    assert together is not None
    found = answer(together, np.repeat(FLAT, 3, 0), seed=1)
    assert found.shape == (3, 8, 6)
    np.testing.assert_array_equal(found[1:], found[:2])
    assert len(np.unique(found[0], axis=0)) == 8


# What cannot be


def test_export_is_refused(tmp_path: Path) -> None:
    """A model that draws is not exported: what its layers draw would be lost."""
    file, graph = save(tmp_path, normalised(0.4)), tmp_path / "m.onnx"
    with pytest.raises(ModelError) as caught:
        export_onnx(Source.alone(file, random=True), {"x": FLAT}, graph)
    assert str(caught.value) == (
        "m.keras cannot be exported: an ONNX graph does not draw as its layers do. Serve the Keras "
        "file itself, or export it without samples."
    )
    assert not graph.exists()


ON_TORCH = """
import sys
sys.modules["tensorflow"] = None
from pathlib import Path
import keras
import numpy as np
import torch
from keras import layers
from podium.runtimes import Source, load

file = Path(sys.argv[1])
norm = layers.BatchNormalization()
model = keras.Sequential([keras.Input((5, 6)), norm, layers.Dropout(0.5),
                          layers.LSTM(4, recurrent_dropout=0.3), layers.GaussianNoise(0.1)])
model.save(file)
loaded = load(Source.alone(file, random=True))
x = {loaded.inputs[0].name: np.ones((4, 5, 6), np.float32)}

def drawn(seed):
    with loaded.drawing(seed):
        return loaded.predict(x)["output"]

assert keras.backend.backend() == "torch"
assert np.array_equal(drawn(1), drawn(1))
assert not np.array_equal(drawn(1), drawn(2))
assert len(np.unique(drawn(1), axis=0)) == 4
assert not np.any(loaded.built.layers[0].moving_mean.numpy())
assert loaded.together(3) is None
from podium.runtimes.keras.random import keep_drawing
try:
    keep_drawing("m.keras", keras.Sequential([layers.TorchModuleWrapper(torch.nn.Dropout())]))
except Exception as err:
    print(err)
"""


def test_on_pytorch(tmp_path: Path) -> None:
    """With PyTorch below, layers draw by the seed as well; a module of its own is refused."""
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", ON_TORCH, tmp_path / "m.keras"], capture_output=True, text=True,
        env={**os.environ, "KERAS_BACKEND": "torch"}, timeout=120,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == (
        "m.keras holds a PyTorch module, whose statistics Keras cannot freeze while it draws. "
        "Serve the module itself with samples, by the runtime torch.\n"
    )
