"""Keras models: .keras archives, legacy .h5, and weights alone with the maker's factory."""

from __future__ import annotations

import os
import sys
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from json import loads
from pathlib import Path
from typing import Any, Final

from podium.errors import INSTALL, MissingExtra, ModelError
from podium.runtimes.base import Arrays, Source, needs
from podium.runtimes.keras import audit as keras_audit
from podium.runtimes.keras import hdf5
from podium.runtimes.keras.model import KerasModel, adapt, unknown_operators
from podium.runtimes.quiet import quiet
from podium.runtimes.tensorflow import start, told
from podium.runtimes.trust import require_trust
from podium.runtimes.versions import mismatch
from podium.usercode import load_object
from podium.usercode import told as told_of_code

BACKENDS: Final = ("tensorflow", "torch", "jax")
_BACKEND: Final = "KERAS_BACKEND"
_WHAT: Final = "Keras model"
_HARMLESS: Final = "When providing `inputs` as a dict"


def load(source: Source) -> KerasModel:
    """Load a Keras file, or weights into what `source.code` builds.

    Raises:
        MissingExtra: Keras, h5py or each of Keras's backends is not installed.
        UntrustedModel: the file names what is not Keras's own, leads to other files, or holds a
            Lambda layer for which nobody vouched.
        ModelError: it cannot be read.
    """
    keras = _import_keras(source)
    saved = _read(source.file)
    built, notes = _build(source, keras, saved)
    return adapt(source, built, saved.loss, notes)


def files(file: Path) -> tuple[Path, ...]:
    """Return the file alone: what refers to others is refused."""
    return (file,)


def export_onnx(source: Source, example: Arrays, file: Path) -> None:
    """Write a Keras model as an ONNX graph of the same input names; any batch fits.

    Raises:
        ModelError: it draws at random, or holds an operator that ONNX lacks.
    """
    if source.random:
        raise ModelError(
            f"{source.file.name} cannot be exported: an ONNX graph does not draw as its layers do. "
            "Serve the Keras file itself, or export it without samples."
        )
    load(source).export(example, file)
    missing = unknown_operators(file)
    if missing:
        file.unlink()
        told_of = ", ".join(missing)
        raise ModelError(f"{source.file.name} cannot be exported: ONNX has no {told_of}")


@dataclass(frozen=True)
class Saved:
    """What a file tells before anything is built: all empty for weights alone."""

    config: object
    loss: object
    version: str

    @classmethod
    def of(cls, config: object, training: object, version: object) -> Saved:
        """Return what the parts of a file tell, which may hold anything."""
        loss = training.get("loss") if isinstance(training, dict) else None
        return cls(config, loss, version if isinstance(version, str) else "")


def _import_keras(source: Source) -> Any:
    file = source.file
    found = [package for package in BACKENDS if find_spec(package)]
    if not found and find_spec("keras"):
        raise MissingExtra(
            f"{file.name} ({_WHAT}) needs a backend of Keras. PyTorch: "
            f"{INSTALL.format(extra='torch')}. TensorFlow", "tensorflow",
        )  # fmt: skip
    if found and found[0] != "tensorflow" and "keras" not in sys.modules:
        os.environ.setdefault(_BACKEND, found[0])
    chosen = os.environ.get(_BACKEND)
    if chosen and not find_spec(chosen):
        raise ModelError(f"{file.name} ({_WHAT}): {_BACKEND} is {chosen!r}, which is not installed")
    with needs(file, _WHAT, "keras" if found else "tensorflow"), quiet():
        import h5py  # noqa: F401  what is missing is said before anything else
        import keras
    if keras.backend.backend() == "tensorflow":
        start(source.threads)
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(source.threads)
    return keras


