"""Servers that stand before an application: how they are told apart, and what they call things.

Settings and limits are those of each one's own documentation, which stands above it, as of November
2026. No live account of a hosting platform was asked.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from podium.doctor.visitor import Told
from podium.production.nginx import FORM_BYTES
from podium.production.refusals import REFUSALS

PODIUM: Final = "Podium"
PODIUMS_NGINX: Final = "the nginx of `podium up`"


class Proxy(Struct, frozen=True, kw_only=True):
    """A kind of server: what its answers show, and its settings for sizes and for waiting."""

    name: str
    server: str
    """What the Server header, or a page of its own, has in it: a regular expression."""
    size: str
    time: str


PROXIES: Final = (
    # developers.cloudflare.com/support/troubleshooting/http-status-codes: Error 413, Error 524.
    Proxy(name="Cloudflare", server="cloudflare",
          size="Maximum Upload Size (Network), within what the plan allows; or DNS only for this "
          "name",
          time="Proxy Read Timeout, which only Enterprise plans can change (others: 100 to 120 s)"),
    # docs.aws.amazon.com/elasticloadbalancing/latest/application: load balancer attributes; Lambda.
    Proxy(name="an AWS load balancer", server="awselb",
          size="no setting; a limit is documented for Lambda functions alone, 1 MB",
          time="the load balancer's attribute idle_timeout.timeout_seconds"),
    # docs.cloud.google.com/run: quotas; configuring/request-timeout. The server speaks no HTTP/2.
    Proxy(name="Google Cloud", server="Google Frontend",
          size="no setting: Cloud Run takes 32 MiB in one request of HTTP/1",
          time="gcloud run services update --timeout (at most 3600 s)"),
    # learn.microsoft.com: iis/configuration, requestLimits; App Service, web-apps-performance-faqs.
    Proxy(name="IIS", server="Microsoft-IIS",
          size="requestFiltering/requestLimits maxAllowedContentLength in web.config",
          time="no setting on Azure App Service, which waits 230 s"),
    # httpd.apache.org/docs/2.4/mod: core, mod_proxy.
    Proxy(name="Apache", server="Apache", size="LimitRequestBody", time="ProxyTimeout"),
    # caddyserver.com/docs/caddyfile/directives: request_body, reverse_proxy.
    Proxy(name="Caddy", server="Caddy", size="request_body { max_size ... }",
          time="reverse_proxy { transport http { response_header_timeout ... } }"),
    # envoyproxy.io/docs/envoy: the buffer filter; the FAQ's page of timeouts.
    Proxy(name="Envoy", server="envoy", size="max_request_bytes of the buffer filter",
          time="the route's timeout (15 s when left out)"),
    # HAProxy's examples/errorfiles/504.http, and docs.haproxy.org: timeout server, req.body_size.
    Proxy(name="HAProxy", server="The server didn't respond in time",
          size="http-request deny with req.body_size", time="timeout server"),
    # nginx.org/en/docs/http: ngx_http_core_module, ngx_http_proxy_module.
    Proxy(name="nginx", server="nginx|openresty", size="client_max_body_size",
          time="proxy_read_timeout"),
)  # fmt: skip
UNKNOWN: Final = Proxy(
    name="a proxy",
    server="",
    size="the largest body (nginx: client_max_body_size)",
    time="how long an answer is awaited (nginx: proxy_read_timeout)",
)
_NGINX: Final = next(proxy for proxy in PROXIES if proxy.name == "nginx")


def proxy_of(told: Told) -> Proxy:
    """Return which kind of server gave an answer that is not the application's."""
    if told.problem in REFUSALS.values():
        return _NGINX
    shown = " ".join([*told.headers.get_all("Server", []), *told.headers.get_all("Via", []),
                      told.text[:2000]])  # fmt: skip
    return next((one for one in PROXIES if re.search(one.server, shown, re.I)), UNKNOWN)


def who(told: Told) -> str:
    """Return who gave an answer: the application itself, or somebody before it."""
    if is_own(told):
        return PODIUM
    return PODIUMS_NGINX if told.problem in REFUSALS.values() else proxy_of(told).name


def is_own(told: Told) -> bool:
    """Whether an answer is the application's own, and no proxy's: its policy names scripts."""
    policy = " ".join(told.headers.get_all("Content-Security-Policy", []))
    return "script-src" in policy


def size_setting(told: Told, key: str, limit: int, path: str) -> str:
    """Return what to set where a proxy takes less than the application."""
    proxy = proxy_of(told)
    if proxy is _NGINX:
        return (
            f"nginx, in `location = {path}`: client_max_body_size {limit + FORM_BYTES}; or write "
            f"nginx's files anew with `podium up`, or lower [limits] {key}"
        )
    return f"{proxy.name}: {proxy.size}; or lower [limits] {key} to what it takes"


def time_setting(told: Told, wanted_s: int | None) -> str:
    """Return what to set where a proxy does not wait for an answer."""
    proxy = proxy_of(told)
    if proxy is _NGINX:
        most = f"{wanted_s}s" if wanted_s else "more than [limits] timeout"
        return f"nginx: proxy_read_timeout {most}; and proxy_send_timeout the same"
    return f"{proxy.name}: {proxy.time}; or lower [limits] timeout"
