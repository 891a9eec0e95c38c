"""TLS: the certificate, the versions and ciphers of the protocol, and who is sent to it."""

from __future__ import annotations

import re
import socket
import ssl
import time
import warnings
from collections.abc import Iterator
from typing import Any, Final

from podium.doctor.finding import Finding, unknown, warning, well, wrong
from podium.doctor.patient import Patient
from podium.doctor.visitor import Address, Visitor

SHAKE_S: Final = 15.0
RENEW_DAYS: Final = 21
"""Certbot renews 30 days before the end: with fewer left, its renewal does not work."""
LEAST_HSTS_S: Final = 180 * 86400
_ANY_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name."""
_WEAK: Final = "kRSA:aNULL:eNULL:3DES:RC4:EXPORT:@SECLEVEL=0"
"""Ciphers without forward secrecy, without a certificate, or broken."""
_SELF_SIGNED, _UNKNOWN_ISSUER = (18, 19), (20, 21)
"""OpenSSL's numbers of what is wrong with a chain."""


def context_of(verified: bool = True) -> ssl.SSLContext:
    """Return how connections are made: as browsers do, or with whoever answers."""
    if verified:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def is_trusted(address: Address) -> bool:
    """Whether a browser would take the certificate.

    Raises:
        OSError: nobody answers, or speaks no TLS.
    """
    try:
        _shake(address, context_of())
    except ssl.SSLCertVerificationError:
        return False
    return True


def certificate(patient: Patient) -> Iterator[Finding]:
    """Look at the certificate: its chain, its names, and how long it holds."""
    address = patient.visitor.address
    if address.scheme == "http":
        return
    _, told = _shake(address, context_of(False))
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(cadata=told)
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_ANY_TIME)
    yield from _chain(address, patient.insecure)
    yield from _names(address, trusting)
    trusting.check_hostname = False
    shown, _ = _shake(address, trusting)
    yield from _days(shown)


def protocols(patient: Patient) -> Iterator[Finding]:
    """Look which versions of TLS are spoken, and that weak ciphers are refused."""
    address, check = patient.visitor.address, "TLS versions"
    if address.scheme == "http":
        return
    versions = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2,
                ssl.TLSVersion.TLSv1_3)  # fmt: skip
    spoken = [version.name.replace("v", " ").replace("_", ".") for version in versions
              if _speaks(address, version)]  # fmt: skip
    old = [name for name in spoken if name in ("TLS 1", "TLS 1.1")]
    wanted, mend = "TLS 1.2 and 1.3 alone", "nginx: ssl_protocols TLSv1.2 TLSv1.3"
    if old:
        yield wrong(check, f"{' and '.join(old)} is spoken, which is broken", wanted, mend)
    elif "TLS 1.3" not in spoken:
        yield warning(check, f"only {', '.join(spoken)}", wanted, mend)
    else:
        yield well(check, " and ".join(spoken))
    yield from _ciphers(address)


def redirect(patient: Patient) -> Iterator[Finding]:
    """Look that plain HTTP is sent on to HTTPS: the right host, port, path and query."""
    address, check = patient.visitor.address, "redirect to HTTPS"
    if address.scheme == "http":
        yield from _plain(address)
        return
    port = patient.http_port or (80 if address.port == 443 else None)
    if port is None:
        yield unknown(check, f"the port of plain HTTP beside {address.port} is not known",
                      "tell it: --http-port N")  # fmt: skip
        return
    path = "/docs?doctor=1"
    wanted = f"308 to {address.origin}{address.base}{path}"
    mend = f"nginx, on port {port}: return 308 {address.origin}$request_uri;"
    try:
        told = Visitor(Address("http", address.host, port, address.base), None).get(path)
    except OSError as err:
        yield warning(check, f"nobody answers on port {port}: {err}", wanted, mend)
        return
    location = told.headers.get("Location", "")
    if told.status not in (301, 302, 303, 307, 308) or not location.startswith("https:"):
        yield wrong(check, f"HTTP is answered on port {port}: {told.brief}", wanted, mend)
    elif location != f"{address.origin}{address.base}{path}":
        yield wrong(check, f"HTTP is sent to {location}", wanted, mend)
    elif told.status not in (307, 308):
        yield warning(check, f"{told.status}, which makes a GET of a POST", wanted, mend)
    else:
        yield well(check, f"{told.status} to {location}")


def hsts(patient: Patient) -> Iterator[Finding]:
    """Look that browsers are told to stay with HTTPS."""
    address, check = patient.visitor.address, "HSTS"
    if address.scheme == "http":
        return
    told = patient.page.headers.get_all("Strict-Transport-Security", [])
    wanted = f"Strict-Transport-Security: max-age of at least {LEAST_HSTS_S}, once"
    mend = 'nginx: add_header Strict-Transport-Security "max-age=63072000" always;'
    if address.is_local:
        shown = "it would hold for all ports of this name" if told else "left out for this name"
        yield well(check, f"{address.host}: {shown}")
        return
    age = re.search(r"max-age=(\d+)", told[0]) if told else None
    if len(told) == 1 and age and int(age[1]) >= LEAST_HSTS_S:
        yield well(check, told[0])
    else:
        seen = "not there" if not told else "; ".join(told)
        yield warning(check, seen if len(told) < 2 else f"there {len(told)} times: {seen}",
                      wanted, mend if len(told) < 2 else "let one server alone add it")  # fmt: skip


