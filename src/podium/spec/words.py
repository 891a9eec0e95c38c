"""What the tables of podium.toml share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta

Value = str | int | float | bool
Text = Annotated[str, Meta(min_length=1)]
CODE: Final = re.compile(r"\w+(\.\w+)*:\w+")
"""A function or class of the maker, "module:name"."""

LANGUAGE: Final = "^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"
"""A language's tag (BCP 47): the language, maybe its script, maybe the region."""


def doc(text: str) -> Meta:
    """Attach the reference's sentence to a key."""
    return Meta(description=text)


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that stand there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
