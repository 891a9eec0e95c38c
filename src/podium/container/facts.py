"""An application in containers: the facts from which all its files are made."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from podium.bundle.lock import Lock
from podium.bundle.packages import Packages
from podium.production.site import Certificate, Site
from podium.spec import Spec

USER: Final = 10001
"""Nobody on the host; a number, so that whoever runs the image can see that it is not root."""
APPLICATION: Final = Path("/app")
STATE: Final = Path("/state")
FRONT: Final = Path("/podium")
"""What the server and nginx share, each in volumes of its own."""
PORT: Final = 8080
"""Where the image listens without Compose, and nginx for plain HTTP."""
SECURE_PORT: Final = 8443
"""Where nginx listens for HTTPS; to listen on others is nobody's right but root's."""


class Container(Struct, frozen=True, kw_only=True):
    """One application: its name as Compose takes it, its image's, what it installs.

    `lock` stands in for what is only wished for in `packages`. `wheel` is the file name of
    Podium's.
    """

    name: str
    tag: str
    spec: Spec
    packages: Packages
    lock: Lock | None
    wheel: str

    @property
    def python_image(self) -> str:
        """The usual base image."""
        return f"python:{self.packages.target.python}-slim-bookworm"

    @property
    def site(self) -> Site:
        """What nginx's files are made of, whatever the address will be."""
        return site_of(self.name, self.spec)

    @property
    def health(self) -> list[str]:
        """The command that tells whether the server is ready, before a socket if one follows."""
        host = self.spec.server.hosts[0] if self.spec.server.hosts else "localhost"
        path = f"{self.spec.server.base_path}/readyz"
        return ["python", "-m", "podium.container.health", path, host]


def site_of(
    name: str, spec: Spec, domain: str = "_", https_port: int = SECURE_PORT, front: Path = FRONT
) -> Site:
    """Return a site's facts as nginx sees them in its container."""
    return Site(
        name=name, folder=front, state=STATE, spec=spec, domain=domain, http_port=PORT,
        https_port=https_port, certificate=certificate_of(front / "tls"),
        base_path=spec.server.base_path, proxies=spec.server.proxies,
        access_log=Path("/dev/stdout"), reached=front / "run" / "reached.conf",
    )  # fmt: skip


def certificate_of(folder: Path) -> Certificate:
    """Return where the certificate lies, by the names that certbot gives."""
    return Certificate(folder / "fullchain.pem", folder / "privkey.pem")
