"""A program in place of `podium`, for tests of all but how an application is served.

It answers as the rule of the tests' application does, and starts at once.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from podium.prediction import ValueAnswer, ValuePrediction, ValueUncertainty


def install(folder: Path) -> Path:
    """Put the program into a folder, and return the folder."""
    folder.mkdir()
    program = folder / "podium"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} "$@"\n')
    program.chmod(0o755)
    return folder


class Answers(BaseHTTPRequestHandler):
    """Tells its version, and predicts."""

    def do_GET(self) -> None:
        """Tell that it is ready."""
        self._send({"status": "ready", "release": os.environ["PODIUM_RELEASE"]})

    def do_POST(self) -> None:
        """Predict one row."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (factor,) = re.findall(r"return (\d+)", Path("app/rule.py").read_text())
        value = int(factor) * float(next(iter(asked["inputs"][0].values())))
        told = ValuePrediction(value=value, unit=None, uncertainty=ValueUncertainty(), warnings=[])
        self._send(msgspec.to_builtins(ValueAnswer("rule", "0", [told])))

    def _send(self, told: Any) -> None:
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve, or do nothing in place of the data sets' worker."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if sys.argv[1] == "worker":
        signal.pause()
    print(f"Rule: http://localhost:{os.environ['PORT']}/", flush=True)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()


if __name__ == "__main__":
    main()
