"""Links that are turned in one step."""

from __future__ import annotations

from pathlib import Path


def turn_link(link: Path, target: str) -> None:
    """Let a link lead to another place; who follows it finds the old place or the new one."""
    part = link.with_name(f".{link.name}")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(link)
