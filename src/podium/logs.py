"""What Podium logs: a line for each thing, as JSON for programs or as text for a terminal."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from podium.errors import ServeError

SELDOM_S = 30.0
VARIABLE: Final = "PODIUM_LOG"
"""The environment variable that says json or text; without it a terminal gets text."""

log = logging.getLogger("podium")


class Line(Struct, omit_defaults=True, kw_only=True):
    """What happened, and in which process; `logger` is who tells it, `exception` a traceback."""

    time: str
    level: str
    event: str
    request_id: str = ""
    logger: str = ""
    pid: int = 0
    exception: str = ""


class RequestLine(Struct, omit_defaults=True, kw_only=True):
    """A request that was answered; `user` is the name of its key, or what a proxy calls them."""

    time: str
    level: str
    event: str
    request_id: str
    method: str
    path: str
    status: int
    latency_ms: float
    client: str = ""
    user: str = ""
    model: str = ""
    version: str = ""
    items: int = 0
    pid: int = 0


class _Current(threading.local):
    """What the requests of this process's threads are called."""

    request_id = ""


current: Final = _Current()
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Line).decode


def writes_json() -> bool:
    """Whether lines are JSON: as PODIUM_LOG says, else where no terminal shows them.

    Raises:
        ServeError: PODIUM_LOG is neither.
    """
    wanted = os.environ.get(VARIABLE) or ("text" if sys.stderr.isatty() else "json")
    if wanted not in ("json", "text"):
        raise ServeError(f"{VARIABLE} is {wanted!r}. Choose json or text.")
    return wanted == "json"


def log_to_stderr() -> None:
    """Let a process write its log to standard error.

    Raises:
        ServeError: PODIUM_LOG is neither json nor text.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom())
    handler.setFormatter(formatter())
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def formatter() -> logging.Formatter:
    """Return what makes lines of log records."""
    return (
        JsonLines() if writes_json() else logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    )


def write_request(line: RequestLine, as_json: bool) -> None:
    """Write the line of a request at once: a log record would cost more than a small answer."""
    if as_json:
        _write(f"{_encode(line).decode()}\n")
        return
    caller = f"{line.client or '-'} {line.method} {line.path}"
    told = f"{line.status} {line.latency_ms:.1f} ms {line.request_id}"
    who = f" {line.user}" if line.user else ""
    _write(f"{_clock(int(time.time()))} {caller} {told}{who}\n")


def stamp(seconds: float) -> str:
    """Return a time as ISO 8601 in UTC, with milliseconds."""
    whole, thousandths = divmod(int(seconds * 1000), 1000)
    return f"{_date(whole)}.{thousandths:03d}Z"


def plain(line: str) -> str:
    """Return what a line of JSON says, for people; any other line as it is."""
    try:
        told = _decode(line)
    except msgspec.DecodeError:
        return line
    return "\n".join(filter(None, (told.event, told.exception)))


class JsonLines(logging.Formatter):
    """Makes one line of JSON of a record, with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        line = Line(
            time=stamp(record.created), level=record.levelname.lower(), event=record.getMessage(),
            request_id=current.request_id, logger=record.name, pid=record.process or 0,
            exception=self.formatException(record.exc_info) if record.exc_info else "",
        )  # fmt: skip
        return _encode(line).decode()


class Seldom(logging.Filter):
    """Lets the same words through once in a while: what is tried often may fail often."""

    def __init__(self) -> None:
        super().__init__()
        self._said: tuple[str, float] = ("", 0.0)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is not what was just said."""
        told, now = record.getMessage(), time.monotonic()
        if record.exc_info:
            told += repr(record.exc_info[1])
        if told == self._said[0] and now - self._said[1] < SELDOM_S:
            return False
        self._said = (told, now)
        return True


def _write(text: str) -> None:
    # The disk of the log may be full, or nobody read it: no reason not to answer.
    with suppress(OSError):
        sys.stderr.write(text)


@lru_cache(maxsize=1)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
