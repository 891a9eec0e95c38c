"""A model's outputs become scores: probabilities or values, one for each pass.

Which output holds the scores, and whether they are logits, is found out once on a probe batch
when the model is loaded; a single row of a request could mislead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.errors import FieldError, InvalidInput, ModelError

Outputs = Mapping[str, NDArray[Any]]
Activation = Literal["none", "softmax", "sigmoid", "one", "label"]

_TOLERANCE: Final = 1e-3
_WAY_OUT: Final = "A [pipeline] postprocess can make scores or a value of other outputs."
_SATURATED: Final = 700.0
"""A logit beyond this is 0 or 1 in double precision, and its exponent would overflow."""


class Scores(NamedTuple):
    """What a model says of a batch.

    `values` has shape (batch, passes, classes) with rows that sum to 1, or (batch, passes) for
    a regression. With one answer instead of passes, `sampled` is False. `graded` is False when
    the model tells a label and no probability. `variances`, of shape (batch, passes), are what a
    regression tells of the noise in the data; `reproducible` is False when chance decides.
    """

    values: NDArray[np.float64]
    sampled: bool
    graded: bool = True
    variances: NDArray[np.float64] | None = None
    reproducible: bool = True


@dataclass(frozen=True)
class Head:
    """Where the scores stand in a model's outputs and what makes probabilities of them.

    `order` puts the model's classes into the application's order; None when they agree. `names`
    are what a model that tells labels alone calls the application's labels, in their order.
    """

    output: str
    activation: Activation
    names: tuple[str, ...] = ()
    order: NDArray[np.intp] | None = None

    def scores(self, outputs: Outputs, passes: int | None) -> Scores:
        """Return the scores of a batch.

        `passes` is their number when the outputs have an axis for them after the batch.

        Raises:
            InvalidInput: the model returned something that is not finite for an item.
        """
        raw = outputs[self.output]
        sampled = passes is not None or self.output == "votes"
        if self.activation == "label":
            return Scores(self._one_hot(raw)[:, None, :], sampled, graded=False)
        values = np.asarray(raw, np.float64)
        if not sampled:
            values = values[:, None]
        if self.activation == "one":
            values = values.reshape(values.shape[:2])
        else:
            values = _activate(values, self.activation)
            values = values if self.order is None else values[..., self.order]
        _check_finite(values)
        return Scores(values, sampled)

    def _one_hot(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        found = raw.reshape(-1, 1)
        if self._counts(raw):
            hot = found == np.arange(len(self.names))
        else:
            hot = found.astype(str) == np.array(self.names)
        unknown = found[~hot.any(axis=1)]
        if len(unknown):
            raise ModelError(
                f"The model answered {unknown[0, 0]!s}, which is none of the labels: "
                f"{', '.join(self.names)}"
            )
        return np.asarray(hot, np.float64)

    def _counts(self, raw: NDArray[Any]) -> bool:
        """Whether whole numbers count the labels, or are their names, as in "0" to "9"."""
        return raw.dtype.kind in "iu" and not all(name.isdecimal() for name in self.names)


def find_head(
    outputs: Outputs, passes: int | None, own: Sequence[str], labels: Sequence[str]
) -> Head:
    """Return the head of a classifier, from the outputs of a probe batch.

    `own` are the classes that the file names, `labels` those of the application; either may be
    empty, not both.

    Raises:
        ModelError: no output fits the labels.
    """
    axis = 1 if passes is None else 2
    wanted = tuple(labels) or tuple(own)
    for name in sorted(outputs, key=_likeliness):
        array = outputs[name]
        if name == "votes":
            return Head(name, "none", order=_order(own, wanted))
        if array.dtype.kind != "f" or array.ndim < axis:
            continue
        width = int(np.prod(array.shape[axis:], dtype=int))
        if width == len(wanted):
            kind: Activation = "none" if _are_probabilities(array) else "softmax"
            return Head(name, kind, order=_order(own, wanted))
        if width == 1 and len(wanted) == 2:
            finite = array[np.isfinite(array)]
            inside = len(finite) and finite.min() >= 0 and finite.max() <= 1
            return Head(name, "none" if inside else "sigmoid", order=_order(own, wanted))
    for name, array in outputs.items():
        if array.dtype.kind in "iuUO" and passes is None:
            same = not own or set(own) == set(wanted)
            return Head(name, "label", wanted if same else tuple(own))
    shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in outputs.items())
    raise ModelError(
        f"No output fits {len(wanted)} labels. For a probe batch came: {shapes}. {_WAY_OUT}"
    )


def find_value(outputs: Outputs, passes: int | None) -> Head:
    """Return the head of a regressor, from the outputs of a probe batch.

    Raises:
        ModelError: no output is one number an item.
    """
    axis = 2 if passes is not None or "votes" in outputs else 1
    for name, array in outputs.items():
        if array.dtype.kind in "fiu" and np.prod(array.shape[axis:], dtype=int) == 1:
            return Head(name, "one")
    shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in outputs.items())
    raise ModelError(
        f"A regression needs one number an item. For a probe batch came: {shapes}. {_WAY_OUT}"
    )


def custom_scores(function: Callable[[Any], Any], outputs: Outputs, classes: int | None) -> Scores:
    """Return what the maker's postprocess makes of the outputs.

    It returns (batch, classes) or (batch, passes, classes); for a regression, where `classes`
    is None, (batch,) or (batch, passes).
    """
    values = np.asarray(function(dict(outputs)), np.float64)
    plain = 1 if classes is None else 2
    if values.ndim not in (plain, plain + 1) or (classes and values.shape[-1] != classes):
        what = "(batch,) or (batch, passes)" if classes is None else f"(batch, {classes})"
        raise ModelError(f"[pipeline] postprocess returned {values.shape}; expected {what}")
    sampled = values.ndim == plain + 1
    values = values if sampled else values[:, None]
    _check_finite(values)
    return Scores(values, sampled)


def _likeliness(name: str) -> tuple[bool, bool]:
    """Sort outputs so that one that is called probabilities comes first."""
    return (name != "votes", "prob" not in name.lower())


def _order(own: Sequence[str], wanted: Sequence[str]) -> NDArray[np.intp] | None:
    if set(own) == set(wanted) and tuple(own) != tuple(wanted):
        return np.array([list(own).index(label) for label in wanted])
    if own and len(own) != len(wanted):
        raise ModelError(f"The model has {len(own)} classes ({', '.join(own)}); "
                         f"[task] lists {len(wanted)} labels")  # fmt: skip
    return None


def _are_probabilities(array: NDArray[Any]) -> bool:
    """Whether rows sum to 1; one that is not finite, as of an item with gaps, tells nothing."""
    array = array[np.isfinite(array).all(axis=-1)]
    sums = array.sum(axis=-1)
    return bool(len(array) and array.min() >= -_TOLERANCE and np.all(np.abs(sums - 1) < _TOLERANCE))


def _activate(values: NDArray[np.float64], activation: Activation) -> NDArray[np.float64]:
    if activation == "softmax":
        exponents = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))
    if activation == "sigmoid":
        values = 1 / (1 + np.exp(-np.clip(values, -_SATURATED, _SATURATED)))
    if values.ndim == 2 or values.shape[-1] == 1:  # the second class's probability alone
        values = values.reshape(*values.shape[:2], 1)
        return np.concatenate([1 - values, values], axis=-1)
    return values


def _check_finite(values: NDArray[np.float64]) -> None:
    if not np.isfinite(values).all():
        bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        message = "the model gives no finite answer for these values"
        raise InvalidInput([FieldError(f"inputs[{i}]", message) for i in np.flatnonzero(bad)[:100]])
