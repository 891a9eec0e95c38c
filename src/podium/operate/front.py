"""nginx before the slots: its files, its process, and which slot it sends requests to."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from podium.errors import ServeError
from podium.operate.home import Home
from podium.operate.links import turn_link
from podium.operate.units import Unit
from podium.production.nginx import nginx_command
from podium.production.render import PROGRAMS, render
from podium.production.site import Site

INSTALL: Final = "sudo apt-get install nginx-light"
_ELSEWHERE: Final = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"
"""Where nginx lies that is not on an ordinary user's PATH."""


def nginx_program() -> str:
    """Return the path of nginx.

    Raises:
        ServeError: it is not installed.
    """
    found = shutil.which("nginx") or shutil.which("nginx", path=_ELSEWHERE)
    if found is None:
        raise ServeError(f"nginx is not installed: {INSTALL}")
    return found


def nginx_version(program: str) -> tuple[int, ...]:
    """Return the version that nginx tells."""
    told = subprocess.run(  # noqa: S603  a list, not a shell's text
        [program, "-v"], capture_output=True, text=True, check=True
    ).stderr
    found = re.search(r"nginx/([\d.]+)", told)
    if found is None:
        raise ServeError(f"{program} does not tell its version, but: {told.strip()}")
    return tuple(map(int, found[1].split(".")))


class Front:
    """nginx of one site."""

    def __init__(self, home: Home, site: Site) -> None:
        self._home, self._site = home, site

    def take(self, slot: str, changed: bool, undo: ExitStack) -> None:
        """Send all requests to a slot; `undo` is told how to make all as it was.

        Raises:
            ServeError: nginx refuses its files, or does not start.
        """
        self._home.log("nginx").touch()
        self._check()
        self._home.give()  # nginx makes files as it looks at its configuration
        undo.callback(self.turn, self._slot)
        self.turn(slot)
        if "nginx" not in self._home.units.states():
            undo.callback(self._home.units.stop, "nginx")
            self._home.units.start(self._unit())
        elif changed:
            # Connections that wait for their next request are closed by it, so only if need be.
            self._home.units.signal("nginx", signal.SIGHUP)

    @property
    def command(self) -> list[str]:
        """The command that runs nginx with the site's own files."""
        return nginx_command(self._site, nginx_program())

    @property
    def _slot(self) -> str | None:
        live = self._site.live
        return live.readlink().stem if live.is_symlink() else None

    def turn(self, slot: str | None) -> None:
        """Let the link that nginx knows lead to a slot's socket, in one step."""
        if slot is None:
            self._site.live.unlink(missing_ok=True)
        else:
            turn_link(self._site.live, self._site.socket(slot).name)

    def write(self, undo: ExitStack) -> bool:
        """Write the site's files; return whether those of nginx have changed.

        systemd starts a server as they say; nginx reads its own when that has shown what it can.
        """
        folder, files = self._site.folder, render(self._site)
        old = {name: _read(folder / name) for name in files}
        changed = [name for name, text in files.items() if text != old[name]]
        told = any(name.startswith("nginx/") for name in changed)
        if told and "nginx" in self._home.units.states():
            # Undone last: nginx then reads what was restored.
            undo.callback(self._home.units.signal, "nginx", signal.SIGHUP)
        for name in changed:
            undo.callback(_restore, folder, name, old[name])
            write(folder, name, files[name])
        return told

    def _check(self) -> None:
        done = subprocess.run(  # noqa: S603  a list, not a shell's text
            [*self.command, "-t", "-q"], capture_output=True, text=True
        )
        if done.returncode:
            raise ServeError(f"nginx refuses its configuration:\n{done.stderr.strip()}")

    def _unit(self) -> Unit:
        return Unit(
            name="nginx", command=tuple(self.command), front=True,
            environment=dict(os.environ), stop_signal=signal.SIGQUIT,
            grace_s=self._site.timeout_s,
        )  # fmt: skip


def write(folder: Path, name: str, text: str) -> None:
    """Write one of `render`'s files into a folder; nobody else reads it: some hold passwords."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}")
    part.touch(mode=0o700 if name in PROGRAMS else 0o600)
    part.write_text(text)
    part.replace(file)


def _read(file: Path) -> str | None:
    return file.read_text() if file.exists() else None


def _restore(folder: Path, name: str, text: str | None) -> None:
    if text is None:
        (folder / name).unlink(missing_ok=True)
    else:
        write(folder, name, text)
