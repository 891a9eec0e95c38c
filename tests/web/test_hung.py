"""What a request is told whose thread hangs."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from podium import hung
from podium.errors import TimedOut
from podium.web.hung import Watched
from podium.web.noted import STARTED, told_path

WHOLE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """What is sent in a thread's place."""
    found: list[tuple[int, bytes]] = []
    monkeypatch.setattr(hung, "_senders", [lambda *told: found.append(told)])
    return found


def start(_status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Any:
    """Begin no answer."""


def environ(path: str) -> dict[str, Any]:
    """Return a request for a path."""
    return {"REQUEST_METHOD": "POST", "PATH_INFO": path, STARTED: 0.0, "podium.request_id": "r1"}


def test_a_thread_that_hangs_is_answered_for(
    sent: list[tuple[int, bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    """Its client gets a 504 with the request's id; the log tells no whole id of an answer."""

    def hang(_environ: Any, _start: Any) -> list[bytes]:
        watched.tell(threading.get_ident(), TimedOut("too long"))
        return []

    watched = Watched(hang)
    watched(environ(f"/answers/{WHOLE}/again"), start)
    ((thread, response),) = sent
    head, _, body = response.partition(b"\r\n\r\n")
    assert thread == threading.get_ident()
    assert head.startswith(b"HTTP/1.1 504 ")
    assert b"\r\nX-Request-Id: r1\r\n" in head
    assert b'"detail":"too long"' in body
    assert [record.getMessage() for record in caplog.records] == [
        "POST /answers/01234567.../again r1 hangs in its model: answered 504, and this worker is "
        "replaced"
    ]


def test_a_thread_that_has_come_back_is_left_alone(sent: list[tuple[int, bytes]]) -> None:
    """It answers itself, and may have another request by now."""
    watched = Watched(lambda _environ, _start: [])
    watched(environ("/predict"), start)
    watched.tell(threading.get_ident(), TimedOut("too long"))
    assert sent == []


@pytest.mark.parametrize(
    ("path", "told"),
    [(f"/datasets/{WHOLE}/rows", "/datasets/01234567.../rows"), ("/a\nb", "/a\\nb"),
     ("/predict", "/predict")],
)  # fmt: skip
def test_a_path_in_the_log(path: str, told: str) -> None:
    """Nobody can ask for the same with it, or write a line of its own."""
    assert told_path({"PATH_INFO": path}) == told
