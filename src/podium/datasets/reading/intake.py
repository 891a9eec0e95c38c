"""What the readers of all kinds of files are given."""

from __future__ import annotations

from typing import NamedTuple

from podium.datasets.reading.loading import Told
from podium.datasets.work import Work
from podium.signature import Signature
from podium.spec import Limits


class Intake(NamedTuple):
    """Where the rows of a file go, and what is looked for in it.

    `target` is the column of the answers, if it is named; `told` hears how much is read.
    """

    work: Work
    signature: Signature
    target: str | None = None
    told: Told = lambda _: None
    limits: Limits = Limits()
