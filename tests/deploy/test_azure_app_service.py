"""The whole cycle at Azure App Service, against an Azure on loopback."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from podium.deploy import run
from podium.deploy.azure_app_service import AzureAppService
from podium.deploy.run import Outcome, PutBack
from podium.errors import DeployError
from tests.deploy.azure_maker import CANARY, WRONG, Maker, making, refused_for
from tests.deploy.azure_web import WebApps

PUT = "^PUT .*/sites/[^/]+$"
CHANGED = ["PUT sites/rule", "PUT config/metadata"]


@pytest.fixture
def web(tmp_path: Path) -> WebApps:
    """Return App Service with nothing in it."""
    return WebApps(tmp_path / "azure", tmp_path / "registry")


@pytest.fixture
def maker(app: Path, wheel: Path, web: WebApps, monkeypatch: pytest.MonkeyPatch) -> Iterator[Maker]:
    """Return somebody who deploys there."""
    with making(AzureAppService(), web, app, wheel, monkeypatch) as maker:
        yield maker


def test_the_cycle(maker: Maker, web: WebApps) -> None:
    """First, again, an update, back, logs, and away: each changes what it must, and no more."""
    first = maker.deploy()
    assert first == Outcome(web.address, maker.task.app.version, changed=True)
    assert maker.answered() == 2
    assert web.changes == ["PUT resourceGroups/rule", "PUT serverfarms/rule", *CHANGED]
    assert maker.docker() == ["manifest", "build", "push"]

    web.asked.clear()
    assert maker.deploy() == Outcome(web.address, first.version, changed=False)
    assert web.changes == []

    maker.write(3, 'variables = { GREETING = "hello" }')
    second = maker.deploy()
    assert second.version != first.version
    assert (maker.answered(), web.changes) == (6, CHANGED)
    assert maker.docker().count("push") == 2

    web.asked.clear()
    back = run.rollback(maker.task, lambda: True)
    assert back == Outcome(web.address, first.version, changed=True)
    assert (maker.answered(), web.changes) == (2, CHANGED)
    site = next(one.body for one in web.asked if one.method == "PUT")
    assert "GREETING" not in str(site)
    assert maker.docker().count("push") == 2

    assert any("Pulling image" in line for line in maker.task.connect().logs(follow=False))
    assert run.destroy(maker.task, lambda: True)
    assert (web.resources, web.groups) == ({}, {})
    assert not run.destroy(maker.task, lambda: True)


def test_out_of_memory_is_told_as_such(maker: Maker, web: WebApps) -> None:
    """It is not told that nothing answered, and the version before is put back."""
    first = maker.deploy()
    web.memory_needed = 4 * 2**30
    maker.write(3)
    with pytest.raises(PutBack) as refused:
        maker.deploy()
    told = str(refused.value)
    assert "exit code 137" in told
    assert told.startswith("Out of memory: ") or "\nAzure App Service: Out of memory: " in told
    assert "a larger [deploy.azure-app-service] plan" in told
    assert told.endswith(f"Version {first.version} serves again.")
    assert refused.value.exit_code == 3
    assert maker.answered() == 2


def test_a_plan_gets_the_size_that_is_named(maker: Maker, web: WebApps) -> None:
    """What memory was too small becomes larger; the reason is told, and nothing is made anew."""
    maker.write(1, 'plan = "B1"')
    maker.deploy()
    web.asked.clear()
    web.memory_needed = 4 * 2**30
    maker.write(3, 'plan = "B3"')
    maker.deploy()
    assert (maker.answered(), web.changes) == (6, ["PUT serverfarms/rule", *CHANGED])
    assert "Change the plan to B3" in maker.said()
    assert "it is B1; what it costs changes with it" in maker.said()


def test_a_plan_of_somebody_else_keeps_its_size(maker: Maker, web: WebApps) -> None:
    """What was named for it would have no effect: both ways out are told, and nothing is done."""
    maker.deploy()
    plan = next(one for path, one in web.resources.items() if "serverfarms" in path)
    plan["tags"] = {}
    web.asked.clear()
    maker.write(3, 'plan = "B3"')
    with pytest.raises(DeployError, match=r'is B2, .*plan is B3.*set plan = "B2".*--sku B3'):
        maker.deploy()
    assert web.changes == []


def test_a_version_that_does_not_start(
    maker: Maker, web: WebApps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has written last is told; the one before comes back with the secret that it had."""
    maker.write(1, 'secrets = ["API_KEY"]')
    monkeypatch.setenv("API_KEY", "first")
    first = maker.deploy()
    (maker.app / "rule.py").write_text("raise RuntimeError('no such thing')\n")
    monkeypatch.setenv("API_KEY", "second")
    with pytest.raises(PutBack, match="no such thing"):
        maker.deploy()
    assert maker.answered() == 2
    assert (web.setting("API_KEY"), web.setting("PODIUM_RELEASE")) == ("first", first.version)


