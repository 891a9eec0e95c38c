"""What judges a model: as other libraries have it, and None where it cannot be known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as theirs
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from podium.datasets.judging.judgement import ClassJudgement
from tests.support.judging import classes, labels_alone, sample, told, values

ABC = ("a", "b", "c")


@pytest.fixture(scope="module")
def answered() -> tuple[Any, Any]:
    """Return the probabilities and true labels of 400 rows."""
    return sample(400)


def test_shares_of_right_answers_are_those_of_scikit_learn(answered: tuple[Any, Any]) -> None:
    """Accuracy, balanced accuracy and F1 agree."""
    p, truth = answered
    found, label = told(classes(p, truth), ABC), p.argmax(axis=1)
    names = ("accuracy", "balanced_accuracy", "f1_macro")
    assert [found[name, None].value for name in names] == pytest.approx([
        theirs.accuracy_score(truth, label),
        theirs.balanced_accuracy_score(truth, label),
        theirs.f1_score(truth, label, average="macro"),
    ], rel=1e-12)  # fmt: skip


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_what_is_told_of_each_label_is_that_of_scikit_learn(
    name: str, answered: tuple[Any, Any]
) -> None:
    """Precision, recall and F1 of each label agree."""
    p, truth = answered
    expected = getattr(theirs, f"{name}_score")(truth, p.argmax(axis=1), average=None)
    found = told(classes(p, truth), ABC)
    assert [found[name, label].value for label in ABC] == pytest.approx(expected, rel=1e-12)


def test_what_judges_probabilities_is_that_of_other_libraries(answered: tuple[Any, Any]) -> None:
    """Log loss and Brier score are scikit-learn's, the calibration error torchmetrics'."""
    p, truth = answered
    found = told(classes(p, truth), ABC)
    assert found["log_loss", None].value == pytest.approx(theirs.log_loss(truth, p), rel=1e-12)
    brier = theirs.brier_score_loss(truth, p, labels=range(3), scale_by_half=False)
    assert found["brier", None].value == pytest.approx(brier, rel=1e-12)
    ece = multiclass_calibration_error(torch.tensor(p), torch.tensor(truth), 3, n_bins=15)
    assert found["ece", None].value == pytest.approx(float(ece), rel=1e-6)


def test_a_regression_is_judged_as_scikit_learn_does() -> None:
    """R², RMSE and MAE agree, also where the values lie far from 0."""
    random = np.random.default_rng(1)
    truth = 1e6 + random.normal(0, 3, 300)
    value = truth + random.normal(0.5, 1, 300)
    found = told(values(value, truth), unit="%")
    assert found["r2", None].value == pytest.approx(theirs.r2_score(truth, value), rel=1e-6)
    rmse = theirs.root_mean_squared_error(truth, value)
    assert found["rmse", None].value == pytest.approx(rmse)
    mae = theirs.mean_absolute_error(truth, value)
    assert found["mae", None].value == pytest.approx(mae)
    assert {name: one.unit for (name, _), one in found.items()} == {
        "r2": None, "rmse": "%", "mae": "%", "coverage": None, "width": "%"
    }  # fmt: skip


def test_sets_are_judged_by_what_they_hold() -> None:
    """Coverage, mean size and the share of empty sets are counted."""
    sets = [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1]]
    found = told(classes(np.full((4, 3), 1 / 3), [0, 1, 2, 0], sets), ABC)
    assert found["coverage", None].value == 0.5
    assert found["set_size", None].value == 1.25
    assert found["empty_sets", None].value == 0.25
    assert "it should be about the level" in found["coverage", None].about
    assert found["coverage", None].detail == "Level 90%."
    # Whoever promises less has fewer labels in a set: that is nothing to win by.
    assert found["set_size", None].better is None


def test_intervals_are_judged_by_what_lies_inside() -> None:
    """Coverage and mean width are counted; the ends belong to the interval."""
    found = told(values([1, 2, 3, 4], [1, 2, 4.5, 5], reach=1))
    assert found["coverage", None].value == 0.75
    assert found["width", None].value == 2
    assert found["coverage", None].title == "Coverage of the intervals"
    assert found["coverage", None].detail == "Prediction intervals at 90%."
    assert found["width", None].better is None


def test_an_own_interval_is_told_apart_from_a_promise() -> None:
    """Without a calibration the metric says whose interval it is, and that nothing is promised."""
    found = told(values([1, 2], [1, 2], reach=1), calibrated=False)["coverage", None]
    assert found.title == "Coverage of the intervals"
    assert found.detail == (
        "The model's own intervals at 90%: it is not calibrated, and nothing promises that they "
        "hold what they say."
    )


def test_what_holds_of_one_model_alone_stands_with_its_value() -> None:
    """The meaning of a metric is the same for every model; numbers of rows and levels are not."""
    truth = [0, 0, 1, 1]
    one = told(classes(np.array([[0.9, 0.1]] * 4), truth), ("a", "b"))
    other = told(classes(np.array([[0.6, 0.4]] * 3 + [[0.2, 0.8]]), truth), ("a", "b"), level=0.5)
    assert {key: metric.about for key, metric in one.items() if metric.value is not None} == {
        key: other[key].about for key, metric in one.items() if metric.value is not None
    }
    assert one["precision", "a"].detail == "Of 4 rows."
    assert other["precision", "a"].detail == "Of 3 rows."
    assert one["recall", "b"].detail == "Of 2 rows."
    assert one["accuracy", None].detail == "Always answering a would reach 50.0%."
    assert one["ece", None].detail.startswith("By chance about 0.1")
    assert one["ece", None].detail != other["ece", None].detail


def test_a_share_is_not_rounded_to_all() -> None:
    """What always answering the commonest label would reach is never 100% but for one label."""
    truth = np.zeros(4000, int)
    truth[0] = 1
    found = told(labels_alone(truth, truth), ("a", "b"))["accuracy", None]
    assert found.detail == "Always answering a would reach > 99.9%."


def test_a_log_loss_of_probabilities_0_and_1_says_what_it_cannot_know() -> None:
    """A tree's rows of which it is certain are counted; a model that is never certain has none."""
    found = told(classes([[1.0, 0.0], [1.0, 0.0], [0.7, 0.3], [0.0, 1.0]], [0, 0, 0, 1]), "ab")
    assert found["log_loss", None].detail == (
        "Certain (0 or 1) of 3 rows: the interval may be far too short."
    )
    soft = told(classes([[0.7, 0.3]] * 3, [0, 0, 1]), "ab")
    assert soft["log_loss", None].detail == ""


