"""Who works on a job: a process, named so that others of its host can tell whether it lives."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path


def own_name() -> str:
    """Return the name of this process."""
    return name_of(os.getpid())


def name_of(pid: int) -> str:
    """Return the name of a process of this host."""
    return f"{_host()}/{pid}/{_started(pid) or 'unknown'}"


def dead_among(owners: Iterable[str]) -> set[str]:
    """Return the processes of this host that live no more; of another host nothing is known."""
    prefix = f"{_host()}/"
    return {owner for owner in owners if owner.startswith(prefix) and not _lives(owner)}


def process_of(owner: str) -> str:
    """Return the process id in a name."""
    return owner.split("/")[-2]


def _lives(owner: str) -> bool:
    started = owner.split("/")[-1]
    return started in ("unknown", _started(int(process_of(owner))))


def _host() -> str:
    """Return what names the host since its start, and the space in which process ids count."""
    boot = _read(Path("/proc/sys/kernel/random/boot_id"))
    try:
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        space = 0
    return f"{platform.node()[:100]}/{boot or 'unknown'}/{space}"


def _started(pid: int) -> str | None:
    """Return when a process started, in ticks of its host; None if it does not run."""
    # The name before may hold spaces; the state is the first field behind it, the start the 20th.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in "ZX" else None


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
