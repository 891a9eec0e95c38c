"""An account at PythonAnywhere with an application on its way to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from podium.deploy import proof, pythonanywhere_api, pythonanywhere_platform
from podium.deploy.pythonanywhere import PythonAnywhere
from podium.deploy.run import Outcome, Task, deploy
from podium.deploy.tell import AsJson
from tests.deploy.anywhere import API_TOKEN, USERNAME, Anywhere, anywhere


class Account:
    """An account, and an application on its way to it."""

    def __init__(self, there: Anywhere, folder: Path, wheel: Path | None) -> None:
        self.anywhere, self.app, self.wheel = there, folder / "rule", wheel
        self.state = folder / "state"
        self.events: list[dict[str, Any]] = []
        self.hear: Callable[[str], None] = lambda _line: None
        self.app.mkdir()
        self.write(1)

    @property
    def there(self) -> Path:
        """Where the application lies in the account's home."""
        return self.anywhere.machine.home / "podium" / self.app.name

    def write(self, factor: int, more: str = "", top: str = "", code: str = "") -> None:
        """Write an application: value = factor times a."""
        (self.app / "rule.py").write_text(
            f"{code}\ndef predict(rows):\n    return {factor} * rows[:, 0]\n"
        )
        (self.app / "podium.toml").write_text(
            f'title = "Rule"\n{top}\n[task]\nkind = "regression"\n[[features]]\nname = "a"\n'
            '[[models]]\nname = "rule"\npython = "rule:predict"\n' + self.settings(more)
        )

    def settings(self, more: str = "") -> str:
        """Return the settings of the platform: the domain leads to this machine."""
        return f'[deploy.pythonanywhere]\ndomain = "{self.anywhere.address}"\n{more}\n'

    def task(self) -> Task:
        """Return what the commands share."""
        teller = AsJson(self._told)
        return Task(PythonAnywhere(), self.app, self.state, teller, dict(os.environ), self.wheel)

    def _told(self, line: str) -> None:
        event = json.loads(line)
        self.events.append(event)
        self.hear(event.get("line", ""))

    def deploy(self) -> Outcome:
        """Deploy what stands in the folder."""
        return deploy(self.task(), lambda: True)

    def changes(self) -> list[str]:
        """Return what was asked of the platform but to look, since the last time, in short."""
        told = [self.short(one) for one in self.anywhere.changes]
        self.anywhere.asked.clear()
        return told

    def said(self) -> list[str]:
        """Return the lines that were told."""
        return [one["line"] for one in self.events if one["event"] == "said"]

    def short(self, asked: str) -> str:
        """Return a request without the names of folders and versions."""
        method, _, path = asked.partition(" ")
        last = path.rstrip("/").rpartition("/")[2]
        if last.startswith(self.anywhere.address):
            last = "wsgi" if last.endswith("_wsgi.py") else "webapp"
        for ending in (".txt", ".zip", ".json", ".whole", ".failed"):
            last = ending if last.endswith(ending) else last
        last = "environment" if last.startswith("3.") else last
        return f"{method} {'release' if '-3.' in last else last}"


@contextmanager
def account_of(folder: Path, wheel: Path | None) -> Iterator[Account]:
    """Yield an account that has nothing yet; nobody waits long for anything in it."""
    with anywhere(folder) as (there, certificate), pytest.MonkeyPatch.context() as settings:
        for module in (pythonanywhere_platform, proof):
            settings.setattr(module, "POLL_S", 0.05)
        settings.setattr(pythonanywhere_api, "WAIT_S", 0.0)
        settings.setattr(proof, "READY_S", 0.2)  # a web app answers at once, or not at all
        for name, value in {
            "PYTHONANYWHERE_SITE": there.address, "PYTHONANYWHERE_USERNAME": USERNAME,
            "API_TOKEN": API_TOKEN, "REQUESTS_CA_BUNDLE": str(certificate),
            "SSL_CERT_FILE": str(certificate),
        }.items():  # fmt: skip
            settings.setenv(name, value)
        yield Account(there, folder, wheel)


def answered(address: str) -> float:
    """Return what the application at an address makes of 2."""
    asked = Request(f"{address}/predict", b'{"inputs": [{"a": 2}]}',  # noqa: S310
                    {"Content-Type": "application/json"})  # fmt: skip
    with urlopen(asked, timeout=20) as answer:  # noqa: S310  the account's own web app
        return float(json.load(answer)["predictions"][0]["value"])
