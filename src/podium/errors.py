"""Every error that Podium raises on purpose.

PodiumError
├── SpecError                podium.toml, or a file it names, is wrong; all mistakes at once
├── ModelError               a model cannot be loaded or used
│   ├── MissingExtra         a package is not installed
│   └── UntrustedModel       a model file is a program and nobody vouched for it
├── ServeError               the server cannot be started as asked
├── BundleError              an application cannot go along as it is
├── DeployError              a platform does not take an application, or does not do as asked
├── DataError                a labelled file is wrong; all mistakes at once
├── StateError               the state folder or the database of jobs cannot be used
├── KeysError                keys and the password cannot be read, or not be changed as asked
├── CalibrationError         a model cannot be calibrated, or not with so few labelled rows
└── RequestError             one request cannot be answered
    ├── MalformedRequest     400 it cannot be read at all
    ├── UnknownModel         404
    ├── UnknownDataset       404
    ├── DatasetsOff          404
    ├── UnknownAnswer        404
    ├── WrongState           409 a data set is not where this can be asked of it
    ├── RequestTooLarge      413
    ├── UnsupportedBody      415
    ├── InvalidInput         422 it was read, and its values are wrong; all mistakes at once
    ├── DatabaseDamaged      500 the file of the jobs cannot be read
    ├── Overloaded           503 too much at once, or not ready; try again
    │   └── DatabaseFull     503 the disk has no room for a change of a job
    ├── TimedOut             504 the answer takes longer than a request may
    └── StorageFull          507 the disk has no room for what was sent

A message says what is wrong, which value, and the way out. The errors hold facts; the web
turns them into answers in one place (`podium.web.problem`).
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from podium.messages import Message, after, joined, said

INSTALL = "pip install 'podium[{extra}]'"
"""The command that installs an extra, quoted for the shell; every message is made from it."""

NEEDS_TORCH: Final = ("photos", "torch", "transformers")
PYTORCH_INDEX: Final = "https://download.pytorch.org/whl/cpu"
"""PyTorch's builds for processors; those of other indexes bring gigabytes of CUDA packages."""
INSTALL_TORCH: Final = f"pip install torch --index-url {PYTORCH_INDEX}"
"""What is installed before an extra that needs PyTorch."""


class PodiumError(Exception):
    """The root of all errors that Podium raises on purpose."""

    exit_code: ClassVar[int] = 1
    """How a command ends that fails with it."""


class Mistake(NamedTuple):
    """One thing that is wrong in a file: the key, or the line and column; what to do about it."""

    key: str
    message: str

    @property
    def told(self) -> Message:
        """Both in one text; the message alone where there is no key."""
        return Message("%(key)s: %(message)s" if self.key else "%(message)s", self._asdict())


class SpecError(PodiumError):
    """An application folder is wrong; `mistakes` holds everything found, not only the first."""

    def __init__(self, file: Path, mistakes: Sequence[Mistake]) -> None:
        self.file = file
        self.mistakes = tuple(mistakes)
        super().__init__(_listed(file, mistakes, len(mistakes)))


class ModelError(PodiumError):
    """A model cannot be loaded or does not fit the application."""


class MissingExtra(ModelError):
    """A package that a model needs is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        command = INSTALL.format(extra=extra)
        if extra in NEEDS_TORCH:
            command = f"{INSTALL_TORCH} && {command}"
        super().__init__(f"{what} needs the extra {extra!r}: {command}")


class UntrustedModel(ModelError):
    """A model file is a program, or holds types outside the safe list."""


class ServeError(PodiumError):
    """The server cannot be started as asked."""


class BundleError(PodiumError):
    """An application cannot go along as it is: to a container, or to a hosting platform."""


class DeployError(PodiumError):
    """An application cannot be put on a platform, or what is there cannot be changed as asked."""


class DataError(PodiumError):
    """A labelled file is wrong in `count` places; `mistakes` tells the first of each kind."""

    def __init__(self, file: Path, mistakes: Sequence[Mistake], count: int | None = None) -> None:
        self.file = file
        self.mistakes = tuple(mistakes)
        self.count = len(mistakes) if count is None else count
        super().__init__(_listed(file, mistakes, self.count))


class StateError(PodiumError):
    """The state folder or the database of jobs cannot be used."""


class KeysError(PodiumError):
    """Keys and the password cannot be read, or not be changed as asked."""


class CalibrationError(PodiumError):
    """A model cannot be calibrated at all, or not with so few labelled rows."""


class FieldError(NamedTuple):
    """One thing that is wrong in a request: the field it is in and what to do about it."""

    field: str
    message: str


class RequestError(PodiumError):
    """One request cannot be answered; `status` is the HTTP status that says why."""

    status: ClassVar[int] = 400
    title: ClassVar[str] = said("Bad request")

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        self.errors = tuple(errors)
        super().__init__(message)


class MalformedRequest(RequestError):
    """The request cannot be read: broken JSON, an empty body, JSON of another shape."""

    title = said("Malformed request")

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message, errors or [FieldError("body", message)])


class UnknownModel(RequestError):
    """The request names a model that the application does not have."""

    status = 404
    title = said("Unknown model")

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.known = tuple(known)
        message = said(
            "There is no model %(name)s.%(hint)s Known: %(known)s.",
            name=repr(name), hint=nearest(name, known), known=", ".join(known),
        )  # fmt: skip
        super().__init__(message, [FieldError("model", message)])


class UnknownDataset(RequestError):
    """There is no data set of this id, or it is another application's."""

    status = 404
    title = said("Unknown data set")

    def __init__(self) -> None:
        super().__init__(
            said(
                "There is no data set of this id. It may have been removed, by somebody or after "
                "its time; then send it again."
            )
        )


