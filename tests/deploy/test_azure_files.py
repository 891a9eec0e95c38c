"""What goes to both platforms of Azure: files, steps, and what does not fit; offline."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from azure.mgmt.appcontainers import models as apps
from azure.mgmt.web import models as web

from podium.deploy.azure_app_service import AzureAppService
from podium.deploy.azure_container_apps import AzureContainerApps
from podium.deploy.prepare import prepare
from podium.deploy.run import Task, show
from podium.deploy.target import Deployment, Live, Target
from podium.deploy.tell import AsJson
from podium.errors import MissingExtra
from tests.deploy.azure_cases import TARGETS, made
from tests.deploy.azure_fields import checked
from tests.deploy.conftest import write_rule
from tests.deploy.kept import GOLDEN

IMAGE = 'subscription = "s"\nimage = "registry.example.org/rule"\n'


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be no subscription."""
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)


def prepared(
    target: Target, app: Path, wheel: Path, more: str = "", server: str = ""
) -> Deployment:
    """Return the small application on its way, with more settings."""
    write_rule(app, 1, f"[deploy.{target.name}]\n{more}")
    toml = (app / "podium.toml").read_text()
    (app / "podium.toml").write_text(toml.replace("workers = 1", f"workers = 1\n{server}"))
    return prepare(target, app, app.parent / "made", wheel)


def test_files_and_steps_are_as_they_were_read(tmp_path: Path) -> None:
    """Each stands in golden/azure-*; `python -m tests.deploy.azure_cases` writes it."""
    texts = made(tmp_path)
    assert texts == {name: (GOLDEN / name).read_text("utf-8") for name in texts}
    kept = {str(file.relative_to(GOLDEN)) for name in TARGETS
            for file in (GOLDEN / name).rglob("*") if file.is_file()}  # fmt: skip
    assert kept == texts.keys()


@pytest.mark.parametrize("folder", ["penguins", "rule"])
@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("azure-container-apps/{}/environment.json", apps.ManagedEnvironment),
        ("azure-container-apps/{}/app.json", apps.ContainerApp),
        ("azure-app-service/{}/plan.json", web.AppServicePlan),
        ("azure-app-service/{}/site.json", web.Site),
    ],
)
def test_files_are_as_the_sdk_knows_them(folder: str, file: str, kind: type) -> None:
    """Every field is one of the API's, has what it must, and holds what it says."""
    body = json.loads((GOLDEN / file.format(folder)).read_text("utf-8"))
    checked(body, kind)
    assert kind(body).as_dict() == body


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (apps.ContainerApp, {"location": "a", "propertie": {}}, "Could not find member"),
        (apps.ContainerApp, {}, r"\$\.location"),
        (apps.ContainerApp, {"location": "a", "id": "b"}, "read-only"),
        (apps.Configuration, {"activeRevisionsMode": "multiple"}, "one of"),
        (apps.Template, {"containers": [{"imag": "a"}]}, r"containers\[0\]"),
        (web.SiteConfig, {"alwaysOn": "yes"}, "expected bool"),
        (web.SiteConfig, {"appSettings": {}}, "expected a list"),
    ],
)
def test_what_the_sdk_lets_pass_is_refused_here(kind: type, body: object, told: str) -> None:
    """A misspelt field is an error, as Azure itself makes it."""
    with pytest.raises(ValueError, match=told):
        checked(body, kind)


@pytest.mark.parametrize(
    ("target", "more", "told"),
    [
        (AzureContainerApps(), "cpu = 0.3", "cpu is 0.3; expected a multiple of 0.25"),
        (AzureContainerApps(), "cpu = 8", "4 at most"),
        (AzureContainerApps(), 'memory = "3 GiB"', "gives 2 GiB with each"),
        (AzureContainerApps(), f'name = "{"a" * 33}"', "more than 32 characters"),
        (AzureContainerApps(), 'name = "a--b"', "two hyphens"),
        (AzureContainerApps(), 'secrets = ["A_B", "a_b"]', "differ in capitals"),
        (AzureContainerApps(), 'registry_user = "a"', "belong together"),
        (
            AzureContainerApps(),
            'secrets = ["Registry_Password"]\nregistry_user = "a"\nregistry_password = "B"',
            "secrets has Registry_Password, which Container Apps would keep as 'registry-password';"
            ' so is the value of registry_password = "B" kept there.',
        ),
        (AzureAppService(), 'registry_password = "A"', "belong together"),
        (AzureAppService(), 'plan = "F1"', "Take B1 or larger"),
    ],
)
def test_what_azure_would_refuse(
    app: Path, wheel: Path, target: Target, more: str, told: str
) -> None:
    """It is told before anything is sent, with the setting's name."""
    found = target.findings(prepared(target, app, wheel, IMAGE + more), {})
    fatal = [one.told for one in found if one.fatal]
    assert len(fatal) == 1
    assert told in fatal[0]


