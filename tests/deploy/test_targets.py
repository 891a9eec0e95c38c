"""What all targets have in common."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from podium.cli import DEMOS, main
from podium.deploy.targets import TARGETS, target_of
from tests.test_imports import FRAMEWORKS, loaded_by

SDKS = ("azure", "boto3", "botocore", "google", "pythonanywhere_core", "requests")
SHAPE = ("files", "findings", "plan", "back", "removal", "address", "host", "connect")


@pytest.mark.parametrize("name", TARGETS)
def test_target_is_light(name: str) -> None:
    """Before it is spoken to, a target loads no SDK, no framework and no server."""
    code = f"from podium.deploy.targets import target_of; target_of({name!r})"
    assert loaded_by(code) & {*SDKS, *FRAMEWORKS, "flask", "gunicorn"} == set()


@pytest.mark.parametrize("name", TARGETS)
def test_target_has_the_shape(name: str) -> None:
    """Targets are siblings of one shape."""
    target = target_of(name)
    assert target.name == name
    assert target.title
    assert target.facts.stated()
    assert [one for one in SHAPE if not callable(getattr(target, one, None))] == []


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be no network, no credentials and no SDK."""

    def refuse(*_: object) -> None:
        pytest.fail("a dry run asks somebody")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for sdk in SDKS:
        monkeypatch.setitem(sys.modules, sdk, None)
    for variable in ("AWS_PROFILE", "AWS_REGION", "GOOGLE_CLOUD_PROJECT", "API_TOKEN",
                     "PYTHONANYWHERE_USERNAME", "AZURE_SUBSCRIPTION_ID"):  # fmt: skip
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("demo", ["penguins", "digits"])
@pytest.mark.parametrize("name", TARGETS)
def test_dry_run_of_the_demos(name: str, demo: str, tmp_path: Path, wheel: Path) -> None:
    """It prints files, sizes and steps with reasons, and is the same each time."""
    line = ["deploy", name, str(DEMOS / demo), "--dry-run", "--podium-wheel", str(wheel),
            "--state", str(tmp_path)]  # fmt: skip
    first, again = (CliRunner().invoke(main, line) for _ in range(2))
    assert (first.exit_code, first.stderr) == (0, "")
    assert "The largest files:" in first.stdout
    steps = re.findall(r"^(\d+)\. (.+): (.+)$", first.stdout, re.M)
    assert [int(number) for number, *_ in steps] == list(range(1, len(steps) + 1))
    assert len(steps) >= 2
    assert again.stdout == first.stdout