class DatasetsOff(RequestError):
    """No data set is taken: there is no disk that stays, or nothing that works on one."""

    status = 404
    title = said("Data sets are off")

    def __init__(self, rows: int) -> None:
        super().__init__(
            said(
                "Whole data sets are off here (PODIUM_DATASETS=off): the service that hosts this "
                "application has no disk that stays, or nothing that works between requests. "
                "/predict takes %(rows)s rows at once.",
                rows=f"{rows:,}",
            )
        )


class UnknownAnswer(RequestError):
    """No answer is kept under this id, or it is another application's."""

    status = 404
    title = said("Unknown answer")

    def __init__(self) -> None:
        super().__init__(
            said(
                "No answer is kept under this link. It was deleted, or its time is over; the "
                "address may also be incomplete."
            )
        )


class WrongState(RequestError):
    """A data set is not in the state in which this can be asked of it."""

    status = 409
    title = said("Not in this state")


class RequestTooLarge(RequestError):
    """The request is larger than [limits] allows."""

    status = 413
    title = said("Request too large")


class UnsupportedBody(RequestError):
    """The body's content type is not one that this application reads."""

    status = 415
    title = said("Unsupported content type")

    def __init__(self, message: str) -> None:
        super().__init__(message, [FieldError("Content-Type", message)])


class InvalidInput(RequestError):
    """The request was read and its values are wrong; `errors` names every field."""

    status = 422
    title = said("Invalid input")

    def __init__(self, errors: Sequence[FieldError]) -> None:
        parts = [Message("%(field)s: %(message)s", error._asdict()) for error in errors[:3]]
        if len(errors) > 3:
            parts.append(said("and %(count)s more", count=len(errors) - 3))
        super().__init__(joined(parts, "; "), errors)


class DatabaseDamaged(RequestError):
    """The database of jobs is damaged; waiting does not help."""

    status = 500
    title = said("The database of jobs is damaged")

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file}, the database of jobs in the state folder, is damaged. Stop the server, put a "
            "copy of the file back, or move it away (the list of data sets is lost then), and "
            "start the server again."
        )


class Overloaded(RequestError):
    """There is no room for the request now; the client may try again after `retry_after`."""

    status = 503
    title = said("Try again later")

    def __init__(self, message: str, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class DatabaseFull(Overloaded):
    """The disk has no room for a change in the database of jobs."""


class TimedOut(RequestError):
    """The answer takes longer than [limits] allows; the model may hang on this input."""

    status = 504
    title = said("The answer takes too long")


class StorageFull(RequestError):
    """The server's disk has no room for what was sent."""

    status = 507
    title = said("No room left")


DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What an OSError's number is where the disk, a quota or the system's limit of a file is full."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known name, or an empty string."""
    close = difflib.get_close_matches(name[:80], list(known), n=1, cutoff=0.6)
    return after(said("Did you mean %(name)s?", name=repr(close[0]))) if close else ""


def _listed(file: Path, mistakes: Sequence[Mistake], count: int) -> str:
    lines = [f"  {mistake.key}: {mistake.message}" for mistake in mistakes]
    return "\n".join([f"{file}: {counted(count, 'mistake')}", *lines])


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: "1 row", "1,000 rows"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
