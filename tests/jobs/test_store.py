"""The jobs' database: each change is made once, by whoever may make it."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from msgspec import structs

from podium.datasets.wishes import Column, Staged, Wishes
from podium.errors import (
    DatabaseDamaged,
    DatabaseFull,
    MissingExtra,
    Overloaded,
    StateError,
    WrongState,
)
from podium.jobs import database as module
from podium.jobs.database import Database
from podium.jobs.job import Job
from podium.jobs.store import JobStore, new_id
from podium.messages import Message, is_english, joined, said
from tests.support.jobs import new_job

STAGED = Staged(
    kind="csv", columns=(Column("Länge", "length"), Column("y", is_target=True)), rows=7
)


def added(store: JobStore, **fields: object) -> Job:
    """Return a job that was added."""
    job = new_job(store.application, **fields)
    store.add(job)
    return job


def test_job_comes_back_as_it_was(store: JobStore) -> None:
    """A job is kept with all that is known of it."""
    wishes = Wishes(models=("a", "b"), seed=3, confidence_level=0.8, target="y")
    told = {"step": "scoring", "step_done": 5, "error": "ä\n'", "removed_at": 1.5}
    rows = {"staged": STAGED, "rows": 2**40, "rows_done": 5, "rows_failed": 2}
    job = added(store, state="failed", wishes=wishes, **rows, **told)
    assert store.get(job.id) == job


def test_texts_come_back_with_all_that_a_translation_takes(store: JobStore) -> None:
    """The reason of a failure and the notes on a file are Messages as they were."""
    error = joined([said("line %(line)s: is empty", line=3), "odd"], "\n")
    staged = structs.replace(STAGED, notes=(said("Numbers have a decimal comma."),))
    kept = store.get(added(store, state="failed", error=error, staged=staged).id)
    assert kept is not None
    assert kept.error is not None
    assert kept.staged is not None
    assert (kept.error, kept.error.template) == (
        "line 3: is empty\nodd", "%(sentence0)s\n%(sentence1)s"
    )  # fmt: skip
    first = kept.error.values["sentence0"]
    assert isinstance(first, Message)
    assert first.values == {"line": 3}
    assert [one.template for one in kept.staged.notes] == ["Numbers have a decimal comma."]


def test_texts_of_an_earlier_version_are_read(store: JobStore, database: str) -> None:
    """It kept them as plain English."""
    job = added(store, state="failed", staged=STAGED)
    staged = '{"kind":"csv","columns":[],"rows":7,"notes":["Numbers have a decimal comma."]}'
    opened = Database.open(database)
    with opened.begin() as con:
        this = module.jobs.c.id == job.id
        con.execute(
            sa.update(module.jobs).where(this).values(error="The disk\nis full", staged=staged)
        )
    opened.close()
    kept = store.get(job.id)
    assert kept is not None
    assert kept.staged is not None
    assert (kept.error, kept.staged.notes) == (
        "The disk\nis full", ("Numbers have a decimal comma.",)
    )  # fmt: skip
    assert all(map(is_english, (kept.error, *kept.staged.notes)))


def test_unknown_and_foreign_ids_are_none(store: JobStore, database: str) -> None:
    """A job that there is not, that has no possible id, or is another application's: None."""
    other = JobStore.open(database, store.application + "2")
    job = added(store)
    for asked in (new_id(), "", "../../x", "' OR 1=1 --", job.id.upper(), job.id + "\n"):
        assert store.get(asked) is None
    assert (other.get(job.id), other.cancel(job.id), other.start(job.id, Wishes())) == (None,) * 3
    assert (other.remove(job.id), other.claim("me", 9), other.ids()) == (False, None, set())
    assert store.get(job.id) == job
    other.close()


def test_ids_are_128_random_bits() -> None:
    """An id is 32 hexadecimal digits, and no two are the same."""
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(one) for one in ids} == {32}


