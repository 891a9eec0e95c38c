"""The texts of the page in another language: a gettext catalogue in the application's folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podium.errors import Mistake
from podium.strict import shown

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog, Message

ENGLISH: Final = "en"
TEMPLATE: Final = Path(__file__).parent / "web" / "translations" / "messages.pot"
"""Every text of the page, with the files it stands in; `make texts` writes it."""
_PLACE: Final = re.compile(r"%\(\w+\)|\{\w+\}")
"""Where a value stands: `%(name)s` in Python and in templates, `{name}` in scripts."""

_LINE: Final = re.compile(r'\s*|#.*|\s*(msgctxt|msgid|msgid_plural|msgstr(\[\d\])?)?\s*".*"\s*')
"""A line of a catalogue; Babel cuts a letter off where a quotation mark is missing."""


def catalogue_file(language: str) -> str:
    """Return the name, in an application's folder, of the file with a language's texts."""
    return f"translations/{language}.po"


def template() -> Catalog:
    """Return every text of the page."""
    from babel.messages.pofile import read_po

    with TEMPLATE.open("rb") as file:
        return read_po(file)


def read_catalogue(folder: Path, language: str) -> Catalog | None:
    """Return a language's texts; None where English, which needs none, has none.

    Raises:
        ValueError: saying in words why the file cannot be read.
    """
    name = catalogue_file(language)
    file = folder / name
    if language.split("-")[0] == ENGLISH and not file.exists():
        return None
    from babel.messages.pofile import PoFileError, read_po

    try:
        text = file.read_text("utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if not _LINE.fullmatch(line):
                told = f"expected a keyword and a text in quotation marks; found {shown(line)}"
                raise ValueError(f"line {number}: {told}")
        return read_po(StringIO(text), abort_invalid=True)
    except FileNotFoundError as err:
        make = f"podium translate {folder} {language}"
        raise ValueError(f"there is no file {name!r} in {folder}; `{make}` makes it") from err
    except (OSError, ValueError, LookupError, PoFileError) as err:
        raise ValueError(f"{name} cannot be read: {err}") from err


def language_mistakes(folder: Path, language: str) -> Iterator[Mistake]:
    """Yield what is wrong with the texts of the page's language; what is left out is none."""
    try:
        catalogue = read_catalogue(folder, language)
    except ValueError as err:
        yield Mistake("language", str(err))
        return
    for message in catalogue or ():
        told = _wrong_places(message) if message.id and not message.fuzzy else ""
        if told:
            where = f"{catalogue_file(language)}, line {message.lineno}"
            yield Mistake("language", f"{where}: {told}")


def _wrong_places(message: Message) -> str:
    """Return in words how a translation's values differ from the original's; "" if they do not."""
    originals = _forms(message.id)
    wanted = set().union(*map(_places, originals))
    for text in filter(None, _forms(message.string)):
        found = _places(text)
        # One thing need not be counted: "one row", "%(rows)s rows".
        missing = set() if len(originals) > 1 else wanted - found
        if missing or found - wanted:
            expected = ", ".join(sorted(wanted)) or "none"
            return (
                f"{text!r} has the values {', '.join(sorted(found)) or 'none'}; expected {expected}"
            )
        # A script's % is only itself; so is that of a text that no values are put into.
        if not _of_script(message) and _formats(originals[0]) and not _formats(text):
            return f"{text!r} has a % that stands for no value; write %%"
    return ""


def _of_script(message: Message) -> bool:
    named = [name.endswith(".js") for name, _ in message.locations]
    return all(named) if named else any("{" in text for text in _forms(message.id))


def _forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def _places(text: str) -> set[str]:
    return set(_PLACE.findall(text))


def _formats(text: str) -> bool:
    """Whether Python can put values into a text."""
    try:
        text % dict.fromkeys(re.findall(r"%\((\w+)\)", text), 0)
    except (TypeError, ValueError):
        return False
    return True
