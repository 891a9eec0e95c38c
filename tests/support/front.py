"""A real nginx before a real `podium serve --socket`."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email.message import Message
from email.parser import Parser
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from podium.folder import parse
from podium.operate.front import write
from podium.operate.home import make_folders
from podium.operate.self_signed import self_signed
from podium.production.nginx import nginx_command
from podium.production.render import render
from podium.production.site import Site
from tests.support.missing import program

START_S = 60.0
UNGIVEN = range(20_000, 32_000)
"""Below the ports that Linux gives by itself; source: ip(7), ip_local_port_range."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class Told(NamedTuple):
    """What curl was answered."""

    status: int
    version: str
    headers: Message
    body: bytes


def ask(site: Site, path: str, *options: str, scheme: str = "", port: int = 0) -> Told:
    """Return what a site answers at its own name, over TLS whose certificate is right."""
    scheme = scheme or ("https" if site.certificate else "http")
    port = port or (site.https_port if scheme == "https" else site.http_port)
    with tempfile.TemporaryDirectory() as folder:
        head, body = Path(folder, "head"), Path(folder, "body")
        trust = ["--cacert", str(site.certificate.chain)] if site.certificate else []
        command = [program("curl", "curl"), "-sS", "--max-time", "20", "--path-as-is", *trust,
                   "--connect-to", "::127.0.0.1:", "-D", str(head), "-o", str(body),
                   "-w", "%{http_code} %{http_version}", *options,
                   f"{scheme}://{site.domain}:{port}{path}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stderr
        status, version = done.stdout.split()
        headers = head.read_text().strip().split("\n\n")[-1].partition("\n")[2]
        return Told(int(status), version, Parser().parsestr(headers),
                    body.read_bytes() if body.exists() else b"")  # fmt: skip


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on."""
    one, other = free_port(), free_port()
    return (one, other) if one != other else free_ports()


def free_port() -> int:
    """Return a port that nobody listens on, nor is given to anybody unasked.

    A server that ends for a while would else find it taken by another test's connection.
    """
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", secrets.choice(UNGIVEN)))
            return int(probe.getsockname()[1])


def site_of(app: Path, folder: Path, tls: bool = False, **facts: Any) -> Site:
    """Return the facts of a site on free ports, whose user is the one who runs the tests."""
    certificate = self_signed("example.org", folder / "tls") if tls else None
    root = "root" if os.geteuid() == 0 else ""
    http_port, https_port = free_ports()
    return Site(
        name="test-site", folder=folder, state=folder.parent, spec=parse(app).spec,
        domain="example.org", http_port=http_port, https_port=https_port,
        certificate=certificate, user=root, group=root, **facts,
    )  # fmt: skip


def write_site(site: Site) -> None:
    """Write the files of a site."""
    make_folders(site.folder)
    for name, text in render(site).items():
        write(site.folder, name, text)


def refused(site: Site) -> str:
    """Return what nginx says against a site's files; nothing if they are right."""
    write_site(site)
    command = [*nginx_command(site, program("nginx", "nginx-light")), "-t", "-q"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr  # noqa: S603


class Served(NamedTuple):
    """A server on a Unix socket."""

    socket: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its main process."""
        return self.process.pid

    def get(self, path: str) -> str:
        """Return the body of what it answers."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(self.socket))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            received = b"".join(iter(lambda: client.recv(65536), b""))
        return received.partition(b"\r\n\r\n")[2].decode()


@contextmanager
def served_at(app: Path, folder: Path, *options: str) -> Iterator[Path]:
    """Serve an application on a Unix socket; its log is server.log in `folder`."""
    with serving_at(app, folder, *options) as served:
        yield served.socket


@contextmanager
def serving_at(app: Path, folder: Path, *options: str) -> Iterator[Served]:
    """Serve an application on a Unix socket, with one worker if nothing else is said."""
    path = folder / "a.sock"
    command = [sys.executable, "-m", "podium", "serve", str(app), "--socket", str(path),
               "--workers", "1", "--state", str(folder / "state"), *options]  # fmt: skip
    with _process(command, folder / "server.log") as process:
        _wait(lambda: _answers(path), process, folder / "server.log")
        yield Served(path, process)


@contextmanager
def fronted(
    site: Site, server: Path | None, changes: Mapping[str, str] = NOTHING
) -> Iterator[Site]:
    """Run nginx with a site's files, before a server's socket or nobody.

    `changes` are words of site.conf, and what stands in their place.
    """
    write_site(site)
    file = site.folder / "nginx" / "site.conf"
    for words, others in changes.items():
        assert words in file.read_text(), words
        file.write_text(file.read_text().replace(words, others))
    if server is not None:
        site.live.symlink_to(server)
    log = site.folder / "logs" / "nginx.log"
    with _process(nginx_command(site, program("nginx", "nginx-light")), log) as process:
        _wait(lambda: _listens(site.http_port), process, log)
        yield site


@contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)  # noqa: S603
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(so: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not so():
        lives = process.poll() is None and time.monotonic() < deadline
        assert lives, log.read_text()
        time.sleep(0.05)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
            client.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return client.recv(64).split(b" ", 2)[1] in (b"200", b"404")
        except (OSError, IndexError):
            return False


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
