"""An application in production on one host: the facts from which all its files are made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from podium.spec import Spec

SLOTS: Final = ("a", "b")
"""Two servers take turns: while one serves, the other gets ready with what is new."""
HUNG_S: Final = 30
"""So much longer than a request may take Gunicorn waits for a worker, before it kills it."""
MARGIN_S: Final = 45
"""So much longer than a request may take nginx waits, so that what the server says arrives."""
STALLED_S: Final = 60
STALLED_ELSEWHERE_S: Final = 10
"""How long a data set, and any other body, may stand still before whoever reads it has something
better to do."""
HEADER_BYTES: Final = 8192
"""The longest line of a request's head, with its end: the most that Gunicorn takes."""
FORGED: Final = ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Prefix")
"""Headers in which a client may claim what it likes, and which nobody hears."""
DRAIN_S: Final = 10
"""So much longer than its requests may take a server has to end, before it is killed."""

OLDEST_NGINX: Final = (1, 22, 1)
"""The oldest version that the files are tried with; later ones take them too."""


class Certificate(Struct, frozen=True):
    """A certificate with its chain, and its private key: PEM files."""

    chain: Path
    key: Path


class Site(Struct, frozen=True, kw_only=True):
    """One application on this host, under one name.

    `folder` holds all that is made: configuration, sockets, logs, releases. `state` is the
    application's state folder, whose jobs are in `database` if that is named. Without a
    certificate the site has plain HTTP alone. `proxies` stand before nginx and add to
    X-Forwarded-For. With root's rights, the programs run as `user` of `group`; without them both
    are "". `nginx` is the version of the binary, `ipv6` whether this host has it. `access_log` is
    nginx's, in the folder when left out, and `variables` its servers' environment. Where only its
    start tells how the site is reached, as in a container, nginx reads that from `reached`.
    """

    name: str
    folder: Path
    state: Path
    spec: Spec
    database: str | None = None
    domain: str = "localhost"
    http_port: int = 80
    https_port: int = 443
    certificate: Certificate | None = None
    base_path: str = ""
    proxies: int = 0
    workers: int = 1
    threads: int = 8
    user: str = ""
    group: str = ""
    nginx: tuple[int, ...] = OLDEST_NGINX
    ipv6: bool = False
    access_log: Path | None = None
    reached: Path | None = None
    variables: Mapping[str, str] = {}

    def socket(self, slot: str) -> Path:
        """Where the server in a slot listens."""
        return self.folder / "run" / f"{slot}.sock"

    @property
    def live(self) -> Path:
        """The link to the socket of the slot that serves.

        It is replaced in one step, which no connection notices; a reload of nginx closes those of
        clients that wait, maybe when their next request is on its way.
        """
        return self.folder / "run" / "live.sock"

    @property
    def cache(self) -> Path:
        """Where nginx keeps what it writes besides the log."""
        return self.folder / "cache"

    @property
    def nginx_pid(self) -> Path:
        """Where nginx writes the id of its main process."""
        return self.cache / "nginx.pid"

    def release(self, slot: str) -> Path:
        """The link to the release that a slot serves."""
        return self.folder / "slots" / slot

    @property
    def timeout_s(self) -> int:
        """How long nginx waits for an answer, in seconds."""
        return math.ceil(self.spec.limits.timeout) + MARGIN_S

    @property
    def stop_s(self) -> int:
        """How long a server has to finish what it has, in seconds."""
        return math.ceil(self.spec.limits.timeout) + DRAIN_S

    @property
    def origin(self) -> str:
        """The site's address without its path, as a visitor types it."""
        scheme, port, usual = (
            ("https", self.https_port, 443) if self.certificate else ("http", self.http_port, 80)
        )
        return f"{scheme}://{self.domain}" + (f":{port}" if port != usual else "")

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"{self.origin}{self.base_path}/"
