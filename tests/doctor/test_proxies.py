"""Who has answered, told from the answer alone, and which setting of theirs it takes."""

from __future__ import annotations

from email.message import Message

import pytest

from podium.doctor.proxies import PODIUM, PODIUMS_NGINX, size_setting, time_setting, who
from podium.doctor.visitor import Told
from podium.production.refusals import REFUSALS

ENDINGS = "; or lower [limits] upload to what it takes", "; or lower [limits] timeout"


def answered(status: int, body: str = "", **headers: str) -> Told:
    """Return an answer of a proxy."""
    told = Message()
    for name, value in headers.items():
        told[name.replace("_", "-")] = value
    return Told(status, told, body.encode(), 0.1, True)


OTHERS = {
    "Cloudflare": (answered(524, Server="cloudflare"), "Maximum Upload Size", "Proxy Read Timeout"),
    "an AWS load balancer": (
        answered(504, Server="awselb/2.0"), "no setting", "idle_timeout.timeout_seconds"
    ),
    "Google Cloud": (
        answered(504, Server="Google Frontend"), "32 MiB", "gcloud run services update --timeout"
    ),
    "IIS": (answered(413, Server="Microsoft-IIS/10.0"), "maxAllowedContentLength", "230 s"),
    "Apache": (answered(502, Server="Apache/2.4.62"), "LimitRequestBody", "ProxyTimeout"),
    "Caddy": (answered(200, Server="gunicorn", Via="1.1 Caddy"), "max_size",
              "response_header_timeout"),
    "Envoy": (answered(504, Server="envoy"), "max_request_bytes", "the route's timeout"),
    "HAProxy": (
        answered(504, "<h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n"),
        "req.body_size", "timeout server",
    ),
    "a proxy": (answered(504), "client_max_body_size", "proxy_read_timeout"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_proxy_is_known_by_its_answer(name: str) -> None:
    """It is called by its name, and its own settings are named, or that there is none."""
    told, size, time = OTHERS[name]
    assert who(told) == name
    said = size_setting(told, "upload", 100, "/predict"), time_setting(told, 75)
    for words, setting, ending in zip(said, (size, time), ENDINGS, strict=True):
        assert words.startswith(f"{name}: ")
        assert setting in words
        assert words.endswith(ending)


@pytest.mark.parametrize("server", ["nginx", "openresty/1.27.1.1"])
def test_settings_of_nginx_have_their_values(server: str) -> None:
    """Of nginx, which `podium up` sets up, the very lines are told."""
    told = answered(413, Server=server)
    assert who(told) == "nginx"
    assert size_setting(told, "upload", 100_000, "/n/predict") == (
        "nginx, in `location = /n/predict`: client_max_body_size 165536; or write nginx's files "
        "anew with `podium up`, or lower [limits] upload"
    )
    assert time_setting(told, 75) == (
        "nginx: proxy_read_timeout 75s; and proxy_send_timeout the same"
    )


def test_own_answers_are_told_from_those_of_the_nginx_before_them() -> None:
    """The application is known by its policy, the nginx of `podium up` by its words."""
    own = answered(413, Content_Security_Policy="default-src 'none'; script-src 'self'")
    words = f'{{"detail": "{REFUSALS[413]}"}}'
    assert who(own) == PODIUM
    assert who(answered(413, words, Content_Type="application/problem+json", Server="Caddy")) == (
        PODIUMS_NGINX
    )
