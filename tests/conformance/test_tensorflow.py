"""What is special about SavedModels: signatures, and graphs that would read or write files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from podium.errors import MissingExtra, ModelError
from podium.runtimes import Source, TensorSpec, load
from podium.runtimes.quiet import quiet
from tests.conformance.cases import numbers
from tests.conformance.graphs import SINGLE
from tests.conformance.keras_cases import dense, features, save
from tests.conformance.tensorflow_cases import Module, export
from tests.conformance.tensorflow_graphs import ROWS, change, functions, module
from tests.conformance.tflite_cases import converted
from tests.conformance.tflite_cases import save as save_lite

# Keras warns of itself when a test saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

FLOAT = np.dtype(np.float32)
X = features(numbers(5))


# What a folder tells


def test_inputs_and_outputs_are_told(tmp_path: Path) -> None:
    """A signature's inputs and outputs go by their names; an installed version needs no note."""
    model = load(Source.alone(export(tmp_path, Module(SINGLE))))
    assert model.inputs == (TensorSpec("x", FLOAT, (None, 3)),)
    assert model.outputs == (TensorSpec("scores", FLOAT, (None, 1)),)
    assert model.notes == ()


def test_another_version_is_noted(tmp_path: Path) -> None:
    """A folder of another TensorFlow is loaded, and the note has both versions."""

    def older(graph: Any) -> None:
        graph.meta_info_def.tensorflow_version = "2.4.1"

    (note,) = load(Source.alone(change(export(tmp_path, Module()), older))).notes
    assert note.startswith(f"m was saved with tensorflow 2.4.1; installed is {tf.__version__}.")


def test_the_only_signature_is_taken(tmp_path: Path) -> None:
    """A single signature may have any name."""
    one = tf.function(lambda x: {"y": x * 2}, input_signature=[ROWS])
    folder = module(lambda x: x, folder=tmp_path, score=one)
    np.testing.assert_allclose(load(Source.alone(folder)).predict({"x": X})["y"], X * 2)


@pytest.mark.parametrize(("names", "found"), [((), "none"), (("score", "embed"), "embed, score")])
def test_no_single_signature(names: tuple[str, ...], found: str, tmp_path: Path) -> None:
    """Without serving_default, and without a single signature, the error names those found."""
    made = Module()
    signatures = dict.fromkeys(names, made.__call__)
    tf.saved_model.save(made, str(tmp_path / "m"), signatures=signatures)
    with pytest.raises(ModelError, match=rf"m needs a signature 'serving_default'.*found: {found}"):
        load(Source.alone(tmp_path / "m"))


def test_fixed_batch(tmp_path: Path) -> None:
    """A signature of four rows is run as often as a batch needs."""
    four = tf.TensorSpec([4, 3], tf.float32, name="x")
    folder = module(
        lambda x: {"y": tf.reshape(tf.reshape(x, [2, 6]) * 2, [4, 3])}, four, folder=tmp_path
    )
    model = load(Source.alone(folder))
    for rows in (1, 4, 5):
        np.testing.assert_allclose(model.predict({"x": X[:rows]})["y"], X[:rows] * 2)


def test_unknown_shape_is_the_applications(tmp_path: Path) -> None:
    """An input of unknown shape takes what the application makes of its items."""
    any_shape = tf.TensorSpec(None, tf.float32, name="x")
    folder = module(lambda x: {"y": x * 2}, any_shape, folder=tmp_path)
    expects = TensorSpec("X", np.dtype(np.float64), (None, 3))
    assert load(Source.alone(folder, expects=expects)).inputs == (
        TensorSpec("x", FLOAT, (None, 3)),
    )
    with pytest.raises(ModelError, match=r"m: the input 'x' has no axis for the batch"):
        load(Source.alone(folder))


def test_texts_and_half_precision_come_out(tmp_path: Path) -> None:
    """Texts come out as texts, bfloat16 as single precision."""

    def call(x: Any) -> dict[str, Any]:
        return {"text": tf.fill([tf.shape(x)[0]], "größer"), "half": tf.cast(x, tf.bfloat16)}

    found = load(Source.alone(module(call, folder=tmp_path))).predict({"x": np.ones((2, 3))})
    assert found["text"].tolist() == ["größer", "größer"]
    assert (found["half"].dtype, found["half"].tolist()) == (FLOAT, [[1, 1, 1]] * 2)


# Damage and installations


@pytest.mark.parametrize("body", [b"", b"hello\n", bytes(range(256)) * 20])
def test_damaged_graph(body: bytes, tmp_path: Path) -> None:
    """A folder whose graph is damaged cannot be loaded, and the error names it."""
    folder = export(tmp_path, Module())
    (folder / "saved_model.pb").write_bytes(body)
    with pytest.raises(ModelError, match=r"^m: its saved_model\.pb is damaged"):
        load(Source.alone(folder))


def test_damaged_functions(tmp_path: Path) -> None:
    """A graph that TensorFlow cannot build is an error that names the folder."""

    def dangling(graph: Any) -> None:
        functions(graph, "__call__")[0].node_def[1].input[0] = "nowhere:0"

    with pytest.raises(ModelError, match=r"^m: TensorFlow cannot load it: "):
        load(Source.alone(change(export(tmp_path, Module()), dangling)))


def test_missing_variables(tmp_path: Path) -> None:
    """A folder without its variables is an error that names the folder."""
    folder = export(tmp_path, Module())
    shutil.rmtree(folder / "variables")
    with pytest.raises(ModelError, match=r"^m: TensorFlow cannot load it: "):
        load(Source.alone(folder))


def test_missing_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TensorFlow the error names folder, format and the command that installs it."""
    folder = export(tmp_path, Module())
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtra) as caught:
        load(Source.alone(folder))
    assert str(caught.value) == (
        "m (SavedModel) needs the extra 'tensorflow': pip install 'podium[tensorflow]'"
    )


ALL = """
import sys
from pathlib import Path
import numpy as np
from podium.runtimes import Source, load
for file in sys.argv[1:]:
    model = load(Source.alone(Path(file)))
    (spec,) = model.inputs
    for rows in (1, 2, 3, 4, 5, 6, 7):
        model.predict({spec.name: np.zeros((rows, 3), np.float32)})
"""


def test_frameworks_are_quiet(tmp_path: Path) -> None:
    """Loading and running a Keras file, a SavedModel and a .tflite says nothing at all."""
    files = [save(tmp_path, dense()), export(tmp_path, Module()),
             save_lite(tmp_path, converted(dense))]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", ALL, *files], env=kept, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")


def test_what_is_no_chatter_comes_after(capfd: pytest.CaptureFixture[str]) -> None:
    """Other lines on standard error are kept, in their order."""
    with quiet(), quiet():
        os.write(2, b"one\nI0000 00:00:1 1 port.cc:153] oneDNN\n")
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\ntwo\n")
    assert capfd.readouterr().err == "one\ntwo\n"


def test_whoever_sets_the_log_level_sees_all(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TF_CPP_MIN_LOG_LEVEL set, nothing is held back."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with quiet():
        os.write(2, b"I0000 00:00:1 1 port.cc:153] oneDNN\n")
    assert "oneDNN" in capfd.readouterr().err