def test_what_a_model_cannot_know_is_none_and_says_why() -> None:
    """A label alone has no log loss, Brier score or calibration error, and no sets."""
    found = told(labels_alone([0, 1, 1], [0, 1, 2]), ABC)
    unknown = {name for (name, label), one in found.items() if one.value is None and label is None}
    assert unknown == {"log_loss", "brier", "ece", "coverage", "set_size", "empty_sets"}
    assert found["log_loss", None].about == (
        "Not known: the model tells a label and no probabilities."
    )
    assert found["accuracy", None].value == pytest.approx(2 / 3)


def test_a_label_without_rows_has_no_recall() -> None:
    """One never answered has no precision, one that is neither no F1; the macro mean skips it."""
    found = told(labels_alone([0, 0, 1], [0, 0, 0]), ABC)
    assert found["recall", "b"].value is None
    assert found["recall", "b"].about == "Not defined: no row is of this label."
    assert (found["f1", "b"].value, found["f1", "c"].value) == (0.0, None)
    assert found["precision", "c"].value is None
    assert found["f1_macro", None].value == pytest.approx((0.8 + 0) / 2)
    assert found["balanced_accuracy", None].value == pytest.approx(2 / 3)


def test_a_probability_of_0_for_the_truth_costs_36_nats() -> None:
    """The loss is finite: that of the least probability double precision tells from 1 - p."""
    found = told(classes([[1.0, 0.0]], [1]), ("a", "b"))
    assert found["log_loss", None].value == pytest.approx(-np.log(np.finfo(float).eps))
    assert found["brier", None].value == 2.0
    assert found["accuracy", None].value == 0.0


def test_equal_true_values_have_no_r2() -> None:
    """R² divides by their variance; the errors are told all the same."""
    found = told(values([1, 2, 3], [2, 2, 2]))
    assert found["r2", None].value is None
    assert found["r2", None].about == "Not defined: the true values do not differ."
    assert found["mae", None].value == pytest.approx(2 / 3)


@pytest.mark.parametrize("judged", [classes([[0.7, 0.3]], [0]), classes([[0.2, 0.8]], [0])])
def test_one_row_is_judged_without_bootstrap(judged: ClassJudgement) -> None:
    """Of one row a share has Wilson's interval, a mean none."""
    found = told(judged, ("a", "b"))
    accuracy, loss = found["accuracy", None], found["log_loss", None]
    assert accuracy.value in (0.0, 1.0)
    assert accuracy.high is not None
    assert accuracy.low is not None
    assert accuracy.high - accuracy.low == pytest.approx(0.7935, abs=1e-4)
    assert (loss.low, loss.high, loss.interval) == (None, None, "")


def test_without_errors_no_interval_ends_at_1() -> None:
    """Of 30 rows that are all right nothing is certain: each share's interval is below 1, too."""
    truth = np.arange(30) % 3
    found = told(labels_alone(truth, truth), ABC)
    shares = [one for one in found.values() if one.value == 1.0]
    assert {one.name for one in shares} == {
        "accuracy", "balanced_accuracy", "f1_macro", "precision", "recall", "f1"
    }  # fmt: skip
    assert all(one.low is not None and 0.7 < one.low < 0.93 and one.high == 1.0 for one in shares)


@pytest.mark.parametrize("sharp", [0.5, 1.5, 6.0])
@pytest.mark.parametrize("rows", [10, 40, 500])
def test_no_value_lies_outside_of_its_interval(rows: int, sharp: float) -> None:
    """That of the calibration error neither, which is greater in every replicate."""
    p, truth = sample(rows, seed=rows, sharp=sharp)
    found = told(classes(p, truth, p > 0.2), ABC)
    told_all = [one for one in found.values() if one.low is not None and one.value is not None]
    assert len(told_all) == len(found)
    outside = [one.name for one in told_all if not one.low <= one.value <= one.high]  # type: ignore[operator]
    assert outside == []


def test_a_calibration_error_that_chance_brings_may_be_0() -> None:
    """Where the probabilities are right the interval begins at 0; where they are not, above."""
    random = np.random.default_rng(4)
    sure = random.uniform(0.5, 1, 200)
    p = np.column_stack([sure, 1 - sure])
    fair = (random.random(200) > sure).astype(int)
    assert told(classes(p, fair), ("a", "b"))["ece", None].low == 0
    wrong = told(classes(p, (random.random(200) > 0.3).astype(int)), ("a", "b"))["ece", None]
    assert wrong.low is not None
    assert wrong.low > 0.1
