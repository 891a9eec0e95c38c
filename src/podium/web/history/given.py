"""What models said, as it is kept: with all that the page needs to show it again as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct, structs

from podium.app import App
from podium.messages import plain
from podium.prediction import Answer, ClassAnswer, ValueAnswer
from podium.web.page.answer import title_of
from podium.web.page.compared import Outcome
from podium.web.problem import Problem

_NONE: Final = msgspec.Raw(b"null")


class Given(Struct, frozen=True, kw_only=True):
    """What one model said, under the title it had, or the problem for which it gave no answer.

    `meaning` is a digest of the labels, the target and the unit that it was given with.
    """

    model: str
    title: str
    meaning: str = ""
    answer: msgspec.Raw = _NONE
    problem: Problem | None = None

    @property
    def outcome(self) -> Outcome:
        """The model's name, and its answer or what went wrong."""
        said = self.problem or _answer(self.answer)
        assert said is not None
        return self.model, said

    @property
    def version(self) -> str:
        """The version of the model that answered; "" where none did."""
        said = _answer(self.answer)
        return said.version if said else ""


def given_json(app: App, outcomes: Sequence[Outcome]) -> str:
    """Return as JSON what models said of one item."""
    given = [_given(app, *outcome) for outcome in outcomes]
    return msgspec.json.encode(given, enc_hook=plain).decode()


def meaning_of(app: App) -> str:
    """Return a digest of what makes the meaning of an application's answers."""
    signature = app.signature
    told = msgspec.json.encode((signature.labels, signature.target, signature.unit))
    return hashlib.sha256(told).hexdigest()[:12]


def read_given(text: str) -> list[Given]:
    """Return what models said."""
    return msgspec.json.decode(text, type=list[Given])


def _given(app: App, name: str, said: Answer | Problem) -> Given:
    title, meaning = title_of(app, name), meaning_of(app)
    if isinstance(said, Problem):
        return Given(model=name, title=title, meaning=meaning, problem=said)
    first = structs.replace(said, predictions=said.predictions[:1])
    encoded = msgspec.json.encode(first, enc_hook=plain)
    return Given(model=name, title=title, meaning=meaning, answer=msgspec.Raw(encoded))


def _answer(kept: msgspec.Raw) -> Answer | None:
    if kept == _NONE:
        return None
    with suppress(msgspec.ValidationError):
        return msgspec.json.decode(kept, type=ClassAnswer)
    return msgspec.json.decode(kept, type=ValueAnswer)