def test_goes_on_where_it_was_interrupted(maker: Maker, web: WebApps) -> None:
    """Where the network went after the settings were sent, a second run sends no image again."""
    web.cut = PUT
    with pytest.raises(DeployError, match=r"Azure is not reached.*goes on where it was"):
        maker.deploy()
    web.cut = None
    maker.deploy()
    assert maker.answered() == 2
    assert maker.docker().count("push") == 1


def test_secrets_are_settings_of_the_web_app_alone(
    maker: Maker, web: WebApps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their values are sent once, as settings; what is noted of a version has none."""
    monkeypatch.setenv("API_KEY", CANARY)
    monkeypatch.setenv("REGISTRY_KEY", f"{CANARY}-registry")
    maker.write(
        2, 'secrets = ["API_KEY"]\nregistry_user = "podium"\nregistry_password = "REGISTRY_KEY"'
    )
    (maker.app / "rule.py").write_text(
        f"import os\nassert os.environ['API_KEY'] == '{CANARY[:6]}' + '{CANARY[6:]}'\n\n"
        "def predict(rows):\n    return rows[:, 0]\n"
    )
    maker.deploy()
    assert maker.sent(CANARY) == ["PUT sites/rule"]
    assert web.setting("DOCKER_REGISTRY_SERVER_URL") == "https://registry.example.org"
    assert web.setting("DOCKER_REGISTRY_SERVER_PASSWORD") == f"{CANARY}-registry"
    assert CANARY not in maker.said()
    assert maker.kept(CANARY) == []


REFUSED: dict[str, tuple[Callable[[Maker], object], str]] = {
    "quota": (
        lambda maker: maker.azure.fail_next(
            "^PUT .*serverfarms", 401, "Unauthorized", "This region has quota of 0 instances for "
            "your subscription."),
        "A quota is used up.",
    ),
    "expired token": (
        lambda maker: setattr(maker.azure, "expires", PUT),
        "Renew the credentials (`az login`), and run it again: it goes on where it was.",
    ),
    "conflict": (
        lambda maker: maker.azure.fail_next(
            PUT, 409, "Conflict", "Cannot modify this site because another operation is in "
            "progress."),
        "Another change is under way. Run it again when that has ended.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_before_anything_is_done(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The message says what to do, and nothing was built or sent."""
    refused_for(name, maker, monkeypatch)


def test_a_name_that_is_taken(maker: Maker, web: WebApps) -> None:
    """It is told before anything is done: all web apps of Azure share their names."""
    web.taken.add("rule")
    with pytest.raises(DeployError, match=r"The name 'rule' is taken.*Choose another"):
        maker.deploy()
    web.made_elsewhere("rule", "rule")
    with pytest.raises(DeployError, match=r"which Podium has not made\. Choose another name"):
        run.destroy(maker.task, lambda: True)
    assert web.changes == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_what_to_do(maker: Maker, web: WebApps, name: str) -> None:
    """What was made so far is removed, or gone on with."""
    spoil, told = REFUSED[name]
    spoil(maker)
    with pytest.raises(DeployError, match=re.escape(told)):
        maker.deploy()
    assert web.containers == {}
    assert run.destroy(maker.task, lambda: True)
    assert (web.groups, web.resources) == ({}, {})