def test_oldest_job_is_claimed_first(store: JobStore) -> None:
    """A worker gets the oldest of the received and queued ones, and none twice."""
    later, sooner = added(store, created=2.0), added(store, created=1.0, state="queued")
    added(store, created=0.5, state="ready")
    claimed = [store.claim("me", 9), store.claim("you", 9), store.claim("me", 9)]
    assert [one and (one.id, one.state) for one in claimed] == [
        (sooner.id, "running"), (later.id, "received"), None,
    ]  # fmt: skip


def test_lost_lease_changes_nothing(store: JobStore) -> None:
    """Who has lost its lease to another can neither renew nor change nor give back the job."""
    job = added(store)
    store.claim("slow", -1)
    assert store.claim("next", 9) is not None
    assert not store.renew(job.id, "slow", 9)
    assert not store.update(job.id, "slow", state="done", rows_done=9)
    assert not store.release(job.id, "slow")
    found = store.get(job.id)
    assert found is not None
    assert (found.state, found.rows_done, store.owners()) == ("received", 0, {"next"})


def test_renewed_lease_is_kept(store: JobStore) -> None:
    """A lease that was renewed does not run out at its first end."""
    job = added(store)
    store.claim("me", 0.01)
    assert store.renew(job.id, "me", 60)
    time.sleep(0.02)
    assert store.claim("you", 9) is None


def test_job_of_a_dead_worker_is_taken_at_once(store: JobStore) -> None:
    """The lease of a worker that is known to be dead counts no more."""
    added(store)
    store.claim("dead", 60)
    assert store.claim("next", 60, ["someone else"]) is None
    claimed = store.claim("next", 60, ["dead"])
    assert claimed is not None


def test_job_given_back_is_taken_at_once(store: JobStore) -> None:
    """A worker that is told to end leaves its job to the next one."""
    job = added(store)
    store.claim("me", 60)
    assert store.release(job.id, "me", attempts=0)
    claimed = store.claim("you", 60)
    assert claimed is not None
    assert claimed.id == job.id


@pytest.mark.parametrize("state", ["done", "failed", "ready"])
def test_job_that_needs_no_worker_has_a_time_to_go(store: JobStore, state: str) -> None:
    """A job that has ended, or waits for its start, goes `keep_s` seconds later."""
    job = added(store)
    store.claim("me", 60)
    before = time.time()
    assert store.update(job.id, "me", state=state, staged=STAGED)
    found = store.get(job.id)
    assert found is not None
    assert found.removed_at == pytest.approx(before + 100, abs=5)
    assert (store.owners(), store.claim("you", 9)) == (set(), None)
    assert store.remove_expired(before) == []
    assert store.remove_expired(before + 120) == [job.id]
    assert store.get(job.id) is None


@pytest.mark.parametrize("state", ["ready", "failed"])
def test_start_queues_a_job_with_its_wishes(store: JobStore, state: str) -> None:
    """A job that waits, or has failed, is queued; it is no longer about to go."""
    job = added(store, state=state, removed_at=5.0, error="full", rows_done=4, attempts=8)
    wishes = Wishes(models=("bnn",), target="species")
    started = store.start(job.id, wishes)
    assert started is not None
    told = (started.state, started.wishes, started.removed_at, started.error, started.rows_done)
    assert told == ("queued", wishes, None, None, 4)
    assert started.attempts == 0
    assert store.remove_expired(10.0) == []


@pytest.mark.parametrize("state", ["received", "queued", "running", "done", "cancelled"])
def test_start_is_refused_where_it_makes_no_sense(store: JobStore, state: str) -> None:
    """What is under way, or done, cannot be started."""
    job = added(store, state=state)
    with pytest.raises(WrongState, match=f"is {state}: it cannot be started"):
        store.start(job.id, Wishes())
    assert store.get(job.id) == job


def test_cancelled_job_is_lost_to_its_worker(store: JobStore) -> None:
    """Cancelling a running job takes the lease away; it is not worked on again."""
    job = added(store)
    store.claim("me", 60)
    cancelled = store.cancel(job.id)
    assert cancelled is not None
    assert (cancelled.state, store.renew(job.id, "me", 60)) == ("cancelled", False)
    assert not store.update(job.id, "me", state="done")
    assert store.claim("you", 60) is None
    with pytest.raises(WrongState, match="is cancelled: it cannot be cancelled"):
        store.cancel(job.id)


