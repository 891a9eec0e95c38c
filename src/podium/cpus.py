"""How many processors this process may use."""

from __future__ import annotations

import os
from pathlib import Path


def available_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the whole processors that affinity and the container's CPU quota allow, at least 1.

    Source: the kernel's cgroup v2 documentation; cpu.max holds "quota period" in microseconds.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        limit = int(quota) / int(period)
    except (OSError, ValueError):  # no cgroup v2, or "max"
        limit = float(affinity or 1)
    return max(1, min(affinity or 1, int(limit)))
