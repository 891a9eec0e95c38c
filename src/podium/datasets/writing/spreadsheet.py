"""Texts that are safe to open in a spreadsheet, which takes some for formulas.

What starts a formula, and how: OWASP, "CSV Injection". A number stays one, also a negative one.
"""

from __future__ import annotations

import re
from typing import Final

from podium.datasets.sql import quoted

_CONTROLS: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_SPACES: Final = " \f\v\x85\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
"""What a spreadsheet may skip: white space, and characters that nobody sees."""
_FORMULA: Final = f"(^|[;\\t\\r\\n])([{_SPACES}\"'`]*[=+\\-@\uff1d\uff0b\uff0d\uff20])"
"""What starts a formula, in a cell or in what becomes one where a semicolon or a tab parts them."""
_PARTED: Final = r"^()([\t\r\n])"
"""A cell that starts with what parts cells is no better."""
_NUMBER: Final = r"\s*[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?\s*"
_AFTER: Final = r"\1'\2"


def neutral(text: str) -> str:
    """Return a text with an apostrophe before what would start a formula.

    Control characters, which no spreadsheet shows, are left out.
    """
    if re.fullmatch(_NUMBER, text, re.ASCII):
        return text
    text = re.sub(_FORMULA, _AFTER, re.sub(_CONTROLS, "", text))
    return re.sub(_PARTED, _AFTER, text)


def neutral_sql(column: str) -> str:
    """Return the SQL that does the same with the texts of a column."""
    text = column
    for pattern, after in ((_CONTROLS, ""), (_FORMULA, _AFTER), (_PARTED, _AFTER)):
        text = f"regexp_replace({text}, {quoted(pattern)}, {quoted(after)}, 'g')"
    return (
        f"CASE WHEN isfinite(TRY_CAST({column} AS DOUBLE)) OR "
        f"regexp_full_match({column}, {quoted(_NUMBER)}) THEN {column} ELSE {text} END"
    )
