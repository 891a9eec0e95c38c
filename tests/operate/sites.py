"""A real site: Podium's own commands, nginx and Gunicorn, on free ports, in a short folder."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from podium.cli import main
from tests.support.front import free_ports
from tests.support.missing import program


class Commands:
    """An application folder, and the commands that run it."""

    def __init__(self, folder: Path) -> None:
        self.app = folder / "app"
        self.state = folder / "state"
        self.http_port, self.https_port = free_ports()

    def run(self, command: str, *more: object) -> Result:
        """Run a command of Podium's for the folder."""
        words = [command, str(self.app), "--state", str(self.state), *map(str, more)]
        return CliRunner().invoke(main, words, prog_name="podium", catch_exceptions=False)

    def up(self, *more: object) -> Result:
        """Bring the site up with a certificate of its own."""
        ports = ("--http-port", self.http_port, "--https-port", self.https_port)
        return self.run("up", "--tls-self-signed", *ports, "--workers", 1, *more)

    def status(self) -> dict[str, Any]:
        """Return what `podium status --json` tells."""
        told: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return told

    def pids(self) -> dict[str, int]:
        """Return the process of each unit."""
        return {unit["name"]: unit["pid"] for unit in self.status()["units"]}

    @property
    def site(self) -> Path:
        """The folder of the site."""
        return next(self.state.glob("app-*")) / "site"

    @property
    def releases(self) -> set[str]:
        """The releases that are there."""
        return {path.name for path in (self.site / "releases").iterdir()}

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask over TLS, and verify the certificate."""
        context = ssl.create_default_context(cafile=str(self.site / "tls" / "self-signed.pem"))
        connection = http.client.HTTPSConnection(
            "localhost", self.https_port, context=context, timeout=30
        )
        try:
            connection.request("GET", path, headers={"Accept": "text/html,application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def models(self) -> dict[str, Any]:
        """Return what /models tells."""
        told: dict[str, Any] = json.loads(self.get("/models")[1])
        return told


@contextmanager
def commands() -> Iterator[Commands]:
    """Return the commands of a site; it is down in the end. Its sockets need a short path."""
    program("nginx", "nginx-light")
    program("openssl", "openssl")
    with tempfile.TemporaryDirectory(prefix="podium-") as folder:
        site = Commands(Path(folder))
        try:
            yield site
        finally:
            site.run("down")
            left = processes_of(Path(folder))
            if left:
                pytest.fail(f"left behind: {left}")


def processes_of(folder: Path) -> dict[int, str]:
    """Return the command lines of processes that were started with a path in a folder."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(folder) in command:
                found[int(entry.name)] = command.replace(b"\0", b" ").decode()
    return found


def supervisor_of(site: Path) -> int:
    """Return the process of a site's supervisor, which leads the session of none of its units."""
    words = f"podium.operate.supervisor {site}"
    (pid,) = [pid for pid, command in processes_of(site).items() if words in command]
    return pid
