"""MLflow model folders: the model in them is served by the runtime of its own format.

MLflow itself is not asked: its loaders trust what the folder says, down to the types that a skops
file may hold. Only what is no other than a program, and vouched for, is loaded by MLflow.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from podium import runtimes
from podium.errors import ModelError, UntrustedModel
from podium.runtimes.base import Model, Source, folder_files, needs
from podium.runtimes.mlflow.mlmodel import MLmodel, read
from podium.runtimes.mlflow.pyfunc import load_program
from podium.runtimes.trust import require_trust, sha256
from podium.runtimes.versions import mismatch


class _Flavor(NamedTuple):
    """The runtimes of the formats that a model may have, and its framework's version."""

    runtimes: tuple[str, ...]
    version: str = ""
    packages: tuple[str, ...] = ()


_FLAVORS: Final[Mapping[str, _Flavor]] = {
    "mlflow.sklearn": _Flavor(("sklearn",), "sklearn_version", ("scikit-learn",)),
    "mlflow.xgboost": _Flavor(("xgboost", "sklearn"), "xgb_version", ("xgboost", "xgboost-cpu")),
    "mlflow.lightgbm": _Flavor(("lightgbm", "sklearn"), "lgb_version", ("lightgbm",)),
    "mlflow.onnx": _Flavor(("onnx",)),
    "mlflow.keras": _Flavor(("keras",), "keras_version", ("keras",)),
    # Its keras_version is that of TensorFlow.
    "mlflow.tensorflow": _Flavor(
        ("keras", "tensorflow"), "keras_version", ("tensorflow", "tensorflow-cpu")
    ),
    "mlflow.pytorch": _Flavor(("torch",), "pytorch_version", ("torch",)),
    "mlflow.transformers": _Flavor(("transformers",), "transformers_version", ("transformers",)),
}
"""By the module with which MLflow would load a model."""
_SUFFIXES: Final = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".pth", ".pt")
_PROTOCOLS: Final = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_REMEDY: Final = (
    "Log the model again as data: mlflow.sklearn or mlflow.lightgbm with "
    "serialization_format='skops', mlflow.pytorch with 'pt2', or with mlflow.xgboost, "
    "mlflow.keras, mlflow.onnx or mlflow.transformers."
)


def load(source: Source) -> Model:
    """Load the model of a folder with MLmodel in it.

    Raises:
        MissingExtra: PyYAML, which comes with MLflow, or the model's framework is not installed.
        UntrustedModel: the folder holds a pickle or other code, and nobody vouches for it.
        ModelError: it is damaged, or its framework cannot load it.
    """
    folder = source.file
    told = _told(folder)
    inner = _inner(told)
    risk = _risk(told, inner)
    _require_trust(source, risk)
    if risk and told.code is not None:
        sys.path.append(str(told.code.resolve()))
    if inner is None:
        return load_program(source, told)
    own = sha256(inner, folder_files(inner) if inner.is_dir() else [inner])
    try:
        model = _load_inner(source, told, inner, own if risk else None)
    except UntrustedModel as err:
        if risk or own not in str(err):
            raise  # vouching would not help
        whole = sha256(folder, files(folder))
        if source.trust != whole:
            raise UntrustedModel(f"{folder.name}: {err}".replace(own, whole)) from err
        model = _load_inner(source, told, inner, own)
    return _overlaid(model, told)


def files(file: Path) -> tuple[Path, ...]:
    """Return all files of the folder."""
    return folder_files(file)


def check_trust(source: Source) -> None:
    """Raise UntrustedModel if the folder is a program for which nobody vouches."""
    told = _told(source.file)
    _require_trust(source, _risk(told, _inner(told)))


def inner_runtime(folder: Path) -> str | None:
    """Return the runtime of the model in a folder; None where MLflow itself loads a program.

    Raises:
        MissingExtra: PyYAML, which comes with MLflow, is not installed.
        ModelError: the folder is damaged.
    """
    told = _told(folder)
    inner = _inner(told)
    return None if inner is None else _runtime(told, inner)