def test_removed_job_is_lost_to_its_worker(store: JobStore) -> None:
    """Removing a running job takes it away from its worker."""
    job = added(store)
    store.claim("me", 60)
    assert (store.remove(job.id), store.remove(job.id)) == (True, False)
    assert not store.renew(job.id, "me", 60)


def test_waiting_jobs_are_counted(store: JobStore) -> None:
    """Received and queued jobs wait until a worker has them."""
    for state in ("received", "queued", "ready", "done"):
        added(store, state=state)
    assert store.count_waiting() == 2
    store.claim("me", 60)
    assert store.count_waiting() == 1


def test_jobs_before_another_are_counted(store: JobStore) -> None:
    """Before a job are those that are worked on, and those that came sooner and wait."""
    held = added(store, created=9.0)
    assert store.claim("me", 60) is not None
    assert store.count_before(held) == 0
    for state in ("received", "queued", "ready", "done"):
        added(store, created=1.0, state=state)
    job, last = (added(store, created=2.0, id=digit * 32) for digit in "ab")
    assert (store.count_before(job), store.count_before(last)) == (3, 4)


def claim_all(database: str, application: str, owner: str) -> list[str]:
    """Claim jobs until there are none; return their ids."""
    store = JobStore.open(database, application)
    ids = []
    while (job := store.claim(owner, 60)) is not None:
        ids.append(job.id)
    store.close()
    return ids


def test_processes_never_claim_the_same_job(store: JobStore, database: str) -> None:
    """Several processes that claim at once share the jobs, and none is had by two."""
    wanted = sorted(added(store).id for _ in range(60))
    store.close()
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        calls = [(database, store.application, f"process {number}") for number in range(3)]
        shares = pool.starmap(claim_all, calls)
    assert sorted(one for share in shares for one in share) == wanted


