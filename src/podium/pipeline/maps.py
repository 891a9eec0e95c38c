"""Where did it look: the maps of one request's predictions, with include=map."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from PIL.Image import Image

from podium.errors import FieldError, InvalidInput
from podium.messages import said
from podium.options import Options
from podium.pipeline.decode import Items
from podium.pipeline.frame import seen
from podium.pipeline.occlusion import Floats, Pixels, explore
from podium.pipeline.postprocess import Scores
from podium.prediction import Box, Caution, ClassPrediction, OcclusionMap, Prediction
from podium.runtimes import Arrays
from podium.spec import Image as ImageSpec
from podium.spec import Layout

MAX_PICTURES: Final = 8
"""How many pictures of one request get a map, since they share its time."""
MAX_BATCH: Final = 32
MAX_VALUES: Final = 1 << 20
"""How many numbers a batch of covered pictures has over all passes, to keep memory flat."""

Infer = Callable[[Arrays, int | None], Scores]
"""Arrays, and the row whose noise all of them get, or None: each its own -> scores."""


class Picture(NamedTuple):
    """The model's input that holds pictures, and the order of its axes."""

    name: str
    layout: Layout

    @classmethod
    def find(cls, inputs: Arrays, layout: Layout) -> Picture:
        """Return which array holds pictures; `layout` decides where both orders are possible.

        Raises:
            InvalidInput: none does: a [pipeline] preprocess made something else of the pictures.
        """
        other: Layout = "NHWC" if layout == "NCHW" else "NCHW"
        for order in (layout, other):
            for name, array in inputs.items():
                if array.ndim == 4 and array.shape[order.index("C")] <= 4:
                    return cls(name, order)
        made = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
        message = f"a map needs pictures of 1 to 4 channels, and the model gets {made}"
        raise InvalidInput([FieldError("include", message)])

    def pixels(self, inputs: Arrays) -> Pixels:
        """Return the pictures, shape (batch, height, width, channels)."""
        array = inputs[self.name]
        return array if self.layout == "NHWC" else np.moveaxis(array, 1, -1)

    def feed(self, inputs: Arrays, row: int, pixels: Pixels) -> dict[str, NDArray[Any]]:
        """Return the arrays of one row, once for each of `pixels` that stand in its place."""
        feed = {name: np.repeat(array[row : row + 1], len(pixels), axis=0)
                for name, array in inputs.items() if name != self.name}  # fmt: skip
        if self.layout == "NCHW":
            pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
        return {self.name: pixels, **feed}


class _Watch:
    """Tells the seconds, but for those in which others worked."""

    def __init__(self, give_way: Callable[[], None]) -> None:
        self._give_way = give_way
        self._rested = 0.0

    def read(self) -> float:
        """Return the time in seconds."""
        return time.perf_counter() - self._rested

    def rest(self) -> None:
        """Let others work."""
        started = time.perf_counter()
        self._give_way()
        self._rested += time.perf_counter() - started


class Asked(NamedTuple):
    """What was asked of a model, and what it said."""

    items: Items
    inputs: Arrays
    scores: Scores


@dataclass(frozen=True)
class Maps:
    """Makes the maps of one model's predictions.

    `image` is None where no pictures are sent; `own` says that the maker's preprocess prepares
    them. `limit_s` is the most time that one request may ask for.
    """

    image: ImageSpec | None
    own: bool
    passes: int
    limit_s: float

    def budget(self, count: int, options: Options) -> float:
        """Return the seconds that the maps of a request's `count` items may take.

        Raises:
            InvalidInput: there are no maps here, or it is asked for too much.
        """
        limit_ms = round(self.limit_s * 1000)
        if self.image is None:
            message = said("map belongs to images; none are sent here")
            raise InvalidInput([FieldError("include", message)])
        if limit_ms == 0:
            message = said("map is turned off for this application ([limits] map)")
            raise InvalidInput([FieldError("include", message)])
        errors: list[FieldError] = []
        if count > MAX_PICTURES:
            message = said("map is for at most %(limit)s images in one request; found %(count)s",
                           limit=MAX_PICTURES, count=count)  # fmt: skip
            errors.append(FieldError("include", message))
        if options.map_ms is not None and options.map_ms > limit_ms:
            message = said("expected at most %(limit)s ([limits] map); found %(found)s",
                           limit=limit_ms, found=options.map_ms)  # fmt: skip
            errors.append(FieldError("map_ms", message))
        if errors:
            raise InvalidInput(errors)
        return (options.map_ms or limit_ms) / 1000

    def picture(self, inputs: Arrays) -> Picture:
        """Return which of the model's inputs holds pictures."""
        return Picture.find(inputs, self.image.layout if self.image else "NCHW")

    def box(self, item: object) -> Box | None:
        """Return the part of a picture that the model sees; None where that cannot be told."""
        if self.own or self.image is None or self.image.trim or not isinstance(item, Image):
            return None
        return seen(item.size, self.image)

    def add(
        self,
        predictions: Sequence[Prediction],
        asked: Asked,
        infer: Infer,
        budget_s: float,
        give_way: Callable[[], None],
    ) -> list[Prediction]:
        """Return predictions with their maps; the time left is divided among those to come.

        `give_way` lets other requests work between two batches, which counts for nobody's time.
        """
        watch = _Watch(give_way)
        ends = watch.read() + budget_s
        made: list[Prediction] = []
        for row, prediction in enumerate(predictions):
            share = (ends - watch.read()) / (len(predictions) - row)
            found = self._map(prediction, asked, row, infer, share, watch)
            if isinstance(found, Caution):
                warnings = [*prediction.warnings, found]
                made.append(structs.replace(prediction, map=None, warnings=warnings))
            else:
                made.append(structs.replace(prediction, map=found))
        return made

    def _map(
        self,
        prediction: Prediction,
        asked: Asked,
        row: int,
        infer: Infer,
        budget_s: float,
        watch: _Watch,
    ) -> OcclusionMap | Caution:
        if asked.scores.label_alone:
            return _no_map(said("a map needs probabilities, and this model tells a label alone"))
        picture = self.picture(asked.inputs)
        told = _mean(asked.scores)[row]
        best = int(told.argmax())

        def ask(pixels: Pixels) -> Floats:
            watch.rest()
            feed = picture.feed(asked.inputs, row, pixels)
            return _mean(infer(feed, row))[:, best]

        pixels = picture.pixels(asked.inputs)[row]
        batch = max(1, min(MAX_BATCH, MAX_VALUES // (pixels.size * self.passes)))
        started = watch.read()
        found = explore(pixels, ask, budget_s, batch, watch.read)
        took_ms = round((watch.read() - started) * 1000, 1)
        if found is None:
            return _no_map(
                said("%(time)s ms are too few for a map by this model ([limits] map)",
                     time=f"{max(0, budget_s) * 1000:.0f}")
            )  # fmt: skip
        rows, columns = found.values.shape
        falls = [[None if np.isnan(value) else value for value in line]
                 for line in (told[best] - found.values).tolist()]  # fmt: skip
        return OcclusionMap(
            label=prediction.label if isinstance(prediction, ClassPrediction) else None,
            rows=rows, columns=columns, values=falls,
            box=self.box(asked.items[row]), patches=found.patches, milliseconds=took_ms,
            cut=found.cut,
        )  # fmt: skip


def _mean(scores: Scores) -> Floats:
    """Return the mean of the passes, shape (batch, classes), or (batch, 1) for a regression."""
    mean: Floats = scores.values.mean(axis=1)
    return mean.reshape(len(mean), -1)


def _no_map(message: str) -> Caution:
    return Caution("map", "no_map", message)
