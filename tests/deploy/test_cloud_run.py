"""The whole cycle at Google Cloud Run, against a Google Cloud on loopback."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from google.auth.credentials import CredentialsWithRegionalAccessBoundary

from podium.deploy import cloud_run_platform as platform
from podium.deploy import proof, run
from podium.deploy.cloud_run import CloudRun
from podium.deploy.cloud_run_access import Access
from podium.deploy.run import Outcome, PutBack, Task
from podium.deploy.tell import AsJson
from podium.errors import DeployError
from tests.deploy import docker_stand_in
from tests.deploy.conftest import write_rule
from tests.deploy.google_cloud import GoogleCloud, google_cloud

SERVICE = "projects/demo/locations/europe-west1/services/rule"
PATCH = f"PATCH /v2/{SERVICE}"
IMAGE = "europe-west1-docker.pkg.dev/demo/podium/rule"
CANARY = "canary-9f27c1"
"""The value of a secret, looked for wherever it must not be."""
ACCOUNT = "rule@demo.iam.gserviceaccount.com"
SECRETS = f'secrets = ["API_KEY"]\nservice_account = "{ACCOUNT}"'


class Maker:
    """Somebody with an application, an account and `docker`."""

    def __init__(self, app: Path, wheel: Path, cloud: GoogleCloud) -> None:
        self.app, self.wheel, self.cloud = app, wheel, cloud
        self.state = app.parent / "state"
        self.events: list[dict[str, Any]] = []

    @property
    def task(self) -> Task:
        """The application on its way."""
        teller = AsJson(lambda line: self.events.append(json.loads(line)))
        return Task(CloudRun(), self.app, self.state, teller, dict(os.environ), self.wheel)

    def write(self, factor: int, more: str = "") -> None:
        """Write the application anew."""
        write_rule(self.app, factor, more)

    def deploy(self) -> Outcome:
        """Deploy it."""
        return run.deploy(self.task, lambda: True)

    def said(self) -> str:
        """Return all that was told, as text."""
        return json.dumps(self.events, ensure_ascii=False)

    def docker(self) -> list[str]:
        """Return what `docker` was told, by its first word."""
        calls = self.cloud.registry / "calls"
        return [line.split()[1] for line in calls.read_text().splitlines()]


@pytest.fixture
def maker(
    app: Path, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Maker]:
    """Return a maker who has logged in, has named the project, and is not kept waiting."""
    registry, programs = tmp_path / "registry", tmp_path / "bin"
    registry.mkdir()
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(
        f'#!/bin/sh\nexec {sys.executable} -S {docker_stand_in.__file__} {registry} "$@"\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for waiting in (platform, proof):
        monkeypatch.setattr(waiting, "POLL_S", 0.05)
    monkeypatch.setattr(platform, "LOGGED_S", 0.3)
    # It would ask a host on the internet in which regions the account may be used.
    monkeypatch.setattr(CredentialsWithRegionalAccessBoundary, "_after_refresh",
                        lambda *_arguments: None)  # fmt: skip
    with google_cloud(tmp_path / "cloud", registry) as cloud:
        key = cloud.accounts.write_key(tmp_path / "key.json")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo")
        for service in ("RUN", "SECRETMANAGER", "LOGGING"):
            monkeypatch.setenv(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}", cloud.accounts.base)
        yield Maker(app, wheel, cloud)


def answered(address: str) -> float:
    """Return what the application at an address makes of 2."""
    asked = Request(f"{address}/predict", b'{"inputs": [{"a": 2}]}',  # noqa: S310
                    {"Content-Type": "application/json"})  # fmt: skip
    with urlopen(asked, timeout=20) as answer:  # noqa: S310  the stand-in's own address
        return float(json.load(answer)["predictions"][0]["value"])


def test_the_cycle(maker: Maker) -> None:
    """First, again, an update, back, and away: each changes what it must, and nothing else."""
    cloud = maker.cloud
    first = maker.deploy()
    assert first == Outcome(cloud.address, maker.task.app.version, changed=True)
    assert answered(cloud.address) == 2
    assert cloud.changes == [PATCH, PATCH]
    assert maker.docker() == ["manifest", "build", "push"]

    cloud.asked.clear()
    assert maker.deploy() == Outcome(cloud.address, first.version, changed=False)
    assert cloud.changes == []

    maker.write(3)
    second = maker.deploy()
    assert second.version != first.version
    assert answered(cloud.address) == 6
    # Visitors stay where they are until the new revision is ready.
    sent = [(one.query.get("updateMask"), one.body["traffic"]) for one in cloud.asked
            if one.method == "PATCH"]  # fmt: skip
    assert sent == [
        (mask, [{"type": 2, "revision": f"rule-{outcome.version}", "percent": 100}])
        for mask, outcome in ((None, first), ("traffic", second))
    ]
    assert maker.docker().count("push") == 2

    cloud.asked.clear()
    back = run.rollback(maker.task, lambda: True)
    assert back == Outcome(cloud.address, first.version, changed=True)
    assert (answered(cloud.address), cloud.changes) == (2, [PATCH])

    cloud.asked.clear()
    maker.write(3)
    assert maker.deploy() == Outcome(cloud.address, second.version, changed=True)
    assert (answered(cloud.address), cloud.changes) == (6, [PATCH])
    assert maker.docker().count("push") == 2

    assert run.destroy(maker.task, lambda: True)
    assert cloud.services == {}
    assert not run.destroy(maker.task, lambda: True)


def test_out_of_memory_is_told_as_such(maker: Maker) -> None:
    """The version before goes on, and the log's word counts, not that no port was listened on."""
    first = maker.deploy()
    maker.cloud.memory_needed = 3 * 2**30
    maker.write(3)
    with pytest.raises(PutBack) as refused:
        maker.deploy()
    told = str(refused.value)
    assert "Out of memory: Memory limit of 1907 MiB exceeded with 3072 MiB used." in told
    assert "[deploy.cloud-run] memory" in told
    assert "listen" not in told + maker.said()
    assert told.endswith(f"Version {first.version} serves on.")
    assert refused.value.exit_code == 3
    assert answered(maker.cloud.address) == 2

    maker.cloud.memory_needed = 0
    again = maker.deploy()
    assert answered(maker.cloud.address) == 6
    names = [one.name for one in maker.cloud.revisions[SERVICE]]
    assert names[1:] == [f"rule-{again.version}", f"rule-{again.version}-2"]


