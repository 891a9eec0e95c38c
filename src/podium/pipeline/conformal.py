"""Split conformal prediction: sets and intervals that hold the truth as often as they say.

How unlike a label or value is to the truth is its nonconformity. The nonconformity of the truth
of n rows that the model was not trained on has a quantile, of rank ceil((n + 1) * level), below
which that of the next row's truth lies with the probability `level` at least, and at most
1 / (n + 1) more (Vovk et al. 2005, "Algorithmic Learning in a Random World"; Lei et al. 2018,
"Distribution-Free Predictive Inference for Regression"). That holds if the rows and those to come
are alike: drawn from the same distribution, in any order.

- lac: 1 - probability (Sadinle et al. 2019, "Least Ambiguous Set-Valued Classifiers with Bounded
  Error Levels"): the smallest sets.
- aps: the probability of all likelier labels and a random part of the label's own (Romano et al.
  2020, "Classification with Valid and Adaptive Coverage"): sets that grow with doubt.
- absolute: distance of the value (Lei et al. 2018): intervals of one width.
- normalised: the distance in standard deviations that the model tells (Papadopoulos et al. 2008,
  "Normalized Nonconformity Measures for Regression"; Lei et al. 2018, section 5.2): intervals that
  grow with doubt.

What is learned from labelled rows besides the quantile, a temperature or the least standard
deviation, is learned from other rows.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist
from typing import Any, Final, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from podium.errors import CalibrationError, counted
from podium.pipeline.metrics import Floats, Quality
from podium.pipeline.postprocess import Scores
from podium.pipeline.temperature import find_floor, find_temperature, scaled
from podium.pipeline.uncertainty import spread, variance_parts

Method = Literal["lac", "aps", "absolute", "normalised"]

FOLDS: Final = 5
MAX_SCORES: Final = 10_000
"""How many scores are kept; of more, every so many-th, rounded up: the level grows by 0.0001."""
LEAST_STD: Final = 0.1
"""The least standard deviation that counts, in parts of the mean one."""


class Fit(Struct, frozen=True):
    """What a calibration learned from labelled rows.

    `floor` is what a probability of 0, or a standard deviation of 0, counts as. `scores` are the
    sorted nonconformity scores of `rows` rows, or MAX_SCORES of them.
    """

    method: Method
    temperature: float | None
    floor: float | None
    rows: int
    scores: tuple[float, ...]

    def scaled(self, scores: Scores) -> Scores:
        """Return scores at the temperature; each pass on its own."""
        if self.temperature is None or self.floor is None:
            return scores
        return scores._replace(values=scaled(scores.values, self.temperature, self.floor))

    def quantile(self, level: float) -> float | None:
        """Return the nonconformity that `level` of the rows to come keep below.

        None when so few rows promise no such level.
        """
        rank = _rank(self.rows, level)
        if rank > self.rows:
            return None
        return self.scores[(rank - 1) * len(self.scores) // self.rows]


class Coverage(Struct, frozen=True):
    """How often the truth was in the set or interval of rows left out in turn.

    `low` and `high` are the 95% interval of `coverage`, `size` is the mean number of labels, or
    the mean width in the value's unit, `empty` the share of sets without a label. `before` and
    `after` are the quality of the probabilities of the rows left out, without and with the
    temperature; None for a regression.
    """

    level: float
    folds: int
    rows: int
    coverage: float
    low: float
    high: float
    size: float
    empty: float = 0.0
    before: Quality | None = None
    after: Quality | None = None


def default_method(scores: Scores) -> Method:
    """Return "lac" for a classifier; "normalised" for a regressor that tells how sure it is.

    Raises:
        CalibrationError: the model tells a label and no probability.
    """
    if scores.values.ndim == 2:
        return "absolute" if _spread(scores) is None else "normalised"
    check_method(scores, "lac")
    return "lac"


def check_method(scores: Scores, method: Method) -> None:
    """Raise CalibrationError when a method does not fit what the model says."""
    fitting = ("lac", "aps") if scores.values.ndim == 3 else ("absolute", "normalised")
    if method not in fitting:
        kind = "classification" if scores.values.ndim == 3 else "regression"
        raise CalibrationError(
            f"The method {method!r} is not for a {kind}. Expected: {' or '.join(fitting)}"
        )
    if scores.label_alone:
        raise CalibrationError(
            "The model tells a label and no probability, so that there is nothing to calibrate. "
            "Serve one that tells probabilities, such as with predict_proba."
        )
    if method == "normalised" and _spread(scores) is None:
        raise CalibrationError(
            "The method 'normalised' needs a model that tells how sure it is, by passes, votes or "
            "a variance. Use 'absolute'."
        )


def rows_needed(level: float) -> int:
    """Return the fewest scores whose quantile promises `level`: (n + 1) * level <= n."""
    part = Fraction(str(level))
    return math.ceil(part / (1 - part))


def labelled_rows_needed(level: float, method: Method) -> int:
    """Return the fewest labelled rows that promise a level: all, or a half, for the quantile."""
    quantile = rows_needed(level)
    return quantile if method == "absolute" else 2 * quantile - 1


def rows_to_cross_validate(level: float, method: Method, folds: int = FOLDS) -> int:
    """Return the fewest labelled rows of which those without a fold promise a level."""
    training = labelled_rows_needed(level, method)
    rows = max(folds, training * folds // (folds - 1))
    while rows - math.ceil(rows / folds) < training:
        rows += 1
    return rows


def check_rows(rows: int, level: float, method: Method, folds: int = FOLDS) -> None:
    """Raise CalibrationError when there are too few labelled rows for a level."""
    needed = rows_to_cross_validate(level, method, folds)
    if rows < needed:
        raise CalibrationError(
            f"{_there_are(rows)}; to cross-validate a confidence level of {level:g} takes "
            f"{needed:,} at least ({labelled_rows_needed(level, method):,} for the level alone). "
            "Add labelled rows, or ask for a lower level."
        )


def fit(scores: Scores, truth: NDArray[Any], method: Method, keys: Floats, seed: int = 0) -> Fit:
    """Return what labelled rows teach: one random half a temperature, the other the quantiles.

    `truth` has the index of each row's label, or its value; `keys` a random number of each row.
    The seed decides the halves. The method "absolute" learns nothing but quantiles, from all rows.

    Raises:
        CalibrationError: the method does not fit the model, or there are fewer than two rows.
    """
    check_method(scores, method)
    if len(truth) < 2:
        raise CalibrationError(f"{_there_are(len(truth))}; expected at least 2")
    order = np.random.default_rng(seed).permutation(len(truth))
    cut = 0 if method == "absolute" else len(truth) // 2
    learned, rest = order[:cut], order[cut:]
    temperature, floor = _learn(_take(scores, learned), truth[learned], method)
    blank = Fit(method, temperature, floor, 0, ())
    found = np.sort(_of_truth(blank, blank.scaled(_take(scores, rest)), truth[rest], keys[rest]))
    return Fit(method, temperature, floor, len(found), _thinned(found))


def cross_validate(
    scores: Scores,
    truth: NDArray[Any],
    method: Method,
    level: float,
    keys: Floats,
    folds: int = FOLDS,
    seed: int = 0,
) -> Coverage:
    """Return how well the level is kept on each of `folds` parts by a fit to the others.

    Raises:
        CalibrationError: there are too few rows, or the method does not fit the model.
    """
    check_method(scores, method)
    check_rows(len(truth), level, method, folds)
    order = np.random.default_rng(seed).permutation(len(truth))
    held, sizes = np.zeros(len(truth), bool), np.zeros(len(truth))
    after = np.zeros((len(truth), scores.values.shape[-1]))
    for part in np.array_split(order, folds):
        rest = np.setdiff1d(order, part)
        learned = fit(_take(scores, rest), truth[rest], method, keys[rest], seed)
        own = learned.scaled(_take(scores, part))
        quantile = learned.quantile(level)
        assert quantile is not None, "check_rows has counted the rows"
        held[part] = _of_truth(learned, own, truth[part], keys[part]) <= quantile
        sizes[part] = _sizes(learned, own, keys[part], quantile)
        if scores.values.ndim == 3:
            after[part] = own.values.mean(axis=1)
    quality = (
        (Quality.of(scores.values.mean(axis=1), truth), Quality.of(after, truth))
        if scores.values.ndim == 3
        else (None, None)
    )
    low, high = wilson(int(held.sum()), len(held))
    return Coverage(level, folds, len(held), float(held.mean()), low, high, float(sizes.mean()),
                    float((sizes == 0).mean()), *quality)  # fmt: skip


def prediction_sets(
    learned: Fit, scores: Scores, keys: Floats, level: float
) -> list[NDArray[np.intp]] | None:
    """Return the indices of the labels in each row's set, from the likeliest down.

    `scores` are scaled. None when the calibration has too few rows for the level.
    """
    quantile = learned.quantile(level)
    if quantile is None:
        return None
    mean = scores.values.mean(axis=1)
    order = ranks(mean)
    sizes = (nonconformity(mean, learned.method, keys) <= quantile).sum(axis=1)
    return [row[:size] for row, size in zip(order, sizes, strict=True)]


def prediction_intervals(learned: Fit, scores: Scores, level: float) -> Floats | None:
    """Return the low and high ends of each row's interval, shape (rows, 2), in the value's unit.

    None when the calibration has too few rows for the level.
    """
    quantile = learned.quantile(level)
    if quantile is None:
        return None
    reach = quantile * _scale(learned, scores)
    mean = scores.values.mean(axis=1)
    return np.stack([mean - reach, mean + reach], axis=1)


def nonconformity(probabilities: Floats, method: Method, keys: Floats) -> Floats:
    """Return how unlike to the truth each label is, shape (rows, classes).

    It grows from the likeliest label down. `keys` are the random parts that "aps" counts.
    """
    if method == "lac":
        return 1 - probabilities
    order = ranks(probabilities)
    ranked = np.take_along_axis(probabilities, order, axis=1)
    likelier = np.cumsum(ranked, axis=1) - ranked
    found = np.empty_like(probabilities)
    np.put_along_axis(found, order, likelier + keys[:, None] * ranked, axis=1)
    return found


def ranks(probabilities: Floats) -> NDArray[np.intp]:
    """Return the indices of each row's labels from the likeliest down; ties in their own order."""
    return np.argsort(-probabilities, axis=1, kind="stable")


