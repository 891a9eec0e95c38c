"""Which rows of the results somebody wants to see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

VIEWS: Final = ("first", "unsure", "wrong", "differ", "failed", "warned")
PAGE_ROWS: Final = 50
LONGEST: Final = 80
"""How much of a text is shown."""
ROW: Final = "row"
"""What the number of a row is called where one sorts by it; the file's columns are c0, c1, ..."""
WARNING: Final = "warning"
ANSWER: Final = "answer"
"""With the index of a model after it: its answer, beside those of others."""


class Wanted(NamedTuple):
    """A view, whose answers, sorted by a column, and which page of it, from 1.

    Without `sort` the order is the view's own.
    """

    view: str = VIEWS[0]
    model: str = ""
    sort: str = ""
    down: bool = False
    page: int = 1


def asked_rows(args: Mapping[str, str]) -> Wanted:
    """Return what an address asks for; what there is not is taken for nothing."""
    view, sort, page = (args.get(name, "") for name in ("rows", "sort", "page"))
    return Wanted(
        view=view if view in VIEWS else VIEWS[0],
        model=args.get("model", ""),
        sort=sort.removeprefix("-"),
        down=sort.startswith("-"),
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 10 else 1,
    )
