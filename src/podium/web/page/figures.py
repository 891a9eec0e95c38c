"""The picture of an answer's passes: drawn on the server at once, by a script in more detail."""

from __future__ import annotations

from typing import Final, NamedTuple

from flask_babel import gettext as _

from podium.charts import FEW, Spec, histograms, spread, widened
from podium.prediction import (
    ClassPrediction,
    ClassUncertainty,
    Interval,
    Prediction,
    ValuePrediction,
)
from podium.rounding import level_percent
from podium.web.words import number_form

_TICKS: Final = (0.0, 0.5, 1.0)


class ColumnView(NamedTuple):
    """A class's passes: the heights, from 0 to 1, of their band and of their mean."""

    label: str
    mean: float
    band: Interval | None


class SpreadView(NamedTuple):
    """A dot a pass, at (place along the columns, height from 0 to 1), and what the axis says."""

    columns: tuple[ColumnView, ...]
    dots: tuple[tuple[float, float], ...]
    ticks: tuple[tuple[float, str], ...]


class HistogramView(NamedTuple):
    """How many passes lie where: bars as (left, width, height) from 0 to 1, and the mean.

    `low` and `high` are the ends of the axis.
    """

    label: str
    bars: tuple[tuple[float, float, float], ...]
    mean: float
    low: str
    high: str


class FiguresView(NamedTuple):
    """How far the passes lie apart, how many lie where, and how to read it.

    Each figure stands there twice: as a specification, and drawn, in the same order.
    """

    spread: Spec
    histograms: tuple[Spec, ...]
    caption: str
    drawn_spread: SpreadView
    drawn_histograms: tuple[HistogramView, ...]


def figures_view(
    prediction: Prediction, target: str, draws: bool | None = None
) -> FiguresView | None:
    """Return the figures of an answer that includes its passes; else None.

    `draws` says whether these differ by chance, None where that is not known.
    """
    figure = spread(prediction, target)
    if figure is None:
        return None
    counted = tuple(histograms(prediction, target))
    shares = isinstance(prediction, ClassPrediction)
    return FiguresView(
        figure,
        counted,
        f"{_dots(prediction, draws)} {_caption(prediction)}",
        _drawn_spread(figure, shares),
        tuple(_drawn_histogram(one, shares) for one in counted),
    )


def interval_note(certainty: ClassUncertainty) -> str:
    """Return what the thin lines over the bars are; "" where there are none."""
    level, samples = certainty.interval_level, certainty.samples
    if level is None or samples is None:
        return ""
    if samples < FEW:
        return _("The thin line shows roughly where the %(count)s single answers lie.",
                 count=samples)  # fmt: skip
    return _("The thin line spans %(share)s of the single answers.", share=level_percent(level))


def _dots(prediction: Prediction, draws: bool | None) -> str:
    """Return what a dot is."""
    count = prediction.uncertainty.samples
    if draws:
        return _("Each dot is one of %(count)s runs of the model, which differ by chance.",
                 count=count)  # fmt: skip
    if draws is None:
        return _("Each dot is one of the %(count)s single answers behind this one.", count=count)
    return _("Each dot is the answer of one of the model's %(count)s members.", count=count)


def _caption(prediction: Prediction) -> str:
    """Return how to read what is drawn with the dots."""
    count, level = prediction.uncertainty.samples, prediction.uncertainty.interval_level or 0
    share = level_percent(level)
    if isinstance(prediction, ValuePrediction) and prediction.uncertainty.aleatoric is not None:
        return _("The band is where the model expects %(share)s of measured values, the line is "
                 "their mean.", share=share)  # fmt: skip
    if (count or 0) < FEW:
        return _("The line is their mean.")
    return _("The band holds %(share)s of them, the line is their mean.", share=share)


def _drawn_spread(figure: Spec, shares: bool) -> SpreadView:
    """Return a figure's rows as places in a picture; `shares` runs from 0 to 1, as they are."""
    bands, marks, _means = (layer["data"]["values"] for layer in figure["layer"])
    heights = [one["value"] for one in marks]
    heights += [one[key] for one in bands for key in ("mean", "low", "high") if key in one]
    low, high = (0.0, 1.0) if shares else widened(min(heights), max(heights))
    form = _form(low, high, shares)

    def place(height: float) -> float:
        return (height - low) / (high - low)

    return SpreadView(
        tuple(
            ColumnView(one["label"], place(one["mean"]),
                       (place(one["low"]), place(one["high"])) if "low" in one else None)
            for one in bands
        ),
        tuple((one["place"], place(one["value"])) for one in marks),
        tuple((tick, f"{low + tick * (high - low):{form}}") for tick in _TICKS),
    )  # fmt: skip


def _form(low: float, high: float, shares: bool) -> str:
    return ".0%" if shares else number_form([low, high], high - low)


def _drawn_histogram(figure: Spec, shares: bool) -> HistogramView:
    """Return a histogram's rows as places in a picture."""
    bars, means = (layer["data"]["values"] for layer in figure["layer"])
    low, high = bars[0]["low"], bars[-1]["high"]
    top = figure["layer"][0]["encoding"]["y"]["scale"]["domain"][1]
    width, form = (high - low) or 1.0, _form(low, high, shares)
    return HistogramView(
        figure["title"],
        tuple(
            ((one["low"] - low) / width, (one["high"] - one["low"]) / width, one["passes"] / top)
            for one in bars if one["passes"]
        ),
        (means[0]["mean"] - low) / width,
        f"{low:{form}}", f"{high:{form}}",
    )  # fmt: skip
