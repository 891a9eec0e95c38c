"""Told to a server's own Python over ssh: print as JSON what it has; nothing is changed.

It runs before anything is installed there, so it needs nothing but Python, of 3.7 on. Arguments:
the application's folder, and the domain.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

ELSEWHERE = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"
MARK = ".made-by-podium"
"""The file that tells a folder which `podium deploy` has made; it holds the application's name."""
LOCK = ".lock"
"""The file that a command holds which changes something in the folder."""
WHOLE = ".whole"
"""The file of an environment with all its packages."""


def server(folder: Path) -> dict[str, Any]:
    """Return what the server is, whatever of the application is there."""
    return {
        "python": list(sys.version_info[:2]), "machine": platform.machine(),
        "system": platform.system(), "user": os.environ.get("USER") or str(os.getuid()),
        "root": os.geteuid() == 0, "first_port": _first_port(), "lingers": _lingers(),
        "venv": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
        "compiles": bool(_program("cc")) and Path(
            sysconfig.get_paths()["include"], "Python.h").exists(),
        "missing": [name for name in ("nginx", "openssl", "flock", "tar") if not _program(name)],
        "free": shutil.disk_usage(_there(folder)).free, "memory": _meminfo(),
        "killed": _killed(), "folder": str(folder),
    }  # fmt: skip


def application(folder: Path, domain: str) -> dict[str, Any]:
    """Return what there is of the application."""
    versions = {path.parent.name: json.loads(path.read_text())
                for path in folder.glob("versions/[!.]*/settings.json")}  # fmt: skip
    status = _status(folder, versions)
    current = (folder / "current").resolve().name
    return {
        "exists": _holds(folder), "mark": _text(folder / MARK),
        "versions": versions, "current": current, "status": status,
        "up": any(folder.glob("state/*/site/site.json")),
        "served": _text(folder / "versions" / current / "served"),
        "environments": [path.parent.name for path in folder.glob("environments/*/" + WHOLE)
                         if os.access(str(path.parent / "bin" / "python"), os.X_OK)],
        "certificate": _certificate(folder, domain),
        "self_signed": _first(folder.glob("state/*/site/tls/self-signed.pem")),
    }  # fmt: skip


def _status(folder: Path, versions: dict[str, Any]) -> Any:
    """Return what `podium status --json` tells; None where it tells nothing."""
    if not (folder / "podium").exists() or not versions:
        return None
    command = [str(folder / "podium"), "status", str(folder / "app"), "--json",
               "--state", str(folder / "state")]  # fmt: skip
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,  # noqa: S603
                              stderr=subprocess.DEVNULL)  # fmt: skip
        return json.loads(done.stdout.decode())
    except (OSError, ValueError):  # its Python may be gone
        return None


def _certificate(folder: Path, domain: str) -> bool:
    """Whether there is one of certbot's, that `podium up` would take."""
    places = [*folder.glob("state/*/site/tls"), Path("/etc/letsencrypt/live") / domain]
    return any(os.access(str(place / "fullchain.pem"), os.R_OK)
               and os.access(str(place / "privkey.pem"), os.R_OK) for place in places)  # fmt: skip


def _program(name: str) -> Any:
    return shutil.which(name) or shutil.which(name, path=ELSEWHERE)


def _first_port() -> int:
    text = _text(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start"))
    return 0 if os.geteuid() == 0 else int(text or 1024)


def _lingers() -> bool:
    """Whether what a user runs goes on once nobody is logged in; without systemd it does."""
    if os.geteuid() == 0 or not Path("/run/systemd/system").is_dir():
        return True
    return Path("/var/lib/systemd/linger", os.environ.get("USER", "")).exists()


def _meminfo() -> int:
    """Return the memory that is available, in bytes; 0 where it is not told."""
    for line in (_text(Path("/proc/meminfo")) or "").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _killed() -> int:
    """Return how many processes were ended since the host's start for want of memory."""
    for line in (_text(Path("/proc/vmstat")) or "").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def _there(folder: Path) -> str:
    """Return the folder, or the first above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return str(folder)


def _holds(folder: Path) -> bool:
    """Whether there is anything in a folder but the lock, which is made first of all."""
    return folder.exists() and any(path.name != LOCK for path in folder.iterdir())


def _first(files: Any) -> Any:
    for file in files:
        return _text(file)
    return None


def _text(file: Path) -> Any:
    try:
        return file.read_text()
    except OSError:
        return None


if __name__ == "__main__":
    place = Path.home() / sys.argv[1]
    print(json.dumps({**server(place), **application(place, sys.argv[2])}))
