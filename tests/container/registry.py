"""Debian's registry of images on loopback, of the tests' own."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.front import free_port
from tests.support.missing import program
from tests.support.waiting import until

START_S = 20.0
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Manifest(NamedTuple):
    """What a registry says of an image: the digest it tells, and the bytes of the manifest."""

    told: str
    body: bytes

    @property
    def digest(self) -> str:
        """The digest of these bytes, by which the image is called everywhere."""
        return f"sha256:{hashlib.sha256(self.body).hexdigest()}"


class Registry(NamedTuple):
    """A registry that runs; `log` has a line for each request."""

    port: int
    log: Path

    def repository(self, name: str) -> str:
        """Return an image's name with the registry's, as engines take it."""
        return f"127.0.0.1:{self.port}/{name}"

    def manifest(self, image: str) -> Manifest:
        """Return the manifest of an image that has a tag, asked for over HTTP."""
        name, _, tag = image.partition("/")[2].rpartition(":")
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("GET", f"/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST})
            answer = connection.getresponse()
            body = answer.read()
        assert answer.status == 200, body
        return Manifest(answer.headers["Docker-Content-Digest"], body)

    def uploads(self) -> int:
        """Return how many layers, and settings of images, were sent to it."""
        return self.log.read_text().count('"POST /v2/')

    def answers(self) -> bool:
        """Whether it listens."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            with suppress(OSError):
                connection.request("GET", "/v2/")
                return connection.getresponse().status == 200
            return False


@contextmanager
def running_registry() -> Iterator[Registry]:
    """Run a registry that is empty in the beginning, and leaves nothing behind."""
    server = program("docker-registry", "docker-registry")
    place = Path(tempfile.mkdtemp(prefix="podium-registry-"))
    registry = Registry(free_port(), place / "log")
    settings = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(place / "images")}},
        # Engines take a registry on 127.0.0.0/8 without TLS.
        "http": {"addr": f"127.0.0.1:{registry.port}", "secret": "of one process alone"},
    }
    (place / "settings.yml").write_text(json.dumps(settings))  # JSON is YAML
    with registry.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  the arguments are a list, not a shell's text
            # It ends with this process, however that ends.
            [program("setpriv", "util-linux"), "--pdeathsig", "TERM", server, "serve",
             str(place / "settings.yml")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: _answers(registry, process), START_S, every_s=0.05)
        yield registry
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_S)
        shutil.rmtree(place)


def _answers(registry: Registry, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, registry.log.read_text()
    return registry.answers()
