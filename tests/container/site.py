"""An application in containers, as Compose runs them, and the client that asks it."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.container.engine import Engine
from tests.support.client import JSON, TIMEOUT_S, Client
from tests.support.front import free_ports
from tests.support.waiting import until

PATIENCE_S = 90
LOOK_S = 0.2


class SecureClient(Client):
    """Asks over TLS, and believes one certificate alone."""

    def __init__(self, port: int, certificate: str) -> None:
        super().__init__(port)
        self._context = ssl.create_default_context(cadata=certificate)

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection."""
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=TIMEOUT_S, context=self._context
        )

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        """Return the status and the type of an answer, which may be nginx's own."""
        with closing(self.connect()) as connection:
            connection.request(method, path, body, {"Content-Type": JSON})
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"]


class Composed(NamedTuple):
    """The services of a folder that `podium build` wrote, on ports of this host."""

    engine: Engine
    folder: Path
    http_port: int
    https_port: int
    environment: Mapping[str, str]

    def compose(self, *arguments: str) -> str:
        """Return what `docker compose` prints."""
        return self.engine.run("docker", "compose", *arguments, folder=self.folder,
                               **self.environment)  # fmt: skip

    def inside(self, service: str, *command: str) -> str:
        """Return what a command prints in a service's container."""
        return self.compose("exec", "--no-TTY", service, *command)

    def container(self, service: str) -> str:
        """Return the id of a service's container, whether it runs or not."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def told(self, service: str, template: str) -> str:
        """Return what the engine says of a service's container, as a Go template asks for it."""
        return self.engine.told(template, self.container(service))

    @property
    def client(self) -> SecureClient:
        """A client of the page's address."""
        certificate = self.inside("nginx", "cat", "/podium/tls/fullchain.pem")
        return SecureClient(self.https_port, certificate)

    def until_ready(self) -> None:
        """Wait until the server can be asked, also where nginx says that it is away."""
        client = self.client
        until(lambda: client.ask("GET", "/readyz") == (200, JSON), every_s=LOOK_S)


@contextmanager
def composed(engine: Engine, folder: Path, **environment: str) -> Iterator[Composed]:
    """Bring up what `podium build` wrote until all is healthy; in the end nothing is left of it."""
    http_port, https_port = free_ports()
    ports = {"PODIUM_HTTP_PORT": str(http_port), "PODIUM_HTTPS_PORT": str(https_port)}
    site = Composed(engine, folder, http_port, https_port, {**ports, **environment})
    try:
        bring_up(site)
        yield site
    finally:
        site.compose("down", "--volumes", "--timeout", "1")


def bring_up(site: Composed) -> None:
    """Wait until all services are well."""
    up = ("up", "--detach", "--no-build", "--pull", "never", "--wait", "--wait-timeout",
          str(PATIENCE_S))  # fmt: skip
    done = site.engine.tried("docker", "compose", *up, folder=site.folder, **site.environment)
    assert done.returncode == 0, f"{done.stdout}\n{site.compose('logs', '--no-color')}"
