"""Processes of this host, as the system tells of them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from podium.jobs.owner import dead_among, process_of


def end_session(leader: str, number: int) -> None:
    """Send a signal to what is left of the session that a process led, by its name.

    Its number may belong to another process by now, which then leads a session of its own: that
    is left alone.
    """
    pid, started = int(process_of(leader)), leader.split("/")[-1]
    if dead_among([leader]) and _stat(pid)[:1] not in ([], ["Z"], ["X"]):
        return
    for one in session_of(pid):
        state = _stat(one)
        if state and started.isdigit() and int(state[19]) >= int(started):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(one, number)


def session_of(pid: int) -> list[int]:
    """Return the processes of the session that a process leads or has led."""
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [one for one in found if (state := _stat(one)) and state[3] == str(pid)]


def memory_of(pid: int) -> int:
    """Return the memory that the session of a process holds, in bytes, shared pages counted once.

    Where the system does not tell shares, that of each process is added up.
    """
    return sum(_proportional(one) for one in session_of(pid))


def _proportional(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


def _stat(pid: int) -> list[str]:
    """Return what the system tells of a process, from its state on; nothing if there is none."""
    try:
        # The name before may hold spaces.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
