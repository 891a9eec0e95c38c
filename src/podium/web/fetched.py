"""The picture at an address that a visitor gives, from the public internet alone.

Who may name an address could have the server look into its own network (server-side request
forgery, OWASP). So a host's name is looked up once, all its addresses must be public, and one of
those very addresses is connected to, never the name again; every redirect is checked anew.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import quote, urljoin, urlsplit

from podium import __version__
from podium.cpus import works_alone
from podium.errors import FieldError, InvalidInput, Overloaded
from podium.messages import said, told_by
from podium.pipeline.photo import peek
from podium.strict import Size
from podium.web.form import Form, Upload

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FIELD: Final = "image_url"
"""The form's field that holds the address of a picture."""
SECONDS: Final = 10.0
"""How long a picture may take, from the look-up of its host to its last byte."""
MAX_REDIRECTS: Final = 3
_MAX_LETTERS: Final = 2000
_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MAX_TRIED: Final = 4
_URL_SIGNS: Final = "/%:=&?~+!$,;'@()*"
_HEAD_ROOM: Final = 1_000_000
"""Bytes that may come beside those of a picture: headers, and the sizes of its chunks."""
_NO_ADDRESS: Final = said("This is not an address. Expected https://…")

_UNICAST: Final = ip_network("2000::/3")  # all that IANA has given out of IPv6
_NAT64: Final = ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address stands at its end
_NOT_PUBLIC: Final = tuple(map(ip_network, (
    "192.0.0.0/24",  # RFC 6890; Oracle's clouds answer at 192.0.0.192
    "192.88.99.0/24", "2002::/16",  # 6to4 (RFC 7526), which leads to any IPv4 address
    "168.63.129.16/32",  # Azure's own services for its machines
    "2001::/23", "3fff::/20",  # RFC 2928: Teredo and others; RFC 9637: documentation
)))  # fmt: skip
"""What `is_global` of Python 3.11 takes for public, and is not."""


