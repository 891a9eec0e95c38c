"""`podium translate`: the texts of the page as a file that a person translates."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import write_po

from podium.catalogue import catalogue_file, read_catalogue, template
from podium.errors import Mistake, SpecError
from podium.folder import FILE
from podium.spec import LANGUAGE


class Translated(NamedTuple):
    """The file of a language's texts, and how many of them are still to be translated."""

    file: Path
    left: int
    texts: int


def translate_application(folder: Path, language: str) -> Translated:
    """Write, or bring up to date, the file with a language's texts in an application's folder.

    What is translated stays. A text that has changed keeps the translation of the old one, marked
    as fuzzy, which the page does not show.

    Raises:
        SpecError: there is no application, no such language, or the file is no catalogue.
    """
    file = folder / catalogue_file(language)
    if not (folder / FILE).is_file():
        missing = Mistake(FILE, "is missing; expected an application folder")
        raise SpecError(folder / FILE, [missing])
    texts = _new(language, folder)
    try:
        known = read_catalogue(folder, language) if file.exists() else None
    except ValueError as err:
        raise SpecError(file, [Mistake(language, str(err))]) from err
    if known is not None:
        known.update(texts)
        texts = known
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(_written(texts))
    messages = [message for message in texts if message.id]
    return Translated(file, sum(map(_is_left, messages)), len(messages))


def _new(language: str, folder: Path) -> Catalog:
    """Return all texts without a translation, with the language's own plural forms."""
    tag = re.fullmatch(LANGUAGE, language)
    try:
        locale = Locale.parse(language, sep="-") if tag else None
    except UnknownLocaleError:
        locale = None
    if locale is None:
        message = f'{language!r} is no known language; expected a tag such as "de" or "pt-BR"'
        raise SpecError(folder / FILE, [Mistake("language", message)])
    texts = Catalog(locale, project="Podium", charset="utf-8", fuzzy=False)
    texts.header_comment = f"# The texts of the page in {locale.english_name}."
    for text in template():
        if text.id:
            texts.add(text.id, locations=text.locations, flags=text.flags)
    return texts


def _is_left(message: Message) -> bool:
    told = message.string
    return message.fuzzy or not (told if isinstance(told, str) else told and all(told))


def _written(texts: Catalog) -> bytes:
    file = BytesIO()
    write_po(file, texts, width=100, include_lineno=False)
    return file.getvalue()
