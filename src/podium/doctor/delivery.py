"""How answers travel: headers, compression, caching, the path prefix, and what proxies tell."""

from __future__ import annotations

import gzip
import re
import secrets
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

from podium.doctor.finding import Finding, unknown, warning, well, wrong
from podium.doctor.patient import JSON, Patient
from podium.doctor.visitor import BROWSER, Told, at_once
from podium.web.policy import PAGE_HEADERS, SECURITY_HEADERS

CLAIMED: Final = "203.0.113.7"
"""An address that nobody has (RFC 5737), which a client may claim."""
CLAIMED_HOST: Final = "podium-doctor.example"
_ADDRESSES: Final = ("href", "src", "action", "hx-get", "hx-post")
_LOGGED_S: Final = 3.0


class Links(HTMLParser):
    """The addresses in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the addresses of one element."""
        self.found += [value for name, value in attrs if name in _ADDRESSES and value]


def security_headers(patient: Patient) -> Iterator[Finding]:
    """Look that each security header is there once, as the application says it."""
    answer = patient.visitor.send("POST", "/predict", *at_once(b"{"), JSON)
    wanted = dict(SECURITY_HEADERS)
    yield from _headers("security headers of the page", patient.page,
                        {**wanted, **PAGE_HEADERS} if patient.is_open else wanted)  # fmt: skip
    yield from _headers("security headers of /predict", answer, wanted)


def compression(patient: Patient) -> Iterator[Finding]:
    """Look that the page is compressed, and only once."""
    told, check = patient.visitor.get("/", {**BROWSER, "Accept-Encoding": "gzip"}), "compression"
    codings = told.headers.get_all("Content-Encoding", [])
    wanted = "gzip, once"
    mend = ("let the application compress, or one server alone (nginx: gzip off, and no "
            "proxy_hide_header Content-Encoding)")  # fmt: skip
    if not codings:
        text = "the page comes as it is"
        yield warning(check, text, wanted, "let Accept-Encoding pass: nginx removes it with "
                      "proxy_set_header Accept-Encoding, and Content-Encoding with "
                      "proxy_hide_header")  # fmt: skip
        return
    try:
        text = gzip.decompress(told.body).decode("utf-8", "surrogateescape")
    except OSError as err:
        yield wrong(check, f"{', '.join(codings)}: {err}", wanted, mend)
        return
    if codings != ["gzip"] or text.encode("utf-8", "surrogateescape").startswith(b"\x1f\x8b"):
        yield wrong(check, f"the page is compressed more than once: {', '.join(codings)}", wanted,
                    mend)  # fmt: skip
    else:
        yield well(check, f"gzip, {len(told.body)} of {len(text.encode())} bytes")


def assets(patient: Patient) -> Iterator[Finding]:
    """Look that the page's own files are there, and kept: their addresses hold fingerprints."""
    own = [one for one in _own_links(patient) if "/static/" in one]
    if not own:
        yield unknown("page's files", "the page names none", "show a key: --key KEY")
        return
    answers = {path: patient.visitor.get(path) for path in own}
    failed = [f"{path}: {told.brief}" for path, told in answers.items() if told.status != 200]
    if failed:
        yield wrong("page's files", f"{len(failed)} of {len(own)} fail: {failed[0]}", "200",
                    "let all addresses below "
                    f"{patient.visitor.address.base}/static/ reach the application")  # fmt: skip
        return
    yield well("page's files", f"{len(own)} arrive")
    kept = [told.headers.get_all("Cache-Control", []) for told in answers.values()]
    other = next((one for one in kept if len(one) != 1 or "immutable" not in one[0]), None)
    if other is None:
        yield well("caching", kept[0][0])
    else:
        yield warning("caching", f"Cache-Control: {'; '.join(other) or 'not there'}", "public, "
                      "max-age=31536000, immutable, once", "nginx: no expires and no add_header "
                      "Cache-Control for /static/")  # fmt: skip


def prefix(patient: Patient) -> Iterator[Finding]:
    """Look that links, forms and redirects stay within the path prefix, and are not doubled."""
    base, check = patient.visitor.address.base, "path prefix"
    within = (
        f"[server] base_path = {base!r} (or podium up --base-path), and a proxy that passes the"
    )
    mend = f"{within} path as it is: nginx: proxy_pass without a path"
    links = [urlsplit(one).path for one in Links(patient.page.text).found
             if one.startswith("/") and not one.startswith("//")]  # fmt: skip
    wanted = f"all links begin with {base}/" if base else "links that begin with /"
    doubled = [one for one in links if base and one.startswith(f"{base}{base}/")]
    outside = [one for one in links if not f"{one}/".startswith(f"{base}/")]
    if doubled:
        yield wrong(check, f"it is doubled: {doubled[0]}", wanted, mend)
    elif outside:
        yield wrong(check, f"{len(outside)} of {len(links)} links lead out of it: {outside[0]}",
                    wanted, mend)  # fmt: skip
    elif base:
        yield well(check, f"{len(links)} links stay within {base}/")
    if base:
        yield from _slash(patient, mend)


