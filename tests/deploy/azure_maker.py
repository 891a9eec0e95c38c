"""Somebody who deploys to an Azure on loopback."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest

from podium.deploy import azure_session, proof, run
from podium.deploy.run import Outcome, Task
from podium.deploy.target import Target
from podium.deploy.tell import AsJson
from podium.errors import DeployError
from tests.deploy import docker_stand_in
from tests.deploy.azure_arm import HEADER, SUBSCRIPTION, Azure, on_loopback
from tests.deploy.conftest import write_rule

IMAGE: Final = "registry.example.org/team/rule"
CANARY: Final = "canary-9f27c1"
"""The value of a secret, looked for wherever it must not be."""


class Maker:
    """Somebody with an application, an account and `docker`."""

    def __init__(self, target: Target, app: Path, wheel: Path, azure: Azure, trusted: Path) -> None:
        self.target, self.app, self.wheel, self.azure = target, app, wheel, azure
        self.state = app.parent / "state"
        self.events: list[dict[str, Any]] = []
        self._tls = ssl.create_default_context(cafile=str(trusted))

    @property
    def task(self) -> Task:
        """The application on its way."""
        teller = AsJson(lambda line: self.events.append(json.loads(line)))
        return Task(self.target, self.app, self.state, teller, dict(os.environ), self.wheel)

    def write(self, factor: int, more: str = "", image: str = IMAGE) -> None:
        """Write the application anew, with more settings of the target."""
        write_rule(self.app, factor, f'[deploy.{self.target.name}]\nimage = "{image}"\n{more}')

    def deploy(self) -> Outcome:
        """Deploy it."""
        return run.deploy(self.task, lambda: True)

    def answered(self) -> float:
        """Return what the application at Azure's address makes of 2."""
        asked = Request(f"{self.azure.address}/predict", b'{"inputs": [{"a": 2}]}',  # noqa: S310
                        {"Content-Type": "application/json"})  # fmt: skip
        with urlopen(asked, timeout=20, context=self._tls) as answer:  # noqa: S310  on loopback
            return float(json.load(answer)["predictions"][0]["value"])

    def said(self) -> str:
        """Return all that was told, as text."""
        return json.dumps(self.events, ensure_ascii=False)

    def docker(self) -> list[str]:
        """Return what `docker` was told, by its first word."""
        calls = self.azure.registry / "calls"
        return [line.split()[1] for line in calls.read_text().splitlines()]

    def kept(self, text: str) -> list[Path]:
        """Return the files on this machine in which a text stands, all that goes along included."""
        self.task.render(self.state / "rendered")
        files = [file for file in self.state.rglob("*") if file.is_file()]
        assert len(files) > 5
        return [file for file in files if text.encode() in file.read_bytes()]

    def sent(self, text: str) -> list[str]:
        """Return the requests in whose body a text stands, by method and the path's last parts."""
        return [f"{one.method} {'/'.join(one.path.split('/')[-2:])}" for one in self.azure.asked
                if text in json.dumps(one.body)]  # fmt: skip


@contextmanager
def making(
    target: Target, azure: Azure, app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Maker]:
    """Yield a maker who has logged in, has named the subscription, and is not kept waiting."""
    programs = app.parent / "bin"
    docker_stand_in.installed(programs, azure.registry)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for waiting in (azure_session, proof):
        monkeypatch.setattr(waiting, "POLL_S", 0.05)
    monkeypatch.setattr(azure_session, "RETRIES", 0)  # each leaves a connection behind
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    with on_loopback(azure) as trusted:
        given = {"IDENTITY_ENDPOINT": f"{azure.base}/msi/token", "IDENTITY_HEADER": HEADER,
                 "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION, azure_session.ENDPOINT: azure.base,
                 "SSL_CERT_FILE": str(trusted), "REQUESTS_CA_BUNDLE": str(trusted)}  # fmt: skip
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        maker = Maker(target, app, wheel, azure, trusted)
        maker.write(1)
        yield maker


WRONG: Final[dict[str, tuple[Callable[[Maker, pytest.MonkeyPatch], object], str]]] = {
    "no credentials": (
        lambda _maker, patch: patch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"),
        "There are no credentials for Azure. Run `az login`, or set AZURE_TENANT_ID",
    ),
    "no subscription": (
        lambda _maker, patch: patch.delenv("AZURE_SUBSCRIPTION_ID"),
        "No Azure subscription is named. Set AZURE_SUBSCRIPTION_ID",
    ),
    "no image": (
        lambda maker, _patch: (maker.app / "podium.toml").write_text(
            re.sub("image = .*", "", (maker.app / "podium.toml").read_text())),
        'image = "REGISTRY.azurecr.io/rule"',
    ),
    "no permission": (
        lambda maker, _patch: maker.azure.fail_next(
            "^GET", 403, "AuthorizationFailed", "The client does not have authorization."),
        "The account needs the role Contributor in the resource group 'rule'",
    ),
    "no such subscription": (
        lambda maker, _patch: maker.azure.fail_next(
            "^GET", 404, "SubscriptionNotFound", "The subscription could not be found."),
        "Does [deploy.TABLE] subscription name yours?",
    ),
    "expired token": (
        lambda maker, _patch: setattr(maker.azure, "expires", "^GET"),
        "Renew the credentials (`az login`), and run it again",
    ),
    "not over TLS": (
        lambda _maker, patch: patch.setenv("AZURE_RESOURCE_MANAGER_ENDPOINT", "http://a.example"),
        "expected an address with https://",
    ),
}  # fmt: skip


def refused_for(name: str, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold what a maker is told of one thing that is wrong against what it is to be."""
    spoil, told = WRONG[name]
    spoil(maker, monkeypatch)
    with pytest.raises(DeployError, match=re.escape(told.replace("TABLE", maker.target.name))):
        maker.deploy()
    assert maker.azure.changes == []
    assert not (maker.azure.registry / "built").exists()
