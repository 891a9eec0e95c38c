"""Spreadsheets: .xlsx files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from podium.cells import listed
from podium.datasets.reading.archive import Archive
from podium.datasets.reading.filling import Filling
from podium.datasets.reading.intake import Intake
from podium.datasets.reading.match import MAX_COLUMNS, Matched, match
from podium.datasets.reading.workbook import Cells, Sheet, SheetRow, Workbook
from podium.datasets.wishes import Staged
from podium.errors import DataError, Mistake
from podium.messages import Message, joined, said, said_of, told_by
from podium.strict import Size

UNPACKED: Final = 10
"""How many times [limits] spreadsheet the parts of a workbook may unpack to; cells of numbers
shrink to a third or a fifth, repeated texts to less."""


def stage_xlsx(file: Path, intake: Intake) -> Staged:
    """Take in the first sheet that has the columns; its first row names them.

    A cell comes as the text of what it holds: 5, 0.25 for 25%, true, 2026-11-23; a formula as the
    value that was saved with it. Rows that hold nothing in a column with a name are left out, and
    so are columns without a name or a cell.

    Raises:
        DataError: it is larger than [limits] spreadsheet, cannot be read, or no sheet has the
            columns.
    """
    size, limit = file.stat().st_size, intake.limits.spreadsheet
    if size > limit:
        reason = said(
            "has %(size)s MB; the limit is %(limit)s ([limits] spreadsheet). Save the sheet as "
            "CSV, which may be larger.",
            size=f"{size / 1e6:,.1f}", limit=Size(limit),
        )  # fmt: skip
        raise DataError(file, [Mistake("xlsx", reason)])
    with Archive(file) as archive:
        try:
            workbook = Workbook(archive, limit * UNPACKED)
            return _fill(file, workbook, _choose(file, workbook, intake), intake)
        except ValueError as err:
            raise DataError(file, [Mistake("xlsx", told_by(err))]) from err


class _Taken(NamedTuple):
    """A sheet, the names of its columns by their places, and what they are for."""

    sheet: Sheet
    names: dict[int, str]
    matched: Matched


def _choose(file: Path, workbook: Workbook, intake: Intake) -> _Taken:
    """Return the first sheet with the columns; a visible one, if any."""
    first: DataError | None = None
    for sheet in sorted(workbook.sheets, key=lambda one: one.hidden):
        header = next(workbook.rows(sheet, workbook.cells()), None)
        if header is None:
            continue
        names = {place: name for place, text in sorted(header.cells.items())
                 if (name := text.strip())}  # fmt: skip
        try:
            matched = match(file, [*names.values()], intake.signature, intake.target)
            return _Taken(sheet, names, matched)
        except DataError as err:
            first = first or _of_sheet(err, sheet, workbook)
    if first is None:
        raise ValueError(
            said("holds no rows: all its sheets are empty")
            if workbook.sheets
            else said("holds no rows: it has no sheet of cells")
        )
    raise first


def _of_sheet(err: DataError, sheet: Sheet, workbook: Workbook) -> DataError:
    """Return the error with the sheet that it is about, where there are several."""
    if len(workbook.sheets) == 1:
        return err
    told = said("no sheet has the columns; this is what the first, %(sheet)s, lacks",
                sheet=repr(sheet.name))  # fmt: skip
    return DataError(err.file, [Mistake(said("sheets"), told), *err.mistakes])


def _fill(file: Path, workbook: Workbook, taken: _Taken, intake: Intake) -> Staged:
    columns, places = taken.matched.columns, [*taken.names]
    needed = {place: one.name for place, one in zip(places, columns, strict=True) if one.feature}
    named, known = frozenset(places), set(places)
    cells, filling = workbook.cells(), Filling(intake.work, len(places))
    rows = workbook.rows(taken.sheet, cells, intake.told)
    next(rows)  # the header
    outside = unsaved = 0
    for row in rows:
        unsaved += len(row.unsaved & named)
        if named.isdisjoint(row.cells) and named.isdisjoint(row.unsaved):
            outside += len(row.cells)
            continue
        for place in sorted(row.cells.keys() - known)[: MAX_COLUMNS - len(places)]:
            filling.widen()
            places.append(place)
            known.add(place)
        outside += len(row.cells.keys() - known)
        filling.add([row.cells.get(place) for place in places], _problem(row, needed))
    filling.finish()
    if not filling.rows:
        raise ValueError(said("has a header and no rows; expected one row an item"))
    matched = taken.matched
    if len(places) > len(named):
        filling.arrange(sorted(range(len(places)), key=places.__getitem__))
        header = [taken.names.get(place, "") for place in sorted(places)]
        matched = match(file, header, intake.signature, intake.target)
    notes = (*_notes(workbook, taken.sheet, cells, outside, unsaved), *matched.notes)
    return Staged(kind="xlsx", columns=matched.columns, rows=filling.rows, notes=notes)


def _problem(row: SheetRow, needed: dict[int, str]) -> Message | None:
    if not row.unsaved:
        return None
    names = [name for place, name in needed.items() if place in row.unsaved]
    told = [
        said(
            "%(column)s: holds a formula whose value was not saved, in row %(row)s of the sheet",
            column=name, row=f"{row.number:,}",
        )
        for name in names
    ]  # fmt: skip
    return joined(told, "; ") if told else None


def _notes(
    workbook: Workbook, sheet: Sheet, cells: Cells, outside: int, unsaved: int
) -> Iterator[Message]:
    others = [repr(one.name) for one in workbook.sheets if one is not sheet]
    if others:
        yield said_of(
            len(others), "The sheet %(sheet)s is taken; %(others)s is not.",
            "The sheet %(sheet)s is taken; %(others)s are not.",
            sheet=repr(sheet.name), others=listed(others),
        )  # fmt: skip
    if sheet.hidden:
        yield said("The sheet %(sheet)s is hidden; no other has the columns.",
                   sheet=repr(sheet.name))  # fmt: skip
    if cells.hidden:
        yield said("Rows that are hidden are taken too: %(rows)s.", rows=f"{cells.hidden:,}")
    if cells.formulas:
        yield from _on_formulas(cells.formulas, unsaved)
    if cells.merged:
        yield said_of(
            cells.merged, "Of merged cells only the first holds their value: %(count)s area.",
            "Of merged cells only the first holds their value: %(count)s areas.",
            count=f"{cells.merged:,}",
        )  # fmt: skip
    if outside:
        yield said_of(outside, "Left out: %(count)s cell outside of the table.",
                      "Left out: %(count)s cells outside of the table.",
                      count=f"{outside:,}")  # fmt: skip


def _on_formulas(formulas: int, unsaved: int) -> Iterator[Message]:
    told = said_of(
        formulas,
        "Formulas are not computed: %(count)s cell counted with the value that was saved.",
        "Formulas are not computed: %(count)s cells counted with the value that was saved.",
        count=f"{formulas:,}",
    )
    none = said("Without a saved value: %(count)s.", count=f"{unsaved:,}")
    yield joined([told, none]) if unsaved else told
