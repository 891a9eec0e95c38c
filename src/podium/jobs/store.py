"""The jobs in their database: asked for by the web, leased by workers.

Each change is one statement, so that two processes never both make it. A worker holds a job by a
lease; whoever has lost it changes nothing any more.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from typing import Any, Final, get_args

import msgspec
import sqlalchemy as sa
from msgspec import structs
from sqlalchemy import ColumnElement, Row

from podium.datasets.wishes import Staged, Wishes
from podium.errors import StateError, WrongState
from podium.jobs.answers import AnswerStore
from podium.jobs.database import Database, jobs
from podium.jobs.job import ENDED, ID, WAITING, Job, State
from podium.messages import from_json, heard, said, whole

KEEP_S: Final = 86400.0
WORKED_ON: Final = ("received", "queued", "running")
_JSON: Final = {"wishes": Wishes, "staged": Staged}
_FIELDS: Final = tuple(jobs.c[name] for name in Job.__struct_fields__)


def new_id() -> str:
    """Return the id of a new job: 128 random bits, which nobody guesses."""
    return secrets.token_hex(16)


class JobStore:
    """The jobs of one application. What has ended, or is not started, goes after `keep_s`."""

    def __init__(self, database: Database, application: str, keep_s: float = KEEP_S) -> None:
        self._database = database
        self.application = application
        self.keep_s = keep_s

    @classmethod
    def open(cls, url: str, application: str, keep_s: float = KEEP_S) -> JobStore:
        """Connect to a database; its table is made where there is none.

        Raises:
            StateError: the address is wrong, or the database cannot be used.
            MissingExtra: the driver is not installed.
        """
        return cls(Database.open(url), application, keep_s)

    @property
    def answers(self) -> AnswerStore:
        """The kept answers in the same database."""
        return AnswerStore(self._database, self.application)

    @property
    def database_id(self) -> str:
        """What tells its database from others."""
        return self._database.id

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def add(self, job: Job) -> None:
        """Keep a new job."""
        if job.application != self.application:
            raise StateError(f"The job {job.id} belongs to the application {job.application!r}")
        with self._database.begin() as con:
            con.execute(sa.insert(jobs).values(_plain(structs.asdict(job))))

    def get(self, job_id: str) -> Job | None:
        """Return a job; None if there is none of this id, or it is another application's."""
        if not ID.fullmatch(job_id):
            return None
        with self._database.begin() as con:
            return _job(con.execute(sa.select(*_FIELDS).where(self._own(job_id))).one_or_none())

    def start(self, job_id: str, wishes: Wishes) -> Job | None:
        """Queue a job that waits for its start or has failed; None if there is none of this id.

        Raises:
            WrongState: it is under way already, or has ended.
        """
        waits = jobs.c.state.in_(("ready", "failed"))
        values = {"state": "queued", "start": True, "wishes": wishes, "error": None,
                  "removed_at": None, "step": None, "step_done": 0, "attempts": 0}  # fmt: skip
        return self._change(job_id, "started", waits, values)

    def cancel(self, job_id: str) -> Job | None:
        """End a job; whoever works on it finds its lease lost. None if there is none of this id.

        Raises:
            WrongState: it has ended.
        """
        values = {"state": "cancelled", "owner": None, "leased_until": None,
                  "removed_at": time.time() + self.keep_s}  # fmt: skip
        return self._change(job_id, "cancelled", jobs.c.state.not_in(ENDED), values)

    def remove(self, job_id: str) -> bool:
        """Forget a job, also one that is worked on; return whether it was there."""
        with self._database.begin() as con:
            return con.execute(sa.delete(jobs).where(self._own(job_id))).rowcount > 0

    def count_waiting(self) -> int:
        """Return how many jobs wait for a worker."""
        return self._count(jobs.c.state.in_(WAITING), jobs.c.owner.is_(None))

    def count_by_state(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        counted = sa.select(jobs.c.state, sa.func.count()).where(self._ours).group_by(jobs.c.state)
        with self._database.begin() as con:
            found: dict[str, int] = {row[0]: row[1] for row in con.execute(counted)}
        return {state: found.get(state, 0) for state in get_args(State)}

    def count_before(self, job: Job) -> int:
        """Return how many jobs a worker has, or takes, before one that waits."""
        place = sa.tuple_(jobs.c.created, jobs.c.id)
        sooner = sa.or_(jobs.c.owner.is_not(None), place < sa.tuple_(job.created, job.id))
        return self._count(jobs.c.state.in_(WORKED_ON), sooner, jobs.c.id != job.id)

    def claim(self, owner: str, lease_s: float, dead: Collection[str] = ()) -> Job | None:
        """Lease the oldest job that nobody works on, or whose worker is gone.

        A worker is gone when its lease is over or it is one of the `dead`.
        """
        now = time.time()
        free = sa.or_(
            jobs.c.owner.is_(None), jobs.c.leased_until < now, jobs.c.owner.in_(tuple(dead))
        )
        wanted = sa.and_(self._ours, jobs.c.state.in_(WORKED_ON), free)
        oldest = sa.select(jobs.c.id).where(wanted).order_by(jobs.c.created, jobs.c.id).limit(1)
        with self._database.begin() as con:
            if con.execute(oldest).first() is None:  # which takes no lock
                return None
        state = sa.case((jobs.c.state == "received", "received"), else_="running")
        lease = sa.update(jobs).where(
            jobs.c.id == oldest.with_for_update(skip_locked=True).scalar_subquery(), wanted
        )
        values = {"owner": owner, "leased_until": now + lease_s, "updated": now,
                  "state": state}  # fmt: skip
        with self._database.begin() as con:
            return _job(con.execute(lease.values(values).returning(*_FIELDS)).one_or_none())

    def renew(self, job_id: str, owner: str, lease_s: float) -> bool:
        """Hold a job for longer; False if it is lost: cancelled, removed or taken by another."""
        return self._update(job_id, owner, {"leased_until": time.time() + lease_s})

    def update(self, job_id: str, owner: str, **fields: Any) -> bool:
        """Change a job that `owner` holds; False, and nothing is changed, if it is lost.

        With a state that nobody works on, the job is given back, and goes after a while.
        """
        state = fields.get("state")
        if state in ENDED or state == "ready":
            fields |= {"owner": None, "leased_until": None,
                       "removed_at": time.time() + self.keep_s}  # fmt: skip
        return self._update(job_id, owner, {"updated": time.time(), **fields})

    def release(self, job_id: str, owner: str, **fields: Any) -> bool:
        """Give a job back, so that the next worker goes on with it at once."""
        return self._update(job_id, owner, {"owner": None, "leased_until": None, **fields})

    def note_crash(self, owner: str, deaths: int) -> None:
        """Count the end of a worker that has crashed as so many deaths more, and free its job."""
        held = sa.and_(self._ours, jobs.c.owner == owner, jobs.c.state.not_in(ENDED))
        values = {"owner": None, "leased_until": None, "attempts": jobs.c.attempts + deaths}
        with self._database.begin() as con:
            con.execute(sa.update(jobs).where(held).values(values))

    def owners(self) -> set[str]:
        """Return who holds jobs, dead or alive."""
        held = sa.select(jobs.c.owner).where(self._ours, jobs.c.owner.is_not(None))
        with self._database.begin() as con:
            return set(con.execute(held.distinct()).scalars())

    def expired(self, now: float) -> list[str]:
        """Return the ids of the jobs whose time to go has come."""
        with self._database.begin() as con:
            found = sa.select(jobs.c.id).where(self._ours, jobs.c.removed_at <= now)
            return list(con.execute(found).scalars())

    def remove_expired(self, now: float) -> list[str]:
        """Forget the jobs whose time to go has come, and return their ids."""
        over = sa.delete(jobs).where(self._ours, jobs.c.removed_at <= now)
        with self._database.begin() as con:
            return list(con.execute(over.returning(jobs.c.id)).scalars())

    def ids(self) -> set[str]:
        """Return the ids of all jobs."""
        with self._database.begin() as con:
            return set(con.execute(sa.select(jobs.c.id).where(self._ours)).scalars())

    def _count(self, *those: ColumnElement[bool]) -> int:
        with self._database.begin() as con:
            counted = sa.select(sa.func.count()).select_from(jobs).where(self._ours, *those)
            return con.execute(counted).scalar_one()

    @property
    def _ours(self) -> ColumnElement[bool]:
        return jobs.c.application == self.application

    def _own(self, job_id: str) -> ColumnElement[bool]:
        return sa.and_(jobs.c.id == job_id, self._ours)

    def _change(
        self, job_id: str, verb: str, when: ColumnElement[bool], values: dict[str, Any]
    ) -> Job | None:
        """Change a job in the states in which it can be; None if there is none of this id."""
        change = sa.update(jobs).where(self._own(job_id), when).returning(*_FIELDS)
        with self._database.begin() as con:
            found = con.execute(change.values(_plain({"updated": time.time(), **values})))
            changed = _job(found.one_or_none())
        refused = None if changed else self.get(job_id)
        if refused:
            raise WrongState(
                said("This data set is %(state)s: it cannot be %(verb)s now.",
                     state=refused.state, verb=verb)
            )  # fmt: skip
        return changed

    def _update(self, job_id: str, owner: str, values: dict[str, Any]) -> bool:
        held = sa.and_(self._own(job_id), jobs.c.owner == owner, jobs.c.state.not_in(ENDED))
        with self._database.begin() as con:
            return con.execute(sa.update(jobs).where(held).values(_plain(values))).rowcount > 0


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as the table holds them: what is structured as JSON."""
    assert values.get("state", "ready") in get_args(State)
    return {
        name: msgspec.json.encode(value, enc_hook=whole).decode()
        if name in (*_JSON, "error") and value is not None
        else value
        for name, value in values.items()
    }


def _job(row: Row[Any] | None) -> Job | None:
    if row is None:
        return None
    values = dict(row._mapping)
    for name, kind in _JSON.items():
        if values[name] is not None:
            values[name] = msgspec.json.decode(values[name], type=kind, dec_hook=heard)
    if values["error"] is not None:
        values["error"] = from_json(values["error"])
    return Job(**values)
