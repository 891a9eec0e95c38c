"""Azure as an account reaches it: credentials, requests, and errors in Podium's words."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from podium.deploy.azure import GROUPS, OWNER, REGISTRY, SUBSCRIPTION, Place
from podium.deploy.steps import Call
from podium.deploy.target import Deployment, Say
from podium.errors import DeployError, MissingExtra

ENDPOINT: Final = "AZURE_RESOURCE_MANAGER_ENDPOINT"
"""Names another Resource Manager, such as one of Azure Stack."""
POLL_S: Final = 3.0
RETRIES: Final = 3
RETRY_S: Final = 0.8
WAIT_S: Final = 1200.0
"""How long Azure may take for one operation."""
_LOGIN: Final = "az login"
_AGAIN: Final = f"Renew the credentials (`{_LOGIN}`), and run it again: it goes on where it was."
_OUT_OF_MEMORY: Final = re.compile(
    r"out[- ]of[- ]memory|oom.?kill|memory limit|exit code:? '?137\b", re.IGNORECASE
)


class Session:
    """An account's way to Azure Resource Manager: `client` is of the platform's SDK."""

    def __init__(
        self, app: Deployment, place: Place, environment: Mapping[str, str], client: str
    ) -> None:  # fmt: skip
        _refuse_unnamed(app, place)
        self.app, self.place = app, place
        try:
            from azure.identity import DefaultAzureCredential

            kind = _client_of(client)
        except ImportError as err:
            raise MissingExtra(f"[deploy.{app_table(app)}]", "azure") from err
        base = environment.get(ENDPOINT)
        if base and not base.startswith("https://"):
            raise DeployError(f"{ENDPOINT} is {base!r}; expected an address with https://.")
        self.client = kind(
            DefaultAzureCredential(), place.subscription, base, polling_interval=POLL_S,
            retry_total=RETRIES, retry_backoff_factor=RETRY_S,
        )  # fmt: skip

    def found(self, group: str, **names: str) -> dict[str, Any] | None:
        """Return a resource in JSON, or None where there is none."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            told = getattr(self.client, group).get(resource_group_name=self.place.group, **names)
        except ResourceNotFoundError:
            return None
        return dict(told.as_dict())

    def owned_group(self) -> tuple[bool, bool]:
        """Return whether there is the resource group, and whether Podium has made it."""
        response = self._ask("GET", "")
        if response.status_code == 404 and "ResourceGroupNotFound" in response.text():
            return False, False
        return True, is_owned(self._taken(response))

    def resources(self) -> set[str]:
        """Return the ids of all that is in the resource group, in lower-case letters."""
        told = self._taken(self._ask("GET", "/resources"))
        return {one["id"].lower() for one in told.get("value", ())}

    def send(self, call: Call, say: Say) -> None:
        """Do what a step says, in the words of Azure's SDK, and tell how it comes along."""
        group, _, method = call.operation.partition(".")
        if group == "resource_groups":
            self._change_group(method, call.payload, say)
            return
        poller = getattr(getattr(self.client, group), method)(**call.payload)
        if method.startswith("begin_"):
            followed(poller, say)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell what Azure's libraries raise as a DeployError: what was said, and the way out."""
        from azure.core import exceptions as azure

        try:
            yield
        except azure.ClientAuthenticationError as err:
            # App Service says so, too, of a quota that is used up.
            quota = "quota" in str(err).lower()
            told = _refused(err, self.place, self.app) if quota else _unauthenticated(err)
            raise DeployError(told) from err
        except azure.HttpResponseError as err:
            raise DeployError(_refused(err, self.place, self.app)) from err
        except azure.AzureError as err:
            raise DeployError(
                f"Azure is not reached: {_first_line(err)} Look at the network, and run it again: "
                "it goes on where it was."
            ) from err

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer to plain REST about the resource group, which no SDK here knows."""
        from azure.core.rest import HttpRequest

        url = f"{self.place.group_id}{path}"
        return self.client.send_request(
            HttpRequest(method, url, params={"api-version": GROUPS}, json=body)
        )

    def _taken(self, response: Any) -> dict[str, Any]:
        response.raise_for_status()
        told: dict[str, Any] = response.json() if response.content else {}
        return told

    def _change_group(self, method: str, told: Mapping[str, Any], say: Say) -> None:
        if method == "create_or_update":
            self._taken(self._ask("PUT", "", dict(told["parameters"])))
            return
        self._taken(self._ask("DELETE", ""))
        ends = time.monotonic() + WAIT_S
        while self._ask("GET", "").status_code != 404:
            if time.monotonic() > ends:
                raise DeployError(f"The resource group {self.place.group!r} does not go away.")
            say("  Azure: removing")
            time.sleep(POLL_S)


def app_table(app: Deployment) -> str:
    """Return the name of an application's table in [deploy]."""
    kind = type(app.settings).__name__
    return {"AzureAppService": "azure-app-service"}.get(kind, "azure-container-apps")


def is_owned(told: Mapping[str, Any]) -> bool:
    """Whether Podium has made a resource."""
    return all((told.get("tags") or {}).get(key) == value for key, value in OWNER.items())


