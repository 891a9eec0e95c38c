"""A Keras model's configuration is looked at before Keras builds anything of it.

It names classes, functions and files; only Keras's own classes and functions are data. A Lambda
layer holds code.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from json import loads
from pathlib import Path
from typing import Any, Final

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.archive import archive_names
from podium.runtimes.keras import hdf5

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
WEIGHTS: Final = "model.weights.h5"

WAY_OUT_OF_KERAS_2: Final = (
    'Load it with tf_keras and serve the SavedModel that model.export("m") writes.'
)
_PROGRAMS: Final = {"Lambda", "__lambda__", "TorchModuleWrapper"}
_KERAS_2: Final = {"SlicingOpLambda", "TFOpLambda"}
_PLAIN: Final = {
    "__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__",
    "__tuple__", "Functional", "Policy", "TensorShape",
}  # fmt: skip
"""Values, and classes that Keras knows under names that it does not export."""
_FUNCTIONS: Final = re.compile(
    r"builtins|keras(\.src)?\.(activations|constraints|initializers|losses|metrics|ops|regularizers)"
    r"(\.\w+)*"
)
_CLASSES: Final = re.compile(
    r"keras(\.src|\._?legacy|\.api)*(\.(activations|applications|constraints|dtype_policies|engine"
    r"|initializers|layers|losses|metrics|mixed_precision|models|ops|optimizers|quantizers|random"
    r"|regularizers)(\.\w+)*)?"
)
"""Modules with what a model is made of; others of Keras load data, files or whole models."""


@dataclass
class Findings:
    """What a configuration holds beside Keras's own: code, foreign classes, files it reads.

    `bygone` are layers of Keras 2 that Keras 3 lacks.
    """

    programs: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    bygone: set[str] = field(default_factory=set)


def examine(config: object, exported: Callable[[str], bool]) -> Findings:
    """Return what is found; `exported` tells the names of Keras's own classes."""
    findings = Findings()
    for entry in _entries(config):
        if isinstance(entry.get("vocabulary"), str):
            findings.paths.add(entry["vocabulary"])
        if "class_name" in entry:
            _examine_class(entry, exported, findings)
    return findings


def read_archive(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration and the metadata of a .keras archive that holds what it should.

    Raises:
        UntrustedModel: it is a bomb, or something in it leads outside of it.
        ModelError: it is damaged, or no Keras model.
    """
    names = archive_names(file)
    known = {CONFIG, METADATA, WEIGHTS}
    strange = [name for name in names if name not in known and not name.startswith("assets/")]
    if strange or not known.issubset(names):
        told = strange or sorted(known.difference(names))
        word = "holds" if strange else "lacks"
        raise ModelError(f"{file.name} {word} {', '.join(told[:5])}: no model of Keras looks so")
    try:
        with zipfile.ZipFile(file) as archive:
            config, metadata = (loads(archive.read(name)) for name in (CONFIG, METADATA))
            weights = archive.read(WEIGHTS)
        hdf5.audit(f"{file.name}: {WEIGHTS}", BytesIO(weights), len(weights))
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError) as err:
        raise ModelError(f"{file.name} is damaged: {err}") from err
    if not isinstance(config, dict) or not isinstance(metadata, dict):
        raise ModelError(f"{file.name} is damaged: its {CONFIG} or {METADATA} is no JSON object")
    return config, metadata


def _entries(config: object) -> Iterator[dict[str, Any]]:
    """Yield every object of a configuration, however deep."""
    parts = [config]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            yield part
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)


def _examine_class(
    entry: dict[str, Any], exported: Callable[[str], bool], findings: Findings
) -> None:
    name, module, inner = str(entry["class_name"]), entry.get("module"), entry.get("config")
    if name in _PROGRAMS:
        findings.programs.add(name)
    elif name in _KERAS_2:
        findings.bygone.add(name)
    elif name == "TFSMLayer":
        findings.paths.add(str(inner.get("filepath") if isinstance(inner, dict) else inner))
    elif name == "function":
        if not _own(entry, inner, _FUNCTIONS):
            findings.foreign.add(f"{module}.{inner}")
    elif not _is_class(entry, name, exported):
        findings.foreign.add(f"{module}.{name}" if module else name)


def _is_class(entry: dict[str, Any], name: str, exported: Callable[[str], bool]) -> bool:
    """Whether it is a value or a class of Keras; Keras imports a module before it looks in it."""
    module = entry.get("module")
    if name in _PLAIN and module in (None, "builtins"):
        return True
    # A name in small letters, such as load_model or __typespec__, is no class.
    return name[:1].isupper() and (_own(entry, name, _CLASSES) if module else exported(name))


def _own(entry: dict[str, Any], name: object, modules: re.Pattern[str]) -> bool:
    """Whether a class or function is Keras's own, and not registered under another's name."""
    registered = entry.get("registered_name")
    return bool(
        # A registered name, such as "package>name", comes before the module.
        isinstance(name, str)
        and name.isidentifier()
        and modules.fullmatch(str(entry.get("module")))
        and registered in (None, "", name, entry["class_name"])
    )


def refuse_foreign(file: Path, findings: Findings) -> None:
    """Raise an error if a configuration names what is not Keras's own, or reads a file.

    Raises:
        UntrustedModel: naming the classes, functions and files.
        ModelError: it holds what only Keras 2 can build.
    """
    if findings.paths:
        raise UntrustedModel(
            f"{file.name} reads {_listed(findings.paths)} when it is loaded. Save it again with "
            "the vocabulary itself, not the name of a file, and without other models."
        )
    if findings.foreign:
        raise UntrustedModel(
            f"{file.name} holds classes or functions that are not Keras's own: "
            f"{_listed(findings.foreign)}. Save the weights alone, model.save_weights("
            '"m.weights.h5"), and name the function that builds the model: '
            'factory = "module:function".'
        )

    if findings.bygone:
        raise ModelError(
            f"{file.name} holds {_listed(findings.bygone)} of Keras 2, which Keras 3 cannot build. "
            f"{WAY_OUT_OF_KERAS_2}"
        )


def _listed(names: set[str]) -> str:
    return ", ".join(repr(name[:80]) for name in sorted(names)[:5])
