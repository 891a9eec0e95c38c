"""Units under systemd: the very commands that are sent, to a systemctl that writes them down."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podium.errors import ServeError
from podium.operate import systemd as module
from podium.operate.systemd import Systemd
from podium.operate.units import Unit

SYSTEMCTL = """#!/bin/sh
echo "$@" >> {calls}
case "$*" in
    *show*@a*) printf 'ActiveState=active\\nMainPID=41\\nNRestarts=2\\nResult=success\\n' ;;
    *show*@b*) printf 'ActiveState=activating\\nSubState=auto-restart\\nMainPID=0\\n'
               printf 'Result=exit-code\\nExecMainStatus=3\\n' ;;
    *show*) printf 'ActiveState=failed\\nMainPID=0\\n' ;;
    *broken*) echo "Unit is broken." >&2; exit 1 ;;
esac
"""


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    """Return the units of a site of root's, with its files, and a systemctl of the test's own."""
    site = tmp_path / "app-1234567" / "site"
    (site / "systemd").mkdir(parents=True)
    for name in ("podium-app-1234567@.service", "podium-app-1234567-nginx.service"):
        (site / "systemd" / name).write_text("[Unit]")
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL.format(calls=tmp_path / "calls"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, "_ROOT", tmp_path / "etc")
    return Systemd(site)


def calls(folder: Path) -> list[str]:
    """Return the arguments of each call."""
    return (folder / "calls").read_text().splitlines()


def test_units_are_installed_and_started(units: Systemd, tmp_path: Path) -> None:
    """A start copies the units to where systemd reads them; it comes back with the host."""
    units.start(Unit(name="a", command=("podium",)))
    units.start(Unit(name="nginx", command=("nginx",)))
    assert calls(tmp_path) == [
        "daemon-reload",
        "enable --now podium-app-1234567@a.service",
        "daemon-reload",
        "enable --now podium-app-1234567-nginx.service",
    ]
    assert sorted(file.name for file in (tmp_path / "etc").iterdir()) == [
        "podium-app-1234567-nginx.service", "podium-app-1234567@.service",
    ]  # fmt: skip


def test_units_are_stopped_and_signalled(units: Systemd, tmp_path: Path) -> None:
    """A stop does not wait, and the unit stays away after a start of the host."""
    units.stop("a")
    units.signal("nginx", 1)
    assert calls(tmp_path) == [
        "disable --now --no-block podium-app-1234567@a.service",
        "kill --kill-who=main --signal=1 podium-app-1234567-nginx.service",
    ]


def test_states_are_those_of_systemd(units: Systemd) -> None:
    """What runs and what has failed is told; what was stopped is not."""
    told = {name: (state.pid, state.ended, state.told) for name, state in units.states().items()}
    assert told == {
        "a": (41, 2, "has ended"), "b": (None, 1, "has ended: exit-code, exit status 3")
    }  # fmt: skip


def test_refusal_of_systemd_is_told(units: Systemd) -> None:
    """What systemctl says against a command is told with the command."""
    with pytest.raises(ServeError, match=r"^systemctl enable --now .*@broken.*: Unit is broken\.$"):
        units.start(Unit(name="broken", command=("podium",)))