def test_threads_never_claim_the_same_job(store: JobStore) -> None:
    """Threads that claim at the same moment get different jobs."""
    wanted = sorted(added(store).id for _ in range(40))
    got: list[str] = []
    start = threading.Barrier(8)

    def claim(owner: str) -> None:
        start.wait()
        while (job := store.claim(owner, 60)) is not None:
            got.append(job.id)

    threads = [threading.Thread(target=claim, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == wanted


def test_processes_that_open_at_once_make_one_table(tmp_path: Path) -> None:
    """A new database may be opened by several at the same moment."""
    urls = [f"sqlite:///{tmp_path / str(number)}.sqlite" for number in range(4)]
    failed: list[BaseException] = []

    def open_all(start: threading.Barrier) -> None:
        try:
            for url in urls:
                start.wait()
                JobStore.open(url, "a").close()
        except BaseException as err:
            failed.append(err)
            start.abort()

    barrier = threading.Barrier(6)
    threads = [threading.Thread(target=open_all, args=(barrier,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_short_lock_is_waited_for(tmp_path: Path) -> None:
    """While someone else writes, a change waits and is made."""
    store = JobStore.open(f"sqlite:///{tmp_path / 'jobs.sqlite'}", "a")
    other = sqlite3.connect(tmp_path / "jobs.sqlite", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.rollback)
    release.start()
    job = added(store)
    release.join()
    assert store.get(job.id) == job
    store.close()
    other.close()


def test_long_lock_is_told_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that stays locked is an error that asks to try again; then the change is made."""
    monkeypatch.setattr(module, "BUSY_S", 0.1)
    store = JobStore.open(f"sqlite:///{tmp_path / 'jobs.sqlite'}", "a")
    job = added(store)
    other = sqlite3.connect(tmp_path / "jobs.sqlite")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Overloaded, match="cannot be used now: database is locked"):
        store.cancel(job.id)
    assert store.get(job.id) == job  # a reader does not wait
    other.close()
    cancelled = store.cancel(job.id)
    assert cancelled is not None
    store.close()


def test_deleted_database_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Processes that have a file open which was deleted meet again in the new one."""
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    one, two = JobStore.open(url, "a"), JobStore.open(url, "a")
    lost = added(one)
    assert two.get(lost.id) == lost
    (tmp_path / "jobs.sqlite").unlink()
    job = added(one)
    assert (two.get(job.id), two.get(lost.id)) == (job, None)
    assert caplog.text.count("was removed or replaced") == 2
    two.close()
    one.close()
    three = JobStore.open(url, "a")
    assert three.get(job.id) == job
    three.close()


def test_damaged_database_is_told_with_the_way_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged file is an error that names it; it does not ask to try again."""
    file = tmp_path / "jobs.sqlite"
    told = r"^jobs\.sqlite, the database .* is damaged\. Stop the server, put a copy"
    store = JobStore.open(f"sqlite:///{file}", "a")
    job = added(store)
    store.close()
    with file.open("r+b") as damaged:
        damaged.seek(1024)
        damaged.write(b"x" * (file.stat().st_size - 1024))
    with pytest.raises(DatabaseDamaged, match=told):
        store.get(job.id)
    file.write_bytes(b"no database at all, whatever its name may say" * 99)
    with pytest.raises(DatabaseDamaged, match=told):
        JobStore.open(f"sqlite:///{file}", "a")
    assert f"{file}, is damaged: " in caplog.text
    store.close()


def test_full_disk_is_told_apart(tmp_path: Path) -> None:
    """Where a change finds no room, the error says so."""
    store = JobStore.open(f"sqlite:///{tmp_path / 'jobs.sqlite'}", "a")
    with store._database.begin() as con:
        con.exec_driver_sql("PRAGMA max_page_count = 1")
    with pytest.raises(DatabaseFull, match="database or disk is full"):
        added(store, name="x" * 100_000)
    store.close()


def test_crash_counts_as_several_deaths(store: JobStore) -> None:
    """A crash adds to the deaths of the job that the worker held, and frees it."""
    job, other = added(store, attempts=1, created=1.0), added(store)
    store.claim("crashed", 60)
    store.claim("alive", 60)
    store.note_crash("crashed", 2)
    claimed = store.claim("next", 60)
    assert claimed is not None
    assert (claimed.id, claimed.attempts) == (job.id, 3)
    left = store.get(other.id)
    assert left is not None
    assert left.attempts == 0


def test_database_of_a_later_podium_is_refused(tmp_path: Path) -> None:
    """A table that only a later Podium knows is left alone."""
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    JobStore.open(url, "a").close()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as other:
        other.execute("UPDATE podium_version SET version = 99")
    other.close()
    with pytest.raises(StateError, match=r"later Podium: its version is 99, .* Update Podium"):
        JobStore.open(url, "a")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://zoe:hush@127.0.0.1:1/jobs",
         r"^The database of jobs, postgresql://127\.0\.0\.1:1/jobs, cannot be used: .*refused"),
        ("postgresql://zoe:hush@127.0.0.1:x/jobs", "^The address of the database cannot be read"),
        ("zoe:hush@host", "^The address of the database cannot be read"),
        ("mysql://zoe:hush@host/jobs", "^A database of the kind 'mysql' is not known"),
        ("sqlite:////nowhere/jobs.sqlite",
         r"^The database of jobs, /nowhere/jobs\.sqlite, cannot be used: unable to open"),
    ],
)  # fmt: skip
def test_database_that_cannot_be_used(url: str, told: str) -> None:
    """A wrong address, or a server that is away, is told without the password."""
    with pytest.raises(StateError, match=told) as caught:
        JobStore.open(url, "a")
    shown = str(caught.value)
    assert "hush" not in shown.replace("postgresql://USER:PASSWORD", "")
    assert "zoe" not in shown


def test_missing_driver_names_its_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg a PostgreSQL address is an error that says how to install it."""
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"pip install 'podium\[postgresql\]'"):
        JobStore.open("postgresql://host/jobs", "a")
