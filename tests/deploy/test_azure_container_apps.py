"""The whole cycle at Azure Container Apps, against an Azure on loopback."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from podium.deploy import run
from podium.deploy.azure_container_apps import AzureContainerApps
from podium.deploy.run import Outcome, PutBack
from podium.errors import DeployError
from tests.deploy.azure_apps import ContainerApps
from tests.deploy.azure_maker import CANARY, WRONG, Maker, making, refused_for

PUT = "^PUT .*/containerApps/"


@pytest.fixture
def apps(tmp_path: Path) -> ContainerApps:
    """Return Container Apps with nothing in it."""
    return ContainerApps(tmp_path / "azure", tmp_path / "registry")


@pytest.fixture
def maker(
    app: Path, wheel: Path, apps: ContainerApps, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Maker]:
    """Return somebody who deploys there."""
    with making(AzureContainerApps(), apps, app, wheel, monkeypatch) as maker:
        yield maker


def test_the_cycle(maker: Maker, apps: ContainerApps) -> None:
    """First, again, an update, back, logs, and away: each changes what it must, and no more."""
    first = maker.deploy()
    assert first == Outcome(apps.address, maker.task.app.version, changed=True)
    assert maker.answered() == 2
    assert apps.changes == [
        "PUT resourceGroups/rule", "PUT managedEnvironments/rule", "PUT containerApps/rule",
        "PATCH containerApps/rule",
    ]  # fmt: skip
    assert maker.docker() == ["manifest", "build", "push"]

    apps.asked.clear()
    assert maker.deploy() == Outcome(apps.address, first.version, changed=False)
    assert apps.changes == []

    maker.write(3)
    second = maker.deploy()
    assert second.version != first.version
    assert maker.answered() == 6
    assert apps.changes == ["PUT containerApps/rule", "PATCH containerApps/rule"]
    assert maker.docker().count("push") == 2

    apps.asked.clear()
    back = run.rollback(maker.task, lambda: True)
    assert back == Outcome(apps.address, first.version, changed=True)
    assert (maker.answered(), apps.changes) == (2, ["PATCH containerApps/rule"])

    apps.asked.clear()
    maker.write(3)
    assert maker.deploy() == Outcome(apps.address, second.version, changed=True)
    assert (maker.answered(), apps.changes) == (6, ["PATCH containerApps/rule"])
    assert maker.docker().count("push") == 2

    next(iter(apps.revisions.values()))[1].running.lines += ["one", "two"]
    assert list(maker.task.connect().logs(follow=False)) == ["one", "two"]

    assert run.destroy(maker.task, lambda: True)
    assert (apps.resources, apps.groups) == ({}, {})
    assert not run.destroy(maker.task, lambda: True)
    with pytest.raises(DeployError, match="No instance of rule runs now"):
        list(maker.task.connect().logs(follow=False))


def test_visitors_stay_until_a_revision_is_ready(maker: Maker, apps: ContainerApps) -> None:
    """An update makes a revision without visitors, and the one before may have them back at once.

    Where instances never sleep, it is stopped, and started again when it is needed.
    """
    maker.write(1, "instances = [1, 1]")
    before = maker.deploy().version
    apps.asked.clear()
    maker.write(3, "instances = [1, 1]")
    after = maker.deploy().version
    bodies = [one.body for one in apps.asked if one.method in ("PUT", "PATCH")]
    traffic = [one["properties"]["configuration"]["ingress"]["traffic"] for one in bodies]
    assert traffic == [
        [{"weight": 100, "revisionName": f"rule--v{version}"}] for version in (before, after)
    ]
    assert bodies[1]["tags"] == {"managed-by": "podium", "podium-served": f"{after} {before}"}
    assert apps.changes[-1] == f"POST rule--v{before}/deactivate"
    apps.asked.clear()
    run.rollback(maker.task, lambda: True)
    assert maker.answered() == 2
    assert apps.changes == [
        f"POST rule--v{before}/activate", "PATCH containerApps/rule",
        f"POST rule--v{after}/deactivate",
    ]  # fmt: skip


def test_out_of_memory_is_told_as_such(maker: Maker, apps: ContainerApps) -> None:
    """The version before goes on, and what fails is stopped; once it fits, it is made anew."""
    first = maker.deploy()
    apps.memory_needed = 3 * 2**30
    maker.write(3)
    with pytest.raises(PutBack) as refused:
        maker.deploy()
    told = str(refused.value)
    assert "Out of memory: Container 'app' of rule--v" in told
    assert "give more as [deploy.azure-container-apps] memory" in told
    assert told.endswith(f"Version {first.version} serves again.")
    assert refused.value.exit_code == 3
    assert maker.answered() == 2
    assert [one.active for one in next(iter(apps.revisions.values()))] == [True, False]

    apps.memory_needed = 0
    again = maker.deploy().version
    assert maker.answered() == 6
    names = [one.name for one in next(iter(apps.revisions.values()))]
    assert names[1:] == [f"rule--v{again}", f"rule--v{again}-2"]


def test_a_version_that_does_not_start(maker: Maker) -> None:
    """What it has written last is told, and the version before goes on."""
    maker.deploy()
    (maker.app / "rule.py").write_text("raise RuntimeError('no such thing')\n")
    with pytest.raises(PutBack, match="no such thing"):
        maker.deploy()
    assert maker.answered() == 2


def test_a_version_that_predicts_nothing(maker: Maker, apps: ContainerApps) -> None:
    """Where a revision gets ready and then fails to predict, the one before gets the visitors."""
    first = maker.deploy()
    apps.asked.clear()
    (maker.app / "rule.py").write_text(
        "def predict(rows):\n    assert len(rows) > 1 or rows[0, 0] != 2\n    return rows[:, 0]\n"
    )
    toml = (maker.app / "podium.toml").read_text()
    (maker.app / "podium.toml").write_text(
        f'{toml}\n[[examples]]\ntitle = "Two"\ninputs = {{ a = 2 }}\nexpected = 2\n'
    )
    with pytest.raises(PutBack, match=f"Version {first.version} serves again."):
        maker.deploy()
    assert apps.changes == ["PUT containerApps/rule", *["PATCH containerApps/rule"] * 2]
    assert maker.answered() == 2


def test_goes_on_where_it_was_interrupted(maker: Maker, apps: ContainerApps) -> None:
    """Where the network went after the revision was made, a second run makes and sends no other."""
    apps.cut = PUT
    with pytest.raises(DeployError, match=r"Azure is not reached.*goes on where it was"):
        maker.deploy()
    apps.cut = None
    apps.asked.clear()
    maker.deploy()
    assert maker.answered() == 2
    assert apps.changes == ["PATCH containerApps/rule"]
    assert maker.docker().count("push") == 1


def test_a_token_that_expires_half_way(maker: Maker, apps: ContainerApps) -> None:
    """What was begun is gone on with, once the credentials are renewed."""
    apps.expires = PUT
    with pytest.raises(DeployError, match=r"Renew the credentials .*goes on where it was"):
        maker.deploy()
    assert [path.rpartition("/")[2] for path in apps.resources] == ["rule"]
    maker.deploy()
    assert maker.answered() == 2
    assert maker.docker().count("push") == 1


def test_secrets_are_kept_by_the_app_alone(
    maker: Maker, apps: ContainerApps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their values are sent once, as the app's secrets; variables only refer to them."""
    monkeypatch.setenv("API_KEY", CANARY)
    monkeypatch.setenv("REGISTRY_KEY", f"{CANARY}-registry")
    maker.write(
        2, 'secrets = ["API_KEY"]\nregistry_user = "podium"\nregistry_password = "REGISTRY_KEY"'
    )
    (maker.app / "rule.py").write_text(
        f"import os\nassert os.environ['API_KEY'] == '{CANARY[:6]}' + '{CANARY[6:]}'\n\n"
        "def predict(rows):\n    print('asked')\n    return rows[:, 0]\n"
    )
    maker.deploy()
    assert maker.sent(CANARY) == ["PUT containerApps/rule"]
    app = next(one.body for one in apps.asked if one.path.endswith("containerApps/rule")
               and one.method == "PUT")["properties"]  # fmt: skip
    assert CANARY not in str(app["template"])
    assert app["configuration"]["registries"] == [{
        "server": "registry.example.org", "username": "podium",
        "passwordSecretRef": "registry-password"}]  # fmt: skip
    assert CANARY not in maker.said()
    assert maker.kept(CANARY) == []


