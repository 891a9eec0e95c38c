"""How often one client may ask, counted right across workers, or across hosts.

All counters keep one rule, which nginx's limit_req with `burst` and `nodelay` keeps, too: the
generic cell rate algorithm (ITU-T I.371). Of a client only one number is kept: when it would be
even again, had it asked evenly. So they cannot disagree, and one number is one write.
"""

from __future__ import annotations

import ipaddress
import logging
import mmap
import os
import struct
import threading
import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from podium.errors import DISK_FULL, MissingExtra, ServeError
from podium.spec.access import Rate

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger("podium")

CLIENT: Final = "podium.client"
"""In the environment: what a client that is known is counted by."""
SLOTS: Final = 1 << 20
"""Numbers in the file: two of a thousand clients share one in one of 2,000 cases."""
_SALT: Final = 16
_NUMBER: Final = struct.Struct("<d")
_BYTES: Final = _SALT + SLOTS * _NUMBER.size
_AWAY_S: Final = 1.0
_REDIS_TIMEOUT_S: Final = 0.2
_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local period, step = tonumber(ARGV[1]), tonumber(ARGV[2])
local even = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + step
if even - now > period + 1e-6 then return tostring(even - now - period) end
redis.call('SET', KEYS[1], string.format('%.6f', even), 'PX', math.ceil((even - now) * 1000))
return '0'
"""


class Counter(Protocol):
    """Counts what clients do."""

    def wait(self, client: str, rate: Rate) -> float:
        """Count one request; return the seconds to wait when it is too much, and 0 else."""


class HostCounter:
    """Counts in a file that all workers of this host have in their memory.

    A client's place in it is told by a salted hash, so that nobody can choose to share one. The
    file has its room on the disk from the beginning: who writes to memory for which a full disk has
    none is ended by the system. Where there is no room for it, each worker counts for itself.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._file = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with _locked(self._file):
                if os.fstat(self._file).st_size != _BYTES:
                    _fill(self._file)
            self._memory = mmap.mmap(self._file, _BYTES)
        except OSError as err:
            if err.errno not in DISK_FULL:
                raise
            log.warning(
                "The disk has no room for %s: each worker counts the rate of requests for itself",
                file,
            )
            self._memory = mmap.mmap(-1, _BYTES)
            self._memory[:_SALT] = os.urandom(_SALT)
        self._salt = self._memory[:_SALT]

    def wait(self, client: str, rate: Rate) -> float:
        """Count one request; return the seconds to wait when it is too much, and 0 else."""
        hashed = blake2b(client.encode(), digest_size=8, key=self._salt).digest()
        place = _SALT + int.from_bytes(hashed) % SLOTS * _NUMBER.size
        with self._lock, _locked(self._file):
            now = time.time()
            (even,) = _NUMBER.unpack_from(self._memory, place)
            # No number is further ahead, unless the clock was put back.
            even = min(max(even, now), now + rate.period_s) + rate.period_s / rate.requests
            late = even - now - rate.period_s
            if late > 1e-6:
                return late
            _NUMBER.pack_into(self._memory, place, even)
            return 0.0


def _fill(file: int) -> None:
    """Give a file a salt and room for all numbers; without room it stays empty."""
    os.truncate(file, 0)
    try:
        with open(file, "wb", closefd=False) as out:
            out.writelines((os.urandom(_SALT), bytes(_BYTES - _SALT)))
    except OSError:
        os.truncate(file, 0)
        raise


class RedisCounter:
    """Counts in Redis, by its clock. While it is away nothing is counted, and the log says so.

    Raises:
        MissingExtra: its client is not installed.
        ServeError: the address is none.
    """

    def __init__(self, url: str, prefix: str) -> None:
        try:
            from redis import Redis
        except ImportError as err:
            raise MissingExtra("Counting requests in Redis", "redis") from err
        timeouts = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), _REDIS_TIMEOUT_S)
        # Without its retries: a request is not to wait for what only protects others.
        try:
            self._redis: Any = Redis.from_url(url, retry=None, **timeouts)
        except ValueError as err:  # it may hold a password, and is not shown
            raise ServeError(
                "PODIUM_RATE_STORE, or [access] rate_store, is no address of a Redis; expected "
                "redis://HOST:PORT/0, rediss:// for TLS, or unix://PATH"
            ) from err
        self._script = self._redis.register_script(_SCRIPT)
        self._prefix = prefix
        self._away_until = 0.0

    def wait(self, client: str, rate: Rate) -> float:
        """Count one request; return the seconds to wait when it is too much, and 0 else."""
        from redis import RedisError

        if time.monotonic() < self._away_until:
            return 0.0
        step = rate.period_s / rate.requests
        try:
            return float(self._script([self._prefix + client], [rate.period_s, step]))
        except (RedisError, OSError) as err:
            self._away_until = time.monotonic() + _AWAY_S
            # Its class alone: what it tells may hold the address, which may hold a password.
            log.warning(
                "The rate of requests is not limited: Redis is away (%s)", type(err).__name__
            )
            return 0.0


def client_of(environ: WSGIEnvironment) -> str:
    """Return what a client is counted by: who it is, or its address; of IPv6 the network."""
    user = environ.get(CLIENT)
    if user:
        return str(user)
    address = str(environ.get("REMOTE_ADDR", ""))
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Network((int(found), 64), strict=False))


class _locked:  # noqa: N801  used as a function; a generator would cost more than the lock
    """Holds the lock of an open file, which other processes wait for."""

    def __init__(self, file: int) -> None:
        self._file = file

    def __enter__(self) -> None:
        import fcntl

        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        import fcntl

        fcntl.lockf(self._file, fcntl.LOCK_UN)
