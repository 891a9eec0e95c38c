"""What proxies say of their client counts by their number."""

from __future__ import annotations

from typing import Any

import pytest

from podium.web.forwarded import forwarded


def seen(proxies: int, **headers: str) -> tuple[str, str, str, str]:
    """Return address, scheme, host and prefix as the application sees them."""
    environ: dict[str, Any] = {
        "REMOTE_ADDR": "10.0.0.1", "wsgi.url_scheme": "http", "HTTP_HOST": "example.org",
        "SCRIPT_NAME": "", **headers,
    }  # fmt: skip
    app = forwarded(lambda _environ, _start: (), proxies)
    app(environ, lambda *_: lambda _: None)
    names = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SCRIPT_NAME")
    return tuple(environ[name] for name in names)


@pytest.mark.parametrize(
    ("proxies", "address"),
    [(0, "10.0.0.1"), (1, "192.0.2.3"), (2, "192.0.2.2"), (3, "192.0.2.1"), (4, "10.0.0.1")],
)
def test_address_is_the_one_that_the_first_proxy_saw(proxies: int, address: str) -> None:
    """It is counted from the end, where proxies add; with fewer than told nothing is believed."""
    told = "192.0.2.1, 192.0.2.2, 192.0.2.3"
    assert seen(proxies, HTTP_X_FORWARDED_FOR=told)[0] == address


@pytest.mark.parametrize(("proxies", "scheme"), [(0, "http"), (1, "https"), (2, "https")])
def test_scheme_is_the_last_proxy_s_word(proxies: int, scheme: str) -> None:
    """However many proxies there are, the last one tells how the client came."""
    assert seen(proxies, HTTP_X_FORWARDED_PROTO="https")[1] == scheme


def test_host_and_prefix_are_not_taken_from_headers() -> None:
    """A client could make up both, and neither is needed."""
    told = {"HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_X_FORWARDED_PREFIX": "/evil"}
    assert seen(1, **told)[2:] == ("example.org", "")
