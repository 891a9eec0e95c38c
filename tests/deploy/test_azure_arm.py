"""The Azure on loopback, held against what Azure itself publishes, and against plain requests."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.appcontainers import ContainerAppsAPIClient, models
from azure.mgmt.web import models as web_models

from tests.deploy.azure_apps import ContainerApps
from tests.deploy.azure_arm import HEADER, SUBSCRIPTION, Azure, on_loopback
from tests.deploy.azure_fields import checked
from tests.deploy.azure_web import WebApps
from tests.deploy.conftest import write_rule

IMAGE = "registry.example.org/rule:1"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rule"


class Plain:
    """Anybody with a token, who knows the addresses of the API and nothing of an SDK."""

    def __init__(self, azure: Azure, trusted: Path) -> None:
        self.azure, self.tls = azure, ssl.create_default_context(cafile=str(trusted))
        told = self.ask("GET", f"{azure.base}/msi/token", headers={"X-IDENTITY-HEADER": HEADER})
        self.token = told[1]["access_token"]

    def ask(
        self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[Any, Any]:
        """Return the headers and the body of an answer."""
        sent = None if body is None else json.dumps(body).encode()
        request = Request(url, sent, headers or {}, method=method)  # noqa: S310  on loopback
        with urlopen(request, timeout=20, context=self.tls) as answer:  # noqa: S310
            text = answer.read()
            return answer.headers, json.loads(text) if text else None

    def arm(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[Any, Any]:
        """Ask Azure Resource Manager."""
        url = f"{self.azure.base}{path}?api-version=2026-07-01"
        return self.ask(method, url, body, {"Authorization": f"Bearer {token or self.token}"})

    def ended(self, headers: Any) -> str:
        """Return how an operation has ended, as its header leads there."""
        while True:
            _, told = self.ask("GET", headers["Azure-AsyncOperation"],
                               headers={"Authorization": f"Bearer {self.token}"})  # fmt: skip
            if told["status"] != "InProgress":
                return str(told["status"])

    def refused(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, str]:
        """Return with which status and code a request is refused."""
        with pytest.raises(HTTPError) as refused:
            self.arm(method, path, body, token)
        with refused.value:
            return refused.value.code, json.load(refused.value)["error"]["code"]


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    """Return a registry with one image."""
    folder = tmp_path / "registry" / "pushed" / quote(IMAGE, safe="") / "app"
    folder.mkdir(parents=True)
    write_rule(folder, 1)
    return tmp_path / "registry"


@pytest.fixture
def apps(tmp_path: Path, pushed: Path) -> Iterator[tuple[ContainerApps, Path]]:
    """Return Container Apps, and its certificate."""
    azure = ContainerApps(tmp_path / "azure", pushed)
    with on_loopback(azure) as trusted:
        yield azure, trusted


def envelope(**more: Any) -> models.ContainerApp:
    """Return an app in the SDK's own words."""
    probe = models.ContainerAppProbe(
        type="Readiness", http_get=models.ContainerAppProbeHttpGet(path="/readyz", port=8080)
    )
    container = models.Container(
        name="rule", image=IMAGE, args=["podium", "serve", "/app", "--host", "0.0.0.0"],  # noqa: S104
        env=[models.EnvironmentVar(name="A", value="1")], probes=[probe],
        resources=models.ContainerResources(cpu=0.5, memory="1Gi"),
    )  # fmt: skip
    ingress = models.Ingress(
        external=True, target_port=8080,
        traffic=[models.TrafficWeight(latest_revision=True, weight=100)],
    )  # fmt: skip
    return models.ContainerApp(location="westeurope", tags={}, properties=(
        models.ContainerAppProperties(
            environment_id=f"{GROUP}/providers/Microsoft.App/managedEnvironments/team",
            configuration=models.Configuration(active_revisions_mode="Multiple", ingress=ingress),
            template=models.Template(revision_suffix="one", containers=[container], **more),
        )))  # fmt: skip


