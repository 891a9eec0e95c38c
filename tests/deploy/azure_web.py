"""Azure App Service on loopback: plans, and web apps that run a container."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any

from azure.mgmt.web import models

from tests.deploy.azure_arm import GROUP, SUBSCRIPTION, Answer, Asked, Azure, Refused, Running
from tests.deploy.google_run import FAILED, RECONCILING, SUCCEEDED, image_folder

MEMORY = {"B1": 1.75, "B2": 3.5, "B3": 7.0}
"""GiB of an instance."""


class WebApps(Azure):
    """All web apps; what each runs is a real `podium serve`."""

    reading = ("/list", "/containerlogs", "/checknameavailability")
    begun = 202

    def __init__(self, *where: Any) -> None:
        super().__init__(*where)
        self.taken: set[str] = set()
        self.metadata: dict[str, dict[str, str]] = {}
        self.containers: dict[str, list[Running]] = {}
        self.lines: list[str] = []

    def setting(self, name: str) -> str:
        """Return a setting of the only web app."""
        path = next(iter(self.containers))
        settings = self.resources[path]["properties"]["siteConfig"]["appSettings"]
        return next(str(one["value"]) for one in settings if one["name"] == name)

    def serving(self) -> Running | None:
        """Return the newest container that has become ready; the one before goes on until then."""
        with self.lock:
            ready = [one for found in self.containers.values() for one in found
                     if self._looked(one) == SUCCEEDED]  # fmt: skip
            for one in ready[:-1]:
                one.stop()
            return ready[-1] if ready else None

    def made_elsewhere(self, group: str, name: str) -> None:
        """Let there be a web app that somebody else has made."""
        self.groups[group] = {"location": "westeurope"}
        path = (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Web/"
                f"sites/{name}")  # fmt: skip
        self.resources[path] = {"location": "westeurope", "properties": {"siteConfig": {}}}
        self.metadata[path], self.containers[path] = {}, []

    def _check_name(self, one: Asked) -> Answer:
        self._checked(one, models.ResourceNameAvailabilityRequest)
        free = one.body["name"] not in self.taken
        reason = {} if free else {"reason": "AlreadyExists", "message": "Hostname already exists."}
        return Answer(200, {"nameAvailable": free, **reason})

    def _put_plan(self, one: Asked, *_names: str) -> Answer:
        body = self._taken(one, models.AppServicePlan)
        if body["sku"]["name"] not in MEMORY:
            raise Refused(400, "InvalidSku", f"No such SKU: {body['sku']['name']}")
        self.resources[one.path] = body
        return self._asynchronous(one.path)

    def _delete_plan(self, one: Asked, *names: str) -> Answer:
        if self._told(one.path)["properties"]["numberOfSites"]:
            raise Refused(409, "Conflict", "The App Service Plan has web apps assigned to it.")
        self._delete(one, *names)
        return Answer(200)

    def _put_site(self, one: Asked, _group: str, name: str) -> Answer:
        body = self._taken(one, models.Site)
        plan = body["properties"]["serverFarmId"]
        if plan not in self.resources:
            raise Refused(404, "NotFound", f"Server farm '{plan}' does not exist.")
        if name in self.taken and one.path not in self.resources:
            raise Refused(409, "Conflict", f"Website with given name {name} already exists.")
        self.resources[one.path] = body
        self.metadata.setdefault(one.path, {})
        self._run(one.path, name, body["properties"]["siteConfig"], plan)
        return self._asynchronous(one.path)

    def _run(self, path: str, name: str, config: dict[str, Any], plan: str) -> None:
        found = self.containers.setdefault(path, [])
        for old in found:
            if self._looked(old) == RECONCILING:
                old.fail("")
        settings = {each["name"]: each["value"] for each in config["appSettings"]}
        image = config["linuxFxVersion"].removeprefix("DOCKER|")
        ran = any(one.container["image"] == image for one in found)
        running = Running(f"{name}_{len(found)}", image, shlex.split(config["appCommandLine"]),
                          settings["WEBSITE_WARMUP_PATH"])  # fmt: skip
        found.append(running)
        memory = MEMORY[self.resources[plan]["sku"]["name"]] * 2**30
        self._say(f"INFO  - Pulling image: {image}")
        if not image_folder(self.registry, image).is_dir():
            running.fail("")
            self._say(f"ERROR - Image pull failed: manifest for {image} not found")
        elif memory < self.memory_needed and not ran:  # what ran goes on to fit
            running.fail("")
            self._say(f"ERROR - Container {running.name} was killed with exit code 137.")
            self._say(f"ERROR - Container {running.name} has exited, failing site start")
        else:
            # /home of this machine is not the web app's.
            given = {**settings, "PODIUM_STATE": str(self.folder / "home" / running.name)}
            assert settings["PODIUM_STATE"].startswith("/home/")
            self._start(running, given)

    def _looked(self, running: Running) -> str:
        """Return how a container stands; what it writes when it ends goes into the log."""
        before, after = running.state, running.looked()
        if before != after == FAILED:
            self.lines += running.lines
            self._say(f"ERROR - Container {running.name} has exited, failing site start")
        return after

    def _say(self, line: str) -> None:
        self.lines.append(f"{datetime.now(UTC).isoformat()} {line}")

    def _told(self, path: str) -> dict[str, Any]:
        told = super()._told(path)
        if path in self.containers:
            host = self.address.removeprefix("https://")
            properties = {**told["properties"], "defaultHostName": host, "state": "Running"}
            properties["siteConfig"] = {**properties["siteConfig"], "appSettings": None}
            return {**told, "properties": properties}
        sites = [one for one in self.resources.values()
                 if one["properties"].get("serverFarmId") == path]  # fmt: skip
        return {**told, "properties": {**told["properties"], "numberOfSites": len(sites)}}

    def _delete_site(self, one: Asked, *names: str) -> Answer:
        self._delete(one, *names)
        return Answer(200)

    def _remove(self, path: str) -> None:
        super()._remove(path)
        for running in self.containers.pop(path, []):
            running.stop()

    def _list_settings(self, one: Asked, *_names: str) -> Answer:
        path = one.path.removesuffix("/config/appsettings/list")
        config = self.resources[path]["properties"]["siteConfig"]
        return Answer(200, {"properties": {
            each["name"]: each["value"] for each in config.get("appSettings", ())}})  # fmt: skip

    def _list_metadata(self, one: Asked, *_names: str) -> Answer:
        found = self.metadata[one.path.removesuffix("/config/metadata/list")]
        return Answer(200, {"properties": dict(sorted(found.items()))})

    def _put_metadata(self, one: Asked, *_names: str) -> Answer:
        self._checked(one, models.StringDictionary)
        self.metadata[one.path.removesuffix("/config/metadata")] = one.body["properties"]
        return Answer(200, one.body)

    def _container_logs(self, one: Asked, *_names: str) -> Answer:
        path = one.path.removesuffix("/containerlogs")
        self._get(one._replace(path=path))
        for running in self.containers[path]:
            self._looked(running)
        return Answer(200, "".join(f"{line}\n" for line in self.lines))

    _SITE = rf"{GROUP}/providers/Microsoft\.Web/sites/([^/]+)"
    _PLAN = rf"{GROUP}/providers/Microsoft\.Web/serverfarms/([^/]+)"
    routes = (
        ("POST", rf"/subscriptions/{SUBSCRIPTION}/providers/Microsoft\.Web/checknameavailability",
         "_check_name"),
        ("GET", _PLAN, "_get"),
        ("PUT", _PLAN, "_put_plan"),
        ("DELETE", _PLAN, "_delete_plan"),
        ("GET", _SITE, "_get"),
        ("PUT", _SITE, "_put_site"),
        ("DELETE", _SITE, "_delete_site"),
        ("POST", rf"{_SITE}/config/appsettings/list", "_list_settings"),
        ("POST", rf"{_SITE}/config/metadata/list", "_list_metadata"),
        ("PUT", rf"{_SITE}/config/metadata", "_put_metadata"),
        ("POST", rf"{_SITE}/containerlogs", "_container_logs"),
    )  # fmt: skip
