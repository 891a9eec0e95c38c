"""What nginx needs before it starts: a certificate, and under which address it is reached.

`python -m podium.container.certificate` runs once, as a service of its own, whenever Compose brings
the application up.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from podium.container.facts import APPLICATION, FRONT, certificate_of, site_of
from podium.errors import PodiumError, ServeError
from podium.folder import parse
from podium.operate.self_signed import self_signed
from podium.operate.tls import check_pair
from podium.production.nginx import reached_file


class Asked(NamedTuple):
    """What the environment says: the name and the port outside, and where the maker's files are."""

    domain: str
    https_port: int
    own: str = ""

    @classmethod
    def of_environment(cls) -> Asked:
        """Return what Compose passes on."""
        return cls(os.environ["PODIUM_DOMAIN"], int(os.environ["PODIUM_HTTPS_PORT"]),
                   os.environ["PODIUM_TLS"])  # fmt: skip


def prepare(
    name: str, asked: Asked, application: Path = APPLICATION, front: Path = FRONT
) -> None:  # fmt: skip
    """Make a certificate unless the maker has one, and write down how the site is reached.

    Raises:
        PodiumError: the maker's cannot be used, or podium.toml has other hosts.
    """
    spec = parse(application).spec
    if spec.server.hosts and asked.domain not in spec.server.hosts:
        raise ServeError(
            f"[server] hosts does not list {asked.domain}, so that nobody would be answered. "
            f"Choose with PODIUM_DOMAIN, or add it to podium.toml: {', '.join(spec.server.hosts)}"
        )
    site = site_of(name, spec, asked.domain, asked.https_port, front)
    assert site.reached is not None
    if asked.own:
        _check(front / "tls", asked.own)
    else:
        _sign(front / "tls", asked.domain)
    site.reached.write_text(reached_file(site))


def _check(folder: Path, own: str) -> None:
    certificate, user = certificate_of(folder), os.geteuid()
    for file in (certificate.chain, certificate.key):
        if not os.access(file, os.R_OK):
            raise ServeError(
                f"PODIUM_TLS={own}: {file.name} is not there, or user {user} may not read it. Put "
                f"fullchain.pem and privkey.pem there, both of that user (chown {user}), or leave "
                "PODIUM_TLS out: then a certificate is made to try it with."
            )
    check_pair(certificate)


def _sign(folder: Path, domain: str) -> None:
    made, named = self_signed(domain, folder), certificate_of(folder)
    for link, file in ((named.chain, made.chain), (named.key, made.key)):
        link.unlink(missing_ok=True)
        link.symlink_to(file.name)


if __name__ == "__main__":
    try:
        prepare(sys.argv[1], Asked.of_environment())
    except PodiumError as error:
        sys.exit(f"podium: {error}")
