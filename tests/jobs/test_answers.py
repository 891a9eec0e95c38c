"""Kept answers in the database: found by their id alone, until their time is over."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from podium.errors import DatabaseFull, Overloaded, StateError
from podium.jobs import answers as module
from podium.jobs.answers import ROW, AnswerStore, KeptAnswer
from podium.jobs.database import metadata
from podium.jobs.state import state_folder
from podium.jobs.store import JobStore, new_id
from podium.jobs.sweep import sweep

NOW = 1_800_000_000.0


@pytest.fixture
def answers(database: str, request: pytest.FixtureRequest) -> Iterator[AnswerStore]:
    """Return the answers of an application that no other test has."""
    store = AnswerStore.open(database, request.node.name[:200])
    yield store
    store.close()


def added(answers: AnswerStore, /, **fields: Any) -> KeptAnswer:
    """Return an answer that was added."""
    told: dict[str, Any] = {"id": new_id(), "created": NOW, "removed_at": NOW + 100,
                            "form": {"a": ["1"]}, "answers": "[]"}  # fmt: skip
    answer = KeptAnswer(**{"application": answers.application, **told, **fields})
    answers.add(answer)
    return answer


def test_answer_comes_back_as_it_was(answers: AnswerStore) -> None:
    """An answer is kept with its form, whatever was typed, and every byte of its picture."""
    form = {"text": ["\0 ä\U0001f427\n'"], "model": ["a", "*"]}
    answer = added(answers, form=form, answers='[{"ü":"\\u0000"}]', image=bytes(range(256)))
    assert answers.get(answer.id, NOW) == answer


def test_unknown_foreign_and_expired_ids_are_none(answers: AnswerStore, database: str) -> None:
    """There is no answer of an impossible id, of another application, or whose time is over."""
    other = AnswerStore.open(database, answers.application + "2")
    answer = added(answers)
    for asked in (new_id(), "", "../../x", "' OR 1=1 --", answer.id.upper(), answer.id[:8]):
        assert answers.get(asked, NOW) is None
    assert answers.get(answer.id, NOW + 100) is None
    assert (other.get(answer.id, NOW), other.remove(answer.id), other.clear()) == (None, False, 0)
    assert other.remove_expired(NOW + 200) == 0
    assert answers.get(answer.id, NOW) == answer
    other.close()


def test_foreign_answer_is_not_added(answers: AnswerStore) -> None:
    """An answer of another application is refused, so that none can get at it."""
    with pytest.raises(StateError, match="belongs to the application 'other'"):
        added(answers, application="other")


def test_removed_answer_is_gone(answers: AnswerStore) -> None:
    """An answer is removed once, and then no more there."""
    answer, kept = added(answers), added(answers)
    assert (answers.remove(answer.id), answers.remove(answer.id)) == (True, False)
    assert (answers.get(answer.id, NOW), answers.get(kept.id, NOW)) == (None, kept)


def test_expired_answers_are_removed(answers: AnswerStore) -> None:
    """Whose time is over is removed, and nothing else; all are removed when asked for."""
    added(answers, removed_at=NOW - 1)
    kept = added(answers)
    assert answers.remove_expired(NOW) == 1
    assert answers.get(kept.id, NOW) == kept
    assert (answers.clear(), answers.held()) == (1, (0, 0))


def test_oldest_answers_give_way(answers: AnswerStore) -> None:
    """No more than so many bytes are kept: the oldest go, those of others and the newest stay."""
    own = 60_000 + len('{"a":["1"]}') + len("[]") + ROW
    times = (3.0, 1.0, 4.0, 2.0)
    many = {at: added(answers, created=at, image=b"x" * 60_000) for at in times}
    newest = KeptAnswer(id=new_id(), application=answers.application, created=5.0, removed_at=NOW,
                        form={"a": ["1"]}, answers="[]", image=b"x" * 60_000)  # fmt: skip
    answers.add(newest, most=3 * own)
    found = {at for at, one in many.items() if answers.get(one.id, 0.0)}
    assert (found, answers.held()) == ({3.0, 4.0}, (3, 3 * own))


def test_database_from_before_gains_the_table(tmp_path: Path) -> None:
    """A database that an earlier version made keeps its jobs and takes answers."""
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    JobStore.open(url, "a").close()
    engine = sa.create_engine(url)
    metadata.tables["podium_answers"].drop(engine)
    engine.dispose()
    answers = AnswerStore.open(url, "a")
    answer = added(answers)
    assert answers.get(answer.id, NOW) == answer
    answers.close()


def test_deleted_picture_is_not_left_in_the_file(tmp_path: Path) -> None:
    """What is deleted is overwritten in the database's file, not only forgotten."""
    file = tmp_path / "jobs.sqlite"
    answers = AnswerStore.open(f"sqlite:///{file}", "a")
    secret = b"this picture is secret " * 1000
    answer = added(answers, image=secret)
    assert secret[:23] in file.read_bytes()
    answers.remove(answer.id)
    assert secret[:23] not in file.read_bytes()
    answers.close()


def test_locked_database_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database stays locked, keeping an answer fails soon; so it does on a full disk."""
    monkeypatch.setattr(module, "BUSY_S", 0.1)
    answers = AnswerStore.open(f"sqlite:///{tmp_path / 'jobs.sqlite'}", "a")
    other = sqlite3.connect(tmp_path / "jobs.sqlite")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Overloaded, match="database is locked"):
        added(answers)
    other.close()
    with answers._database.begin() as con:
        con.exec_driver_sql("PRAGMA max_page_count = 1")
    with pytest.raises(DatabaseFull):
        added(answers, image=b"x" * 100_000)
    answers.close()


def test_sweep_removes_expired_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The worker's sweep removes answers whose time is over, where there are no data sets."""
    caplog.set_level(logging.INFO)
    state = state_folder(tmp_path / "app", tmp_path / "state")
    store, answers = state.store(100), state.answers()
    now = time.time()
    added(answers, removed_at=now - 1)
    kept = added(answers, removed_at=now + 100)
    sweep(store, state, now)
    assert (answers.get(kept.id, now), answers.held()[0]) == (kept, 1)
    assert "Kept answers whose time is over were removed: 1" in caplog.text
    store.close()
    answers.close()


def test_size_is_that_of_the_bytes(answers: AnswerStore) -> None:
    """A letter that takes four bytes counts four times, in the form and in the answer."""
    added(answers, form={"a": ["\U0001f427"]}, answers='["\U0001f427"]')
    assert answers.held() == (1, ROW + len(b'{"a":["xxxx"]}') + len(b'["xxxx"]'))
