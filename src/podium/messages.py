"""Texts of the core that a page may show: in English, and with all that a translation takes.

The core knows no page and no language. What it says is plain English to the API, the terminal and
the logs; a page finds the translation of what the text was made of (`podium.web.language`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


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
    return Message(by.join(f"%({name})s" for name in values), values)


def told_by(error: BaseException) -> str:
    """Return what an error says, as the Message it was raised with if it was."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Message) else str(error)


def plain(value: object) -> str:
    """Return a Message as the plain text that msgspec encodes: its `enc_hook`."""
    if isinstance(value, Message):
        return str(value)
    raise NotImplementedError(type(value))
