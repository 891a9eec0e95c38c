"""What a data set is asked for, and what was found in it before anything is scored."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from podium.messages import Message

Kind = Literal["csv", "parquet", "xlsx", "zip", "folder"]


class Wishes(Struct, frozen=True, kw_only=True):
    """What to do with a data set; no models are the default one, no target is [task] target."""

    models: tuple[str, ...] = ()
    seed: int = 0
    confidence_level: float | None = None
    target: str | None = None


class Column(Struct, frozen=True):
    """One column as the file names it, and the feature (or "image", "text") that it holds, if any.

    The target's column holds the answers; a column without a use is kept as it is.
    """

    name: str
    feature: str | None = None
    is_target: bool = False


class Plain(Struct, frozen=True):
    """A CSV file of which each record is right, without a quote.

    Its rows may be `ascii` alone, and may have no `signs` that DuckDB, and nobody else, takes for
    a part of a number, as in "1_000" and "+-5".
    """

    ascii: bool
    signs: bool


class Staged(Struct, frozen=True, kw_only=True):
    """A data set that was taken in: its columns in their order, how many rows, what was noticed.

    `notes` say in words what was recognised or forgiven. With `decimal_comma` a number may be
    written "3,5". The images that a `local` one names lie on this machine's disk. `plain` is what
    is known of a file that was written plainly; None for any other.
    """

    kind: Kind
    columns: tuple[Column, ...]
    rows: int
    decimal_comma: bool = False
    local: bool = False
    plain: Plain | None = None
    notes: tuple[Message, ...] = ()

    def place_of(self, feature: str) -> int | None:
        """Return the index of the column that holds a feature."""
        return next((i for i, one in enumerate(self.columns) if one.feature == feature), None)

    @property
    def target(self) -> int | None:
        """The index of the column with the answers."""
        return next((i for i, one in enumerate(self.columns) if one.is_target), None)
