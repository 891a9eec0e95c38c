"""What proxies say of their client: its address, and whether it came by HTTPS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def forwarded(app: WSGIApplication, proxies: int) -> WSGIApplication:
    """Return an application whose requests have passed so many proxies.

    Each adds the address it sees to X-Forwarded-For: what stands further left came from the client,
    and may be made up. The host is what the Host header says, and the path prefix is known: headers
    that claim either are not heard.
    """
    return ProxyFix(app, x_for=proxies, x_proto=1) if proxies else app
