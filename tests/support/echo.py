"""A server that keeps what it is sent, to see what a program really sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = b'{"predictions": ["fine"]}'


class Echo:
    """The server's address, the (path, content type, body) of each request, the key of the last."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[tuple[str, str, bytes]] = []
        self.key: str | None = None


@contextmanager
def echoing() -> Iterator[Echo]:
    """Run a server whose every answer is ANSWER."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep a request."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            echo.key = self.headers["Authorization"]
            echo.requests.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    echo = Echo(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield echo
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
