"""Messages that are no sound HTTP: what attackers send past proxies, or to wear a server out."""

from __future__ import annotations

import json
from typing import Final

BODY: Final = json.dumps({"inputs": [{"text": "a"}]}).encode()
HIDDEN: Final = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""A request that must never be taken for one."""


def post(*headers: str, body: bytes = b"", path: str = "/predict") -> bytes:
    """Return a POST with headers of its own, as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def get(
    target: str = "/healthz", *headers: str, method: str = "GET", version: str = "1.1"
) -> bytes:
    """Return a request without a body, as bytes."""
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *headers, "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


_WHOLE: Final = f"Content-Length: {len(BODY)}"
_CHUNKED: Final = "Transfer-Encoding: chunked"

SMUGGLED: Final = {
    "CL.TE": post("Content-Length: 6", _CHUNKED, body=b"0\r\n\r\n" + HIDDEN),
    "TE.CL": post(_CHUNKED, "Content-Length: 4", body=b"5c\r\n" + HIDDEN + b"\r\n0\r\n\r\n"),
    "TE.TE": post(_CHUNKED, "Transfer-Encoding: identity", body=b"0\r\n\r\n" + HIDDEN),
    "TE unknown": post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + HIDDEN),
    "TE twice in one": post("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + HIDDEN),
    "TE with a space": post("Transfer-Encoding : chunked", _WHOLE, body=b"0\r\n\r\n" + HIDDEN),
    "TE of HTTP/1.0": post(_CHUNKED, body=b"0\r\n\r\n" + HIDDEN).replace(b"1.1", b"1.0", 1),
    "two lengths": post(_WHOLE, "Content-Length: 0", body=BODY + HIDDEN),
    "one length twice": post(_WHOLE, _WHOLE, body=BODY + HIDDEN),
    "list of lengths": post("Content-Length: 0, 26", body=BODY + HIDDEN),
    "negative length": post("Content-Length: -1", body=BODY + HIDDEN),
    "signed length": post("Content-Length: +1", body=BODY + HIDDEN),
    "length of many digits": post("Content-Length: " + "9" * 30, body=BODY + HIDDEN),
    "hexadecimal length": post("Content-Length: 0x1", body=BODY + HIDDEN),
    "negative chunk": post(_CHUNKED, body=b"-1\r\n" + HIDDEN),
    "chunk of many digits": post(_CHUNKED, body=b"f" * 17 + b"\r\n" + HIDDEN),
    "return alone": post("X: a\rContent-Length: 0", body=HIDDEN),
    "NUL in a header": post("X: a\0b", body=HIDDEN),
}
"""Requests of which two servers could disagree where they end."""

ODD: Final = {
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version 9": get(version="9.9"),
    "no version": get(version=""),
    "TRACE": get(method="TRACE"),
    "CONNECT": get("localhost:22", method="CONNECT"),
    "unknown method": get(method="FOO"),
    "method of many letters": get(method="A" * 5000),
    "no path": get(""),
    "asterisk": get("*"),
    "long query": get("/healthz?" + "a" * 9000),
    "control character": get("/\x01"),
    "NUL": get("/healthz%00"),
    "overlong UTF-8": get("/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd"),
    "no UTF-8": get("/%ff%fe"),
    "half a percent sign": get("/%"),
    "parents": get("/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
    "backslashes": get("/..\\..\\..\\etc\\passwd"),
    "double encoding": get("/files/%252e%252e/%252e%252e/podium.toml"),
    "path parameters": get("/files/..;/podium.toml"),
    "many headers": get("/healthz", *(f"X-{i}: a" for i in range(20_000))),
    "long header": get("/healthz", "X: " + "a" * 100_000),
    "long name of a header": get("/healthz", "X" * 100_000 + ": a"),
    "endless header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000,
    "two hosts": get("/healthz", "Host: evil.example"),
    "host of a path": b"GET / HTTP/1.1\r\nHost: localhost/../x\r\nConnection: close\r\n\r\n",
    "host with a user": b"GET / HTTP/1.1\r\nHost: a@evil.example\r\nConnection: close\r\n\r\n",
    "host of markup": b"GET / HTTP/1.1\r\nHost: <script>\r\nConnection: close\r\n\r\n",
    "no host": b"GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n",
    "absolute address": get("http://evil.example/nowhere"),
    "absolute address of a file": get("file:///etc/passwd"),
}
"""Requests that are none, or lead nowhere."""
