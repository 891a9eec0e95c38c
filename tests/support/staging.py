"""Data sets as somebody sends them, taken in."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from podium.datasets.reading import Upload, stage
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work
from podium.errors import DataError
from podium.signature import Signature
from podium.spec import Feature, Image, Limits

TABLE = Signature("regression", "weight", "kg", (), (
    Feature(name="length"), Feature(name="count", kind="integer"),
    Feature(name="wet", kind="boolean"),
))  # fmt: skip
"""An application that is asked about rows of a number, a whole number and a boolean."""

COLOURS = Signature(
    "classification", "colour", None, ("red", "green", "blue"), (), Image(size=(16, 16))
)
"""An application that is asked about pictures."""


class Taken(NamedTuple):
    """What was taken in: what is known of it, and the rows with their problem at the end."""

    staged: Staged
    rows: list[tuple[str | None, ...]]

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [one.name for one in self.staged.columns]


def take(
    folder: Path, content: bytes | Path, name: str = "data", signature: Signature = TABLE,
    target: str | None = None, local: bool = False, limits: Limits | None = None,
) -> Taken:  # fmt: skip
    """Take in a file, or bytes as a file that was sent."""
    file = content if isinstance(content, Path) else folder / "upload"
    if isinstance(content, bytes):
        file.write_bytes(content)
    with Work(folder / "work" / "work.duckdb") as work:
        upload = Upload(file, name, local)
        staged = stage(upload, work, signature, Wishes(target=target), limits=limits)
        return Taken(staged, work.con.execute("SELECT * FROM input").fetchall())


def refusal(
    folder: Path, content: bytes | Path, name: str = "data", signature: Signature = TABLE,
    target: str | None = None, local: bool = False, limits: Limits | None = None,
) -> str:  # fmt: skip
    """Return the one reason for which a file is not taken in; nothing of it is left."""
    with pytest.raises(DataError) as caught:
        take(folder, content, name, signature, target, local, limits)
    assert str(caught.value.file) == name
    left = {path.name for path in (folder / "work").iterdir()} - {"work.duckdb"}
    assert left == set()
    (mistake,) = caught.value.mistakes
    return mistake.message
