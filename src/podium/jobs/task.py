"""The work on one job: its data set is taken in, or scored to the end."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import msgspec
from msgspec import Struct

from podium.app import App
from podium.calibrated import calibration_file
from podium.datasets.dataset import asked_models
from podium.datasets.place import Place, Step
from podium.datasets.reading import Upload
from podium.datasets.run import look_over, run, take_in
from podium.errors import DISK_FULL, DataError, Mistake, ModelError, RequestError, SpecError
from podium.jobs.job import Job
from podium.jobs.progress import JobProgress
from podium.messages import Message, joined, message_of, said, told_by

LOCKED_S: Final = 0.2
_GONE: Final = said(
    "The file of this data set is removed, since it could not be used. Send it again."
)
_NO_ROOM: Final = ("no space left", "file too large", "disk quota exceeded")

log = logging.getLogger("podium")


class Basis(Struct, frozen=True):
    """What was done hangs on this: the target, and of the answers all that decides them."""

    target: str | None
    answers: str | None = None


class Task:
    """One job in a worker's hands."""

    def __init__(self, app: App, job: Job, place: Place, progress: JobProgress) -> None:
        self._app, self._job, self._place, self._progress = app, job, place, progress
        self._upload = Upload(place.upload, job.name)

    def perform(self) -> dict[str, Any]:
        """Take the data set in, or score it to the end; return what is to be told of the job.

        While another process holds the file in which it is worked on, this one waits.
        """
        while True:
            try:
                return self._go_on()
            except duckdb.IOException as err:
                if "lock" not in str(err):
                    raise
                self._progress.wait(LOCKED_S)

    def _go_on(self) -> dict[str, Any]:
        job = self._job
        if not self._place.upload.exists():
            raise DataError(self._place.upload, [Mistake("", _GONE)])
        if job.state == "received":
            self._found_on(Basis(job.wishes.target))
            staged = take_in(self._app, self._place, self._upload, job.wishes, self._progress)
            known = {"staged": staged, "rows": staged.rows}
            if not job.start:
                look_over(self._app, self._place, staged)
                return {"state": "ready", "step": None, "attempts": 0, **known}
            self._progress.tell(state="running", **known)
        self._found_on(Basis(job.wishes.target, self._deciding()))
        findings = run(
            self._app, self._place, self._upload, job.wishes, ("csv", "parquet"), self._progress
        )
        return {"state": "done", "staged": findings.staged, "rows": findings.rows,
                "rows_done": findings.rows, "rows_failed": findings.failed}  # fmt: skip

    def _found_on(self, basis: Basis) -> None:
        """Begin anew if what was done before hangs on something else."""
        file = self._place.folder / "basis.json"
        before = msgspec.json.decode(file.read_bytes(), type=Basis) if file.exists() else basis
        if before.target != basis.target or before.answers not in (None, basis.answers):
            self._place.forget_work()
            self._progress.begin_anew()
        self._place.write(file, basis)

    def _deciding(self) -> str:
        """Return what names all that decides the answers: wishes, models, calibrations."""
        digest = hashlib.sha256(msgspec.json.encode(self._job.wishes))
        asked = asked_models(self._app, self._job.wishes)
        for spec in self._app.spec.models:
            if spec.name in asked:
                digest.update(self._app.version(spec.name).encode())
                digest.update(self._app.settings(spec).encode())
                calibration = calibration_file(self._app.folder, spec)
                digest.update(calibration.read_bytes() if calibration.exists() else b"")
        return digest.hexdigest()


def clean_up(err: BaseException, place: Place, step: Step | None) -> None:
    """Remove what a job that failed in a step needs no more, if it is started again.

    A file that cannot be used never can. What was scored is kept, also on a full disk: it goes on
    there.
    """
    place.clean()
    if isinstance(err, DataError):
        place.forget_all_but_results()
    elif _is_full(err) and step in (None, "reading"):
        place.forget_work()


def reason(err: BaseException) -> Message:
    """Return in words why a job failed."""
    if _is_full(err):
        return said("The server's disk is full. Once it has room, start this data set again.")
    if isinstance(err, (MemoryError, duckdb.OutOfMemoryException)):
        return said("The server's memory is not enough for this data set.")
    if isinstance(err, DataError):
        return joined((one.told for one in err.mistakes), "\n")
    if isinstance(err, (ModelError, RequestError)):
        return message_of(told_by(err))
    log.error("A data set failed", exc_info=err)
    if isinstance(err, SpecError):
        return said("The application has changed, and cannot be loaded. The server's log says why.")
    return said("Something unexpected went wrong (%(error)s). The server's log says what.",
                error=type(err).__name__)  # fmt: skip


def _chain(err: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it came of: a rollback may fail where the disk was full."""
    while err is not None:
        yield err
        err = err.__cause__ or err.__context__


def _is_full(err: BaseException) -> bool:
    return any(map(_tells_full, _chain(err)))


def _tells_full(err: BaseException) -> bool:
    if isinstance(err, OSError):
        return err.errno in DISK_FULL
    return isinstance(err, duckdb.Error) and any(word in str(err).lower() for word in _NO_ROOM)
