"""A Google Cloud on loopback: Cloud Run, Secret Manager, Logging, and who may ask them.

It answers as the APIs describe themselves (`google_fields`), keeps what it is told, and lets the
service's address lead to a real `podium serve` of the revision that serves.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from tests.deploy.google_accounts import Accounts
from tests.deploy.google_fields import settled
from tests.deploy.google_front import visited
from tests.deploy.google_run import FAILED, NO_PORT, RECONCILING, SUCCEEDED, Revision, image_folder
from tests.deploy.google_secrets import Asked, Refused, Secrets
from tests.deploy.loopback import Reply, serving

REGIONS = ("europe-west1", "us-central1")
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
ALL_TO_LATEST = [{"type": LATEST, "percent": 100}]
STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
            404: "NOT_FOUND", 409: "ALREADY_EXISTS", 429: "RESOURCE_EXHAUSTED",
            503: "UNAVAILABLE"}  # fmt: skip
Answer = tuple[int, dict[str, Any]]


class GoogleCloud(Secrets):
    """All that is kept, and how it is asked."""

    def __init__(self, folder: Path, registry: Path) -> None:
        super().__init__()
        self.folder, self.registry = folder, registry
        self.accounts = Accounts()
        self.asked: list[Asked] = []
        self.services: dict[str, dict[str, Any]] = {}
        self.revisions: dict[str, list[Revision]] = {}
        self.started: list[Revision] = []
        self.operations: dict[str, str] = {}
        self.entries: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        self.memory_needed = 0
        self.update_fails = ""
        self.faults: list[tuple[str, int, str]] = []
        self.cut: str | None = None
        self.expires: str | None = None
        self.address = ""
        self.lock = threading.RLock()

    @property
    def changes(self) -> list[str]:
        """What was asked for besides reading, as "METHOD PATH"."""
        return [f"{one.method} {one.path}" for one in self.asked if one.method != "GET"
                and "entries:list" not in one.path]  # fmt: skip

    def fail_next(self, pattern: str, code: int, message: str) -> None:
        """Refuse the next request "METHOD PATH" that fits."""
        self.faults.append((pattern, code, message))

    def made_elsewhere(self, name: str) -> None:
        """Let there be a service that somebody else has made."""
        revision = Revision(
            f"{name.rpartition('/')[2]}-00001-abc", {}, datetime.now(UTC).isoformat()
        )
        revision.state, self.revisions[name] = SUCCEEDED, [revision]
        told = {"traffic": ALL_TO_LATEST, "served": ALL_TO_LATEST}
        self.services[name] = {"labels": {}, **told}

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        """Answer a request.

        Raises:
            ConnectionError: no answer is to be given.
        """
        parts = urlsplit(target)
        with self.lock:
            if parts.path == "/token":
                return self.accounts.token(dict(parse_qsl(body.decode())))
            try:
                if not self.accounts.knows(headers.get("Authorization", "")):
                    raise Refused(401, "Request had invalid authentication credentials. "
                                  "Expected OAuth 2 access token")  # fmt: skip
                one = Asked(method, parts.path, dict(parse_qsl(parts.query)),
                            json.loads(body) if body else None)  # fmt: skip
                self.asked.append(one)
                self._expire(f"{method} {parts.path}")
                told = 200, self._do(one)
            except Refused as err:
                told = err.code, {"error": {"code": err.code, "message": str(err),
                                            "status": STATUSES[err.code]}}  # fmt: skip
            except ValueError as err:
                told = 400, {"error": {"code": 400, "message": str(err), "status": STATUSES[400]}}
            if self.cut and re.search(self.cut, f"{method} {parts.path}"):
                self.cut = None
                raise ConnectionResetError
            return told

    def _expire(self, request: str) -> None:
        """Let the credentials expire from the first request on that fits `expires`."""
        if self.expires and re.search(self.expires, request):
            self.expires, self.accounts.revoked = None, True

    def serving(self) -> Revision | None:
        """Return the revision that the visitors of the only service get."""
        with self.lock:
            for name, service in self.services.items():
                shares = self._shares(name, service["served"])
                return next((one for one in self.revisions[name] if one.name in shares), None)
        return None

    @property
    def public(self) -> bool:
        """Whether everybody may ask the only service."""
        return all(service.get("invokerIamDisabled") for service in self.services.values())

    def stop(self) -> None:
        """End all that runs."""
        for revision in self.started:
            revision.stop()
        for revision in self.started:
            revision.wait()

    def _do(self, one: Asked) -> dict[str, Any]:
        for fault in self.faults:
            if re.search(fault[0], f"{one.method} {one.path}"):
                self.faults.remove(fault)
                raise Refused(fault[1], fault[2])
        for method, pattern, do in ROUTES:
            found = re.fullmatch(pattern, one.path)
            if method == one.method and found:
                where = re.search(r"locations/([^/]+)", one.path)
                if where and where[1] not in REGIONS:
                    raise Refused(403, f"Permission denied on 'locations/{where[1]}' "
                                  "(or it may not exist).")  # fmt: skip
                told: dict[str, Any] = getattr(self, do)(one, *found.groups())
                return told
        raise Refused(404, f"Method not found: {one.method} {one.path}")

    def _get_service(self, one: Asked, name: str) -> dict[str, Any]:  # noqa: ARG002
        if name not in self.services:
            raise Refused(404, f"Resource '{name.rpartition('/')[2]}' of kind 'SERVICE' in region "
                          "'europe-west1' in project 'demo' does not exist.")  # fmt: skip
        self._look(name)
        service = self.services[name]
        newest = self.revisions[name][-1]
        ready = [each for each in self.revisions[name] if each.state == SUCCEEDED]
        wanted = self._shares(name, service["traffic"])
        if wanted and all(any(each.name == key for each in ready) for key in wanted):
            service["served"] = service["traffic"]
        shown = [ALL_TO_LATEST[0] if each["type"] == LATEST else each
                 for each in service["served"]]  # fmt: skip
        condition = {"type": "Ready", "state": newest.state, "message": newest.message}
        if newest.state == FAILED:
            condition["message"] = f"Revision '{newest.name}' is not ready and cannot serve "\
                                   f"traffic. {newest.message}"  # fmt: skip
        return {
            **{key: value for key, value in service.items() if key != "served"},
            "name": name,
            "uri": self.address,
            "terminalCondition": condition,
            "trafficStatuses": shown,
            "reconciling": newest.state == RECONCILING,
            "latestCreatedRevision": f"{name}/revisions/{newest.name}",
            **({"latestReadyRevision": f"{name}/revisions/{ready[-1].name}"} if ready else {}),
        }

    def _patch_service(self, one: Asked, name: str) -> dict[str, Any]:
        given = settled(one.body, "#Service")
        if name not in self.services:
            if one.query.get("allowMissing") not in ("true", "True"):
                raise Refused(404, f"Resource '{name}' does not exist.")
            self.services[name] = {"served": []}
            self.revisions[name] = []
        mask = one.query.get("updateMask", "").split(",")
        kept = self.services[name]
        asked = {key: given[key] for key in mask if key} if any(mask) else {**given}
        template = asked.get("template", kept.get("template"))
        if template is None:
            raise Refused(400, "template: is required")
        self._refuse_traffic(name, asked.get("traffic", ()), template)
        if self.update_fails and template != kept.get("template"):
            return self._operation(f"{name}?{self.update_fails}")
        if template != kept.get("template"):
            self._add_revision(name, template)
        before = kept if any(mask) else {"served": kept["served"]}
        self.services[name] = {"traffic": ALL_TO_LATEST, **before, **asked}
        self._get_service(one, name)
        return self._operation(name)

    def _refuse_traffic(self, name: str, traffic: Any, template: dict[str, Any]) -> None:
        known = {each.name for each in self.revisions[name]} | {template.get("revision")}
        for target in traffic:
            if target["type"] != LATEST and target["revision"] not in known:
                raise Refused(400, f"Revision '{target['revision']}' not found.")
        if traffic and sum(target.get("percent", 0) for target in traffic) != 100:
            raise Refused(400, "traffic: the percents must sum up to 100")

    def _add_revision(self, service: str, template: dict[str, Any]) -> None:
        short = service.rpartition("/")[2]
        name = template.get("revision") or f"{short}-{len(self.revisions[service]):05}-abc"
        if not name.startswith(f"{short}-") or len(name) > 63:
            raise Refused(
                400, "revision: must start with the service's name, at most 63 characters"
            )
        if any(one.name == name for one in self.revisions[service]):
            raise Refused(
                409, f"Revision named '{name}' with different configuration already exists."
            )
        revision = Revision(name, template, datetime.now(UTC).isoformat())
        self.revisions[service].append(revision)
        image = image_folder(self.registry, revision.container["image"])
        if not image.is_dir():
            revision.fail(f"Image '{revision.container['image']}' not found.")
        elif self._memory(revision) < self.memory_needed:
            revision.fail(NO_PORT)
            told = (f"Memory limit of {self._memory(revision) >> 20} MiB exceeded with "
                    f"{self.memory_needed >> 20} MiB used.")  # fmt: skip
            self._log(revision, told, "varlog%2Fsystem", self.late)
        else:
            self._start(revision, image)

    def _start(self, revision: Revision, image: Path) -> None:
        try:
            environment = {one["name"]: self.value_of(one, revision.template)
                           for one in revision.container.get("env", ())}  # fmt: skip
        except Refused as err:
            revision.fail(str(err))
        else:
            self.started.append(revision)
            revision.start(image, self.folder / revision.name, environment)

    def _memory(self, revision: Revision) -> int:
        told = re.fullmatch(r"(\d+)(\w+)", revision.container["resources"]["limits"]["memory"])
        assert told is not None
        return int(told[1]) * {"M": 10**6, "Mi": 2**20, "Gi": 2**30}[told[2]]

    def _delete_service(self, one: Asked, name: str) -> dict[str, Any]:
        self._get_service(one, name)
        for revision in self.revisions.pop(name):
            revision.stop()
        del self.services[name]
        return self._operation("")

    def _list_revisions(self, one: Asked, name: str) -> dict[str, Any]:
        self._get_service(one, name)
        return {"revisions": [each.told(name) for each in self.revisions[name]]}

    def _get_revision(self, one: Asked, name: str, short: str) -> dict[str, Any]:
        self._get_service(one, name)
        for each in self.revisions[name]:
            if each.name == short:
                return each.told(name)
        raise Refused(404, f"Revision '{short}' not found.")

    def _operation(self, service: str) -> dict[str, Any]:
        name = f"projects/demo/locations/europe-west1/operations/{uuid4().hex}"
        self.operations[name] = service
        return {"name": name, "done": False}

    def _get_operation(self, one: Asked, name: str) -> dict[str, Any]:
        service, _, wrong = self.operations[name].partition("?")
        if wrong:
            return {"name": name, "done": True, "error": {"code": 9, "message": wrong}}
        kind = {"@type": "type.googleapis.com/google.cloud.run.v2.Service"}
        if not service or service not in self.services:
            return {"name": name, "done": True, "response": kind}
        told = self._get_service(one, service)
        condition = told["terminalCondition"]
        if condition["state"] == FAILED:
            return {
                "name": name,
                "done": True,
                "error": {"code": 9, "message": condition["message"]},
            }
        return {"name": name, "done": not told["reconciling"], "response": {**kind, **told}}

    def _look(self, service: str) -> None:
        for revision in self.revisions[service]:
            revision.look(lambda line, one=revision: self._log(one, line, "stderr", self.entries))  # type: ignore[misc]

    def _shares(self, service: str, traffic: Any) -> set[str]:
        ready = [one.name for one in self.revisions[service] if one.state == SUCCEEDED]
        latest = ready[-1] if ready else ""
        return {latest if one["type"] == LATEST else one["revision"] for one in traffic} - {""}

    def _log(self, revision: Revision, line: str, log: str, entries: list[dict[str, Any]]) -> None:
        entries.append({
            "textPayload": line, "insertId": uuid4().hex, "severity": "ERROR",
            "timestamp": datetime.now(UTC).isoformat(), "logName": f"projects/demo/logs/{log}",
            "resource": {"type": "cloud_run_revision", "labels": {
                "revision_name": revision.name, "service_name": self.folder.name}},
        })  # fmt: skip

    def _list_entries(self, one: Asked) -> dict[str, Any]:
        """Tell what was logged; what Cloud Run itself says of a container comes a moment later."""
        query = settled(one.body, "#ListLogEntriesRequest")["filter"]
        revision = re.search(r'revision_name="([^"]+)"', query)
        since = re.search(r'timestamp>="([^"]+)"', query)
        labels = [one["resource"]["labels"] for one in self.entries]
        found = [entry for entry, told in zip(self.entries, labels, strict=True)
                 if revision is None or told["revision_name"] == revision[1]]  # fmt: skip
        self.entries += self.late
        self.late.clear()
        return {"entries": [each for each in reversed(found)
                            if since is None or each["timestamp"] >= since[1]]}  # fmt: skip


_PLACE = r"projects/[^/]+/locations/[^/]+"
_SERVICE = rf"/v2/({_PLACE}/services/[^/]+)"
_SECRET = r"/v1/(projects/[^/]+/secrets/[^/:]+)"  # noqa: S105
ROUTES = (
    ("GET", _SERVICE, "_get_service"),
    ("PATCH", _SERVICE, "_patch_service"),
    ("DELETE", _SERVICE, "_delete_service"),
    ("GET", rf"{_SERVICE}/revisions", "_list_revisions"),
    ("GET", rf"{_SERVICE}/revisions/([^/]+)", "_get_revision"),
    ("GET", rf"/v2/({_PLACE}/operations/[^/]+)", "_get_operation"),
    ("POST", r"/v2/entries:list", "_list_entries"),
    ("GET", r"/v1/(projects/[^/]+)/secrets", "_list_secrets"),
    ("POST", r"/v1/(projects/[^/]+)/secrets", "_create_secret"),
    ("GET", _SECRET, "_get_secret"),
    ("DELETE", _SECRET, "_delete_secret"),
    ("GET", rf"{_SECRET}/versions/latest", "_latest_version"),
    ("POST", rf"{_SECRET}:addVersion", "_add_version"),
    ("POST", rf"{_SECRET}:setIamPolicy", "_set_policy"),
)


@contextmanager
def google_cloud(folder: Path, registry: Path) -> Iterator[GoogleCloud]:
    """Run a Google Cloud, which is asked at `accounts.base`; visitors come to `address`."""
    cloud = GoogleCloud(folder, registry)

    def api(method: str, target: str, headers: Any, body: bytes) -> Reply:
        status, told = cloud.answer(method, target, headers, body)
        return status, "application/json", json.dumps(told).encode()

    with serving(api) as base, serving(partial(visited, cloud)) as address:
        cloud.accounts.base, cloud.address = base, address
        try:
            yield cloud
        finally:
            cloud.stop()
