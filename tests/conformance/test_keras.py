"""What is special about Keras: what its files tell, factories, backends, ONNX, attack files."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import onnxruntime
import pytest

from podium.errors import MissingExtra, ModelError, UntrustedModel
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
from tests.conformance.onnx_cases import SIDE

# Keras warns of itself when a test saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

FLOAT = np.dtype(np.float32)
BOTH = pytest.mark.parametrize("file", ["m.keras", "m.h5"])
X = features(numbers(5))


def opened(folder: Path, model: Any, file: str = "m.keras", **options: Any) -> Model:
    """Return a model that was saved and loaded."""
    return load(Source.alone(save(folder, model, file), **options))


def refusal(file: Path, **options: Any) -> str:
    """Return why a file is refused."""
    with pytest.raises(UntrustedModel) as caught:
        load(Source.alone(file, **options))
    return str(caught.value)


def trust_in(message: str) -> str:
    """Return the sha256 that a refusal names."""
    return message.partition('trust = "')[2][:64]


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


def _metadata(file: Path, **changes: Any) -> None:
    """Change metadata.json."""
    rewrite(file, {"metadata.json": json.dumps(changes).encode()})


def rewrite(file: Path, parts: dict[str, bytes]) -> Path:
    """Change parts of a .keras archive, or add some."""
    with zipfile.ZipFile(file) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in (kept | parts).items():
            archive.writestr(name, body)
    return file


def test_classes_that_need_not_exclude_each_other(tmp_path: Path) -> None:
    """A sigmoid over several classes is noted: Podium answers with one of them."""
    (note,) = opened(tmp_path, dense("sigmoid")).notes
    assert note.startswith("The last layer is a sigmoid over 3 classes")
    assert opened(tmp_path, dense("sigmoid", SINGLE)).notes == ()


def test_another_version_is_noted(tmp_path: Path) -> None:
    """A file of another Keras is loaded, and the note has both versions."""
    file = save(tmp_path, dense())
    _metadata(file, keras_version="3.1.0")
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
    _metadata(file, keras_version="4.0.0")
    with pytest.raises(ModelError, match=r"m\.keras: Keras cannot load it: .*keras 4\.0\.0; inst"):
        load(Source.alone(file))


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


# Code


class Marked:
    """Code in a Lambda layer that leaves a file behind when it runs."""

    def __init__(self, folder: Path) -> None:
        self.marker = folder / "ran"

    def model(self) -> Any:
        """Return a model whose Lambda layer writes the file and doubles its input."""
        marker = str(self.marker)
        layer = keras.layers.Lambda(
            lambda x: (__import__("pathlib").Path(marker).touch(), x * 2)[1]
        )
        return keras.Sequential([keras.Input((3,)), layer])


@BOTH
@pytest.mark.filterwarnings("ignore:.*lambda")
def test_lambda_needs_trust(file: str, tmp_path: Path) -> None:
    """A Lambda layer runs only if the maker vouches for the file's bytes."""
    marked = Marked(tmp_path)
    saved = save(tmp_path, marked.model(), file)
    marked.marker.unlink(missing_ok=True)
    message = refusal(saved)
    assert message.startswith(f"{file} holds code (Lambda")
    assert "Use layers and functions of Keras in its place" in message
    assert not marked.marker.exists()
    assert "not the one that trust names" in refusal(saved, trust="0" * 64)
    trusted = load(Source.alone(saved, trust=trust_in(message)))
    (answer,) = trusted.predict({trusted.inputs[0].name: X}).values()
    np.testing.assert_allclose(answer, X * 2)
    assert marked.marker.exists()


def configured(folder: Path, file: str, *entries: dict[str, Any]) -> Path:
    """Write a model and change its last layer's configuration, or its whole entry."""
    saved = save(folder, dense(), file)
    if file.endswith(".keras"):
        with zipfile.ZipFile(saved) as archive:
            config = json.loads(archive.read("config.json"))
        _plant(config, *entries)
        return rewrite(saved, {"config.json": json.dumps(config).encode()})
    with h5py.File(saved, "a") as root:
        config = json.loads(root.attrs["model_config"])
        _plant(config, *entries)
        root.attrs["model_config"] = json.dumps(config)
    return saved


_WHOLE = ("module", "registered_name")


def _plant(config: Any, *entries: dict[str, Any]) -> None:
    layer = config["config"]["layers"][-1]
    for entry in entries:
        whole = {key: value for key, value in entry.items() if key in layer or key in _WHOLE}
        layer.update(whole)
        layer["config"].update({key: entry[key] for key in entry.keys() - whole.keys()})


