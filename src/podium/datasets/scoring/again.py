"""A model is asked for some rows once more: all that its passes say is too much to keep of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from podium.datasets.dataset import Dataset
from podium.datasets.scoring.pictures import model_items, open_pictures
from podium.datasets.scoring.rows import RowReader
from podium.errors import PodiumError
from podium.pipeline.postprocess import Scores


def scores_again(data: Dataset, model: str, rows: Sequence[int]) -> Mapping[int, Scores]:
    """Return what a model says of rows, counted from 0, but for those that it fails on.

    A row draws by its number, so that a seed's answer is the same again.
    """
    found: dict[int, Scores] = {}
    pipeline = data.app.served(model).pipeline
    reader = RowReader(data.app.signature, data.staged, data.work)
    limit = data.app.spec.limits.upload
    with open_pictures(data.upload.file, data.staged, limit) or nullcontext() as pictures:
        for row in rows:
            try:
                chunk = reader.read(row, row + 1)
                items = model_items(chunk.items, pictures, data.app.image_of(model))
                if len(items):
                    found[row] = pipeline.scaled(pipeline.scores(items, data.wishes.seed, row))
            except (PodiumError, ValueError):
                continue
    return found
