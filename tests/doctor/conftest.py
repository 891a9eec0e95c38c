"""A real server of an application, and what stands before it on an address that is not local."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import structs

from podium.doctor import Report, Wishes, bodies, examine, visitor
from podium.operate.self_signed import self_signed
from podium.production.site import Certificate, Site
from tests.support.faults import write_faults
from tests.support.front import NOTHING, fronted, served_at, site_of
from tests.support.missing import program

BASE = "/faults"
HOST = "127.0.0.2"
"""Another address of this machine, which the doctor does not take for it."""
LIMITS = 'upload = "100 kB"\ndataset = "300 kB"'


class Served(NamedTuple):
    """A server's application and socket, and a folder with a short path for what is before it."""

    app: Path
    socket: Path
    folder: Path


def served(limits: str, *options: str, access: str = "", x: float = -3) -> Iterator[Served]:
    """Serve an application; the answer to its example takes 0.3 s where that is SLOW."""
    with tempfile.TemporaryDirectory(prefix="podium-") as made:
        folder = Path(made)
        app = write_faults(folder / "app", limits)
        toml = app / "podium.toml"
        toml.write_text(toml.read_text().replace("example = -3", f"example = {x}") + access)
        with served_at(app, folder, "--proxies", "1", *options) as socket:
            yield Served(app, socket, folder)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A server below a path prefix."""
    yield from served(LIMITS, "--base-path", BASE)


def certificate(folder: Path, name: str = HOST, days: int = 365) -> Certificate:
    """Return a certificate signed by itself; one of -1 days has expired."""
    if days == 365:
        return self_signed(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    openssl = program("openssl", "openssl")
    chain, key, asked = (folder / name for name in ("own.pem", "own.key", "own.csr"))
    (folder / "names").write_text(f"subjectAltName=IP:{name}\n")
    for command in (
        ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=Podium", "-keyout", str(key), "-out", str(asked)],
        ["x509", "-req", "-in", str(asked), "-signkey", str(key), "-days", str(days),
         "-extfile", str(folder / "names"), "-out", str(chain)],
    ):  # fmt: skip
        subprocess.run([openssl, *command], check=True, capture_output=True)  # noqa: S603
    return Certificate(chain, key)


Examine = Callable[..., Report]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doctor's slow body be quick, and its patience short."""
    monkeypatch.setattr(bodies, "PAUSE_S", 0.02)
    monkeypatch.setattr(visitor, "TAKEN_S", 0.1)


@pytest.fixture
def examined(quick: None) -> Iterator[Examine]:  # noqa: ARG001  it makes the doctor quick
    """Put nginx before a server, as `podium up` does but for `changes`, and examine it."""
    with ExitStack() as stack:

        def look(
            server: Served, changes: Mapping[str, str] = NOTHING, *, tls: bool = True,
            shown: Certificate | None = None, base: str = BASE, live: bool = True, **wishes: Any,
        ) -> Report:  # fmt: skip
            made = tempfile.TemporaryDirectory(prefix="podium-", dir=server.folder)
            folder = Path(stack.enter_context(made))
            site = site_of(server.app, folder / "site", base_path=base)
            own = shown or certificate(folder / "tls")
            site = structs.replace(site, domain=HOST, certificate=own if tls else None)
            stack.enter_context(fronted(site, server.socket if live else None, changes))
            wishes = {"insecure": True, "http_port": site.http_port, **wishes}
            return examine(address_of(site), Wishes(**wishes), lambda _: None)

        yield look


def address_of(site: Site) -> str:
    """Return the address of a site's page."""
    return site.url


def told(report: Report, verdict: str = "wrong") -> dict[str, str]:
    """Return what was seen, by what was looked at, of one verdict."""
    return {one.check: one.seen for one in report.findings if one.verdict == verdict}


def mends(report: Report) -> str:
    """Return all that is said to be done."""
    return "\n".join(one.mend for one in report.findings if one.verdict in ("wrong", "warning"))
