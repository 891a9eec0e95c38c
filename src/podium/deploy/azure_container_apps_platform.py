"""Azure Container Apps, spoken to through its SDK."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from podium.deploy import azure_session
from podium.deploy.azure import KEPT, Place, full_image
from podium.deploy.azure_container_apps import SERVED, environment_of
from podium.deploy.azure_session import Session, is_owned, out_of_memory
from podium.deploy.image import digest_of
from podium.deploy.steps import Call, hidden
from podium.deploy.target import Deployment, Live, Say
from podium.errors import DeployError
from podium.hosting import RELEASE

WAIT_S: Final = 600.0
"""How long a revision may take: its image is fetched, and its models are loaded."""
RESTARTS: Final = 3
"""A container that has ended so often does so again."""
_LINES: Final = 100
_ASK_S: Final = 60.0
_FAILED: Final = ("Failed", "Degraded")


class ContainerApps:
    """One app with its revisions, and the environment in which it runs."""

    def __init__(self, app: Deployment, place: Place, environment: Mapping[str, str]) -> None:
        self._session = Session(app, place, environment, "appcontainers")
        self._app, self._place = app, place
        self._client = self._session.client
        self._where = {"resource_group_name": place.group, "container_app_name": place.name}
        self._awaited = ""
        self._values: dict[str, str] = {}

    def look(self) -> Live:
        """Return the app with its revisions; only reads.

        Raises:
            DeployError: it cannot be asked, or the app is not Podium's.
        """
        session, name = self._session, environment_of(self._app)
        with session.told():
            group, own_group = session.owned_group()
            environment = session.found("managed_environments", environment_name=name)
            app = session.found("container_apps", container_app_name=self._place.name)
            details: dict[str, Any] = {"group": group, "environment": environment is not None,
                                       "app": app is not None}  # fmt: skip
            details["own_environment"] = (
                environment is not None and is_owned(environment) and not self._others(environment)
            )
            ours = {
                self._place.id_of("Microsoft.App/managedEnvironments", name).lower(),
                self._place.id_of("Microsoft.App/containerApps", self._place.name).lower(),
            }
            details["own_group"] = own_group and session.resources() <= ours
            exists = any(details[key] for key in ("app", "own_environment", "own_group"))
            if app is None:
                return Live(exists=exists, details={**details, "digest": self._digest()})
            self._refuse_others(app)
            return self._live(app, details)

    def send(self, call: Call, files: Mapping[str, Path], say: Say) -> None:  # noqa: ARG002
        """Do what a step says.

        Raises:
            DeployError: Azure refuses, or what is waited for fails.
        """
        self._awaited = _revision_in(call, self._place) or self._awaited
        try:
            with self._session.told():
                if call.operation == "wait for revision":
                    self._wait_for_revision(call.payload["revision_name"], say)
                elif call.operation == "container_apps.begin_create_or_update":
                    self._session.send(self._with_kept(call), say)
                else:
                    self._session.send(call, say)
        except DeployError as err:
            raise DeployError(self._hidden(str(err))) from err

    def reason(self) -> str:
        """Return why the revision that was waited for fails: its container knows more than it."""
        if not self._awaited:
            return ""
        with self._session.told():
            told = self._revision(self._awaited)
            details = [*self._container_details(), *self._events()]
            lines = self._written(self._awaited)
        error = told.get("provisioningError") or ""
        memory = out_of_memory([*details, error, *lines], self._app)
        if memory is not None:
            return memory
        said = dict.fromkeys(filter(None, [error, *details[-10:]]))
        return self._hidden("\n".join([*said, *(f"  {line}" for line in lines[-10:])]).strip())

    def logs(self, follow: bool) -> Iterator[str]:
        """Yield what the app's instances have written, the oldest line first."""
        with self._session.told():
            told = self._session.found("container_apps", container_app_name=self._place.name)
            serving = _serving(told or {})
            if not serving or not (replicas := self._replicas(serving)):
                raise DeployError(
                    f"No instance of {self._place.name} runs now, and Container Apps keeps no log "
                    "of those that have ended. Open its address, and ask again."
                )
            if follow:
                yield from self._stream(_endpoints(replicas)[0], follow=True)
            for endpoint in () if follow else _endpoints(replicas):
                yield from self._stream(endpoint)

    def _live(self, app: Mapping[str, Any], details: dict[str, Any]) -> Live:
        properties = app["properties"]
        served = tuple((app.get("tags") or {}).get(SERVED, "").split())
        found = [one.as_dict() for one in
                 self._client.container_apps_revisions.list_revisions(**self._where)]  # fmt: skip
        revisions = _by_version(found, served)
        serving = _serving(app)
        version = next((key for key, one in revisions.items() if one["name"] == serving), None)
        # The first revision has its visitors before that is noted.
        noted = version is None or version in served
        settled = noted and properties.get("provisioningState") == "Succeeded"
        waiting = [
            one["name"]
            for one in found
            if one["name"] != serving
            and one["properties"].get("active")
            and _ready(one["properties"]) is not True
        ]
        if revisions.get(self._app.version, {"ready": False})["ready"] is False:
            details["digest"] = self._digest()
        fqdn = properties["configuration"]["ingress"].get("fqdn")
        return Live(
            exists=True, version=version, address=f"https://{fqdn}" if fqdn else None,
            versions=tuple(key for key in served if key in revisions),
            unfinished=bool(waiting) or not settled,
            details={
                **details, "revisions": revisions, "served": served,
                "serving": serving if version else "", "referred": _referred(found),
                "names": tuple(one["name"] for one in found),
                "active": tuple(one["name"] for one in found if one["properties"].get("active")),
            },
        )  # fmt: skip

    def _with_kept(self, call: Call) -> Call:
        """Return a call with the values of the secrets that the app has, and keeps."""
        envelope = call.payload["container_app_envelope"]
        properties = envelope["properties"]
        configuration = properties["configuration"]
        if all(one["value"] != KEPT for one in configuration["secrets"]):
            return call
        found = self._client.container_apps.list_secrets(**self._where).as_dict()
        self._values = {one["name"]: one.get("value", "") for one in found.get("value", ())}
        secrets = [
            {**one, "value": self._values[one["name"]]} if one["value"] == KEPT else one
            for one in configuration["secrets"]
        ]
        configuration = {**configuration, "secrets": secrets}
        properties = {**properties, "configuration": configuration}
        envelope = {**envelope, "properties": properties}
        return Call(call.operation, {**call.payload, "container_app_envelope": envelope})

    def _hidden(self, text: str) -> str:
        """Return a text without the values that Azure has told, which no variable here has."""
        return hidden(text, self._values, self._values)

    def _digest(self) -> str | None:
        return digest_of(full_image(self._app))

    def _refuse_others(self, app: Mapping[str, Any]) -> None:
        if not is_owned(app):
            raise DeployError(
                f"The resource group {self._place.group!r} has an app {self._place.name!r} which "
                "Podium has not made. Choose another name: [deploy.azure-container-apps] name."
            )

    def _others(self, environment: Mapping[str, Any]) -> bool:
        """Whether another app runs in the environment."""
        own = self._place.id_of("Microsoft.App/containerApps", self._place.name).lower()
        apps = (one.as_dict() for one in self._client.container_apps.list_by_subscription())
        return any(
            one["properties"].get("environmentId", "").lower() == environment["id"].lower()
            and one["id"].lower() != own for one in apps
        )  # fmt: skip

    def _revision(self, name: str) -> dict[str, Any]:
        """Return a revision's properties; nothing where it is not there yet."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            told = self._client.container_apps_revisions.get_revision(
                **self._where, revision_name=name
            )
        except ResourceNotFoundError:
            return {}
        return dict(told.as_dict()["properties"])

    def _replicas(self, revision: str) -> list[dict[str, Any]]:
        told = self._client.container_apps_revision_replicas.list_replicas(
            **self._where, revision_name=revision
        )
        return list(told.as_dict().get("value", ()))

    def _wait_for_revision(self, name: str, say: Say) -> None:
        self._awaited, said = name, ""
        ends = time.monotonic() + WAIT_S
        while time.monotonic() < ends:
            told = self._revision(name)
            if (line := _stands(told)) != said:
                say(f"  {line}")
                said = line
            ready = _ready(told)
            if ready:
                return
            if ready is False or self._ends_again():
                break
            time.sleep(azure_session.POLL_S)
        raise DeployError(f"Revision {name} does not become ready.")

    def _ends_again(self) -> bool:
        containers = _containers(self._replicas(self._awaited))
        return any(one.get("restartCount", 0) >= RESTARTS for one in containers)

    def _container_details(self) -> list[str]:
        """Return what is said of the instances of the revision that was waited for."""
        replicas = self._replicas(self._awaited)
        told = [one["properties"].get("runningStateDetails") for one in replicas]
        told += [one.get("runningStateDetails") for one in _containers(replicas)]
        return [line for line in told if line]

    def _events(self) -> list[str]:
        """Return what Container Apps has told of the revision that was waited for."""
        told = self._session.found("container_apps", container_app_name=self._place.name)
        endpoint = (told or {}).get("properties", {}).get("eventStreamEndpoint")
        lines = list(self._stream(endpoint)) if endpoint else []
        return [line for line in lines if self._awaited in line]

    def _written(self, revision: str) -> list[str]:
        """Return the last lines of a revision's instances."""
        endpoints = _endpoints(self._replicas(revision))
        return [line for endpoint in endpoints for line in self._stream(endpoint)]

    def _stream(self, endpoint: str, follow: bool = False) -> Iterator[str]:
        """Yield the lines of a log, which is asked for with a token of its own.

        What cannot be read is left out: it only tells more of what is known already.
        """
        import requests  # the SDK brings it along

        told = self._client.container_apps.get_auth_token(**self._where).as_dict()
        asked = {"follow": str(follow).lower(), "output": "text", "tailLines": str(_LINES)}
        headers = {"Authorization": f"Bearer {told['properties']['token']}"}
        try:
            with requests.get(
                endpoint, params=asked, headers=headers, timeout=_ASK_S, stream=True
            ) as answer:
                answer.raise_for_status()
                for line in answer.iter_lines(decode_unicode=True):
                    yield str(line)
        except requests.RequestException as err:
            if follow:
                raise DeployError(f"The log has ended: {err}") from err


