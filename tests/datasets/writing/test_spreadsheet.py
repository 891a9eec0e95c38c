"""Texts that a spreadsheet would take for formulas are neutralised; numbers stay numbers."""

from __future__ import annotations

import duckdb
import pytest

from podium.datasets.writing.spreadsheet import neutral, neutral_sql

NUMBERS = ("-3.5", "+4", "1e5", "-1E-5", "-3,5", "-.5", " -3.5 ", "0", "-0", "+1e+05", "-5.", "")
TEXTS = {
    "=1+1": "'=1+1",
    "+SUM(A1)": "'+SUM(A1)",
    "-2+3": "'-2+3",
    "-3,5,1": "'-3,5,1",
    "@cmd": "'@cmd",
    "\t=1": "'\t'=1",
    "\tx": "'\tx",
    "\rx": "'\rx",
    "\nx": "'\nx",
    "  =1": "'  =1",
    '"=1': "'\"=1",
    "'=1": "''=1",
    "\u00a0=1": "'\u00a0=1",
    "\ufeff=1": "'\ufeff=1",
    "\u200b=1": "'\u200b=1",
    "\uff1d1": "'\uff1d1",
    "\uff0b1": "'\uff0b1",
    "\uff0d1": "'\uff0d1",
    "\uff20x": "'\uff20x",
    "-inf": "'-inf",
    "-nan": "'-nan",
    "--5": "'--5",
    "a;=1": "a;'=1",
    "a\t@x": "a\t'@x",
    "a\n=1": "a\n'=1",
    "\0=1": "'=1",
    "\x1b=1": "'=1",
    "a\0b\x07": "ab",
    "a=1": "a=1",
    "plain, text": "plain, text",
    "caf\u00e9": "caf\u00e9",
    "2026-11-23": "2026-11-23",
    "'quoted'": "'quoted'",
    "line\nline": "line\nline",
    "-": "'-",
}


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_stay_as_they_are(text: str) -> None:
    """A number is one with a sign, an exponent, a decimal comma and spaces around."""
    assert neutral(text) == text


@pytest.mark.parametrize(("text", "expected"), TEXTS.items())
def test_what_starts_a_formula_is_led_by_an_apostrophe(text: str, expected: str) -> None:
    """So does what starts one after what a spreadsheet skips, or where it parts cells."""
    assert neutral(text) == expected


def test_the_sql_does_the_same() -> None:
    """DuckDB makes of each text what Python makes of it; nothing stays nothing."""
    texts = [*NUMBERS, *TEXTS, None]
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t (x VARCHAR)")
        con.executemany("INSERT INTO t VALUES (?)", [[text] for text in texts])
        found = [one for (one,) in con.execute(f"SELECT {neutral_sql('x')} FROM t").fetchall()]  # noqa: S608
    assert found == [None if text is None else neutral(text) for text in texts]
