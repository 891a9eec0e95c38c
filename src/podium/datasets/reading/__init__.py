"""A file of any known kind becomes the `input` table of its work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from podium.datasets.reading.csv import stage_csv
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work
from podium.signature import Signature


class Upload(NamedTuple):
    """A file with the name that its sender gave it."""

    file: Path
    name: str


def stage(
    upload: Upload,
    work: Work,
    signature: Signature,
    wishes: Wishes,
    told: Callable[[float], None] = lambda _: None,
) -> Staged:
    """Take a file in, and return what was found; `told` hears how much is read, from 0 to 1.

    What was begun before is begun anew. The kind is told by the content, not by the name.

    Raises:
        DataError: it cannot be read, or lacks columns.
    """
    work.con.execute("DROP TABLE IF EXISTS input")
    staged = stage_csv(upload.file, work, signature, wishes.target)
    told(1.0)
    work.stage(staged)
    return staged
