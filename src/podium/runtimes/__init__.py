"""The formats that Podium loads: one module a format, all of one shape.

A runtime module has `load(source) -> Model` and `files(file)`, and imports its framework only
inside `load`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final, Protocol

from podium.errors import ModelError, nearest
from podium.runtimes.base import Arrays, Model, Source, TensorSpec

__all__ = [
    "RUNTIMES",
    "Arrays",
    "Model",
    "Source",
    "TensorSpec",
    "load",
    "model_files",
    "runtime_of",
]

RUNTIMES: Final = {"onnx": (".onnx",), "sklearn": (".skops",)}
"""Each runtime's module name and the file endings that it answers to."""


class Runtime(Protocol):
    """What a runtime module looks like."""

    @staticmethod
    def load(source: Source) -> Model:
        """Return the model in `source.file`; raise ModelError when that cannot be."""

    @staticmethod
    def files(file: Path) -> tuple[Path, ...]:
        """Return all files that make the model, `file` first; all lie in its folder."""


def runtime_of(file: Path, name: str | None = None) -> str:
    """Return the runtime that `name` or, without one, the file's ending stands for.

    Raises:
        ModelError: naming the known runtimes and endings.
    """
    if name is not None and name not in RUNTIMES:
        hint = nearest(name, RUNTIMES) or f" Known: {', '.join(RUNTIMES)}."
        raise ModelError(f"There is no runtime {name!r}.{hint}")
    for runtime, suffixes in RUNTIMES.items():
        if runtime == name or (name is None and file.suffix.lower() in suffixes):
            return runtime
    known = ", ".join(suffix for suffixes in RUNTIMES.values() for suffix in suffixes)
    raise ModelError(f"{file.name}: no runtime is known for {file.suffix!r} files. Known: {known}")


def load(source: Source, name: str | None = None) -> Model:
    """Load the model in `source.file` with the runtime `name`, or the one its ending tells."""
    return _module(source.file, name).load(source)


def model_files(file: Path, name: str | None = None) -> tuple[Path, ...]:
    """Return all files that make the model in `file`: itself, and those that it refers to."""
    return _module(file, name).files(file)


def _module(file: Path, name: str | None) -> Runtime:
    module: Runtime = import_module(f"podium.runtimes.{runtime_of(file, name)}")  # type: ignore[assignment]
    return module
