"""One data set under way."""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

from podium.datasets.place import Step
from podium.datasets.wishes import Staged, Wishes
from podium.messages import Message

State = Literal["received", "ready", "queued", "running", "done", "failed", "cancelled"]
WAITING: Final = ("received", "queued")
ENDED: Final = ("done", "failed", "cancelled")
ID: Final = re.compile("[0-9a-f]{32}")


class Job(Struct, frozen=True, kw_only=True):
    """A data set as the database knows it; times are seconds since 1970.

    `received` means that the file is here and not taken in yet; then it is `ready`, and waits for
    its start, or `queued` at once, if `start` says so. `rows` are known once it is taken in;
    `rows_done` have their answers or, `rows_failed` of them, a reason for none. `step` is what
    is being done, and `step_done` how far it is. `attempts` counts the workers that died at this
    very place. `error` is why a job failed. `removed_at` is when one that has ended, or that nobody
    starts, goes.
    """

    id: str
    application: str
    name: str
    state: State
    wishes: Wishes
    start: bool
    created: float
    updated: float
    staged: Staged | None = None
    rows: int | None = None
    rows_done: int = 0
    rows_failed: int = 0
    step: Step | None = None
    step_done: int = 0
    attempts: int = 0
    error: Message | None = None
    removed_at: float | None = None
