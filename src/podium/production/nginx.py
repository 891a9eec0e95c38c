"""nginx's files: an instance of its own, the site, and the servers behind it.

Everything is made from the facts of the site: no number stands here that the server has too.
"""

from __future__ import annotations

import math
import re
from typing import Final

from podium.production.notation import block, lines_of, mapping, quoted
from podium.production.refusals import ALIASES, REFUSALS, RETRY_S, SECURITY_POLICY, refusal_files
from podium.production.site import FORGED, HEADER_BYTES, STALLED_ELSEWHERE_S, STALLED_S, Site

FORM_BYTES: Final = 65_536
"""So much more than the server's limit nginx lets through, so that the server says what is wrong
in its own words; what is far beyond it ends here."""
CONNECTIONS: Final = 512
"""Requests of one client at once; beyond that it is refused, not the others."""
HSTS_S: Final = 2 * 365 * 86400
CIPHERS: Final = ":".join((
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
))  # fmt: skip
"""Of TLS 1.2: Mozilla's intermediate recommendation (wiki.mozilla.org/Security/Server_Side_TLS)
without the finite-field ones, which would need parameters of their own."""
HTTP2_ON: Final = (1, 25, 1)
"""Since this version HTTP/2 is a directive, and no word of `listen`."""


def nginx_files(site: Site) -> dict[str, str]:
    """Return nginx's files, by their paths in the site's folder.

    nginx.conf is an instance of its own, which needs no root on ports from 1024. It includes
    site.conf, which another nginx can include too, in its `http` block.
    """
    return {
        "nginx/nginx.conf": _instance(site),
        "nginx/upstream.conf": _upstream(site),
        "nginx/site.conf": _site(site),
        **{f"nginx/refusals/{name}": text for name, text in refusal_files().items()},
    }


def reached_file(site: Site) -> str:
    """Return the file `reached`: how the site is reached, for an nginx that others are told of."""
    name = f"${_name(site)}"
    return lines_of(
        mapping('""', f"{name}_port", ("default", f'"{_secure_port(site)}"')),
        mapping('""', f"{name}_hsts", ("default", f'"{_hsts(site)}"')),
    )


def nginx_command(site: Site, binary: str = "nginx") -> list[str]:
    """Return the command that runs the instance, in the foreground."""
    file = site.folder / "nginx" / "nginx.conf"
    return [binary, "-e", "stderr", "-p", str(site.folder), "-c", str(file), "-g", "daemon off;"]


def _instance(site: Site) -> str:
    folder = site.folder
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = [f"{kind}_temp_path {quoted(site.cache / kind)};" for kind in kinds]
    http = [
        *temporary,
        "default_type application/octet-stream;",
        "server_tokens off;",
        f"include {quoted(folder / 'nginx' / 'site.conf')};",
    ]
    return lines_of(
        "# Written by Podium, which writes it anew.",
        *([f"user {site.user} {site.group};"] if site.user else []),
        "worker_processes auto;",
        "worker_rlimit_nofile 8192;",
        f"worker_shutdown_timeout {site.stop_s}s;",
        f"pid {quoted(site.nginx_pid)};",
        "error_log stderr crit;",  # lesser ones quote whole addresses; the access log tells of them
        block("events", "worker_connections 4096;"),
        block("http", *http),
    )


def _upstream(site: Site) -> str:
    """Return the servers: thrice the one that serves, for a request that is asked again.

    `podium reload` turns the link to the other slot, of which nginx need not hear: its own reload
    closes kept connections, some with a request on their way. Only where a lost request is asked
    again are connections to the servers kept: those to the old slot end.

    When a worker is killed, a request may meet a kept connection of it in each of the first two
    entries. The third is the same socket by another address, whose connections are new.
    """
    entries = [f"server {quoted(f'unix:{site.live}')} max_fails=0;"] * 2
    fresh = f"unix:{site.live.parent}/./{site.live.name}"
    entries.append(f"server {quoted(fresh)} max_fails=0 backup;")
    return lines_of(
        block(f"upstream {_name(site)}", *entries),
        block(f"upstream {_name(site)}_kept", *entries, "keepalive 32;", "keepalive_timeout 60s;"),
    )


