"""Azure App Service, spoken to through its SDK."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from podium.deploy import azure_session
from podium.deploy.azure import KEPT, Place, full_image
from podium.deploy.azure_app_service import ENTRY, SERVED, START_S
from podium.deploy.azure_session import Session, is_owned, out_of_memory
from podium.deploy.image import digest_of
from podium.deploy.steps import Call, unset
from podium.deploy.target import Deployment, Live, Say
from podium.errors import DeployError
from podium.hosting import RELEASE
from podium.operate.asking import public_door

PULL_S: Final = 600.0
"""How long it may take to fetch the image, before the container has its time to start."""
_FAILED: Final = re.compile(
    r"failing site start|failed during startup|pull(ing)? (image )?failed|ImagePull\w*Fail",
    re.IGNORECASE,
)


class AppService:
    """One web app, its plan, and the log of its container."""

    def __init__(self, app: Deployment, place: Place, environment: Mapping[str, str]) -> None:
        self._session = Session(app, place, environment, "web")
        self._app, self._place, self._environment = app, place, environment
        self._client = self._session.client
        self._where = {"resource_group_name": place.group, "name": place.name}
        self._before: dict[str, str] | None = None
        self._told: list[str] = []
        self._new: list[str] = []

    def look(self) -> Live:
        """Return the web app; only reads.

        Raises:
            DeployError: it cannot be asked, or its name is somebody else's.
        """
        session, place = self._session, self._place
        with session.told():
            group, own_group = session.owned_group()
            plan = session.found("app_service_plans", name=place.name)
            site = session.found("web_apps", name=place.name)
            ours = {place.id_of(f"Microsoft.Web/{kind}", place.name).lower()
                    for kind in ("serverfarms", "sites")}  # fmt: skip
            details: dict[str, Any] = {
                "group": group, "plan": plan is not None, "site": site is not None,
                "own_plan": plan is not None and is_owned(plan) and _is_alone(plan, site),
                "own_group": own_group and session.resources() <= ours,
            }  # fmt: skip
            if plan is not None:
                details["size"] = plan["sku"]["name"]
            exists = any(details[key] for key in ("site", "own_plan", "own_group"))
            if site is None:
                self._refuse_taken()
                return Live(exists=exists, details={**details, "digest": self._digest()})
            if not is_owned(site):
                raise DeployError(
                    f"The resource group {place.group!r} has a web app {place.name!r} which "
                    "Podium has not made. Choose another name: [deploy.azure-app-service] name."
                )
            return self._live(site, details)

    def send(self, call: Call, files: Mapping[str, Path], say: Say) -> None:  # noqa: ARG002
        """Do what a step says.

        Raises:
            DeployError: Azure refuses, or what is waited for fails.
        """
        with self._session.told():
            if call.operation == "wait for container":
                self._wait_for_container(call.payload["version"], say)
            elif call.operation == "web_apps.begin_create_or_update":
                self._told = self._log()
                envelope = self._with_kept(call.payload["site_envelope"])
                payload = {**call.payload, "site_envelope": envelope}
                self._session.send(Call(call.operation, payload), say)
            else:
                self._session.send(call, say)

    def reason(self) -> str:
        """Return why the container does not become ready, as its log tells it."""
        memory = out_of_memory(self._new, self._app)
        if memory is not None:
            return memory
        failed = [line for line in self._new if _FAILED.search(line)]
        others = [line for line in self._new if not _FAILED.search(line)]
        return "\n".join([*failed[-1:], *(f"  {line}" for line in others[-10:])])

    def logs(self, follow: bool) -> Iterator[str]:
        """Yield what the container and its host have written, the oldest line first."""
        seen: list[str] = []
        while True:
            with self._session.told():
                lines = self._log()
            yield from _after(lines, seen)
            seen = lines
            if not follow:
                return
            time.sleep(azure_session.POLL_S)

    def _live(self, site: Mapping[str, Any], details: dict[str, Any]) -> Live:
        settings = self._strings("list_application_settings")
        metadata = self._strings("list_metadata")
        self._before = settings if self._before is None else self._before
        served, host = metadata.get(SERVED, "").split(), site["properties"].get("defaultHostName")
        serving = served[0] if served else None
        if (serving, settings.get(RELEASE)) != (self._app.version, self._app.version):
            details["digest"] = self._digest()
        return Live(
            exists=True, version=serving,
            versions=tuple(one for one in served if f"{ENTRY}{one}" in metadata),
            address=f"https://{host}" if host else None,
            unfinished=settings.get(RELEASE) != serving,
            details={**details, "metadata": metadata},
        )  # fmt: skip

    def _strings(self, method: str) -> dict[str, str]:
        told = getattr(self._client.web_apps, method)(**self._where).as_dict()
        return dict(told.get("properties") or {})

    def _digest(self) -> str | None:
        return digest_of(full_image(self._app))

    def _refuse_taken(self) -> None:
        asked = {"name": self._place.name, "type": "Site"}
        told = self._client.check_name_availability(asked).as_dict()
        if not told.get("nameAvailable"):
            raise DeployError(
                f"The name {self._place.name!r} is taken, maybe by somebody else: all web apps of "
                f"Azure share theirs. ({told.get('message', '')}) Choose another: "
                "[deploy.azure-app-service] name."
            )

    def _with_kept(self, envelope: Mapping[str, Any]) -> dict[str, Any]:
        """Return a web app with the values of the secrets that were there before."""
        properties = envelope["properties"]
        config = properties["siteConfig"]
        settings = [{**one, "value": self._kept(one["name"])} if one["value"] == KEPT else one
                    for one in config["appSettings"]]  # fmt: skip
        config = {**config, "appSettings": settings}
        return {**envelope, "properties": {**properties, "siteConfig": config}}

    def _kept(self, name: str) -> str:
        value = (self._before or {}).get(name) or self._environment.get(name)
        if not value:
            raise DeployError(unset([name]))
        return value

    def _wait_for_container(self, version: str, say: Say) -> None:
        site = self._session.found("web_apps", name=self._place.name) or {}
        host = site["properties"]["defaultHostName"]
        base = self._app.parsed.spec.server.base_path
        door = public_door(f"https://{host}{base}", self._app.parsed.spec, {})
        seen, self._new = self._told, []
        ends = time.monotonic() + START_S + PULL_S
        while time.monotonic() < ends:
            lines = self._log()
            for line in _after(lines, seen):
                self._new.append(line)
                say(f"  {line}")
            seen = lines
            try:
                told = door.get("/readyz?worker").json
            except (OSError, http.client.HTTPException):
                told = None
            if isinstance(told, dict) and told.get("release") == version:
                return
            if any(map(_FAILED.search, self._new)):
                break
            time.sleep(azure_session.POLL_S)
        raise DeployError(f"The container of version {version} does not become ready.")

    def _log(self) -> list[str]:
        """Return the container's log; nothing where there is none yet."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            parts = self._client.web_apps.get_web_site_container_logs(**self._where)
        except ResourceNotFoundError:
            return []
        return b"".join(parts or ()).decode("utf-8", "replace").splitlines()


def _is_alone(plan: Mapping[str, Any], site: Mapping[str, Any] | None) -> bool:
    """Whether no other web app runs on a plan."""
    count = int(plan["properties"].get("numberOfSites") or 0)
    return count <= (1 if site is not None else 0)


def _after(lines: list[str], seen: list[str]) -> list[str]:
    """Return the lines that have come since; the oldest go as new ones come."""
    if seen and seen[-1] in lines:
        return lines[len(lines) - lines[::-1].index(seen[-1]) :]
    return lines
