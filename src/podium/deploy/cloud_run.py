"""Google Cloud Run: a service, each of whose revisions is a version."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import Any, Final

import msgspec
from msgspec import Struct

from podium.container.facts import APPLICATION, PORT
from podium.deploy.facts import facts_of
from podium.deploy.image import image_files, image_of, image_steps
from podium.deploy.steps import Call, Secret, Step
from podium.deploy.target import Deployment, Files, Finding, Live, Platform
from podium.production.site import MARGIN_S
from podium.spec.deploy import CloudRun as Settings

PROJECT: Final = "PROJECT"
"""Stands for the project where none is told, as offline."""
OWNER: Final = {"managed-by": "podium"}
"""The label of what Podium has made: what others have made is left alone."""
VERSION: Final = "podium-version"
"""The label of a revision that tells its version."""
_CPUS: Final = (1, 2, 4, 6, 8)
_GIB: Final = 2**30
_LEAST_CPUS: Final = {24 * _GIB: 8, 16 * _GIB: 6, 8 * _GIB: 4, 4 * _GIB: 2, 0: 1}
"""The fewest processors for more than so much memory, and the memory that an instance may have.

Source: https://cloud.google.com/run/docs/configuring/services/memory-limits, read 2026-11-23.
"""
_LEAST_MEMORY: Final = 2**29
_MOST_MEMORY: Final = 32 * _GIB
_MOST_AT_ONCE: Final = 1000
"""Requests that an instance may be given at once.

Source: https://cloud.google.com/run/docs/about-concurrency, read 2026-11-23.
"""
_PROBE_S: Final = 5


class Place(Struct, frozen=True):
    """Where a service is, in the words of the API."""

    project: str
    region: str
    name: str

    @property
    def service(self) -> str:
        """The service's full name."""
        return f"projects/{self.project}/locations/{self.region}/services/{self.name}"

    def revision(self, name: str) -> str:
        """Return a revision's full name."""
        return f"{self.service}/revisions/{name}"

    def secret(self, variable: str) -> str:
        """Return what a secret is called in Secret Manager."""
        return f"{self.name}-{variable}"


def place_of(app: Deployment, environment: Mapping[str, str] = os.environ) -> Place:
    """Return where an application's service is."""
    settings: Settings = app.settings
    project = settings.project or environment.get("GOOGLE_CLOUD_PROJECT") or PROJECT
    return Place(project, settings.region, app.name)


def full_image(app: Deployment) -> str:
    """Return the image; of the Artifact Registry repository "podium" where none is named."""
    place = place_of(app)
    return image_of(app, f"{place.region}-docker.pkg.dev/{place.project}/podium/{place.name}")


class CloudRun:
    """Google Cloud Run."""

    name = "cloud-run"
    title = "Google Cloud Run"
    facts = facts_of("cloud-run")

    def files(self, app: Deployment) -> Files:
        """Return the image's files, and the service as the API takes it."""
        service = msgspec.json.format(msgspec.json.encode(_service(app)), indent=2).decode()
        return {**image_files(app), "service.json": f"{service}\n"}

    def findings(self, app: Deployment, files: Files) -> Iterator[Finding]:  # noqa: ARG002
        """Yield what Cloud Run would refuse, or do otherwise."""
        settings: Settings = app.settings
        yield from _sizes(settings)
        if app.hosted.secrets and settings.service_account is None:
            yield Finding(
                "[deploy.cloud-run] secrets are read by the service account under which the "
                "application runs. Make one, which may do nothing else, and name it: "
                f"gcloud iam service-accounts create {app.name}; "
                f'service_account = "{app.name}@PROJECT.iam.gserviceaccount.com"',
                fatal=True,
            )
        if place_of(app).project == PROJECT:
            yield Finding(
                "No project is named: PROJECT stands for it in what follows. [deploy.cloud-run] "
                "project or GOOGLE_CLOUD_PROJECT names it."
            )

    def plan(self, app: Deployment, live: Live) -> list[Step]:
        """Return the steps: image, secrets, a revision that gets ready, and then its visitors."""
        there = live.details.get("revisions", {}).get(app.version)
        if there is not None and there["ready"] is not False:
            steps, name = [], there["name"]
        else:
            name = _free_name(app, live)
            steps = [*image_steps(full_image(app), live.details.get("digest")),
                     *_secret_steps(app, live), _revision_step(app, live, name)]  # fmt: skip
        if there is None or not there["ready"]:
            steps.append(Step(
                "Wait for the revision", "it gets visitors only once its models are loaded, within "
                "four minutes; this only reads",
                Call("wait for revision", {"name": place_of(app).revision(name)}),
            ))  # fmt: skip
        return [*steps, *_traffic_steps(app, name)]

    def back(self, app: Deployment, live: Live, version: str) -> list[Step]:
        """Return the steps that lead visitors to a revision that is there."""
        return _traffic_steps(app, live.details["revisions"][version]["name"])

    def removal(self, app: Deployment, live: Live) -> list[Step]:
        """Return the steps that remove the secrets that Podium has made, and the service."""
        place = place_of(app)
        secrets = [
            Step("Remove a secret", "Podium has made it for this service",
                 Call("secretmanager.projects.secrets.delete", {"name": name}))
            for name in live.details.get("own_secrets", ())
        ]  # fmt: skip
        return [*secrets, Step(
            "Remove the service", "with all its revisions; the images stay in their registry",
            Call("run.projects.locations.services.delete", {"name": place.service}),
        )]  # fmt: skip

    def address(self, app: Deployment, live: Live) -> str | None:
        """Return the service's address."""
        return live.address and f"{live.address}{app.parsed.spec.server.base_path}"

    def host(self, app: Deployment) -> str:  # noqa: ARG002
        """Return how the addresses end that the platform gives."""
        return ".run.app"

    def connect(self, app: Deployment, environment: Mapping[str, str]) -> Platform:
        """Return Cloud Run, spoken to with the Application Default Credentials.

        Raises:
            MissingExtra: the SDK is not installed.
            DeployError: there are no credentials, or no project is named.
        """
        from podium.deploy.cloud_run_platform import GoogleCloud

        return GoogleCloud(app, place_of(app, environment), environment)


