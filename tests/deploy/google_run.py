"""Revisions of Cloud Run: each a real `podium serve`, started as its template says."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.front import free_port

SUCCEEDED, FAILED, RECONCILING = "CONDITION_SUCCEEDED", "CONDITION_FAILED", "CONDITION_RECONCILING"
NO_PORT = (
    "The user-provided container failed to start and listen on the port defined provided by the "
    "PORT=8080 environment variable within the allocated timeout."
)
KEPT = ("PATH", "HOME", "LANG")
"""What of the tests' environment reaches a container: nothing that would help it."""


class Revision:
    """One revision: its template, the process that runs it, and how it stands."""

    def __init__(self, name: str, template: dict[str, Any], created: str) -> None:
        self.name, self.template, self.created = name, template, created
        self.state, self.message = RECONCILING, "Deploying revision."
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.log = Path()

    @property
    def container(self) -> dict[str, Any]:
        """The only container."""
        container: dict[str, Any] = self.template["containers"][0]
        return container

    def fail(self, message: str) -> None:
        """Let it be known that it does not start."""
        self.state, self.message = FAILED, message
        self.stop()

    def start(self, image: Path, folder: Path, environment: Mapping[str, str]) -> None:
        """Run an image's command in a folder, with /app and the address where they are here."""
        for part in ("app", "models"):
            if (image / part).is_dir():
                shutil.copytree(image / part, folder / "app", dirs_exist_ok=True)
        self.port = free_port()
        here = {"/app": str(folder / "app"), "0.0.0.0": "127.0.0.1"}  # noqa: S104
        arguments = [here.get(one, one) for one in self.container["args"][1:]]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603  a list, not a shell's text
                [sys.executable, "-m", "podium", *arguments], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
                env={**{name: os.environ[name] for name in KEPT if name in os.environ},
                     "PODIUM_STATE": str(folder / "state"), **environment, "PORT": str(self.port)},
            )  # fmt: skip

    def look(self, logged: Callable[[str], None]) -> None:
        """Ask the start-up probe, unless it is settled how the revision stands."""
        if self.state != RECONCILING or self.process is None:
            return
        if self.process.poll() is not None:
            for line in self.log.read_text().splitlines():
                logged(line)
            self.fail(NO_PORT)
        elif self._probed():
            self.state, self.message = SUCCEEDED, ""

    def stop(self) -> None:
        """Let its process end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self) -> None:
        """Wait until its process has ended."""
        if self.process is not None:
            self.process.wait(30)

    def told(self, service: str) -> dict[str, Any]:
        """Return it as the API tells it."""
        ready = {"type": "Ready", "state": self.state, "message": self.message}
        template = {key: value for key, value in self.template.items() if key != "revision"}
        return {
            **template, "name": f"{service}/revisions/{self.name}", "service": service,
            "createTime": self.created, "conditions": [ready],
        }  # fmt: skip

    def _probed(self) -> bool:
        asked = self.container["startupProbe"]["httpGet"]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", asked["path"])
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def image_folder(registry: Path, image: str) -> Path:
    """Return where the stand-in for `docker` keeps an image that was pushed."""
    return registry / "pushed" / quote(image, safe="")