@pytest.mark.parametrize("target", [AzureContainerApps(), AzureAppService()])
def test_what_is_not_named_is_stood_for(app: Path, wheel: Path, target: Target) -> None:
    """A dry run needs neither a subscription nor an image."""
    found = list(target.findings(prepared(target, app, wheel), {}))
    assert not any(one.fatal for one in found)
    assert [one.told.split(":")[0] for one in found][-2:] == [
        "No subscription is named", "No image is named",
    ]  # fmt: skip


def test_what_is_otherwise_there_is_told(app: Path, wheel: Path) -> None:
    """How many workers serve, and that state lies on a network share."""
    target = AzureAppService()
    one = prepared(target, app, wheel, IMAGE)
    toml = (app / "podium.toml").read_text()
    told = [found.told for found in target.findings(one, {})]
    assert len(told) == 1
    assert told[0].startswith("Data sets, kept answers and keys lie in /home/podium. What is writ")
    (app / "podium.toml").write_text(toml.replace("workers = 1", ""))
    again = prepare(target, app, app.parent / "made", wheel)
    assert [found.told.split(",")[0] for found in target.findings(again, {})] == [
        "One web worker serves there", told[0].split(",")[0],
    ]  # fmt: skip


@pytest.mark.parametrize("target", [AzureContainerApps(), AzureAppService()])
def test_a_dry_run_needs_no_sdk(
    app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    """It imports nothing of Azure's, and says all that would be sent, with secrets masked."""
    monkeypatch.setitem(sys.modules, "azure", None)
    monkeypatch.setenv("API_KEY", "canary-51ab3f")
    write_rule(app, 1, f'[deploy.{target.name}]\nsecrets = ["API_KEY"]')
    events: list[str] = []
    show(Task(target, app, app.parent / "state", AsJson(events.append), os.environ, wheel))
    planned = [json.loads(line) for line in events if '"planned"' in line]
    assert [one["number"] for one in planned] == list(range(1, len(planned) + 1))
    assert "*** (the value of API_KEY)" in json.dumps(planned)
    assert "canary-51ab3f" not in "".join(events)


@pytest.mark.parametrize("target", [AzureContainerApps(), AzureAppService()])
def test_a_missing_sdk_names_the_install(
    app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    """Whoever deploys without the extra is told the command."""
    for name in ("azure", "azure.identity"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"needs the extra 'azure': pip install"):
        target.connect(prepared(target, app, wheel, IMAGE), {})


@pytest.mark.parametrize(
    ("image", "url"),
    [("team/rule", "https://index.docker.io/v1"), ("a.azurecr.io/rule", "https://a.azurecr.io")],
)
def test_where_app_service_logs_in(app: Path, wheel: Path, image: str, url: str) -> None:
    """Docker Hub's address is not the name that its images begin with."""
    target = AzureAppService()
    more = f'image = "{image}"\nregistry_user = "a"\nregistry_password = "B"'
    site = json.loads(str(target.files(prepared(target, app, wheel, more))["site.json"]))
    settings = {
        one["name"]: one["value"] for one in site["properties"]["siteConfig"]["appSettings"]
    }
    assert settings["DOCKER_REGISTRY_SERVER_URL"] == url


def test_a_failed_revisions_name_is_not_given_again(app: Path, wheel: Path) -> None:
    """What has failed and is tried again is a revision of its own; the failed one is stopped."""
    target = AzureContainerApps()
    one = prepared(target, app, wheel, IMAGE)
    first = f"rule--v{one.version}"
    live = Live(exists=True, details={
        "group": True, "environment": True, "digest": "sha256:1", "names": (first,),
        "active": (first,),
        "revisions": {one.version: {"name": first, "ready": False, "active": True}},
    })  # fmt: skip
    assert [step.what for step in target.plan(one, live)] == [
        "Make a revision", "Wait for the revision", "Lead visitors to the revision",
        f"Stop the revision {first}",
    ]  # fmt: skip
    assert target.plan(one, live)[1].call.payload == {"revision_name": f"{first}-2"}  # type: ignore[union-attr]


def test_only_the_last_versions_are_noted(app: Path, wheel: Path) -> None:
    """Five versions can be gone back to; what others have noted stays."""
    target = AzureAppService()
    one = prepared(target, app, wheel, IMAGE)
    old = [f"{number}" * 12 for number in range(6)]
    metadata = {"podium-served": " ".join(old), "other": "a",
                **{f"podium-version-{version}": "{}" for version in old}}  # fmt: skip
    steps = target.plan(one, Live(exists=True, details={"metadata": metadata}))
    noted = steps[-1].call.payload["metadata"]["properties"]  # type: ignore[union-attr]
    assert noted.keys() == {"podium-served", "other", *(
        f"podium-version-{version}" for version in (one.version, *old[:4]))}  # fmt: skip
