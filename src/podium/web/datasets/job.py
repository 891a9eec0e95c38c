"""A data set under way, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from flask_babel import gettext as _
from flask_babel import ngettext

from podium.jobs.job import ENDED, Job
from podium.web.words import lasting, moment

_TITLES: Final[dict[str, Callable[[], str]]] = {
    "received": lambda: _("Waiting to be read"),
    "ready": lambda: _("Ready to be scored"),
    "queued": lambda: _("Waiting for its turn"),
    "loading": lambda: _("Getting ready"),
    "reading": lambda: _("Being read"),
    "scoring": lambda: _("Being scored"),
    "judging": lambda: _("Being judged"),
    "writing": lambda: _("Being written"),
    "done": lambda: _("Scored"),
    "failed": lambda: _("Not scored"),
    "cancelled": lambda: _("Cancelled"),
}


class JobView(NamedTuple):
    """A data set under way: its `stage` is the state, or the step of what is being worked on.

    Between reading and scoring, which is no step, it is "loading".

    `part` is how much of the step is done, from 0 to 1; None where that is not known. `again` is
    whether one that failed can be started again.
    """

    job: Job
    stage: str
    title: str
    words: str
    part: float | None
    kept: str
    again: bool

    @property
    def ended(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.job.state in ENDED

    @property
    def polls(self) -> bool:
        """Whether anything may change by itself."""
        return not self.ended and self.job.state != "ready"

    @property
    def said(self) -> str:
        """What a screen reader is told: not of each row, but of each tenth."""
        if self.part is None:
            return self.title
        return _("%(title)s, %(percent)s%%", title=self.title, percent=10 * int(self.part * 10))


def job_view(
    job: Job, keep_s: float, before: int | None = None, uploaded: bool = True
) -> JobView:  # fmt: skip
    """Return a job in words, which is kept for `keep_s` after it has ended.

    `before` is how many others are worked on first, if known; `uploaded` whether its file is still
    here.
    """
    stage = _stage(job)
    words, part = _words(job, stage, before), _part(job, stage)
    again = job.state == "failed" and job.staged is not None and uploaded
    return JobView(job, stage, _TITLES[stage](), words, part, _kept(job, keep_s), again)


def _stage(job: Job) -> str:
    is_read = job.step == "reading" and job.step_done == 100
    if job.state == "running" and (is_read or not job.step):
        return "loading"
    return job.step if job.state in ("received", "running") and job.step else job.state


def _part(job: Job, stage: str) -> float | None:
    if stage == "scoring" and job.rows:
        return job.rows_done / job.rows
    return job.step_done / 100 if stage == "reading" else None


def _words(job: Job, stage: str, before: int | None) -> str:
    rows, done = job.rows or 0, f"{job.rows_done:,}"
    known: dict[str, Callable[[], str]] = {
        "received": lambda: _turn(before),
        "queued": lambda: _turn(before),
        "reading": lambda: _("Its columns are matched to what the models take."),
        "loading": lambda: _("The server loads the models."),
        "ready": lambda: ngettext(
            "%(rows)s row. Is every column taken for what it is?",
            "%(rows)s rows. Is every column taken for what it is?", rows, rows=f"{rows:,}"),
        "scoring": lambda: ngettext("%(done)s of %(rows)s row", "%(done)s of %(rows)s rows", rows,
                                    done=done, rows=f"{rows:,}"),
        "judging": lambda: ngettext(
            "%(rows)s row scored; metrics and figures are made.",
            "%(rows)s rows scored; metrics and figures are made.", rows, rows=f"{rows:,}"),
        "writing": lambda: ngettext(
            "%(rows)s row scored and judged; the files are written.",
            "%(rows)s rows scored and judged; the files are written.", rows, rows=f"{rows:,}"),
        "cancelled": lambda: ngettext(
            "%(done)s of %(rows)s row had its answer.",
            "%(done)s of %(rows)s rows had their answers.", rows, done=done, rows=f"{rows:,}",
        ) if rows else "",
        "failed": lambda: job.error or _("The server's log says why."),
    }  # fmt: skip
    return known[stage]() if stage in known else ""


def _turn(before: int | None) -> str:
    if before is None:
        return _("It begins as soon as the server is free for it.")
    if not before:
        return _("It is the next one.")
    return ngettext("One other data set is before it.",
                    "%(num)s other data sets are before it.", before)  # fmt: skip


def _kept(job: Job, keep_s: float) -> str:
    if job.removed_at is None:
        return _("This page can be left: its address stays the same, and the work goes on. "
                 "The results are kept for %(time)s.", time=lasting(keep_s))  # fmt: skip
    return _("Kept at this address until %(time)s, then removed.", time=moment(job.removed_at))
