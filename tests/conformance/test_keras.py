"""What is special about Keras: what its files tell, factories, backends, ONNX, attack files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import onnxruntime
import pytest

from podium.errors import MissingExtra, ModelError
from podium.runtimes import Model, Source, TensorSpec, export_onnx, load
from podium.spec import Image
from tests.conformance.cases import COLOURS, numbers
from tests.conformance.graphs import SINGLE
from tests.conformance.keras_cases import (
    NETS,
    OLD_FILE,
    columns,
    dense,
    features,
    image_model,
    save,
    text_model,
)
from tests.conformance.keras_files import configured, describe
from tests.conformance.onnx_cases import SIDE

# Keras warns of itself when a test saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

FLOAT = np.dtype(np.float32)
BOTH = pytest.mark.parametrize("file", ["m.keras", "m.h5"])
X = features(numbers(5))


def opened(folder: Path, model: Any, file: str = "m.keras", **options: Any) -> Model:
    """Return a model that was saved and loaded."""
    return load(Source.alone(save(folder, model, file), **options))


@BOTH
@pytest.mark.parametrize(
    ("model", "loss", "expected"),
    [
        (dense(), None, "classification"),
        (dense("sigmoid", SINGLE), None, "classification"),
        (dense(None, SINGLE), None, None),
        (dense("softplus", SINGLE), None, "regression"),
        (dense(None), None, None),
        (dense("tanh", SINGLE), None, None),
        (dense(None), "sparse_categorical_crossentropy", "classification"),
        (dense(None, SINGLE), keras.losses.BinaryCrossentropy(from_logits=True), "classification"),
        (dense("tanh", SINGLE), "mean_squared_error", "regression"),
        (dense(None, SINGLE), "mse", "regression"),
    ],
)
def test_task(file: str, model: Any, loss: Any, expected: str | None, tmp_path: Path) -> None:
    """The loss tells the task; without one, the last layer, where it is clear."""
    if loss is not None:
        model.compile(loss=loss)
    found = opened(tmp_path, model, file).task
    model.compiled = False
    assert found == expected


def test_a_last_operation_tells_the_task(tmp_path: Path) -> None:
    """A softmax that is no layer, in a model inside of another, tells a classification."""
    given = keras.Input((3,))
    inner = keras.Model(given, keras.ops.softmax(keras.layers.Dense(3)(given)))
    assert opened(tmp_path, keras.Sequential([keras.Input((3,)), inner])).task == "classification"


def test_inputs_and_outputs_are_told(tmp_path: Path) -> None:
    """A dict of inputs goes by its names, with the words of a lookup; so do the outputs."""
    model = opened(tmp_path, columns())
    assert model.inputs == (
        TensorSpec("colour", np.dtype(np.object_), (None, 1), COLOURS),
        *(TensorSpec(name, FLOAT, (None, 1)) for name in ("count", "flag", "width")),
    )
    assert model.outputs == (TensorSpec("scores", FLOAT, (None, 3)),)


def test_dict_whose_keys_are_not_the_tensors_names(tmp_path: Path) -> None:
    """The keys count, whatever the tensors are called, and nothing is mixed up."""
    one, two = keras.Input((1,), name="z"), keras.Input((1,), name="y")
    with pytest.warns(UserWarning, match="all keys in the dict"):
        model = keras.Model({"b": two, "a": one}, [one * 10, two])
    found = opened(tmp_path, model)
    assert [spec.name for spec in found.inputs] == ["a", "b"]
    answer = found.predict({"b": np.ones((2, 1)), "a": np.full((2, 1), 5.0)})
    assert {name: array.ravel().tolist() for name, array in answer.items()} == {
        "output_0": [50, 50],
        "output_1": [1, 1],
    }


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (image_model(), Image(size=(SIDE, SIDE), layout="NHWC", scale=1.0)),
        (
            keras.Sequential(
                [
                    keras.Input((4, 6, 1)),
                    keras.layers.RandomFlip(),
                    keras.layers.Rescaling(1 / 127.5, -1),
                ]
            ),
            Image(size=(4, 6), layout="NHWC", scale=1.0, colour="grey"),
        ),
        (
            keras.Sequential([keras.Input((4, 6, 3), dtype="uint8"), keras.layers.Flatten()]),
            Image(size=(4, 6), layout="NHWC", scale=1.0),
        ),
        (keras.Sequential([keras.Input((4, 6, 3)), keras.layers.Rescaling(2, -1)]), None),
        (keras.Sequential([keras.Input((4, 6, 3)), keras.layers.Flatten()]), None),
        (dense(), None),
    ],
)
def test_pictures(model: Any, expected: Image | None, tmp_path: Path) -> None:
    """A model that scales bytes itself tells how pictures are prepared; others do not."""
    assert opened(tmp_path, model).image == expected


def test_dropout_is_off(tmp_path: Path) -> None:
    """A model with dropout answers the same twice."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    found = opened(tmp_path, model)
    (one,), (two,) = (found.predict({found.inputs[0].name: X}).values() for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_squeeze_of_a_single_row(tmp_path: Path) -> None:
    """A model that drops every axis of one keeps the batch's for a single row."""
    given = keras.Input((3,))
    model = opened(tmp_path, keras.Model(given, keras.ops.squeeze(keras.layers.Dense(1)(given))))
    one, three = (model.predict({model.inputs[0].name: X[:n]})["output"] for n in (1, 3))
    assert (one.shape, three.shape) == ((1,), (3,))
    np.testing.assert_allclose(one, three[:1], 0, 1e-6)


def test_classes_that_need_not_exclude_each_other(tmp_path: Path) -> None:
    """A sigmoid over several classes is noted: Podium answers with one of them."""
    (note,) = opened(tmp_path, dense("sigmoid")).notes
    assert note.startswith("The last layer is a sigmoid over 3 classes")
    assert opened(tmp_path, dense("sigmoid", SINGLE)).notes == ()


def test_another_version_is_noted(tmp_path: Path) -> None:
    """A file of another Keras is loaded, and the note has both versions."""
    file = save(tmp_path, dense())
    describe(file, keras_version="3.1.0")
    installed = keras.__version__
    (note,) = load(Source.alone(file)).notes
    assert note.startswith(f"m.keras was saved with keras 3.1.0; installed is {installed}.")
    file = save(tmp_path, dense(), OLD_FILE)
    with h5py.File(file, "a") as root:
        root.attrs["keras_version"] = "2.15.0"
    (note,) = load(Source.alone(file)).notes
    assert note.startswith(f"m.h5 was saved with keras 2.15.0; installed is {installed}.")


def test_both_versions_stand_in_an_error(tmp_path: Path) -> None:
    """A file that does not load names the version that saved it, and the one installed."""
    file = configured(tmp_path, "m.keras", {"class_name": "Dense", "units": "many"})
    describe(file, keras_version="4.0.0")
    with pytest.raises(ModelError, match=r"m\.keras: Keras cannot load it: .*keras 4\.0\.0; inst"):
        load(Source.alone(file))


def test_what_only_training_needs_may_be_the_makers_own(tmp_path: Path) -> None:
    """A loss of the maker's own is never built, and no reason to refuse a model."""
    model = dense()
    model.compile(loss=lambda truth, found: found - truth)
    with pytest.warns(UserWarning, match="lambda"):
        file = save(tmp_path, model)
    assert load(Source.alone(file)).task == "classification"


def test_keras_2_that_keras_3_cannot_build(tmp_path: Path) -> None:
    """A file of Keras 2 that does not load says how to save it instead."""
    file = configured(tmp_path, "m.h5", {"time_major": False})
    with h5py.File(file, "a") as root:
        root.attrs["keras_version"] = "2.15.0"
    with pytest.raises(ModelError) as caught:
        load(Source.alone(file))
    assert str(caught.value) == (
        "m.h5: Keras cannot load it: Unrecognized keyword arguments passed to Dense: "
        "{'time_major': False}. Load it with tf_keras and serve the SavedModel that "
        'model.export("m") writes.'
    )


def test_operators_of_keras_2(tmp_path: Path) -> None:
    """Layers that Keras 3 lacks are told as such."""
    file = configured(tmp_path, "m.h5", {"class_name": "TFOpLambda"})
    with pytest.raises(ModelError, match=r"m\.h5 holds 'TFOpLambda' of Keras 2.*SavedModel"):
        load(Source.alone(file))


def test_model_of_keras_2(tmp_path: Path) -> None:
    """A .h5 as Keras 2 wrote it, without modules, answers."""
    old = {
        "class_name": "Sequential",
        "config": {
            "name": "old",
            "layers": [
                {"class_name": "InputLayer", "config": {
                    "batch_input_shape": [None, 3], "dtype": "float32", "sparse": False,
                    "ragged": False, "name": "x"}},
                {"class_name": "Dense", "config": {
                    "name": "dense", "trainable": True, "dtype": "float32", "units": 3,
                    "activation": "softmax", "use_bias": True, "kernel_constraint": None,
                    "kernel_initializer": {
                        "class_name": "GlorotUniform", "config": {"seed": None}},
                    "bias_initializer": {"class_name": "Zeros", "config": {}}}},
            ],
        },
    }  # fmt: skip
    model = dense()
    file = save(tmp_path, model, "m.h5")
    with h5py.File(file, "a") as root:
        root.attrs["model_config"] = json.dumps(old)
        root.attrs["keras_version"] = "2.9.0"
    found = load(Source.alone(file))
    (answer,) = found.predict({"x": X}).values()
    np.testing.assert_allclose(answer, np.asarray(model(X)), 0, 1e-6)


# Weights alone


def net(folder: Path, name: str = "build", file: str = "m.weights.h5", **options: Any) -> Source:
    """Return weights beside the code that builds what they go into."""
    (folder / "nets.py").write_text(NETS)
    dense().save_weights(folder / "m.weights.h5")
    return Source(file=folder / file, root=folder, code=f"nets:{name}", **options)


def test_weights_alone_name_the_ways_out(tmp_path: Path) -> None:
    """Weights without a factory are refused with what to save, or to write, instead."""
    source = net(tmp_path)
    with pytest.raises(ModelError, match=r"m\.weights\.h5 holds weights alone.*m\.keras.*factory"):
        load(Source.alone(source.file))


def test_class_of_the_makers_own(tmp_path: Path) -> None:
    """A subclass does not tell what it takes: it takes what the application makes."""
    expects = TensorSpec("X", np.dtype(np.float64), (None, 3))
    source = net(tmp_path, "own", expects=expects)
    model = dense()
    own = _nets(tmp_path).own()
    own.dense.set_weights(model.get_weights())
    own.save_weights(source.file)
    found = load(source)
    assert found.inputs == (expects,)
    (answer,) = found.predict({"X": X.astype(np.float64)}).values()
    np.testing.assert_allclose(answer, np.asarray(model(X)), 0, 1e-6)


def _nets(folder: Path) -> Any:
    space: dict[str, Any] = {}
    exec((folder / "nets.py").read_text(), space)  # noqa: S102  the test's own code
    return type("nets", (), {name: staticmethod(space[name]) for name in ("build", "own")})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing", r"factory = 'nets:nothing' returned a str, no Keras model"),
        ("missing", r"factory = 'nets:missing' cannot build a model: .*missing"),
    ],
)
def test_factory_that_builds_no_model(name: str, reason: str, tmp_path: Path) -> None:
    """A factory that is missing, or returns something else, is named."""
    with pytest.raises(ModelError, match=reason):
        load(net(tmp_path, name))


