"""The servers that are measured: started, asked once, ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.applications import Case
from podium.cpus import available_cpus

ROOT: Final = Path(__file__).parent.parent
START_S: Final = 60.0
STOP_S: Final = 15.0


class ServerFailed(Exception):
    """A server did not start, or ended; the message tells where its log is."""


@dataclass(frozen=True)
class Server:
    """One running server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Where it takes requests."""
        return f"{'https' if self.name == TLS else 'http'}://127.0.0.1:{self.port}/predict"

    def ask(self, case: Case) -> list[dict[str, Any]]:
        """Return the answers to the case's request, one an item.

        Raises:
            OSError: there was none, or one of another status than 200.
        """
        headers = {"Content-Type": case.content_type, **dict(case.headers)}
        request = urllib.request.Request(self.url, case.body, headers)  # noqa: S310  http alone
        trust = ssl._create_unverified_context()  # noqa: S323  a certificate made for this
        with urllib.request.urlopen(request, timeout=10, context=trust) as reply:  # noqa: S310
            answers: list[dict[str, Any]] = json.load(reply)["predictions"]
        return answers

    def check_alive(self) -> None:
        """Raise ServerFailed if the process has ended."""
        if self.process.poll() is not None:
            raise ServerFailed(
                f"{self.name} ended with status {self.process.returncode}; see {self.log}"
            )


def podium_command(case: Case, port: int) -> list[str]:
    """Return the command that serves a case with Podium and its defaults."""
    return [sys.executable, "-m", "podium", "serve", str(case.folder), "--port", str(port)]


def handwritten_command(case: Case, port: int) -> list[str]:
    """Return the command that serves a case with its hand-written server."""
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    module = "photo" if case.content_type.startswith("multipart") else "row"
    size = ["--workers", str(available_cpus()), "--worker-class", "gthread", "--threads", "4"]
    return [*gunicorn, *size, f"benchmarks.handwritten.{module}:app"]


def front_command(case: Case, port: int) -> list[str]:
    """Return the command that serves a case with Podium behind nginx."""
    return [sys.executable, "-m", "benchmarks.front", str(case.folder), str(port)]


def tls_command(case: Case, port: int) -> list[str]:
    """Return the command that serves a case with Podium behind nginx with TLS."""
    return [*front_command(case, port), "--tls"]


NGINX: Final = "nginx, Podium"
TLS: Final = "nginx with TLS, Podium"
COMMANDS: Final = {
    "hand-written": handwritten_command, "Podium": podium_command, NGINX: front_command,
    TLS: tls_command,
}  # fmt: skip


@contextmanager
def serving(name: str, case: Case, logs: Path) -> Iterator[Server]:
    """Run the server `name` in a process group of its own, which is ended at last."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}-{case.name}.log"
    port = _free_port()
    environment = {**os.environ, "APPLICATION": str(case.folder)}
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603  the arguments are a list, not a shell's text
            COMMANDS[name](case, port),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    server = Server(name, port, process, log)
    try:
        _wait_until_answering(server, case)
        yield server
    finally:
        _stop(process)


def _wait_until_answering(server: Server, case: Case) -> None:
    deadline = time.monotonic() + START_S
    while True:
        server.check_alive()
        try:
            server.ask(case)
        except OSError as err:
            if time.monotonic() > deadline:
                raise ServerFailed(f"{server.name}: {err}; see {server.log}") from err
            time.sleep(0.1)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children; Gunicorn's arbiter ends its workers on SIGTERM."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
