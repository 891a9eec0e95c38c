"""Azure App Service: a web app that runs an image, whose tag is the version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from podium.container.facts import PORT
from podium.deploy.azure import (
    KEPT,
    OWNER,
    arguments_of,
    as_json,
    findings_of,
    full_image,
    group_removal,
    group_steps,
    password_of,
    place_of,
    server_of,
)
from podium.deploy.facts import facts_of
from podium.deploy.image import image_files, image_steps
from podium.deploy.steps import Call, Secret, Step, masked
from podium.deploy.target import Deployment, Files, Finding, Live, Platform
from podium.errors import DeployError

STATE: Final = "/home/podium"
"""The only folder that stays is /home."""
START_S: Final = 600
"""How long a container may take to start: its image is fetched, and its models are loaded."""
SERVED: Final = "podium-served"
"""The entry of the metadata that tells which versions have become ready, the last one first."""
ENTRY: Final = "podium-version-"
"""How the entries begin that keep each version's settings, secrets left out."""
_MOST_KEPT: Final = 5


class AzureAppService:
    """Azure App Service."""

    name = "azure-app-service"
    title = "Azure App Service"
    facts = facts_of("azure-app-service")

    def files(self, app: Deployment) -> Files:
        """Return the image's files, and the plan and the web app as the API takes them."""
        return {
            **image_files(app),
            "plan.json": as_json(_plan(app)),
            "site.json": as_json(masked(_site(app, _config(app)))),
        }

    def findings(self, app: Deployment, files: Files) -> Iterator[Finding]:  # noqa: ARG002
        """Yield what App Service would refuse, or do otherwise."""
        if app.settings.plan[:1] in ("F", "D"):
            yield Finding(
                f"[deploy.azure-app-service] plan is {app.settings.plan}, which lets applications "
                "sleep and stops them when their minutes are used up. Take B1 or larger.",
                fatal=True,
            )
        if not app.parsed.spec.server.workers:
            yield Finding(
                f"One web worker serves there, whatever processors {app.settings.plan} has. "
                "[server] workers says how many."
            )
        yield Finding(
            f"Data sets, kept answers and keys lie in {STATE}. {self.facts.disk.told} History, "
            "at least, can lie elsewhere: PODIUM_DATABASE among the secrets, the address of a "
            "PostgreSQL."
        )
        yield from findings_of(app, self.name)

    def plan(self, app: Deployment, live: Live) -> list[Step]:
        """Return the steps: image, plan, the web app with its settings, and that it is ready."""
        return [
            *group_steps(app, live.details.get("group", False)),
            *image_steps(full_image(app), live.details.get("digest")),
            *_plan_steps(app, live),
            *_site_steps(app, live, app.version, _config(app)),
        ]

    def back(self, app: Deployment, live: Live, version: str) -> list[Step]:
        """Return the steps that let a version serve with the image and settings that it had."""
        config = json.loads(live.details["metadata"][f"{ENTRY}{version}"])
        return _site_steps(app, live, version, config)

    def removal(self, app: Deployment, live: Live) -> list[Step]:
        """Return the steps that remove the web app, and of the rest what Podium has made for it."""
        if live.details.get("own_group"):
            return [group_removal(app)]
        place, steps = place_of(app), []
        if live.details.get("site"):
            steps.append(Step(
                "Remove the web app", "with what lies under /home; the images stay",
                Call("web_apps.delete", {"resource_group_name": place.group, "name": place.name,
                                         "delete_empty_server_farm": False}),
            ))  # fmt: skip
        if live.details.get("own_plan"):
            steps.append(Step(
                "Remove the plan", "Podium has made it, and no other app is in it; it costs",
                Call("app_service_plans.delete",
                     {"resource_group_name": place.group, "name": place.name}),
            ))  # fmt: skip
        return steps

    def address(self, app: Deployment, live: Live) -> str | None:
        """Return the web app's address."""
        return live.address and f"{live.address}{app.parsed.spec.server.base_path}"

    def host(self, app: Deployment) -> str:  # noqa: ARG002
        """Return how the addresses end that the platform gives."""
        return ".azurewebsites.net"

    def connect(self, app: Deployment, environment: Mapping[str, str]) -> Platform:
        """Return App Service, spoken to with the credentials that `az` and its SDKs take.

        Raises:
            MissingExtra: the SDK is not installed.
            DeployError: no subscription or no image is named.
        """
        from podium.deploy.azure_app_service_platform import AppService

        return AppService(app, place_of(app, environment), environment)


def _plan(app: Deployment) -> dict[str, Any]:
    return {
        "location": app.settings.location,
        "tags": OWNER,
        "kind": "linux",
        "sku": {"name": app.settings.plan},
        "properties": {"reserved": True},
    }


def _site(app: Deployment, config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "location": app.settings.location,
        "tags": OWNER,
        "kind": "app,linux,container",
        "properties": {
            "serverFarmId": place_of(app).id_of("Microsoft.Web/serverfarms", app.name),
            "reserved": True,
            "httpsOnly": True,
            "clientAffinityEnabled": False,
            "siteConfig": config,
        },
    }


