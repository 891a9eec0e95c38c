"""What every model says of one input, side by side."""

from __future__ import annotations

import pytest

from podium.app import App
from podium.cli import DEMOS
from podium.prediction import (
    Answer,
    Caution,
    ClassAnswer,
    ClassPrediction,
    ClassUncertainty,
    Interval,
    ValueAnswer,
    ValuePrediction,
    ValueUncertainty,
)
from podium.web.page.answer import CautionView
from podium.web.page.compared import Outcome, RowView, Track, compared_view
from podium.web.problem import Problem
from tests.support.apps import write_weights

FAILED = Problem("The prediction failed", 500, "The file is damaged")
RANGE = Caution("bill_length_mm", "outside_training_range", "80 is outside")


@pytest.fixture(scope="module")
def penguins() -> App:
    """The penguins, with models bnn, forest, tree and bayes; none is loaded."""
    return App(DEMOS / "penguins")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A regression in kg, with models exact, noisy and slow."""
    return App(write_weights(tmp_path_factory.mktemp("weights") / "app"))


def said(
    name: str, label: str, *cautions: Caution, share: float = 0.8, **certainty: object
) -> Outcome:
    """Return a model's answer of a class with a probability."""
    uncertainty = ClassUncertainty(entropy=0.5, **certainty)  # type: ignore[arg-type]
    prediction = ClassPrediction(label, share, {label: share}, uncertainty, list(cautions))
    return name, ClassAnswer(name, "v", [prediction])


def told(name: str, value: float, interval: Interval | None = None, **more: object) -> Outcome:
    """Return a model's answer of a value, with the interval of its passes."""
    level = None if interval is None else 0.9
    uncertainty = ValueUncertainty(interval=interval, interval_level=level, **more)  # type: ignore[arg-type]
    answer: Answer = ValueAnswer(name, "v", [ValuePrediction(value, "kg", uncertainty, [])])
    return name, answer


def test_row_of_a_class(penguins: App) -> None:
    """A row has label, probability with its interval, the set and both entropies."""
    view = compared_view(penguins, [
        said("bnn", "Gentoo", epistemic=0.125, intervals={"Gentoo": (0.7, 0.9)},
             prediction_set=["Adelie", "Gentoo"], confidence_level=0.9),
        said("tree", "Gentoo"),
    ])  # fmt: skip
    assert view.heads == ("Entropy", "Not yet learned")
    assert view.rows == (
        RowView("bnn", "Bayesian neural network", "Gentoo", "80.0%", Track(0.8, (0.7, 0.9)),
                "one of: Adelie, Gentoo", "90%", ("0.500", "0.125"), words="likely"),
        RowView("tree", "Decision tree", "Gentoo", "80.0%", Track(0.8, None), "", "",
                ("0.500", "not known"), words="likely"),
    )  # fmt: skip
    assert (view.calibrated, view.level) == (True, "90%")


def test_level_that_differs(penguins: App) -> None:
    """Only a level that all sets have stands over them; models without a set do not count."""
    sets = [said("bnn", "Gentoo", prediction_set=["Gentoo"], confidence_level=0.9),
            said("forest", "Gentoo", prediction_set=[], confidence_level=0.8)]  # fmt: skip
    alone = compared_view(penguins, [sets[0], said("tree", "Gentoo")])
    assert (alone.level, compared_view(penguins, sets).level) == ("90%", "")


@pytest.mark.parametrize(
    ("levels", "line"),
    [
        ([0.9, 0.9], "The thin line spans 90% of a model's single answers, "
                     "roughly so where they are few. "),
        ([0.9, 0.8], "The thin line spans most of a model's single answers, "
                     "roughly so where they are few. "),
        ([None, None], ""),
    ],
)  # fmt: skip
def test_note_of_classes(penguins: App, levels: list[float | None], line: str) -> None:
    """The note says what the thin line spans, where there is one, and the greatest entropy."""
    names = ("bnn", "forest")
    outcomes = [
        said(name, "Gentoo", interval_level=level)
        for name, level in zip(names, levels, strict=True)
    ]
    note = compared_view(penguins, outcomes).note
    assert note.startswith(f"{line}Entropy is 0 when")
    assert "spread out, at most 1.10 (nats)." in note


def test_row_without_probability(penguins: App) -> None:
    """A model that tells a label alone has no bar."""
    prediction = ClassPrediction("Gentoo", None, None, ClassUncertainty(), [])
    view = compared_view(penguins, [("tree", ClassAnswer("tree", "v", [prediction]))])
    assert view.rows == (
        RowView("tree", "Decision tree", "Gentoo", "no probability",
                numbers=("not known", "not known")),
    )  # fmt: skip
    assert not view.calibrated


@pytest.mark.parametrize(
    ("labels", "sentence", "agree"),
    [
        (["Gentoo"] * 4, "All 4 models say Gentoo.", True),
        (["Gentoo"] * 2, "Both models say Gentoo.", True),
        (["Adelie", "Gentoo", "Gentoo"], "The models disagree: 2 say Gentoo, 1 says Adelie.",
         False),
    ],
)  # fmt: skip
def test_agreement_of_classes(penguins: App, labels: list[str], sentence: str, agree: bool) -> None:
    """One sentence says whether the models agree, else who says what."""
    outcomes = [
        said(name, label, share=0.95) for name, label in zip(penguins.names, labels, strict=False)
    ]
    view = compared_view(penguins, outcomes)
    assert (view.sentence, view.agree) == (sentence, agree)


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ([0.95, 0.89, 0.7, 0.5],
         "All 4 models say Gentoo. 3 of them give it less than 90%."),
        ([0.9, 0.99, 0.7, 0.5], "All 4 models say Gentoo."),
    ],
)  # fmt: skip
def test_agreement_of_the_unsure(penguins: App, shares: list[float], sentence: str) -> None:
    """Where most models agree without being very sure, the sentence says so."""
    outcomes = [
        said(name, "Gentoo", share=share)
        for name, share in zip(penguins.names, shares, strict=True)
    ]
    assert compared_view(penguins, outcomes).sentence == sentence


