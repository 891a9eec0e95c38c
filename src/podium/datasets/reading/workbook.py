"""The sheets of an .xlsx file, row by row, in bounded memory.

Readers that hold a sheet as a grid can be made to hold 17 billion empty cells by a file of 1 kB,
or one long text a million times; here a row lives until the next.

Source: ECMA-376, part 1, chapter 18 (SpreadsheetML).
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from podium.datasets.reading.archive import Archive
from podium.datasets.reading.numbers import Shown, number_text, shown_as
from podium.datasets.reading.xml import XmlPart
from podium.messages import said, told_by
from podium.strict import Size

MAX_TEXTS: Final = 100_000_000
"""What the texts that the cells of a workbook share may take of the memory, in bytes."""
MAX_ROW: Final = 16_000_000
"""How many characters one row may hold."""
MAX_COLUMNS: Final = 16_384
MAX_SHEETS: Final = 10_000
_LETTERS: Final = 3  # of XFD, the last column
_SMALL: Final = 10_000_000  # bytes of the parts that are read whole
BOOK: Final = re.compile(r"xl/workbook\d*\.xml")
_DIGITS: Final = "0123456789"
_ESCAPED: Final = re.compile("_x(?!0000|d[89a-f])([0-9a-f]{4})_", re.IGNORECASE)


class SheetRow(NamedTuple):
    """The cells of a row that hold something, by their columns.

    `unsaved` are those with a formula whose value is not there.
    """

    number: int
    cells: dict[int, str]
    unsaved: frozenset[int]


class Sheet(NamedTuple):
    """A sheet of cells, the part of the archive that it lies in, and whether it is hidden."""

    name: str
    part: str
    hidden: bool


class Workbook:
    """An .xlsx file of which at most `limit` bytes are unpacked.

    Raises:
        ValueError: it cannot be read; so do its methods.
    """

    def __init__(self, archive: Archive, limit: int) -> None:
        self._archive = archive
        self._limit = self._left = limit
        book = next(filter(BOOK.fullmatch, archive.members))
        folder, name = posixpath.split(book)
        links = _Links(folder)
        links.read(self._pieces(f"{folder}/_rels/{name}.rels", _SMALL))
        found = _Book()
        found.read(self._pieces(book, _SMALL))
        self._since_1904 = found.since_1904
        self.sheets = tuple(
            Sheet(name, links.sheets[key], hidden)
            for name, key, hidden in found.sheets
            if links.sheets.get(key) in archive.members
        )
        self._texts, styles = _Texts(), _Styles()
        if links.texts in archive.members:
            self._texts.read(self._pieces(links.texts, limit))
        if links.styles in archive.members:
            styles.read(self._pieces(links.styles, _SMALL))
        self._shown = styles.shown()

    def rows(
        self, sheet: Sheet, cells: Cells, told: Callable[[float], None] = lambda _: None
    ) -> Iterator[SheetRow]:
        """Yield the rows of a sheet that hold anything; `cells` counts what else is in it."""
        size = max(1, self._archive.members[sheet.part].file_size)
        done = 0
        for piece in self._pieces(sheet.part, self._limit):
            cells.feed(piece)
            yield from cells.taken()
            done += len(piece)
            told(min(1.0, done / size))
        cells.feed(b"", last=True)
        yield from cells.taken()

    def cells(self) -> Cells:
        """Return a reader of one sheet's cells."""
        return Cells(self._texts.found, self._shown, self._since_1904, self._limit)

    def _pieces(self, part: str, limit: int) -> Iterator[bytes]:
        if part not in self._archive.members:
            raise ValueError(said("lacks its part %(part)s; was it made by a spreadsheet program?",
                                  part=part))  # fmt: skip
        pieces = self._archive.pieces(part, limit)
        while True:
            try:
                piece = next(pieces, b"")
            except ValueError as err:
                raise ValueError(said("%(part)s in it %(problem)s. Save the sheet as CSV.",
                                      part=part, problem=told_by(err))) from err  # fmt: skip
            if not piece:
                return
            self._left -= len(piece)
            if self._left < 0:
                raise ValueError(said("unpacks to more than %(limit)s. Save the sheet as CSV.",
                                      limit=Size(self._limit)))  # fmt: skip
            yield piece


