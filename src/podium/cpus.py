"""How many processors this process may use, and whether it may use threads for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_QUOTAS: Final = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
"""Where a quota and its period stand, in microseconds: in cgroup v2, and in v1.

Source: the kernel's documentation of both; none is "max" in v2, and -1 in v1.
"""

_alone = False


def work_alone() -> None:
    """Let this process start no threads from now on: some hosts of WSGI applications run none."""
    global _alone
    _alone = True


def works_alone() -> bool:
    """Whether this process starts no threads."""
    return _alone


def available_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the whole processors that affinity and the container's CPU quota allow, at least 1."""
    if _alone:
        return 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limit = float(affinity or 1)
    for files in _QUOTAS:
        with suppress(OSError, ValueError):  # another version of cgroups, or no quota
            quota, period = " ".join((cgroup / file).read_text() for file in files).split()
            limit = int(quota) / int(period) if int(quota) > 0 else limit
    return max(1, min(affinity or 1, int(limit)))
