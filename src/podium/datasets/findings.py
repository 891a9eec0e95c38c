"""What is told of a scored data set: plain data.

The page, the report, the command line and the API are made from it.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from podium.datasets.wishes import Staged, Wishes
from podium.messages import NOTHING, Message, heard, heard_in

RARE: Final = 0.05
"""A paired test with a p-value below this tells two models apart."""
_NOTHING: Final[Any] = field(default_factory=lambda: NOTHING)
"""The default of a text; msgspec makes no JSON Schema of a Message that is one itself."""


class Metric(Struct, frozen=True):
    """One number that judges a model, with its interval; None where it cannot be told.

    `name` is a word for programs ("accuracy", "f1_macro", "f1", "rmse"), `label` the class of one
    that belongs to a class. `better` tells which way is better, if either is, `about` what it
    means, whatever the model, or why it is not known, and `detail` what holds of this model's value
    alone. `interval` says how `low` and `high` were found.
    """

    name: str
    title: Message
    value: float | None
    low: float | None = None
    high: float | None = None
    label: str | None = None
    unit: str | None = None
    better: Literal["higher", "lower"] | None = None
    about: Message = _NOTHING
    detail: Message = _NOTHING
    interval: Message = _NOTHING


class Figure(Struct, frozen=True):
    """A Vega-Lite specification with a title and how to read it, in words."""

    name: str
    title: Message
    about: Message
    spec: dict[str, Any]


class Judged(Struct, frozen=True, kw_only=True):
    """One model: how many rows it answered and could be judged on, metrics, figures.

    `counts` are its answers by label; None for a regression.
    """

    model: str
    title: str
    version: str
    rows: int
    judged: int
    counts: dict[str, int] | None = None
    metrics: tuple[Metric, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[Message, ...] = ()


class Comparison(Struct, frozen=True, kw_only=True):
    """Two models on the same rows: a paired test, and its reading in plain words.

    `difference` is the first model's metric less the second's. `adjusted` is the p-value with
    Holm's correction for all pairs of models; with two models it is `p_value` itself.
    """

    first: str
    second: str
    metric: str
    test: str
    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    reading: Message
    title: Message = _NOTHING
    rows: int = 0
    first_value: float | None = None
    second_value: float | None = None
    adjusted: float | None = None
    unit: str | None = None


class Findings(Struct, frozen=True, kw_only=True):
    """All that is told of one data set.

    `failed` rows have no answer, `partly` those of some models alone; `problems` are the reasons of
    the first few of both, by row from 1, and `reasons` what is said of any row, as `Work.reasons`.
    `bootstrap` is how often the rows were drawn anew (0: not at all), and `level` the confidence
    level of the intervals.
    """

    title: str
    file: str
    target: str | None
    unit: str | None
    labels: tuple[str, ...]
    rows: int
    failed: int
    problems: tuple[tuple[int, Message], ...]
    staged: Staged
    wishes: Wishes
    partly: int = 0
    level: float = 0.95
    bootstrap: int = 0
    models: tuple[Judged, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[Message, ...] = ()
    reasons: dict[str, str] = {}


def read_findings(kept: bytes) -> Findings:
    """Return findings as they were written; those of an earlier version hold plain English."""
    return msgspec.convert(heard_in(msgspec.json.decode(kept)), Findings, dec_hook=heard)