FOREIGN = [
    ({"module": "podium_evil", "class_name": "Attack"}, "podium_evil.Attack"),
    ({"module": "os", "class_name": "system"}, "os.system"),
    ({"module": "keras.layers", "class_name": "own>Dense", "registered_name": "own>Dense"},
     "keras.layers.own>Dense"),
    ({"registered_name": "own>Dense", "module": "keras.layers"}, "keras.layers.Dense"),
    ({"module": "keras.utils", "class_name": "get_file"}, "keras.utils.get_file"),
    ({"module": "keras.src.saving.saving_lib", "class_name": "H5IOStore"},
     "keras.src.saving.saving_lib.H5IOStore"),
    ({"activation": {"module": "os", "class_name": "function", "config": "system"}}, "os.system"),
    ({"activation": {"module": "keras.utils", "class_name": "function", "config": "get_file"}},
     "keras.utils.get_file"),
    ({"activation": {"module": "builtins", "class_name": "function", "config": "own>f"}},
     "builtins.own>f"),
    ({"kernel_initializer": {"module": "podium_evil", "class_name": "Attack", "config": {}}},
     "podium_evil.Attack"),
    ({"kernel_initializer": {"module": None, "class_name": "Own", "config": {}}}, "Own"),
    ({"kernel_initializer": {"class_name": "__typespec__", "spec_name": "Spec", "config": [],
                             "module": "podium_evil", "registered_name": None}},
     "podium_evil.__typespec__"),
    ({"kernel_initializer": {"class_name": ["Lambda"], "config": {}}}, "['Lambda']"),
    ({"kernel_initializer": {"class_name": "load_model", "config": {"filepath": "x"}}},
     "load_model"),
]  # fmt: skip


@BOTH
@pytest.mark.parametrize(("entry", "named"), FOREIGN, ids=[named for _, named in FOREIGN])
def test_what_is_not_keras_own_is_refused(
    file: str, entry: dict[str, Any], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class or function of another module is refused by name and never imported."""
    (tmp_path / "podium_evil.py").write_text("raise SystemExit('the attacker ran')\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = refusal(configured(tmp_path, file, entry))
    assert message.startswith(f"{file} holds classes or functions that are not Keras's own: ")
    assert repr(named) in message
    assert 'factory = "module:function"' in message
    assert "podium_evil" not in sys.modules


PROGRAMS = [
    {"module": "keras.layers", "class_name": "TorchModuleWrapper", "registered_name": None},
    {"class_name": "Lambda"},
    {"activation": {"class_name": "__lambda__", "config": {"value": "x"}}},
]


@BOTH
@pytest.mark.parametrize("entry", PROGRAMS)
def test_code_is_refused(file: str, entry: dict[str, Any], tmp_path: Path) -> None:
    """Pickled modules and code need trust, wherever they stand."""
    assert f"{file} holds code (" in refusal(configured(tmp_path, file, entry))


READS = [
    {"vocabulary": "/etc/passwd"},
    {"class_name": "TFSMLayer", "filepath": "/etc/passwd", "call_endpoint": "serve"},
]


@BOTH
@pytest.mark.parametrize("entry", READS)
@pytest.mark.parametrize("trust", [None, "0" * 64])
def test_a_file_to_read_is_refused(
    file: str, entry: dict[str, Any], trust: str | None, tmp_path: Path
) -> None:
    """A layer that would read a file is refused by the file's name."""
    message = refusal(configured(tmp_path, file, entry), trust=trust)
    assert message.startswith(f"{file} reads '/etc/passwd' when it is loaded.")


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


# Archives


class _Touch:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.file,)


@BOTH
def test_pickle_with_another_ending(file: str, tmp_path: Path) -> None:
    """A pickle that calls itself a Keras model is refused and never run."""
    target = tmp_path / file
    target.write_bytes(pickle.dumps(_Touch(tmp_path / "ran")))
    with pytest.raises(ModelError, match=rf"{file} is no Keras model: neither .* nor HDF5"):
        load(Source.alone(target))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["model.pkl", "model.weights.npz", "Config.json"])
def test_archive_with_something_else(name: str, tmp_path: Path) -> None:
    """What does not belong into a .keras archive, such as a pickle, is named and never read."""
    file = rewrite(save(tmp_path, dense()), {name: pickle.dumps(_Touch(tmp_path / "ran"))})
    with pytest.raises(ModelError, match=rf"m\.keras holds {name}: no model of Keras"):
        load(Source.alone(file))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("part", ["config.json", "metadata.json", "model.weights.h5"])
def test_archive_that_lacks_a_part(part: str, tmp_path: Path) -> None:
    """An archive without one of its three parts names it."""
    file = save(tmp_path, dense())
    with zipfile.ZipFile(file) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if name != part}
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in kept.items():
            archive.writestr(name, body)
    with pytest.raises(ModelError, match=rf"m\.keras lacks {part}"):
        load(Source.alone(file))