def test_a_secret_stays_as_long_as_a_revision_reads_it(
    maker: Maker, apps: ContainerApps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure refuses to drop it before; its value is read there, and told to nobody."""
    monkeypatch.setenv("API_KEY", CANARY)
    maker.write(1, 'secrets = ["API_KEY"]\ninstances = [1, 1]')
    maker.deploy()
    monkeypatch.delenv("API_KEY")
    maker.write(2, "instances = [1, 1]")
    apps.fail_next(PUT, 400, "Invalid", f"{CANARY} is no good.")
    with pytest.raises(DeployError, match=r"\*\*\* \(the value of api-key\) is no good"):
        maker.deploy()
    maker.deploy()
    assert maker.answered() == 4
    (kept,) = apps.secrets.values()
    assert kept == {"api-key": CANARY}
    maker.write(3, "instances = [1, 1]")
    maker.deploy()
    (kept,) = apps.secrets.values()
    assert (maker.answered(), kept) == (6, {})
    assert CANARY not in maker.said()
    assert maker.kept(CANARY) == []


REFUSED: dict[str, tuple[Callable[[Maker], object], str]] = {
    "wrong region": (
        lambda maker: maker.write(2, 'location = "nowhere"'),
        "Is 'nowhere' a region, which [deploy.azure-container-apps] location names?",
    ),
    "no right to push": (
        lambda maker: (maker.azure.registry / "denied").touch(),
        "denied: Permission artifactregistry.repositories.uploadArtifacts denied",
    ),
    "quota": (
        lambda maker: maker.azure.fail_next(
            "^PUT .*managedEnvironments", 400, "MaxNumberOfRegionalEnvironmentsInSubExceeded",
            "The subscription cannot have more than 20 Environments."),
        "A quota is used up.",
    ),
    "service off": (
        lambda maker: maker.azure.fail_next(
            "^PUT .*managedEnvironments", 409, "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace 'Microsoft.App'."),
        "az provider register --namespace Microsoft.App",
    ),
    "out of order": (
        lambda maker: maker.azure.fail_next(PUT, 503, "ServiceUnavailable", "Try later."),
        "Run it again in a moment: it goes on where it was.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_before_anything_is_done(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The message says what to do, and nothing was built or sent."""
    refused_for(name, maker, monkeypatch)


def test_an_app_of_somebody_else_is_left_alone(maker: Maker, apps: ContainerApps) -> None:
    """Where the name is taken, nothing is changed and another name is asked for."""
    apps.made_elsewhere("rule", "rule")
    for act in (maker.deploy, lambda: run.destroy(maker.task, lambda: True)):
        with pytest.raises(DeployError, match=r"which Podium has not made\. Choose another name"):
            act()
    assert apps.changes == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_what_to_do(maker: Maker, apps: ContainerApps, name: str) -> None:
    """There is no app; what was made so far is removed, or gone on with."""
    spoil, told = REFUSED[name]
    spoil(maker)
    with pytest.raises(DeployError, match=re.escape(told)):
        maker.deploy()
    assert apps.revisions == {}
    assert run.destroy(maker.task, lambda: True) is bool(apps.asked and name != "wrong region")
    assert apps.groups == {}