def _config(app: Deployment) -> dict[str, Any]:
    """Return how the web app runs: image, command, settings."""
    return {
        "linuxFxVersion": f"DOCKER|{full_image(app)}",
        "appCommandLine": " ".join(arguments_of(app)),
        "alwaysOn": True,
        "numberOfWorkers": 1,
        "healthCheckPath": _ready_path(app),
        "http20Enabled": True,
        "minTlsVersion": "1.2",
        "ftpsState": "Disabled",
        "httpLoggingEnabled": True,
        "appSettings": [{"name": key, "value": value} for key, value in _settings(app).items()],
    }


def _settings(app: Deployment) -> dict[str, str | Secret]:
    password = password_of(app)
    registry: dict[str, str | Secret] = {} if password is None else {
        "DOCKER_REGISTRY_SERVER_URL": _registry_url(server_of(full_image(app))),
        "DOCKER_REGISTRY_SERVER_USERNAME": app.settings.registry_user,
        "DOCKER_REGISTRY_SERVER_PASSWORD": password,
    }  # fmt: skip
    return {
        "WEBSITES_PORT": str(PORT),
        "WEBSITES_CONTAINER_START_TIME_LIMIT": str(START_S),
        "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "true",
        # A new container gets visitors once its models are loaded.
        "WEBSITE_WARMUP_PATH": _ready_path(app),
        "WEBSITE_WARMUP_STATUSES": "200",
        **registry,
        **app.environment(state=STATE),
    }


def _registry_url(server: str) -> str:
    """Return where App Service logs in at a registry; Docker Hub has an address of its own for it.

    Source: https://learn.microsoft.com/azure/app-service/configure-custom-container
    """
    return "https://index.docker.io/v1" if server == "docker.io" else f"https://{server}"


def _ready_path(app: Deployment) -> str:
    return f"{app.parsed.spec.server.base_path}/readyz"


def _plan_steps(app: Deployment, live: Live) -> list[Step]:
    """Return how the plan is made, or gets the size that is named.

    Raises:
        DeployError: it has another size, and others than Podium have to do with it.
    """
    place, named, there = place_of(app), app.settings.plan, live.details.get("plan", False)
    size = live.details.get("size", named)
    if there and size.lower() == named.lower():
        return []
    if there and not live.details.get("own_plan"):
        raise DeployError(
            f"The plan {place.name!r} of the resource group {place.group!r} is {size}, and [deploy."
            f"azure-app-service] plan is {named}. Podium has not made it for this web app alone, "
            f'and leaves it as it is: set plan = "{size}", or change it yourself: az appservice '
            f"plan update --resource-group {place.group} --name {place.name} --sku {named}"
        )
    what, why = f"Make a plan {named}", (
        "the machine on which the web app runs; it costs all the time, until `podium deploy "
        "destroy`")  # fmt: skip
    if there:
        what, why = f"Change the plan to {named}", f"it is {size}; what it costs changes with it"
    return [Step(what, why, Call("app_service_plans.begin_create_or_update", {
        "resource_group_name": place.group, "name": place.name, "app_service_plan": _plan(app),
    }))]  # fmt: skip


def _site_steps(
    app: Deployment, live: Live, version: str, config: Mapping[str, Any]
) -> list[Step]:  # fmt: skip
    """Return how a version gets to serve; what is kept of it holds no secret."""
    where = {"resource_group_name": place_of(app).group, "name": app.name}
    stay = "visitors stay where they are until it is ready"
    return [
        Step("Set image and settings", stay if live.version else "this makes the web app",
             Call("web_apps.begin_create_or_update",
                  {**where, "site_envelope": _site(app, config)})),
        Step("Wait for the container", "it gets visitors only once its models are loaded, within "
             f"{START_S // 60} minutes; this only reads",
             Call("wait for container", {"version": version})),
        Step("Note the version", "a rollback sets the image and settings that a version had",
             Call("web_apps.update_metadata", {**where, "metadata": {
                 "properties": _noted(live, version, config)}})),
    ]  # fmt: skip


def _noted(live: Live, version: str, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata with a version as the one that serves; what is not Podium's stays."""
    there: Mapping[str, str] = live.details.get("metadata", {})
    order = list(dict.fromkeys([version, *there.get(SERVED, "").split()]))[:_MOST_KEPT]
    entries = {**there, f"{ENTRY}{version}": json.dumps(_without_secrets(config))}
    kept = {key: text for key, text in entries.items()
            if not key.startswith(ENTRY) or key.removeprefix(ENTRY) in order}  # fmt: skip
    return {**kept, SERVED: " ".join(order)}


def _without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    settings = [
        {**one, "value": KEPT} if isinstance(one["value"], Secret) else one
        for one in config["appSettings"]
    ]
    return {**config, "appSettings": settings}
