"""nginx in a container: files of the same source as `podium up`, and what its start tells it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from msgspec import structs

from podium.container.certificate import Asked, prepare
from podium.container.facts import site_of
from podium.errors import ServeError
from podium.folder import parse
from podium.operate.self_signed import self_signed
from podium.production.site import Site
from tests.support.apps import write_colours, write_weights
from tests.support.front import ask, free_ports, fronted, refused

LISTED = "weights.example"
"""The host that the application of weights answers to, below /lab/weights."""


@pytest.fixture
def front(tmp_path: Path) -> Path:
    """Return a folder as nginx has it in its container."""
    for name in ("run", "tls"):
        (tmp_path / "front" / name).mkdir(parents=True)
    return tmp_path / "front"


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """Return an application that answers to every host."""
    return write_colours(tmp_path / "colours")


def site_here(app: Path, front: Path, domain: str = "localhost") -> Site:
    """Return a container's site as this host can run it."""
    http_port, https_port = free_ports()
    root = "root" if os.geteuid() == 0 else ""
    made = site_of("app", parse(app).spec, front=front)
    return structs.replace(made, http_port=http_port, https_port=https_port, access_log=None,
                           user=root, group=root, domain=domain)  # fmt: skip


def test_nginx_takes_its_files(tmp_path: Path, front: Path) -> None:
    """Once it is told how the site is reached, nginx finds nothing wrong in its files."""
    weights = write_weights(tmp_path / "weights")
    site = site_here(weights, front)
    assert "reached.conf" in refused(site)
    prepare("app", Asked(LISTED, 443), weights, front)
    assert refused(site) == ""


@pytest.mark.parametrize(
    ("port", "address"), [(443, "https://localhost/x?y=1"), (9443, "https://localhost:9443/x?y=1")]
)
def test_http_leads_to_the_port_outside(
    port: int, address: str, colours: Path, front: Path
) -> None:
    """Where nginx listens for itself is nobody's business."""
    prepare("app", Asked("localhost", port), colours, front)
    with fronted(site_here(colours, front), None) as site:
        told = ask(site, "/x?y=1", scheme="http")
        mistaken = ask(site, "/x?y=1", scheme="http", port=site.https_port)
    assert [(one.status, one.headers["Location"]) for one in (told, mistaken)] == [
        (308, address), (308, address),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "held"), [("localhost", None), ("birds.example.org", "max-age=63072000")]
)
def test_browsers_keep_to_https_at_a_name(
    domain: str, held: str | None, colours: Path, front: Path
) -> None:
    """At localhost they must not: other ports of it have no HTTPS."""
    prepare("app", Asked(domain, 443), colours, front)
    with fronted(site_here(colours, front, domain), None) as site:
        told = ask(site, "/")
    assert (told.status, told.headers["Strict-Transport-Security"]) == (502, held)


def test_certificate_is_made_for_the_name(colours: Path, front: Path) -> None:
    """It has the names that certbot gives its files, is made once, and anew for another name."""
    chain = front / "tls" / "fullchain.pem"
    prepare("app", Asked("birds.example.org", 443), colours, front)
    first = chain.read_bytes()
    prepare("app", Asked("birds.example.org", 8443), colours, front)
    assert chain.read_bytes() == first
    prepare("app", Asked("bees.example.org", 443), colours, front)
    assert chain.read_bytes() != first


def test_makers_certificate_is_left_as_it_is(colours: Path, front: Path) -> None:
    """With PODIUM_TLS nothing is written to that folder."""
    made = self_signed("localhost", front)
    files = {"fullchain.pem": made.chain.read_bytes(), "privkey.pem": made.key.read_bytes()}
    for name, content in files.items():
        (front / "tls" / name).write_bytes(content)
    prepare("app", Asked("localhost", 443, "./tls"), colours, front)
    assert {file.name: file.read_bytes() for file in (front / "tls").iterdir()} == files


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"PODIUM_TLS=\./tls: fullchain\.pem is not there, or user \d+ may not read it"),
        ({"fullchain.pem": "x"}, r"PODIUM_TLS=\./tls: privkey\.pem is not there, or user \d+ may"),
        ({"fullchain.pem": "x", "privkey.pem": "y"}, "are no certificate with its key"),
    ],
    ids=["none", "no key", "neither"],
)
def test_makers_certificate_that_cannot_be_used(
    files: dict[str, str], message: str, colours: Path, front: Path
) -> None:
    """It is told which file is wrong, and nginx is not told of it."""
    for name, text in files.items():
        (front / "tls" / name).write_text(text)
    with pytest.raises(ServeError, match=message):
        prepare("app", Asked("localhost", 443, "./tls"), colours, front)
    assert list((front / "run").iterdir()) == []


def test_host_that_is_not_listed(tmp_path: Path, front: Path) -> None:
    """A name that [server] hosts lacks would be answered by nothing but refusals."""
    weights = write_weights(tmp_path / "weights")
    told = (
        "[server] hosts does not list localhost, so that nobody would be answered. Choose with "
        "PODIUM_DOMAIN, or add it to podium.toml: 127.0.0.1, weights.example"
    )
    with pytest.raises(ServeError, match=re.escape(told)):
        prepare("app", Asked("localhost", 443), weights, front)
