"""A guessed application as the text of a first podium.toml, its guesses marked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from podium.folder import FILE
from podium.init.guess import Guess
from podium.spec import Feature, Image, ModelSpec, Reference, Spec, Task
from podium.strict import Table

LABELS: Final = "labels.txt"
MAX_LABELS: Final = 30
"""More labels stand in a file of their own."""
_SHOWN: Final[Mapping[type[Table], tuple[str, ...]]] = {
    Spec: ("summary",), Feature: ("kind",), Image: ("colour", "layout"),
}  # fmt: skip
"""Keys that are written although they have their default, since the maker may change them."""
_LAST: Final = ("models", "references", "examples")
"""Tables that stand below those that describe the input."""


def draft(
    guess: Guess,
    model: ModelSpec,
    references: Sequence[Reference] = (),
    training: str | None = None,
) -> dict[str, str]:
    """Return the text files of an application folder by their names."""
    apart = len(guess.labels) > MAX_LABELS and all(map(_is_line, guess.labels))
    labels = LABELS if apart else guess.labels or None
    task = Task(
        kind=guess.kind, target=guess.target, labels=labels, unit=guess.unit, training=training
    )
    spec = Spec(
        title=guess.title, task=task, models=(model,), features=guess.features, image=guess.image,
        text=guess.text, references=tuple(references), examples=guess.examples,
    )  # fmt: skip
    lines = _table(spec, "", _comments(guess), _suggestions(guess))
    files = {FILE: "\n".join(lines) + "\n"}
    return files | ({LABELS: "\n".join(guess.labels) + "\n"} if apart else {})


def _is_line(label: str) -> bool:
    return label.strip().splitlines() == [label]


def _suggestions(guess: Guess) -> dict[str, list[str]]:
    """Return, by the key of a table, comments with what the maker may add to it."""
    lines: dict[str, list[str]] = {}
    if guess.kind == "regression" and guess.unit is None:
        lines["task"] = ['# unit = "..."']
    if guess.features:
        lines["features[0]"] = ['# label = "..."  # what the page calls it', '# unit = "..."']
        if guess.features[0].kind == "number" and guess.features[0].range is None:
            lines["features[0]"].append(
                "# range = [0, 1]  # least and greatest value in the training data"
            )
    return lines


def _comments(guess: Guess) -> dict[str, str]:
    """Return, by the key, what stands behind its value."""
    guessed = {key: f"  # guessed: {reason}" for key, reason in guess.why.items()}
    return guessed | {key: f"  # from {file}" for key, file in guess.sources.items()}


def _table(
    table: Table, where: str, told: Mapping[str, str], suggestions: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield a table's own keys, then the tables within it."""
    inner: list[tuple[str, str, Table]] = []
    for field in sorted(msgspec.structs.fields(table), key=lambda one: one.name in _LAST):
        value, key = getattr(table, field.name), _join(where, field.name)
        default = value == field.default and field.name not in _SHOWN.get(type(table), ())
        if isinstance(value, Table):
            inner += [] if default else [(f"[{key}]", key, value)]
        elif isinstance(value, tuple) and value and isinstance(value[0], Table):
            inner += [(f"[[{key}]]", f"{key}[{index}]", one) for index, one in enumerate(value)]
        elif value is not None and (not default or key in told) and value != {}:
            yield f"{field.name} = {_value(value)}{told.get(key, '')}"
    yield from suggestions.get(where, ())
    for header, key, one in inner:
        yield f"\n{header}"
        yield from _table(one, key, told, suggestions)


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _value(value: Any) -> str:
    """Return a value as TOML. Its strings are JSON's, but for DEL, which TOML wants escaped."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)
