"""What the core says is plain English that knows what it was made of."""

from __future__ import annotations

import msgspec
import pytest

from podium.messages import Message, after, plain, said, said_of, told_by


def test_a_message_is_its_english_text() -> None:
    """It equals its text, and keeps template and values; a % is itself where no value stands."""
    message = said("at most %(limit)s rows", limit=5)
    assert (message, message.template, message.values) == (
        "at most 5 rows", "at most %(limit)s rows", {"limit": 5}
    )  # fmt: skip
    assert said("90% of them") == "90% of them"


def test_a_number_chooses_the_form() -> None:
    """One thing has the singular, any other number the plural."""
    told = [said_of(n, "%(n)s row", "%(n)s rows", n=n) for n in (0, 1, 2)]
    assert told == ["0 rows", "1 row", "2 rows"]


def test_a_sentence_after_another_has_its_space() -> None:
    """The space is no part of the template, which a translator could lose."""
    message = after(said("Send fewer."))
    assert message == " Send fewer."
    assert message.values == {"sentence": "Send fewer."}


def test_an_error_tells_the_message_it_was_raised_with() -> None:
    """Other errors tell their text."""
    told = told_by(ValueError(said("is empty")))
    assert isinstance(told, Message)
    assert (told, told_by(OSError(2, "No such file")), told_by(ValueError())) == (
        "is empty", "[Errno 2] No such file", ""
    )  # fmt: skip


def test_json_gets_the_text() -> None:
    """A message is encoded as its text; nothing else passes that msgspec does not know."""
    assert msgspec.json.encode([said("is empty")], enc_hook=plain) == b'["is empty"]'
    with pytest.raises(NotImplementedError):
        msgspec.json.encode([object()], enc_hook=plain)
