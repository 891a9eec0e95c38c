"""A data set is scored at once, outside of any job: for a command."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb

from podium.app import App
from podium.datasets.findings import Findings
from podium.datasets.place import Format, Place
from podium.datasets.progress import progress_bar
from podium.datasets.reading import Upload
from podium.datasets.run import run
from podium.datasets.wishes import Wishes
from podium.errors import PodiumError


class Once(NamedTuple):
    """What was found, the folder with the results, which is about to go, and the application."""

    findings: Findings
    place: Place
    app: App


@contextmanager
def scored_once(
    folder: Path, data: Path, output: Path, wishes: Wishes, kinds: Sequence[Format]
) -> Iterator[Once]:
    """Score a data set in a hidden folder beside `output`, which is removed in the end.

    There it takes about three times the room of `data`, and what is written there gets its place
    by being renamed.

    Raises:
        PodiumError: the application, the data set or an option is wrong, or there is no room.
    """
    _check(data, output)
    app = App(folder, patient=True)
    try:
        with (
            TemporaryDirectory(prefix=".podium-", dir=output.parent) as work,
            progress_bar() as progress,
        ):
            place = Place(Path(work))
            upload = Upload(data, data.name, local=True)
            yield Once(run(app, place, upload, wishes, kinds, progress), place, app)
    except (OSError, duckdb.Error) as err:
        told = str(err).replace("IO Error: ", "")
        raise PodiumError(
            f"{data.name} cannot be scored: {told}. The work is done in {output.parent.resolve()}, "
            "where it takes about three times the room of the file."
        ) from err


def _check(data: Path, output: Path) -> None:
    """Refuse what would fail only after the whole data set is scored."""
    if not (data.is_file() or data.is_dir()):
        raise PodiumError(f"{data} is not there. Expected a CSV, TSV, Parquet or Excel file, or a "
                          "zip or a folder of images.")  # fmt: skip
    if output.is_dir():
        raise PodiumError(f"{output} is a folder; name a file in it.")
    if not output.parent.is_dir():
        raise PodiumError(f"There is no folder {output.parent} to write {output.name} into; make "
                          "it first.")  # fmt: skip
    if output.exists() and output.samefile(data):
        raise PodiumError(f"{output} is the data set itself; name another file.")
    if not os.access(output.parent, os.W_OK):
        raise PodiumError(f"Nothing can be written into {output.parent.resolve()}.")
