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
from podium.datasets.reading.intake import Intake
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
from podium.filekinds import Known
from podium.messages import Message, joined, said
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
    work.con.execute("DROP TABLE IF EXISTS input; DELETE FROM reasons")
    intake = Intake(work, signature, wishes.target, told, limits or Limits())
    try:
        staged = _take(upload, intake)
    except DataError as err:
        # Where the file lies on this machine is no matter of its sender's.
        raise DataError(Path(printable(upload.name)), err.mistakes, err.count) from err
    notes = (*_other_name(upload, staged), *staged.notes)
    staged = structs.replace(staged, notes=notes)
    told(1.0)
    work.stage(staged)
    return staged


def _take(upload: Upload, intake: Intake) -> Staged:
    """Take a file in as what it is."""
    file, signature = upload.file, intake.signature
    if file.is_dir():
        if signature.image is None:
            raise _refusal(file, said("is a folder. %(expected)s", expected=_expected(signature)))
        return stage_folder(file, intake)
    if not file.stat().st_size:
        raise _refusal(
            file, said("is empty (0 bytes). %(expected)s", expected=_expected(signature))
        )
    return _zip(upload, intake) if is_zip(file) else _table(upload, intake)


def _table(upload: Upload, intake: Intake) -> Staged:
    file, expected = upload.file, _expected(intake.signature)
    parquet = is_parquet(file)
    known = None if parquet else told_apart(file)
    if known is not None:
        raise _refusal(file, joined([_is(known), expected]))
    if intake.signature.image is not None:
        if upload.local:
            return stage_listed(file, intake)
        raise _refusal(file, said("holds no pictures. %(expected)s", expected=expected))
    return stage_parquet(file, intake) if parquet else stage_csv(file, intake)


def _zip(upload: Upload, intake: Intake) -> Staged:
    file, signature = upload.file, intake.signature
    with Archive(file) as archive:
        known = document(archive)
        if known is not None:
            raise _refusal(file, _is(known))
        image, workbook = signature.image is not None, is_workbook(archive)
        if image and workbook:
            raise _refusal(
                file, said("is a spreadsheet (.xlsx). %(expected)s", expected=_expected(signature))
            )
        if image:
            return stage_images(archive, intake)
        if not workbook:
            name = _only_one(archive, signature)
            copy = intake.work.file.with_suffix(".unpacked")
            with archive.unpacked(name, copy, intake.limits.dataset):
                staged = _table(Upload(copy, name), intake)
            note = said("%(file)s in the archive is taken.", file=printable(name))
            return structs.replace(staged, notes=(note, *staged.notes))
    return stage_xlsx(file, intake)


def _only_one(archive: Archive, signature: Signature) -> str:
    """Return the name of the one file of data in an archive."""
    names = [name for name in archive.members if not is_junk(name)]
    data = [name for name in names if name.lower().endswith(_DATA)]
    if len(data) == 1 or len(names) == 1:
        return (data or names)[0]
    told = listed(data or names) or said("no file")
    raise _refusal(archive.file, said("is a zip archive of %(files)s. %(expected)s",
                                      files=told, expected=_expected(signature)))  # fmt: skip


def _expected(signature: Signature) -> Message:
    """Return in words what the application takes."""
    if signature.image is not None:
        return said("Expected a zip archive of pictures, as this application is asked about "
                    "pictures.")  # fmt: skip
    if signature.text is not None:
        return said("Expected texts: a CSV, TSV, Parquet or .xlsx file, or a zip archive of one "
                    "such CSV.")  # fmt: skip
    return said("Expected rows of numbers and words: a CSV, TSV, Parquet or .xlsx file, or a zip "
                "archive of one such CSV.")  # fmt: skip


def _is(known: Known) -> Message:
    return said("is %(kind)s. %(way_out)s", kind=known.name, way_out=known.way_out)


def _refusal(file: Path, reason: Message) -> DataError:
    return DataError(file, [Mistake(said("file"), reason)])


def _other_name(upload: Upload, staged: Staged) -> Iterator[Message]:
    """Tell of a name that promises another kind of file."""
    ending = Path(upload.name).suffix.lower()
    packed = ending == ".zip" and staged.kind != "folder" and is_zip(upload.file)
    if not packed and _ENDINGS.get(ending, staged.kind) != staged.kind:
        yield said("The name ends in %(ending)s; by its content it is read as %(kind)s.",
                   ending=ending, kind=staged.kind)  # fmt: skip
