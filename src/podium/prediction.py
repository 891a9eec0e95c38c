"""What the application answers: one schema for every model, whatever made it.

What a model cannot know is null: never 0, never left out.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

Interval = tuple[float, float]
Box = tuple[float, float, float, float]


class Caution(Struct, frozen=True):
    """What to know of an answer: something about the input, or a map that cannot be made."""

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
        float | None,
        Meta(description="Square root of the sum of the known parts, in the value's unit."),
    ] = None
    interval: Annotated[
        Interval | None,
        Meta(description="Central interval of the passes; where the model tells variances, that of "
             "the normal distribution with this value and std."),
    ] = None  # fmt: skip
    prediction_interval: Annotated[
        Interval | None,
        Meta(description="Interval at the confidence level; null until calibrated."),
    ] = None
    sample_values: Annotated[
        list[float] | UnsetType, Meta(description="Each pass's value; with include=samples.")
    ] = UNSET


class OcclusionMap(Struct, frozen=True, kw_only=True):
    """Where the model looked: how much its answer falls when a patch around a place is covered."""

    label: Annotated[
        str | None, Meta(description="The label whose probability falls; null for a value.")
    ]
    rows: int
    columns: int
    values: Annotated[
        list[list[float | None]],
        Meta(description="The fall of the probability or value at each place, row by row from the "
             "top left of the picture as the model saw it; below 0 where it rises, null where "
             "there was no time to try."),
    ]  # fmt: skip
    box: Annotated[
        Box | None,
        Meta(description="Left, top, right and bottom of what the model saw, in shares of the "
             "upright picture's width and height; beyond 0 and 1 it saw padding. Null when that "
             "cannot be told."),
    ]  # fmt: skip
    patches: Annotated[int, Meta(description="How many places were covered, one at a time.")]
    milliseconds: float
    cut: Annotated[
        bool, Meta(description="Whether the time allowed less than the finest map; another "
                   "request may then get another grid.")
    ]  # fmt: skip


Looked = Annotated[
    OcclusionMap | UnsetType | None,
    Meta(description="Where the model looked, with include=map; null when that cannot be told."),
]


class ClassPrediction(Struct, frozen=True):
    """One item's class; probabilities run from the likeliest down, and are cut by `top`."""

    label: str
    probability: float | None
    probabilities: dict[str, float] | None
    uncertainty: ClassUncertainty
    warnings: list[Caution]
    map: Looked = UNSET


class ValuePrediction(Struct, frozen=True):
    """One item's value."""

    value: float
    unit: str | None
    uncertainty: ValueUncertainty
    warnings: list[Caution]
    map: Looked = UNSET


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
