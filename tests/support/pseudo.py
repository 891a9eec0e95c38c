"""A language in which every letter has an accent: what is left without one was not translated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from podium.catalogue import catalogue_file, template

LANGUAGE: Final = "en-XA"
_PLAIN: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ACCENTED: Final = "áƀçđéƒğĥíĵķļɱñóƥɋŕšţúṽŵẋýžÁƁÇĐÉƑĞĤÍĴĶĻḾÑÓƤɊŔŠŢÚṼŴẊÝŽ"
_ACCENTS: Final = str.maketrans(_PLAIN, _ACCENTED)
_PLACE: Final = re.compile(r"(%\(\w+\)[a-z]|\{\w+\}|%%|\s+)")


def accented(text: str) -> str:
    """Return a text with an accent on every letter; the places of its values are kept."""
    parts = _PLACE.split(text)
    return "".join(part if _PLACE.fullmatch(part) else part.translate(_ACCENTS) for part in parts)


def write_pseudo(folder: Path) -> None:
    """Have an application's page speak the language."""
    texts = Catalog(LANGUAGE[:2], charset="utf-8", fuzzy=False)
    for message in template():
        if isinstance(message.id, str) and message.id:
            texts.add(message.id, accented(message.id))
        elif message.id:
            texts.add(message.id, tuple(map(accented, message.id)))
    file = folder / catalogue_file(LANGUAGE)
    file.parent.mkdir(exist_ok=True)
    with file.open("wb") as opened:
        write_po(opened, texts)
    toml = folder / "podium.toml"
    toml.write_text(f'language = "{LANGUAGE}"\n' + toml.read_text("utf-8"), "utf-8")
