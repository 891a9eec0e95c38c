"""A data set that was taken in is scored, chunk after chunk, by one model or several."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.app import App, Served
from podium.datasets.answers import Columns, Teller
from podium.datasets.rows import Chunk, RowReader
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work
from podium.errors import InvalidInput, ModelError, UnknownModel
from podium.pipeline import images_together
from podium.pipeline.decode import Items, read_images

MAX_ROWS: Final = 1 << 16
"""The most rows of one chunk."""
MAX_SCORES: Final = 2_000_000
"""How many scores of passes and classes one chunk may have: 16 MB, and some times that while
something is computed from them."""
IMAGES: Final = 32
TEXTS: Final = 256
_FAILURES: Final = 50
"""After so many rows that a model fails on, with none that it answers, it is the model."""

Told = Callable[[int, int], None]
"""Hears how many rows are scored, and of how many."""


class Scoring:
    """Scores what `work` holds; it goes on where it was left.

    The chunks are the same whenever it is run: so are the answers, to the last bit, of models that
    a seed decides.
    """

    def __init__(self, app: App, work: Work, staged: Staged, wishes: Wishes, file: Path) -> None:
        self.app, self.work, self.staged, self.wishes = app, work, staged, wishes
        for name in wishes.models:
            if name not in app.names:
                raise UnknownModel(name, app.names)
        self.models = tuple(dict.fromkeys(wishes.models)) or app.names[:1]
        self._reader = RowReader(app.signature, staged, work)
        self._archive = zipfile.ZipFile(file) if staged.kind == "zip" else None
        self._failed = 0
        self._answered = False

    def run(self, told: Told = lambda *_: None) -> None:
        """Score all rows that have no answers yet.

        Raises:
            ModelError: a model cannot be loaded, or fails on every row.
        """
        served = [self.app.served(name) for name in self.models]
        judged = self.staged.target is not None
        level = self.wishes.confidence_level
        tellers = [Teller(one.pipeline, level, judged) for one in served]
        size = self._size(served)
        start = self.work.scored
        told(start, self.staged.rows)
        while start < self.staged.rows:
            chunk = self._reader.read(start, start + size)
            told_by = zip(served, tellers, strict=True)
            answers = [self._ask(chunk, one, teller) for one, teller in told_by]
            tables = {f"answers_{index}": columns for index, columns in enumerate(answers)}
            self.work.add({"rows": _of_rows(chunk), **tables}, chunk.stop)
            start = chunk.stop
            told(start, self.staged.rows)

    def _size(self, served: list[Served]) -> int:
        if self.app.signature.image is not None:
            return IMAGES
        if self.app.signature.text is not None:
            return TEXTS
        passes = max(one.pipeline.passes for one in served)
        return max(
            1, min(MAX_ROWS, MAX_SCORES // (passes * max(1, len(self.app.signature.labels))))
        )

    def _ask(self, chunk: Chunk, served: Served, teller: Teller) -> Columns:
        """Return a model's answers to a whole chunk; rows without one are unknown."""
        step = max(1, len(chunk.places))
        image = self.app.image_of(served.spec.name)
        if image is not None:
            step = images_together(image)
        told = teller.unknown(chunk.stop - chunk.start)
        for first in range(0, len(chunk.places), step):
            rows = slice(first, min(first + step, len(chunk.places)))
            for places, columns in self._answers(chunk, rows, served, teller):
                for name, values in columns.items():
                    told[name][places] = values
        return told

    def _answers(
        self, chunk: Chunk, rows: slice, served: Served, teller: Teller
    ) -> Iterator[tuple[NDArray[np.intp], Columns]]:
        """Yield the answers to some items; of one that the model fails on, the reason is kept."""
        places = chunk.places[rows]
        try:
            items = self._items(chunk, rows, served)
            first = chunk.start + rows.start
            pipeline = served.pipeline
            scores = pipeline.scaled(pipeline.scores(items, self.wishes.seed, first))
            truth = None if chunk.truth is None else chunk.truth[places]
            made = teller.columns(scores, items, truth)
        except (InvalidInput, ModelError) as err:
            if len(places) == 1:
                self._keep(chunk, int(places[0]), served.spec.name, err)
                return
            half = (rows.start + rows.stop) // 2
            yield from self._answers(chunk, slice(rows.start, half), served, teller)
            yield from self._answers(chunk, slice(half, rows.stop), served, teller)
            return
        self._answered = True
        yield places, made

    def _keep(self, chunk: Chunk, row: int, model: str, err: Exception) -> None:
        self._failed += 1
        if isinstance(err, ModelError) and self._failed >= _FAILURES and not self._answered:
            raise err
        told = str(err) if len(self.models) == 1 else f"{model}: {err}"
        before = chunk.problems.get(row)
        chunk.problems[row] = f"{before}; {told}" if before and told not in before else told

    def _items(self, chunk: Chunk, rows: slice, served: Served) -> Items:
        items = chunk.items[rows]
        if self._archive is None:
            return items
        bodies = [self._archive.read(str(name)) for name in items]
        return read_images(bodies, "image", self.app.image_of(served.spec.name))


def _of_rows(chunk: Chunk) -> dict[str, NDArray[Any]]:
    """Return what is known of each row, whatever a model says."""
    count = chunk.stop - chunk.start
    made: dict[str, NDArray[Any]] = {}
    for name, texts in (("problem", chunk.problems), ("warning", chunk.warnings)):
        column = np.full(count, None, object)
        for row, text in texts.items():
            column[row] = text
        made[name] = column
    made["truth"] = np.full(count, np.nan) if chunk.truth is None else chunk.truth
    return made
