"""Certbot's part: how a domain gets a certificate that browsers trust, and keeps it."""

from __future__ import annotations

import shlex
from textwrap import indent
from typing import Final

from podium.production.site import Site

_RENEWED: Final = "certbot/renewed.sh"
_HOOK: Final = """#!/bin/sh
# Run by certbot, as root, with every new certificate: where nginx may read it, and is told.
set -eu
umask 077
owner=$(stat -c %u:%g {folder})
for name in fullchain.pem privkey.pem; do
    cp "$RENEWED_LINEAGE/$name" {tls}/"$name.new"
    chown "$owner" {tls}/"$name.new"
    mv {tls}/"$name.new" {tls}/"$name"
done
pid=$(cat {pid} 2>/dev/null) || exit 0
if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = nginx ]; then kill -HUP "$pid"; fi
"""

_HOW: Final = """A certificate for {domain} from Let's Encrypt
{line}

{domain} must lead to this host, and port 80 of it to this site, which answers certbot there.

1. Bring the site up without a certificate:

       podium up DIR --domain {domain}

2. Get one. Certbot renews it from then on, twice a day if need be, and runs the hook each time,
   which copies it to where nginx reads it:

{certonly}

3. Bring the site up again, which finds it:

       podium up DIR

To see that renewal works: sudo certbot renew --dry-run
"""


def certonly(site: Site) -> str:
    """Return the command that gets a certificate while the site serves, in two lines."""
    acme, hook = (shlex.quote(str(site.folder / name)) for name in ("acme", _RENEWED))
    return (
        f"sudo certbot certonly --webroot -w {acme} -d {site.domain} \\\n    --deploy-hook {hook}"
    )


def certbot_files(site: Site) -> dict[str, str]:
    """Return the hook that certbot runs, and what to do, by their paths in the site's folder."""
    quoted = {"folder": site.folder, "tls": site.folder / "tls", "pid": site.nginx_pid}
    words = {name: shlex.quote(str(path)) for name, path in quoted.items()}
    command = indent(certonly(site), " " * 7)
    line = "=" * len(f"A certificate for {site.domain} from Let's Encrypt")
    return {
        _RENEWED: _HOOK.format(**words),
        "certbot/README.txt": _HOW.format(domain=site.domain, line=line, certonly=command),
    }
