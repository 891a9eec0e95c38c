"""A model is asked for some rows once more: all that its passes say is too much to keep of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from podium.app import App
from podium.datasets.reading.images import Pictures, open_pictures
from podium.datasets.rows import RowReader
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work
from podium.errors import PodiumError
from podium.pipeline.columns import Columns
from podium.pipeline.decode import Items, read_images
from podium.pipeline.postprocess import Scores


class Again:
    """Asks models for rows of a data set that is scored."""

    def __init__(self, app: App, work: Work, staged: Staged, wishes: Wishes, file: Path) -> None:
        self._app, self._staged, self._file = app, staged, file
        self._seed = wishes.seed
        self._reader = RowReader(app.signature, staged, work)

    def scores(self, model: str, rows: Sequence[int]) -> Mapping[int, Scores]:
        """Return what a model says of rows, counted from 0, but for those that it fails on.

        A row draws by its number, so that a seed's answer is the same again.
        """
        found: dict[int, Scores] = {}
        pipeline = self._app.served(model).pipeline
        limit = self._app.spec.limits.upload
        with open_pictures(self._file, self._staged, limit) or nullcontext() as pictures:
            for row in rows:
                try:
                    items = self._items(model, row, pictures)
                    if len(items):
                        found[row] = pipeline.scaled(pipeline.scores(items, self._seed, row))
                except (PodiumError, ValueError):
                    continue
        return found

    def _items(self, model: str, row: int, pictures: Pictures | None) -> Items:
        items = self._reader.read(row, row + 1).items
        if isinstance(items, Columns) or pictures is None:
            return items
        bodies = [pictures.read(str(name)) for name in items]
        return read_images(bodies, "inputs[{}]", self._app.image_of(model))
