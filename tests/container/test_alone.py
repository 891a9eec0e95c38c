"""The image without Compose: one container behind a port, as platforms run it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from podium.cli import DEMOS
from tests.container.engine import Engine
from tests.container.images import Image
from tests.container.site import LOOK_S
from tests.support.client import Client
from tests.support.front import free_port
from tests.support.waiting import until

PORT = 7860
"""What a platform may say that the image has to listen on."""


@pytest.fixture(scope="module")
def container(engine: Engine, digits: Image) -> Iterator[str]:
    """A container that is given nothing but a port and a folder for temporary files."""
    published = f"127.0.0.1:{free_port()}:{PORT}"
    bounds = ("--read-only", "--tmpfs", "/tmp", "--env", f"PORT={PORT}", "--publish", published)  # noqa: S108
    name = engine.printed("docker", "run", "--detach", *bounds, digits.tag).strip()
    yield name
    engine.run("docker", "rm", "--force", "--volumes", name)


def test_container_becomes_healthy_and_answers(engine: Engine, container: str) -> None:
    """By its own check; then it reads a digit."""
    until(lambda: engine.told("{{.State.Health.Status}}", container) == "healthy", every_s=LOOK_S)
    port = engine.told(
        f'{{{{(index (index .NetworkSettings.Ports "{PORT}/tcp") 0).HostPort}}}}', container
    )
    photo = (DEMOS / "digits" / "examples" / "query_image.jpg").read_bytes()
    (told,) = Client(int(port)).post("/predict", photo, "image/jpeg").predictions
    assert told["label"] == "2"
    assert engine.run("docker", "exec", container, "id", "-u") == "10001\n"


def test_container_ends_well(engine: Engine, container: str) -> None:
    """On its stop signal, with exit code 0."""
    engine.run("docker", "stop", container)
    assert engine.told("{{.State.ExitCode}} {{.State.OOMKilled}}", container) == "0 false"