@pytest.mark.parametrize("name", ["assets/../../escaped", "/tmp/podium_escaped", "..\\escaped"])  # noqa: S108
def test_archive_that_leads_outside(name: str, tmp_path: Path) -> None:
    """A name that leads out of the archive is refused, and nothing is written."""
    folder = tmp_path / "in"
    file = rewrite(save(folder, dense()), {name: b"here"})
    assert "leads outside of it" in refusal(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_zip_bomb(tmp_path: Path) -> None:
    """An archive that would fill the disk is refused before anything is unpacked."""
    file = save(tmp_path, dense())
    with (
        zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("assets/zeros", "w") as part,
    ):
        for _ in range(110):
            part.write(bytes(1_000_000))
    assert "a zip bomb" in refusal(file)


@pytest.mark.parametrize("value", [7, None, ["3.1"], {"a": 1}])
def test_odd_values_in_the_metadata(value: Any, tmp_path: Path) -> None:
    """A version or a loss of another type tells nothing, and is no crash."""
    file = configured(tmp_path, "m.keras")
    _metadata(file, keras_version=value)
    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read("config.json"))
    model = load(Source.alone(rewrite(file, {
        "config.json": json.dumps({**config, "compile_config": value}).encode()})))  # fmt: skip
    assert (model.notes, model.task) == ((), "classification")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b"[]", b"{", b"null"])
@pytest.mark.parametrize("part", ["config.json", "metadata.json"])
def test_configuration_that_is_none(body: bytes, part: str, tmp_path: Path) -> None:
    """A configuration that is no JSON object is a damaged file, not a crash."""
    file = rewrite(save(tmp_path, dense()), {part: body})
    with pytest.raises(ModelError, match=r"m\.keras is damaged"):
        load(Source.alone(file))


def test_formats_go_by_their_endings(tmp_path: Path) -> None:
    """Keras tells formats by their endings: a wrong one says which is right."""
    archive = save(tmp_path, dense()).rename(tmp_path / "a.h5")
    with pytest.raises(ModelError, match=r"a\.h5 is of another format: rename it to a\.keras"):
        load(Source.alone(archive))
    old = save(tmp_path, dense(), "m.h5").rename(tmp_path / "b.keras")
    with pytest.raises(ModelError, match=r"b\.keras is of another format: rename it to b\.h5"):
        load(Source.alone(old))


# HDF5


def _soft(root: Any, _: Path) -> None:
    root["more"] = h5py.SoftLink("/elsewhere")


def _external_link(root: Any, outside: Path) -> None:
    root["more"] = h5py.ExternalLink(str(outside), "/secret")


def _external_storage(root: Any, outside: Path) -> None:
    root.create_dataset("more", (3,), "f4", external=[(str(outside), 0, 12)])


def _virtual(root: Any, outside: Path) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(str(outside), "secret", (3,))
    root.create_virtual_dataset("more", layout)


def _objects(root: Any, _: Path) -> None:
    root.create_dataset("more", (3,), h5py.vlen_dtype(np.uint8))


def _texts(root: Any, _: Path) -> None:
    root.create_dataset("more", data=["text"], dtype=h5py.string_dtype())


def _bomb(root: Any, _: Path) -> None:
    root.create_dataset("more", (10**6, 10**6), "f4", chunks=(100, 100), compression="gzip")


def _filter(root: Any, _: Path) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((3,))
    properties.set_filter(32000, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((3,))
    h5py.h5d.create(root.id, b"more", h5py.h5t.NATIVE_FLOAT, space, properties)


ATTACKS = [
    (_soft, r"'more' in it leads elsewhere \(SoftLink\)"),
    (_external_link, r"'more' in it leads elsewhere \(ExternalLink\)"),
    (_external_storage, r"'/more' in it keeps its values in another file"),
    (_virtual, r"'/more' in it keeps its values in another file"),
    (_objects, r"'/more' in it holds object, not numbers"),
    (_texts, r"'/more' in it holds object, not numbers"),
    (_bomb, r"would unpack to 4,000,000 MB"),
    (_filter, r"'/more' in it needs a filter that is no part of HDF5"),
]


@pytest.mark.parametrize("inside", [False, True], ids=["h5", "in .keras"])
@pytest.mark.parametrize(("attack", "reason"), ATTACKS)
def test_attack_in_hdf5(
    attack: Callable[[Any, Path], None], reason: str, inside: bool, tmp_path: Path
) -> None:
    """What leads out of an HDF5 file, or is no array of a sane size, is refused by its name."""
    outside = tmp_path / "outside.h5"
    with h5py.File(outside, "w") as root:
        root["secret"] = np.ones(3, np.float32)
    file = save(tmp_path / "app", dense(), "m.keras" if inside else "m.h5")
    if inside:
        with zipfile.ZipFile(file) as archive:
            weights = BytesIO(archive.read("model.weights.h5"))
        with h5py.File(weights, "a") as root:
            attack(root, outside)
        rewrite(file, {"model.weights.h5": weights.getvalue()})
    else:
        with h5py.File(file, "a") as root:
            attack(root, outside)
    with pytest.raises(UntrustedModel, match=rf"^{file.name}.*{reason}"):
        load(Source.alone(file))


def test_groups_that_hold_one_another(tmp_path: Path) -> None:
    """A group that holds its own parent is looked at once."""
    file = save(tmp_path, dense(), "m.h5")
    with h5py.File(file, "a") as root:
        root["model_weights/up"] = root["/"]
    assert load(Source.alone(file)).task == "classification"


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
