"""Azure Container Apps: an app, each of whose revisions is a version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count
from typing import Any, Final

from podium.container.facts import PORT
from podium.deploy.azure import (
    KEPT,
    OWNER,
    PASSWORD,
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
from podium.spec.deploy import AzureContainerApps as Settings

_GIB: Final = 2**30
_CPU_STEP: Final = 0.25
_MOST_CPU: Final = 4.0
_GIB_A_CPU: Final = 2
"""Memory goes with processors, 2 GiB each, in steps of 0.25 processors.

Source: https://learn.microsoft.com/azure/container-apps/containers, read 2026-11-23.
"""
_LONGEST_NAME: Final = 32
"""Source: https://learn.microsoft.com/azure/container-apps/containers, read 2026-11-23."""
SERVED: Final = "podium-served"
"""The tag of an app that tells which versions have had visitors, the last one first."""
_MOST_SERVED: Final = 19
"""A tag holds 256 characters.

Source: https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources, read
2026-11-23.
"""


class AzureContainerApps:
    """Azure Container Apps."""

    name = "azure-container-apps"
    title = "Azure Container Apps"
    facts = facts_of("azure-container-apps")

    def files(self, app: Deployment) -> Files:
        """Return the image's files, and the environment and the app as the API takes them."""
        return {
            **image_files(app),
            "environment.json": as_json(_environment(app)),
            "app.json": as_json(masked(_envelope(app, Live()))),
        }

    def findings(self, app: Deployment, files: Files) -> Iterator[Finding]:  # noqa: ARG002
        """Yield what Container Apps would refuse, or do otherwise."""
        settings: Settings = app.settings
        yield from _sizes(settings)
        if len(app.name) > _LONGEST_NAME or "--" in app.name:
            yield Finding(
                f"The name {app.name!r} has more than {_LONGEST_NAME} characters, or two hyphens "
                "on end, which Container Apps does not take. Give another: "
                "[deploy.azure-container-apps] name.",
                fatal=True,
            )
        names = [_secret_name(name) for name in app.hosted.secrets]
        if len(set(names)) < len(names):
            yield Finding(
                "[deploy.azure-container-apps] secrets has names that differ in capitals or "
                "underscores alone, which Container Apps does not tell apart.",
                fatal=True,
            )
        if PASSWORD in names and password_of(app):
            taken = app.hosted.secrets[names.index(PASSWORD)]
            yield Finding(
                f"[deploy.azure-container-apps] secrets has {taken}, which Container Apps would "
                f"keep as {PASSWORD!r}; so is the value of registry_password = "
                f'"{settings.registry_password}" kept there. Let the application\'s variable have '
                "another name.",
                fatal=True,
            )
        yield from findings_of(app, self.name)

    def plan(self, app: Deployment, live: Live) -> list[Step]:
        """Return the steps: image, environment, a revision that gets ready, then its visitors."""
        there = live.details.get("revisions", {}).get(app.version)
        if there is not None and there["ready"] is not False:
            return self.back(app, live, app.version)
        name = _free_name(app, live)
        return [
            *group_steps(app, live.details.get("group", False)),
            *image_steps(full_image(app), live.details.get("digest")),
            *_environment_steps(app, live.details.get("environment", False)),
            _revision_step(app, live, name),
            _wait_step(name),
            *_traffic_steps(app, live, name, app.version),
        ]

    def back(self, app: Deployment, live: Live, version: str) -> list[Step]:
        """Return the steps that lead visitors to a revision that is there."""
        there = live.details["revisions"][version]
        name, steps = there["name"], []
        if not there["active"]:
            steps.append(_revision_call(
                app, "Start the revision", "it was stopped when it lost its visitors",
                "activate_revision", name,
            ))  # fmt: skip
        return [*steps, _wait_step(name), *_traffic_steps(app, live, name, version)]

    def removal(self, app: Deployment, live: Live) -> list[Step]:
        """Return the steps that remove the app, and of the rest what Podium has made for it."""
        if live.details.get("own_group"):
            return [group_removal(app)]
        place, steps = place_of(app), []
        if live.details.get("app"):
            steps.append(Step(
                "Remove the app", "with all its revisions; the images stay in their registry",
                Call("container_apps.begin_delete", {
                    "resource_group_name": place.group, "container_app_name": place.name}),
            ))  # fmt: skip
        if live.details.get("own_environment"):
            steps.append(Step(
                "Remove the environment", "Podium has made it, and no other app is in it",
                Call("managed_environments.begin_delete", {
                    "resource_group_name": place.group,
                    "environment_name": environment_of(app)}),
            ))  # fmt: skip
        return steps

    def address(self, app: Deployment, live: Live) -> str | None:
        """Return the app's address."""
        return live.address and f"{live.address}{app.parsed.spec.server.base_path}"

    def host(self, app: Deployment) -> str:  # noqa: ARG002
        """Return how the addresses end that the platform gives."""
        return ".azurecontainerapps.io"

    def connect(self, app: Deployment, environment: Mapping[str, str]) -> Platform:
        """Return Container Apps, spoken to with the credentials that `az` and its SDKs take.

        Raises:
            MissingExtra: the SDK is not installed.
            DeployError: no subscription or no image is named.
        """
        from podium.deploy.azure_container_apps_platform import ContainerApps

        return ContainerApps(app, place_of(app, environment), environment)