def _site(site: Site) -> str:
    return lines_of(
        "# Written by Podium, which writes it anew. Belongs into an http block.",
        *_maps(site),
        *_zones(site),
        *([f"include {quoted(site.reached)};"] if site.reached else []),
        f"include {quoted(site.folder / 'nginx' / 'upstream.conf')};",
        *([_redirecting_server(site)] if site.certificate else []),
        block("server", *_listen(site), *_server(site), *_refusals(site), *_locations(site)),
    )


def _maps(site: Site) -> list[str]:
    """Return the variables that requests are told apart by.

    What a proxy adds to X-Forwarded-For stands last: with N proxies before this one, the client is
    the Nth address from the end, and what is left of it may be made up.
    """
    name = f"${_name(site)}"
    maps = [
        # Unlike $host, the header has the port, which addresses of pages are made with.
        mapping("$http_host", f"{name}_host", ('""', "$host"), ("default", "$http_host")),
        mapping("$http_x_request_id", f"{name}_id",
             (r'"~^[A-Za-z0-9._-]{1,64}$"', "$http_x_request_id"), ("default", "$request_id")),
        # Who knows the whole id has the data set, or the answer; a query may hold what is secret.
        mapping("$request_uri", f"{name}_path",
             (r'"~^(?<podium_head>[^?]*/(?:datasets|answers)/[0-9a-f]{8})[0-9a-f]{24}'
              r'(?<podium_tail>[^?]*)"', '"$podium_head...$podium_tail"'),
             ('"~^(?<podium_whole>[^?]*)"', "$podium_whole"), ("default", '""')),
        # $request_method is GET where a refusal is sent.
        mapping("$request", f"{name}_method",
             (r'"~^(?<podium_method>[!-~]{1,20}) "', "$podium_method"), ("default", '""')),
        mapping("$http_accept", f"{name}_shape", ('"~*text/html"', "html"), ("default", "json")),
        mapping("$status", f"{name}_retry", *((str(a), str(b)) for a, b in RETRY_S.items()),
             ("default", '""')),
    ]  # fmt: skip
    if site.proxies:
        address = r"\[?(?<podium_client>[0-9.]{7,15}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\]?(?::\d+)?"
        later = rf"(?:,[^,]*){{{site.proxies - 1}}}"
        maps += [
            mapping("$http_x_forwarded_for", f"{name}_client",
                 (rf'"~(?:^|,)\s*{address}\s*{later}$"', "$podium_client"),
                 ("default", "$remote_addr")),
            mapping("$http_x_forwarded_proto", f"{name}_scheme",
                 (r'"~*(?:^|,)\s*https\s*$"', "https"), (r'"~*(?:^|,)\s*http\s*$"', "http"),
                 ("default", "$scheme")),
        ]  # fmt: skip
    if _rated(site):
        maps.append(mapping("$request_method", f"{name}_rated", ("POST", _client(site)),
                         ("default", '""')))  # fmt: skip
    return maps


def _zones(site: Site) -> list[str]:
    name = _name(site)
    zones = [
        f"limit_conn_zone {_client(site)} zone={name}_connections:10m;",
        f"proxy_cache_path {quoted(site.cache / 'static')} keys_zone={name}:1m max_size=100m "
        "inactive=7d use_temp_path=off;",
        f"log_format {name} escape=json {_log_format(site)};",
    ]
    rate = _rated(site)
    if rate:
        zones.append(f"limit_req_zone ${name}_rated zone={name}_rate:10m rate={rate[0]};")
    return zones


def _log_format(site: Site) -> str:
    """Return a line of the log as JSON: no query, no whole id, nothing that is sent."""
    name = f"${_name(site)}"
    texts = {
        "time": "$time_iso8601", "request_id": f"{name}_id", "client": _client(site),
        "method": f"{name}_method", "path": f"{name}_path", "protocol": "$server_protocol",
        "upstream_status": "$upstream_status", "upstream_seconds": "$upstream_response_time",
    }  # fmt: skip
    numbers = {"status": "$status", "bytes": "$bytes_sent", "seconds": "$request_time"}
    told = [f'"{key}":"{value}"' for key, value in texts.items()]
    told += [f'"{key}":{value}' for key, value in numbers.items()]
    return "'{" + ",".join(told) + "}'"


