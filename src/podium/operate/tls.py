"""The certificate of a site: given, made by certbot, signed by itself, or none."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final

from podium.errors import ServeError
from podium.operate.home import Options
from podium.operate.self_signed import own_certificate, self_signed
from podium.production.site import Certificate

CERTBOT: Final = Path("/etc/letsencrypt/live")


def certificate_of(options: Options, folder: Path, make: bool = True) -> Certificate | None:
    """Return a site's certificate; one signed by itself is made in `folder`, if need be.

    Without an option it is the one that certbot's hook has put there, or that certbot keeps.

    Raises:
        ServeError: a file cannot be read, or one without the other is given.
    """
    if options.tls_cert or options.tls_key:
        return _given(options)
    if options.tls_off:
        return None
    if options.tls_self_signed:
        return self_signed(options.domain, folder) if make else own_certificate(folder)
    for place in (folder, CERTBOT / options.domain):
        chain, key = place / "fullchain.pem", place / "privkey.pem"
        if os.access(chain, os.R_OK) and os.access(key, os.R_OK):
            return Certificate(chain, key)
    return None


def _given(options: Options) -> Certificate:
    if options.tls_cert is None or options.tls_key is None:
        lacking = "--tls-key" if options.tls_cert else "--tls-cert"
        raise ServeError(f"{lacking} is missing: a certificate and its key belong together.")
    for file in (options.tls_cert, options.tls_key):
        if not os.access(file, os.R_OK):
            raise ServeError(f"{file} cannot be read.")
    certificate = Certificate(options.tls_cert.absolute(), options.tls_key.absolute())
    check_pair(certificate)
    return certificate


def check_pair(certificate: Certificate) -> None:
    """Look whether a certificate and a key belong together.

    Raises:
        ServeError: they do not, or the key is locked.
    """
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            certificate.chain, certificate.key, password=lambda: b""
        )
    except (ssl.SSLError, ValueError) as err:
        raise ServeError(
            f"{certificate.chain} and {certificate.key} are no certificate with its key, which "
            f"must have no passphrase: {err}"
        ) from err
