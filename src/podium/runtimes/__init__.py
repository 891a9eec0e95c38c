"""The formats that Podium loads: one module a format, all of one shape.

A runtime module has `load(source) -> Model` and `files(file)`, some also `export_onnx(source,
example, file)` and `check_trust(source)`, and imports its framework only inside of functions.
`load` raises MissingExtra when the framework is not installed, UntrustedModel when the file is a
program that nobody vouched for, and ModelError for all else that is wrong.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from podium.errors import MissingExtra, ModelError, PodiumError, UntrustedModel, nearest
from podium.runtimes.base import Arrays, Model, Source, Task, TensorSpec

__all__ = [
    "RUNTIMES",
    "Arrays",
    "Model",
    "Source",
    "Task",
    "TensorSpec",
    "check_inside",
    "check_trust",
    "export_onnx",
    "load",
    "model_files",
    "runtime_of",
]


# Some frameworks report to their makers what models are loaded, from their import on. What an
# application serves is nobody else's business; whoever sets a variable keeps its value.
for _variable in (
    "ORT_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"
):  # fmt: skip
    os.environ.setdefault(_variable, "1")


class Format(NamedTuple):
    """What a runtime answers to: file endings, or a folder in which the file `marker` lies."""

    suffixes: tuple[str, ...] = ()
    marker: str = ""


RUNTIMES: Final = {
    "onnx": Format((".onnx",)),
    "sklearn": Format((".skops", ".pkl", ".pickle", ".joblib")),
    "torch": Format((".pt2", ".pt", ".pth", ".safetensors")),
    "keras": Format((".keras", ".h5", ".hdf5")),
    "tflite": Format((".tflite",)),
    "xgboost": Format((".ubj", ".json", ".xgb")),
    "lightgbm": Format((".txt", ".lgb")),
    "mlflow": Format(marker="MLmodel"),
    "tensorflow": Format(marker="saved_model.pb"),
    "transformers": Format(marker="config.json"),
    "python": Format((".py",)),
}
"""Each runtime's module name and the formats that it answers to; the first that fits counts."""


class Runtime(Protocol):
    """What a runtime module looks like."""

    @staticmethod
    def load(source: Source) -> Model:
        """Return the model in `source.file`; raise ModelError when that cannot be."""

    @staticmethod
    def files(file: Path) -> tuple[Path, ...]:
        """Return all files that make the model, `file` first; all lie in its folder."""


def runtime_of(file: Path, name: str | None = None) -> str:
    """Return the runtime that `name` or, without one, the file's or folder's form stands for.

    Raises:
        ModelError: naming the known runtimes, endings and folders.
    """
    if name is not None:
        if name not in RUNTIMES:
            hint = nearest(name, RUNTIMES) or f" Known: {', '.join(RUNTIMES)}."
            raise ModelError(f"There is no runtime {name!r}.{hint}")
        return name
    for runtime, (suffixes, marker) in RUNTIMES.items():
        if file.is_dir() and marker and (file / marker).is_file():
            return runtime
        if not file.is_dir() and file.suffix.lower() in suffixes:
            return runtime
    if file.is_dir():
        known = ", ".join(known.marker for known in RUNTIMES.values() if known.marker)
        raise ModelError(f"{file.name}: a model's folder holds one of: {known}.{named_in(file)}")
    known = ", ".join(suffix for known in RUNTIMES.values() for suffix in known.suffixes)
    raise ModelError(f"{file.name}: no runtime is known for {file.suffix!r} files. Known: {known}")


def named_in(folder: Path) -> str:
    """Return a sentence that names the model files in a folder that is no model; "" for none."""
    endings = [suffix for name in ("onnx", "torch", "keras", "tflite", "sklearn")
               for suffix in RUNTIMES[name].suffixes]  # fmt: skip
    found = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in endings)
    return f" It holds {', '.join(found[:3])}: name that file, not its folder." if found else ""


def load(source: Source) -> Model:
    """Load a model with the runtime that podium.toml names, or the one its form tells.

    Raises:
        ModelError: it cannot be loaded; UntrustedModel when it is not safe to.
    """
    module = _module(source.file, source.runtime)
    check_inside(source, module.files(source.file))
    return module.load(source)


def model_files(file: Path, runtime: str | None = None) -> tuple[Path, ...]:
    """Return all files that make the model in `file`: itself, and those that it refers to."""
    return _module(file, runtime).files(file)


def check_trust(source: Source) -> None:
    """Look for pickles and the like for which nobody vouches; nothing is loaded of them.

    What else is a program by its content is told when the model is loaded.

    Raises:
        UntrustedModel: naming the file, the risk and the remedy.
        ModelError: it cannot be read, or a file that it refers to leads outside of its root.
    """
    module = _module(source.file, source.runtime)
    check_inside(source, module.files(source.file))
    look = getattr(module, "check_trust", None)
    if look is not None:
        look(source)


def export_onnx(source: Source, example: Arrays, file: Path) -> None:
    """Write a model as an ONNX graph to `file`; `example` is a batch of its inputs.

    Raises:
        ModelError: its runtime exports none, or not this one; MissingExtra when a package for
            it is not installed.
    """
    export = getattr(_module(source.file, source.runtime), "export_onnx", None)
    if export is None:
        able = (name for name in RUNTIMES if hasattr(_runtime(name), "export_onnx"))
        kind = runtime_of(source.file, source.runtime)
        raise ModelError(
            f"{source.file.name}: a model of the runtime {kind!r} cannot be exported to ONNX; "
            f"those of these can: {', '.join(able)}"
        )
    try:
        export(source, example, file)
    except PodiumError:
        raise
    except ImportError as err:
        raise MissingExtra(f"{source.file.name} (export to ONNX)", "optimize") from err
    except Exception as err:  # exporters raise whatever they meet
        told = str(err).strip().partition("\n")[0]
        raise ModelError(
            f"{source.file.name} cannot be exported to ONNX: {type(err).__name__}: {told}"
        ) from err


def check_inside(source: Source, files: tuple[Path, ...]) -> None:
    """Raise UntrustedModel if a file of the model, such as a link, leads out of its root."""
    root = source.root.resolve()
    for file in files:
        if not file.resolve().is_relative_to(root):
            raise UntrustedModel(
                f"{source.file.name}: {file.name} leads outside of {root.name}/. "
                "Put the file itself into the application folder."
            )


def _module(file: Path, name: str | None) -> Runtime:
    return _runtime(runtime_of(file, name))


def _runtime(name: str) -> Runtime:
    module: Runtime = import_module(f"podium.runtimes.{name}")  # type: ignore[assignment]
    return module
