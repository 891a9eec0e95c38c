"""A hosting platform in a folder: it keeps versions, and runs a real `podium serve` of one.

What a test wants to go wrong stands in files of the folder: `fails` lists versions that do not
start, `gone` the operations at which the network goes.
"""

# ruff: noqa: ARG002  a target's shape is given

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from podium.deploy.facts import Fact, Facts
from podium.deploy.steps import Call, Step
from podium.deploy.target import Deployment, Files, Finding, Live
from podium.errors import DeployError
from tests.support.front import free_port

FOLDER = "SHELF"
"""The environment variable with the folder, which stands for the platform's credentials."""
START_S = 30.0


def fact(value: Any) -> Fact[Any]:
    """Return a fact with a source."""
    return Fact(value, f"It is {value}.", "https://shelf.example/limits", "2026-11-23")


FACTS = Facts(disk=fact(True), background=fact(True), several=fact(False), start=fact(20))


class Shelf:
    """The target; it has the settings of Cloud Run, under whose name it stands."""

    name = "cloud-run"
    title = "The shelf"
    facts = FACTS

    def files(self, app: Deployment) -> Files:
        """Return a bundle of the application, and its settings."""
        return {
            "settings.json": json.dumps({"name": app.name, "variables": app.hosted.variables}),
            **{f"bundle.zip/app/{file.name}": file.path for file in app.bundle.files},
            f"bundle.zip/{app.wheel.name}": app.wheel,
        }

    def findings(self, app: Deployment, files: Files) -> Iterator[Finding]:
        """Yield nothing."""
        yield from ()

    def plan(self, app: Deployment, live: Live) -> list[Step]:
        """Return the steps that put a version there and start it."""
        upload = Step("Upload the bundle", f"version {app.version} is not there",
                      Call("upload", {"version": app.version}, "bundle.zip"))  # fmt: skip
        told = {"version": app.version, "environment": app.environment()}
        settle = Step("Set the environment", "it tells the version", Call("environment", told))
        new = [] if app.version in live.versions else [upload]
        return [*new, settle, *self.back(app, live, app.version)]

    def back(self, app: Deployment, live: Live, version: str) -> list[Step]:
        """Return the step that starts a version."""
        return [Step("Start it", "visitors get it then", Call("start", {"version": version}))]

    def removal(self, app: Deployment, live: Live) -> list[Step]:
        """Return the step that removes everything."""
        return [Step("Remove it", "nothing of it is left", Call("remove"))]

    def address(self, app: Deployment, live: Live) -> str | None:
        """Return where the server listens."""
        return live.address

    def host(self, app: Deployment) -> str | None:
        """Return nothing: it has no name."""
        return None

    def connect(self, app: Deployment, environment: Mapping[str, str]) -> ShelfPlatform:
        """Return the folder.

        Raises:
            DeployError: none is named.
        """
        if FOLDER not in environment:
            raise DeployError(f"There are no credentials of the shelf. Set {FOLDER}.")
        return ShelfPlatform(Path(environment[FOLDER]))


class ShelfPlatform:
    """The folder: versions/VERSION/app, environment.json beside it, and what is live."""

    _running: ClassVar[dict[Path, subprocess.Popen[bytes]]] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def look(self) -> Live:
        """Return what lies there."""
        self._note("look")
        versions = self.folder / "versions"
        there = sorted(one.name for one in versions.iterdir()) if versions.exists() else []
        return Live(
            exists=bool(there), version=self._text("live"), versions=tuple(there),
            address=f"http://127.0.0.1:{self.port}" if there else None,
            unfinished=(self.folder / "unfinished").exists(),
        )  # fmt: skip

    def send(self, call: Call, files: Mapping[str, Path], say: Callable[[str], None]) -> None:
        """Do what a call says."""
        self._note(call.operation)
        with (self.folder / "sent").open("a") as sent:
            sent.write(f"{json.dumps([call.operation, call.payload])}\n")
        version = call.payload.get("version", "")
        say(f"The shelf does {call.operation} {json.dumps(call.payload)}")
        if call.operation == "upload":
            (self.folder / "unfinished").touch()
            with zipfile.ZipFile(files[call.file]) as bundle:
                bundle.extractall(self._version(version))
        elif call.operation == "environment":
            told = json.dumps(call.payload["environment"])
            (self._version(version) / "environment.json").write_text(told)
        elif call.operation == "start":
            self._start(version)
        else:
            self.stop()
            shutil.rmtree(self.folder / "versions")
            (self.folder / "live").unlink(missing_ok=True)

    def reason(self) -> str:
        """Return the last line that the server wrote."""
        log = (self._text("server.log") or "").strip().splitlines()
        return log[-1] if log else ""

    def logs(self, follow: bool) -> Iterator[str]:
        """Yield the lines of the server's log."""
        yield from (self._text("server.log") or "").splitlines()

    @property
    def port(self) -> int:
        """The port at which what is live listens, the same each time."""
        file = self.folder / "port"
        if not file.exists():
            file.write_text(str(free_port()))
        return int(file.read_text())

    @property
    def operations(self) -> list[str]:
        """What it was asked to do, in order."""
        return (self._text("operations") or "").split()

    def stop(self) -> None:
        """End the server, if one runs."""
        process = self._running.pop(self.folder, None)
        if process is not None:
            process.terminate()
            process.wait()

    def _start(self, version: str) -> None:
        self.stop()
        (self.folder / "live").write_text(version)
        (self.folder / "unfinished").touch()
        told = json.loads((self._version(version) / "environment.json").read_text())
        command = [sys.executable, "-m", "podium", "serve", str(self._version(version) / "app"),
                   "--port", str(self.port), "--workers", "1", "--no-worker",
                   "--state", str(self.folder / "state")]  # fmt: skip
        with (self.folder / "server.log").open("wb") as log:
            if version in (self._text("fails") or "").split():
                log.write(b"Out of memory: killed.\n")
                raise DeployError(f"The shelf could not start {version}.")
            process = subprocess.Popen(  # noqa: S603  a list, not a shell's text
                command, env={**os.environ, **told}, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._running[self.folder] = process
        self._await(process)
        (self.folder / "unfinished").unlink()

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        ends = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < ends:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
                try:
                    connection.request("GET", "/readyz")
                    if connection.getresponse().status == 200:
                        return
                except OSError:
                    time.sleep(0.05)
        raise DeployError("The shelf's server does not become ready.")

    def _note(self, operation: str) -> None:
        with (self.folder / "operations").open("a") as noted:
            noted.write(f"{operation}\n")
        if operation in (self._text("gone") or "").split():
            raise DeployError("The shelf cannot be reached: the network is gone. Run it again.")

    def _version(self, version: str) -> Path:
        return self.folder / "versions" / version

    def _text(self, name: str) -> str | None:
        file = self.folder / name
        return file.read_text() if file.exists() else None
