"""A server with sshd, nginx and a Python, on free ports; and the commands that deploy to it."""

from __future__ import annotations

import getpass
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from podium.bundle.wheel import podium_wheel
from podium.deploy.run import Outcome, Task, deploy, destroy, rollback
from podium.deploy.target import Live
from podium.deploy.vm import Vm
from podium.deploy.vm_look import MARK
from tests.deploy.sshd import Sshd
from tests.deploy.teller import Teller
from tests.operate.sites import processes_of
from tests.support.front import free_ports
from tests.support.missing import program
from tests.support.visitors import write_offset

PYTHON = f"{sys.base_prefix}/bin/python3.{sys.version_info.minor}"
CANARY = "c4n4ry-42 'of' \"the\"\n$application"


class Commands:
    """An application and the commands that take it to the server, each with a fresh teller."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.app = server, server.folder / "apps" / name
        self.http_port, self.https_port = free_ports()
        self.place = server.folder / "p" / name
        self.teller = Teller()
        self.written = (0, "")
        self.served = [self.written]
        self.write(1000)

    def write(self, offset: int, greeting: str = "Grüß Gott") -> None:
        """Write the application; its model adds `offset`, and its environment has a greeting."""
        self.written = (offset, greeting)
        write_offset(self.app, offset)
        told = {
            "host": "server", "domain": "localhost", "folder": str(self.server.folder / "p"),
            "python": PYTHON, "tls": "self-signed", "http_port": self.http_port,
            "https_port": self.https_port, "secrets": ["TOKEN"],
        }  # fmt: skip
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items())
        with (self.app / "podium.toml").open("a") as toml:
            toml.write(f"[server]\nworkers = 1\n[deploy.vm]\n{lines}")
            toml.write(f"variables.GREETING = {json.dumps(greeting)}\n")

    def task(self) -> Task:
        """Return the application on its way."""
        self.teller = Teller()
        environment = {**os.environ, "PATH": self.server.sshd.path, "TOKEN": CANARY}
        state = self.server.folder / "mine" / self.app.name
        return Task(Vm(), self.app, state, self.teller, environment, self.server.wheel)

    def deploy(self) -> Outcome:
        """Deploy what stands in the folder."""
        outcome = deploy(self.task(), lambda: True)
        self.served.append(self.written)
        return outcome

    def rollback(self) -> Outcome:
        """Let the version before serve."""
        outcome = rollback(self.task(), lambda: True)
        self.served.pop()
        return outcome

    def destroy(self) -> bool:
        """Remove it from the server."""
        return destroy(self.task(), lambda: True)

    def look(self) -> Live:
        """Return what is there."""
        return self.task().connect().look()

    def files(self) -> Mapping[str, tuple[int, int]]:
        """Return inode and time of change of all that was put there."""
        parts = ("app", "versions", "podium", "current")
        found = [self.place, *(path for part in parts for path in self.place.glob(f"{part}/**/*"))]
        stats = {str(path): path.lstat() for path in found}
        return {path: (told.st_ino, told.st_mtime_ns) for path, told in stats.items()}


class Server:
    """The server; what comes to it stands in the folder `p`, and packages are installed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sshd = Sshd(folder / "ssh")
        self.wheel = podium_wheel(folder / "wheels")

    def shared_packages(self, commands: Commands, of: Commands) -> None:
        """Let an application find packages that another has installed."""
        folder = commands.place / "environments"
        folder.mkdir(parents=True)
        for environment in (of.place / "environments").iterdir():
            (folder / environment.name).symlink_to(environment)
        (commands.place / MARK).write_text(commands.app.name)


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a server, in a short folder for the sake of its sockets; nothing of it stays."""
    program("nginx", "nginx-light")
    with tempfile.TemporaryDirectory(prefix="podium-") as name:
        server = Server(Path(name))
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        with server.sshd.running({**pip, "USER": getpass.getuser()}):
            yield server
        left = processes_of(Path(name))
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        if left:
            pytest.fail(f"left behind: {left}")