def _redirecting_server(site: Site) -> str:
    """Return the server that sends HTTP to HTTPS; 308 keeps a POST a POST."""
    return block(
        "server",
        *_listening(site, site.http_port),
        f"server_name {site.domain};",
        f"access_log {_log(site)};",
        _acme(site),
        block("location /", f"return 308 {_secure_address(site)};"),
    )


def _listen(site: Site) -> list[str]:
    if site.certificate is None:
        return _listening(site, site.http_port)
    directive = site.nginx >= HTTP2_ON
    words = "ssl" if directive else "ssl http2"
    return [*_listening(site, site.https_port, words), *(["http2 on;"] if directive else []),
            *_tls(site)]  # fmt: skip


def _listening(site: Site, port: int, words: str = "") -> list[str]:
    hosts = ["", "[::]:"] if site.ipv6 else [""]
    return [f"listen {host}{port}{f' {words}' if words else ''};" for host in hosts]


def _tls(site: Site) -> list[str]:
    assert site.certificate is not None
    return [
        f"ssl_certificate {quoted(site.certificate.chain)};",
        f"ssl_certificate_key {quoted(site.certificate.key)};",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        f"ssl_ciphers {CIPHERS};",
        "ssl_prefer_server_ciphers off;",  # phones without AES in hardware choose better
        "ssl_ecdh_curve X25519:prime256v1:secp384r1;",
        "ssl_session_timeout 1d;",
        f"ssl_session_cache shared:{_name(site)}_tls:10m;",
        "ssl_session_tickets off;",  # their key would undo forward secrecy until a restart
    ]


def _server(site: Site) -> list[str]:
    """Return what holds for all addresses."""
    name = _name(site)
    return [
        f"server_name {site.domain};",
        f"access_log {_log(site)};",
        *_security(site),
        f"client_max_body_size {site.spec.limits.upload + FORM_BYTES};",
        "client_body_buffer_size 256k;",
        f"client_body_timeout {STALLED_ELSEWHERE_S}s;",
        f"client_header_timeout {STALLED_ELSEWHERE_S}s;",
        f"large_client_header_buffers 4 {HEADER_BYTES};",
        "keepalive_timeout 75s;",
        "reset_timedout_connection on;",
        f"limit_conn {name}_connections {CONNECTIONS};",
        "limit_conn_status 429;",
        "proxy_http_version 1.1;",
        "proxy_redirect off;",
        "proxy_connect_timeout 5s;",
        f"proxy_send_timeout {site.timeout_s}s;",
        f"proxy_read_timeout {site.timeout_s}s;",
        "proxy_next_upstream_tries 2;",  # a kept connection that had ended does not count
        # What took its whole time once is not asked again.
        f"proxy_next_upstream_timeout {math.ceil(site.spec.limits.timeout)}s;",
        *_headers(site),
    ]


def _headers(site: Site, connection: str = "close") -> list[str]:
    """Return what the server is told of a request. One proxy, this one, is behind its word."""
    name = f"${_name(site)}"
    told = {
        "Host": f"{name}_host",
        "Connection": connection,
        "X-Forwarded-For": _client(site),
        "X-Forwarded-Proto": f"{name}_scheme" if site.proxies else "$scheme",
        "X-Request-Id": f"{name}_id",
        **dict.fromkeys(FORGED, '""'),
    }
    if not site.proxies:  # no proxy is there that could know a user: a client would say so itself
        told[site.spec.access.header] = '""'
    return [f"proxy_set_header {header} {value};" for header, value in told.items()]


