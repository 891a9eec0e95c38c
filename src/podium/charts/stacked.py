"""The stacked spread of class probabilities: a column an input, a colour a class, a mark a pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from podium.charts.frame import (
    MOST_SERIES,
    Floats,
    Spec,
    coloured,
    evenly,
    framed,
    layer,
    lines,
    number,
    share,
    short,
)
from podium.messages import Message, joined, said, said_of

MOST_COLUMNS: Final = 40
MOST_MARKS: Final = 30
"""How many passes a column shows; of more, this many that lie evenly among them."""
OTHERS: Final = said("all others")
ANSWER: Final = said("the answer, without a colour of its own")
_WIDE: Final = 0.84


class Stack(NamedTuple):
    """One input: its row from 1, its passes of shape (passes, classes), its true label if known.

    A model without passes has a single one, and `sampled` is False.
    """

    row: int
    passes: Floats
    sampled: bool
    truth: int | None = None


def stacked(stacks: Sequence[Stack], labels: Sequence[str]) -> Spec:
    """Return a column an input, in which the class of the answer lies lowest."""
    shown = _shown(stacks, len(labels))
    names = [labels[i] for i in shown]
    if any(_answer(one) not in shown for one in stacks):
        names.append(ANSWER)
    if len(shown) < len(labels):
        names.append(OTHERS)
    colour = coloured("of", names)
    x = number("x", scale={"domain": [0, max(1, len(stacks))], "nice": False},
               title=said("Inputs, from the surest"),
               axis={"labels": False, "grid": False})  # fmt: skip
    places = {"x": x, "x2": {"field": "x2"}}
    wide = {"transform": [{"calculate": f"datum.x + {_WIDE}", "as": "x2"}]}
    tooltip = lines(row=said("row"), label=said("label"), p=(said("probability"), ".1%"),
                    truth=said("true label"))  # fmt: skip
    y = share("y", said("Probability, stacked"))
    parts = [part for i, one in enumerate(stacks) for part in _parts(i, one, labels, shown)]
    marks = [mark for i, one in enumerate(stacks) for mark in _marks(i, one)]
    wrong = [
        {"x": _left(i) + _WIDE / 2, "row": one.row, "truth": labels[one.truth],
         "said": labels[_answer(one)]}
        for i, one in enumerate(stacks) if one.truth is not None and one.truth != _answer(one)
    ]  # fmt: skip
    layers = [wide | layer(parts, "rect", "bar", **places, y=y, y2={"field": "y2"}, **colour,
                           tooltip=tooltip)]  # fmt: skip
    if marks:
        layers.append(wide | layer(marks, "rule", "pass-line", **places, y=number("y")))
    if wrong:
        told = lines(row=said("row"), said=said("answer"), truth=said("true label"))
        layers.append(layer(wrong, "point", "wrong", x=number("x"), y={"value": -8}, tooltip=told))
    passes = len(stacks[0].passes) if marks else 0
    return framed(_described(len(stacks), passes, len(wrong)), 260, layers)


def _described(inputs: int, passes: int, wrong: int) -> Message:
    told = [said_of(inputs, "Class probabilities of %(inputs)s input.",
                    "Class probabilities of %(inputs)s inputs.", inputs=inputs)]  # fmt: skip
    if passes:
        told.append(said_of(passes, "Each has %(passes)s single answer.",
                            "Each has %(passes)s single answers.", passes=passes))  # fmt: skip
    told.append(said_of(wrong, "%(wrong)s answer is wrong.", "%(wrong)s answers are wrong.",
                        wrong=wrong))  # fmt: skip
    return joined(told)


def _shown(stacks: Sequence[Stack], labels: int) -> list[int]:
    """Return the classes with a colour of their own: the likeliest of all, in their order.

    One colour is for all others, and one for answers that are among these.
    """
    if labels <= MOST_SERIES:
        return list(range(labels))
    total = np.sum([one.passes.mean(axis=0) for one in stacks], axis=0)
    order = np.argsort(-total, kind="stable").tolist()
    shown = order[: MOST_SERIES - 1]
    if {_answer(one) for one in stacks} <= set(shown):
        return sorted(shown)
    return sorted(order[: MOST_SERIES - 2])


def _parts(
    place: int, one: Stack, labels: Sequence[str], shown: Sequence[int]
) -> list[dict[str, Any]]:
    mean = one.passes.mean(axis=0)
    answer = _answer(one)
    of: dict[int, str] = dict.fromkeys(range(len(labels)), OTHERS)
    of |= {answer: ANSWER} | {i: labels[i] for i in shown}
    order = sorted(range(len(labels)), key=lambda i: (i != answer, of[i] == OTHERS, i))
    shares: dict[str, float] = {}
    for i in order:
        shares[of[i]] = shares.get(of[i], 0.0) + float(mean[i])
    tops = np.cumsum([0.0, *shares.values()])
    told = {"truth": labels[one.truth]} if one.truth is not None else {}
    return [
        {"x": _left(place), "y": short(tops[n]), "y2": short(min(1.0, tops[n + 1])), "of": name,
         "label": labels[answer] if name == ANSWER else name, "p": short(p), "row": one.row, **told}
        for n, (name, p) in enumerate(shares.items()) if p >= 0.0005
    ]  # fmt: skip


def _marks(place: int, one: Stack) -> list[dict[str, float]]:
    if not one.sampled:
        return []
    passes = np.sort(one.passes[:, _answer(one)])
    return [{"x": _left(place), "y": short(passes[i])} for i in evenly(len(passes), MOST_MARKS)]


def _answer(one: Stack) -> int:
    return int(one.passes.mean(axis=0).argmax())


def _left(place: int) -> float:
    return round(place + (1 - _WIDE) / 2, 2)
