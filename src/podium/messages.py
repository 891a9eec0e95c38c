"""Texts of the core that a page may show: in English, and with all that a translation takes.

The core knows no page and no language. What it says is plain English to the API, the terminal and
the logs; a page finds the translation of what the text was made of (`podium.web.language`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

_SAID: Final = "$said"
"""The key of a kept text's template, by which a table is known as one."""
_TEXT: Final = "%(text)s"
"""The template of a text of which nothing more is known."""
_PLACE: Final = re.compile(r"%\(\w+\)\w")
_WORD: Final = re.compile(r"\w")


class Message(str):
    """A text in English that knows its template, `%(name)s` for each value, and the values.

    `plural` is the template for any number but one, and `number` how many it is here; a value may
    be a Message itself.
    """

    __slots__ = ("number", "plural", "template", "values")

    template: str
    values: Mapping[str, object]
    plural: str
    number: int

    def __new__(
        cls, template: str, values: Mapping[str, object], plural: str = "", number: int = 1
    ) -> Message:
        """Make the English text; as gettext has it, % stands for itself where no value does."""
        chosen = template if number == 1 or not plural else plural
        made = super().__new__(cls, chosen % values if values else chosen)
        made.template, made.values = template, values
        made.plural, made.number = plural, number
        return made


def said(template: str, **values: object) -> Message:
    """Return a text with its values; the template stands in the catalogue."""
    return Message(template, values)


def said_of(number: int, singular: str, plural: str, **values: object) -> Message:
    """Return the text for a number of things; both templates stand in the catalogue."""
    return Message(singular, values, plural, number)


def after(message: Message) -> Message:
    """Return a sentence with the space that parts it from the one before."""
    return Message(" %(sentence)s", {"sentence": message})


def joined(sentences: Iterable[str], by: str = " ") -> Message:
    """Return sentences, or parts of one, one after the other, with `by` between them."""
    values = {f"sentence{number}": one for number, one in enumerate(sentences)}
    if len(values) < 2:
        return message_of(next(iter(values.values()), NOTHING))
    return Message(by.join(f"%({name})s" for name in values), values)


def message_of(text: str) -> Message:
    """Return a text as a Message; one of which nothing more is known stays as it is."""
    return text if isinstance(text, Message) else Message(_TEXT, {"text": text})


NOTHING: Final = message_of("")
"""No text: what stands where there is nothing to say."""


def told_by(error: BaseException) -> str:
    """Return what an error says, as the Message it was raised with if it was."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Message) else str(error)


def plain(value: object) -> str:
    """Return a Message as the plain text that msgspec encodes: its `enc_hook`."""
    if isinstance(value, Message):
        return str(value)
    raise NotImplementedError(type(value))


def whole(value: object) -> dict[str, Any]:
    """Return a Message with all that a translation takes, as it is kept: msgspec's `enc_hook`."""
    if not isinstance(value, Message):
        raise NotImplementedError(type(value))
    told: dict[str, Any] = {_SAID: value.template}
    if value.values:
        told["values"] = {name: _kept(one) for name, one in value.values.items()}
    if value.plural:
        told |= {"plural": value.plural, "number": value.number}
    return told


def _kept(value: object) -> object:
    """Return a value as JSON has it: as its text, which is all that is shown of it, if need be."""
    return value if isinstance(value, Message) or type(value) in (int, float) else str(value)


def heard(kind: type, value: object) -> Message:
    """Return a kept text as the Message that it was: msgspec's `dec_hook`; also of plain text."""
    if kind is not Message:
        raise NotImplementedError(kind)
    return message_of(heard_in(value))


def heard_in(value: Any) -> Any:
    """Return plain data in which each text that was kept whole is a Message again."""
    if isinstance(value, list):
        return [heard_in(one) for one in value]
    if not isinstance(value, dict):
        return value
    template = value.get(_SAID)
    if not isinstance(template, str):
        return {name: heard_in(one) for name, one in value.items()}
    values = {name: heard_in(one) for name, one in value.get("values", {}).items()}
    return Message(template, values, value.get("plural", ""), value.get("number", 1))


def as_json(message: str) -> str:
    """Return a text as it is kept in a table: as JSON, a Message whole."""
    return msgspec.json.encode(message, enc_hook=whole).decode()


def from_json(text: str) -> Message:
    """Return a text that a table keeps; also one of an earlier version, which kept it plain."""
    try:
        return msgspec.json.decode(text, type=Message, dec_hook=heard)
    except msgspec.DecodeError:
        return heard(Message, text)


def is_english(text: object) -> bool:
    """Return whether of a text the English alone is known: it is plain, or was when kept."""
    if not isinstance(text, Message):
        return True
    said_itself = _WORD.search(_PLACE.sub("", text.template))
    return not said_itself and all(map(is_english, text.values.values()))
