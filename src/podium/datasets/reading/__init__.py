"""A file of any known kind becomes the `input` table of its work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import structs

from podium.cells import listed, printable
from podium.datasets.reading.archive import Archive
from podium.datasets.reading.csv import stage_csv
from podium.datasets.reading.excel import stage_xlsx
from podium.datasets.reading.images import TABLES, is_junk, stage_folder, stage_images, stage_listed
from podium.datasets.reading.kinds import (
    document,
    is_parquet,
    is_workbook,
    is_zip,
    told_apart,
)
from podium.datasets.reading.loading import Told
from podium.datasets.reading.parquet import stage_parquet
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work
from podium.errors import DataError, Mistake
from podium.signature import Signature
from podium.spec import Limits

_DATA: Final = (*TABLES, ".parquet")
_ENDINGS: Final = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".xlsx": "xlsx",
    ".xlsm": "xlsx", ".xls": "xls", ".zip": "zip",
}  # fmt: skip


class Upload(NamedTuple):
    """A file with the name that its sender gave it.

    What a `local` one names may be read from this machine's disk: it is the caller's own, never
    sent by somebody.
    """

    file: Path
    name: str
    local: bool = False


def stage(
    upload: Upload,
    work: Work,
    signature: Signature,
    wishes: Wishes,
    told: Told = lambda _: None,
    limits: Limits | None = None,
) -> Staged:
    """Take a file in, and return what was found; `told` hears how much is read, from 0 to 1.

    What was begun before is begun anew. The kind is told by the content, not by the name.

    Raises:
        DataError: it cannot be read, or lacks columns.
    """
    work.con.execute("DROP TABLE IF EXISTS input")
    reader = _Reader(work, signature, wishes.target, told, limits or Limits())
    try:
        staged = reader.take(upload)
    except DataError as err:
        # Where the file lies on this machine is no matter of its sender's.
        raise DataError(Path(printable(upload.name)), err.mistakes, err.count) from err
    notes = (*_other_name(upload, staged), *staged.notes)
    staged = structs.replace(staged, notes=notes)
    told(1.0)
    work.stage(staged)
    return staged


class _Reader(NamedTuple):
    """Takes in a file of any kind."""

    work: Work
    signature: Signature
    target: str | None
    told: Told
    limits: Limits

    def take(self, upload: Upload) -> Staged:
        """Take a file in as what it is."""
        if upload.file.is_dir():
            return self._folder(upload.file)
        if not upload.file.stat().st_size:
            raise _refusal(upload.file, f"is empty (0 bytes). Expected {self._expected()}.")
        if is_zip(upload.file):
            return self._zip(upload)
        return self._table(upload)

    def _folder(self, file: Path) -> Staged:
        if self.signature.image is None:
            raise _refusal(file, f"is a folder. Expected {self._expected()}.")
        return stage_folder(file, self.work, self.signature, self.target)

    def _table(self, upload: Upload) -> Staged:
        parquet = is_parquet(upload.file)
        known = None if parquet else told_apart(upload.file)
        if known is not None:
            expected = f"Expected {self._expected()}."
            raise _refusal(upload.file, f"is {known.name}. {known.way_out} {expected}")
        image = self.signature.image is not None
        given = self.work, self.signature, self.target
        if image and upload.local:
            return stage_listed(upload.file, *given)
        if image:
            raise _refusal(upload.file, f"holds no pictures. Expected {self._expected()}.")
        read = stage_parquet if parquet else stage_csv
        return read(upload.file, *given, self.told)

    def _zip(self, upload: Upload) -> Staged:
        with Archive(upload.file) as archive:
            known = document(archive)
            if known is not None:
                raise _refusal(upload.file, f"is {known.name}. {known.way_out}")
            image, workbook = self.signature.image is not None, is_workbook(archive)
            if image and workbook:
                told = f"is a spreadsheet (.xlsx). Expected {self._expected()}."
                raise _refusal(upload.file, told)
            given = self.work, self.signature, self.target
            if image:
                return stage_images(archive, *given, self.limits.dataset)
            if not workbook:
                name = self._only_one(archive)
                file = self.work.file.with_suffix(".unpacked")
                with archive.unpacked(name, file, self.limits.dataset):
                    staged = self._table(Upload(file, name))
                note = f"{printable(name)} in the archive is taken."
                return structs.replace(staged, notes=(note, *staged.notes))
        return stage_xlsx(upload.file, *given, self.limits.spreadsheet, self.told)

    def _only_one(self, archive: Archive) -> str:
        """Return the name of the one file of data in an archive."""
        names = [name for name in archive.members if not is_junk(name)]
        data = [name for name in names if name.lower().endswith(_DATA)]
        if len(data) == 1 or len(names) == 1:
            return (data or names)[0]
        told = listed(data or names) or "no file"
        raise _refusal(archive.file, f"is a zip archive of {told}. Expected {self._expected()}.")

    def _expected(self) -> str:
        """Return in words what the application takes."""
        if self.signature.image is not None:
            return "a zip archive of pictures, as this application is asked about pictures"
        what = "texts" if self.signature.text is not None else "rows of numbers and words"
        return f"{what}: a CSV, TSV, Parquet or .xlsx file, or a zip archive of one such CSV"


def _refusal(file: Path, reason: str) -> DataError:
    return DataError(file, [Mistake("file", reason)])


def _other_name(upload: Upload, staged: Staged) -> Iterator[str]:
    """Tell of a name that promises another kind of file."""
    ending = Path(upload.name).suffix.lower()
    packed = ending == ".zip" and staged.kind != "folder" and is_zip(upload.file)
    if not packed and _ENDINGS.get(ending, staged.kind) != staged.kind:
        yield f"The name ends in {ending}; by its content it is read as {staged.kind}."