def wilson(successes: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share (Wilson 1927, "Probable Inference")."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, weight = successes / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    # Rounding would leave them next to 0 and 1.
    return centre - reach if successes > 0 else 0.0, centre + reach if successes < trials else 1.0


def _there_are(rows: int) -> str:
    return f"There {'is' if rows == 1 else 'are'} {counted(rows, 'labelled row')}"


def _rank(rows: int, level: float) -> int:
    """Return ceil((rows + 1) * level), free of the rounding of levels such as 0.9."""
    return math.ceil((rows + 1) * Fraction(str(level)))


def _learn(
    scores: Scores, truth: NDArray[Any], method: Method
) -> tuple[float | None, float | None]:
    """Return the temperature and the floor."""
    if method == "absolute":
        return None, None
    if method == "normalised":
        told = _spread(scores)
        assert told is not None, "check_method has looked"
        return None, LEAST_STD * float(told.mean()) or 1.0
    floor = find_floor(scores.values)
    return find_temperature(scores.values, truth, floor), floor


def _of_truth(learned: Fit, scores: Scores, truth: NDArray[Any], keys: Floats) -> Floats:
    """Return the nonconformity of each row's truth; `scores` are scaled."""
    mean = scores.values.mean(axis=1)
    if scores.values.ndim == 2:
        return np.asarray(np.abs(truth - mean) / _scale(learned, scores))
    found = nonconformity(mean, learned.method, keys)
    return np.asarray(found[np.arange(len(truth)), truth])


def _sizes(learned: Fit, scores: Scores, keys: Floats, quantile: float) -> NDArray[Any]:
    if scores.values.ndim == 2:
        return np.asarray(2 * quantile * _scale(learned, scores))
    inside = nonconformity(scores.values.mean(axis=1), learned.method, keys) <= quantile
    return np.asarray(inside.sum(axis=1))


def _scale(learned: Fit, scores: Scores) -> Floats:
    """Return what one unit of nonconformity is of each row, in the value's unit."""
    told = _spread(scores)
    if learned.method == "absolute" or learned.floor is None or told is None:
        return np.ones(len(scores.values))
    return np.maximum(told, learned.floor)


def _spread(scores: Scores) -> Floats | None:
    return spread(*variance_parts(scores))


def _take(scores: Scores, rows: NDArray[np.intp]) -> Scores:
    """Return the scores of some rows."""
    arrays: dict[str, Any] = {name: part[rows] for name, part in scores._asdict().items()
              if isinstance(part, np.ndarray)}  # fmt: skip
    return scores._replace(**arrays)


def _thinned(found: Floats) -> tuple[float, ...]:
    """Return sorted scores, at most MAX_SCORES: of each part of neighbours the greatest."""
    count = min(len(found), MAX_SCORES)
    last = -(-np.arange(1, count + 1) * len(found) // count) - 1
    return tuple(found[last].tolist())
