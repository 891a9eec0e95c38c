"""What a built Keras model tells of itself: its task, its pictures, the choices of its texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

from podium.runtimes.base import Task, TensorSpec
from podium.spec import Image, Layout

_PROBABILITIES: Final = {"softmax", "sigmoid"}
_AMOUNTS: Final = {"relu", "softplus", "exponential"}
"""Activations of amounts; one linear number may also be a logit."""
_CHANNELS: Final[dict[int | None, Literal["grey", "rgb"]]] = {1: "grey", 3: "rgb"}
_PIXELS: Final = 1 / 50
"""A first layer that scales by less than this takes 8-bit values."""


def task(model: Any, loss: object) -> Task | None:
    """Return what a model answers, by its loss if it was compiled, else by its last layer."""
    named = str(loss).lower()
    if "crossentropy" in named:
        return "classification"
    if "error" in named or named in ("mse", "mae", "mape", "msle", "huber", "log_cosh"):
        return "regression"
    last = _last(model)
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    if activation in _PROBABILITIES or type(last).__name__.lower() in _PROBABILITIES:
        return "classification"
    width = getattr(last, "units", None)
    return "regression" if width == 1 and activation in _AMOUNTS else None


def caution(model: Any) -> str:
    """Return what the maker should know of the last layer, or ""."""
    last = _last(model)
    width = getattr(last, "units", None) or 1
    if getattr(getattr(last, "activation", None), "__name__", "") != "sigmoid" or width == 1:
        return ""
    return (
        f"The last layer is a sigmoid over {width} classes, which need not exclude each other. "
        "Podium answers with one of them: the probabilities it shows sum to 1."
    )


def image(model: Any, inputs: Sequence[TensorSpec]) -> Image | None:
    """Return how pictures are prepared; None unless the model itself scales 8-bit values."""
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        return None
    _, *rest = inputs[0].shape
    layout: Layout = "NHWC" if rest[2] in _CHANNELS else "NCHW"
    height, width, channels = rest if layout == "NHWC" else (rest[1], rest[2], rest[0])
    raw = inputs[0].dtype.kind in "iu" or _scales_pixels(model)
    if not raw or channels not in _CHANNELS or height is None or width is None:
        return None
    return Image(size=(height, width), colour=_CHANNELS[channels], layout=layout, scale=1.0)


def choices(keras: Any, model: Any) -> dict[str, tuple[str, ...]]:
    """Return the words that an input of text may be, by its name, where a lookup lists them."""
    return {
        layer.input.name: tuple(map(str, layer.get_vocabulary(include_special_tokens=False)))
        for layer in _layers(model)
        if isinstance(layer, keras.layers.StringLookup) and not layer.invert and layer.built
    }


def _last(model: Any) -> Any:
    while parts := getattr(model, "operations", None) or getattr(model, "layers", None):
        model = parts[-1]
    return model


def _layers(model: Any) -> Iterator[Any]:
    """Yield the layers of a model and of the models in it, in their order."""
    for layer in getattr(model, "layers", ()):
        if getattr(layer, "layers", None):
            yield from _layers(layer)
        else:
            yield layer


def _scales_pixels(model: Any) -> bool:
    """Whether the first layer that does anything without training is a Rescaling of pixels."""
    for layer in _layers(model):
        kind = type(layer).__name__
        if kind != "InputLayer" and not kind.startswith("Random"):
            scale = getattr(layer, "scale", None)
            return kind == "Rescaling" and isinstance(scale, float) and abs(scale) < _PIXELS
    return False
