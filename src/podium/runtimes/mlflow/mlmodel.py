"""The file MLmodel of an MLflow folder: what the model is, where it lies, and its signature."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from podium.errors import ModelError, UntrustedModel
from podium.folder import inside
from podium.runtimes.base import TensorSpec

MARKER: Final = "MLmodel"
_MODEL: Final = (
    "data", "model_data", "pickled_model", "model_path", "model_binary", "saved_model_dir",
)  # fmt: skip
"""The keys of a flavor that name the model's file or folder."""
_PROGRAM: Final = ("python_model", "code")
_DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "boolean": np.dtype(np.bool_),
    "integer": np.dtype(np.int32),
    "long": np.dtype(np.int64),
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "string": np.dtype(np.object_),
}
_PIN: Final = re.compile(r"^([A-Za-z0-9][\w.-]*)==([\w.!+-]+)\s*$", re.MULTILINE)

Table = Mapping[str, Any]


@dataclass(frozen=True)
class MLmodel:
    """What MLmodel says. `flavor` is that of the framework, `pyfunc` says how MLflow loads it."""

    folder: Path
    loader: str
    flavor: Table
    pyfunc: Table
    signature: Table

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The files and folders that may hold the model, the likeliest first."""
        named = (table[key] for table in (self.flavor, self.pyfunc) for key in _MODEL
                 if table.get(key))  # fmt: skip
        return tuple(self.folder / name for name in dict.fromkeys(named))

    @property
    def code(self) -> Path | None:
        """The folder of modules that the maker logged with the model, or None."""
        name = self.pyfunc.get("code")
        return self.folder / name if name else None

    @cached_property
    def pins(self) -> dict[str, str]:
        """The versions of packages that requirements.txt names exactly."""
        file = self.folder / "requirements.txt"
        text = file.read_text("utf-8", "replace") if file.is_file() else ""
        return dict(_PIN.findall(text))

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """One input for each column or tensor of the signature; none without one.

        Raises:
            ModelError: naming a column of a type that Podium cannot give.
        """
        try:
            return tuple(self._spec(one) for one in self._listed("inputs"))
        except (KeyError, TypeError, ValueError) as err:
            raise ModelError(f"{self.folder.name}: its signature is damaged: {err!r}") from err

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the signature's columns; none where it has tensors."""
        return tuple(str(one.get("name", "")) for one in self._listed("inputs")
                     if "tensor-spec" not in one)  # fmt: skip

    @property
    def answers(self) -> tuple[str, ...]:
        """The names of several numbers that the model answers: its classes, if it has any."""
        listed = self._listed("outputs")
        named = tuple(str(one["name"]) for one in listed
                      if "name" in one and one.get("type") in ("float", "double"))  # fmt: skip
        return named if len(named) == len(listed) > 1 else ()

    def _spec(self, one: Table) -> TensorSpec:
        if "tensor-spec" in one:
            told = one["tensor-spec"]
            shape = tuple(None if size < 0 else int(size) for size in told["shape"])
            kind = "object" if told["dtype"] in ("str", "object", "string") else told["dtype"]
            return TensorSpec(str(one.get("name", "X")), np.dtype(kind), shape)
        name, kind = str(one.get("name", "X")), str(one.get("type"))
        if kind not in _DTYPES:
            raise ModelError(
                f"{self.folder.name}: the column {name!r} of its signature is {kind!r}. Podium "
                f"gives {', '.join(_DTYPES)}."
            )
        optional = not one.get("required", True)
        return TensorSpec(name, _DTYPES[kind], (None,), optional=optional)

    def _listed(self, key: str) -> Sequence[Table]:
        try:
            listed = json.loads(self.signature.get(key) or "[]")
        except (TypeError, ValueError, RecursionError) as err:
            raise ModelError(f"{self.folder.name}: its signature is damaged: {err}") from err
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise ModelError(f"{self.folder.name}: its signature is damaged: {listed!r}")
        return listed


def read(folder: Path) -> MLmodel:
    """Return what the folder's MLmodel says.

    Raises:
        UntrustedModel: it names a file outside of the folder.
        ModelError: it is damaged, or no model that MLflow would load as a Python function.
    """
    told = _load(folder)
    flavors = _table(folder, told, "flavors")
    pyfunc = _table(folder, flavors, "python_function")
    loader = str(pyfunc.get("loader_module"))
    flavor = flavors.get(loader.removeprefix("mlflow."))
    signature = told.get("signature")
    found = MLmodel(
        folder,
        loader,
        flavor if isinstance(flavor, dict) else {},
        pyfunc,
        signature if isinstance(signature, dict) else {},
    )
    for table in (found.flavor, found.pyfunc):
        _check_paths(folder, table)
    return found


def _load(folder: Path) -> Table:
    import yaml

    try:
        told = yaml.safe_load((folder / MARKER).read_text("utf-8"))
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as err:
        reason = " ".join(str(err).split())
        raise ModelError(f"{folder.name}: {MARKER} is damaged: {reason}") from err
    if not isinstance(told, dict):
        raise ModelError(f"{folder.name}: {MARKER} is damaged: it is no table")
    return told


def _table(folder: Path, told: Table, key: str) -> Table:
    found = told.get(key)
    if not isinstance(found, dict):
        raise ModelError(f"{folder.name}: {MARKER} has no {key!r}. Log the model again.")
    return found


def _check_paths(folder: Path, table: Table) -> None:
    for key, name in _named(table):
        if not isinstance(name, str) or inside(folder, name) is None:
            raise UntrustedModel(
                f"{folder.name}: {MARKER} names {name!r} as its {key}, which leads outside of it"
            )


def _named(table: Table) -> Iterator[tuple[str, Any]]:
    yield from ((key, table[key]) for key in (*_MODEL, *_PROGRAM) if table.get(key) is not None)
    artifacts = table.get("artifacts")
    for name, one in (artifacts if isinstance(artifacts, dict) else {}).items():
        yield f"artifact {name}", one.get("path") if isinstance(one, dict) else one