def _read(file: Path) -> Saved:
    """Look at all of a file that Keras will read."""
    import h5py

    if zipfile.is_zipfile(file):
        config, metadata = keras_audit.read_archive(file)
        _check_ending(file, ".keras")
        # It is not compiled: what only training needs is never built.
        return Saved.of(config, config.pop("compile_config", None), metadata.get("keras_version"))
    if not h5py.is_hdf5(file):
        raise ModelError(f"{file.name} is no Keras model: neither a .keras archive nor HDF5")
    attributes = hdf5.audit(file.name, file, file.stat().st_size)
    _check_ending(file, ".h5", ".hdf5")
    try:
        config = loads(attributes.get("model_config", "{}"))
        training = loads(attributes.get("training_config", "{}"))
    except (ValueError, RecursionError) as err:
        raise ModelError(f"{file.name} is damaged: its configuration is no JSON: {err}") from err
    return Saved.of(config, training, attributes.get("keras_version"))


def _check_ending(file: Path, *endings: str) -> None:
    """Keras tells its formats by their names."""
    if file.suffix not in endings:
        raise ModelError(f"{file.name} is of another format: rename it to {file.stem}{endings[0]}")


def _build(source: Source, keras: Any, saved: Saved) -> tuple[Any, tuple[str, ...]]:
    """Return the model and what its maker should read."""
    file = source.file
    other = mismatch(file.name, saved.version, "keras")
    if source.code is not None:
        return _factory_model(source, keras), ()
    if not saved.config:
        raise ModelError(
            f"{file.name} holds weights alone. Save the whole model, model.save("
            '"m.keras"), or name the function that builds it: factory = "module:function".'
        )
    safe = _is_data(source, keras, saved.config)
    try:
        with quiet(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            built = keras.saving.load_model(str(file), compile=False, safe_mode=safe)
    except Exception as err:  # Keras passes on whatever a damaged file causes
        way = keras_audit.WAY_OUT_OF_KERAS_2 if saved.version.startswith("2.") else other
        why = told(err).rstrip(".")
        raise ModelError(f"{file.name}: Keras cannot load it: {why}. {way}".strip()) from err
    return built, tuple(filter(None, [other, *_cautions(caught)]))


def _cautions(caught: Iterable[warnings.WarningMessage]) -> Iterator[str]:
    """Yield what Keras warned of, such as layers without weights; of names it warns too often."""
    for one in caught:
        if one.category is UserWarning and not str(one.message).startswith(_HARMLESS):
            yield f"Keras says: {' '.join(str(one.message).split())}"


def _is_data(source: Source, keras: Any, config: object) -> bool:
    """Whether a configuration holds no code; if it does, the maker vouches for it."""
    findings = keras_audit.examine(config, lambda name: _exports(keras, name))
    keras_audit.refuse_foreign(source.file, findings)
    if findings.programs:
        held = ", ".join(sorted(findings.programs))
        risk = f"holds code ({held}), which runs when it is loaded"
        remedy = "Use layers and functions of Keras in its place and save it again."
        require_trust(source, (source.file,), risk, remedy)
    return not findings.programs


def _exports(keras: Any, name: str) -> bool:
    modules = (keras, keras.layers, keras.models, keras.initializers, keras.regularizers,
               keras.constraints, keras.dtype_policies, keras.losses, keras.metrics,
               keras.optimizers, keras.activations)  # fmt: skip
    return any(isinstance(getattr(module, name, None), type) for module in modules)


def _factory_model(source: Source, keras: Any) -> Any:
    try:
        built = load_object(source.root, source.code or "")()
    except Exception as err:  # whatever the maker's code raises
        why = told_of_code(err, source.root)
        raise ModelError(f"factory = {source.code!r} cannot build a model: {why}") from err
    if not isinstance(built, keras.Model):
        kind = type(built).__name__
        raise ModelError(f"factory = {source.code!r} returned a {kind}, no Keras model")
    try:
        built.load_weights(str(source.file))
    except Exception as err:  # Keras passes on whatever does not fit
        raise ModelError(
            f"{source.file.name} does not fit what factory = {source.code!r} builds: {told(err)}"
        ) from err
    return built