def test_weights_of_another_model(tmp_path: Path) -> None:
    """Weights that do not fit the built model are an error that names both."""
    source = net(tmp_path)
    dense(None, SINGLE).save_weights(source.file)
    with pytest.raises(ModelError, match=r"m\.weights\.h5 does not fit .*'nets:build'"):
        load(source)


# ONNX


@pytest.mark.parametrize("model", [dense(), image_model(), dense(None, SINGLE)])
def test_export_to_onnx(model: Any, tmp_path: Path) -> None:
    """The graph has the model's input and answers, for any batch, in one file without paths."""
    file, graph = save(tmp_path, model), tmp_path / "out" / "m.onnx"
    graph.parent.mkdir()
    mine = load(Source.alone(file))
    (given,) = mine.inputs
    shape = [size or 7 for size in given.shape]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    export_onnx(Source.alone(file), {given.name: x[:2]}, graph)
    session = onnxruntime.InferenceSession(graph)
    assert [one.name for one in session.get_inputs()] == [given.name]
    (found,) = session.run(None, {given.name: x})
    (expected,) = mine.predict({given.name: x}).values()
    np.testing.assert_allclose(found, expected, 0, 1e-5)
    assert list(graph.parent.iterdir()) == [graph]
    assert not any(part in graph.read_bytes() for part in (b"/tmp", b"site-packages", b"/home"))


