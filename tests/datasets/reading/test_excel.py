"""Spreadsheets are taken in as people have them; what is forged is refused, in little memory."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest

from podium.datasets.reading import workbook as books
from podium.datasets.reading import xml
from podium.datasets.reading.match import MAX_COLUMNS
from podium.datasets.reading.numbers import shown_as
from podium.datasets.work import Work
from podium.spec import Limits
from podium.strict import Size
from tests.support.staging import COLOURS, TABLE, refusal, take
from tests.support.workbooks import DATE, ELAPSED, MOMENT, PERCENT, TIME, cell, sheet, workbook

HEADER = ["length", "count", "wet"]


def book(*rows: Sequence[object], after: str = "", texts: tuple[str, ...] = ()) -> bytes:
    """Return a workbook of one sheet, with the header and some rows."""
    return workbook({"Data": sheet([HEADER, *rows], after)}, texts)


def test_cells_come_as_the_sheet_shows_them(tmp_path: Path) -> None:
    """Numbers have no needless zeros, dates are ISO 8601, booleans words, a share is a number."""
    values = [
        cell("38.899999999999999", kind="n"), cell("5.0", kind="n"), cell(True),
        cell(46024, DATE), cell(46024.4375, MOMENT), cell("0.25", PERCENT, "n"),
        cell(1.5, ELAPSED), cell(0.4375, TIME), cell("1E-5", kind="n"), cell(123456789012),
        cell("a_x000D_b & <c>"), cell("#DIV/0!", kind="e"), cell(59, DATE), cell(-1, DATE),
    ]  # fmt: skip
    names = [*HEADER, *(f"n{index}" for index in range(len(values) - 3))]
    taken = take(tmp_path, workbook({"S": sheet([names, values])}))
    assert taken.rows == [(
        "38.9", "5", "true", "2026-01-02", "2026-01-02T10:30:00", "0.25", "36:00:00", "10:30:00",
        "1e-05", "123456789012", "a\rb & <c>", "#DIV/0!", "1900-02-28", "-1", None,
    )]  # fmt: skip
    assert (taken.staged.kind, taken.staged.rows, taken.staged.notes) == ("xlsx", 1, ())


def test_days_may_be_counted_from_1904(tmp_path: Path) -> None:
    """A workbook that was made on an old Macintosh has the same dates."""
    made = workbook({"S": sheet([[*HEADER, "day"], [1, 2, True, cell(44562, DATE)]])},
                    book='<workbookPr date1904="1"/>')  # fmt: skip
    assert take(tmp_path, made).rows == [("1", "2", "true", "2026-01-02", None)]


def test_dates_beyond_the_last_are_numbers(tmp_path: Path) -> None:
    """What a date would need the year 10000 for is a number."""
    cells = [cell(2958465, DATE), cell("2958465.9999999995", MOMENT, "n")]
    made = {"S": sheet([[*HEADER, "a", "b"], [1, 2, True, *cells]])}
    assert take(tmp_path, workbook(made)).rows[0][3:5] == ("9999-12-31", "2958465.9999999995")
    since_1904 = workbook(made, book='<workbookPr date1904="1"/>')
    assert take(tmp_path, since_1904).rows[0][3:5] == ("2958465", "2958465.9999999995")


def test_format_longer_than_any_shows_numbers() -> None:
    """No spreadsheet program writes it: the number stays one, whatever it would take to parse."""
    for code in ("[" * 255 + "h", "y" + "0" * 255):
        assert (shown_as(164, code), shown_as(164, code[:1] + code[2:])) == ("number", "date")


def test_formats_are_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many styles share a format."""
    asked: list[int] = []

    def shown(number: int, code: str | None) -> str:
        asked.append(number)
        return shown_as(number, code)

    monkeypatch.setattr(books, "shown_as", shown)
    styles = "<a><cellXfs>" + "<xf numFmtId='164'/>" * 500 + "</cellXfs></a>"
    sheets = {name: sheet([HEADER, [1, 2, True]]) for name in "ST"}
    take(tmp_path, workbook(sheets, parts={"xl/styles.xml": styles}))
    assert asked == [164]


