"""The lines that a server logs."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys

import pytest

from podium.errors import ServeError
from podium.logs import (
    RequestLine,
    Seldom,
    current,
    formatter,
    plain,
    stamp,
    write_request,
    writes_json,
)

LINE = RequestLine(
    time="2026-11-23T10:00:00.123Z", level="info", event="request", request_id="a1", method="GET",
    path="/", status=200, latency_ms=1.234, client="192.0.2.7", user="ci", pid=7,
)  # fmt: skip


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> tuple[logging.Logger, io.StringIO]:
    """A logger that writes JSON into a text."""
    monkeypatch.setenv("PODIUM_LOG", "json")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter())
    logger = logging.Logger("podium")
    logger.addHandler(handler)
    return logger, stream


@pytest.mark.parametrize(
    ("given", "terminal", "expected"),
    [(None, True, False), (None, False, True), ("", False, True), ("json", True, True),
     ("text", False, False)],
)  # fmt: skip
def test_a_terminal_gets_text_and_programs_json(
    monkeypatch: pytest.MonkeyPatch, given: str | None, terminal: bool, expected: bool
) -> None:
    """Unless PODIUM_LOG says otherwise."""
    monkeypatch.delenv("PODIUM_LOG", raising=False)
    if given is not None:
        monkeypatch.setenv("PODIUM_LOG", given)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert writes_json() is expected


def test_another_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the choices."""
    monkeypatch.setenv("PODIUM_LOG", "xml")
    with pytest.raises(ServeError, match=r"^PODIUM_LOG is 'xml'\. Choose json or text\.$"):
        writes_json()


def test_a_record_is_a_line(records: tuple[logging.Logger, io.StringIO]) -> None:
    """With its time, level and who tells it; line ends within do not break it."""
    logger, stream = records
    logger.warning("Model %r\nfails", "a")
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {
        "level": "warning", "event": "Model 'a'\nfails", "logger": "podium", "pid": os.getpid(),
    }  # fmt: skip


def test_a_traceback_is_a_field(records: tuple[logging.Logger, io.StringIO]) -> None:
    """In the line of its record, which carries the id of the request that this thread answers."""
    logger, stream = records
    current.request_id = "a1"
    try:
        logger.error("A request failed", exc_info=ValueError("no\nway"))
    finally:
        current.request_id = ""
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["request_id"]) == ("A request failed", "a1")
    assert told["exception"] == "ValueError: no\nway"


def test_a_request_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not known of it is left out."""
    write_request(LINE, as_json=True)
    assert json.loads(capsys.readouterr().err) == {
        "time": "2026-11-23T10:00:00.123Z", "level": "info", "event": "request",
        "request_id": "a1", "method": "GET", "path": "/", "status": 200, "latency_ms": 1.234,
        "client": "192.0.2.7", "user": "ci", "pid": 7,
    }  # fmt: skip


def test_a_request_is_a_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal, with the time of day."""
    write_request(LINE, as_json=False)
    told = capsys.readouterr().err
    assert re.fullmatch(r"\d\d:\d\d:\d\d 192\.0\.2\.7 GET / 200 1\.2 ms a1 ci\n", told)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, "1970-01-01T00:00:00.000Z"), (1_763_892_000.0625, "2025-11-23T10:00:00.062Z"),
     (1_763_892_000.9999, "2025-11-23T10:00:00.999Z")],
)  # fmt: skip
def test_a_time_is_told_in_utc(seconds: float, expected: str) -> None:
    """With milliseconds, which are cut off and never make the next second."""
    assert stamp(seconds) == expected


def test_the_same_words_pass_seldom() -> None:
    """Another error with the same words is told."""
    seldom = Seldom()

    def passes(error: Exception | None = None) -> bool:
        info = (type(error), error, None) if error else None
        return seldom.filter(logging.LogRecord("podium", 40, "", 0, "A failed", (), info))

    assert [passes(), passes()] == [True, False]
    assert [passes(ValueError("a")), passes(ValueError("a")), passes(ValueError("b"))] == [
        True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "expected"),
    [('{"time":"t","level":"error","event":"It failed","exception":"ValueError: no"}',
      "It failed\nValueError: no"),
     ('{"time":"t","level":"info","event":"Ready"}', "Ready"),
     ("podium: no such file", "podium: no such file"), ('{"a": 1}', '{"a": 1}'), ("", "")],
)  # fmt: skip
def test_a_line_is_told_to_people(line: str, expected: str) -> None:
    """What the JSON says, and any other line as it is."""
    assert plain(line) == expected
