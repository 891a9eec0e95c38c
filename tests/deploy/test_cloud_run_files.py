"""What goes to Cloud Run: files, steps, and what does not fit; offline and without its SDK."""

from __future__ import annotations

import builtins
import json
import os
import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import google.auth
import pytest
import yaml
from google.oauth2.credentials import Credentials

from podium.bundle.target import Target
from podium.deploy import image, requirements
from podium.deploy.cloud_run import CloudRun, Place
from podium.deploy.cloud_run_access import Access
from podium.deploy.image import digest_of
from podium.deploy.prepare import prepare
from podium.deploy.run import Task
from podium.deploy.target import Deployment, Live
from podium.deploy.tell import AsJson
from podium.errors import DeployError, MissingExtra
from podium.spec.deploy import Deploy
from podium.strict import read
from tests.deploy import docker_stand_in
from tests.deploy import kept as golden
from tests.deploy.cloud_run_cases import made
from tests.deploy.conftest import write_rule
from tests.deploy.google_fields import settled

GOLDEN = golden.GOLDEN / "cloud-run"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be no project and no credentials."""
    for name in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)


def prepared(app: Path, wheel: Path, more: str = "") -> Deployment:
    """Return the small application on its way, with more settings."""
    write_rule(app, 1, more)
    return prepare(CloudRun(), app, app.parent / "made", wheel)


def test_files_and_steps_are_as_they_were_read(tmp_path: Path) -> None:
    """Each stands in golden/cloud-run; `python -m tests.deploy.cloud_run_cases` writes it."""
    texts = made(tmp_path)
    assert texts == {name: (GOLDEN / name).read_text("utf-8") for name in texts}
    kept = {str(file.relative_to(GOLDEN)) for file in GOLDEN.rglob("*") if file.is_file()}
    assert kept == texts.keys()


@pytest.mark.parametrize("name", ["penguins/service.json", "rule/service.json"])
def test_services_are_as_google_describes_them(name: str) -> None:
    """Every field is one of the API's, and holds what it says."""
    service = json.loads((GOLDEN / name).read_text("utf-8"))
    assert settled(service, "#Service") == service


def test_services_are_as_the_sdk_knows_them() -> None:
    """Google's own message types take every field, too."""
    from google.cloud import run_v2

    text = (GOLDEN / "rule" / "service.json").read_text("utf-8")
    service = run_v2.Service.from_json(text, ignore_unknown_fields=False)
    container = service.template.containers[0]
    assert container.env[1].value_source.secret_key_ref.secret == "rule-API_KEY"  # noqa: S105
    assert container.startup_probe.http_get.path == "/rule/readyz"
    assert service.template.timeout.total_seconds() == 3600


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("cpu = 3", "cpu is 3; expected one of 1, 2, 4, 6, 8."),
        ('memory = "256 MiB"', "an instance has from 512 MiB to 32 GiB"),
        ('memory = "6 GiB"', "needs cpu = 2 or more"),
        ("cpu = 4", 'needs memory = "2 GiB" or more'),
        ('secrets = ["API_KEY"]', "gcloud iam service-accounts create rule"),
    ],
)
def test_what_cloud_run_would_refuse(app: Path, wheel: Path, more: str, told: str) -> None:
    """It is told before anything is sent, with the setting's name."""
    found = list(CloudRun().findings(prepared(app, wheel, more), {}))
    fatal = [one.told for one in found if one.fatal]
    assert len(fatal) == 1
    assert told in fatal[0]


def test_what_fits_is_told_only_that_no_project_is_named(app: Path, wheel: Path) -> None:
    """Without a project, PROJECT stands for it."""
    found = list(CloudRun().findings(prepared(app, wheel), {}))
    assert [(one.fatal, one.told.split(":")[0]) for one in found] == [
        (False, "No project is named"),
    ]  # fmt: skip