class Cells(XmlPart):
    """The cells of one sheet."""

    def __init__(self, texts: list[str], styles: list[Shown], since_1904: bool, limit: int) -> None:
        super().__init__()
        self._texts, self._styles, self._since_1904 = texts, styles, since_1904
        self._columns = _ColumnNumbers()
        self._left, self._room = limit, MAX_ROW
        self._rows: list[SheetRow] = []
        self._row: dict[int, str] = {}
        self._unsaved: set[int] = set()
        self._number = self._column = 0
        self._cell: dict[str, str] = {}
        self._value: list[str] = []
        self._formula = self._phonetic = False
        self.formulas = self.merged = self.hidden = 0

    def taken(self) -> list[SheetRow]:
        """Return the rows that were read since the last call."""
        rows, self._rows = self._rows, []
        if self._left < 0:
            raise ValueError(
                said("holds the same long texts in too many cells. Save the sheet as CSV.")
            )
        return rows

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A row, a cell, or what a cell holds begins."""
        if name == "c":
            reference = attributes.get("r")
            self._column = (
                self._columns[reference.rstrip(_DIGITS)] if reference else self._column + 1
            )
            if self._column > MAX_COLUMNS:
                raise ValueError(
                    said("holds more than %(most)s cells in row %(row)s",
                         most=f"{MAX_COLUMNS:,}", row=f"{self._number:,}")
                )  # fmt: skip
            self._cell, self._value, self._formula = attributes, [], False
        elif name in ("v", "t"):
            self.keep_text()
        elif name == "f":
            self._formula = True
        elif name == "row":
            self._number = _whole(attributes.get("r"), self._number + 1)
            self._column = 0
            self.hidden += attributes.get("hidden") in ("1", "true")
        elif name == "rPh":
            self._phonetic = True
        elif name == "mergeCell":
            self.merged += 1

    def end(self, name: str) -> None:
        """A row, a cell, or what a cell holds has ended."""
        if name in ("v", "t"):
            text = self.kept()
            self._take_room(text)
            if not self._phonetic:
                self._value.append(text)
        elif name == "c":
            self._end_cell()
        elif name == "row":
            if self._row or self._unsaved:
                self._rows.append(SheetRow(self._number, self._row, frozenset(self._unsaved)))
            self._row, self._unsaved, self._room = {}, set(), MAX_ROW
        elif name == "rPh":
            self._phonetic = False

    def _end_cell(self) -> None:
        kind = self._cell.get("t", "n")
        text = "".join(self._value)
        if self._formula:
            self.formulas += 1
            if not text and kind != "str":
                self._unsaved.add(self._column)
        if not text:
            return
        if kind == "n":
            text = number_text(text.strip(), self._style(), self._since_1904)
        elif kind == "s":
            text = self._shared(text)
            self._take_room(text)
            self._left -= len(text)
        elif kind == "b":
            text = "false" if text.strip() == "0" else "true"
        elif "_x" in text:
            text = _unescaped(text)
        if text:
            self._row[self._column] = text

    def _take_room(self, text: str) -> None:
        self._room -= len(text)
        if self._room < 0:
            raise ValueError(said("holds more than %(most)s characters in row %(row)s",
                                  most=f"{MAX_ROW:,}", row=f"{self._number:,}"))  # fmt: skip

    def _style(self) -> Shown:
        style = self._cell.get("s")
        place = _whole(style, -1) if style else -1
        return self._styles[place] if 0 <= place < len(self._styles) else "number"

    def _shared(self, text: str) -> str:
        place = _whole(text, -1)
        if not 0 <= place < len(self._texts):
            raise ValueError(said("names a text that it does not hold, in row %(row)s",
                                  row=f"{self._number:,}"))  # fmt: skip
        return self._texts[place]


class _ColumnNumbers(dict[str, int]):
    """The numbers of columns, from 1, by their letters."""

    def __missing__(self, letters: str) -> int:
        number = 0
        for letter in letters[:_LETTERS]:
            number = number * 26 + ord(letter) - ord("A") + 1
        named = len(letters) <= _LETTERS and letters.isascii() and letters.isupper()
        if not (named and 1 <= number <= MAX_COLUMNS):
            raise ValueError(said("holds a cell at %(place)s, which is no column",
                                  place=repr(letters[:20])))  # fmt: skip
        self[letters] = number
        return number


class _Links(XmlPart):
    """Where the parts of a workbook lie in the archive; nothing outside of it is looked at."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder
        self.sheets: dict[str, str] = {}
        self.texts = self.styles = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A relationship names a part and its kind."""
        if name != "Relationship" or attributes.get("TargetMode") == "External":
            return
        target = posixpath.join("/", self._folder, attributes.get("Target", ""))
        path = posixpath.normpath(target).lstrip("/")
        kind = attributes.get("Type", "").rpartition("/")[2]
        if kind == "worksheet":
            self.sheets[attributes.get("Id", "")] = path
        elif kind == "sharedStrings":
            self.texts = path
        elif kind == "styles":
            self.styles = path


class _Book(XmlPart):
    """The sheets of a workbook in their order: name, key of the part, and whether it is hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[tuple[str, str, bool]] = []
        self.since_1904 = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A sheet is named, or from when days are counted."""
        if name == "sheet":
            key = next((value for one, value in attributes.items() if one.endswith(":id")), "")
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append((attributes.get("name", ""), key, hidden))
            if len(self.sheets) > MAX_SHEETS:
                raise ValueError(said("holds more than %(most)s sheets", most=f"{MAX_SHEETS:,}"))
        elif name == "workbookPr":
            self.since_1904 = attributes.get("date1904") in ("1", "true")


class _Texts(XmlPart):
    """The texts that cells share; how they are formatted or pronounced is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._runs: list[str] = []
        self._phonetic = False
        self._size = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        """A text or a run of it begins."""
        if name == "t":
            self.keep_text()
        elif name == "si":
            self._runs = []
        elif name == "rPh":
            self._phonetic = True

    def end(self, name: str) -> None:
        """A text or a run of it has ended."""
        if name == "t":
            text = self.kept()
            self._count(sys.getsizeof(text))
            if not self._phonetic:
                self._runs.append(text)
        elif name == "rPh":
            self._phonetic = False
        elif name == "si":
            self.found.append(_unescaped("".join(self._runs)))
            self._count(sys.getsizeof(self.found[-1]))

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > 2 * MAX_TEXTS:
            raise ValueError(said(
                "holds more than %(size)s of different texts. Save the sheet as CSV.",
                size=Size(MAX_TEXTS),
            ))  # fmt: skip


class _Styles(XmlPart):
    """How the cells of each style show a number."""

    def __init__(self) -> None:
        super().__init__()
        self._codes: dict[int, str] = {}
        self._numbers: list[int] = []
        self._inside = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A format or a style is described."""
        if name == "numFmt":
            self._codes[_whole(attributes.get("numFmtId"), 0)] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._inside = True
        elif name == "xf" and self._inside:
            self._numbers.append(_whole(attributes.get("numFmtId"), 0))

    def end(self, name: str) -> None:
        """The styles of cells have ended."""
        if name == "cellXfs":
            self._inside = False

    def shown(self) -> list[Shown]:
        """Return it for each style."""
        shown = {number: shown_as(number, self._codes.get(number)) for number in set(self._numbers)}
        return [shown[number] for number in self._numbers]


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else otherwise


def _unescaped(text: str) -> str:
    """Return a text with its _x000D_ as the characters that they stand for."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
