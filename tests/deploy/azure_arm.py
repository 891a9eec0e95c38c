"""An Azure Resource Manager on loopback: who may ask, resource groups, long-running operations."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from podium.operate.self_signed import self_signed
from tests.deploy.azure_fields import How, checked
from tests.deploy.google_run import RECONCILING, SUCCEEDED, Revision, image_folder
from tests.deploy.loopback import Reply, serving

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
LOCATIONS = ("westeurope", "northeurope")
HEADER = "header-of-the-identity"
GROUP = rf"/subscriptions/{SUBSCRIPTION}/resource[Gg]roups/([^/]+)"
POLLS = 2
"""How often an operation is asked for until it has ended."""


class Asked(NamedTuple):
    """One request that was understood."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


class Refused(Exception):
    """A request that is refused, with its status and Azure's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Answer(NamedTuple):
    """What a request is answered."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


class Running(Revision):
    """A container: a real `podium serve`, which is ready when its path answers."""

    def __init__(self, name: str, image: str, arguments: list[str], path: str) -> None:
        probe = {"httpGet": {"path": path}}
        container = {"args": arguments, "image": image, "startupProbe": probe}
        super().__init__(name, {"containers": [container]}, datetime.now(UTC).isoformat())
        self.lines: list[str] = []

    def looked(self) -> str:
        """Return how it stands now."""
        self.look(self.lines.append)
        return self.state


