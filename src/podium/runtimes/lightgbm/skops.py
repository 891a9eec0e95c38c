"""LightGBM's scikit-learn wrappers saved by skops: the model is a text in the archive.

The text and the classes are read as data; none of the types that the archive names is made.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from podium.runtimes.archive import open_archive

_SCHEMA: Final = "schema.json"

Node = Mapping[str, Any]


class Wrapped(NamedTuple):
    """The model's text, its classes, and after how many rounds training was best; 0 is the last."""

    text: bytes
    labels: tuple[str, ...]
    rounds: int


def read_wrapper(file: Path) -> Wrapped:
    """Return what an archive with a fitted LGBMClassifier or LGBMRegressor holds.

    Raises:
        ModelError: the archive is damaged or forged.
        ValueError, KeyError, TypeError: it holds something else.
    """
    with open_archive(file, file.name) as archive:
        parts = json.loads(archive.read(_SCHEMA))["content"]["content"]
        booster = parts["_Booster"]["content"]["content"]
        labels = _array(archive, parts["_classes"])
    rounds = max(0, int(json.loads(booster["best_iteration"]["content"])))
    return Wrapped(json.loads(booster["_handle"]["content"]).encode(), labels, rounds)


def _array(archive: zipfile.ZipFile, node: Node) -> tuple[str, ...]:
    if node["__loader__"] == "JsonNode":  # null: a regressor has no classes
        return ()
    if "file" not in node:
        return tuple(str(json.loads(one["content"])) for one in node["content"])
    stored = io.BytesIO(archive.read(node["file"]))
    return tuple(map(str, np.load(stored, allow_pickle=False).tolist()))
