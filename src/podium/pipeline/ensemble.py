"""An ensemble: its members are asked one by one, and what they say is pooled, one vote each.

Deep ensembles (Lakshminarayanan et al. 2017, "Simple and Scalable Predictive Uncertainty Estimation
using Deep Ensembles") and any other models of the same task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from podium.errors import FieldError, InvalidInput, ModelError
from podium.messages import said
from podium.pipeline.decode import Items
from podium.pipeline.member import Member
from podium.pipeline.postprocess import Scores
from podium.runtimes import Arrays

Floats = NDArray[np.float64]
Ask = Callable[[Member, int], Scores]
"""A member and its seed -> what it says."""

_NAMED: Final = 5
"""How many labels a message names."""


@contextmanager
def told_of(file: str) -> Iterator[None]:
    """Name the member's file in what goes wrong with it; "" stands for a model on its own."""
    try:
        yield
    except ModelError as err:
        if not str(err).startswith(file):
            err.args = (f"{file}: {err}",)
        raise


def ask_each(members: Mapping[str, Member], seed: int, ask: Ask) -> Scores:
    """Return what the members, by their files, say together.

    Each draws with a seed of its own, so that their passes have no noise in common.
    """
    if len(members) == 1:
        (alone,) = members.values()
        return ask(alone, seed)
    parts = []
    for (file, member), own in zip(members.items(), _seeds(seed, len(members)), strict=True):
        with told_of(file):
            parts.append(ask(member, own))
    return pooled(list(members.values()), parts)


def pooled(members: Sequence[Member], parts: Sequence[Scores]) -> Scores:
    """Return the scores of an ensemble from those of its members, one vote each.

    A member that is asked several times votes with its passes, each member with as many as the one
    that made the fewest, so that none outvotes another. Of one that has votes of its own, such as
    a forest, the mean counts; one that tells a label alone votes for it.
    """
    votes = [_vote(member, part) for member, part in zip(members, parts, strict=True)]
    count = min((made for vote in votes if (made := vote.values.shape[1]) > 1), default=1)
    votes = [_changed(vote, partial(_cut, count=count)) for vote in votes]
    return Scores(
        np.concatenate([vote.values for vote in votes], axis=1),
        sampled=True,
        graded=all(vote.graded for vote in votes),
        variances=_joined([vote.variances for vote in votes]),
        reproducible=all(vote.reproducible for vote in votes),
        epistemic=_joined([vote.epistemic for vote in votes]),
    )


def check_alike(members: Mapping[str, Member]) -> None:
    """Check that those members whose files name their classes name the same ones.

    Whole numbers count the classes, and name none.

    Raises:
        ModelError: naming the files that do not agree.
    """
    told = {file: member.model.labels for file, member in members.items()
            if not all(label.isdecimal() for label in member.model.labels)}  # fmt: skip
    first = next(iter(told), "")
    for file, labels in told.items():
        odd = sorted(set(labels) ^ set(told[first]))
        if odd:
            more = ", ..." if len(odd) > _NAMED else ""
            raise ModelError(
                f"{file}: its classes are not those of {first}; only one of them knows "
                f"{', '.join(odd[:_NAMED])}{more}. Members of an ensemble have the same classes."
            )


def shared_inputs(
    members: Mapping[str, Member], items: Items, first: Arrays
) -> dict[Member, dict[str, str]]:
    """Return what each member calls the arrays that the first one calls as in `first`.

    Raises:
        InvalidInput: a member gets other arrays of the items, so that one cannot stand for all.
    """
    others = dict(list(members.items())[1:])
    arrays = {file: member.encode(items) for file, member in others.items()}
    for file, own in arrays.items():
        if len(own) != len(first) or not all(map(np.array_equal, own.values(), first.values())):
            made = ", ".join(f"{name} {list(array.shape)}" for name, array in own.items())
            message = said(
                "a map of an ensemble needs members that get the same pictures; others than the "
                "first gets %(file)s: %(arrays)s",
                file=file, arrays=made,
            )  # fmt: skip
            raise InvalidInput([FieldError("include", message)])
    return {member: dict(zip(arrays.get(file, first), first, strict=True))
            for file, member in members.items()}  # fmt: skip


def _seeds(seed: int, count: int) -> list[int]:
    """Return a seed for each member; the first's is that of the request."""
    return [seed, *map(int, np.random.SeedSequence(seed).generate_state(count - 1))]


def _vote(member: Member, scores: Scores) -> Scores:
    if member.passes is not None or not scores.sampled:
        return scores
    return _changed(scores, lambda told: np.asarray(told.mean(axis=1, keepdims=True)))


def _cut(told: Floats, count: int) -> Floats:
    """Return `count` votes of a member: its first passes, or its one answer again and again."""
    return told[:, :count] if told.shape[1] > 1 else np.repeat(told, count, axis=1)


def _changed(scores: Scores, change: Callable[[Floats], Floats]) -> Scores:
    """Return scores with everything changed that has an axis of passes."""
    known = {name: getattr(scores, name) for name in ("values", "variances", "epistemic")}
    made = {name: change(told) for name, told in known.items() if told is not None}
    return scores._replace(**made)  # type: ignore[arg-type]


def _joined(told: Sequence[Floats | None]) -> Floats | None:
    """Return what all members tell; None where one does not."""
    known = [one for one in told if one is not None]
    return np.concatenate(known, axis=1) if len(known) == len(told) else None