def environment_of(app: Deployment) -> str:
    """Return the name of the managed environment."""
    return str(app.settings.environment or app.name)


def _environment(app: Deployment) -> dict[str, Any]:
    return {
        "location": app.settings.location,
        "tags": OWNER,
        "properties": {"workloadProfiles": [
            {"name": "Consumption", "workloadProfileType": "Consumption"},
        ]},
    }  # fmt: skip


def _envelope(app: Deployment, live: Live, revision: str = "") -> dict[str, Any]:
    """Return the app in JSON of the API; what serves keeps its visitors and its secrets."""
    place = place_of(app)
    fewest, most = app.settings.instances
    suffix = {"revisionSuffix": revision.partition("--")[2]} if revision else {}
    return {
        "location": app.settings.location,
        "tags": _tags(live.details.get("served", ())),
        "properties": {
            "environmentId": place.id_of("Microsoft.App/managedEnvironments", environment_of(app)),
            "configuration": {
                "activeRevisionsMode": "Multiple",
                "ingress": {
                    "external": True, "targetPort": PORT, "transport": "auto",
                    "allowInsecure": False, "traffic": [_weight(live.details.get("serving", ""))],
                },
                **_kept(app, live.details.get("referred", ())),
            },
            "template": {
                **suffix,
                "containers": [_container(app)],
                "scale": {"minReplicas": fewest, "maxReplicas": most, "rules": [_rule(app)]},
            },
        },
    }  # fmt: skip


def _tags(served: Iterable[str]) -> dict[str, str]:
    told = " ".join(list(served)[:_MOST_SERVED])
    return {**OWNER, **({SERVED: told} if told else {})}


def _kept(app: Deployment, referred: Iterable[str]) -> dict[str, Any]:
    """Return the secrets and who may pull the image: names refer to values.

    Azure refuses to drop a secret to which an active revision refers; a later deployment does it.
    """
    values: dict[str, str | Secret] = dict.fromkeys(referred, KEPT)
    values |= {_secret_name(name): Secret(name) for name in app.hosted.secrets}
    registries, password = [], password_of(app)
    if password is not None:
        values[PASSWORD] = password
        registries = [{"server": server_of(full_image(app)),
                       "username": app.settings.registry_user,
                       "passwordSecretRef": PASSWORD}]  # fmt: skip
    secrets = [{"name": name, "value": value} for name, value in values.items()]
    return {"secrets": secrets, "registries": registries}


def _container(app: Deployment) -> dict[str, Any]:
    settings: Settings = app.settings
    return {
        "name": app.name,
        "image": full_image(app),
        "args": arguments_of(app),
        "env": [_variable(name, value) for name, value in app.environment().items()],
        "resources": {"cpu": settings.cpu, "memory": f"{_GIB_A_CPU * settings.cpu:g}Gi"},
        # Until the port is open, Container Apps asks with a probe of its own.
        "probes": [_probe(app, "Readiness", "/readyz", 5, 10),
                   _probe(app, "Liveness", "/healthz", 30, 4)],
    }  # fmt: skip


def _variable(name: str, value: str | Secret) -> dict[str, str]:
    if isinstance(value, str):
        return {"name": name, "value": value}
    return {"name": name, "secretRef": _secret_name(name)}


def _secret_name(variable: str) -> str:
    """Return what a secret is called there: lower-case letters, digits and hyphens."""
    return variable.lower().replace("_", "-").strip("-")


