"""A certificate that nobody vouches for, to try HTTPS with: browsers warn of it."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from pathlib import Path
from typing import Final

from podium.errors import ServeError
from podium.production.site import Certificate

DAYS: Final = 365
RENEWED_DAYS: Final = 30
"""So long before its end a certificate is made anew."""


def self_signed(domain: str, folder: Path) -> Certificate:
    """Return a certificate for a domain and for this host, made if there is none that will do.

    Raises:
        ServeError: openssl is missing, or cannot make one.
    """
    certificate = own_certificate(folder)
    if not _will_do(certificate, domain):
        folder.mkdir(parents=True, exist_ok=True)
        _openssl(*_making(domain, certificate))
        certificate.key.chmod(0o600)
    return certificate


def own_certificate(folder: Path) -> Certificate:
    """Return where such a certificate lies, whether it is made or not."""
    return Certificate(folder / "self-signed.pem", folder / "self-signed.key")


def _making(domain: str, certificate: Certificate) -> list[str]:
    names = dict.fromkeys([domain, "localhost", "127.0.0.1", "::1"])
    listed = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
    return ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", str(DAYS), "-subj", "/CN=Podium", "-addext", f"subjectAltName={listed}",
            "-addext", "extendedKeyUsage=serverAuth",
            "-keyout", str(certificate.key), "-out", str(certificate.chain)]  # fmt: skip


def _will_do(certificate: Certificate, domain: str) -> bool:
    if not (certificate.chain.is_file() and certificate.key.is_file()):
        return False
    asked = "-checkip" if _is_address(domain) else "-checkhost"
    look = ("x509", "-noout", "-in", str(certificate.chain))
    lasts = _openssl(*look, "-checkend", str(RENEWED_DAYS * 86400), fails=True)
    fits = _openssl(*look, asked, domain, fails=True)  # asked together, only one is answered
    return "will not expire" in lasts and "does match certificate" in fits


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _openssl(*arguments: str, fails: bool = False) -> str:
    """Run openssl and return what it says; it may fail where that is an answer, too."""
    binary = shutil.which("openssl")
    if binary is None:
        raise ServeError(
            "A self-signed certificate needs openssl: apt-get install openssl. Or give one of your "
            "own: `podium up` takes it with --tls-cert and --tls-key, a container as PODIUM_TLS."
        )
    done = subprocess.run(  # noqa: S603  a list, not a shell's text
        [binary, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode and not fails:
        raise ServeError(f"openssl cannot make a certificate: {done.stderr.strip()}")
    return done.stdout