def _revision_in(call: Call, place: Place) -> str:
    """Return the name of the revision that a call makes; "" where it makes none."""
    properties = call.payload.get("container_app_envelope", {}).get("properties", {})
    suffix = properties.get("template", {}).get("revisionSuffix")
    return f"{place.name}--{suffix}" if suffix else ""


def _referred(found: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the secrets that active revisions read."""
    active = [one["properties"] for one in found if one["properties"].get("active")]
    return tuple(sorted({
        variable["secretRef"] for one in active
        for container in one.get("template", {}).get("containers") or ()
        for variable in container.get("env") or () if variable.get("secretRef")
    }))  # fmt: skip


def _serving(app: Mapping[str, Any]) -> str:
    """Return the revision that most visitors get."""
    properties = app.get("properties", {})
    traffic = (properties.get("configuration", {}).get("ingress") or {}).get("traffic") or []
    most: dict[str, Any] = max(traffic, key=lambda one: one.get("weight", 0), default={})
    latest = properties.get("latestReadyRevisionName") if most.get("latestRevision") else ""
    return str(most.get("revisionName") or latest or "")


def _by_version(found: list[dict[str, Any]], served: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return of each version its revision that is ready, or else the newest.

    One that was stopped is as ready as it was before: it has had visitors, or not.
    """
    versions: dict[str, dict[str, Any]] = {}
    for one in sorted(found, key=lambda one: one["properties"]["createdTime"], reverse=True):
        told, version = one["properties"], _version(one["properties"])
        active = bool(told.get("active"))
        ready = _ready(told) if active else version in served
        if version and (version not in versions or (ready and not versions[version]["ready"])):
            versions[version] = {"name": one["name"], "ready": ready, "active": active}
    return versions


def _version(revision: Mapping[str, Any]) -> str:
    containers = revision.get("template", {}).get("containers") or [{}]
    variables = {one["name"]: one.get("value", "") for one in containers[0].get("env") or ()}
    return str(variables.get(RELEASE, ""))


def _ready(revision: Mapping[str, Any]) -> bool | None:
    """Return whether a revision is ready; None while that is open."""
    running, provisioned = revision.get("runningState"), revision.get("provisioningState")
    if provisioned == "Failed" or running in _FAILED:
        return False
    settled = provisioned == "Provisioned" and running not in (None, "Processing", "Unknown")
    return True if settled and revision.get("healthState") != "Unhealthy" else None


def _stands(revision: Mapping[str, Any]) -> str:
    told = (f"{name.removesuffix('State')} {revision[name]}" for name in
            ("provisioningState", "runningState", "healthState") if revision.get(name))  # fmt: skip
    return f"Azure: {', '.join(told) or 'the revision is not there yet'}"


def _containers(replicas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for one in replicas for each in one["properties"].get("containers") or ()]


def _endpoints(replicas: list[dict[str, Any]]) -> list[str]:
    return [one["logStreamEndpoint"] for one in _containers(replicas)
            if one.get("logStreamEndpoint")]  # fmt: skip