def test_the_sdk_and_plain_requests_make_one_app(
    apps: tuple[ContainerApps, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the SDK makes of its own types, anybody may read, visit and take away."""
    azure, trusted = apps
    for name, value in {"IDENTITY_ENDPOINT": f"{azure.base}/msi/token", "IDENTITY_HEADER": HEADER,
                        "REQUESTS_CA_BUNDLE": str(trusted)}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    plain = Plain(azure, trusted)
    plain.arm("PUT", GROUP, {"location": "westeurope"})
    with ContainerAppsAPIClient(
        ManagedIdentityCredential(), SUBSCRIPTION, azure.base, polling_interval=0, retry_total=0
    ) as client:
        environment = models.ManagedEnvironment(
            location="westeurope", tags={}, properties=models.ManagedEnvironmentProperties()
        )
        client.managed_environments.begin_create_or_update("rule", "team", environment).result()
        made = client.container_apps.begin_create_or_update("rule", "rule", envelope()).result()
        assert made.properties.provisioning_state == "Succeeded"
        while client.container_apps_revisions.get_revision(
            "rule", "rule", "rule--one"
        ).properties.running_state != "Running":  # fmt: skip
            pass
        path = f"{GROUP}/providers/Microsoft.App/containerApps/rule"
        told = plain.arm("GET", path)[1]
        checked(told, models.ContainerApp, how="answered")
        checked(plain.arm("GET", f"{path}/revisions/rule--one")[1], models.Revision, how="answered")
        checked(plain.arm("GET", f"{path}/revisions/rule--one/replicas")[1],
                models.ReplicaCollection, how="answered")  # fmt: skip
        address = told["properties"]["configuration"]["ingress"]["fqdn"]
        assert plain.ask("GET", f"https://{address}/models")[1]["models"][0]["name"] == "rule"
        headers, _ = plain.arm("DELETE", path)
        assert "Location" in headers
        with pytest.raises(ResourceNotFoundError, match="was not found"):
            client.container_apps.get("rule", "rule")
        broken = envelope()
        broken["properties"]["template"]["containers"][0]["image"] = "missing:1"
        poller = client.container_apps.begin_create_or_update("rule", "rule", broken)
        with pytest.raises(HttpResponseError, match="manifest unknown"):
            poller.result()


def test_a_web_app_by_plain_requests(tmp_path: Path, pushed: Path) -> None:
    """Its plan and its settings are kept; settings are told only where they are asked for."""
    azure = WebApps(tmp_path / "azure", pushed)
    with on_loopback(azure) as trusted:
        plain = Plain(azure, trusted)
        plain.arm("PUT", GROUP, {"location": "westeurope"})
        web = f"{GROUP}/providers/Microsoft.Web"
        plan = {"location": "westeurope", "sku": {"name": "B1"}, "properties": {"reserved": True}}
        assert plain.ended(plain.arm("PUT", f"{web}/serverfarms/rule", plan)[0]) == "Succeeded"
        config = {
            "linuxFxVersion": f"DOCKER|{IMAGE}", "appCommandLine": "podium serve /app",
            "appSettings": [{"name": "WEBSITE_WARMUP_PATH", "value": "/readyz"},
                            {"name": "PODIUM_STATE", "value": "/home/podium"}],
        }  # fmt: skip
        site = {"location": "westeurope", "properties": {
            "serverFarmId": f"{web}/serverfarms/rule", "siteConfig": config}}  # fmt: skip
        assert plain.ended(plain.arm("PUT", f"{web}/sites/rule", site)[0]) == "Succeeded"
        told = plain.arm("GET", f"{web}/sites/rule")[1]
        checked(told, web_models.Site, how="answered")
        assert told["properties"]["siteConfig"]["appSettings"] is None
        listed = plain.arm("POST", f"{web}/sites/rule/config/appsettings/list")[1]
        checked(listed, web_models.StringDictionary, how="answered")
        assert listed["properties"]["PODIUM_STATE"] == "/home/podium"
        assert plain.refused("DELETE", f"{web}/serverfarms/rule") == (409, "Conflict")


def test_what_is_not_right_is_refused(apps: tuple[ContainerApps, Path]) -> None:
    """As Azure does: no token, no group, a misspelt field, a region that is none."""
    plain = Plain(*apps)
    environment = f"{GROUP}/providers/Microsoft.App/managedEnvironments/team"
    body = {"location": "westeurope", "properties": {}}
    assert plain.refused("GET", GROUP, token="wrong") == (401, "ExpiredAuthenticationToken")  # noqa: S106
    assert plain.refused("PUT", environment, body) == (404, "ResourceGroupNotFound")
    plain.arm("PUT", GROUP, {"location": "westeurope"})
    for wrong, code in (
        ({**body, "propertys": {}}, "InvalidRequestContent"),
        ({"properties": {}}, "InvalidRequestContent"),
        ({**body, "location": "nowhere"}, "LocationNotAvailableForResourceType"),
    ):
        assert plain.refused("PUT", environment, wrong) == (400, code)
    assert plain.arm("PUT", environment, body)[1]["properties"]["provisioningState"] == "Succeeded"
