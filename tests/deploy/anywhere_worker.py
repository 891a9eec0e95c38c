"""`python anywhere_worker.py WSGI_FILE`: one request at a time, and no threads.

A web worker of PythonAnywhere, by Python's own reference server; it prints its port once it serves.
"""

from __future__ import annotations

import runpy
import sys
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.validate import validator


class Quiet(WSGIRequestHandler):
    """Writes nothing into the error log."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def refuse(_thread: threading.Thread) -> None:
    """Start no thread, as the platform."""
    raise RuntimeError("can't start new thread")


if __name__ == "__main__":
    threading.Thread.start = refuse  # type: ignore[assignment, method-assign]
    application = runpy.run_path(sys.argv[1])["application"]
    with make_server("127.0.0.1", 0, validator(application), handler_class=Quiet) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
