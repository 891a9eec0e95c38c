"""Questions on a terminal: Enter keeps what is shown, a wrong answer is told and asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple, TypeVar

import click

from podium.errors import InvalidInput, PodiumError, nearest
from podium.init import Look
from podium.init.guess import Guess
from podium.init.hints import Hints

T = TypeVar("T")
_MAX_SHOWN: Final = 60
_ASKABLE: Final = ("labels", "features", "size")


class _Question(NamedTuple):
    """What may be asked of a guess: an option of `podium init`, and the guess as its text."""

    option: str
    text: str
    shown: Callable[[Guess], str]
    applies: Callable[[Guess], bool]


_QUESTIONS: Final = (
    _Question("title", "Title", lambda guess: guess.title, lambda guess: "title" in guess.why),
    _Question(
        "task", "classification or regression", lambda guess: guess.kind,
        lambda guess: "task.kind" in guess.why,
    ),
    _Question(
        "labels", "Labels in the model's order, with commas between, or a file with one a line",
        lambda guess: ", ".join(guess.labels), lambda guess: "task.labels" in guess.why,
    ),
    _Question(
        "size", "Height x width of the images that the model takes",
        lambda guess: "x".join(map(str, guess.image.size)) if guess.image else "",
        lambda guess: "image.size" in guess.why,
    ),
    _Question(
        "features", "Columns in the model's order, with commas between",
        lambda guess: ", ".join(feature.name for feature in guess.features),
        lambda guess: "features[0].name" in guess.why,
    ),
)  # fmt: skip


class Terminal:
    """Asks the maker at the terminal."""

    def target(self, columns: Sequence[str]) -> str:
        """Return the column of the answers."""

        def known(text: str) -> str:
            if text not in columns:
                raise ValueError(f"there is no column {text!r}.{nearest(text, columns)}")
            return text

        return _ask(f"Column of the answers ({', '.join(columns)})", "", known)

    def inputs(self, missing: str, hints: Hints) -> Hints:
        """Return the hints with what the model takes, which its file does not say."""
        click.echo(f"The file does not say {missing.partition('.')[0]}.")
        kind = click.prompt("features, images or text", default="features",
                            type=click.Choice(["features", "images", "text"]))  # fmt: skip
        if kind == "text":
            return replace(hints, text=True)
        option, text = {
            "features": ("features", "Columns in their order, with commas between, or how many"),
            "images": ("size", "Height x width, such as 224x224; 28x28x1 for grey"),
        }[kind]
        return _ask(text, "", partial(hints.having, option))

    def correct(self, hints: Hints, look: Look) -> Hints:
        """Return the hints with all answers that differ from the guess."""
        for question in _QUESTIONS:
            hints, guess = _answerable(hints, look)
            if question.applies(guess):
                hints = _answer(question, guess, hints, look)
        return hints


def _answerable(hints: Hints, look: Look) -> tuple[Hints, Guess]:
    """Return the guess; what is wrong with an option is asked again."""
    while True:
        try:
            return hints, look(hints)
        except InvalidInput as err:
            option, message = err.errors[0]
            name = option.removeprefix("--")
            if name not in _ASKABLE:
                raise
        hints = _ask(f"{option}: {message}", "", partial(hints.having, name))


def _answer(question: _Question, guess: Guess, hints: Hints, look: Look) -> Hints:
    shown = question.shown(guess)

    def parse(text: str) -> Hints:
        if text == shown:
            return hints
        answered = hints.having(question.option, text)
        look(answered)
        return answered

    return _ask(question.text, shown, parse)


def _ask(question: str, default: str, parse: Callable[[str], T]) -> T:
    """Ask until `parse` takes the answer; Enter stands for `default`."""
    short = default if len(default) <= _MAX_SHOWN else f"{default[:_MAX_SHOWN]}..."
    prompt = f"{question} [{short}]" if default else question
    while True:
        text = str(click.prompt(prompt, default=default or None, show_default=False))
        try:
            return parse(text.strip())
        except InvalidInput as err:
            click.echo("; ".join(one.message for one in err.errors))
        except (ValueError, PodiumError) as err:
            click.echo(str(err))
