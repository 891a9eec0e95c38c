"""A data set under way, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from podium.errors import counted
from podium.jobs.job import ENDED, Job

_TITLES: Final = {
    "received": "Waiting to be read",
    "ready": "Ready to be scored",
    "queued": "Waiting for its turn",
    "loading": "Getting ready",
    "reading": "Being read",
    "scoring": "Being scored",
    "judging": "Being judged",
    "writing": "Being written",
    "done": "Scored",
    "failed": "Not scored",
    "cancelled": "Cancelled",
}


class JobView(NamedTuple):
    """A data set under way: its `stage` is the state, or the step of what is being worked on.

    Between reading and scoring, which is no step, it is "loading".

    `part` is how much of the step is done, from 0 to 1; None where that is not known.
    """

    job: Job
    stage: str
    title: str
    words: str
    part: float | None
    kept: str

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
        return self.title if self.part is None else f"{self.title}, {10 * int(self.part * 10)}%"


def job_view(job: Job, keep_s: float, before: int | None = None) -> JobView:
    """Return a job in words, which is kept for `keep_s` after it has ended.

    `before` is how many others are worked on first, if known.
    """
    stage = _stage(job)
    words, part = _words(job, stage, before), _part(job, stage)
    return JobView(job, stage, _TITLES[stage], words, part, _kept(job, keep_s))


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
    rows = counted(job.rows or 0, "row")
    told = {
        "received": _turn(before),
        "queued": _turn(before),
        "reading": "Its columns are matched to what the models take.",
        "loading": "The server loads the models.",
        "ready": f"{rows}. Is every column taken for what it is?",
        "scoring": f"{job.rows_done:,} of {rows}",
        "judging": f"{rows} scored; metrics and figures are made.",
        "writing": f"{rows} scored and judged; the files are written.",
        "cancelled": f"{job.rows_done:,} of {rows} had their answers." if job.rows else "",
        "failed": job.error or "The server's log says why.",
    }
    return told.get(stage, "")


def _turn(before: int | None) -> str:
    if before is None:
        return "It begins as soon as the server is free for it."
    if not before:
        return "It is the next one."
    others = "One other data set is" if before == 1 else f"{before} other data sets are"
    return f"{others} before it."


def _kept(job: Job, keep_s: float) -> str:
    if job.removed_at is None:
        return ("This page can be left: its address stays the same, and the work goes on. "
                f"The results are kept for {lasting(keep_s)}.")  # fmt: skip
    when = datetime.fromtimestamp(job.removed_at, UTC)
    return f"Kept at this address until {when.day} {when:%B %Y, %H:%M} UTC, then removed."


def lasting(seconds: float) -> str:
    """Return a time in the largest unit of which it holds two, or one whole."""
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * length or seconds == length:
            return counted(round(seconds / length), unit)
    return counted(round(seconds), "second")
