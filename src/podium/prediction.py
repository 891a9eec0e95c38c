"""What the application answers: one schema for every model, whatever made it.

What a model cannot know is null: never 0, never left out.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

Interval = tuple[float, float]


class Caution(Struct, frozen=True):
    """Something about an input that makes its answer less trustworthy."""

    field: str
    code: str
    message: str


class Uncertainty(Struct, frozen=True, kw_only=True):
    """How sure the model is; what every task has."""

    aleatoric: Annotated[
        float | None, Meta(description="What no model of this kind could know (data noise).")
    ] = None
    epistemic: Annotated[
        float | None, Meta(description="What this model has not learned (disagreeing passes).")
    ] = None
    interval_level: Annotated[
        float | None, Meta(description="The part of the passes that an interval holds.")
    ] = None
    samples: Annotated[
        int | None, Meta(description="Passes or votes behind the answer; null when single.")
    ] = None
    confidence_level: Annotated[
        float | None, Meta(description="The coverage of the prediction set or interval.")
    ] = None
    reproducible: Annotated[
        bool, Meta(description="Whether the same request gets the same answer.")
    ] = True


class ClassUncertainty(Uncertainty, frozen=True, kw_only=True):
    """How sure a classifier is; entropies in nats."""

    entropy: Annotated[float | None, Meta(description="Entropy of the probabilities, in nats.")] = (
        None
    )
    entropy_normalized: Annotated[
        float | None, Meta(description="Entropy over that of a uniform guess: 0 to 1.")
    ] = None
    intervals: Annotated[
        dict[str, Interval] | None, Meta(description="Central interval of the passes, by label.")
    ] = None
    prediction_set: Annotated[
        list[str] | None, Meta(description="Labels at the confidence level; null until calibrated.")
    ] = None
    sample_probabilities: Annotated[
        dict[str, list[float]] | UnsetType,
        Meta(description="Each pass's probability, by label; with include=samples."),
    ] = UNSET


class ValueUncertainty(Uncertainty, frozen=True, kw_only=True):
    """How sure a regressor is; aleatoric and epistemic parts are variances."""

    std: Annotated[
        float | None, Meta(description="Standard deviation of the passes, in the value's unit.")
    ] = None
    interval: Annotated[Interval | None, Meta(description="Central interval of the passes.")] = None
    prediction_interval: Annotated[
        Interval | None,
        Meta(description="Interval at the confidence level; null until calibrated."),
    ] = None
    sample_values: Annotated[
        list[float] | UnsetType, Meta(description="Each pass's value; with include=samples.")
    ] = UNSET


class ClassPrediction(Struct, frozen=True):
    """One item's class; probabilities run from the likeliest down, and are cut by `top`."""

    label: str
    probability: float | None
    probabilities: dict[str, float] | None
    uncertainty: ClassUncertainty
    warnings: list[Caution]


class ValuePrediction(Struct, frozen=True):
    """One item's value."""

    value: float
    unit: str | None
    uncertainty: ValueUncertainty
    warnings: list[Caution]


Prediction = ClassPrediction | ValuePrediction


class ClassAnswer(Struct, frozen=True):
    """The body of a /predict answer of a classification."""

    model: str
    version: Annotated[str, Meta(description="Names the model file's content.")]
    predictions: list[ClassPrediction]


class ValueAnswer(Struct, frozen=True):
    """The body of a /predict answer of a regression."""

    model: str
    version: Annotated[str, Meta(description="Names the model file's content.")]
    predictions: list[ValuePrediction]


Answer = ClassAnswer | ValueAnswer