def _locations(site: Site) -> list[str]:
    name, base, limits = _name(site), site.base_path, site.spec.limits
    rate = _rated(site)
    rated = (
        [f"limit_req zone={name}_rate burst={rate[1]} nodelay;", "limit_req_status 429;"]
        if rate
        else []
    )
    return [
        _acme(site),
        # Read whole before a server is asked, so that it can be asked again, and no slow sender
        # holds a thread.
        block(
            f"location = {base}/predict",
            *rated,
            f"proxy_pass http://{name}_kept;",
            "proxy_next_upstream error timeout non_idempotent;",
            # The server compresses all else itself, where that gives nothing away.
            "gzip on;",
            "gzip_proxied any;",
            "gzip_vary on;",
            "gzip_min_length 1000;",
            "gzip_types application/json;",
            *_headers(site, connection='""'),
        ),
        # Passed on as it arrives: it lies on disk once, not twice, and a server that will not take
        # it says so before gigabytes are sent. The server holds few of its threads for that.
        block(
            f"location = {base}/datasets",
            *rated,
            f"client_max_body_size {limits.dataset + FORM_BYTES};",
            f"client_body_timeout {STALLED_S}s;",
            "proxy_request_buffering off;",
            f"proxy_pass http://{name};",
        ),
        # Their addresses hold fingerprints: once sent, nginx has them, as they were compressed.
        block(
            f"location ^~ {base}/static/",
            f"proxy_cache {name};",
            "proxy_cache_key $uri;",
            "proxy_cache_lock on;",
            "proxy_hide_header X-Request-Id;",
            *_security(site),
            f"add_header X-Request-Id ${name}_id always;",
            f"proxy_pass http://{name}_kept;",
            *_headers(site, connection='""'),
        ),
        block("location /", *rated, f"proxy_pass http://{name};"),
    ]


def _refusals(site: Site) -> list[str]:
    """Return how errors are told that never reach the server, or are for want of one."""
    name = _name(site)
    pages = [f"error_page {status} /.podium/{status}.${name}_shape;" for status in REFUSALS]
    pages += [f"error_page {own} ={status} /.podium/{status}.${name}_shape;"
              for own, status in ALIASES.items()]  # fmt: skip
    if site.certificate:  # HTTP that came to the port of HTTPS
        pages.append(f"error_page 497 =308 {_secure_address(site)};")
    return [
        *pages,
        block(
            "location ^~ /.podium/",
            "internal;",
            "client_max_body_size 0;",  # else what is too large is so once more, on its way here
            f"alias {quoted(f'{site.folder}/nginx/refusals/')};",
            block("types", "application/problem+json json;", "text/html html;"),
            *_security(site),
            f"add_header Retry-After ${name}_retry always;",
            f"add_header X-Request-Id ${name}_id always;",
            "add_header X-Content-Type-Options nosniff always;",
            "add_header Cache-Control no-store always;",
            f'add_header Content-Security-Policy "{SECURITY_POLICY}" always;',
        ),
    ]


def _acme(site: Site) -> str:
    """Return where certbot proves that the domain is here, with or without TLS."""
    folder = quoted(site.folder / "acme")
    return block(
        "location ^~ /.well-known/acme-challenge/", f"root {folder};", "default_type text/plain;"
    )


def _security(site: Site) -> list[str]:
    """Return the header that keeps a browser from asking by HTTP again."""
    value = f"${_name(site)}_hsts" if site.reached else _hsts(site) and f'"{_hsts(site)}"'
    return [f"add_header Strict-Transport-Security {value} always;"] if value else []


def _hsts(site: Site) -> str:
    """Return for how long HTTPS holds, or "".

    It holds for all ports of a name, and so would take `podium serve` from localhost.
    """
    return f"max-age={HSTS_S}" if site.certificate and site.domain != "localhost" else ""


def _secure_address(site: Site) -> str:
    port = f"${_name(site)}_port" if site.reached else _secure_port(site)
    return f"https://$host{port}$request_uri"


def _secure_port(site: Site) -> str:
    return "" if site.https_port == 443 else f":{site.https_port}"


def _rated(site: Site) -> tuple[str, int] | None:
    """Return [access] rate as nginx takes it, with how many requests may come at once.

    Where clients are told apart by more than their addresses, the server counts them.
    """
    most = site.spec.access.most
    if most is None or site.spec.access.knows_clients:
        return None
    return f"{most.requests}r/{'s' if most.period_s == 1 else 'm'}", most.requests


def _client(site: Site) -> str:
    return f"${_name(site)}_client" if site.proxies else "$remote_addr"


def _log(site: Site) -> str:
    return f"{quoted(site.access_log or site.folder / 'logs' / 'access.log')} {_name(site)}"


def _name(site: Site) -> str:
    """Return the site's name in nginx, whose variables take letters, digits and underscores."""
    return "podium_" + re.sub(r"[^a-z0-9]", "_", site.name.lower())
