"""`podium doctor`: a live address, examined from outside against what is published of it."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from podium.doctor import bodies, delivery, service, tls
from podium.doctor.finding import Finding, well, wrong
from podium.doctor.patient import Patient
from podium.doctor.proxies import proxy_of, time_setting, who
from podium.doctor.visitor import BROWSER, Address, Told, Visitor
from podium.folder import parse

Check = Callable[[Patient], Iterator[Finding]]

CHECKS: Final[tuple[Check, ...]] = (
    tls.certificate, tls.protocols, tls.redirect, tls.hsts, tls.http2,
    service.is_ready, service.versions, service.limits_agree, service.prediction,
    bodies.upload, bodies.dataset, bodies.slow_body, bodies.long_answer,
    delivery.prefix, delivery.generated, delivery.client_address,
    delivery.security_headers, delivery.compression, delivery.assets,
    service.keeps_connections, service.request_ids, service.errors,
    service.page_refused, service.metrics, service.other_sites,
)  # fmt: skip
"""What is looked at, in this order; each looks at one thing and tells what it found."""


class Wishes(Struct, frozen=True, kw_only=True):
    """How an address is examined; `folder` has its podium.toml, `logs` what its server writes."""

    folder: Path | None = None
    logs: Path | None = None
    key: str | None = None
    insecure: bool = False
    http_port: int | None = None
    full: bool = False


class Report(Struct, frozen=True, kw_only=True):
    """What was found at an address."""

    address: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return all(one.verdict != "wrong" for one in self.findings)


def examine(url: str, wishes: Wishes, tell: Callable[[Finding], None]) -> Report:
    """Examine a live address; `tell` hears of each finding at once.

    Raises:
        ServeError: it is no address.
        SpecError: the folder's podium.toml has mistakes.
    """
    address, found = Address.parse(url), list[Finding]()

    def hear(findings: Iterator[Finding]) -> None:
        for finding in findings:
            found.append(finding)
            tell(finding)

    spec = parse(wishes.folder).spec if wishes.folder else None
    reached = _reach(address, wishes)
    if isinstance(reached, Finding):
        hear(iter([reached]))
    else:
        address = reached.address
        hear(_at_home(reached, wishes))
        if found[0].verdict == "ok":
            patient = Patient(
                visitor=reached, page=reached.get("/", BROWSER), api=_api(reached), spec=spec,
                logs=wishes.logs, http_port=wishes.http_port, full=wishes.full,
                insecure=wishes.insecure,
            )  # fmt: skip
            for check in CHECKS:
                hear(_guarded(check, patient))
    return Report(address=address.url, findings=tuple(found))


def _guarded(check: Check, patient: Patient) -> Iterator[Finding]:
    """Look at one thing; no answer is a finding, too."""
    name = check.__name__.replace("_", " ")
    try:
        yield from check(patient)
    except (OSError, http.client.HTTPException) as err:
        told = str(err) or type(err).__name__
        yield wrong(name, f"no answer: {told}", "an answer",
                    "the connection was ended before it: a proxy's time-out, or the server's end. "
                    "podium logs DIR")  # fmt: skip


def _reach(address: Address, wishes: Wishes) -> Visitor | Finding:
    """Return who can ask, by HTTPS where plain HTTP leads there; or why nobody answers."""
    check = "reachable"
    try:
        socket.getaddrinfo(address.host, address.port)
    except OSError as err:
        return wrong(check, f"{address.host} is no name that leads anywhere: {err}",
                     "an address (A or AAAA) in the DNS", "add it where the domain is kept, and "
                     "wait until it is known; or is it misspelt?")  # fmt: skip
    try:
        return _visitor(address, wishes)
    except (ssl.SSLError, http.client.BadStatusLine) as err:
        return wrong(check, f"{address.origin} does not speak {address.scheme.upper()}: {err}",
                     "the scheme that the port has", "https:// or http://, and the right port?"
        )  # fmt: skip
    except (OSError, http.client.HTTPException) as err:
        return wrong(check, f"nobody answers at {address.origin}: {err}", "an answer",
                     "podium status DIR on its host; is the port open in the host's firewall and "
                     "the provider's?")  # fmt: skip


def _visitor(address: Address, wishes: Wishes) -> Visitor:
    if address.scheme == "http":
        told = Visitor(address, None).get("/healthz")
        led = told.headers.get("Location", "")
        if led.startswith("https://") and Address.parse(led).host == address.host:
            to = Address.parse(led)
            return _visitor(to._replace(base=to.base.removesuffix("/healthz")), wishes)
        return Visitor(address, None, wishes.key if address.is_local else None)
    trusted = tls.is_trusted(address)
    # Whom the certificate does not vouch for gets no key, unless that is asked for.
    key = wishes.key if trusted or wishes.insecure else None
    return Visitor(address, tls.context_of(trusted), key)


def _at_home(visitor: Visitor, wishes: Wishes) -> Iterator[Finding]:
    """Look that it is Podium that answers, below this path."""
    told, url = visitor.get("/healthz"), visitor.address.url
    if told.status == 200 and told.json == {"status": "alive"}:
        yield well("reachable", f"{url} answers in {told.seconds * 1000:.0f} ms")
        if wishes.key and not visitor.key:
            yield wrong("key", "is not sent: the connection is not to be trusted", "HTTPS with a "
                        "certificate that holds", "mend that first; or --insecure, where you know "
                        "who answers")  # fmt: skip
        return
    yield wrong("reachable", f"{who(told)}: {told.brief}", f"{url}healthz tells that it is alive",
                _way_home(visitor, told))  # fmt: skip


def _way_home(visitor: Visitor, told: Told) -> str:
    """Return what to do where something else answers, or nothing behind a proxy."""
    base, detail = visitor.address.base, told.problem or ""
    home = detail.removeprefix("The application is at ").rstrip("/")
    if detail.startswith("The application is at "):
        if home == base:
            return (f"the proxy takes {base} away before it asks, or doubles it: nginx: proxy_pass "
                    "without a path; or [server] base_path = \"\"")  # fmt: skip
        return f"ask there: podium doctor {visitor.address.origin}{home}/"
    if told.status in (502, 503):
        return (
            f"{proxy_of(told).name} answers, the application behind it does not: podium status DIR"
        )
    if told.status in (504, 524):
        return time_setting(told, None)
    return "is this the application's address, with its path prefix?"


def _api(visitor: Visitor) -> dict[str, object]:
    try:
        told = visitor.get("/openapi.json")
    except (OSError, http.client.HTTPException):
        return {}
    return told.json if told.status == 200 and isinstance(told.json, dict) else {}
