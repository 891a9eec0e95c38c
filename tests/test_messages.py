"""What the core says is plain English that knows what it was made of."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from podium.messages import (
    NOTHING,
    Message,
    after,
    as_json,
    from_json,
    heard,
    heard_in,
    is_english,
    joined,
    message_of,
    plain,
    said,
    said_of,
    told_by,
    whole,
)

NESTED = said(
    "%(what)s, %(how)s, 95%% of %(count)s",
    what=said_of(2, "%(n)s row", "%(n)s rows", n=2),
    how="as written",
    count=7,
)


def made_of(message: object) -> tuple[object, ...]:
    """Return a text and what it was made of, down to the Messages among its values."""
    assert isinstance(message, Message)
    values = {name: made_of(one) if isinstance(one, Message) else one
              for name, one in message.values.items()}  # fmt: skip
    return str(message), message.template, values, message.plural, message.number


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


def test_sentences_are_joined() -> None:
    """Each keeps what it was made of; one alone is itself, and none is no text."""
    both = joined([NESTED, "more"])
    assert both == "2 rows, as written, 95% of 7 more"
    assert (both.template, [*both.values.values()]) == (
        "%(sentence0)s %(sentence1)s", [NESTED, "more"]
    )  # fmt: skip
    assert joined(["a", "b", "c"], "; ") == "a; b; c"
    assert joined([NESTED]) is NESTED
    assert (joined([]), NOTHING) == ("", "")


def test_a_plain_text_becomes_a_message_that_says_it_as_it_is() -> None:
    """A % in it stands for itself; a Message stays what it is."""
    assert made_of(message_of("90% %(x)s")) == (
        "90% %(x)s", "%(text)s", {"text": "90% %(x)s"}, "", 1
    )  # fmt: skip
    assert message_of(NESTED) is NESTED


def test_a_message_that_was_kept_whole_is_heard_again() -> None:
    """Templates, numbers and the Messages among its values come back, in a field and in data."""
    kept = msgspec.json.encode({"title": [NESTED], "rows": 2}, enc_hook=whole)
    told = heard_in(msgspec.json.decode(kept))
    assert (made_of(told["title"][0]), told["rows"]) == (made_of(NESTED), 2)
    field = msgspec.json.decode(msgspec.json.encode(NESTED, enc_hook=whole), type=Message,
                                dec_hook=heard)  # fmt: skip
    assert made_of(field) == made_of(NESTED)
    with pytest.raises(NotImplementedError):
        whole(object())
    with pytest.raises(NotImplementedError):
        heard(bytes, "")


def test_data_that_holds_no_message_stays_as_it_is() -> None:
    """A table is a Message only where a template stands under the key that marks one."""
    rows = {"said": "Adelie", "values": [1, None], "more": {"$said": 3}}
    assert heard_in(rows) == rows


def test_a_value_that_json_has_no_word_for_is_kept_as_its_text() -> None:
    """A translation shows the same as the English text does."""
    message = said("%(file)s: %(share)s", file=Path("a.csv"), share=np.float64(0.5))
    kept = as_json(message)
    assert kept == '{"$said":"%(file)s: %(share)s","values":{"file":"a.csv","share":"0.5"}}'
    assert from_json(kept) == "a.csv: 0.5"


def test_what_an_earlier_version_kept_is_heard() -> None:
    """It is plain English, as a value of JSON or, in a table, without quotation marks."""
    told = msgspec.json.decode(b'["is empty"]', type=list[Message], dec_hook=heard)
    assert made_of(told[0]) == made_of(from_json("is empty")) == made_of(message_of("is empty"))


def test_plain_english_is_known_as_such() -> None:
    """A text is English if no template says a word of it, nor a Message among its values."""
    assert is_english("is empty")
    assert is_english(joined([message_of("is empty"), "too"], "; "))
    assert not is_english(joined(["is empty", said("now")], "; "))
