"""Two models on the same rows: paired tests, and what they say in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from podium.datasets.findings import RARE, Comparison
from podium.datasets.judging.bootstrap import Bootstrap, Sums, Table
from podium.datasets.judging.judgement import ClassJudgement, Judgement, some
from podium.datasets.judging.measured import Asked
from podium.datasets.judging.metrics import add_mean, mean
from podium.datasets.judging.paired import holm, mcnemar, of_bounded, of_difference
from podium.messages import NOTHING, Message, joined, said, said_of
from podium.rounding import beside, numbers, percents

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

MCNEMAR: Final = "McNemar's exact test"
RANDOMISED: Final = "paired randomisation test"
WITH_ROWS: Final = "paired randomisation test with a row added for each model"
_OFTEN: Final = 0.2
_TOO_FEW: Final = said("So few could not tell which is better, however they fall.")
_MOST: Final = 2.0
"""The most by which two models' Brier scores of one row differ."""


def pairs(models: int) -> list[tuple[int, int]]:
    """Return all pairs of models."""
    return list(combinations(range(models), 2))


def prefix_of(pair: tuple[int, int]) -> str:
    """Return what the names of a pair's sums begin with."""
    return f"{pair[0]}-{pair[1]}."


def pair_widths(classes: bool) -> dict[str, int]:
    """Return the sums that are kept of a pair, with the width of each.

    `apart` counts the rows on which both are right, only the first, only the second, and neither;
    the others are means of each model's Brier score or distance, and of their difference, whose
    squares are added up too.
    """
    both = {"first": 2, "second": 2, "less": 3}
    return {"apart": 4, **both} if classes else both


def add_pair(
    table: Table, prefix: str, dealt: Ints, rows: Ints, first: Judgement, second: Judgement
) -> None:
    """Add the rows that both models answered; `dealt` are the groups of `rows`."""
    if not np.array_equal(first.rows, second.rows):
        _, here, there = np.intersect1d(
            first.rows, second.rows, assume_unique=True, return_indices=True
        )
        first, second = some(first, here), some(second, there)
    groups = dealt if len(first.rows) == len(rows) else dealt[np.searchsorted(rows, first.rows)]
    if isinstance(first, ClassJudgement) and isinstance(second, ClassJudgement):
        place = 2 * ~first.right + ~second.right
        table.add(f"{prefix}apart", groups, 1.0, place.astype(np.intp))
    amounts = _amounts(first), _amounts(second)
    if amounts[0] is None or amounts[1] is None:
        return
    for name, values in zip(("first", "second", "less"),
                            (*amounts, amounts[0] - amounts[1]), strict=True):  # fmt: skip
        add_mean(table, f"{prefix}{name}", groups, values)
    table.add(f"{prefix}less", groups, (amounts[0] - amounts[1]) ** 2, 2)


def of_pair(sums: Sums) -> dict[str, Floats]:
    """Return what is drawn anew of a pair, of shape (...)."""
    return {"less": mean(sums["less"])}


def compare(
    models: Sequence[Asked], table: Table, found: Bootstrap, unit: str | None
) -> tuple[Comparison, ...]:
    """Return the comparisons of all pairs, of right answers first; of pairs without rows none."""
    total = table.total()
    both = pairs(len(models))
    of_right = [_rightness(models, pair, total) for pair in both]
    others = [_closeness(models, pair, table, found, unit) for pair in both]
    return (*_told(of_right), *_told(others))


class _Found(NamedTuple):
    """A comparison with the sentences of its reading, between which stands what the test says.

    `same` is true where there is no difference that could be by chance; `least` is the least
    p-value that the rows on which the models differ could have brought.
    """

    comparison: Comparison
    chance: float
    finding: Message
    more: Message = NOTHING
    same: bool = False
    least: float = 0.0


def _told(found: Sequence[_Found | None]) -> Iterator[Comparison]:
    """Yield comparisons with their reading, corrected for how many they are."""
    known = [one for one in found if one is not None]
    corrected = holm([one.chance for one in known])
    for place, (one, adjusted) in enumerate(zip(known, corrected, strict=True)):
        verdict = NOTHING if one.same else _verdict(adjusted, len(known))
        others = [other.chance for other in known[:place] + known[place + 1 :]]
        few = not one.same and holm([one.least, *others])[0] >= RARE
        told = (one.finding, verdict, one.more, _TOO_FEW if few else NOTHING)
        reading = joined(filter(None, told))
        yield structs.replace(one.comparison, adjusted=adjusted, reading=reading)


def _rightness(models: Sequence[Asked], pair: tuple[int, int], total: Sums) -> _Found | None:
    sums = total.get(prefix_of(pair) + "apart")
    if sums is None or sums.sum() == 0:
        return None
    first, second = (models[index] for index in pair)
    both, only, other, neither = map(int, sums)
    rows = both + only + other + neither
    shares = (both + only) / rows, (both + other) / rows
    low, high = of_difference(only, other, rows)
    chance = mcnemar(only, other)
    comparison = Comparison(
        first=first.name, second=second.name, metric="accuracy", title=said("Accuracy"),
        test=MCNEMAR, difference=(only - other) / rows, low=low, high=high, p_value=chance,
        reading=NOTHING, rows=rows, first_value=shares[0], second_value=shares[1],
    )  # fmt: skip
    if only == other:
        told = _equally_right(first, second, only, rows, percents(shares[0])[0])
        return _Found(comparison, chance, told, same=True)
    better, worse = (first, second) if only > other else (second, first)
    finding = _righter(better, worse, rows, percents(max(shares), min(shares)))
    more = _alone(better, worse, max(only, other), min(only, other))
    return _Found(comparison, chance, finding, more, least=mcnemar(only + other, 0))