def is_public(text: str) -> bool:
    """Whether an IP address belongs to the public internet; of one in another, the inner one."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is None and address not in _UNICAST:
            return False
        address = inner or address
    special = address.is_multicast or address.is_reserved
    return address.is_global and not special and not any(address in net for net in _NOT_PUBLIC)


class Fetcher:
    """Fetches pictures of at most `limit` bytes.

    Each holds a thread while it comes: `at_once` at most do, so that slow hosts keep nobody else
    from an answer.
    """

    def __init__(self, limit: Size, at_once: int) -> None:
        self._limit = limit
        self._room = threading.BoundedSemaphore(at_once)
        # The system's look-up of a name takes no time limit.
        self._lookups = ThreadPoolExecutor(at_once, "podium-lookup")

    def filled(self, form: Form) -> Form:
        """Return a form in which the picture at its address stands as its file `image`.

        A field that was left blank is no address.

        Raises:
            InvalidInput: the picture cannot be fetched, or is none.
            Overloaded: too many pictures are being fetched.
        """
        given = list(filter(None, map(str.strip, form.fields.get(FIELD, ()))))
        fields = {name: texts for name, texts in form.fields.items() if name != FIELD}
        if not given:
            return Form(fields, form.files)
        if len(given) > 1 or form.files.get("image"):
            told = FieldError(FIELD, said("Give one picture: a file, or one address."))
            raise InvalidInput([told])
        if not self._room.acquire(blocking=False):
            raise Overloaded(
                said("Too many pictures are being fetched at this moment; try again"), 5
            )
        try:
            body = self.fetch(given[0])
            peek(body)
        except (_NotFetched, ValueError) as err:
            raise InvalidInput([FieldError(FIELD, told_by(err))]) from err
        finally:
            self._room.release()
        return Form(fields, {**form.files, "image": [Upload(FIELD, body)]})

    def fetch(self, address: str) -> bytes:
        """Return what lies at an address; what it is, is for the decoder to say."""
        ends = time.monotonic() + SECONDS
        try:
            for _redirect in range(1 + MAX_REDIRECTS):
                body, leads_to = self._step(_target(address), ends)
                if body is not None:
                    return body
                address = _joined(address, leads_to)
        except TimeoutError as err:
            late = said("The picture did not come within %(seconds)d s.", seconds=SECONDS)
            raise _NotFetched(late) from err
        except ssl.SSLError as err:
            raise _NotFetched(said("The host has no valid certificate for https.")) from err
        except (OSError, HTTPException, ValueError) as err:  # `http.client` raises all three
            raise _NotFetched(said("The host cannot be reached, or is no web server.")) from err
        raise _NotFetched(
            said("The address leads on more than %(count)d times.", count=MAX_REDIRECTS)
        )

    def _step(self, target: _Target, ends: float) -> tuple[bytes | None, str]:
        """Return what a host answers: a body, or None and where it points to."""
        addresses = self._look_up(target, ends)
        with _connected(addresses, target, ends) as connection:
            response = _ask(_Source(connection, ends, self._limit), target)
            if response.status in _REDIRECTS:
                return None, response.getheader("Location") or ""
            if response.status != 200:
                status = response.status
                raise _NotFetched(
                    said("There is no picture: the host answers with status %(code)d.", code=status)
                )
            return self._read(response), ""

    def _look_up(self, target: _Target, ends: float) -> list[str]:
        """Return a host's addresses, all of them public.

        What is not public and what does not exist are told alike: nobody learns which names and
        addresses the server's own network has.
        """
        ask = partial(socket.getaddrinfo, target.host, target.port, type=socket.SOCK_STREAM)
        lookup = None if works_alone() else self._lookups.submit(ask)
        try:
            found = lookup.result(_left(ends)) if lookup else ask()
        except (socket.gaierror, UnicodeError):
            found = []
        finally:
            if lookup:
                lookup.cancel()
        addresses = [str(place[0]) for *_kind, place in found]
        if not addresses or not all(map(is_public, addresses)):
            raise _NotFetched(said("There is no such host on the public internet."))
        return addresses

    def _read(self, response: HTTPResponse) -> bytes:
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise _NotFetched(
                said("The host sends the picture compressed, which is not read. Send it as a file.")
            )
        announced = response.length or 0
        body = response.read(self._limit + 1) if announced <= self._limit else b""
        if announced > self._limit or len(body) > self._limit:
            raise _too_large(self._limit)
        if len(body) < announced:
            raise _NotFetched(said("The picture broke off before its end. Try again."))
        return body


class _NotFetched(Exception):
    """Why there is no picture, in words for a visitor."""


def _too_large(limit: Size) -> _NotFetched:
    return _NotFetched(said("The picture is larger than %(limit)s, the limit.", limit=limit))


class _Target(NamedTuple):
    """Where to ask, and for what; `host` as it is looked up, `named` as it stands in a request."""

    scheme: str
    host: str
    path: str

    @property
    def port(self) -> int:
        return _PORTS[self.scheme]

    @property
    def named(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def _target(address: str) -> _Target:
    """Return what an address says, checked."""
    if len(address) > _MAX_LETTERS:
        raise _NotFetched(
            said("The address has more than %(count)d characters.", count=_MAX_LETTERS)
        )
    try:
        parts = urlsplit(address)
        port = parts.port
        host = (parts.hostname or "").rstrip(".").encode("idna").decode()
        query = f"?{parts.query}" if parts.query else ""
        path = quote((parts.path or "/") + query, safe=_URL_SIGNS)
    except ValueError as err:
        raise _NotFetched(_NO_ADDRESS) from err
    if parts.scheme not in _PORTS or not host:
        raise _NotFetched(said("Expected an address that begins with https:// or http://"))
    if parts.username is not None or parts.password is not None:
        raise _NotFetched(said("An address with a user's name or password is not fetched."))
    if port not in (None, _PORTS[parts.scheme]):
        raise _NotFetched(said("An address with a port of its own is not fetched."))
    if not all(letter.isalnum() or letter in "-_.:" for letter in host):
        raise _NotFetched(said("There is no such host on the public internet."))
    return _Target(parts.scheme, host, path)


def _joined(address: str, leads_to: str) -> str:
    """Return where a redirect leads, which may be told from where it stands."""
    try:
        return urljoin(address, leads_to)
    except ValueError as err:
        raise _NotFetched(_NO_ADDRESS) from err


def _connected(addresses: Sequence[str], target: _Target, ends: float) -> socket.socket:
    """Return a connection to the first address that takes one."""
    refused: OSError = ConnectionError("no address")
    tried = addresses[:_MAX_TRIED]
    for waiting, address in zip(range(len(tried), 0, -1), tried, strict=True):
        try:
            # A number is not looked up: whatever the name means by now, this is who was checked.
            place = address, target.port
            plain = socket.create_connection(place, _left(ends) / waiting)
            break
        except OSError as err:
            refused = err
    else:
        raise refused
    if target.scheme == "http":
        return plain
    plain.settimeout(_left(ends))
    try:
        return _tls().wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _ask(source: _Source, target: _Target) -> HTTPResponse:
    """Return the head of a host's response; its body is read from it."""
    request = (
        f"GET {target.path} HTTP/1.1\r\nHost: {target.named}\r\n"
        f"User-Agent: Podium/{__version__}\r\nAccept: image/*\r\n"
        # A packed body could be far larger than what is read of it.
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    )
    source.send(request.encode("ascii"))
    response = HTTPResponse(cast(Any, source), method="GET")
    response.begin()
    return response


class _Source(RawIOBase):
    """What comes over a connection, until the time is over, however slowly it drips.

    It bounds what comes, since `http.client` of Python 3.11 does not: after a chunk of the size
    -1 it reads to the end, whatever it was asked for.
    """

    def __init__(self, connection: socket.socket, ends: float, limit: Size) -> None:
        self._connection = connection
        self._ends = ends
        self._limit = limit
        self._came = 0

    def send(self, request: bytes) -> None:
        """Send a request, for which this is the response."""
        self._connection.settimeout(_left(self._ends))
        self._connection.sendall(request)

    def makefile(self, _mode: str) -> BufferedReader:
        """Return a reader of it, as `http.client` asks for one."""
        return BufferedReader(self)

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Return how many bytes came; 0 at the end."""
        self._connection.settimeout(_left(self._ends))
        came = self._connection.recv_into(buffer)
        self._came += came
        if self._came > self._limit + _HEAD_ROOM:
            raise _too_large(self._limit)
        return came


def _left(ends: float) -> float:
    """Return the seconds that are left, more than none."""
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
