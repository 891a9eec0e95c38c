"""Where the model looked, drawn over the picture and said in words."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from flask_babel import gettext as _
from flask_babel import ngettext
from numpy.typing import NDArray
from PIL import Image as pil
from PIL.Image import Image, Resampling

from podium.app import App
from podium.pipeline.decode import Items
from podium.prediction import Answer, Box, ClassPrediction, OcclusionMap, Prediction
from podium.web.page.picture import data_url

PIXELS: Final = 480
WEAK: Final = 0.05
"""A fall of the probability, or a part of the value, below which no place decides."""
_LIGHT: Final = (255, 176, 0)
"""Amber over grey differs in brightness as well as in hue, which all eyes tell apart."""
_WHOLE: Final = (0.0, 0.0, 1.0, 1.0)
_DIM, _UNSEEN, _TINT = 0.5, 0.18, 0.6

Values = NDArray[np.float64]


class LookedView(NamedTuple):
    """The picture with its map as a data: URL, and what it says."""

    picture: str
    width: int
    height: int
    alt: str
    words: str
    notes: str


def looked_view(app: App, answer: Answer, items: Items) -> LookedView | None:
    """Return what is shown of the first prediction's map; None without one."""
    prediction = answer.predictions[0]
    found = prediction.map
    if not isinstance(found, OcclusionMap):
        return None
    values, weak = _weights(prediction, found)
    most = float(np.nanmax(values))
    ground = _ground(app, answer.model, items, found.box)
    drawn = draw(ground, np.nan_to_num(values) / max(most, weak), found.box or _WHOLE)
    return LookedView(
        data_url(drawn, "JPEG", quality=88), *drawn.size, _place(values),
        _words(prediction, found, most, most < weak), _notes(found),
    )  # fmt: skip


def draw(ground: Image, strength: Values, box: Box) -> Image:
    """Return a picture in dim grey, lit where `strength`, from 0 to 1, is high.

    `strength` has rows and columns, and lies over the box; what is outside of it is darker.
    """
    width, height = ground.size
    left, top, right, bottom = (
        round(share * side) for share, side in zip(box, (width, height, width, height), strict=True)
    )
    size = max(1, right - left), max(1, bottom - top)
    smooth = pil.fromarray(strength.astype(np.float32)).resize(size, Resampling.BICUBIC)
    lit, seen = pil.new("F", ground.size), pil.new("F", ground.size, _UNSEEN)
    lit.paste(smooth, (left, top))
    seen.paste(_DIM, (left, top, left + size[0], top + size[1]))
    heat = np.clip(np.asarray(lit), 0, 1)[:, :, None]
    grey = np.asarray(ground.convert("L"), np.float32)[:, :, None]
    colour = np.asarray(ground, np.float32) * (1 - _TINT) + np.array(_LIGHT, np.float32) * _TINT
    mixed = grey * np.asarray(seen)[:, :, None] * (1 - heat) + colour * heat
    return pil.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


def as_picture(pixels: NDArray[Any], bgr: bool = False) -> Image:
    """Return a model's array, (height, width, channels), as an RGB picture of its full range."""
    values = np.asarray(pixels, np.float64)
    values = values if values.shape[2] == 3 else values.mean(axis=2, keepdims=True).repeat(3, 2)
    low, high = values.min(), values.max()
    levels = (values[:, :, ::-1] if bgr else values) - low
    return pil.fromarray((levels * (255 / ((high - low) or 1))).astype(np.uint8))


def _ground(app: App, model: str, items: Items, box: Box | None) -> Image:
    """Return the visitor's picture, or the model's where the map's place in it is not known."""
    sent = items[0]
    if box is not None and isinstance(sent, Image):
        return _fitted(sent)
    image = app.image_of(model)
    bgr = image is not None and image.colour == "bgr"
    return _fitted(as_picture(app.picture(model, items), bgr))


def _fitted(image: Image) -> Image:
    scale = PIXELS / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Resampling.BICUBIC, reducing_gap=2.0)


def _weights(prediction: Prediction, found: OcclusionMap) -> tuple[Values, float]:
    """Return how much each place counts, and how much would be little."""
    values = np.array(found.values, np.float64)  # null becomes NaN
    if isinstance(prediction, ClassPrediction):
        return values.clip(0), WEAK
    return np.abs(values), WEAK * abs(prediction.value) or WEAK


def _words(prediction: Prediction, found: OcclusionMap, most: float, weak: bool) -> str:
    whole = found.patches >= found.rows * found.columns
    if isinstance(prediction, ClassPrediction):
        told = {"label": prediction.label, "points": f"{most * 100:.{1 if weak else 0}f}"}
        if not weak:
            return _("Covering the highlighted places lowers the probability of %(label)s most: by "
                     "up to %(points)s percentage points.", **told)  # fmt: skip
        if whole:
            return _("No single place decides it: covering any one lowers the probability of "
                     "%(label)s by at most %(points)s percentage points.", **told)  # fmt: skip
        return _("No place that was tried decides it: covering any one lowers the probability of "
                 "%(label)s by at most %(points)s percentage points.", **told)  # fmt: skip
    amount = f"{most:.3g}{f' {prediction.unit}' if prediction.unit else ''}"
    if not weak:
        return _("Covering the highlighted places changes the value most: by up to %(amount)s.",
                 amount=amount)  # fmt: skip
    if whole:
        return _("No single place decides it: covering any one changes the value by at most "
                 "%(amount)s.", amount=amount)  # fmt: skip
    return _("No place that was tried decides it: covering any one changes the value by at most "
             "%(amount)s.", amount=amount)  # fmt: skip


def _notes(found: OcclusionMap) -> str:
    left = found.rows * found.columns - found.patches
    notes = [
        _("%(count)s places were covered, one at a time, in %(time)s.",
          count=found.patches, time=_time(found.milliseconds))
    ]  # fmt: skip
    if left > 0:
        notes.append(
            ngettext("There was no time for %(num)s more, which stays dark.",
                     "There was no time for %(num)s more, which stay dark.", left)
        )  # fmt: skip
    elif found.cut:
        notes.append(_("The time allowed no finer map."))
    box = found.box or _WHOLE
    if box[0] > 0.01 or box[1] > 0.01 or box[2] < 0.99 or box[3] < 0.99:
        notes.append(_("The dark margin is cut off before the model sees the picture."))
    if found.box is None:
        notes.append(_("The picture is shown as the model got it."))
    return " ".join(notes)


def _place(values: Values) -> str:
    """Return an image's alternative text: where the map is strongest."""
    row, column = np.unravel_index(int(np.nanargmax(values)), values.shape)
    thirds = int(3 * row / values.shape[0]), int(3 * column / values.shape[1])
    return _("The picture with a map over it, which is strongest at the %(place)s.",
             place=_places()[thirds])  # fmt: skip


def _places() -> dict[tuple[int, int], str]:
    """Return what the thirds of a picture are called, by their row and column."""
    return {
        (0, 0): _("top left"), (0, 1): _("top centre"), (0, 2): _("top right"),
        (1, 0): _("middle left"), (1, 1): _("middle centre"), (1, 2): _("middle right"),
        (2, 0): _("bottom left"), (2, 1): _("bottom centre"), (2, 2): _("bottom right"),
    }  # fmt: skip


def _time(milliseconds: float) -> str:
    """Return how long something took; never that it took no time."""
    if milliseconds < 100:
        return _("under 0.1 s")
    return _("%(seconds)s s", seconds=f"{milliseconds / 1000:.1f}")
