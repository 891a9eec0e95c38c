"""All files of a site, as text: what `podium up` writes, and what it shows with --dry-run."""

from __future__ import annotations

from typing import Final

from podium.production.certbot import certbot_files
from podium.production.nginx import nginx_files
from podium.production.site import Site
from podium.production.systemd import systemd_files

FOLDERS: Final = ("acme", "cache", "logs", "run", "slots", "tls")
"""What must be there beside the files, in the site's folder."""
PROGRAMS: Final = frozenset({"certbot/renewed.sh"})
"""The files that are run: mode 700."""


def render(site: Site) -> dict[str, str]:
    """Return every file of a site, by its path in the site's folder; all may be private to it."""
    return {**nginx_files(site), **systemd_files(site), **certbot_files(site)}