def test_texts_that_cells_share_lose_their_looks_and_their_pronunciation(tmp_path: Path) -> None:
    """Runs of a text are put together; what tells how it is read is left out."""
    texts = ("<t>yes</t>", "<r><t>n</t></r><r><t>o</t></r><rPh><t>NO</t></rPh>")
    rows = [[1, 2, cell(place, kind="s")] for place in (0, 1)]
    taken = take(tmp_path, book(*rows, texts=texts))
    assert [row[2] for row in taken.rows] == ["yes", "no"]


def test_first_sheet_with_the_columns_is_taken_and_others_are_named(tmp_path: Path) -> None:
    """A sheet about the data and one that is hidden are passed over."""
    data = sheet([HEADER, [1, 2, True]])
    sheets = {"Empty": sheet([]), "Hidden": data, "About": sheet([["By"], ["me"]]), "Data": data}
    taken = take(tmp_path, workbook(sheets, hidden=["Hidden"]))
    assert taken.staged.rows == 1
    assert taken.staged.notes == ("The sheet 'Data' is taken; 'Empty', 'Hidden', 'About' are not.",)
    only = {name: sheets[name] for name in ("About", "Hidden")}
    assert take(tmp_path, workbook(only, hidden=["Hidden"])).staged.notes == (
        "The sheet 'Hidden' is taken; 'About' is not.",
        "The sheet 'Hidden' is hidden; no other has the columns.",
    )


def test_formula_counts_with_its_saved_value(tmp_path: Path) -> None:
    """Formulas are not computed: one without a saved value is its row's problem."""
    taken = take(tmp_path, book(
        [cell(3, formula="1+2"), 2, True],
        [cell(None, formula="A2+1"), 2, True],
        [4, 2, cell("", kind="str", formula='""')],
    ))  # fmt: skip
    assert taken.rows == [
        ("3", "2", "true", None),
        (None, "2", "true",
         "length: holds a formula whose value was not saved, in row 3 of the sheet"),
        ("4", "2", None, None),
    ]  # fmt: skip
    assert taken.staged.notes == (
        "Formulas are not computed: 3 cells counted with the value that was saved. "
        "Without a saved value: 1.",
    )


def test_blank_rows_strays_and_merged_cells_are_told(tmp_path: Path) -> None:
    """Rows that hold nothing in a column with a name are dropped, and what they hold is told."""
    merged = '<mergeCells><mergeCell ref="A2:A3"/></mergeCells>'
    rows: list[list[object]] = [[1, 2, True], [], [None, 3], ["", None, None, "all", "of"], []]
    taken = take(tmp_path, book(*rows, after=merged))
    assert taken.rows == [("1", "2", "true", None), (None, "3", None, None)]
    assert taken.staged.notes == (
        "Of merged cells only the first holds their value: 1 area.",
        "Left out: 2 cells outside of the table.",
    )


def test_columns_without_a_name_are_kept_where_they_hold_anything(tmp_path: Path) -> None:
    """They stand in their places and are called as those of a CSV file are."""
    rows: list[list[object]] = [
        [None, "length", None, "count", None, "wet"], [None, 1, None, 2, None, True],
        [None, 3, None, 4, "x", False, "note"], ["i", 5, None, 6],
    ]  # fmt: skip
    taken = take(tmp_path, workbook({"S": sheet(rows)}))
    assert taken.columns == ["column_1", "length", "count", "column_4", "wet", "column_6"]
    assert taken.staged.notes == (
        "Columns without a name are called column_1, column_4, column_6.",
    )
    with Work(tmp_path / "work" / "work.duckdb") as work:
        found = work.con.execute("SELECT c0, c1, c2, c3, c4, c5 FROM input").fetchall()
    assert found == [
        (None, "1", "2", None, "true", None), (None, "3", "4", "x", "false", "note"),
        ("i", "5", "6", None, None, None),
    ]  # fmt: skip


def test_columns_without_a_name_are_no_more_than_can_be_read(tmp_path: Path) -> None:
    """Beyond the most columns of a data set, cells are left out, which is told."""
    row = [1, 2, True, *range(MAX_COLUMNS)]
    taken = take(tmp_path, book(row))
    assert len(taken.columns) == MAX_COLUMNS
    assert taken.staged.notes[0] == "Left out: 3 cells outside of the table."


