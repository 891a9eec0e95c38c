"""What is read from a server's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from podium.deploy.vm_platform import VmPlatform
from tests.deploy.test_vm import THERE, prepared

VERSION = "0123456789ab"
SERVES: Mapping[str, Any] = {
    **THERE, "exists": True, "mark": "rule", "current": VERSION, "served": "release", "up": True,
    "versions": {VERSION: {"environment": "packages"}}, "environments": ["packages"],
    "status": {"ready": True, "reachable": True, "release": "release",
               "address": "https://rule.example.org/"},
}  # fmt: skip
"""A server on which a version serves."""
Answers = Callable[..., VmPlatform]


@pytest.fixture
def answers(app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return what makes a platform whose server answers so, one time after the other."""

    def made(*told: Mapping[str, Any], settings: str = "") -> VmPlatform:
        platform = VmPlatform(prepared(app, wheel, settings), "podium/rule", "rule.example.org", {})
        waiting = iter(told)
        monkeypatch.setattr(platform, "_looked", lambda: next(waiting))
        return platform

    return made


def status(**changes: Any) -> dict[str, Any]:
    """Return what `podium status` tells, with changes."""
    return {"status": {**SERVES["status"], **changes}}


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({}, VERSION),
        (status(ready=False), None),
        (status(reachable=False), None),
        ({"status": None}, None),
        (status(release="another"), None),
        ({"served": None}, None),
    ],
    ids=["all is well", "not ready", "no nginx", "not up", "rolled back by hand", "never served"],
)
def test_version_serves_only_if_all_of_it_does(
    answers: Answers, changes: Mapping[str, Any], version: str | None
) -> None:
    """What was rolled back on the server itself is another version than the one noted there."""
    live = answers({**SERVES, **changes}).look()
    assert (live.exists, live.version, live.versions) == (True, version, (VERSION,))


@pytest.mark.parametrize(
    ("settings", "certificate", "address", "unfinished"),
    [
        ("", True, "http://rule.example.org/", True),
        ("", False, "http://rule.example.org/", False),
        ("", True, "https://rule.example.org/", False),
        ('tls = "off"', True, "http://rule.example.org/", False),
    ],
    ids=["certificate came", "none yet", "in use", "not wanted"],
)
def test_certificate_that_has_come_is_yet_to_be_used(
    answers: Answers, settings: str, certificate: bool, address: str, unfinished: bool
) -> None:
    """The same version again then goes over to HTTPS."""
    told = {**SERVES, **status(address=address), "certificate": certificate}
    assert answers(told, settings=settings).look().unfinished is unfinished


def test_own_certificate_is_believed_where_it_was_asked_for(answers: Answers) -> None:
    """One that lies there from before is not, once there shall be another."""
    told = {**SERVES, "self_signed": "PEM"}
    assert answers(told, settings='tls = "self-signed"').look().trusted == "PEM"
    assert answers(told).look().trusted == ""


def test_folder_of_another_application_is_none_of_this_one(answers: Answers) -> None:
    """So that nothing of it is removed."""
    assert answers({**SERVES, "mark": "another"}).look().exists is False


def test_reasons(answers: Answers, app: Path, wheel: Path) -> None:
    """Processes that were ended for want of memory, and an address that leads elsewhere, are told.

    That the version before answers says nothing of the new one.
    """
    platform = answers({**SERVES, "killed": 3}, {**SERVES, "killed": 5, "memory": 12_000_000})
    platform.look()
    assert platform.reason() == (
        "Out of memory: the system has ended 2 of its processes meanwhile; 12 MB are free now. "
        "Take a larger server, fewer [server] workers, or smaller models: podium optimize."
    )
    version = prepared(app, wheel).version
    platform = answers(SERVES, {**SERVES, "current": version})
    platform.look()
    assert platform.reason() == (
        "On the server itself it answers. Does rule.example.org lead to it, and does its firewall "
        "let visitors in?"
    )
    for quiet in ({"current": version, "status": None}, {}):
        platform = answers(SERVES, {**SERVES, **quiet})
        platform.look()
        assert platform.reason() == ""
