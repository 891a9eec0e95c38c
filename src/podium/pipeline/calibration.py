"""What `podium calibrate` found out about a model, and what it makes of the model's answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from msgspec import Struct, structs
from PIL.Image import Image

from podium.messages import Message, said
from podium.options import Options
from podium.pipeline.conformal import (
    Coverage,
    Fit,
    labelled_rows_needed,
    prediction_intervals,
    prediction_sets,
    ranks,
)
from podium.pipeline.metrics import Floats
from podium.pipeline.postprocess import Scores
from podium.prediction import Caution, Interval, Prediction, ValuePrediction

FORMAT: Final = 1
SET: Final = "prediction_set"
INTERVAL: Final = "prediction_interval"

_EMPTY: Final[dict[str, Message]] = {
    "lac": said(
        "No label fits at a confidence level of %(level)s: the model is surer of most rows that it "
        "was calibrated on than of this input, which is a hard one or unlike them. A higher "
        "confidence_level names labels."
    ),
    "aps": said(
        "No label is left at a confidence level of %(level)s: this method draws by chance whether "
        "the last label stays, and of an input that the model is sure of it is the only one. A "
        "higher confidence_level leaves more labels."
    ),
}  # fmt: skip
_FULL: Final = said(
    "Every label is possible at a confidence level of %(level)s: the model rules none out."
)


class Calibration(Struct, frozen=True, kw_only=True):
    """The calibration of one model, as it stands in its file.

    `version` names the content of the model's files, `settings` how podium.toml has it asked.
    `data` is the labelled file's name, `sha256` its hash, `rows` the labelled rows in it; `date` is
    as in 2026-11-23. `confidence_level` is that of answers whose request names none, `passes` how
    many were behind an answer.
    """

    format: int = FORMAT
    model: str
    version: str
    settings: str
    data: str
    sha256: str
    rows: int
    date: str
    confidence_level: float
    passes: int = 1
    fit: Fit
    coverage: Coverage

    def scaled(self, scores: Scores) -> Scores:
        """Return what the model says, at the temperature that makes it as sure as it is right."""
        return self.fit.scaled(scores)

    def attach(
        self,
        predictions: Sequence[Prediction],
        scores: Scores,
        labels: Sequence[str],
        items: Sequence[object],
        options: Options,
    ) -> list[Prediction]:
        """Return predictions with their set or interval at `options.level()`.

        `scores` are scaled. A set names all labels in it, whatever `top` is; with "aps" chance has
        a part, which hangs on the item's content alone.
        """
        level = options.level()
        if scores.values.ndim == 2:
            told = self._with_intervals(predictions, scores, level)
        else:
            drawn = keys(items) if self.fit.method == "aps" else np.empty(0)
            told = self._with_sets(predictions, scores, labels, drawn, level)
        made = scores.values.shape[1]
        return told if made >= self.passes else [self._with_fewer(one, made) for one in told]

    def _with_fewer(self, prediction: Prediction, made: int) -> Prediction:
        """Return an answer of fewer passes than those it was calibrated on, which vary more."""
        field = INTERVAL if isinstance(prediction, ValuePrediction) else SET
        caution = Caution(field, "fewer_passes", said(
            "The model was calibrated with %(passes)s passes and answered with %(made)s: the "
            "truth may lie outside more often than the confidence level says.",
            passes=self.passes, made=made))  # fmt: skip
        return structs.replace(prediction, warnings=[*prediction.warnings, caution])

    def _with_sets(
        self,
        predictions: Sequence[Prediction],
        scores: Scores,
        labels: Sequence[str],
        drawn: Floats,
        level: float,
    ) -> list[Prediction]:
        found = prediction_sets(self.fit, scores, drawn, level)
        if found is None:
            caution = self.not_reached(level)
            everything = ranks(scores.values.mean(axis=1))
            return [_told(one, SET, [labels[index] for index in row], level, caution)
                    for one, row in zip(predictions, everything, strict=True)]  # fmt: skip
        return [
            _told(one, SET, [labels[index] for index in row], level,
                  self._of_size(len(row), len(labels), level))
            for one, row in zip(predictions, found, strict=True)
        ]  # fmt: skip

    def _with_intervals(
        self, predictions: Sequence[Prediction], scores: Scores, level: float
    ) -> list[Prediction]:
        found = prediction_intervals(self.fit, scores, level)
        if found is None:
            caution = self.not_reached(level)
            return [_told(one, INTERVAL, None, level, caution) for one in predictions]
        return [_told(one, INTERVAL, (low, high), level, None)
                for one, (low, high) in zip(predictions, found.tolist(), strict=True)]  # fmt: skip

    def _of_size(self, size: int, labels: int, level: float) -> Caution | None:
        """Return what to know of a set that is empty or holds every label."""
        if size == 0:
            return Caution(SET, "prediction_set_empty", _at(_EMPTY[self.fit.method], level))
        if size == labels:
            return Caution(SET, "prediction_set_full", _at(_FULL, level))
        return None

    def not_reached(self, level: float) -> Caution | None:
        """Return what to know where the model was calibrated on too few rows for a level."""
        if self.fit.quantile(level) is not None:
            return None
        needed = labelled_rows_needed(level, self.fit.method)
        field, outcome = ((SET, said("The set holds every label.")) if self.fit.method in _EMPTY
                          else (INTERVAL, said("There is no interval.")))  # fmt: skip
        return Caution(field, "level_not_reached", said(
            "The model was calibrated on %(rows)s labelled rows; a confidence level of "
            "%(level)s needs %(needed)s. %(outcome)s",
            rows=self.rows, level=f"{level:g}", needed=needed, outcome=outcome))  # fmt: skip


def _at(template: Message, level: float) -> Message:
    return Message(template, {"level": f"{level:g}"})


def keys(items: Sequence[object]) -> Floats:
    """Return a number in [0, 1) for each item, evenly spread by chance.

    It hangs on the item's content alone: an answer is the same again, whatever else the request
    holds, and yet differs between items. A seed has no part in it, so that an item that was
    among the labelled rows gets its number from then, and nobody can try seeds until a set suits.
    """
    digests = (hashlib.blake2b(_content(item), digest_size=8) for item in items)
    return np.array([int.from_bytes(one.digest()) >> 11 for one in digests]) / (1 << 53)


def _content(item: object) -> bytes:
    if isinstance(item, Image):
        return repr((item.mode, item.size)).encode() + item.tobytes()
    return repr(item).encode()


def _told(
    prediction: Prediction,
    field: str,
    found: list[str] | Interval | None,
    level: float,
    caution: Caution | None,
) -> Prediction:
    """Return a prediction with its set or interval, and what to know of it."""
    fields: dict[str, Any] = {field: found, "confidence_level": level}
    uncertainty = structs.replace(prediction.uncertainty, **fields)
    warnings = [*prediction.warnings, caution] if caution else prediction.warnings
    return structs.replace(prediction, uncertainty=uncertainty, warnings=warnings)
