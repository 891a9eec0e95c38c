"""Who may ask: the keys of programs and the password of the page, as a state folder keeps them.

A key is 256 random bits, so that its SHA-256 gives nothing away: no slow hash is needed. A password
was thought of by people, and is kept as scrypt.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from podium.errors import KeysError, nearest
from podium.spec import Access

FILE: Final = "access.json"
PREFIX: Final = "pod_"
"""By what a key is known for one, to people and to scanners of leaked secrets."""
MIN_PASSWORD: Final = 15
"""Characters of a password that is the only thing asked for (NIST SP 800-63B-4, 3.1.1.2)."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key: its SHA-256 in hexadecimal; times are seconds since 1970."""

    name: str
    sha256: str
    created: float
    expires: float | None = None

    def holds(self, now: float) -> bool:
        """Whether its time is not over."""
        return self.expires is None or now < self.expires


class Credentials(msgspec.Struct, frozen=True, dict=True):
    """All that lets somebody in. `secret` signs the sessions that the password has opened."""

    keys: tuple[Key, ...] = ()
    password: str = ""
    secret: str = ""

    @cached_property
    def _by_digest(self) -> dict[str, Key]:
        return {key.sha256: key for key in self.keys}

    def key_of(self, token: str, now: float) -> Key | None:
        """Return the key that a token is; None if it is none, or its time is over.

        Digests are looked up: how long that takes tells something of the digest of a guess alone,
        which nobody can steer towards that of a random key.
        """
        found = self._by_digest.get(digest(token))
        return found if found and found.holds(now) else None

    def is_password(self, text: str) -> bool:
        """Whether it is the password; takes about 50 ms."""
        from werkzeug.security import check_password_hash

        return bool(self.password) and check_password_hash(self.password, text)


class CredentialsFile:
    """The credentials in a state folder; only its owner can read the file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._seen: tuple[int, int, int] | None = None
        self._held = Credentials()

    def read(self) -> Credentials:
        """Return what stands in the file now; it is read again only when it has changed.

        Raises:
            KeysError: it is damaged.
        """
        try:
            stat = os.stat(self._path)  # noqa: PTH116  asked by each request, and twice as fast
        except FileNotFoundError:
            self._seen, self._held = None, Credentials()
            return self._held
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if seen != self._seen:
            self._held = self._decoded()
            self._seen = seen
        return self._held

    def add(self, name: str, keep_s: float | None = None) -> str:
        """Make a key that holds for so many seconds, or until it is revoked; return it.

        Raises:
            KeysError: the name is taken, or is none.
        """
        if not _NAME.fullmatch(name):
            raise KeysError(
                f"{name!r} is no name of a key: expected up to 64 letters, digits and . _ @ -"
            )
        token = PREFIX + secrets.token_urlsafe(32)
        now = time.time()
        made = Key(name, digest(token), now, now + keep_s if keep_s else None)
        with self._changed() as change:
            held = self._decoded()
            if name in _names(held.keys):
                raise KeysError(
                    f"There is a key {name!r} already. Revoke it, or take another name."
                )
            change(replace(held, keys=(*held.keys, made)))
        return token

    def revoke(self, name: str) -> None:
        """Remove a key: running servers refuse it from now on.

        Raises:
            KeysError: there is no such key.
        """
        with self._changed() as change:
            held = self._decoded()
            known = _names(held.keys)
            if name not in known:
                raise KeysError(
                    f"There is no key {name!r}.{nearest(name, known)} Known: "
                    f"{', '.join(known) or 'none'}."
                )
            change(replace(held, keys=tuple(key for key in held.keys if key.name != name)))

    def set_password(self, text: str) -> None:
        """Set the password of the page; who came in with the one before has to give it again.

        Raises:
            KeysError: it is too short.
        """
        from werkzeug.security import generate_password_hash

        if len(text) < MIN_PASSWORD:
            raise KeysError(
                f"The password has {len(text)} characters; expected at least {MIN_PASSWORD}, since "
                "nothing else is asked for. A few words are easy to remember."
            )
        with self._changed() as change:
            change(replace(self._decoded(), password=generate_password_hash(text),
                           secret=secrets.token_hex(32)))  # fmt: skip

    def _decoded(self) -> Credentials:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Credentials)
        except FileNotFoundError:
            return Credentials()
        except OSError as err:
            raise KeysError(f"{self._path} cannot be read: {err.strerror}") from err
        except (msgspec.DecodeError, UnicodeDecodeError) as err:
            raise KeysError(
                f"{self._path} is damaged: {err}. Remove it, and make keys and password anew."
            ) from err

    @contextmanager
    def _changed(self) -> Iterator[Callable[[Credentials], None]]:
        """Hold the file for oneself, and write what is given: there is the old file or the new."""
        import fcntl  # what Windows lacks; there nothing is served

        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield self._write
        finally:
            os.close(folder)

    def _write(self, held: Credentials) -> None:
        folder = self._path.parent
        number, part = tempfile.mkstemp(prefix=f"{FILE}.", dir=folder)  # for the owner alone
        try:
            with os.fdopen(number, "wb") as file:
                file.write(msgspec.json.encode(held))
                file.flush()
                os.fsync(number)
                if os.geteuid() == 0:  # the server may run as the folder's owner
                    owner = folder.stat()
                    os.chown(number, owner.st_uid, owner.st_gid)
            Path(part).replace(self._path)
        finally:
            with suppress(FileNotFoundError):
                Path(part).unlink()


def digest(token: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(token.encode()).hexdigest()


def missing_ways(access: Access, held: Credentials, proxies: int, folder: str) -> Iterator[str]:
    """Yield which way in nobody can take, and how to set it up; `folder` is the application's."""
    if "key" in access.require and not any(key.holds(time.time()) for key in held.keys):
        yield f'access.require: there is no "key" yet. Make one: podium keys add NAME {folder}'
    if "password" in access.require and not held.password:
        yield f'access.require: there is no "password" yet. Set it: podium keys password {folder}'
    if "header" in access.require and not proxies:
        yield (
            f"access.require: {access.header} is believed from a proxy alone, and there is none. "
            "Say how many there are: [server] proxies, or --proxies."
        )


def exposures(host: str, access: Access, proxies: int) -> Iterator[str]:
    """Yield what whoever listens on a host's address should know; on loopback nothing."""
    if _is_loopback(host):
        return
    reached = f"{host} can be reached from other machines"
    if not access.require:
        yield (
            f'{reached}, and everybody may ask. Ask for a key: [access] require = ["key"] and '
            "podium keys add NAME DIR; or listen on 127.0.0.1."
        )
    if not proxies:
        yield (
            f"{reached}, and nothing that is sent is encrypted, keys and passwords neither. "
            "podium up DIR --domain NAME serves with TLS; say with --proxies that a proxy does."
        )
    elif "header" in access.require:
        yield (
            f"{reached}, and who does so without the proxy can name any user in {access.header}. "
            "Let the proxy alone reach it: --socket, 127.0.0.1, or a firewall."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(keys: Iterable[Key]) -> list[str]:
    return [key.name for key in keys]
