"""Whether the server is ready: a container's health check.

It runs every few seconds, and so imports little: `python -m podium.container.health PATH HOST
[SOCKET]` asks the server behind a Unix socket, or the one at the port that PORT says.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

TIMEOUT_S: Final = 4.0


def trouble(path: str, host: str, file: str = "") -> str:
    """Return what keeps the server from being ready; "" if nothing does."""
    port = ("127.0.0.1", int(os.environ.get("PORT", "0")))
    family, address = (socket.AF_UNIX, file) if file else (socket.AF_INET, port)
    try:
        with socket.socket(family) as server:
            server.settimeout(TIMEOUT_S)
            server.connect(address)
            server.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = server.makefile("rb").read(2000).decode("latin-1")
    except OSError as err:
        return f"The server does not answer: {err}"
    head, _, body = answer.partition("\r\n\r\n")
    line = head.partition("\r\n")[0]
    return "" if line.split()[1:2] == ["200"] else f"{path}: {line} {body}".strip()


if __name__ == "__main__":
    sys.exit(trouble(*sys.argv[1:]) or 0)
