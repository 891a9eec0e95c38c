"""A site's facts, from what the command line and podium.toml say."""

from __future__ import annotations

import socket

from podium.errors import ServeError
from podium.operate.account import account_of
from podium.operate.front import nginx_program, nginx_version
from podium.operate.home import Home, Options
from podium.operate.tls import certificate_of
from podium.operate.variables import read_variables
from podium.production.gunicorn import worker_count
from podium.production.site import OLDEST_NGINX, Site
from podium.spec import Spec


def site_of(home: Home, options: Options, spec: Spec, make: bool = True) -> Site:
    """Return the facts from which all files of a site are made.

    Where it is only looked at, not to `make` it, no certificate is made, and nginx need not be
    there.

    Raises:
        ServeError: nginx is missing, the certificate cannot be used, or podium.toml has other
            hosts.
    """
    if spec.server.hosts and options.domain not in spec.server.hosts:
        raise ServeError(
            f"[server] hosts does not list {options.domain}, so that nobody would be answered. "
            f"Add it to podium.toml, or choose with --domain: {', '.join(spec.server.hosts)}"
        )
    certificate = certificate_of(options, home.folder / "tls", make)
    user, group = account_of(home.state)
    variables = read_variables(options.env_file) if options.env_file else {}
    base_path = spec.server.base_path if options.base_path is None else options.base_path
    return Site(
        name=home.state.name, folder=home.folder, state=home.state, spec=spec,
        database=options.database, domain=options.domain, http_port=options.http_port,
        https_port=options.https_port, certificate=certificate,
        base_path=base_path, proxies=spec.server.proxies,
        workers=worker_count(spec, options.workers), threads=spec.server.threads,
        user=user, group=group, nginx=_nginx_version(make), ipv6=_has_ipv6(),
        variables=variables,
    )  # fmt: skip


def _nginx_version(needed: bool) -> tuple[int, ...]:
    try:
        return nginx_version(nginx_program())
    except ServeError:
        if needed:
            raise
        return OLDEST_NGINX


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True
