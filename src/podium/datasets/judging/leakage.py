"""Which rows of a data set the models may have learned from: those in a file of the folder."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from podium.app import App
from podium.datasets.reading import Upload, stage
from podium.datasets.scoring.keys import NONE, keys_of
from podium.datasets.scoring.rows import RowReader
from podium.datasets.wishes import Wishes
from podium.datasets.work import ROW_GROUP, Work
from podium.errors import PodiumError

_MEMORY: Final = "100MB"
"""What the work on a file of the folder may hold, beside that on the data set."""


def rows_also_in(file: Path, work: Work, app: App) -> NDArray[np.intp] | None:
    """Return the labelled rows, from 0, that stand in another labelled file too, with their answer.

    Values are compared as they are understood, however they are written. None where that cannot be
    told: of images, and of a file that cannot be read, or lacks a column.
    """
    if app.signature.image is not None:
        return None
    try:
        keys = _keys_in(file, work.file.parent, app)
    except (duckdb.Error, PodiumError, OSError):
        return None
    if keys is None:
        return None
    there = {"key": keys}  # noqa: F841  named in the query
    found = work.con.execute(
        "SELECT rowid AS row FROM rows WHERE key IN (SELECT key FROM there) ORDER BY row"
    ).fetchnumpy()
    return np.asarray(found["row"], np.intp)


def equal_rows(work: Work) -> int:
    """Return how many labelled rows have the features and the answer of another one."""
    found = work.con.execute(
        "SELECT coalesce(sum(times), 0) FROM (SELECT count(*) AS times FROM rows "  # noqa: S608
        f"WHERE key <> {NONE} GROUP BY key) WHERE times > 1"
    ).fetchone()
    return int(found[0]) if found else 0


def _keys_in(file: Path, room: Path, app: App) -> NDArray[np.uint64] | None:
    """Return the keys of a file's labelled rows, each once; None for one without answers."""
    with TemporaryDirectory(dir=room) as folder, Work(Path(folder) / "work.duckdb") as work:
        work.con.execute(f"SET memory_limit = '{_MEMORY}'")
        staged = stage(Upload(file, file.name), work, app.signature, Wishes())
        if staged.target is None:
            return None
        reader = RowReader(app.signature, staged, work)
        starts = range(0, staged.rows, ROW_GROUP)
        parts = [np.unique(keys_of(reader.read(start, start + ROW_GROUP))) for start in starts]
    keys = np.unique(np.concatenate([np.empty(0, np.uint64), *parts]))
    return np.asarray(keys[keys != NONE], np.uint64)