def test_a_dry_run_needs_no_sdk(
    app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """It imports nothing of Google's, and says all that would be sent, with secrets masked."""
    monkeypatch.setitem(sys.modules, "google", None)
    monkeypatch.setenv("API_KEY", "canary-51ab3f")
    write_rule(app, 1, 'secrets = ["API_KEY"]\nservice_account = "a@b.example"')
    events: list[str] = []
    from podium.deploy.run import show

    show(Task(CloudRun(), app, app.parent / "state", AsJson(events.append), os.environ, wheel))
    told = [json.loads(line) for line in events]
    planned = [one for one in told if one["event"] == "planned"]
    assert [one["number"] for one in planned] == list(range(1, 10))
    assert planned[4]["payload"]["payload"] == {"data": "*** (the value of API_KEY)"}
    assert "canary-51ab3f" not in "".join(events)


def test_a_missing_sdk_names_the_install(
    app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever deploys without the extra is told the command."""
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("google"):
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"needs the extra 'google': pip install"):
        CloudRun().connect(prepared(app, wheel, 'project = "team"'), {})


def test_a_failed_revisions_name_is_not_given_again(app: Path, wheel: Path) -> None:
    """What has failed and is tried again is a revision of its own, with the next number."""
    one = prepared(app, wheel)
    first = f"rule-{one.version}"
    live = Live(exists=True, details={
        "names": (first, f"{first}-2"), "digest": "sha256:1",
        "revisions": {one.version: {"name": f"{first}-2", "ready": False}},
    })  # fmt: skip
    steps = CloudRun().plan(one, live)
    template = steps[0].call.payload["service"]["template"]  # type: ignore[union-attr]
    assert (len(steps), template["revision"]) == (4, f"{first}-3")


def test_a_revision_that_gets_ready_is_only_waited_for(app: Path, wheel: Path) -> None:
    """A run that ended while Cloud Run was at work goes on with waiting."""
    one = prepared(app, wheel)
    revisions = {one.version: {"name": "rule-a", "ready": None}}
    steps = CloudRun().plan(one, Live(exists=True, details={"revisions": revisions}))
    assert [step.what for step in steps] == [
        "Wait for the revision", "Lead visitors to the revision", "Wait for the visitors",
    ]  # fmt: skip


def test_the_pages_examples_are_right() -> None:
    """Its settings are known ones, and its workflow is YAML that deploys."""
    page = (Path(__file__).parents[2] / "docs" / "deploy" / "cloud-run.md").read_text("utf-8")
    blocks = re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL)
    settings = [tomllib.loads(text)["deploy"] for kind, text in blocks if kind == "toml"]
    assert [read(Deploy, one)[1] for one in settings] == [[], []]
    [workflow] = [yaml.safe_load(text) for kind, text in blocks if kind == "yaml"]
    runs = [step.get("run", "") for step in workflow["jobs"]["deploy"]["steps"]]
    assert runs[-1] == "podium deploy cloud-run penguins --yes"


def test_a_persons_credentials_have_an_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """It came with them, and nobody is asked for another."""
    own = Credentials(token="access", id_token="identity")  # noqa: S106  no secrets
    monkeypatch.setattr(google.auth, "default", lambda **_scopes: (own, None))
    access = Access(Place("demo", "europe-west1", "rule"), {})
    assert access.identity("https://rule.example") == {"Authorization": "Bearer identity"}


def test_a_lock_for_another_processor_is_refused(
    app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All platforms run x86_64 alone."""
    lock = SimpleNamespace(target=Target("3.11", "aarch64"))
    monkeypatch.setattr(requirements, "read_lock", lambda *_arguments, **_more: lock)
    with pytest.raises(DeployError, match=r"3\.11 on Linux aarch64; an image has .*x86_64"):
        image.image_files(prepared(app, wheel))


def test_the_digest_is_the_registrys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker tells it of what was pushed; of anything else there is none, nor without Docker."""
    docker = tmp_path / "docker"
    docker.write_text(
        f'#!/bin/sh\nexec {sys.executable} -S {docker_stand_in.__file__} {tmp_path} "$@"\n'
    )
    docker.chmod(0o755)
    (tmp_path / "pushed" / "there%3A1").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert digest_of("there:1") == f"sha256:{'0' * 64}"
    assert digest_of("other:1") is None
    monkeypatch.setenv("PATH", "/nowhere")
    assert digest_of("there:1") is None
