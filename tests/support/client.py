"""An HTTP client that hides nothing: standard library only, no retries, no cookies."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

TIMEOUT_S = 20.0
BOUNDARY = "podium-test-boundary"
JSON = "application/json"
PROBLEM = "application/problem+json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

Fields = Sequence[tuple[str, str]]


class Upload(NamedTuple):
    """A file of a form."""

    field: str
    body: bytes
    filename: str = "photo.jpg"
    content_type: str = "image/jpeg"


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def content_type(self) -> str:
        """The Content-Type header."""
        return self.headers.get("Content-Type", "")

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def errors(self) -> list[tuple[str, str]]:
        """The (field, message) pairs of a problem document."""
        return [(error["field"], error["message"]) for error in self.json()["errors"]]

    @property
    def predictions(self) -> list[dict[str, Any]]:
        """The predictions of an answer with status 200."""
        assert (self.status, self.content_type) == (200, JSON), (self.status, self.body[:500])
        found: list[dict[str, Any]] = self.json()["predictions"]
        return found


class Client:
    """Speaks to one server; every answer is checked for what all answers have in common."""

    def __init__(self, port: int, base: str = "") -> None:
        self.port = port
        self.base = base

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to one request on a connection of its own."""
        connection = self.connect()
        try:
            return exchange(connection, method, self.base + path, body, headers)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Return the answer to a GET; `Accept="..."` and the like are headers."""
        return self.send("GET", path, headers=headers)

    def post(self, path: str, body: bytes | Iterable[bytes], content_type: str) -> Answer:
        """Return the answer to a POST; a body that is no bytes goes in chunks."""
        return self.send("POST", path, body, {"Content-Type": content_type})

    def predict(self, *inputs: object, query: str = "") -> Answer:
        """Return the answer to `inputs`, sent as JSON."""
        return self.predict_json(json.dumps({"inputs": inputs}).encode(), query)

    def predict_json(self, body: bytes, query: str = "") -> Answer:
        """Return the answer to a body that is called JSON."""
        return self.post(f"/predict{query}", body, JSON)

    def submit(
        self,
        path: str,
        fields: Fields = (),
        files: Sequence[Upload] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a multipart form."""
        body, content_type = multipart(fields, files)
        return self.send("POST", path, body, {"Content-Type": content_type, **(headers or {})})

    def submit_urlencoded(self, path: str, fields: Fields) -> Answer:
        """Return the answer to a form in the other encoding."""
        body = urlencode(fields).encode()
        return self.post(path, body, "application/x-www-form-urlencoded")

    def raw(self, request: bytes, *, half_close: bool = False) -> bytes:
        """Return all that comes back for bytes that may be no HTTP at all."""
        return raw(self.port, request, half_close=half_close)


def raw(port: int, request: bytes, *, half_close: bool = False) -> bytes:
    """Return all that comes back for bytes; who refuses early may close before they are sent."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
    return received


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return the answer to one request on an open connection."""
    # A server that refuses early closes while the body is still on its way.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, path, body, dict(headers or {}))
    response = connection.getresponse()
    answer = Answer(response.status, response.msg, response.read())
    check_every_answer(answer)
    return answer


def multipart(fields: Fields, files: Sequence[Upload] = ()) -> tuple[bytes, str]:
    """Return the body of a multipart form and its content type."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    ]
    for file in files:
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{file.field}"; '
            f'filename="{file.filename}"\r\nContent-Type: {file.content_type}\r\n\r\n'
        )
        parts.append(head.encode() + file.body + b"\r\n")
    parts.append(f"--{BOUNDARY}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={BOUNDARY}"


def check_every_answer(answer: Answer) -> None:
    """Check the headers that every answer carries, and that none shows a traceback."""
    policy = answer.headers.get("Content-Security-Policy", "")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert answer.headers.get_all("Referrer-Policy") == ["same-origin"]
    assert len(answer.headers.get_all("X-Request-Id") or ()) == 1
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["X-Request-Id"])
    assert answer.headers.get("Set-Cookie") is None
    assert b"Traceback" not in answer.body
    assert b"site-packages" not in answer.body


def assert_problem(
    answer: Answer, status: int, title: str, errors: Sequence[tuple[str, str]], detail: str = ""
) -> None:
    """Check a whole problem document; a `detail` left out is that of its first mistakes."""
    told = "; ".join(f"{field}: {message}" for field, message in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    listed = [{"field": field, "message": message} for field, message in errors]
    expected = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or told + more,
        "errors": listed,
    }
    assert (answer.status, answer.content_type) == (status, PROBLEM), answer.body[:500]
    assert answer.json() == expected
