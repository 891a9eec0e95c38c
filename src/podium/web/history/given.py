"""What models said, as it is kept: with all that the page needs to show it again as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct, structs

from podium.app import App
from podium.messages import heard_in, whole
from podium.prediction import Answer, ClassAnswer, ValueAnswer
from podium.web.page.answer import title_of
from podium.web.page.compared import Outcome
from podium.web.problem import Problem


class Given(Struct, frozen=True, kw_only=True):
    """What one model said, under the title it had, or the problem for which it gave no answer.

    `answer` is what the API gives, as plain data in which texts are Messages. `meaning` is a digest
    of the labels, the target and the unit that it was given with.
    """

    model: str
    title: str
    meaning: str = ""
    answer: dict[str, Any] | None = None
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
    return msgspec.json.encode(given, enc_hook=whole).decode()


def meaning_of(app: App) -> str:
    """Return a digest of what makes the meaning of an application's answers."""
    signature = app.signature
    told = msgspec.json.encode((signature.labels, signature.target, signature.unit))
    return hashlib.sha256(told).hexdigest()[:12]


def read_given(text: str) -> list[Given]:
    """Return what models said; texts that an earlier version kept are plain English."""
    return msgspec.convert(heard_in(msgspec.json.decode(text)), list[Given])


def _given(app: App, name: str, said: Answer | Problem) -> Given:
    title, meaning = title_of(app, name), meaning_of(app)
    if isinstance(said, Problem):
        return Given(model=name, title=title, meaning=meaning, problem=said)
    first = structs.replace(said, predictions=said.predictions[:1])
    answer = msgspec.to_builtins(first, enc_hook=whole)
    return Given(model=name, title=title, meaning=meaning, answer=answer)


def _answer(kept: dict[str, Any] | None) -> Answer | None:
    if kept is None:
        return None
    with suppress(msgspec.ValidationError):
        return msgspec.convert(kept, ClassAnswer)
    return msgspec.convert(kept, ValueAnswer)