def test_a_version_that_does_not_start(maker: Maker) -> None:
    """What it has written last is told, and the version before goes on."""
    maker.deploy()
    (maker.app / "rule.py").write_text("raise RuntimeError('no such thing')\n")
    with pytest.raises(PutBack, match="no such thing"):
        maker.deploy()
    assert answered(maker.cloud.address) == 2


def test_an_update_that_fails_before_its_revision(maker: Maker) -> None:
    """There is no revision to wait for: what the update itself says is told at once."""
    first = maker.deploy()
    maker.cloud.update_fails = "Permission denied on secret: rule-API_KEY."
    maker.write(3)
    with pytest.raises(PutBack) as refused:
        maker.deploy()
    assert str(refused.value) == (
        "Google Cloud: Permission denied on secret: rule-API_KEY.\n"
        f"Version {first.version} serves on."
    )
    assert answered(maker.cloud.address) == 2


def test_a_version_that_predicts_nothing(maker: Maker) -> None:
    """Where a revision gets ready and then fails to predict, the one before gets the visitors."""
    first = maker.deploy()
    maker.cloud.asked.clear()
    (maker.app / "rule.py").write_text(
        "import os\n\ndef predict(rows):\n    assert len(rows) > 1 or rows[0, 0] != 2\n"
        "    return rows[:, 0]\n"
    )
    toml = (maker.app / "podium.toml").read_text()
    (maker.app / "podium.toml").write_text(
        f'{toml}\n[[examples]]\ntitle = "Two"\ninputs = {{ a = 2 }}\nexpected = 2\n'
    )
    with pytest.raises(PutBack, match=f"Version {first.version} serves again."):
        maker.deploy()
    assert maker.cloud.changes == [PATCH, PATCH, PATCH]
    assert answered(maker.cloud.address) == 2