class Azure:
    """All that is kept, and how it is asked; each platform's resources are a subclass's."""

    routes: tuple[tuple[str, str, str], ...] = ()

    def __init__(self, folder: Path, registry: Path) -> None:
        self.folder, self.registry = folder, registry
        self.base, self.address = "", ""
        self.asked: list[Asked] = []
        self.tokens: set[str] = set()
        self.groups: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.faults: list[tuple[str, int, str, str]] = []
        self.cut: str | None = None
        self.expires: str | None = None
        self.memory_needed = 0
        self.lock = threading.RLock()
        self._started: list[Running] = []

    @property
    def changes(self) -> list[str]:
        """What was asked for besides reading, as "METHOD KIND/NAME"."""
        return [f"{one.method} {'/'.join(one.path.split('/')[-2:])}" for one in self.asked
                if one.method != "GET" and not one.path.endswith(self.reading)]  # fmt: skip

    reading: tuple[str, ...] = ()
    begun = 201
    """The status where a resource is being made, which is not the same for all of Azure."""

    def fail_next(self, pattern: str, status: int, code: str, message: str) -> None:
        """Refuse the next request "METHOD PATH" that fits."""
        self.faults.append((pattern, status, code, message))

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        """Answer a request.

        Raises:
            ConnectionError: no answer is to be given.
        """
        parts = urlsplit(target)
        told = f"{method} {parts.path}"
        with self.lock:
            if parts.path == "/msi/token":
                return self._token(headers)
            one = Asked(method, parts.path, dict(parse_qsl(parts.query)),
                        json.loads(body) if body else None)  # fmt: skip
            try:
                self._admit(one, headers.get("Authorization", ""))
                self.asked.append(one._replace(body=deepcopy(one.body)))
                found = self._do(one)
            except Refused as err:
                error = {"code": err.code, "message": str(err)}
                found = Answer(err.status, {"error": error})
            except ValueError as err:
                found = Answer(400, {"error": {"code": "InvalidRequestContent",
                                               "message": str(err)}})  # fmt: skip
            if self.cut and re.search(self.cut, told):
                raise ConnectionResetError
            return found

    def serving(self) -> Running | None:
        """Return the container that visitors get."""
        raise NotImplementedError

    def stop(self) -> None:
        """End all that has been started."""
        for running in self._started:
            running.stop()
        for running in self._started:
            running.wait()

    def _admit(self, one: Asked, authorization: str) -> None:
        if self.expires and re.search(self.expires, f"{one.method} {one.path}"):
            self.expires = None
            self.tokens.clear()
        if authorization.removeprefix("Bearer ") not in self.tokens:
            raise Refused(401, "ExpiredAuthenticationToken", "The access token expiry UTC time "
                          "is earlier than current UTC time.")  # fmt: skip
        for fault in self.faults:
            if re.search(fault[0], f"{one.method} {one.path}"):
                self.faults.remove(fault)
                raise Refused(*fault[1:])

    def _token(self, headers: Any) -> Answer:
        """Answer as App Service does to its managed identity, which any process there may ask."""
        if headers.get("X-IDENTITY-HEADER") != HEADER:
            return Answer(401, {"statusCode": 401, "message": "wrong header"})
        token = uuid4().hex
        self.tokens.add(token)
        return Answer(200, {"access_token": token, "expires_on": str(int(time.time()) + 3600),
                            "resource": "https://management.azure.com",
                            "token_type": "Bearer"})  # fmt: skip

    def _do(self, one: Asked) -> Answer:
        if "api-version" not in one.query and "stream" not in one.path:
            raise Refused(400, "MissingApiVersionParameter", "The api-version query parameter "
                          "(?api-version=) is required for all requests.")  # fmt: skip
        for method, pattern, do in (*_SHARED, *self.routes):
            found = re.fullmatch(pattern, one.path)
            if method == one.method and found:
                told: Answer = getattr(self, do)(one, *found.groups())
                return told
        raise Refused(404, "InvalidResourceType", f"No such request: {one.method} {one.path}")

    def _get_group(self, one: Asked, name: str) -> Answer:  # noqa: ARG002
        if name not in self.groups:
            raise Refused(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be "
                          "found.")  # fmt: skip
        return Answer(200, {"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}",
                            "name": name, **self.groups[name]})  # fmt: skip

    def _put_group(self, one: Asked, name: str) -> Answer:
        if one.body.keys() - {"location", "tags"}:
            raise ValueError(f"Could not find member on {sorted(one.body)}")
        self._locate(one.body)
        self.groups[name] = one.body
        return Answer(201, self._get_group(one, name).body)

    def _delete_group(self, one: Asked, name: str) -> Answer:
        self._get_group(one, name)
        for path in [path for path in self.resources if f"/resourceGroups/{name}/" in path]:
            self._remove(path)
        del self.groups[name]
        return self._accepted("")

    def _list_group(self, one: Asked, name: str) -> Answer:
        self._get_group(one, name)
        return Answer(200, {"value": [{"id": path} for path in self.resources
                                      if f"/resourceGroups/{name}/" in path]})  # fmt: skip

    def _get_operation(self, one: Asked, key: str) -> Answer:  # noqa: ARG002
        operation = self.operations[key]
        operation["polls"] -= 1
        if operation["polls"] > 0:
            return Answer(200, {"status": "InProgress"})
        if operation["error"]:
            return Answer(200, {"status": "Failed", "error": operation["error"]})
        return Answer(200, {"status": "Succeeded"})

    def _get_result(self, one: Asked, key: str) -> Answer:  # noqa: ARG002
        """Answer what the header Location leads to: 202 until the operation has ended."""
        operation = self.operations[key]
        operation["polls"] -= 1
        if operation["polls"] > 0:
            return self._accepted(operation["resource"], key)
        told = self.resources.get(operation["resource"])
        return Answer(200, self._told(operation["resource"])) if told else Answer(204)

    def _accepted(self, resource: str, key: str | None = None) -> Answer:
        key = key or self._operation(resource)
        where = f"{self.base}/subscriptions/{SUBSCRIPTION}/operationResults/{key}"
        return Answer(202, None, (("Location", f"{where}?api-version=1"),))

    def _operation(self, resource: str, error: dict[str, str] | None = None) -> str:
        key = uuid4().hex
        self.operations[key] = {"polls": POLLS, "resource": resource, "error": error}
        return key

    def _asynchronous(self, path: str, error: dict[str, str] | None = None) -> Answer:
        """Answer that a resource is being made; a header says where its state is told."""
        key = self._operation(path, error)
        where = f"{self.base}/subscriptions/{SUBSCRIPTION}/operationStatuses/{key}?api-version=1"
        return Answer(self.begun, self._told(path), (("Azure-AsyncOperation", where),))

    def _get(self, one: Asked, *_names: str) -> Answer:
        self._group_of(one.path)
        if one.path not in self.resources:
            kind, name = one.path.split("/")[-2:]
            raise Refused(404, "ResourceNotFound", f"The Resource '{kind}/{name}' was not found.")
        return Answer(200, self._told(one.path))

    def _delete(self, one: Asked, *_names: str) -> Answer:
        if one.path not in self.resources:
            return Answer(204)
        self._remove(one.path)
        return self._accepted("")

    def _told(self, path: str) -> dict[str, Any]:
        """Return a resource as the API tells it."""
        return {"id": path, "name": path.rpartition("/")[2], **self.resources[path]}

    def _remove(self, path: str) -> None:
        del self.resources[path]

    def _group_of(self, path: str) -> None:
        found = re.match(GROUP, path)
        if found and found[1] not in self.groups:
            raise Refused(404, "ResourceGroupNotFound", f"Resource group '{found[1]}' could not "
                          "be found.")  # fmt: skip

    def _taken(self, one: Asked, kind: Any, how: How = "made") -> dict[str, Any]:
        """Return a body that is as the SDK's model of it."""
        self._group_of(one.path)
        self._checked(one, kind, how)
        if how == "made":
            self._locate(one.body)
        body: dict[str, Any] = one.body
        return body

    def _checked(self, one: Asked, kind: Any, how: How = "made") -> None:
        checked(one.body, kind, how=how)

    def _locate(self, body: dict[str, Any]) -> None:
        if body["location"] not in LOCATIONS:
            raise Refused(400, "LocationNotAvailableForResourceType", "The provided location "
                          f"'{body['location']}' is not available.")  # fmt: skip

    def _start(self, running: Running, environment: dict[str, str]) -> None:
        """Run an image that was pushed."""
        image = image_folder(self.registry, running.container["image"])
        self._started.append(running)
        running.start(image, self.folder / running.name, environment)

    def _visited(self, method: str, target: str, headers: Any, body: bytes) -> Reply:
        """Return what a visitor is answered, over HTTPS."""
        running = self.serving()
        if running is None or running.looked() not in (SUCCEEDED, RECONCILING):
            return 503, "text/plain", b"no healthy upstream"
        passed = {key: value for key, value in headers.items() if key != "Connection"}
        passed |= {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        try:
            connection.request(method, target, body, passed)
            response = connection.getresponse()
            return response.status, response.headers.get_content_type(), response.read()
        except (OSError, http.client.HTTPException):
            return 503, "text/plain", b"no healthy upstream"
        finally:
            connection.close()


_SHARED = (
    ("GET", GROUP, "_get_group"),
    ("PUT", GROUP, "_put_group"),
    ("DELETE", GROUP, "_delete_group"),
    ("GET", rf"{GROUP}/resources", "_list_group"),
    ("GET", rf"/subscriptions/{SUBSCRIPTION}/operationStatuses/(\w+)", "_get_operation"),
    ("GET", rf"/subscriptions/{SUBSCRIPTION}/operationResults/(\w+)", "_get_result"),
)


@contextmanager
def on_loopback(azure: Azure) -> Iterator[Path]:
    """Let Azure be asked at `azure.base` and visited at `azure.address`; yield its certificate."""
    certificate = self_signed("127.0.0.1", azure.folder.parent / "tls")

    def api(method: str, target: str, headers: Any, body: bytes) -> Reply:
        status, told, more = azure.answer(method, target, headers, body)
        if isinstance(told, str):
            return status, "text/plain", told.encode(), dict(more)
        return status, "application/json", json.dumps(told).encode() if told else b"", dict(more)

    with serving(api, certificate) as base, serving(azure._visited, certificate) as address:
        azure.base, azure.address = base, address
        try:
            yield certificate.chain
        finally:
            azure.stop()