def test_header_need_not_be_at_the_top_left(tmp_path: Path) -> None:
    """Blank rows above and a blank column before are passed over; cells name their columns."""
    cells = [f'<c r="{column}3" t="inlineStr"><is><t>{name}</t></is></c>'
             for column, name in zip("BCD", HEADER, strict=True)]  # fmt: skip
    row = ['<c r="C9"><v>2</v></c>', '<c r="B9"><v>1</v></c>']
    taken = take(tmp_path, workbook({"S": sheet([[], cells, row])}))
    assert (taken.columns, taken.rows) == (HEADER, [("1", "2", None, None)])


def test_hidden_rows_are_taken_and_told(tmp_path: Path) -> None:
    """A filter of the sheet hides rows; they are data all the same."""
    made = sheet([HEADER, [1, 2, True]]).replace("<row>", '<row hidden="1">')
    assert take(tmp_path, workbook({"S": made})).staged.notes == (
        "Rows that are hidden are taken too: 2.",
    )


def test_workbooks_without_rows_are_refused(tmp_path: Path) -> None:
    """Without a sheet, a cell or a row below the header there is nothing to score."""
    for made, reason in (
        (workbook({}), "holds no rows: it has no sheet of cells"),
        (workbook({"S": sheet([])}), "holds no rows: all its sheets are empty"),
        (book(), "has a header and no rows; expected one row an item"),
    ):
        assert refusal(tmp_path, made) == reason


def test_size_is_limited_packed_and_unpacked(tmp_path: Path) -> None:
    """[limits] spreadsheet bounds the file, and ten times as much what it unpacks to."""
    made = book(*([[1, 2, True]] * 20_000))
    large = refusal(tmp_path, made, limits=Limits(spreadsheet=Size(5_000)))
    assert re.fullmatch(
        r"has 0\.0 MB; the limit is 5 kB \(\[limits\] spreadsheet\)\. Save .* CSV, .*", large
    )
    small = Limits(spreadsheet=Size(len(made)))
    unpacked = refusal(tmp_path, made, limits=small)
    assert unpacked.endswith(f"unpacks to more than {Size(10 * len(made))}. Save the sheet as CSV.")


def test_header_that_lies_about_its_size_is_no_way_around_the_limit(tmp_path: Path) -> None:
    """A part that says it holds 100 bytes is read no further."""
    made = bytearray(book(*([[1, 2, True]] * 20_000)))
    with zipfile.ZipFile(BytesIO(made)) as archive:
        part = archive.getinfo("xl/worksheets/sheet1.xml")
    place = made.index(b"PK\x01\x02")
    while made[place + 46 : place + 46 + len(part.filename)] != part.filename.encode():
        place = made.index(b"PK\x01\x02", place + 1)
    made[place + 24 : place + 28] = (100).to_bytes(4, "little")
    assert refusal(tmp_path, bytes(made)).startswith(
        "xl/worksheets/sheet1.xml in it is damaged in the archive: Bad CRC-32"
    )


LAUGHS = "".join(f"<!ENTITY l{i} '" + f"&l{i - 1};" * 10 + "'>" for i in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml",
                                  "xl/sharedStrings.xml", "xl/styles.xml"])  # fmt: skip
def test_xml_that_declares_entities_is_refused(tmp_path: Path, part: str, doctype: str) -> None:
    """A billion laughs, a file of the server and a foreign address: no part may ask for them."""
    with zipfile.ZipFile(BytesIO(book([1, 2, True]))) as archive:
        text = archive.read(part).decode()
    laughing = doctype + text.replace("</", "&l9;</", 1)
    made = workbook({"Data": sheet([HEADER, [1, 2, True]])}, parts={part: laughing})
    assert refusal(tmp_path, made).endswith(
        "declares a document type (DOCTYPE), as no spreadsheet program does"
    )


def test_links_to_outside_are_not_followed(tmp_path: Path) -> None:
    """A sheet that lies elsewhere is none."""
    links = (
        '<Relationships><Relationship Id="s1" Type="x/worksheet" TargetMode="External" '
        'Target="file:///etc/passwd"/></Relationships>'
    )
    outside = links.replace(' TargetMode="External"', "").replace("file://", "../..")
    for rels in (links, outside):
        made = workbook({"S": ""}, parts={"xl/_rels/workbook.xml.rels": rels})
        assert refusal(tmp_path, made) == "holds no rows: it has no sheet of cells"


