"""Scores become answers with their uncertainty, against scipy and numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET
from numpy.typing import NDArray
from scipy.stats import entropy as scipy_entropy

from podium.options import Options
from podium.pipeline.postprocess import Scores
from podium.pipeline.uncertainty import class_predictions, entropy, value_predictions
from podium.prediction import (
    Caution,
    ClassPrediction,
    ClassUncertainty,
    ValuePrediction,
    ValueUncertainty,
)

LABELS = ("Adelie", "Chinstrap", "Gentoo")
CAUTION = Caution("bill", "outside_training_range", "90 is outside")
SAMPLES = frozenset({"samples"})


def approx(value: Any) -> Any:
    """Return what equals a number, or numbers, but for rounding."""
    return pytest.approx(value)


def classes(
    values: Any, sampled: bool = True, options: Options | None = None, labels: Any = LABELS
) -> list[ClassPrediction]:
    """Return the predictions for scores of shape (batch, passes, classes)."""
    scores = Scores(np.array(values, np.float64), sampled)
    cautions: list[list[Caution]] = [[] for _ in values]
    return class_predictions(scores, labels, options or Options(), cautions)


def values_of(values: Any, sampled: bool = True, options: Options | None = None) -> list[Any]:
    """Return the predictions for scores of shape (batch, passes)."""
    scores = Scores(np.array(values, np.float64), sampled)
    return list(value_predictions(scores, "mm", options or Options(), [[] for _ in values]))


def passes(rows: int = 4, count: int = 30, labels: int = 3) -> NDArray[np.float64]:
    """Return random probabilities, shape (rows, count, labels)."""
    return np.random.default_rng(0).dirichlet([1.0] * labels, (rows, count))


def test_entropy_is_scipys() -> None:
    """The entropy is that of scipy along the last axis."""
    shares = passes()
    np.testing.assert_allclose(entropy(shares), scipy_entropy(shares, axis=-1), rtol=1e-12)


def test_entropy_of_certainty_is_zero() -> None:
    """A class with probability 1 has entropy 0; zeros are no trouble."""
    np.testing.assert_allclose(entropy(np.array([[1.0, 0.0], [0.5, 0.5]])), [0, math.log(2)])


def test_example_of_the_design() -> None:
    """0.97, 0.02 and 0.01 have the entropy 0.15 and 0.14 of a uniform guess's."""
    found = classes([[[0.01, 0.02, 0.97]]], sampled=False)[0]
    assert (found.label, found.probability) == ("Gentoo", 0.97)
    assert list(found.probabilities or {}) == ["Gentoo", "Chinstrap", "Adelie"]
    assert round(found.uncertainty.entropy or 0, 2) == 0.15
    assert round(found.uncertainty.entropy_normalized or 0, 2) == 0.14


def test_single_answer_in_whole() -> None:
    """One answer has an entropy and nothing else; what is not known is null."""
    total = -(0.5 * math.log(0.5) + 2 * 0.25 * math.log(0.25))
    assert classes([[[0.25, 0.5, 0.25]]], sampled=False) == [
        ClassPrediction(
            "Chinstrap", 0.5, {"Chinstrap": 0.5, "Adelie": 0.25, "Gentoo": 0.25},
            ClassUncertainty(
                entropy=approx(total), entropy_normalized=approx(total / math.log(3)),
                aleatoric=None, epistemic=None, intervals=None, interval_level=None, samples=None,
                prediction_set=None, confidence_level=None, reproducible=True,
                sample_probabilities=UNSET,
            ),
            [],
        )
    ]  # fmt: skip


def test_parts_of_the_entropy() -> None:
    """Total entropy, the mean entropy of the passes, and the mutual information between."""
    scores = passes()
    for index, found in enumerate(classes(scores)):
        certainty = found.uncertainty
        total = scipy_entropy(scores[index].mean(axis=0))
        aleatoric = scipy_entropy(scores[index], axis=1).mean()
        assert certainty.entropy == pytest.approx(total)
        assert certainty.aleatoric == pytest.approx(aleatoric)
        assert certainty.epistemic == pytest.approx(total - aleatoric)
        assert certainty.entropy_normalized == pytest.approx(total / math.log(3))
        assert certainty.samples == 30


