"""Units that systemd keeps alive, and starts again with the host."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from podium.errors import ServeError
from podium.operate.units import Running, Unit, wait_until

_ROOT: Final = Path("/etc/systemd/system")
_SHOWN: Final = ("ActiveState", "MainPID", "NRestarts", "SubState", "Result", "ExecMainStatus",
                 "ActiveEnterTimestampMonotonic")  # fmt: skip
STOP_S: Final = 120.0


def runs_systemd() -> bool:
    """Whether systemd runs this host, as sd_booted(3) tells it, and takes orders."""
    return Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None


class Systemd:
    """The units of one site, as systemd's own: those of the system for root, else the user's.

    The texts of the units lie in the site's folder; a unit's name is its slot's, or "nginx".
    """

    def __init__(self, site: Path) -> None:
        self._site = site
        self._name = f"podium-{site.parent.name}"
        self._root = os.geteuid() == 0

    def start(self, unit: Unit) -> None:
        """Start a unit, and again whenever it ends, or the host starts.

        Raises:
            ServeError: systemd refuses.
        """
        self._install()
        self._call("enable", "--now", self._unit(unit.name))

    def stop(self, name: str) -> None:
        """Tell a unit to end what it has begun, and then itself; it goes from `states`."""
        self._call("disable", "--now", "--no-block", self._unit(name))

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a unit's main process."""
        self._call("kill", "--kill-who=main", f"--signal={int(number)}", self._unit(name))

    def states(self) -> Mapping[str, Running]:
        """Return how each unit is doing; what is to run and fails waits for its next start."""
        told = {name: self._shown(name) for name in ("a", "b", "nginx")}
        return {name: _running(shown) for name, shown in told.items()
                if shown.get("ActiveState", "inactive") not in ("inactive", "failed")}  # fmt: skip

    def revive(self) -> None:
        """Do nothing: systemd cannot be killed."""

    def close(self) -> None:
        """Stop all units, nginx first, and remove what was installed."""
        for names in (["nginx"], ["a", "b"]):
            for name in set(names) & set(self.states()):
                self.stop(name)
            if not wait_until(lambda n=names: not set(n) & set(self.states()), STOP_S):  # type: ignore[misc]
                raise ServeError(f"{', '.join(names)} do not end: systemctl status "
                                 f"'{self._name}*'")  # fmt: skip
        for file in self._folder.glob(f"{self._name}[@-]*.service"):
            file.unlink()
        self._call("daemon-reload")

    @property
    def _folder(self) -> Path:
        if self._root:
            return _ROOT
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(home) / "systemd" / "user"

    def _unit(self, name: str) -> str:
        return f"{self._name}-nginx.service" if name == "nginx" else f"{self._name}@{name}.service"

    def _install(self) -> None:
        """Copy the texts of the units to where systemd reads them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in (self._site / "systemd").glob("*.service"):
            shutil.copyfile(file, self._folder / file.name)
        self._call("daemon-reload")

    def _shown(self, name: str) -> dict[str, str]:
        lines = self._call("show", f"--property={','.join(_SHOWN)}", self._unit(name)).splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    def _call(self, *arguments: str) -> str:
        command = ["systemctl", *([] if self._root else ["--user"]), *arguments]
        done = subprocess.run(  # noqa: S603  a list, not a shell's text
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            raise ServeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout


def _running(shown: Mapping[str, str]) -> Running:
    pid = int(shown.get("MainPID") or 0)
    since = int(shown.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    ended = int(shown.get("NRestarts") or 0) + (shown.get("SubState") == "auto-restart")
    result = shown.get("Result", "success")
    why = "" if result == "success" else f": {result}, exit status {shown.get('ExecMainStatus')}"
    return Running(
        pid=pid or None, since=time.time() - time.monotonic() + since, ended=ended,
        told=f"has ended{why}" if ended else "",
    )  # fmt: skip
