"""Keras files that would run code, read other files or fill the memory: nothing of it happens."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from podium.errors import ModelError, UntrustedModel
from podium.runtimes import Source, load
from tests.conformance.cases import numbers
from tests.conformance.keras_cases import (
    dense,
    features,
    save,
)
from tests.conformance.keras_files import configured, describe, rewrite
from tests.conformance.refusals import refusal, trust_in

# Keras warns of itself when a test saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

BOTH = pytest.mark.parametrize("file", ["m.keras", "m.h5"])
X = features(numbers(5))


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
    ({"activation": {"class_name": "Functional", "module": "podium_evil", "config": {}}},
     "podium_evil.Functional"),
    ({"activation": {"class_name": "Functional", "module": "keras_hub.evil", "config": {}}},
     "keras_hub.evil.Functional"),
    ({"activation": {"class_name": "__tuple__", "module": "keras_hub.evil", "config": {}}},
     "keras_hub.evil.__tuple__"),
    ({"kernel_initializer": {"class_name": "__typespec__", "spec_name": "load_model", "config": [],
                             "module": "keras.models", "registered_name": None}},
     "keras.models.__typespec__"),
    ({"activation": {"class_name": "load_model", "module": "keras.models", "config": {}}},
     "keras.models.load_model"),
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
def test_odd_values_in_thedescribe(value: Any, tmp_path: Path) -> None:
    """A version or a loss of another type tells nothing, and is no crash."""
    file = configured(tmp_path, "m.keras")
    describe(file, keras_version=value)
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
