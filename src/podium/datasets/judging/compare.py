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
from podium.errors import counted
from podium.rounding import beside, numbers, percents

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

MCNEMAR: Final = "McNemar's exact test"
RANDOMISED: Final = "paired randomisation test"
WITH_ROWS: Final = "paired randomisation test with a row added for each model"
_OFTEN: Final = 0.2
_TOO_FEW: Final = " So few could not tell which is better, however they fall."
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
    sentence: str
    more: str = ""
    same: bool = False
    least: float = 0.0


def _told(found: Sequence[_Found | None]) -> Iterator[Comparison]:
    """Yield comparisons with their reading, corrected for how many they are."""
    known = [one for one in found if one is not None]
    corrected = holm([one.chance for one in known])
    for place, (one, adjusted) in enumerate(zip(known, corrected, strict=True)):
        verdict = "" if one.same else _verdict(adjusted, len(known))
        others = [other.chance for other in known[:place] + known[place + 1 :]]
        few = not one.same and holm([one.least, *others])[0] >= RARE
        reading = f"{one.sentence}{verdict}{one.more}{_TOO_FEW if few else ''}"
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
        first=first.name, second=second.name, metric="accuracy", title="Accuracy", test=MCNEMAR,
        difference=(only - other) / rows, low=low, high=high, p_value=chance, reading="",
        rows=rows, first_value=shares[0], second_value=shares[1],
    )  # fmt: skip
    on = f"On {'this 1 row' if rows == 1 else f'these {rows:,} rows'}"
    if only == other:
        how = (
            "are right and wrong on the very same rows"
            if only == 0
            else f"are right equally often, though not on the same rows ({only:,} each alone)"
        )
        sentence = (
            f"{on} {first.title} and {second.title} {how}: {percents(shares[0])[0]} right. "
            "Nothing here tells which is better."
        )
        return _Found(comparison, chance, sentence, same=True)
    better, worse = (first, second) if only > other else (second, first)
    more_often, less_often = percents(max(shares), min(shares))
    sentence = (
        f"{on} {better.title} is right more often than {worse.title} "
        f"({more_often} against {less_often})"
    )
    more = (
        f" On {counted(only + other, 'row')} only one of the two is right: {better.title} on "
        f"{max(only, other):,}, {worse.title} on {min(only, other):,}."
    )
    return _Found(comparison, chance, sentence, more, least=mcnemar(only + other, 0))


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
        title="Brier score" if classes else "Mean absolute error",
        test=WITH_ROWS if classes else RANDOMISED, difference=found.value[f"{prefix}less"],
        low=ends[0], high=ends[1], p_value=chance, reading="", rows=rows, first_value=values[0],
        second_value=values[1], unit=None if classes else unit,
    )  # fmt: skip
    better, worse = (first, second) if values[0] < values[1] else (second, first)
    of_unit = f" {unit}" if unit and not classes else ""
    told = [f"{value}{of_unit}" for value in numbers(*sorted(values))]
    if values[0] == values[1]:
        what = comparison.title.lower()
        sentence = f"{first.title} and {second.title} have the same {what} ({told[0]})."
        return _Found(comparison, chance, sentence, same=True)
    if classes:
        sentence = (f"The probabilities of {better.title} fit the true labels better than those of "
                    f"{worse.title} (Brier score {told[0]} against {told[1]})")  # fmt: skip
    else:
        sentence = (f"{better.title} is closer to the true values than {worse.title} (off by "
                    f"{told[0]} on average, against {told[1]})")  # fmt: skip
    return _Found(comparison, chance, sentence)


def _amounts(judged: Judgement) -> Floats | None:
    """Return how far off each answer is: its Brier score, or distance; None if nobody knows."""
    if isinstance(judged, ClassJudgement):
        return None if judged.brier is None else np.maximum(judged.brier, 0.0)
    return np.abs(judged.value - judged.truth)


def _verdict(chance: float, compared: int) -> str:
    """Return the end of a sentence: what a p-value says of the difference that it tells."""
    note = f", corrected for the {compared} pairs compared" if compared > 1 else ""
    told = f"(p {_chance(chance)}{note})"
    if chance < RARE:
        return f". Between equally good models chance alone would seldom bring as much {told}."
    often = "now and then" if chance < _OFTEN else "often"
    return f", but a difference like this is what chance alone {often} brings {told}."


def _chance(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {beside(value, RARE)}"
