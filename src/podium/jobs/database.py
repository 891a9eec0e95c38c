"""The tables of jobs and of kept answers, in SQLite or PostgreSQL."""

from __future__ import annotations

import logging
import math
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from podium.errors import DatabaseDamaged, DatabaseFull, MissingExtra, Overloaded, StateError

VERSION: Final = 1
"""Of the table; a later one migrates what it finds."""
BUSY_S: Final = 10.0
"""How long to wait for someone else's lock."""

metadata: Final = sa.MetaData()
jobs: Final = sa.Table(
    "podium_jobs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("application", sa.String(200), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("wishes", sa.Text, nullable=False),
    sa.Column("start", sa.Boolean, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("updated", sa.Double, nullable=False),
    sa.Column("staged", sa.Text),
    sa.Column("rows", sa.BigInteger),
    sa.Column("rows_done", sa.BigInteger, nullable=False),
    sa.Column("rows_failed", sa.BigInteger, nullable=False),
    sa.Column("step", sa.String(20)),
    sa.Column("step_done", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("removed_at", sa.Double),
    sa.Column("owner", sa.String(300)),
    sa.Column("leased_until", sa.Double),
)
_by_age: Final = sa.Index("podium_jobs_by_age", jobs.c.application, jobs.c.created)
answers: Final = sa.Table(
    "podium_answers",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("application", sa.String(200), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("removed_at", sa.Double, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("form", sa.Text, nullable=False),
    sa.Column("answers", sa.Text, nullable=False),
    sa.Column("image", sa.LargeBinary),
)
# Holds all that is asked of answers when the oldest give way, which are then not read themselves.
_answers_by_age: Final = sa.Index(
    "podium_answers_by_age", answers.c.application, answers.c.created, answers.c.size
)
versions: Final = sa.Table(
    "podium_version",
    metadata,
    sa.Column("version", sa.Integer),
    sa.Column("database_id", sa.String(32), nullable=False),
)

log = logging.getLogger("podium")


class Database:
    """One database, in which the table of the jobs is. Where it is a file, it may be replaced."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        name = engine.url.database if engine.name == "sqlite" else None
        self._file = Path(name) if name else None
        self._opened = self._on_disk()
        self._reopening = threading.Lock()

    @classmethod
    def open(cls, url: str, busy_s: float | None = None) -> Database:
        """Connect, and make the tables where there are none; wait for locks as long as told.

        Raises:
            StateError: the address is wrong, or the database cannot be used.
            DatabaseDamaged: its file is damaged.
            MissingExtra: the driver is not installed.
        """
        address = _address(url)
        engine = _engine(address, BUSY_S if busy_s is None else busy_s)
        try:
            _prepare(engine)
        except (SQLAlchemyError, sqlite3.Error) as err:
            if _code(err) in _DAMAGED:
                raise _damaged(address, err) from err
            raise StateError(
                f"The database of jobs, {_shown(address)}, cannot be used: {_reason(err)}"
            ) from err
        return cls(engine)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @property
    def id(self) -> str:
        """What tells it from other databases: random, since it was made.

        Raises:
            Overloaded: the database is locked, or away.
        """
        with self.begin() as con:
            return str(con.execute(sa.select(versions.c.database_id)).scalars().one())

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction.

        Raises:
            Overloaded: the database is locked, or away.
            DatabaseFull: the disk has no room for a change.
            DatabaseDamaged: its file is damaged.
        """
        try:
            self._reopen_if_replaced()
            with self._engine.begin() as con:
                yield con
        except (DBAPIError, sqlite3.Error) as err:
            if _code(err) in _DAMAGED:
                raise _damaged(self._engine.url, err) from err
            kind = DatabaseFull if _code(err) == sqlite3.SQLITE_FULL else Overloaded
            raise kind(f"The database of jobs cannot be used now: {_reason(err)}", 5) from err

    def _reopen_if_replaced(self) -> None:
        """Go on with the file that is there.

        Connections keep a file that was deleted, and other processes would never see its jobs.
        """
        if self._on_disk() == self._opened:
            return
        with self._reopening:
            if self._on_disk() == self._opened:
                return
            log.warning("%s was removed or replaced: what is there now is opened", self._file)
            self._engine.dispose()
            _prepare(self._engine)
            self._opened = self._on_disk()

    def _on_disk(self) -> tuple[int, int] | None:
        """Return which file there is, if it is one: its device and its number there."""
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code(err: Exception) -> int:
    """Return SQLite's number of an error, without what refines it; 0 of another database."""
    code: int = getattr(getattr(err, "orig", err), "sqlite_errorcode", 0)
    return code & 0xFF


def _damaged(url: URL, err: Exception) -> DatabaseDamaged:
    log.error("The database of jobs, %s, is damaged: %s", _shown(url), _reason(err))
    return DatabaseDamaged(Path(_shown(url)).name)


def _address(text: str) -> URL:
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        # The address may hold a password, which no message or traceback should show.
        raise StateError(f"The address of the database cannot be read. {_EXPECTED}") from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite":
        return url
    raise StateError(f"A database of the kind {url.drivername!r} is not known. {_EXPECTED}")


_EXPECTED: Final = (
    "Expected --database postgresql://USER:PASSWORD@HOST:5432/NAME, or none for a file in the "
    "state folder."
)


def _engine(url: URL, busy_s: float) -> Engine:
    if url.drivername == "sqlite":
        # With a journal, not a write-ahead log: that would be mixed up with a new file's where the
        # old one was deleted, and a transaction here takes milliseconds.
        engine = sa.create_engine(url, connect_args={"timeout": busy_s})
        sa.event.listen(engine, "connect", _delete_for_good)
        return engine
    try:
        import psycopg  # noqa: F401
    except ImportError as err:
        raise MissingExtra("A PostgreSQL database", "postgresql") from err
    limits = {"connect_timeout": math.ceil(busy_s),
              "options": f"-c lock_timeout={math.ceil(busy_s)}s"}  # fmt: skip
    return sa.create_engine(url, pool_pre_ping=True, connect_args=limits)


def _delete_for_good(connection: sqlite3.Connection, _: object) -> None:
    """Have what is deleted overwritten: a picture must not be left in a free page of the file."""
    connection.execute("PRAGMA secure_delete = ON")


def _prepare(engine: Engine) -> None:
    """Make the tables where there are none; one process at a time."""
    lock = "BEGIN IMMEDIATE" if engine.name == "sqlite" else "SELECT pg_advisory_xact_lock(7633486)"
    with engine.begin() as con:
        con.exec_driver_sql(lock)
        con.execute(CreateTable(versions, if_not_exists=True))
        found = con.execute(sa.select(sa.func.max(versions.c.version))).scalar()
        if found is None:
            con.execute(CreateTable(jobs, if_not_exists=True))
            con.execute(CreateIndex(_by_age, if_not_exists=True))
            own_id = secrets.token_hex(16)
            con.execute(sa.insert(versions).values(version=VERSION, database_id=own_id))
        elif found > VERSION:
            raise StateError(
                f"The database of jobs was made by a later Podium: its version is {found}, "
                f"and this Podium knows {VERSION}. Update Podium, or choose another --database."
            )
        # Also in a database from before there were answers: an older Podium does not miss them.
        con.execute(CreateTable(answers, if_not_exists=True))
        con.execute(CreateIndex(_answers_by_age, if_not_exists=True))


def _shown(url: URL) -> str:
    """Return an address without the user, the password and the options."""
    if url.drivername == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{url.host or ''}{port}/{url.database or ''}"


def _reason(err: Exception) -> str:
    """Return the driver's own words in one line."""
    told = str(getattr(err, "orig", None) or err)
    return " ".join(told.split())
