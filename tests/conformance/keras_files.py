"""Keras files that were changed after they were saved."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py

from tests.conformance.keras_cases import dense, save


def describe(file: Path, **metadata: Any) -> None:
    """Write metadata.json of a .keras archive."""
    rewrite(file, {"metadata.json": json.dumps(metadata).encode()})


def rewrite(file: Path, parts: dict[str, bytes]) -> Path:
    """Change parts of a .keras archive, or add some."""
    with zipfile.ZipFile(file) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in (kept | parts).items():
            archive.writestr(name, body)
    return file


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