def _told(folder: Path) -> MLmodel:
    with needs(folder, "MLflow model folder", "mlflow"):
        import yaml  # noqa: F401
    return read(folder)


def _require_trust(source: Source, risk: str) -> None:
    if risk:
        require_trust(source, files(source.file), risk, _REMEDY)


def _inner(told: MLmodel) -> Path | None:
    """Return the file or folder of the model in its own format; None where it is a program.

    Raises:
        ModelError: MLmodel names none that is there.
    """
    if told.loader not in _FLAVORS:
        return None
    for path in told.paths:
        for candidate in [path, *(sorted(path.iterdir()) if path.is_dir() else [])]:
            if _runtime(told, candidate):
                return candidate
    named = ", ".join(path.relative_to(told.folder).as_posix() for path in told.paths)
    raise ModelError(
        f"{told.folder.name}: there is no model that {told.loader} would load in "
        f"{named or 'the folder'}. Log it again."
    )


def _runtime(told: MLmodel, path: Path) -> str | None:
    """Return the runtime for a file or folder, or None where none of the flavor's takes it."""
    known = _FLAVORS[told.loader].runtimes
    if not path.exists():
        return None
    if path.suffix == ".skops":  # a wrapper of LightGBM is read by its own runtime
        return known[0]
    try:
        found = runtimes.runtime_of(path)
    except ModelError:
        return None
    return found if found in known else None


def _risk(told: MLmodel, inner: Path | None) -> str:
    """Return why the folder is a program, or ""."""
    pickles = [file for file in files(told.folder) if _is_pickle(file)]
    if pickles:
        names = ", ".join(file.relative_to(told.folder).as_posix() for file in pickles)
        return f"holds a pickle ({names}), which runs code when it is loaded"
    return "" if inner else f"is loaded by a program ({told.loader})"


def _is_pickle(file: Path) -> bool:
    if file.suffix.lower() in _SUFFIXES:
        return True
    with file.open("rb") as stream:
        begins = stream.read(2) in _PROTOCOLS
        stream.seek(max(0, file.stat().st_size - 1))
        return begins and stream.read(1) == b"."


def _load_inner(source: Source, told: MLmodel, inner: Path, trust: str | None) -> Model:
    """Return the model in its own format, with a note where its framework was another one.

    `trust` is its own sha256 where the whole folder is vouched for.
    """
    flavor = _FLAVORS[told.loader]
    saved = str(told.flavor.get(flavor.version, ""))
    note = mismatch(told.folder.name, saved, *flavor.packages) if saved else ""
    try:
        with _gathered(told, inner) as path:
            own = replace(source, file=path, runtime=_runtime(told, inner), trust=trust)
            model = runtimes.load(own)
    except ModelError as err:
        if note and type(err) is ModelError:
            raise ModelError(f"{err} {note}") from err
        raise
    if note and not model.notes:
        model.notes = (note,)
    return model


@contextmanager
def _gathered(told: MLmodel, inner: Path) -> Iterator[Path]:
    """Yield the model; that of transformers with its tokenizer, which MLflow keeps apart."""
    if told.loader != "mlflow.transformers":
        yield inner
        return
    with TemporaryDirectory(prefix="podium-") as name:
        stage = Path(name) / told.folder.name
        stage.mkdir()
        for file in (*inner.iterdir(), *told.folder.glob("components/*/*")):
            (stage / file.name).symlink_to(file.resolve())
        yield stage


def _overlaid(model: Model, told: MLmodel) -> Model:
    """Return a model with the names of its columns, where only MLmodel knows them."""
    matrix = len(model.inputs) == 1 and model.inputs[0].shape[1:] == (len(told.columns),)
    if matrix and not model.features and all(told.columns):
        model.features = told.columns
    model.platform = f"mlflow ({model.platform})"
    return model
