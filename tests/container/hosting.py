"""Platforms that pull an image: how each runs it, as the steps of a deployment tell it to."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from podium.deploy.commands import run_command
from podium.deploy.image import digest_of, image_of
from podium.deploy.prepare import write_files
from podium.deploy.steps import Call, Command, Step
from podium.deploy.target import Deployment, Live, Target
from tests.container.engine import Engine
from tests.support.client import Client
from tests.support.front import free_port

UNITS = {"M": 10**6, "Mi": 2**20, "Gi": 2**30}
FRONT = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
"""What the platform's own proxy tells of a visitor."""


class Wanted(NamedTuple):
    """A container as a platform starts it: what it was told, and what it adds by itself.

    `ends_s` is the time between SIGTERM and SIGKILL; `home` says that /home is a folder that stays.
    """

    image: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    port: int
    memory: int
    cpus: float | None
    probes: frozenset[str]
    ends_s: int
    home: bool = False


def on_cloud_run(payload: Mapping[str, Any], app: Deployment) -> Wanted:
    """Return what Cloud Run starts.

    Source: https://cloud.google.com/run/docs/container-contract, read 2026-11-23.
    """
    template = payload["service"]["template"]
    (container,) = template["containers"]
    (port,) = container["ports"]
    limits = container["resources"]["limits"]
    own = {"PORT": str(port["containerPort"]), "K_SERVICE": app.name, "K_CONFIGURATION": app.name,
           "K_REVISION": template["revision"]}  # fmt: skip
    return Wanted(
        image=container["image"], arguments=container["args"],
        environment={**_pairs(container["env"]), **own}, port=port["containerPort"],
        memory=_bytes(limits["memory"]), cpus=float(limits["cpu"]),
        probes=frozenset(container[kind]["httpGet"]["path"]
                         for kind in ("startupProbe", "livenessProbe")),
        ends_s=10,
    )  # fmt: skip


def on_app_service(payload: Mapping[str, Any], app: Deployment) -> Wanted:
    """Return what App Service starts; an instance of the plan has the memory of the settings.

    Source: https://learn.microsoft.com/azure/app-service/reference-app-settings, read 2026-11-23.
    """
    config = payload["site_envelope"]["properties"]["siteConfig"]
    settings = _pairs(config["appSettings"])
    own = {"PORT": settings["WEBSITES_PORT"], "WEBSITE_SITE_NAME": app.name,
           "WEBSITE_INSTANCE_ID": "0", "WEBSITE_ROLE_INSTANCE_ID": "0"}  # fmt: skip
    return Wanted(
        image=config["linuxFxVersion"].removeprefix("DOCKER|"),
        arguments=shlex.split(config["appCommandLine"]), environment={**settings, **own},
        port=int(settings["WEBSITES_PORT"]), memory=int(app.settings.memory), cpus=None,
        probes=frozenset({config["healthCheckPath"], settings["WEBSITE_WARMUP_PATH"]}),
        ends_s=5,  # not confirmed: what is told of it varies
        home=settings["WEBSITES_ENABLE_APP_SERVICE_STORAGE"] == "true",
    )  # fmt: skip


def on_container_apps(payload: Mapping[str, Any], app: Deployment) -> Wanted:
    """Return what Container Apps start; PORT is none of what they add.

    Source: https://learn.microsoft.com/azure/container-apps/environment-variables and
    https://learn.microsoft.com/azure/container-apps/application-lifecycle-management, read
    2026-11-23.
    """
    properties = payload["container_app_envelope"]["properties"]
    template, ingress = properties["template"], properties["configuration"]["ingress"]
    (container,) = template["containers"]
    own = {"CONTAINER_APP_NAME": app.name, "CONTAINER_APP_PORT": str(ingress["targetPort"]),
           "CONTAINER_APP_REVISION": f"{app.name}--{template['revisionSuffix']}"}  # fmt: skip
    asked = [probe["httpGet"] for probe in container["probes"]]
    assert {one["port"] for one in asked} == {ingress["targetPort"]}
    return Wanted(
        image=container["image"], arguments=container["args"],
        environment={**_pairs(container["env"]), **own}, port=ingress["targetPort"],
        memory=_bytes(container["resources"]["memory"]), cpus=container["resources"]["cpu"],
        probes=frozenset(one["path"] for one in asked), ends_s=30,
    )  # fmt: skip


READERS: Mapping[str, Callable[[Mapping[str, Any], Deployment], Wanted]] = {
    "run.projects.locations.services.patch": on_cloud_run,
    "web_apps.begin_create_or_update": on_app_service,
    "container_apps.begin_create_or_update": on_container_apps,
}


def wanted(steps: Sequence[Step], app: Deployment) -> Wanted:
    """Return the container that a plan asks a platform for."""
    calls = [step.call for step in steps if isinstance(step.call, Call)]
    call = next(call for call in calls if call.operation in READERS)
    return READERS[call.operation](call.payload, app)


class Hosted(NamedTuple):
    """An application that a platform runs, `container` in `engine`; /home there is `home` here."""

    app: Deployment
    target: Target
    wanted: Wanted
    engine: Engine
    container: str
    port: int
    home: Path

    @property
    def live(self) -> Live:
        """What the platform tells of it."""
        return Live(exists=True, version=self.app.version, headers=FRONT,
                    address=f"http://127.0.0.1:{self.port}")  # fmt: skip

    @property
    def client(self) -> Client:
        """A client of its port."""
        return Client(self.port)


def push(target: Target, app: Deployment, engine: Engine, folder: Path) -> list[str]:
    """Run the commands of a first deployment, which build and push; return what they say."""
    said: list[str] = []
    write_files(target.files(app), folder)
    for command in commands(target.plan(app, Live())):
        run_command(command, folder, engine.environment, said.append)
    return said


def commands(steps: Sequence[Step]) -> list[Command]:
    """Return what of a plan is run on this machine."""
    return [step.call for step in steps if isinstance(step.call, Command)]


@contextmanager
def hosted_by(target: Target, app: Deployment, engine: Engine, home: Path) -> Iterator[Hosted]:
    """Let the platform's own engine pull what was pushed, by its digest, and run it."""
    asked, port = wanted(target.plan(app, Live()), app), free_port()
    assert asked.image == image_of(app)
    image = f"{asked.image.rpartition(':')[0]}@{digest_of(asked.image)}"
    home.mkdir()
    home.chmod(0o777)
    engine.run("docker", "pull", "--quiet", image)
    container = engine.printed("docker", "run", "--detach", "--publish",
                               f"127.0.0.1:{port}:{asked.port}", *_options(asked, home), image,
                               *asked.arguments).strip()  # fmt: skip
    try:
        yield Hosted(app, target, asked, engine, container, port, home)
    finally:
        print(engine.run("docker", "logs", container))
        engine.run("docker", "rm", "--force", "--volumes", container)


def _options(asked: Wanted, home: Path) -> Iterator[str]:
    yield from ("--memory", str(asked.memory), "--memory-swap", str(asked.memory))
    if asked.cpus is not None:
        yield from ("--cpus", str(asked.cpus))
    if asked.home:
        yield from ("--volume", f"{home}:/home")
    for name, value in asked.environment.items():
        yield from ("--env", f"{name}={value}")


def _pairs(listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in listed}


def _bytes(quantity: str) -> int:
    found = re.fullmatch(r"([\d.]+)(\w+)", quantity)
    assert found is not None
    return int(float(found[1]) * UNITS[found[2]])