def test_passes_that_contradict_each_other() -> None:
    """Two passes sure of different classes: all of ln 2 is epistemic, nothing aleatoric."""
    certainty = classes([[[1, 0], [0, 1]]], labels=("a", "b"))[0].uncertainty
    assert certainty.entropy == pytest.approx(math.log(2))
    assert certainty.entropy_normalized == pytest.approx(1)
    assert certainty.aleatoric == pytest.approx(0, abs=1e-12)
    assert certainty.epistemic == pytest.approx(math.log(2))


def test_passes_that_agree() -> None:
    """Passes that agree on 50:50: all of ln 2 is aleatoric, nothing epistemic, nothing below 0."""
    certainty = classes([[[0.5, 0.5]] * 7], labels=("a", "b"))[0].uncertainty
    assert certainty.aleatoric == pytest.approx(math.log(2))
    assert certainty.epistemic == pytest.approx(0, abs=1e-12)
    assert certainty.epistemic is not None
    assert certainty.epistemic >= 0


@pytest.mark.parametrize("seed", range(5))
def test_no_part_is_negative(seed: int) -> None:
    """However passes agree, rounding makes no part negative, and the parts sum to the whole."""
    one = np.random.default_rng(seed).dirichlet([0.05] * 3, 200)
    scores = np.repeat(one[:, None, :], 9, axis=1)
    scores[:, 0] = [1.0, 0.0, 0.0]
    scores[:, 1:] = [1.0, 0.0, 0.0] if seed == 0 else scores[:, 1:]
    for found in classes(scores):
        certainty = found.uncertainty
        assert certainty.entropy is not None
        assert certainty.aleatoric is not None
        assert certainty.epistemic is not None
        assert min(certainty.entropy, certainty.aleatoric, certainty.epistemic) >= 0
        assert certainty.aleatoric + certainty.epistemic == pytest.approx(certainty.entropy)


def test_answer_is_the_mean_of_the_passes() -> None:
    """The probabilities are the passes' means, the label the greatest of them."""
    found = classes([[[0.6, 0.4, 0.0], [0.0, 0.5, 0.5]]])[0]
    assert found.label == "Chinstrap"
    assert found.probability == pytest.approx(0.45)
    assert found.probabilities == pytest.approx({"Chinstrap": 0.45, "Adelie": 0.3, "Gentoo": 0.25})
    assert list(found.probabilities or {}) == ["Chinstrap", "Adelie", "Gentoo"]


def test_interval_holds_the_level_of_the_passes() -> None:
    """101 passes from 0 to 1: the middle 90% run from 0.05 to 0.95, the middle half from 0.25."""
    first = np.linspace(0, 1, 101)
    scores = np.stack([first, 1 - first], axis=1)[None]
    found = classes(scores, labels=("a", "b"))[0].uncertainty
    assert found.interval_level == 0.9
    assert found.intervals == {"a": approx((0.05, 0.95)), "b": approx((0.05, 0.95))}
    half = classes(scores, options=Options(confidence_level=0.5), labels=("a", "b"))[0].uncertainty
    assert half.interval_level == 0.5
    assert half.intervals == {"a": approx((0.25, 0.75)), "b": approx((0.25, 0.75))}


def test_top_cuts_what_is_named() -> None:
    """With top, only the likeliest labels are named, everywhere; the entropy is that of all."""
    scores = passes(rows=1)
    whole = classes(scores, options=Options(include=SAMPLES))[0]
    cut = classes(scores, options=Options(top=2, include=SAMPLES))[0]
    names = list(whole.probabilities or {})[:2]
    assert list(cut.probabilities or {}) == names
    assert set(cut.uncertainty.intervals or {}) == set(names)
    assert isinstance(cut.uncertainty.sample_probabilities, dict)
    assert set(cut.uncertainty.sample_probabilities) == set(names)
    assert cut.uncertainty.entropy == whole.uncertainty.entropy


def test_many_labels_are_cut_by_default() -> None:
    """Of more than a hundred labels the five likeliest are named."""
    labels = tuple(f"c{n}" for n in range(101))
    found = classes(passes(1, 3, 101), labels=labels)[0]
    assert len(found.probabilities or {}) == 5
    assert len(classes(passes(1, 3, 100), labels=labels[:100])[0].probabilities or {}) == 100


