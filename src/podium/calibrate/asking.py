"""Labelled rows are put to one model, a part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from podium.app import App
from podium.errors import FieldError, InvalidInput
from podium.labelled import Labelled, Line, Mistakes
from podium.pipeline.calibration import keys
from podium.pipeline.conformal import Method, check_method, default_method
from podium.pipeline.decode import Items, read_images
from podium.pipeline.metrics import Floats
from podium.pipeline.postprocess import Scores
from podium.spec import Image

ROWS_AT_ONCE: Final = 1000
VALUES: Final = 10_000_000
LEAST_ROWS: Final = 5_000
"""Of more rows some are drawn, so that all passes' answers are about VALUES; of fewer none are."""

PIXELS_AT_ONCE: Final = 32_000_000
"""Of images those are read together that have so many pixels, for the memory."""


def some_of(data: Labelled, values: int) -> Labelled:
    """Return as many rows, drawn at random, as fit in memory with so many `values` each."""
    most = max(LEAST_ROWS, VALUES // values)
    if len(data.lines) <= most:
        return data
    places = np.random.default_rng(0).choice(len(data.lines), most, replace=False)
    return replace(data, lines=tuple(data.lines[place] for place in np.sort(places)))


class Asking:
    """Asks one model for its scores of labelled rows, a part at a time."""

    def __init__(
        self, app: App, model: str, ask: Callable[[Items], Scores], method: Method | None
    ) -> None:
        self.ask, self.method = ask, method
        self.image: Image | None = app.image_of(model)
        self.at_once = min(ROWS_AT_ONCE, app.spec.limits.rows)

    def all(self, data: Labelled, told: Callable[[int], None]) -> tuple[Scores, Floats]:
        """Return the scores of all rows, and each row's random number.

        Raises:
            DataError: naming the lines of images that cannot be read, or of rows without answer.
            CalibrationError: the method does not fit the model.
        """
        parts: list[Scores] = []
        drawn: list[Floats] = []
        mistakes = Mistakes()
        done = 0
        for lines, items in self._batches(data.lines, mistakes):
            try:
                parts.append(self.ask(items))
            except InvalidInput:
                self._add_refused(lines, items, mistakes)
            else:
                drawn.append(keys(items))
                if len(parts) == 1:
                    self._check(parts[0])
            done += len(lines)
            told(done)
        if mistakes.count:
            raise mistakes.error(data.file)
        return _joined(parts), np.concatenate(drawn)

    def _check(self, scores: Scores) -> None:
        check_method(scores, self.method or default_method(scores))

    def _batches(
        self, lines: Sequence[Line], mistakes: Mistakes
    ) -> Iterator[tuple[Sequence[Line], Any]]:
        """Yield lines with their items; images that cannot be read are added to the mistakes."""
        if self.image is None:
            for start in range(0, len(lines), self.at_once):
                part = lines[start : start + self.at_once]
                yield part, [line.item for line in part]
            return
        read: list[tuple[Line, Any]] = []
        pixels = 0
        for line in lines:
            try:
                (image,) = read_images([Path(str(line.item)).read_bytes()], "image", self.image)
            except InvalidInput as err:
                kind = err.errors[0].message
                mistakes.add(line.number, FieldError("", f"{line.item} {kind}"), kind)
                continue
            read.append((line, image))
            pixels += image.width * image.height
            if len(read) == self.at_once or pixels >= PIXELS_AT_ONCE:
                yield [one for one, _ in read], [image for _, image in read]
                read, pixels = [], 0
        if read:
            yield [one for one, _ in read], [image for _, image in read]

    def _add_refused(self, lines: Sequence[Line], items: Any, mistakes: Mistakes) -> None:
        """Add those of a part of the rows that the model does not answer."""
        for line, item in zip(lines, items, strict=True):
            try:
                self.ask([item])
            except InvalidInput as err:
                mistakes.add(line.number, FieldError("", err.errors[0].message))


def _joined(parts: Sequence[Scores]) -> Scores:
    """Return the scores of several parts of the rows as those of all."""
    columns = {name: [getattr(part, name) for part in parts] for name in Scores._fields}
    arrays: dict[str, Any] = {
        name: np.concatenate(column)
        for name, column in columns.items()
        if isinstance(column[0], np.ndarray)
    }
    return parts[0]._replace(**arrays)
