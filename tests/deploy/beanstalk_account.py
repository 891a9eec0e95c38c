"""An account of AWS with an application on its way to Elastic Beanstalk."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from podium.deploy import elastic_beanstalk_platform, proof
from podium.deploy.elastic_beanstalk import ElasticBeanstalk
from podium.deploy.run import Outcome, Task, deploy
from podium.deploy.tell import AsJson
from tests.deploy.beanstalk import Aws, aws
from tests.deploy.beanstalk_stub import install


class Account:
    """An account, and an application on its way to it."""

    def __init__(self, there: Aws, folder: Path, wheel: Path) -> None:
        self.aws, self.app, self.wheel = there, folder / "rule", wheel
        self.state = folder / "state"
        self.events: list[dict[str, Any]] = []
        self.app.mkdir()
        self.write(1)

    def write(self, factor: int, more: str = "", python: str = "3.12") -> None:
        """Write an application: value = factor times a."""
        (self.app / "rule.py").write_text(f"def predict(rows):\n    return {factor} * rows[:, 0]\n")
        (self.app / "podium.toml").write_text(
            'title = "Rule"\n[task]\nkind = "regression"\n[[features]]\nname = "a"\n'
            '[[models]]\nname = "rule"\npython = "rule:predict"\n'
            f'[deploy.elastic-beanstalk]\ncpu = 1\npython = "{python}"\n{more}\n'
        )

    def task(self) -> Task:
        """Return what the commands share."""
        teller = AsJson(lambda line: self.events.append(json.loads(line)))
        return Task(ElasticBeanstalk(), self.app, self.state, teller, dict(os.environ), self.wheel)

    def deploy(self) -> Outcome:
        """Deploy what stands in the folder."""
        return deploy(self.task(), lambda: True)

    def changes(self) -> list[str]:
        """Return what was asked of AWS but to look since the last time."""
        told = self.aws.changes
        self.aws.asked.clear()
        return told

    def said(self) -> list[str]:
        """Return the lines that were told."""
        return [one["line"] for one in self.events if one["event"] == "said"]


@contextmanager
def account_of(folder: Path, wheel: Path, real: bool = False) -> Iterator[Account]:
    """Yield an account that has nothing yet; nobody waits long for anything in it.

    Its instances run Podium only if they are `real`.
    """
    programs = Path(sys.executable).parent if real else install(folder / "programs")
    with pytest.MonkeyPatch.context() as settings:
        settings.setattr(elastic_beanstalk_platform, "POLL_S", 0.05)
        settings.setattr(proof, "POLL_S", 0.05)
        settings.setattr(proof, "READY_S", 20.0)
        with aws(folder / "aws", programs, settings) as there:
            yield Account(there, folder, wheel)


def answered(address: str) -> float:
    """Return what the application at an address makes of 2."""
    asked = Request(f"{address}/predict", b'{"inputs": [{"a": 2}]}',  # noqa: S310
                    {"Content-Type": "application/json"})  # fmt: skip
    with urlopen(asked, timeout=20) as answer:  # noqa: S310  the account's own instance
        return float(json.load(answer)["predictions"][0]["value"])