def generated(patient: Patient) -> Iterator[Finding]:
    """Look that whole addresses that the application makes have scheme, host and port of this."""
    address, check = patient.visitor.address, "generated addresses"
    claims = {"X-Forwarded-Host": CLAIMED_HOST, "X-Forwarded-Prefix": "/podium-doctor"}
    told = patient.visitor.get("/docs", {**BROWSER, **claims})
    made = re.findall(r"(https?://[^\s\"'<>&]*)/predict\b", told.text)
    wanted = f"{address.origin}{address.base}"
    if told.status != 200 or not made:
        yield unknown(check, f"/docs shows none: {told.status}", "show a key: --key KEY")
        return
    mends = {
        "scheme": "nginx: proxy_set_header X-Forwarded-Proto $scheme; and [server] proxies = 1",
        "host": "nginx: proxy_set_header Host $http_host; which has the port, unlike $host",
        "prefix": f"[server] base_path = {address.base!r}",
        "claim": "remove X-Forwarded-Host and X-Forwarded-Prefix that a client sends",
    }
    odd = next((one for one in made if one != wanted), None)
    if odd is None:
        yield well(check, f"{wanted}/predict, whatever X-Forwarded-Host claims")
        return
    parts, right = urlsplit(odd), urlsplit(wanted)
    why = ("claim" if CLAIMED_HOST in odd or "podium-doctor" in odd else
           "scheme" if parts.scheme != right.scheme else
           "host" if parts.netloc != right.netloc else "prefix")  # fmt: skip
    yield wrong(check, f"{odd}/predict", f"{wanted}/predict", mends[why])


def client_address(patient: Patient) -> Iterator[Finding]:
    """Look that an address that a client claims is not believed, which only the log tells."""
    check, given = "client's address", f"doctor-{secrets.token_hex(8)}"
    told = patient.visitor.get("/healthz", {"X-Forwarded-For": CLAIMED, "X-Request-Id": given})
    if patient.logs is None or told.status != 200:
        yield unknown(check, "is told nowhere but in the log: it cannot be seen from outside",
                      "on its own host: podium doctor URL --dir DIR (and --state)")  # fmt: skip
        return
    line = _logged(patient, given)
    if line is None:
        yield unknown(check, f"no log of {patient.logs} has this request",
                      "on the host that serves: podium doctor URL --dir DIR")  # fmt: skip
    elif CLAIMED in line:
        yield wrong(check, f"the client's claim is believed: {line.strip()[:200]}",
                    "the address that the proxy saw", "[server] proxies must not count more "
                    "proxies than there are; nginx: proxy_set_header X-Forwarded-For "
                    "$remote_addr")  # fmt: skip
    else:
        yield well(check, f"the claim {CLAIMED} is not believed")


def _logged(patient: Patient, request_id: str) -> str | None:
    """Return the server's line of a request, which may take a moment."""
    assert patient.logs is not None
    deadline = time.monotonic() + _LOGGED_S
    while time.monotonic() < deadline:
        for log in sorted(patient.logs.glob("?.log")):
            with log.open(errors="replace") as lines:
                found = next((line for line in lines if request_id in line), None)
            if found is not None:
                return found
        time.sleep(0.1)
    return None


def _headers(check: str, told: Told, wanted: dict[str, str]) -> Iterator[Finding]:
    seen = {name: told.headers.get_all(name, []) for name in wanted}
    for name, values in seen.items():
        mends = {
            0: f"let it pass: nginx removes it with proxy_hide_header {name}",
            1: f"let no proxy change it: nginx: no add_header {name}",
        }
        if values != [wanted[name]]:
            doubled = f"let no proxy add it a second time: nginx: no add_header {name}"
            times = f"there {len(values)} times: " if len(values) > 1 else ""
            yield wrong(check, f"{name}: {times}{'; '.join(values) or 'not there'}",
                        f"once: {wanted[name]}", mends.get(len(values), doubled))  # fmt: skip
    if all(values == [wanted[name]] for name, values in seen.items()):
        yield well(check, f"{len(wanted)}, each once")


def _own_links(patient: Patient) -> list[str]:
    """Return the addresses of the page that lie on this site, below the base path."""
    address = patient.visitor.address
    whole = [urlsplit(urljoin(address.url, one)) for one in Links(patient.page.text).found]
    own = [one.path for one in whole if one.netloc == urlsplit(address.origin).netloc]
    return sorted({one.removeprefix(address.base) for one in own})


def _slash(patient: Patient, mend: str) -> Iterator[Finding]:
    address = patient.visitor.address
    told = patient.visitor.get("", BROWSER)
    led = urljoin(f"{address.origin}{address.base}", told.headers.get("Location", ""))
    if told.status in (301, 302, 307, 308) and urlsplit(led).path != f"{address.base}/":
        yield wrong(f"redirect of {address.base}", f"leads to {led}", address.url, mend)
    else:
        yield well(f"redirect of {address.base}", f"{told.status}, {led}")