def test_values_are_compared_in_one_precision(weights: App) -> None:
    """The sentence and all rows write as many decimals, however a model tells its spread."""
    view = compared_view(weights, [
        told("exact", 1132.5), told("noisy", 1132.55, (1131.5, 1133.5), std=0.53)])  # fmt: skip
    assert view.sentence == "The models say between 1132.50 and 1132.55 kg."
    assert [row.headline for row in view.rows] == ["1132.50 kg", "1132.55 kg"]


def test_values_that_are_written_alike_agree(weights: App) -> None:
    """Models that differ by less than is told say the same."""
    view = compared_view(weights, [
        told("exact", 12.0), told("noisy", 12.001, (2, 22), std=5.0)])  # fmt: skip
    assert view.sentence == "Both models say 12 kg."


@pytest.mark.parametrize(
    ("labels", "differ"),
    [
        (["Gentoo", "Adelie", "Gentoo"], [False, True, False]),
        (["Gentoo", "Adelie"], [False, False]),
        (["Gentoo", "Gentoo"], [False, False]),
    ],
)
def test_who_differs(penguins: App, labels: list[str], differ: list[bool]) -> None:
    """The models that most others contradict are marked; in a tie nobody is."""
    outcomes = [said(name, label) for name, label in zip(penguins.names, labels, strict=False)]
    assert [row.differs for row in compared_view(penguins, outcomes).rows] == differ


def test_a_failing_model_hides_no_other(penguins: App) -> None:
    """A model that failed has a row that says why, and is counted."""
    view = compared_view(penguins, [said("bnn", "Gentoo"), ("forest", FAILED)])
    assert view.sentence == "One model says Gentoo. 1 of 2 gave no answer."
    assert view.rows[1] == RowView("forest", "Random forest", problem="The file is damaged")


def test_warnings_are_told_once_or_with_their_model(penguins: App) -> None:
    """What holds of the input is told once, what holds of one answer with its model's name."""
    few = Caution("prediction_set", "fewer_passes", "Fewer passes")
    view = compared_view(
        penguins, [said("bnn", "Gentoo", RANGE), said("bayes", "Gentoo", RANGE, few)]
    )
    assert view.warnings == (
        CautionView("Bill length", "80 is outside", "field-bill_length_mm", True),
        CautionView("Naive Bayes: Prediction set", "Fewer passes"),
    )


def test_rows_of_values_share_a_scale(weights: App) -> None:
    """Values and intervals lie on one scale, from the least to the most of them all."""
    view = compared_view(
        weights,
        [told("exact", 12.0),
         told("noisy", 15.0, (10.0, 20.0), std=2.5, aleatoric=2.25, epistemic=4.0, samples=50)],
    )  # fmt: skip
    assert view.heads == ("Standard deviation", "Noise in the data", "Not yet learned")
    assert view.rows == (
        RowView("exact", "exact", "12 kg", "", Track(0.2, None), numbers=("not known",) * 3),
        RowView(
            "noisy", "noisy", "15 kg", "", Track(0.5, (0, 1)), numbers=("2.5 kg", "1.5 kg", "2 kg")
        ),
    )
    assert view.note.startswith("The line is the value, the band its prediction interval;")


@pytest.mark.parametrize(
    ("outcomes", "sentence", "agree"),
    [
        ([told("exact", 12.0), told("slow", 12.0)], "Both models say 12 kg.", True),
        ([told("exact", 12.0), told("slow", 14.0)], "The models say between 12 and 14 kg.", True),
        ([told("exact", 12.0, (11, 13)), told("slow", 14.0, (12, 15))],
         "The models say between 12 and 14 kg.", True),
        ([told("exact", 12.0, (11, 13)), told("slow", 14.0, (13.5, 15))],
         "The models say between 12.0 and 14.0 kg, and disagree: their intervals do not all "
         "overlap.",
         False),
        ([told("exact", 12.0, (11, 13), prediction_interval=(9, 15)),
          told("slow", 14.0, (13.5, 15))],
         "The models say between 12.0 and 14.0 kg.", True),
    ],
)  # fmt: skip
def test_agreement_of_values(
    weights: App, outcomes: list[Outcome], sentence: str, agree: bool
) -> None:
    """Values disagree when their intervals, calibrated where they are, do not all overlap."""
    view = compared_view(weights, outcomes)
    assert (view.sentence, view.agree) == (sentence, agree)


def test_a_single_value_has_a_scale(weights: App) -> None:
    """Where all lie at one place, the mark is in the middle."""
    view = compared_view(weights, [told("exact", 3.0)])
    assert (view.sentence, view.rows[0].track) == ("One model says 3 kg.", Track(0.5, None))


@pytest.mark.parametrize("values", [(1e30, 1e30), (-1e300, 1e300)])
def test_values_of_any_size_have_a_place(values: tuple[float, float], weights: App) -> None:
    """Where all models agree on a large number, or lie too far apart, each still has its mark."""
    view = compared_view(weights, [told("exact", values[0]), told("noisy", values[1])])
    marks = [row.track.mark for row in view.rows if row.track]
    assert len(marks) == 2
    assert all(-1.2 < mark < 2.2 for mark in marks)
