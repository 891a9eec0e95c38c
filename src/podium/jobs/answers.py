"""The answers that visitors got on the page, kept under links: in the same database as the jobs."""

from __future__ import annotations

import threading
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy import ColumnElement

from podium.errors import StateError
from podium.jobs.database import Database, answers
from podium.jobs.job import ID

BUSY_S: Final = 1.0
"""How long an answer waits for someone else's lock; a visitor waits for it, too."""
MOST: Final = 1_000_000_000
"""How many bytes the answers of one application may have; beyond, the oldest give way."""
ROW: Final = 1000
"""Bytes of an answer beside its own: a row and its places in the indices, generously."""
_LOOK: Final = MOST // 100
"""After so many new bytes from here it is looked whether answers have to give way."""


class KeptAnswer(Struct, frozen=True, kw_only=True):
    """What a visitor sent and got; times are seconds since 1970.

    `form` are the fields that were understood with their values, `answers` JSON that only the web
    reads, `image` a picture file.
    """

    id: str
    application: str
    created: float
    removed_at: float
    form: dict[str, list[str]]
    answers: str
    image: bytes | None = None


_FIELDS: Final = tuple(answers.c[name] for name in KeptAnswer.__struct_fields__)


class AnswerStore:
    """The kept answers of one application."""

    def __init__(self, database: Database, application: str) -> None:
        self._database = database
        self.application = application
        self._added = _LOOK  # it is not known what others have added
        self._adding = threading.Lock()

    @classmethod
    def open(cls, url: str, application: str) -> AnswerStore:
        """Connect to a database; its tables are made where there are none.

        Raises:
            StateError: the address is wrong, or the database cannot be used.
            MissingExtra: the driver is not installed.
            DatabaseDamaged: its file is damaged.
        """
        return cls(Database.open(url, BUSY_S), application)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def add(self, answer: KeptAnswer, most: int = MOST) -> None:
        """Keep an answer; now and then the oldest go that make more than `most` bytes together.

        Raises:
            StateError: it is another application's.
            Overloaded: the database is locked, or away.
            DatabaseFull: the disk has no room.
            DatabaseDamaged: its file is damaged.
        """
        if answer.application != self.application:
            raise StateError(f"The answer belongs to the application {answer.application!r}")
        row = _row(answer)
        with self._database.begin() as con:
            con.execute(sa.insert(answers).values(row))
            if self._looks(row["size"], most):
                con.execute(self._make_room(most))

    def get(self, answer_id: str, now: float) -> KeptAnswer | None:
        """Return an answer; None if there is none of this id, or its time is over."""
        if not ID.fullmatch(answer_id):
            return None
        wanted = sa.select(*_FIELDS).where(self._own(answer_id), answers.c.removed_at > now)
        with self._database.begin() as con:
            row = con.execute(wanted).one_or_none()
        if row is None:
            return None
        values = dict(row._mapping)
        form = msgspec.json.decode(values.pop("form"), type=dict[str, list[str]])
        return KeptAnswer(form=form, **values)

    def remove(self, answer_id: str) -> bool:
        """Forget an answer; return whether it was there."""
        return self._delete(answers.c.id == answer_id) > 0

    def remove_expired(self, now: float) -> int:
        """Forget the answers whose time is over; return how many there were."""
        return self._delete(answers.c.removed_at <= now)

    def clear(self) -> int:
        """Forget all answers; return how many there were."""
        return self._delete(sa.true())

    def held(self) -> tuple[int, int]:
        """Return how many answers are kept, and how many bytes they have."""
        counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(answers.c.size), 0))
        with self._database.begin() as con:
            number, size = con.execute(counted.where(self._ours)).one()
        return int(number), int(size)

    @property
    def _ours(self) -> ColumnElement[bool]:
        return answers.c.application == self.application

    def _own(self, answer_id: str) -> ColumnElement[bool]:
        return sa.and_(answers.c.id == answer_id, self._ours)

    def _delete(self, those: ColumnElement[bool]) -> int:
        with self._database.begin() as con:
            return con.execute(sa.delete(answers).where(self._ours, those)).rowcount

    def _looks(self, size: int, most: int) -> bool:
        """Whether enough was added since the last time, so that not each answer sums up all."""
        with self._adding:
            self._added += size
            due = self._added >= min(_LOOK, most)
            if due:
                self._added = 0
            return due

    def _make_room(self, most: int) -> sa.Delete:
        newest_first = (answers.c.created.desc(), answers.c.id)
        total = sa.func.sum(answers.c.size).over(order_by=newest_first).label("total")
        summed = sa.select(answers.c.id, total).where(self._ours).subquery()
        return sa.delete(answers).where(
            answers.c.id.in_(sa.select(summed.c.id).where(summed.c.total > most))
        )


def _row(answer: KeptAnswer) -> dict[str, Any]:
    row = structs.asdict(answer)
    form = msgspec.json.encode(answer.form)
    size = len(form) + len(answer.answers.encode()) + len(answer.image or b"")
    return {**row, "form": form.decode(), "size": size + ROW}
