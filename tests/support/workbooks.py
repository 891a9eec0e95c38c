"""Spreadsheets, written cell by cell, so that every oddity can be put into one."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
DATE, MOMENT, PERCENT, ELAPSED, TIME = 1, 2, 3, 4, 5
"""Styles that show a number as 2026-01-02, as a date with a time, as 25%, as hours, as a time."""

_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts><numFmt numFmtId="164" formatCode="[h]:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="dd/mm/yyyy\\ hh:mm"/></numFmts>'
    '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/>'
    '<xf numFmtId="14"/><xf numFmtId="165"/><xf numFmtId="9"/><xf numFmtId="164"/>'
    '<xf numFmtId="20"/></cellXfs></styleSheet>'
)


def cell(value: object, style: int = 0, kind: str | None = None, formula: str = "") -> str:
    """Return the XML of a cell: its value, how it is shown, its type, what it is computed from."""
    if value is None and not formula:
        return "<c/>"
    if kind is None:
        kind = "b" if isinstance(value, bool) else "n" if isinstance(value, (int, float)) else ""
    made = f"<f>{escape(formula)}</f>" if formula else ""
    if not kind and value is not None:
        return f'<c t="inlineStr">{made}<is><t>{escape(str(value))}</t></is></c>'
    text = "" if value is None else int(value) if isinstance(value, bool) else value
    made += f"<v>{escape(str(text))}</v>" if value is not None else ""
    return f'<c t="{kind or "n"}" s="{style}">{made}</c>'


def sheet(rows: Sequence[Sequence[object]], after: str = "") -> str:
    """Return the XML of a sheet: of values, or of cells that are XML already."""
    lines = (
        "".join(str(one) if str(one).startswith("<") else cell(one) for one in row) for row in rows
    )
    body = "".join(f"<row>{line}</row>" for line in lines)
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData>{after}</worksheet>'


def workbook(
    sheets: Mapping[str, str], texts: Sequence[str] = (), hidden: Sequence[str] = (),
    book: str = "", parts: Mapping[str, str] | None = None,
) -> bytes:  # fmt: skip
    """Return an .xlsx file of sheets by their names; `texts` is XML of what cells share.

    `parts` replace others or are added.
    """
    numbers = range(1, len(sheets) + 1)
    listing = "".join(
        f'<sheet name="{name}" sheetId="{i}" r:id="s{i}"'
        + (' state="hidden"/>' if name in hidden else "/>")
        for i, name in zip(numbers, sheets, strict=True)
    )
    links = "".join(_link(f"s{i}", "worksheet", f"worksheets/sheet{i}.xml") for i in numbers)
    links += _link("t", "sharedStrings", "/xl/sharedStrings.xml")
    links += _link("y", "styles", "styles.xml")
    made = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">{book}'
                           f"<sheets>{listing}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">{links}</Relationships>',
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">'
                                + "".join(f"<si>{text}</si>" for text in texts) + "</sst>",
        "xl/styles.xml": _STYLES,
        **{f"xl/worksheets/sheet{i}.xml": xml
           for i, xml in zip(numbers, sheets.values(), strict=True)},
        **(parts or {}),
    }  # fmt: skip
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, xml in made.items():
            archive.writestr(name, xml)
    return buffer.getvalue()


def _link(key: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{key}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
