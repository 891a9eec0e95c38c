"""What a model file tells about itself, as a first guess of an application."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from podium.errors import ModelError
from podium.runtimes import Model, Source, TensorSpec, load
from podium.spec import Feature, Image, Layout

CHANNELS: Final = (1, 3)
GUESSED_PIXELS: Final = 224


@dataclass(frozen=True)
class Guess:
    """A guessed signature; `notes` say what the file did not tell."""

    title: str
    kind: Literal["classification", "regression"]
    labels: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    image: Image | None = None
    notes: tuple[str, ...] = field(default=())


def inspect_model(file: Path) -> Guess:
    """Return what can be guessed from a model file.

    Raises:
        ModelError: it cannot be loaded, or its input is neither features nor an image.
    """
    model = load(Source.alone(file))
    title = file.stem.replace("_", " ").replace("-", " ").capitalize()
    image = _image(model)
    features = () if image else _features(model)
    kind = model.task or _kind(model)
    labels = _labels(model) if kind == "classification" else ()
    return Guess(title, kind, labels, features, image, tuple(_notes(model, image, labels)))


def _image(model: Model) -> Image | None:
    shapes = [spec.shape for spec in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        return None
    _, *rest = shapes[0]
    layout: Layout = "NHWC" if rest[2] in CHANNELS and rest[0] not in CHANNELS else "NCHW"
    channels, *size = rest if layout == "NCHW" else (rest[2], *rest[:2])
    height, width = (pixels or GUESSED_PIXELS for pixels in size)
    colour: Literal["grey", "rgb"] = "grey" if channels == 1 else "rgb"
    if model.inputs[0].dtype.kind in "iu":  # bytes as they are; scaled to 1 all would be 0
        return Image(size=(height, width), colour=colour, layout=layout, scale=1.0)
    return Image(size=(height, width), colour=colour, layout=layout)


def _features(model: Model) -> tuple[Feature, ...]:
    if len(model.inputs) > 1 or not (model.features or _is_matrix(model.inputs[0])):
        return tuple(_feature_of_input(spec) for spec in model.inputs)
    width = model.inputs[0].shape[1]
    if width is None:
        raise ModelError(
            f"The model does not say how many columns {model.inputs[0].name!r} has. "
            "Write podium.toml by hand, with one [[features]] table a column."
        )
    names = model.features or tuple(f"x{index}" for index in range(width))
    return tuple(Feature(name=name) for name in names)


def _is_matrix(spec: TensorSpec) -> bool:
    return len(spec.shape) == 2 and spec.shape[1] != 1


def _feature_of_input(spec: TensorSpec) -> Feature:
    if len(spec.shape) > 2 or (len(spec.shape) == 2 and spec.shape[1] not in (1, None)):
        raise ModelError(
            f"The input {spec.name!r} of shape {list(spec.shape)} is neither a feature nor an "
            "image. Write podium.toml by hand, with a [pipeline] preprocess."
        )
    if spec.dtype == np.object_:
        raise ModelError(
            f"The input {spec.name!r} takes text, and the file does not say which. Write "
            'podium.toml by hand, with kind = "category" and its choices.'
        )
    kinds: dict[str, Any] = {"i": "integer", "u": "integer", "b": "boolean"}
    return Feature(name=spec.name, kind=kinds.get(spec.dtype.kind, "number"))


def _kind(model: Model) -> Literal["classification", "regression"]:
    """A label beside scores, or several scores, make a classifier; one number a regressor."""
    if model.labels or any(spec.dtype.kind in "iuO" for spec in model.outputs):
        return "classification"
    return "classification" if (_classes(model) or 0) > 1 else "regression"


def _classes(model: Model) -> int | None:
    """Return the width of the scores; None when the file leaves it open."""
    widths = [spec.shape[-1] for spec in model.outputs
              if spec.dtype.kind == "f" and len(spec.shape) == 2]  # fmt: skip
    return widths[0] if widths else None


def _labels(model: Model) -> tuple[str, ...]:
    if model.labels:
        return model.labels
    classes = _classes(model)
    if not classes:
        raise ModelError(
            "The model does not say how many classes it has. Write podium.toml by hand, with "
            "[task] labels."
        )
    return tuple(f"class {index}" for index in range(max(2, classes)))


def _notes(model: Model, image: Image | None, labels: tuple[str, ...]) -> list[str]:
    notes = []
    if labels and not model.labels:
        notes.append("The file names no classes: write their names under [task] labels.")
    if image:
        notes.append("Check [image] against the training: size, resize, colour, scale, mean, std.")
    elif not model.features and len(model.inputs) == 1:
        notes.append("The file names no features: write their names, units and ranges.")
    return notes
