"""Google Cloud Run, spoken to by its SDK; beside it Secret Manager and Logging."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from podium.deploy.cloud_run import OWNER, PROJECT, VERSION, Place, full_image
from podium.deploy.cloud_run_access import Access
from podium.deploy.image import digest_of
from podium.deploy.steps import Call
from podium.deploy.target import Deployment, Live, Say
from podium.errors import DeployError, MissingExtra

WAIT_S: Final = 600.0
"""How long a revision may take: its image is fetched, and then it has four minutes to start."""
POLL_S: Final = 2.0
LOGGED_S: Final = 10.0
"""How much later than a failure its log may come."""
_LINES: Final = 200
_OUT_OF_MEMORY: Final = re.compile("memory limit of|out[- ]of[- ]memory", re.IGNORECASE)


class GoogleCloud:
    """One service of Cloud Run, its secrets and its log."""

    def __init__(self, app: Deployment, place: Place, environment: Mapping[str, str]) -> None:
        if place.project == PROJECT:
            raise DeployError(
                "No Google Cloud project is named. Set GOOGLE_CLOUD_PROJECT, or in podium.toml:\n"
                '  [deploy.cloud-run]\n  project = "..."'
            )
        try:
            from google.cloud import run_v2
        except ImportError as err:
            raise MissingExtra("Google Cloud Run", "google") from err
        self._app, self._place, self._run = app, place, run_v2
        self._environment = environment
        self._access = access = Access(place, environment)
        how = {"credentials": access.credentials, "transport": "rest",
               "client_options": {"api_endpoint": access.endpoint("run")}}  # fmt: skip
        self._services = run_v2.ServicesClient(**how)
        self._revisions = run_v2.RevisionsClient(**how)
        self._awaited = ""
        self._update: Any = None

    def look(self) -> Live:
        """Return the service with its revisions; only reads.

        Raises:
            DeployError: it cannot be asked, or the service is not Podium's.
        """
        with self._access.told():
            service = self._service()
            parent = self._place.service
            found = list(self._revisions.list_revisions(parent=parent)) if service else []
            details = self._secrets(found)
        if service is None:
            return Live(details={**details, "digest": digest_of(full_image(self._app))})
        if service.labels.get(*OWNER) != OWNER["managed-by"]:
            raise DeployError(
                f"Project {self._place.project!r} has a service {self._place.name!r} in "
                f"{self._place.region} which Podium has not made. Choose another name: "
                "[deploy.cloud-run] name."
            )
        revisions = _by_version(found)
        serving, settled = self._serving(service)
        version = next((told for told, one in revisions.items() if one["name"] == serving), None)
        if revisions.get(self._app.version, {"ready": False})["ready"] is False:
            details["digest"] = digest_of(full_image(self._app))
        return Live(
            exists=True, version=version, address=service.uri or None,
            versions=tuple(told for told, one in revisions.items() if one["ready"]),
            unfinished=bool(service.reconciling) or not settled,
            headers={} if self._app.settings.public else self._access.identity(service.uri),
            details={**details, "revisions": revisions, "serving": serving,
                     "names": tuple(_short(one.name) for one in found)},
        )  # fmt: skip

    def send(self, call: Call, files: Mapping[str, Path], say: Say) -> None:  # noqa: ARG002
        """Do what a step says.

        Raises:
            DeployError: Google Cloud refuses, or what is waited for fails.
        """
        told = call.payload
        with self._access.told():
            match call.operation:
                case "run.projects.locations.services.patch":
                    self._patch(**told)
                case "run.projects.locations.services.delete":
                    self._services.delete_service(name=told["name"]).result(timeout=WAIT_S)
                case "wait for revision":
                    self._wait_for_revision(told["name"], say)
                case "wait for traffic":
                    self._wait_for_traffic(told["revision"], say)
                case secret:
                    self._keep(secret.rpartition(".")[2], told)

    def reason(self) -> str:
        """Return why the revision that was waited for fails: its log knows more than Cloud Run."""
        if not self._awaited:
            return ""
        with self._access.told():
            told = _failure(self._conditions(self._awaited))
        lines = self._last_words(told)
        memory = next((line for line in (*lines, told) if _OUT_OF_MEMORY.search(line)), None)
        if memory is not None:
            return (
                f"Out of memory: {memory} Each instance has {self._app.settings.memory}: give more "
                "as [deploy.cloud-run] memory, fewer [server] workers, or smaller models "
                "(podium optimize)."
            )
        return "\n".join([told, *(f"  {line}" for line in lines[-10:])]).strip()

    def logs(self, follow: bool) -> Iterator[str]:
        """Yield what the service has written, the oldest line first."""
        after, seen = "", set[str]()
        while True:
            with self._access.told():
                entries = self._entries(f'resource.labels.service_name="{self._place.name}"', after)
            for entry in entries:
                if entry.get("insertId") not in seen:
                    seen.add(entry.get("insertId", ""))
                    after = entry.get("timestamp", after)
                    yield _line(entry)
            if not follow:
                return
            time.sleep(POLL_S)

    def _service(self) -> Any:
        from google.api_core.exceptions import NotFound

        try:
            return self._services.get_service(name=self._place.service)
        except NotFound:
            return None

    def _serving(self, service: Any) -> tuple[str, bool]:
        """Return the revision that most visitors get, and whether that is what was asked for."""
        latest = _short(service.latest_ready_revision)

        def shares(targets: Any) -> dict[str, int]:
            return {one.revision or latest: one.percent for one in targets if one.percent}

        actual = shares(service.traffic_statuses)
        serving = max(actual, key=lambda one: actual[one], default="")
        return serving, shares(service.traffic) == actual == {serving: 100}

    def _secrets(self, revisions: list[Any]) -> dict[str, Any]:
        """Return which secrets Secret Manager has, whether it alone has a value, and our own."""
        if not self._app.hosted.secrets and not any(map(_reads_secrets, revisions)):
            return {}
        project = f"projects/{self._place.project}"
        query = f"labels.podium-service={self._place.name}"
        made = self._access.ask("secretmanager", "GET", f"v1/{project}/secrets", filter=query)
        own = tuple(f"{project}/secrets/{_short(one['name'])}" for one in made.get("secrets", ()))
        states = {name: self._state(f"{project}/secrets/{self._place.secret(name)}")
                  for name in self._app.hosted.secrets}  # fmt: skip
        known = {name: told and not self._environment.get(name)
                 for name, told in states.items() if told is not None}  # fmt: skip
        return {"own_secrets": own, "secrets": known}

    def _state(self, secret: str) -> bool | None:
        """Return whether a secret has a value; None where there is no such secret."""
        from google.api_core.exceptions import NotFound

        for path, told in ((f"v1/{secret}/versions/latest", True), (f"v1/{secret}", False)):
            try:
                self._access.ask("secretmanager", "GET", path)
            except NotFound:
                continue
            return told
        return None

    def _patch(
        self, service: Mapping[str, Any], allowMissing: bool = False, updateMask: str = ""  # noqa: N803
    ) -> None:  # fmt: skip
        if not self._app.settings.public and not self._access.identity(self._place.service):
            raise DeployError(
                "[deploy.cloud-run] public is false, and these credentials have no identity token, "
                "without which the service cannot be asked whether it is ready. Let "
                "GOOGLE_APPLICATION_CREDENTIALS name a service account's key, or log in yourself: "
                "gcloud auth application-default login"
            )
        self._update = self._services.update_service(self._run.UpdateServiceRequest(
            service=self._run.Service.from_json(json.dumps(service)), allow_missing=allowMissing,
            update_mask=updateMask or None,
        ))  # fmt: skip

    def _keep(self, verb: str, told: Mapping[str, Any]) -> None:
        """Create, grant, fill or remove a secret."""
        from google.api_core.exceptions import Conflict

        def ask(method: str, path: str, body: Any = None, **query: str) -> None:
            self._access.ask("secretmanager", method, f"v1/{path}", body, **query)

        if verb == "create":
            try:
                ask("POST", f"{told['parent']}/secrets", told["secret"], secretId=told["secretId"])
            except Conflict:  # a run that ended half-way has made it
                return
        elif verb == "setIamPolicy":
            ask("POST", f"{told['resource']}:setIamPolicy", {"policy": told["policy"]})
        elif verb == "addVersion":
            data = base64.b64encode(told["payload"]["data"].encode()).decode()
            ask("POST", f"{told['parent']}:addVersion", {"payload": {"data": data}})
        else:
            ask("DELETE", told["name"])

    def _conditions(self, revision: str) -> Any:
        """Return the conditions of a revision; none where Cloud Run has not come to it yet."""
        from google.api_core.exceptions import NotFound

        try:
            return self._revisions.get_revision(name=revision).conditions
        except NotFound:
            return []

    def _wait_for_revision(self, name: str, say: Say) -> None:
        self._awaited, said = name, set[str]()
        ends = time.monotonic() + WAIT_S
        while time.monotonic() < ends:
            conditions = self._conditions(name)
            if not conditions and self._update is not None and self._update.done():
                self._update.result()  # what has failed before there is a revision tells why here
            _tell(conditions, said, say)
            ready = _ready(conditions)
            if ready is not None:
                break
            time.sleep(POLL_S)
        if not ready:
            raise DeployError(f"Revision {_short(name)} does not become ready.")

    def _wait_for_traffic(self, revision: str, say: Say) -> None:
        self._awaited, said = self._place.revision(revision), set[str]()
        ends = time.monotonic() + WAIT_S
        while time.monotonic() < ends:
            service = self._service()
            _tell([service.terminal_condition], said, say)
            if not service.reconciling and self._serving(service) == (revision, True):
                return
            if not service.reconciling and _ready([service.terminal_condition]) is False:
                break
            time.sleep(POLL_S)
        raise DeployError(f"Revision {revision} does not get the visitors of {self._place.name}.")

    def _last_words(self, told: str) -> list[str]:
        """Return what a revision has written, and what was written of it, as soon as it is there.

        Where a container just ended, its log is waited for, which alone tells why.
        """
        query = (
            f'resource.labels.revision_name="{_short(self._awaited)}" AND (severity>=ERROR OR '
            'logName:"stderr" OR logName:"varlog%2Fsystem")'
        )
        ends = time.monotonic() + LOGGED_S
        while True:
            try:
                with self._access.told():
                    lines = [_line(entry) for entry in self._entries(query)]
            except DeployError:  # what Cloud Run says itself is told all the same
                return []
            if not told or any(map(_OUT_OF_MEMORY.search, lines)) or time.monotonic() > ends:
                return lines
            time.sleep(POLL_S)

    def _entries(self, query: str, after: str = "") -> list[dict[str, Any]]:
        """Return the newest entries of the log that fit, the oldest first."""
        since = f' AND timestamp>="{after}"' if after else ""
        told = self._access.ask("logging", "POST", "v2/entries:list", {
            "resourceNames": [f"projects/{self._place.project}"], "orderBy": "timestamp desc",
            "pageSize": _LINES,
            "filter": f'resource.type="cloud_run_revision" AND '
                      f'resource.labels.location="{self._place.region}" AND {query}{since}',
        })  # fmt: skip
        return list(reversed(told.get("entries", [])))


def _short(name: str) -> str:
    """Return the last part of a full name."""
    return name.rpartition("/")[2]


def _by_version(revisions: list[Any]) -> dict[str, dict[str, Any]]:
    """Return of each version its revision that is ready, or else the newest."""
    found: dict[str, dict[str, Any]] = {}
    for one in sorted(revisions, key=lambda one: one.create_time, reverse=True):
        version, ready = one.labels.get(VERSION), _ready(one.conditions)
        if version and (version not in found or (ready and not found[version]["ready"])):
            found[version] = {"name": _short(one.name), "ready": ready}
    return found


def _reads_secrets(revision: Any) -> bool:
    variables = chain.from_iterable(one.env for one in revision.containers)
    return any(one.value_source.secret_key_ref.secret for one in variables)


def _ready(conditions: Any) -> bool | None:
    """Return whether the condition "Ready" holds; None while that is open."""
    states = {one.type_: one.state.name for one in conditions}
    return {"CONDITION_SUCCEEDED": True, "CONDITION_FAILED": False}.get(states.get("Ready", ""))


def _failure(conditions: Any) -> str:
    """Return what Cloud Run says of what failed."""
    told = [one.message for one in conditions if one.state.name == "CONDITION_FAILED"]
    return " ".join(dict.fromkeys(filter(None, told)))


def _tell(conditions: Any, said: set[str], say: Say) -> None:
    """Tell what Cloud Run is at; of what fails the log knows the reason, which is told then."""
    for one in conditions:
        line = f"  {one.type_}: {one.message}"
        if one.message and one.state.name != "CONDITION_FAILED" and line not in said:
            said.add(line)
            say(line)


def _line(entry: Mapping[str, Any]) -> str:
    """Return an entry of the log as a line."""
    plain, asked = entry.get("jsonPayload"), entry.get("httpRequest")
    if entry.get("textPayload"):
        return str(entry["textPayload"]).rstrip()
    if plain:
        return str(plain.get("message") or json.dumps(plain))
    if asked:
        return f"{asked.get('requestMethod')} {asked.get('requestUrl')} {asked.get('status')}"
    return json.dumps(entry.get("protoPayload", {}).get("status", {}))
