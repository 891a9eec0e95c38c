"""A real Docker engine of the tests' own, which leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.missing import missing, program
from tests.support.waiting import until

START_S = 30.0
STOP_S = 30.0
CLIENT = Path("/usr/bin/docker")
"""Debian's client, which builds with BuildKit by itself; others need a plug-in for that."""
NETWORK = "docker0"
"""The bridge that the engine adds to this host, and leaves there when it ends."""

_ON_THE_HOSTS_NETWORK = """#!/bin/sh
# The engine changes none of this host's packet filters, so containers reach the network through
# the host's own alone.
if [ "$1" = build ]; then shift; set -- build --network host "$@"; fi
exec {client} "$@"
"""


class Engine:
    """An engine that runs, and the environment in which `docker` speaks to it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def run(
        self, *command: str, folder: Path | None = None, text: str | None = None, **more: str
    ) -> str:
        """Return what a command prints on both its outputs; it must succeed.

        `text` is what it reads, `more` what stands in its environment beside the rest.
        """
        done = self.tried(*command, folder=folder, text=text, **more)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def tried(
        self, *command: str, folder: Path | None = None, text: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever comes of it."""
        return subprocess.run(  # noqa: S603  the arguments are a list, not a shell's text
            command, cwd=folder, input=text or "", text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**self.environment, **more},
        )  # fmt: skip

    def printed(self, *command: str) -> str:
        """Return what a command prints as its result, without what the engine warns of beside it.

        It warns of each container where the host forwards no packets. The command must succeed.
        """
        return subprocess.run(  # noqa: S603  the arguments are a list, not a shell's text
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True,
            env=self.environment,
        ).stdout  # fmt: skip

    def told(self, template: str, *what: str) -> str:
        """Return what the engine says of a container or an image, as a Go template asks for it."""
        return self.run("docker", "inspect", "--format", template, *what).strip()

    def has(self, image: str) -> bool:
        """Whether an image is there."""
        return self.tried("docker", "image", "inspect", image).returncode == 0

    def size(self, image: str) -> int:
        """Return the bytes of an image's layers."""
        return int(self.told("{{.Size}}", image))


@contextmanager
def running_engine(data: Path) -> Iterator[Engine]:
    """Run an engine whose images and layers lie in `data`, from one run to the next."""
    if os.geteuid() != 0:
        missing("The engine needs root: sudo make test-container")
    daemon = program("dockerd", "docker.io")
    # Its sockets' paths may be 107 bytes long, which a deep checkout leaves no room for.
    place = Path(tempfile.mkdtemp(prefix="podium-engine-"))
    engine = Engine(_environment(place))
    bridged = _has_bridge()
    with (place / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  the arguments are a list, not a shell's text
            # It ends with this process, however that ends.
            [program("setpriv", "util-linux"), "--pdeathsig", "TERM", daemon,
             "--data-root", str(data), "--exec-root", str(place / "exec"),
             "--pidfile", str(place / "dockerd.pid"), "--host", f"unix://{place}/docker.sock",
             "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--log-level", "warn"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_until_it_answers(engine, process, place / "dockerd.log")
        yield engine
    finally:
        _stop(process)
        if not bridged and _has_bridge():
            subprocess.run([program("ip", "iproute2"), "link", "delete", NETWORK], check=True)  # noqa: S603
        shutil.rmtree(place)


def _environment(place: Path) -> dict[str, str]:
    """Make the folder of the client's settings and programs; return what leads there."""
    programs = place / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(_ON_THE_HOSTS_NETWORK.format(client=CLIENT))
    docker.chmod(0o755)
    plugins = place / "settings" / "cli-plugins"
    plugins.mkdir(parents=True)
    beside = Path(sys.executable).parent
    found = shutil.which("docker-compose", path=str(beside))
    compose = found or missing("Docker Compose is not installed: make test-container")
    (plugins / "docker-compose").symlink_to(compose)
    return {
        **os.environ,
        "PATH": f"{programs}:{beside}:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{place}/docker.sock",
        "DOCKER_CONFIG": str(place / "settings"),
        "DOCKER_BUILDKIT": "1",
        "BUILDKIT_PROGRESS": "plain",
    }


def _wait_until_it_answers(engine: Engine, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        return engine.tried("docker", "version").returncode == 0

    until(answers, START_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the engine, which ends what it runs."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    process.kill()
    process.wait()


def _has_bridge() -> bool:
    return Path("/sys/class/net", NETWORK).exists()