@pytest.mark.parametrize("top", [1, 5, 99, 100, 101, 1000])
def test_the_likeliest_of_many_labels(top: int) -> None:
    """However many of a thousand labels are named, they are the likeliest ones in their order."""
    shares = np.random.default_rng(top).dirichlet(np.full(1000, 0.3), 3)
    scores = Scores(shares[:, None], sampled=False)
    labels = [str(number) for number in range(1000)]
    for row, one in zip(shares, class_predictions(scores, labels, Options(top=top), [[]] * 3),
                        strict=True):  # fmt: skip
        ranked = sorted(range(1000), key=lambda number: -row[number])[:top]
        assert one.probabilities == {str(number): row[number] for number in ranked}
        assert list(one.probabilities) == [str(number) for number in ranked]
        assert (one.label, one.probability) == (str(ranked[0]), row[ranked[0]])


def test_samples_are_added_on_request() -> None:
    """include=samples adds each pass's probability under its label, in the passes' order."""
    scores = passes(rows=2)
    for index, found in enumerate(classes(scores, options=Options(include=SAMPLES))):
        samples = found.uncertainty.sample_probabilities
        assert isinstance(samples, dict)
        for column, label in enumerate(LABELS):
            assert samples[label] == scores[index, :, column].tolist()
    assert classes(scores)[0].uncertainty.sample_probabilities is UNSET


def test_equal_probabilities_keep_the_labels_order() -> None:
    """Of equally likely labels the first one listed is the answer."""
    found = classes([[[0.25, 0.375, 0.375]]], sampled=False)[0]
    assert (found.label, list(found.probabilities or {})) == (
        "Chinstrap", ["Chinstrap", "Gentoo", "Adelie"],
    )  # fmt: skip


def test_label_without_probability() -> None:
    """A model that tells a label alone has no probability and no uncertainty."""
    scores = Scores(np.array([[[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]]]), False, graded=False)
    assert class_predictions(scores, LABELS, Options(), [[], [CAUTION]]) == [
        ClassPrediction("Chinstrap", None, None, ClassUncertainty(), []),
        ClassPrediction("Adelie", None, None, ClassUncertainty(), [CAUTION]),
    ]


def test_warnings_stay_with_their_item() -> None:
    """Each prediction has the warnings of its own item, for classes and values."""
    given: list[list[Caution]] = [[], [CAUTION]]
    scores = Scores(passes(2), True)
    assert [one.warnings for one in class_predictions(scores, LABELS, Options(), given)] == given
    single = Scores(np.array([[1.0], [2.0]]), False)
    assert [one.warnings for one in value_predictions(single, None, Options(), given)] == given
    many = Scores(np.array([[1.0, 2.0], [2.0, 3.0]]), True)
    assert [one.warnings for one in value_predictions(many, None, Options(), given)] == given


def test_single_value_in_whole() -> None:
    """One value has its unit and nothing is known of its uncertainty."""
    assert values_of([[1.5], [-2]], sampled=False) == [
        ValuePrediction(1.5, "mm", ValueUncertainty(), []),
        ValuePrediction(-2.0, "mm", ValueUncertainty(), []),
    ]


def test_values_of_passes_in_whole() -> None:
    """Passes 1 to 5: mean 3, variance 2, its root, and the middle half from 2 to 4."""
    options = Options(confidence_level=0.5)
    assert values_of([[1, 2, 3, 4, 5]], options=options) == [
        ValuePrediction(
            3.0, "mm",
            ValueUncertainty(
                aleatoric=None, epistemic=approx(2), std=approx(math.sqrt(2)),
                interval=(2.0, 4.0), interval_level=0.5, samples=5, prediction_interval=None,
                confidence_level=None, sample_values=UNSET,
            ),
            [],
        )
    ]  # fmt: skip


def test_values_of_passes_on_request() -> None:
    """include=samples adds each pass's value."""
    found = values_of([[1, 2], [5, 3]], options=Options(include=SAMPLES))
    assert [one.uncertainty.sample_values for one in found] == [[1.0, 2.0], [5.0, 3.0]]
    assert values_of([[1, 2]])[0].uncertainty.sample_values is UNSET
