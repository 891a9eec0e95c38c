"""Secret Manager on loopback: secrets, their values, and who may read them."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from tests.deploy.google_fields import settled


class Asked(NamedTuple):
    """One request that was understood."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


class Refused(Exception):
    """A request that is refused, with its status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Secrets:
    """All secrets by their full names: as they were made, their values, and their policies."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}

    def value_of(self, variable: dict[str, Any], template: dict[str, Any]) -> str:
        """Return what a variable of a revision holds, if its account may read it."""
        if "valueSource" not in variable:
            return str(variable.get("value", ""))
        reference = variable["valueSource"]["secretKeyRef"]
        secret = self.secrets.get(f"projects/demo/secrets/{reference['secret']}", {})
        account = f"serviceAccount:{template.get('serviceAccount')}"
        grant = {"role": "roles/secretmanager.secretAccessor", "members": [account]}
        if not secret.get("values") or grant not in secret.get("policy", {}).get("bindings", ()):
            raise Refused(403, f"Permission denied on secret: {reference['secret']} for Revision "
                          f"service account {template.get('serviceAccount')}.")  # fmt: skip
        return base64.b64decode(secret["values"][-1]).decode()

    def _list_secrets(self, one: Asked, project: str) -> dict[str, Any]:
        key, _, value = one.query.get("filter", "").removeprefix("labels.").partition("=")
        return {"secrets": [{"name": name, **each["secret"]} for name, each in self.secrets.items()
                            if name.startswith(project)
                            and each["secret"].get("labels", {}).get(key) == value]}  # fmt: skip

    def _create_secret(self, one: Asked, project: str) -> dict[str, Any]:
        name = f"{project}/secrets/{one.query['secretId']}"
        if name in self.secrets:
            raise Refused(409, f"Secret [{name}] already exists.")
        self.secrets[name] = {"secret": settled(one.body, "#Secret"), "values": []}
        return {"name": name, **self.secrets[name]["secret"]}

    def _secret(self, name: str) -> dict[str, Any]:
        if name not in self.secrets:
            raise Refused(404, f"Secret [{name}] not found.")
        return self.secrets[name]

    def _get_secret(self, one: Asked, name: str) -> dict[str, Any]:  # noqa: ARG002
        return {"name": name, **self._secret(name)["secret"]}

    def _delete_secret(self, one: Asked, name: str) -> dict[str, Any]:  # noqa: ARG002
        self._secret(name)
        del self.secrets[name]
        return {}

    def _latest_version(self, one: Asked, name: str) -> dict[str, Any]:  # noqa: ARG002
        values = self._secret(name)["values"]
        if not values:
            raise Refused(404, f"Secret Version [{name}/versions/latest] not found.")
        return {"name": f"{name}/versions/{len(values)}", "state": "ENABLED"}

    def _add_version(self, one: Asked, name: str) -> dict[str, Any]:
        given = settled(one.body, "#AddSecretVersionRequest")
        self._secret(name)["values"].append(given["payload"]["data"])
        return self._latest_version(one, name)

    def _set_policy(self, one: Asked, name: str) -> dict[str, Any]:
        policy: dict[str, Any] = settled(one.body, "#SetIamPolicyRequest")["policy"]
        self._secret(name)["policy"] = policy
        return policy