def _probe(app: Deployment, kind: str, path: str, period_s: int, failures: int) -> dict[str, Any]:
    server = app.parsed.spec.server
    headers = [{"name": "Host", "value": host} for host in server.hosts[:1]]
    return {
        "type": kind,
        "httpGet": {
            "path": f"{server.base_path}{path}", "port": PORT,
            **({"httpHeaders": headers} if headers else {}),
        },
        "periodSeconds": period_s, "timeoutSeconds": period_s - 1, "failureThreshold": failures,
    }  # fmt: skip


def _rule(app: Deployment) -> dict[str, Any]:
    limits = app.parsed.spec.limits
    at_once = str(limits.concurrency + limits.queue)
    return {"name": "requests", "http": {"metadata": {"concurrentRequests": at_once}}}


def _sizes(settings: Settings) -> Iterator[Finding]:
    if not 0 < settings.cpu <= _MOST_CPU or settings.cpu % _CPU_STEP:
        yield Finding(
            f"[deploy.azure-container-apps] cpu is {settings.cpu:g}; expected a multiple of "
            f"{_CPU_STEP}, {_MOST_CPU:g} at most.",
            fatal=True,
        )
    elif settings.memory > _GIB_A_CPU * settings.cpu * _GIB:
        yield Finding(
            f"[deploy.azure-container-apps] memory of {settings.memory} is more than goes with "
            f"cpu = {settings.cpu:g}: Container Apps gives {_GIB_A_CPU} GiB with each.",
            fatal=True,
        )


def _free_name(app: Deployment, live: Live) -> str:
    """Return the new revision's name: with the version, and a number where one has failed."""
    first, taken = f"{app.name}--v{app.version}", live.details.get("names", ())
    names = chain([first], (f"{first}-{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def _environment_steps(app: Deployment, there: bool) -> Iterator[Step]:
    if not there:
        yield Step(
            "Make the environment", "apps run in one; this takes minutes",
            Call("managed_environments.begin_create_or_update", {
                "resource_group_name": place_of(app).group,
                "environment_name": environment_of(app),
                "environment_envelope": _environment(app),
            }),
        )  # fmt: skip


def _revision_step(app: Deployment, live: Live, name: str) -> Step:
    place, serving = place_of(app), live.details.get("serving", "")
    why = "visitors stay where they are until it is ready" if serving else "nothing serves yet"
    return Step("Make a revision", why, Call("container_apps.begin_create_or_update", {
        "resource_group_name": place.group, "container_app_name": place.name,
        "container_app_envelope": _envelope(app, live, name),
    }))  # fmt: skip


def _wait_step(name: str) -> Step:
    return Step("Wait for the revision",
                "it gets visitors only once its models are loaded; this only reads",
                Call("wait for revision", {"revision_name": name}))  # fmt: skip


def _weight(revision: str) -> dict[str, Any]:
    return {"weight": 100, **({"revisionName": revision} if revision else {"latestRevision": True})}


def _traffic_steps(app: Deployment, live: Live, revision: str, version: str) -> list[Step]:
    """Return how visitors get to a revision, and how others end.

    The one that had them stays where it may sleep, which costs nothing: it can have them back at
    once.
    """
    place, serving = place_of(app), live.details.get("serving", "")
    traffic = {"ingress": {"traffic": [_weight(revision)]}}
    served = dict.fromkeys([version, *live.details.get("served", ())])
    stays = {revision, serving if app.settings.instances[0] == 0 else ""}
    return [
        Step("Lead visitors to the revision", "all of them, at once",
             Call("container_apps.begin_update", {
                 "resource_group_name": place.group, "container_app_name": place.name,
                 "container_app_envelope": {
                     "tags": _tags(served), "properties": {"configuration": traffic}},
             })),
        *(_revision_call(app, f"Stop the revision {name}", "it has no visitors, and would cost",
                         "deactivate_revision", name)
          for name in live.details.get("active", ()) if name not in stays),
    ]  # fmt: skip


def _revision_call(app: Deployment, what: str, why: str, method: str, name: str) -> Step:
    place = place_of(app)
    return Step(what, why, Call(f"container_apps_revisions.{method}", {
        "resource_group_name": place.group, "container_app_name": place.name,
        "revision_name": name,
    }))  # fmt: skip