def test_export_keeps_the_names_of_inputs(tmp_path: Path) -> None:
    """A model of several inputs keeps their names, in whatever order they are given."""
    one, two = keras.Input((1,), name="one"), keras.Input((2,), name="two")
    model = keras.Model([two, one], keras.layers.Concatenate()([one, two]) * 3)
    file, graph = save(tmp_path, model), tmp_path / "m.onnx"
    feed = {"one": np.ones((3, 1), np.float32), "two": np.full((3, 2), 2, np.float32)}
    export_onnx(Source.alone(file), feed, graph)
    (found,) = onnxruntime.InferenceSession(graph).run(None, feed)
    np.testing.assert_allclose(found, [[3, 6, 6]] * 3)


def test_operator_that_onnx_lacks(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A model of texts cannot be exported: the error names the operators, and no file is left."""
    file, graph = save(tmp_path, text_model()), tmp_path / "m.onnx"
    words = np.array([["good film"]], np.object_)
    name = load(Source.alone(file)).inputs[0].name
    capfd.readouterr()
    with pytest.raises(ModelError, match=r"m\.keras cannot be exported.*StringSplitV2"):
        export_onnx(Source.alone(file), {name: words}, graph)
    assert not graph.exists()
    assert "Traceback" not in "".join(capfd.readouterr())


# Installations


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Make packages look as if they were not installed."""
    for name in list(sys.modules):
        if name.partition(".")[0] in packages:
            monkeypatch.delitem(sys.modules, name)
    for name in packages:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("missing", "extra"),
    [
        (("keras",), "keras"),
        (("h5py",), "keras"),
        (("keras", "tensorflow", "torch", "jax"), "tensorflow"),
    ],
)
def test_missing_package(
    missing: tuple[str, ...], extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Keras or h5py, the error names file, format and the command that installs them."""
    file = save(tmp_path, dense())
    without(monkeypatch, *missing)
    with pytest.raises(MissingExtra) as caught:
        load(Source.alone(file))
    command = f"pip install 'podium[{extra}]'"
    assert str(caught.value) == f"m.keras (Keras model) needs the extra {extra!r}: {command}"


def test_missing_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras alone cannot compute: the error names what it may run on."""
    file = save(tmp_path, dense())
    without(monkeypatch, "tensorflow", "torch", "jax")
    with pytest.raises(MissingExtra) as caught:
        load(Source.alone(file))
    assert str(caught.value) == (
        "m.keras (Keras model) needs a backend of Keras. PyTorch: pip install 'podium[torch]'. "
        "TensorFlow needs the extra 'tensorflow': pip install 'podium[tensorflow]'"
    )


def test_backend_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that the environment asks for and that is missing is named."""
    file = save(tmp_path, dense())
    monkeypatch.setenv("KERAS_BACKEND", "podium_backend")
    with pytest.raises(ModelError, match="KERAS_BACKEND is 'podium_backend', which is not inst"):
        load(Source.alone(file))


ON_TORCH = """
import sys
from importlib.machinery import PathFinder
from pathlib import Path

class WithoutTensorFlow(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "tensorflow" else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutTensorFlow
import numpy as np
from podium.runtimes import Source, load
folder = Path(sys.argv[1])
model = load(Source.alone(folder / "models/m.keras"))
import keras
x = np.load(folder / "x.npy")
(found,) = model.predict({model.inputs[0].name: x}).values()
np.save(folder / "y.npy", found)
print(keras.backend.backend())
"""


def test_backend_that_is_installed_is_used(tmp_path: Path) -> None:
    """Without TensorFlow, Keras runs on PyTorch and answers the same, and says nothing."""
    model = image_model()
    save(tmp_path, model)
    x = np.random.default_rng(0).uniform(0, 255, (3, SIDE, SIDE, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", ON_TORCH, tmp_path], env=environment, capture_output=True,
        text=True, timeout=120, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("torch\n", "")
    expected = np.asarray(model(x, training=False))
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, 0, 1e-4)
