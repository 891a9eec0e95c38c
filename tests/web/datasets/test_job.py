"""A data set under way, in words."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask_babel import Babel

from podium.datasets.wishes import Column, Staged, Wishes
from podium.jobs.job import Job
from podium.web.datasets.job import JobView, job_view
from podium.web.words import lasting

STAGED = Staged(kind="csv", rows=200, columns=(Column("species", None, True), Column("x", "x")))
DAY = 86400.0


def job(state: str, **fields: Any) -> Job:
    """Return a job of 200 rows in a state."""
    known = {"rows": 200, "staged": STAGED, **fields}
    return Job(id="0" * 32, application="penguins", name="birds.csv", state=state,  # type: ignore[arg-type]
               wishes=Wishes(), start=True, created=0.0, updated=0.0, **known)  # fmt: skip


def shown(state: str, before: int | None = None, **fields: Any) -> JobView:
    """Return how a job in a state is shown."""
    return job_view(job(state, **fields), DAY, before)


@pytest.mark.parametrize(
    ("view", "stage", "title", "words", "part", "polls"),
    [
        (shown("received", 0, rows=None), "received", "Waiting to be read",
         "It is the next one.", None, True),
        (shown("received", step="reading", step_done=40, rows=None), "reading", "Being read",
         "Its columns are matched to what the models take.", 0.4, True),
        (shown("ready", step="reading"), "ready", "Ready to be scored",
         "200 rows. Is every column taken for what it is?", None, False),
        (shown("queued", 2), "queued", "Waiting for its turn",
         "2 other data sets are before it.", None, True),
        (shown("queued", 1), "queued", "Waiting for its turn",
         "One other data set is before it.", None, True),
        (shown("queued"), "queued", "Waiting for its turn",
         "It begins as soon as the server is free for it.", None, True),
        (shown("running"), "loading", "Getting ready", "The server loads the models.", None, True),
        (shown("running", step="reading", step_done=100), "loading", "Getting ready",
         "The server loads the models.", None, True),
        (shown("running", step="reading", step_done=40), "reading", "Being read",
         "Its columns are matched to what the models take.", 0.4, True),
        (shown("running", step="scoring", rows_done=50), "scoring", "Being scored",
         "50 of 200 rows", 0.25, True),
        (shown("running", step="judging", rows_done=200), "judging", "Being judged",
         "200 rows scored; metrics and figures are made.", None, True),
        (shown("running", step="writing", rows_done=200), "writing", "Being written",
         "200 rows scored and judged; the files are written.", None, True),
        (shown("failed", step="scoring", error="The disk is full"), "failed", "Not scored",
         "The disk is full", None, False),
        (shown("cancelled", step="scoring", rows_done=1), "cancelled", "Cancelled",
         "1 of 200 rows had their answers.", None, False),
        (shown("cancelled", rows=None), "cancelled", "Cancelled", "", None, False),
    ],
)  # fmt: skip
def test_a_job_in_words(
    view: JobView, stage: str, title: str, words: str, part: float | None, polls: bool
) -> None:
    """Each state, and each step of one that is worked on, has its words and how far it is."""
    told = (view.stage, view.title, view.words, view.part, view.polls)
    assert told == (stage, title, words, part, polls)


def test_a_screen_reader_hears_each_tenth() -> None:
    """What is said changes with every tenth of the rows, not with every row."""
    said = [shown("running", step="scoring", rows_done=done).said for done in (0, 19, 20, 199)]
    assert said == ["Being scored, 0%", "Being scored, 0%", "Being scored, 10%",
                    "Being scored, 90%"]  # fmt: skip


def test_how_long_it_is_kept() -> None:
    """Before its end one reads for how long results are kept, after it until when."""
    assert shown("running").kept == (
        "This page can be left: its address stays the same, and the work goes on. "
        "The results are kept for 1 day."
    )
    flask = Flask("words")
    Babel(flask)
    with flask.app_context():
        kept = shown("done", removed_at=1_795_000_000.0).kept
    assert kept == "Kept at this address until 18 November 2026, 11:06 UTC, then removed."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(86400, "1 day"), (7 * 86400, "7 days"), (36 * 3600, "36 hours"), (3600, "1 hour"),
     (90, "90 seconds"), (120, "2 minutes")],
)  # fmt: skip
def test_a_time_in_words(seconds: float, words: str) -> None:
    """A time is told in the unit in which it is a small whole number."""
    assert lasting(seconds) == words