def http2(patient: Patient) -> Iterator[Finding]:
    """Look that HTTP/2 is offered."""
    address = patient.visitor.address
    if address.scheme == "http":
        return
    context = context_of(False)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        _connected(address) as plain,
        context.wrap_socket(plain, server_hostname=address.host) as secure,
    ):
        chosen = secure.selected_alpn_protocol()
    if chosen == "h2":
        yield well("HTTP/2", "is offered")
    else:
        yield warning("HTTP/2", f"only {chosen or 'HTTP/1.1'}", "HTTP/2, which loads the page's "
                      "files over one connection", "nginx: listen 443 ssl http2; from 1.25.1 on: "
                      "http2 on;")  # fmt: skip


def _plain(address: Address) -> Iterator[Finding]:
    if address.is_local:
        yield well("TLS", "plain HTTP, of this machine to itself")
    else:
        yield wrong("TLS", f"{address.origin} is served without encryption: everybody on the way "
                    "reads and changes what is sent", "HTTPS",
                    f"podium up DIR --domain {address.host}, with a certificate of certbot; or let "
                    "the proxy before it speak TLS")  # fmt: skip


def _chain(address: Address, insecure: bool) -> Iterator[Finding]:
    check = "certificate chain"
    context = context_of()
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags(_ANY_TIME)
    try:
        _shake(address, context)
    except ssl.SSLCertVerificationError as err:
        code, words = err.verify_code, err.verify_message
        wanted = "a chain to an authority that browsers know"
        mend = "sudo certbot certonly --webroot ..., then podium up DIR (certbot/README.txt)"
        if code in _UNKNOWN_ISSUER:
            mend = ("send the certificates between yours and the authority's, too (nginx: "
                    "ssl_certificate fullchain.pem); or it is from an authority of your own"
            )  # fmt: skip
        told = f"{words}: browsers warn of it"
        # Who says --insecure knows it; all else that is wrong with a certificate is told.
        yield (warning if insecure else wrong)(check, told, wanted, mend + (
            "" if insecure else "; to try the rest: --insecure"))  # fmt: skip
    else:
        yield well(check, "leads to an authority that browsers know")


def _names(address: Address, trusting: ssl.SSLContext) -> Iterator[Finding]:
    try:
        _shake(address, trusting)
    except ssl.SSLCertVerificationError as err:
        yield wrong("certificate name", err.verify_message, f"a certificate for {address.host}",
                    f"sudo certbot certonly ... -d {address.host}; or ask for the name that it is "
                    "for")  # fmt: skip
    else:
        yield well("certificate name", f"is for {address.host}")


def _days(shown: dict[str, Any]) -> Iterator[Finding]:
    check, until = "certificate dates", str(shown["notAfter"])
    begins = ssl.cert_time_to_seconds(str(shown["notBefore"]))
    left = (ssl.cert_time_to_seconds(until) - time.time()) / 86400
    wanted = f"at least {RENEW_DAYS} days left"
    mend = "sudo certbot renew (why not by itself: sudo certbot renew --dry-run); podium up DIR"
    if left < 0:
        yield wrong(check, f"it has expired {-left:.0f} days ago, on {until}", wanted, mend)
    elif begins > time.time():
        yield wrong(check, f"it begins on {shown['notBefore']}", "one that holds now",
                    "set the clock of the host that made it, or of this one")  # fmt: skip
    elif left < RENEW_DAYS:
        yield warning(check, f"{left:.0f} days left, until {until}", wanted, mend)
    else:
        yield well(check, f"{left:.0f} days left, until {until}")


def _ciphers(address: Address) -> Iterator[Finding]:
    context = context_of(False)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_WEAK)
    with _connected(address) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=address.host) as secure:
                cipher = secure.cipher()
        except OSError:
            yield well("TLS ciphers", "those without forward secrecy are refused")
            return
    yield wrong("TLS ciphers", f"{cipher[0] if cipher else 'a weak one'} is taken",
                "only ciphers with forward secrecy (ECDHE) that encrypt and sign in one",
                "nginx: ssl_ciphers as `podium up --dry-run` writes them")  # fmt: skip


def _speaks(address: Address, version: ssl.TLSVersion) -> bool:
    context = context_of(False)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of old versions, tried on purpose
            context.maximum_version = version
            context.minimum_version = version
        _shake(address, context)
    except (OSError, ValueError):
        return False
    return True


def _shake(address: Address, context: ssl.SSLContext) -> tuple[dict[str, Any], bytes]:
    """Return the certificate that is shown: what it says, if it was verified, and its bytes."""
    with (
        _connected(address) as plain,
        context.wrap_socket(plain, server_hostname=address.host) as secure,
    ):
        return dict(secure.getpeercert() or {}), secure.getpeercert(binary_form=True) or b""


def _connected(address: Address) -> socket.socket:
    return socket.create_connection((address.host, address.port), SHAKE_S)
