"""What is done on a platform, as data: what a dry run shows is what is sent."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct, field

from podium.errors import DeployError

MASK: Final = "***"
SHORT: Final = 8
"""What has fewer characters stands in texts by chance."""


class Secret(Struct, frozen=True):
    """The value of an environment variable, which is sent and never shown."""

    name: str


class Call(Struct, frozen=True):
    """One request to a platform, in the words of its API.

    `payload` is plain data with Secrets in it. `file` is the rendered file that goes along, by its
    name among the files.
    """

    operation: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""


class Command(Struct, frozen=True):
    """A program that is run here, with what it reads from standard input."""

    arguments: tuple[str, ...]
    input: str | Secret = ""


class Step(Struct, frozen=True):
    """One step of a plan: what is done, why, and how."""

    what: str
    why: str
    call: Call | Command


def masked(value: Any) -> Any:
    """Return a payload as it may be shown: of each secret its name alone."""
    return _walked(value, lambda secret: f"{MASK} (the value of {secret.name})")


def resolved(value: Any, environment: Mapping[str, str]) -> Any:
    """Return a payload as it is sent, with the secrets' values.

    Raises:
        DeployError: one is not set; `Task.agree` tells of all before anything is sent.
    """

    def value_of(secret: Secret) -> str:
        if secret.name not in environment:
            raise DeployError(unset([secret.name]))
        return environment[secret.name]

    return _walked(value, value_of)


def hidden(text: str, names: Iterable[str], environment: Mapping[str, str]) -> str:
    """Return a text with the values of secrets masked, each by its name, however it is written."""
    shown = {
        written: masked(Secret(name))
        for name in names
        for written in _written(environment.get(name, ""))
    }
    if not shown:
        return text
    # The longest first: a secret may begin with another, or have it within.
    either = "|".join(map(re.escape, sorted(shown, key=len, reverse=True)))
    return re.sub(either, lambda found: shown[found[0]], text)


def secrets_in(value: Any) -> Iterator[str]:
    """Yield the names of the secrets in a payload."""
    found: list[str] = []

    def note(secret: Secret) -> str:
        found.append(secret.name)
        return ""

    _walked(value, note)
    yield from found


def unset(names: list[str]) -> str:
    """Return what is said of secrets without a value."""
    listed = ", ".join(names)
    return (
        f"The environment has no value for {listed}, which [deploy] secrets names. Set it for "
        f"`podium deploy` alone: {names[0]}=... podium deploy ..."
    )


def _written(value: str) -> set[str]:
    """Return how a value may stand in a text: whole, encoded, or its lines."""
    lines = [line for line in value.splitlines() if len(line) >= SHORT]
    encoded = base64.b64encode(value.encode()).decode()
    found = {value, json.dumps(value)[1:-1], quote(value, safe=""), encoded, *lines}
    return found - {""}


def _walked(value: Any, tell: Any) -> Any:
    if isinstance(value, Secret):
        return tell(value)
    if isinstance(value, Mapping):
        return {key: _walked(one, tell) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_walked(one, tell) for one in value]
    return value
