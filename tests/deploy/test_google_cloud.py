"""The Google Cloud on loopback, held against what Google itself publishes: its SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from google.api_core.exceptions import FailedPrecondition, NotFound
from google.auth.credentials import CredentialsWithRegionalAccessBoundary
from google.cloud import run_v2
from google.oauth2.service_account import Credentials

from tests.deploy.conftest import write_rule
from tests.deploy.google_cloud import GoogleCloud, google_cloud

SERVICE = "projects/demo/locations/europe-west1/services/rule"
IMAGE = "registry.example.org/rule:1"


class Witness:
    """Google's own clients, as anybody would use them."""

    def __init__(self, cloud: GoogleCloud, key: Path) -> None:
        self.cloud = cloud
        self.credentials: Any = Credentials.from_service_account_file(str(key))
        told: dict[str, Any] = {
            "credentials": self.credentials, "transport": "rest",
            "client_options": {"api_endpoint": cloud.accounts.base},
        }  # fmt: skip
        self.services = run_v2.ServicesClient(**told)
        self.revisions = run_v2.RevisionsClient(**told)

    def deploy(self, image: str) -> Any:
        """Make a service, or change it, and wait until it serves; whom, is left to Cloud Run."""
        probe = run_v2.Probe(http_get=run_v2.HTTPGetAction(path="/readyz"), period_seconds=1)
        container = run_v2.Container(
            image=image, args=["podium", "serve", "/app", "--host", "0.0.0.0"],  # noqa: S104
            resources=run_v2.ResourceRequirements(limits={"memory": "1Gi"}), startup_probe=probe,
        )  # fmt: skip
        service = run_v2.Service(
            name=SERVICE, invoker_iam_disabled=True,
            template=run_v2.RevisionTemplate(containers=[container]),
        )  # fmt: skip
        request = run_v2.UpdateServiceRequest(service=service, allow_missing=True)
        return self.services.update_service(request).result(timeout=30)


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    """Return Google's clients, and a cloud with one image in its registry."""
    monkeypatch.setattr(
        CredentialsWithRegionalAccessBoundary, "_after_refresh", lambda *_arguments: None
    )
    folder = tmp_path / "registry" / "pushed" / quote(IMAGE, safe="") / "app"
    folder.mkdir(parents=True)
    write_rule(folder, 1)
    with google_cloud(tmp_path / "cloud", tmp_path / "registry") as cloud:
        yield Witness(cloud, cloud.accounts.write_key(tmp_path / "key.json"))


def test_the_sdk_makes_a_service_that_serves(witness: Witness) -> None:
    """Its operation ends when the revision is ready; the address leads there, until the end."""
    service = witness.deploy(IMAGE)
    assert service.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert [one.name for one in witness.revisions.list_revisions(parent=SERVICE)] == [
        service.latest_ready_revision
    ]
    with urlopen(f"{service.uri}/models", timeout=20) as answer:  # noqa: S310  the stand-in's own
        assert json.load(answer)["models"][0]["name"] == "rule"
    witness.services.delete_service(name=SERVICE).result(timeout=10)
    with pytest.raises(NotFound, match="does not exist"):
        witness.services.get_service(name=SERVICE)


def test_the_sdk_is_told_of_a_revision_that_fails(witness: Witness) -> None:
    """Its operation ends with an error, and what served before goes on."""
    before = witness.deploy(IMAGE)
    with pytest.raises(FailedPrecondition, match="Image 'missing:1' not found"):
        witness.deploy("missing:1")
    after = witness.services.get_service(name=SERVICE)
    assert after.latest_ready_revision == before.latest_ready_revision
    with urlopen(f"{after.uri}/models", timeout=20) as answer:  # noqa: S310  the stand-in's own
        assert answer.status == 200


def test_what_is_answered_has_only_fields_that_the_sdk_knows(witness: Witness) -> None:
    """Clients pass over others without a word, so that a misspelt one would not be noticed."""
    witness.deploy(IMAGE)
    cloud = witness.cloud
    for path, kind in ((SERVICE, run_v2.Service), (f"{SERVICE}/revisions", None)):
        told = cloud._do(_get(f"/v2/{path}"))
        messages = [told] if kind else told["revisions"]
        for message in messages:
            (kind or run_v2.Revision).from_json(json.dumps(message), ignore_unknown_fields=False)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"template": {"container": []}}, 'Unknown name "container" at "$.template"'),
        ({"template": {"timeout": 60}}, "Invalid value at '$.template.timeout'"),
        ({"ingress": "ALL"}, "Invalid value at '$.ingress'"),
    ],
)
def test_what_the_api_does_not_know_is_refused(
    witness: Witness, body: dict[str, Any], told: str
) -> None:
    """A misspelt field is an error, as Google's own servers make it."""
    from google.auth.transport.requests import Request as Transport

    credentials = witness.credentials.with_scopes(
        ["https://www.googleapis.com/auth/cloud-platform"]
    )
    credentials.refresh(Transport())
    request = Request(  # noqa: S310  the stand-in's own address
        f"{witness.cloud.accounts.base}/v2/{SERVICE}?allowMissing=true", json.dumps(body).encode(),
        {"Authorization": f"Bearer {credentials.token}"}, method="PATCH",
    )  # fmt: skip
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=20)  # noqa: S310  the stand-in's own address
    assert refused.value.code == 400
    assert told in json.load(refused.value)["error"]["message"]


def test_who_has_no_token_is_refused(witness: Witness) -> None:
    """Nothing is told to somebody without credentials."""
    with pytest.raises(HTTPError, match="401"):
        urlopen(f"{witness.cloud.accounts.base}/v2/{SERVICE}", timeout=20)  # noqa: S310


def _get(path: str) -> Any:
    from tests.deploy.google_secrets import Asked

    return Asked("GET", path, {}, None)
