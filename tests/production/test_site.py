"""The facts of a site, and what follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.production.gunicorn import serve_command
from podium.production.site import Certificate, Site
from podium.spec import Limits
from podium.strict import Period
from tests.production.test_gunicorn import spec

CERTIFICATE = Certificate(Path("/c.pem"), Path("/k.pem"))


def site(certificate: Certificate | None = None, http: int = 80, https: int = 443) -> Site:
    """Return the facts of a site."""
    return Site(
        name="a", folder=Path("/s/a/site"), state=Path("/s/a"), domain="example.org",
        spec=spec(limits=Limits(timeout=Period(1.5))), base_path="/p", database="postgresql://h/d",
        http_port=http, https_port=https, certificate=certificate,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "url"),
    [
        (site(), "http://example.org/p/"),
        (site(http=8080), "http://example.org:8080/p/"),
        (site(CERTIFICATE), "https://example.org/p/"),
        (site(CERTIFICATE, https=8443), "https://example.org:8443/p/"),
    ],
)
def test_url(made: Site, url: str) -> None:
    """The address is as a visitor types it, without the port that goes without saying."""
    assert made.url == url


def test_time_outs_rise_outwards() -> None:
    """Parts of a second count as whole; nginx waits longer than the server takes to give up."""
    assert (site().timeout_s, site().stop_s) == (2 + 45, 2 + 10)


def test_command_of_a_slot() -> None:
    """A slot has its socket; the state is the application's, whichever release is served."""
    command, environment = serve_command(site(), "b", Path("/s/a/site/releases/1f"))
    assert command[1:] == [
        "-m", "podium", "serve", "/s/a/site/releases/1f", "--socket", "/s/a/site/run/b.sock",
        "--proxies", "1", "--base-path", "/p", "--workers", "1", "--threads", "8",
        "--state", "/s", "--key", "a",
    ]  # fmt: skip
    assert environment == {"PODIUM_DATABASE": "postgresql://h/d"}