def test_goes_on_where_it_was_interrupted(maker: Maker) -> None:
    """Where the network went after the revision was made, a second run makes and sends no other."""
    maker.cloud.cut = "^PATCH"
    with pytest.raises(DeployError, match=r"Google Cloud is not reached.*goes on where it was"):
        maker.deploy()
    maker.cloud.asked.clear()
    maker.deploy()
    assert answered(maker.cloud.address) == 2
    assert maker.cloud.changes == [PATCH]
    assert maker.docker().count("push") == 1


def test_what_was_pushed_is_not_pushed_again(maker: Maker) -> None:
    """Where Cloud Run refuses after the push, a second run begins with the revision."""
    maker.cloud.fail_next("^PATCH", 429, "Quota exceeded for quota metric 'Write requests'.")
    with pytest.raises(DeployError, match="A quota is used up"):
        maker.deploy()
    maker.deploy()
    assert answered(maker.cloud.address) == 2
    assert maker.docker().count("push") == 1


def test_a_secret_is_kept_by_secret_manager_alone(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its value is sent once, to Secret Manager, and reaches the application; nothing else does."""
    monkeypatch.setenv("API_KEY", CANARY)
    maker.write(2, SECRETS)
    (maker.app / "rule.py").write_text(
        f"import os\nassert os.environ['API_KEY'] == '{CANARY[:6]}' + '{CANARY[6:]}'\n\n"
        "def predict(rows):\n    return rows[:, 0]\n"
    )
    maker.deploy()
    hidden = base64.b64encode(CANARY.encode()).decode()
    sent = [one.path for one in maker.cloud.asked if hidden in json.dumps(one.body)]
    assert sent == ["/v1/projects/demo/secrets/rule-API_KEY:addVersion"]
    assert CANARY not in json.dumps([one.body for one in maker.cloud.asked])
    assert CANARY not in maker.said()
    assert hidden not in maker.said()
    maker.task.render(maker.state / "rendered")
    kept = [file for file in maker.state.rglob("*") if file.is_file()]
    assert len(kept) > 5
    assert not [file for file in kept if CANARY.encode() in file.read_bytes()]


def test_a_secrets_value_goes_along_or_stays(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one is added with the next version; without one, that of Secret Manager is taken."""
    values = []
    for factor, value in ((1, "first"), (2, ""), (3, "third")):
        monkeypatch.setenv("API_KEY", value)
        maker.write(factor, SECRETS)
        maker.deploy()
        values.append(maker.cloud.secrets["projects/demo/secrets/rule-API_KEY"]["values"].copy())
    first, third = (base64.b64encode(one).decode() for one in (b"first", b"third"))
    assert values == [[first], [first], [first, third]]
    assert run.destroy(maker.task, lambda: True)
    assert maker.cloud.secrets == {}


def test_a_secret_that_was_left_without_its_value_gets_it(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ended between a secret and its value is gone on with."""
    monkeypatch.setenv("API_KEY", CANARY)
    maker.write(2, SECRETS)
    maker.cloud.cut = "secrets$"
    maker.cloud.faults = [("^POST .*:setIamPolicy", 403, "Permission denied")]
    for _ in range(2):
        with pytest.raises(DeployError):
            maker.deploy()
    assert maker.cloud.services == {}
    maker.deploy()
    assert answered(maker.cloud.address) == 4


def test_a_private_service_is_proven_with_an_identity(maker: Maker) -> None:
    """Where not everybody may ask, Podium shows who it is, and keeps that to itself."""
    maker.write(2, "public = false")
    assert maker.deploy().changed
    with pytest.raises(OSError, match="403"):
        answered(maker.cloud.address)
    token = next(iter(maker.cloud.accounts.identities))
    assert token not in maker.said()


def test_without_an_identity_a_private_service_is_left_alone(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be asked afterwards is not begun."""
    maker.write(2, "public = false")
    monkeypatch.setattr(Access, "identity", lambda *_audience: {})
    with pytest.raises(DeployError, match="these credentials have no identity token"):
        maker.deploy()
    assert maker.cloud.changes == []


def test_logs_are_the_services_own(maker: Maker) -> None:
    """What revisions have written is told, the oldest line first."""
    maker.deploy()
    revision = maker.cloud.revisions[SERVICE][0]
    for line in ("one", "two"):
        maker.cloud._log(revision, line, "stderr", maker.cloud.entries)
    assert list(maker.task.connect().logs(follow=False)) == ["one", "two"]


WRONG: dict[str, tuple[Callable[[Maker, pytest.MonkeyPatch], object], str]] = {
    "no credentials": (
        lambda _maker, patch: patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json"),
        "There are no credentials for Google Cloud. Run `gcloud auth application-default login`",
    ),
    "no project": (
        lambda _maker, patch: patch.delenv("GOOGLE_CLOUD_PROJECT"),
        "No Google Cloud project is named. Set GOOGLE_CLOUD_PROJECT",
    ),
    "wrong region": (
        lambda maker, _patch: maker.write(2, 'region = "europe-west99"'),
        "Is 'europe-west99' a region, which [deploy.cloud-run] region names?",
    ),
    "no permission": (
        lambda maker, _patch: maker.cloud.fail_next("^GET", 403, "Permission denied on resource"),
        "The account needs the roles Cloud Run Admin and Service Account User",
    ),
    "service off": (
        lambda maker, _patch: maker.cloud.fail_next(
            "^GET", 403, "Cloud Run Admin API has not been used in project demo before."),
        "gcloud services enable run.googleapis.com",
    ),
    "expired token": (
        lambda maker, _patch: setattr(maker.cloud.accounts, "revoked", True),
        "Renew the credentials (`gcloud auth application-default login`), and run it again",
    ),
}  # fmt: skip
REFUSED: dict[str, tuple[Callable[[Maker], object], str]] = {
    "no right to push": (
        lambda maker: (maker.cloud.registry / "denied").touch(),
        "denied: Permission artifactregistry.repositories.uploadArtifacts denied",
    ),
    "quota": (
        lambda maker: maker.cloud.fail_next("^PATCH", 429, "Quota exceeded."),
        "A quota is used up. Wait, or ask for more",
    ),
    "out of order": (
        lambda maker: maker.cloud.fail_next("^PATCH", 503, "The service is unavailable."),
        "Run it again in a moment: it goes on where it was.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_before_anything_is_done(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The message says what to do, and nothing was built or sent."""
    spoil, told = WRONG[name]
    spoil(maker, monkeypatch)
    with pytest.raises(DeployError, match=re.escape(told)):
        maker.deploy()
    assert maker.cloud.changes == []
    assert not (maker.cloud.registry / "built").exists()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_repaired_by_a_second_run(maker: Maker, name: str) -> None:
    """The message says what to do; when that is done, the same command deploys."""
    spoil, told = REFUSED[name]
    spoil(maker)
    with pytest.raises(DeployError, match=re.escape(told)):
        maker.deploy()
    assert maker.cloud.services == {}
    (maker.cloud.registry / "denied").unlink(missing_ok=True)
    maker.deploy()
    assert answered(maker.cloud.address) == 2


def test_a_token_that_expires_half_way(maker: Maker) -> None:
    """What was begun is gone on with, once the credentials are renewed."""
    maker.cloud.expires = "^PATCH"
    with pytest.raises(DeployError, match=r"Renew the credentials .*goes on where it was"):
        maker.deploy()
    assert list(maker.cloud.services) == [SERVICE]
    maker.cloud.accounts.revoked = False
    maker.deploy()
    assert answered(maker.cloud.address) == 2
    assert len(maker.cloud.revisions[SERVICE]) == 1


def test_a_service_of_somebody_else_is_left_alone(maker: Maker) -> None:
    """Where the name is taken, nothing is changed and another name is asked for."""
    maker.cloud.made_elsewhere(SERVICE)
    with pytest.raises(DeployError, match=r"which Podium has not made\. Choose another name"):
        maker.deploy()
    with pytest.raises(DeployError, match="which Podium has not made"):
        run.destroy(maker.task, lambda: True)
    assert maker.cloud.changes == []