def _service(app: Deployment) -> dict[str, Any]:
    """Return the service without what changes with each deployment, in JSON of the API v2."""
    settings, place = app.settings, place_of(app)
    limits = app.parsed.spec.limits
    longest, (fewest, most) = CloudRun.facts.timeout, settings.instances
    assert longest is not None
    template: dict[str, Any] = {
        "labels": {**OWNER, VERSION: app.version},
        "containers": [_container(app)],
        "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
        "maxInstanceRequestConcurrency": min(limits.concurrency + limits.queue, _MOST_AT_ONCE),
        "scaling": {"minInstanceCount": fewest, "maxInstanceCount": most},
        "timeout": f"{min(math.ceil(limits.timeout) + MARGIN_S, longest.value)}s",
    }
    if settings.service_account:
        template["serviceAccount"] = settings.service_account
    return {
        "name": place.service,
        "labels": OWNER,
        "ingress": "INGRESS_TRAFFIC_ALL",
        "invokerIamDisabled": settings.public,
        "template": template,
    }


def _container(app: Deployment) -> dict[str, Any]:
    settings: Settings = app.settings
    server, place, start = app.parsed.spec.server, place_of(app), CloudRun.facts.start
    assert start is not None
    return {
        "image": full_image(app),
        "args": ["podium", "serve", str(APPLICATION), "--host", "0.0.0.0",  # noqa: S104  # nosec B104
                 # Google's front end is one proxy, which tells the visitor's address and HTTPS.
                 "--proxies", str(max(1, server.proxies))],
        "ports": [{"containerPort": PORT}],
        "env": [_variable(name, value, place) for name, value in app.environment().items()],
        "resources": {
            "limits": {"cpu": f"{settings.cpu:g}", "memory": _quantity(settings.memory)},
            "cpuIdle": True,
            "startupCpuBoost": True,
        },
        "startupProbe": _probe(app, "/readyz", _PROBE_S, start.value // _PROBE_S),
        "livenessProbe": _probe(app, "/healthz", 6 * _PROBE_S, 4),
    }  # fmt: skip


def _quantity(size: int) -> str:
    """Return a size in the units of Cloud Run, rounded down."""
    return f"{size // 10**6}M" if size % 2**20 else f"{size // 2**20}Mi"


def _variable(name: str, value: str | Secret, place: Place) -> dict[str, Any]:
    if isinstance(value, str):
        return {"name": name, "value": value}
    reference = {"secret": place.secret(name), "version": "latest"}
    return {"name": name, "valueSource": {"secretKeyRef": reference}}


def _probe(app: Deployment, path: str, period_s: int, failures: int) -> dict[str, Any]:
    server = app.parsed.spec.server
    headers = [{"name": "Host", "value": host} for host in server.hosts[:1]]
    return {
        "httpGet": {
            "path": f"{server.base_path}{path}",
            **({"httpHeaders": headers} if headers else {}),
        },
        "periodSeconds": period_s,
        "timeoutSeconds": period_s - 1,
        "failureThreshold": failures,
    }


def _sizes(settings: Settings) -> Iterator[Finding]:
    if settings.cpu not in _CPUS:
        known = ", ".join(map(str, _CPUS))
        yield Finding(f"[deploy.cloud-run] cpu is {settings.cpu:g}; expected one of {known}.", True)
    if not _LEAST_MEMORY <= settings.memory <= _MOST_MEMORY:
        yield Finding(f"[deploy.cloud-run] memory is {settings.memory}; an instance has from "
                      "512 MiB to 32 GiB.", True)  # fmt: skip
    least = next(cpus for memory, cpus in _LEAST_CPUS.items() if settings.memory > memory)
    if settings.cpu < least:
        told = f"[deploy.cloud-run] memory of {settings.memory} needs cpu = {least} or more."
        yield Finding(told, True)
    if settings.cpu >= 4 and settings.memory < 2 * _GIB:
        yield Finding('[deploy.cloud-run] cpu of 4 or more needs memory = "2 GiB" or more.', True)


def _free_name(app: Deployment, live: Live) -> str:
    """Return the new revision's name: with the version, and a number where one has failed.

    A name is never given again: what fails for a reason outside (a right, a quota) and is tried
    again is a revision of its own.
    """
    first, taken = f"{app.name}-{app.version}", live.details.get("names", ())
    names = chain([first], (f"{first}-{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def _revision_step(app: Deployment, live: Live, name: str) -> Step:
    service = _service(app)
    serving = live.details.get("serving")
    traffic = _target(serving) if serving else {**_LATEST, "percent": 100}
    why = "visitors stay where they are until it is ready" if serving else "nothing serves yet"
    who = "everybody may ask it" if app.settings.public else "only who may invoke it is let in"
    return Step("Make a revision", f"{why}; {who}", Call("run.projects.locations.services.patch", {
        "allowMissing": True,
        "service": {**service, "template": {"revision": name, **service["template"]},
                    "traffic": [traffic]},
    }))  # fmt: skip


_LATEST: Final = {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"}


def _target(revision: str) -> dict[str, Any]:
    kind = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
    return {"type": kind, "revision": revision, "percent": 100}


def _traffic_steps(app: Deployment, revision: str) -> list[Step]:
    service = place_of(app).service
    return [
        Step("Lead visitors to the revision", "all of them, at once",
             Call("run.projects.locations.services.patch", {
                 "updateMask": "traffic",
                 "service": {"name": service, "traffic": [_target(revision)]},
             })),
        Step("Wait for the visitors", "Cloud Run tells when the revision has them",
             Call("wait for traffic", {"name": service, "revision": revision})),
    ]  # fmt: skip


def _secret_steps(app: Deployment, live: Live) -> Iterator[Step]:
    """Yield how secrets get into Secret Manager; a value that is told only there stays.

    Who may read a secret is settled where Podium has made it, and only there.
    """
    place, found = place_of(app), live.details.get("secrets", {})
    own = live.details.get("own_secrets", ())
    account = f"serviceAccount:{app.settings.service_account}"
    for variable in app.hosted.secrets:
        secret = place.secret(variable)
        name = f"projects/{place.project}/secrets/{secret}"
        if variable not in found:
            yield Step(f"Make the secret {secret}", "Secret Manager keeps it from all others",
                       Call("secretmanager.projects.secrets.create", {
                           "parent": f"projects/{place.project}", "secretId": secret,
                           "secret": {"replication": {"automatic": {}},
                                      "labels": {**OWNER, "podium-service": place.name}},
                       }))  # fmt: skip
        if variable not in found or (name in own and not found[variable]):
            yield Step(f"Let the application read {secret}", "it runs as this account",
                       Call("secretmanager.projects.secrets.setIamPolicy", {
                           "resource": name, "policy": {"bindings": [{
                               "role": "roles/secretmanager.secretAccessor", "members": [account],
                           }]},
                       }))  # fmt: skip
        if not found.get(variable):
            yield Step(f"Store the value of {secret}", "revisions that start read the newest",
                       Call("secretmanager.projects.secrets.addVersion", {
                           "parent": name, "payload": {"data": Secret(variable)},
                       }))  # fmt: skip