def _righter(better: Asked, worse: Asked, rows: int, shares: Sequence[str]) -> Message:
    return said_of(
        rows,
        "On this %(rows)s row %(better)s is right more often than %(worse)s (%(more)s against "
        "%(less)s).",
        "On these %(rows)s rows %(better)s is right more often than %(worse)s (%(more)s against "
        "%(less)s).",
        rows=f"{rows:,}", better=better.title, worse=worse.title, more=shares[0], less=shares[1],
    )  # fmt: skip


def _alone(better: Asked, worse: Asked, own: int, others: int) -> Message:
    """Return on how many rows the one and the other alone is right."""
    return said_of(
        own + others,
        "On %(rows)s row only one of the two is right: %(better)s on %(own)s, %(worse)s on "
        "%(others)s.",
        "On %(rows)s rows only one of the two is right: %(better)s on %(own)s, %(worse)s on "
        "%(others)s.",
        rows=f"{own + others:,}", better=better.title, own=f"{own:,}", worse=worse.title,
        others=f"{others:,}",
    )  # fmt: skip


def _equally_right(first: Asked, second: Asked, alone: int, rows: int, share: str) -> Message:
    """Return the reading of two models that are right equally often, on so many rows alone."""
    told = {"rows": f"{rows:,}", "first": first.title, "second": second.title, "share": share}
    if alone:
        finding = said(
            "On these %(rows)s rows %(first)s and %(second)s are right equally often, though not "
            "on the same rows (%(alone)s each alone): %(share)s right.",
            alone=f"{alone:,}", **told,
        )  # fmt: skip
    else:
        finding = said_of(
            rows,
            "On this %(rows)s row %(first)s and %(second)s are right and wrong on the very same "
            "rows: %(share)s right.",
            "On these %(rows)s rows %(first)s and %(second)s are right and wrong on the very same "
            "rows: %(share)s right.",
            **told,
        )  # fmt: skip
    return joined([finding, said("Nothing here tells which is better.")])


def _closeness(
    models: Sequence[Asked], pair: tuple[int, int], table: Table, found: Bootstrap,
    unit: str | None,
) -> _Found | None:  # fmt: skip
    prefix, total = prefix_of(pair), table.total()
    rows = int(total[f"{prefix}less"][1])
    if not rows:
        return None
    classes = f"{prefix}apart" in total
    first, second = (models[index] for index in pair)
    values = float(mean(total[f"{prefix}first"])), float(mean(total[f"{prefix}second"]))
    if classes:
        total_less, squares = float(total[f"{prefix}less"][0]), float(total[f"{prefix}less"][2])
        ends: tuple[float | None, float | None] = of_bounded(total_less, squares, rows, _MOST)
    else:
        ends = found.percentile(f"{prefix}less") or (None, None)
    chance = table.chance(f"{prefix}less", _MOST if classes else 0.0)
    comparison = Comparison(
        first=first.name, second=second.name, metric="brier" if classes else "mae",
        title=said("Brier score") if classes else said("Mean absolute error"),
        test=WITH_ROWS if classes else RANDOMISED, difference=found.value[f"{prefix}less"],
        low=ends[0], high=ends[1], p_value=chance, reading=NOTHING, rows=rows,
        first_value=values[0], second_value=values[1], unit=None if classes else unit,
    )  # fmt: skip
    of_unit = f" {unit}" if unit and not classes else ""
    less, more = (f"{value}{of_unit}" for value in numbers(*sorted(values)))
    if values[0] == values[1]:
        told = {"first": first.title, "second": second.title, "value": less}
        same = (
            said("%(first)s and %(second)s have the same Brier score (%(value)s).", **told)
            if classes else
            said("%(first)s and %(second)s have the same mean absolute error (%(value)s).", **told)
        )  # fmt: skip
        return _Found(comparison, chance, same, same=True)
    better, worse = (first, second) if values[0] < values[1] else (second, first)
    told = {"better": better.title, "worse": worse.title, "less": less, "more": more}
    if classes:
        finding = said("The probabilities of %(better)s fit the true labels better than those of "
                       "%(worse)s (Brier score %(less)s against %(more)s).", **told)  # fmt: skip
    else:
        finding = said("%(better)s is closer to the true values than %(worse)s (off by %(less)s "
                       "on average, against %(more)s).", **told)  # fmt: skip
    return _Found(comparison, chance, finding)


def _amounts(judged: Judgement) -> Floats | None:
    """Return how far off each answer is: its Brier score, or distance; None if nobody knows."""
    if isinstance(judged, ClassJudgement):
        return None if judged.brier is None else np.maximum(judged.brier, 0.0)
    return np.abs(judged.value - judged.truth)


def _verdict(chance: float, compared: int) -> Message:
    """Return in a sentence what a p-value says of a difference."""
    p = said("p %(value)s", value=_chance(chance))
    if compared > 1:
        p = said("p %(value)s, corrected for the %(pairs)s pairs compared", value=_chance(chance),
                 pairs=compared)  # fmt: skip
    if chance < RARE:
        return said("Between equally good models chance alone would seldom bring as much (%(p)s).",
                    p=p)  # fmt: skip
    if chance < _OFTEN:
        return said("Chance alone now and then brings a difference like this (%(p)s).", p=p)
    return said("Chance alone often brings a difference like this (%(p)s).", p=p)


def _chance(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {beside(value, RARE)}"
