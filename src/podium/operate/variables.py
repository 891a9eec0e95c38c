"""The environment variables of a site's servers, in a file: what stands there is in no unit."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from podium.errors import ServeError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_variables(file: Path) -> dict[str, str]:
    """Return the variables of a file: lines NAME=VALUE, quoted as a shell has it.

    Raises:
        ServeError: it cannot be read, or holds something else; no value is told.
    """
    try:
        with file.open(encoding="utf-8", newline="") as read:  # a value may hold any line ending
            words = shlex.split(read.read(), comments=True)
    except OSError as err:
        raise ServeError(f"{file} cannot be read: {err.strerror}") from err
    except ValueError as err:
        raise ServeError(f"{file} cannot be read: {err}. Expected lines NAME=VALUE.") from err
    found = {}
    for number, word in enumerate(words, 1):
        name, told, value = word.partition("=")
        if not told or not _NAME.fullmatch(name):
            raise ServeError(
                f"{file}: what stands there as number {number} is no NAME=VALUE. Quote values with "
                "spaces, as in NAME='two words'."
            )
        found[name] = value
    return found


def text_of(variables: Mapping[str, str]) -> str:
    """Return variables as `read_variables` reads them."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())


def digest_of(variables: Mapping[str, str]) -> str:
    """Return what tells whether variables have changed, without their values; "" for none."""
    text = text_of(dict(sorted(variables.items())))
    return hashlib.sha256(text.encode()).hexdigest() if text else ""
