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
from podium.messages import said

Outputs = Mapping[str, NDArray[Any]]
Activation = Literal["none", "softmax", "sigmoid", "one", "label"]
Form = Literal["variance", "std", "log"]

NOISE: Final[Mapping[str, Form]] = {
    "variance": "variance", "var": "variance", "std": "std", "stddev": "std", "sigma": "std",
    "log_variance": "log", "log_var": "log", "logvar": "log",
}  # fmt: skip
"""Outputs beside a value that tell the noise in the data: its variance, its root, its logarithm."""

EPISTEMIC: Final = "epistemic_variance"
"""The output beside a value that tells the variance of what the model has not learned."""

_SPREADS: Final = frozenset((*NOISE, EPISTEMIC))
_TOLERANCE: Final = 1e-3
_NOT_FINITE: Final = said("the model gives no finite answer for these values")
_NO_VARIANCE: Final = said("the model tells no variance for these values")
_WAY_OUT: Final = "A [pipeline] postprocess can make scores or a value of other outputs."
_SATURATED: Final = 700.0
"""A logit beyond this is 0 or 1 in double precision, and its exponent would overflow."""


class Scores(NamedTuple):
    """What a model says of a batch.

    `values` has shape (batch, passes, classes) with rows that sum to 1, or (batch, passes) for
    a regression. With one answer instead of passes, `sampled` is False. `graded` is False when
    the model, or a member of an ensemble, tells a label and no probability. `variances`, of shape
    (batch, passes), are what a regression tells of the noise in the data; `epistemic`, of the same
    shape, the variances of what each pass has not learned. `reproducible` is False when chance
    decides.
    """

    values: NDArray[np.float64]
    sampled: bool
    graded: bool = True
    variances: NDArray[np.float64] | None = None
    reproducible: bool = True
    epistemic: NDArray[np.float64] | None = None

    @property
    def label_alone(self) -> bool:
        """Whether there is a label and no probability; the labels of several are votes."""
        return not self.graded and not self.sampled


class Spread(NamedTuple):
    """An output that tells a variance, and in which form."""

    output: str
    form: Form

    def variances(self, outputs: Outputs) -> NDArray[np.float64]:
        """Return the variances in the output's own shape; below 0 where a root is."""
        told = np.asarray(outputs[self.output], np.float64)
        if self.form == "log":
            with np.errstate(over="ignore"):
                return np.exp(told)
        return told * np.abs(told) if self.form == "std" else told


@dataclass(frozen=True)
class Head:
    """Where the scores stand in a model's outputs and what makes probabilities of them.

    `order` puts the model's classes into the application's order; None when they agree. `names`
    are what a model that tells labels alone calls the application's labels, in their order.
    `noise` and `epistemic` are where a regression tells variances.
    """

    output: str
    activation: Activation
    names: tuple[str, ...] = ()
    order: NDArray[np.intp] | None = None
    noise: Spread | None = None
    epistemic: Spread | None = None

    def scores(self, outputs: Outputs, passes: int | None) -> Scores:
        """Return the scores of a batch.

        `passes` is their number when the outputs have an axis for them after the batch.

        Raises:
            InvalidInput: the model returned something that is not finite for an item, or a
                variance below 0.
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
        noise, epistemic = (
            spread and _variances(spread.variances(outputs), values.shape)
            for spread in (self.noise, self.epistemic)
        )
        return Scores(values, sampled, variances=noise, epistemic=epistemic)

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

    Outputs whose names are in NOISE or EPISTEMIC tell variances beside another that is the value.

    Raises:
        ModelError: no output is one number an item, or a variance is below 0.
    """
    axis = 2 if passes is not None or "votes" in outputs else 1
    single = [
        name
        for name, array in outputs.items()
        if array.dtype.kind in "fiu" and np.prod(array.shape[axis:], dtype=int) == 1
    ]
    if not single:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in outputs.items())
        raise ModelError(
            f"A regression needs one number an item. For a probe batch came: {shapes}. {_WAY_OUT}"
        )
    value = next((name for name in single if name.lower() not in _SPREADS), single[0])
    told = {name.lower(): name for name in single if name != value}
    noise = next((Spread(told[key], form) for key, form in NOISE.items() if key in told), None)
    epistemic = Spread(told[EPISTEMIC], "variance") if EPISTEMIC in told else None
    for spread in filter(None, (noise, epistemic)):
        _check_spread(spread, outputs)
    return Head(value, "one", noise=noise, epistemic=epistemic)


def custom_scores(function: Callable[[Any], Any], outputs: Outputs, classes: int | None) -> Scores:
    """Return what the maker's postprocess makes of the outputs.

    It returns (batch, classes) or (batch, passes, classes); for a regression, where `classes`
    is None, (batch,) or (batch, passes), or a dict of such arrays: "value", and "variance" or
    "epistemic_variance".
    """
    made = function(dict(outputs))
    parts = made if isinstance(made, dict) and classes is None else {"value": made}
    if "value" not in parts or not parts.keys() <= {"value", "variance", EPISTEMIC}:
        raise ModelError(
            f"[pipeline] postprocess returned {', '.join(map(repr, parts))}; expected 'value', and "
            f"maybe 'variance' and {EPISTEMIC!r}"
        )
    values = np.asarray(parts["value"], np.float64)
    plain = 1 if classes is None else 2
    if values.ndim not in (plain, plain + 1) or (classes and values.shape[-1] != classes):
        what = "(batch,) or (batch, passes)" if classes is None else f"(batch, {classes})"
        raise ModelError(f"[pipeline] postprocess returned {values.shape}; expected {what}")
    sampled = values.ndim == plain + 1
    values = values if sampled else values[:, None]
    _check_finite(values)
    noise, epistemic = (
        _variances(np.asarray(parts[name], np.float64), values.shape) if name in parts else None
        for name in ("variance", EPISTEMIC)
    )
    return Scores(values, sampled, variances=noise, epistemic=epistemic)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities of logits, along the last axis."""
    exponents = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))


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
        return softmax(values)
    if activation == "sigmoid":
        values = 1 / (1 + np.exp(-np.clip(values, -_SATURATED, _SATURATED)))
    if values.ndim == 2 or values.shape[-1] == 1:  # the second class's probability alone
        values = values.reshape(*values.shape[:2], 1)
        return np.concatenate([1 - values, values], axis=-1)
    return values


def _variances(told: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return variances in the shape of the values, (batch, passes)."""
    if told.size != np.prod(shape):
        raise ModelError(f"The variances have the shape {told.shape}, the values {shape}")
    told = told.reshape(shape)
    _refuse(~(np.isfinite(told) & (told >= 0)), _NO_VARIANCE)
    return told


def _check_spread(spread: Spread, probe: Outputs) -> None:
    if np.nanmin(spread.variances(probe), initial=0.0) < 0:
        raise ModelError(
            f"The output {spread.output!r} is below 0 for a probe batch, as no variance is. Call "
            "it log_variance if it is the logarithm of one, or by another name if it is none."
        )


def _check_finite(values: NDArray[np.float64]) -> None:
    _refuse(~np.isfinite(values), _NOT_FINITE)


def _refuse(wrong: NDArray[np.bool_], message: str) -> None:
    """Raise InvalidInput when anything is wrong, naming the items."""
    if np.count_nonzero(wrong):
        items = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))[:100]
        raise InvalidInput([FieldError(f"inputs[{i}]", message) for i in items])
