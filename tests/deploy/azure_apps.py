"""Azure Container Apps on loopback: environments, apps, revisions, their instances and logs."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from azure.mgmt.appcontainers import models

from tests.deploy.azure_arm import GROUP, SUBSCRIPTION, Answer, Asked, Azure, Refused, Running
from tests.deploy.google_run import FAILED, SUCCEEDED, image_folder

KILLED = "terminated with exit code '137' and reason 'OOMKilled'"


class ContainerApps(Azure):
    """All apps; each revision is a real `podium serve`."""

    reading = ("getAuthtoken", "listSecrets")

    def __init__(self, *where: Any) -> None:
        super().__init__(*where)
        self.secrets: dict[str, dict[str, str]] = {}
        self.revisions: dict[str, list[Revision]] = {}
        self.log_tokens: set[str] = set()

    def serving(self) -> Running | None:
        """Return the revision that the visitors of the only app get."""
        with self.lock:
            for path, revisions in self.revisions.items():
                ingress = self.resources[path]["properties"]["configuration"]["ingress"]
                name = self._shown(path, ingress["traffic"][0])
                return next((one.running for one in revisions
                             if one.name == name and one.active), None)  # fmt: skip
        return None

    def made_elsewhere(self, group: str, name: str) -> None:
        """Let there be an app that somebody else has made."""
        self.groups[group] = {"location": "westeurope"}
        path = (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.App/"
                f"containerApps/{name}")  # fmt: skip
        self.resources[path] = {
            "location": "westeurope",
            "tags": {},
            "properties": {
                "configuration": {"ingress": {"traffic": [{"weight": 100, "latestRevision": True}]}}
            },
        }
        self.revisions[path] = []

    def _put_environment(self, one: Asked, *_names: str) -> Answer:
        body = self._taken(one, models.ManagedEnvironment)
        self.resources[one.path] = body
        body["properties"]["provisioningState"] = "Succeeded"
        return self._asynchronous(one.path)

    def _delete_environment(self, one: Asked, *names: str) -> Answer:
        if any(told["properties"].get("environmentId") == one.path
               for told in self.resources.values()):  # fmt: skip
            raise Refused(409, "ManagedEnvironmentHasContainerApps", "The environment has apps.")
        return self._delete(one, *names)

    def _list_apps(self, one: Asked) -> Answer:  # noqa: ARG002
        return Answer(200, {"value": [self._told(path) for path in self.revisions]})

    def _put_app(self, one: Asked, _group: str, name: str) -> Answer:
        body = self._taken(one, models.ContainerApp)
        properties = body["properties"]
        if properties["environmentId"] not in self.resources:
            raise Refused(404, "ManagedEnvironmentNotFound", "The environment does not exist.")
        if len(name) > 32 or not re.fullmatch(r"[a-z]([a-z0-9]|-(?!-))*[a-z0-9]", name):
            raise Refused(400, "ContainerAppInvalidName", f"Invalid ContainerApp name '{name}'.")
        configuration = properties["configuration"]
        secrets = {each["name"]: each["value"] for each in configuration.pop("secrets", ())}
        self._refuse_template(properties["template"], secrets, configuration)
        self._refuse_traffic(one.path, name, properties)
        self._refuse_missing(one.path, secrets)
        self.secrets[one.path] = secrets
        self.resources[one.path] = body
        error = self._add_revision(one.path, name, properties)
        properties["provisioningState"] = "Failed" if error else "Succeeded"
        return self._asynchronous(one.path, error)

    def _patch_app(self, one: Asked, *_names: str) -> Answer:
        self._get(one)
        given = self._taken(one, models.ContainerApp, "changed")
        kept = self.resources[one.path]
        kept["tags"] = {**kept["tags"], **given.get("tags", {})}
        ingress = given["properties"]["configuration"]["ingress"]
        kept["properties"]["configuration"]["ingress"].update(ingress)
        self._refuse_traffic(one.path, "", kept["properties"])
        kept["properties"]["provisioningState"] = "Succeeded"
        return self._accepted(one.path)

    def _refuse_template(
        self, template: dict[str, Any], secrets: dict[str, str], configuration: dict[str, Any]
    ) -> None:
        container = template["containers"][0]
        used = [each["secretRef"] for each in container["env"] if "secretRef" in each]
        used += [each["passwordSecretRef"] for each in configuration.get("registries", ())]
        for name in used:
            if name not in secrets:
                raise Refused(400, "ContainerAppSecretRefNotFound", f"SecretRef '{name}' defined "
                              "for container is not found.")  # fmt: skip
        cpu = container["resources"]["cpu"]
        if container["resources"]["memory"] != f"{2 * cpu:g}Gi":
            raise Refused(400, "ContainerAppInvalidResourceTotal", "The total requested CPU and "
                          "memory resources is invalid.")  # fmt: skip

    def _refuse_traffic(self, path: str, name: str, properties: dict[str, Any]) -> None:
        traffic = properties["configuration"]["ingress"]["traffic"]
        known = {one.name for one in self.revisions.get(path, ()) if one.active}
        known |= {f"{name}--{properties['template'].get('revisionSuffix')}"}
        for one in traffic:
            if not one.get("latestRevision") and one["revisionName"] not in known:
                raise Refused(400, "RevisionNotFound", f"{one['revisionName']} is not active.")
        if sum(one["weight"] for one in traffic) != 100:
            raise Refused(400, "InvalidTraffic", "The weights must sum up to 100.")

    def _refuse_missing(self, path: str, secrets: dict[str, str]) -> None:
        for revision in self.revisions.get(path, ()):
            for each in revision.template["containers"][0]["env"] if revision.active else ():
                if "secretRef" in each and each["secretRef"] not in secrets:
                    raise Refused(400, "ContainerAppSecretInUse", f"Secret '{each['secretRef']}' "
                                  f"is in use by revision '{revision.name}'.")  # fmt: skip

    def _list_secrets(self, one: Asked, *_names: str) -> Answer:
        found = self.secrets[one.path.removesuffix("/listSecrets")]
        told = [{"name": name, "value": value} for name, value in found.items()]
        return Answer(200, {"value": told})

    def _add_revision(
        self, path: str, app: str, properties: dict[str, Any]
    ) -> dict[str, str] | None:  # fmt: skip
        """Make a revision of the template; return the error where it cannot be provisioned."""
        template = properties["template"]
        name = f"{app}--{template['revisionSuffix']}"
        found = self.revisions.setdefault(path, [])
        same = next((one for one in found if one.name == name), None)
        if same is not None and same.template == template:  # nothing that makes a revision changed
            return None
        if same is not None:
            raise Refused(400, "RevisionWithSuffixAlreadyExists", f"{name} exists already.")
        container = template["containers"][0]
        probe = next(one for one in container["probes"] if one["type"] == "Readiness")
        revision = Revision(name, template, Running(
            name, container["image"], container["args"], probe["httpGet"]["path"]))  # fmt: skip
        found.append(revision)
        if not image_folder(self.registry, container["image"]).is_dir():
            revision.running.fail("")
            revision.error = (
                f"Field 'template.containers.{container['name']}.image' is invalid with details: "
                f"'Invalid value: \"{container['image']}\": manifest unknown'"
            )
            told = f"Failed to provision revision for container app '{app}'. {revision.error}"
            return {"code": "ContainerAppOperationError", "message": told}
        self._run(path, revision)
        return None

    def _run(self, path: str, revision: Revision) -> None:
        container = revision.template["containers"][0]
        given = float(container["resources"]["memory"].removesuffix("Gi")) * 2**30
        if given < self.memory_needed:
            revision.running.fail("")
            revision.killed = True
            return
        secrets = self.secrets[path]
        self._start(revision.running, {
            one["name"]: secrets[one["secretRef"]] if "secretRef" in one else one["value"]
            for one in container["env"]
        })  # fmt: skip

    def _told(self, path: str) -> dict[str, Any]:
        told = super()._told(path)
        if path not in self.revisions:
            return told
        name = self._shown(path, {"latestRevision": True})
        configuration = told["properties"]["configuration"]
        ingress = {**configuration["ingress"], "fqdn": self.address.removeprefix("https://")}
        names = [{"name": key} for key in self.secrets.get(path, ())]
        return {**told, "properties": {
            **told["properties"], "latestReadyRevisionName": name,
            "eventStreamEndpoint": f"{self.base}{path}/eventstream",
            "configuration": {**configuration, "ingress": ingress, "secrets": names},
        }}  # fmt: skip

    def _shown(self, path: str, traffic: dict[str, Any]) -> str:
        if not traffic.get("latestRevision"):
            return str(traffic["revisionName"])
        ready = [one.name for one in self.revisions[path] if one.running.looked() == SUCCEEDED]
        return ready[-1] if ready else ""

    def _remove(self, path: str) -> None:
        super()._remove(path)
        for revision in self.revisions.pop(path, []):
            revision.running.stop()

    def _list_revisions(self, one: Asked, *_names: str) -> Answer:
        path = one.path.removesuffix("/revisions")
        return Answer(200, {"value": [each.told(path) for each in self.revisions[path]]})

    def _get_revision(self, one: Asked, *_names: str) -> Answer:
        return Answer(200, self._revision(one.path).told(one.path.rpartition("/revisions/")[0]))

    def _revision(self, path: str) -> Revision:
        app, _, name = path.partition("/revisions/")
        for one in self.revisions.get(app, ()):
            if one.name == name.partition("/")[0]:
                return one
        raise Refused(404, "RevisionNotFound", f"Revision '{name}' was not found.")

    def _activate(self, one: Asked, *_names: str) -> Answer:
        revision = self._revision(one.path)
        if not revision.active:
            revision.active, old = True, revision.running
            revision.running = Running(f"{old.name}-{uuid4().hex[:4]}", old.container["image"],
                                       old.container["args"], old.container["startupProbe"][
                                           "httpGet"]["path"])  # fmt: skip
            self._run(one.path.partition("/revisions/")[0], revision)
        return Answer(200)

    def _deactivate(self, one: Asked, *_names: str) -> Answer:
        revision = self._revision(one.path)
        revision.active = False
        revision.running.stop()
        return Answer(200)

    def _replicas(self, one: Asked, *_names: str) -> Answer:
        revision = self._revision(one.path)
        where = f"{self.base}{one.path}/first/containers/app/logstream"
        return Answer(200, {"value": revision.replicas(where)})

    def _auth_token(self, one: Asked, *_names: str) -> Answer:  # noqa: ARG002
        token = uuid4().hex
        self.log_tokens.add(token)
        return Answer(200, {"location": "westeurope", "properties": {"token": token}})

    def _admit(self, one: Asked, authorization: str) -> None:
        if not one.path.endswith("stream"):
            super()._admit(one, authorization)
        elif authorization.removeprefix("Bearer ") not in self.log_tokens:
            raise Refused(401, "Unauthorized", "This is no token of the app.")

    def _events(self, one: Asked, *_names: str) -> Answer:
        found = self.revisions[one.path.removesuffix("/eventstream")]
        return Answer(200, "".join(f"Container 'app' of {each.name} was {KILLED}\n"
                                   for each in found if each.killed))  # fmt: skip

    def _log(self, one: Asked, *_names: str) -> Answer:
        lines = self._revision(one.path).running.lines
        return Answer(200, "".join(f"{line}\n" for line in lines))

    _APP = rf"{GROUP}/providers/Microsoft\.App/containerApps/([^/]+)"
    _ENVIRONMENT = rf"{GROUP}/providers/Microsoft\.App/managedEnvironments/([^/]+)"
    _REVISION = rf"{_APP}/revisions/([^/]+)"
    routes = (
        ("GET", rf"/subscriptions/{SUBSCRIPTION}/providers/Microsoft\.App/containerApps",
         "_list_apps"),
        ("GET", _ENVIRONMENT, "_get"),
        ("PUT", _ENVIRONMENT, "_put_environment"),
        ("DELETE", _ENVIRONMENT, "_delete_environment"),
        ("GET", _APP, "_get"),
        ("PUT", _APP, "_put_app"),
        ("PATCH", _APP, "_patch_app"),
        ("DELETE", _APP, "_delete"),
        ("POST", rf"{_APP}/getAuthtoken", "_auth_token"),
        ("POST", rf"{_APP}/listSecrets", "_list_secrets"),
        ("GET", rf"{_APP}/eventstream", "_events"),
        ("GET", rf"{_APP}/revisions", "_list_revisions"),
        ("GET", _REVISION, "_get_revision"),
        ("POST", rf"{_REVISION}/activate", "_activate"),
        ("POST", rf"{_REVISION}/deactivate", "_deactivate"),
        ("GET", rf"{_REVISION}/replicas", "_replicas"),
        ("GET", rf"{_REVISION}/replicas/[^/]+/containers/[^/]+/logstream", "_log"),
    )  # fmt: skip


class Revision:
    """One revision: its template, what runs of it, and how it stands."""

    def __init__(self, name: str, template: dict[str, Any], running: Running) -> None:
        self.name, self.template, self.running = name, template, running
        self.active, self.killed, self.error = True, False, ""

    def told(self, app: str) -> dict[str, Any]:
        """Return it as the API tells it."""
        state = self.running.looked()
        told = {
            SUCCEEDED: {"runningState": "Running", "healthState": "Healthy"},
            FAILED: {"runningState": "Processing", "healthState": "Unhealthy"},
        }.get(state, {"runningState": "Processing", "healthState": "None"})
        return {"id": f"{app}/revisions/{self.name}", "name": self.name, "properties": {
            **told, "createdTime": self.running.created, "active": self.active,
            "template": self.template, "provisioningError": self.error,
            "provisioningState": "Failed" if self.error else "Provisioned",
        }}  # fmt: skip

    def replicas(self, log: str) -> list[dict[str, Any]]:
        """Return its instances; one that ends is started again and again."""
        if not self.active or self.error:
            return []
        failed = self.running.looked() == FAILED
        details = "CrashLoopBackOff: back-off restarting failed container" if failed else ""
        container = {"name": "app", "restartCount": 3 if failed else 0,
                     "runningState": "Waiting" if failed else "Running",
                     "runningStateDetails": details, "logStreamEndpoint": log}  # fmt: skip
        return [{"name": f"{self.name}-0", "properties": {"containers": [container]}}]