def out_of_memory(lines: list[str], app: Deployment) -> str | None:
    """Return what is said where one of the lines tells that memory has run out."""
    line = next((line for line in lines if _OUT_OF_MEMORY.search(line)), None)
    if line is None:
        return None
    table = app_table(app)
    more = "a larger [deploy.azure-app-service] plan" if table == "azure-app-service" else (
        f"more as [deploy.{table}] memory")  # fmt: skip
    return (
        f"Out of memory: {line.strip().rstrip('.')}. Each instance has {app.settings.memory}: give "
        f"{more}, fewer [server] workers, or smaller models (podium optimize)."
    )


def followed(poller: Any, say: Say) -> None:
    """Wait for an operation's end, and tell each of its states once.

    Raises:
        HttpResponseError: it fails.
        DeployError: it takes too long.
    """
    said, ends = "", time.monotonic() + WAIT_S
    while not poller.done():
        if poller.status() != said:
            said = poller.status()
            say(f"  Azure: {said}")
        if time.monotonic() > ends:
            raise DeployError(f"Azure has not ended the operation within {WAIT_S:.0f} s.")
        poller.wait(POLL_S)
    poller.result()


def _client_of(name: str) -> Any:
    if name == "web":
        from azure.mgmt.web import WebSiteManagementClient

        return WebSiteManagementClient
    from azure.mgmt.appcontainers import ContainerAppsAPIClient

    return ContainerAppsAPIClient


def _refuse_unnamed(app: Deployment, place: Place) -> None:
    table = app_table(app)
    if place.subscription == SUBSCRIPTION:
        raise DeployError(
            "No Azure subscription is named. Set AZURE_SUBSCRIPTION_ID (`az account show "
            f'--query id` tells it), or in podium.toml:\n  [deploy.{table}]\n  subscription = "..."'
        )
    if app.settings.image is None:
        raise DeployError(
            "No image is named. Say in podium.toml in which registry it goes:\n"
            f'  [deploy.{table}]\n  image = "{REGISTRY}/{app.name}"'
        )


def _unauthenticated(err: Any) -> str:
    """Return why there is no token, or none that is taken."""
    if err.response is not None and err.status_code == 401:
        return f"Azure does not take the credentials any more: {_words(err)} {_AGAIN}"
    said = re.findall(r"AADSTS\d+[^\n]*", str(err)) or [_first_line(err)]
    return (
        f"There are no credentials for Azure. Run `{_LOGIN}`, or set AZURE_TENANT_ID, "
        f"AZURE_CLIENT_ID and AZURE_CLIENT_SECRET. ({said[-1]})"
    )


def _refused(err: Any, place: Place, app: Deployment) -> str:
    """Return what Azure has refused, in its words, and the way out."""
    error = getattr(err, "error", None)
    code = str(getattr(error, "code", "") or "")
    words = _words(err)
    told = f"Azure: {words} {_way_out(code, err.status_code, words, place, app)}"
    return told.rstrip()


_CODES: Final = {
    r"SubscriptionNotFound|InvalidSubscriptionId":
        "Does [deploy.{table}] subscription name yours? `az account list` lists them.",
    r"LocationNotAvailable.*|NoRegisteredProviderFound|InvalidLocation":
        "Is {location!r} a region, which [deploy.{table}] location names? `az account "
        "list-locations` lists them.",
    r"MissingSubscriptionRegistration|SubscriptionNotRegistered":
        "Switch the services on: az provider register --namespace Microsoft.App; az provider "
        "register --namespace Microsoft.Web",
    r".*Quota.*|.*LimitExceeded.*|MaxNumberOf.*|OperationNotAllowed":
        "A quota is used up. Remove what is not needed, or ask for more in the portal under "
        "Quotas.",
    r"AuthorizationFailed|LinkedAuthorizationFailed":
        "The account needs the role Contributor in the resource group {group!r}, and to make the "
        "group, in the subscription.",
    r".*Conflict.*|.*InProgress.*|AnotherOperation.*":
        "Another change is under way. Run it again when that has ended.",
}  # fmt: skip


def _way_out(code: str, status: int | None, words: str, place: Place, app: Deployment) -> str:
    facts = {"table": app_table(app), "location": app.settings.location, "group": place.group}
    if re.search("quota", words, re.IGNORECASE):
        code = "Quota"
    for pattern, told in _CODES.items():
        if re.fullmatch(pattern, code):
            return told.format(**facts)
    if re.search("UNAUTHORIZED|authentication required|manifest unknown|pull", words):
        return (
            "May Azure pull the image? For a registry with a password, set registry_user and "
            f"registry_password in [deploy.{facts['table']}]."
        )
    ways = {
        401: _AGAIN,
        403: _CODES[r"AuthorizationFailed|LinkedAuthorizationFailed"].format(**facts),
        409: _CODES[r".*Conflict.*|.*InProgress.*|AnotherOperation.*"],
        429: "Azure is asked too often. Wait a while, and run it again.",
    }
    if status is not None and status >= 500:
        return "Run it again in a moment: it goes on where it was."
    return ways.get(status or 0, "")


def _words(err: Any) -> str:
    """Return what Azure said of an error, as a sentence."""
    error = getattr(err, "error", None)
    said = getattr(error, "message", None) or _first_line(err)
    return said.strip().rstrip(".") + "."


def _first_line(err: Any) -> str:
    text = str(getattr(err, "message", None) or err).strip()
    return text.splitlines()[0] if text else type(err).__name__