def test_far_cells_cost_nothing(tmp_path: Path) -> None:
    """The last cell of a sheet of 17 billion is one cell outside of the named columns."""
    far = '<c r="XFD1048576"><v>1</v></c>'
    taken = take(tmp_path, book([1, 2, True], [far]))
    assert taken.staged.rows == 1
    assert taken.staged.notes == ("Left out: 1 cell outside of the table.",)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("<c r='XFE1'/>", "holds a cell at 'XFE', which is no column"),
        ("<c r='a1'/>", "holds a cell at 'a', which is no column"),
        ("<c r='AAAA1'/>", "holds a cell at 'AAAA', which is no column"),
        (f"<c r='{'A' * 3_000_000}1'/>",
         f"holds a cell at '{'A' * 20}', which is no column"),
        ("<c/>" * 16_385, "holds more than 16,384 cells in row 2"),
        ("<a>" * 101, "holds XML nested more than 100 deep"),
        ("".join(f"<a{i}/>" for i in range(6_000)), "holds XML of more than 5,000 different names"),
        ("<c " + " ".join(f"a{i}=''" for i in range(6_000)) + "/>",
         "holds XML of more than 5,000 different names"),
        ("<c t='s'><v>7</v></c>", "names a text that it does not hold, in row 2"),
        ("<c><v>1</c>", "holds XML that cannot be read: mismatched tag: line 1, column 238"),
    ],
)  # fmt: skip
def test_forged_cells_are_refused(tmp_path: Path, cells: str, reason: str) -> None:
    """What no spreadsheet program writes is refused in words, before it fills the memory."""
    assert refusal(tmp_path, book([cells])) == reason


def test_long_texts_are_refused_however_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One text, one comment, one row of many, a shared one in many cells: all are bounded."""
    monkeypatch.setattr(xml, "MAX_TOKEN", 100_000)
    monkeypatch.setattr("podium.datasets.reading.workbook.MAX_ROW", 200_000)
    monkeypatch.setattr("podium.datasets.reading.workbook.MAX_TEXTS", 400_000)
    long = "a" * 90_000
    shared = cell(0, kind="s")
    for made, reason in (
        (book([1, 2, cell(long * 20)]), "holds a single text or tag of more than 100,000 bytes"),
        (book([f"<c/><!--{long * 20}-->"]),
         "holds a single text or tag of more than 100,000 bytes"),
        (book([long, long, long]), "holds more than 200,000 characters in row 2"),
        (book([shared, shared, shared], texts=(f"<t>{long}</t>",)),
         "holds more than 200,000 characters in row 2"),
        (book([1], texts=(f"<t>{long}</t>",) * 9),
         "holds more than 400 kB of different texts. Save the sheet as CSV."),
    ):  # fmt: skip
        assert refusal(tmp_path, made) == reason
    repeated = book(*([[shared, 1, True]] * 100), texts=(f"<t>{long}</t>",))
    limits = Limits(spreadsheet=Size(100_000))
    assert refusal(tmp_path, repeated, limits=limits) == (
        "holds the same long texts in too many cells. Save the sheet as CSV."
    )


def test_workbook_cut_short_is_told(tmp_path: Path) -> None:
    """An upload that ended early is no workbook."""
    made = book(*([[1, 2, True]] * 100))
    assert refusal(tmp_path, made[: len(made) // 2]) == (
        "it cannot be read as a zip archive (File is not a zip file). Was it sent whole? "
        "Make it anew."
    )


def test_image_application_takes_no_spreadsheet(tmp_path: Path) -> None:
    """It says what it takes."""
    assert refusal(tmp_path, book([1, 2, True]), "a.xlsx", COLOURS).startswith(
        "is a spreadsheet (.xlsx). Expected a zip archive of pictures"
    )


def test_columns_are_matched_as_those_of_a_csv_are(tmp_path: Path) -> None:
    """Each has its use, and the target's are the answers."""
    taken = take(
        tmp_path, workbook({"S": sheet([["Wet", "weight", *HEADER[:2]], [True, 9, 1, 2]])})
    )
    assert [(one.name, one.feature, one.is_target) for one in taken.staged.columns] == [
        ("Wet", "wet", False), ("weight", None, True), ("length", "length", False),
        ("count", "count", False),
    ]  # fmt: skip
    assert TABLE.target == "weight"
