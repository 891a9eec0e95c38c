"""Which output holds the scores, and what makes probabilities of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from scipy.special import softmax as scipy_softmax

from podium.errors import FieldError, InvalidInput, ModelError
from podium.pipeline.postprocess import Head, custom_scores, find_head, find_value

THREE = ("a", "b", "c")
TWO = ("no", "yes")
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(16, 3)).astype(np.float32) * 3
SHARES = scipy_softmax(LOGITS, axis=1)
LABELS = SHARES.argmax(axis=1)


def head_and_scores(
    outputs: dict[str, NDArray[Any]],
    labels: tuple[str, ...] = THREE,
    own: tuple[str, ...] = (),
    passes: int | None = None,
) -> tuple[Head, NDArray[np.float64]]:
    """Return the head that is found on a probe batch, and the scores of that batch."""
    head = find_head(outputs, passes, own, labels)
    return head, head.scores(outputs, passes).values


def test_logits() -> None:
    """Scores that do not sum to 1 are logits; a huge one does no harm."""
    head, values = head_and_scores({"scores": LOGITS})
    assert (head.output, head.activation) == ("scores", "softmax")
    np.testing.assert_allclose(values[:, 0], SHARES, atol=1e-6)
    huge = head.scores({"scores": np.array([[1e4, 0, -1e4]], np.float32)}, None).values
    np.testing.assert_allclose(huge[:, 0], [[1, 0, 0]], atol=1e-12)


def test_probabilities() -> None:
    """Scores that sum to 1 are probabilities and stay as they are."""
    head, values = head_and_scores({"scores": SHARES})
    assert head.activation == "none"
    np.testing.assert_array_equal(values[:, 0], SHARES.astype(np.float64))


def test_answer_to_an_item_with_gaps_does_not_hide_what_scores_are() -> None:
    """A row of the probe that is not finite tells nothing; the others tell probabilities."""
    gaps = np.full((1, 3), np.nan)
    assert find_head({"y": np.concatenate([SHARES, gaps])}, None, (), THREE).activation == "none"
    assert find_head({"y": np.concatenate([LOGITS, gaps])}, None, (), THREE).activation == "softmax"
    one = np.concatenate([SHARES[:, :1], gaps[:, :1]])
    assert find_head({"y": one}, None, (), TWO).activation == "none"
    assert find_head({"y": np.concatenate([one, [[7.0]]])}, None, (), TWO).activation == "sigmoid"


def test_scores_that_sum_to_one_but_are_negative_are_logits() -> None:
    """Probabilities are never negative."""
    shifted = LOGITS - (LOGITS.sum(axis=1, keepdims=True) - 1) / 3
    assert head_and_scores({"scores": shifted})[0].activation == "softmax"


def test_kind_of_scores_is_found_once() -> None:
    """A request whose logits happen to sum to 1 is not taken for probabilities."""
    head, _ = head_and_scores({"scores": LOGITS})
    odd = np.array([[0.5, 0.3, 0.2]], np.float32)
    np.testing.assert_allclose(
        head.scores({"scores": odd}, None).values[:, 0], scipy_softmax(odd, axis=1), atol=1e-6
    )


def test_output_called_probabilities_comes_first() -> None:
    """Of two outputs of the right width the one called probabilities is taken."""
    outputs = {"label": LABELS, "embedding": LOGITS, "output_probability": SHARES}
    assert head_and_scores(outputs)[0].output == "output_probability"


def test_output_of_another_width_is_passed_over() -> None:
    """An output whose width is not the number of labels is not the scores."""
    outputs = {"label": LABELS, "embedding": RNG.normal(size=(16, 8)), "scores": LOGITS}
    assert head_and_scores(outputs)[0].output == "scores"


@pytest.mark.parametrize("flat", [False, True])
def test_single_logit_of_two_classes(flat: bool) -> None:
    """One logit an item is that of the second class."""
    logits = LOGITS[:, 0] if flat else LOGITS[:, :1]
    head, values = head_and_scores({"scores": logits}, TWO)
    assert head.activation == "sigmoid"
    second = expit(LOGITS[:, 0].astype(np.float64))
    np.testing.assert_allclose(values[:, 0], np.column_stack([1 - second, second]), atol=1e-9)


@pytest.mark.parametrize("flat", [False, True])
def test_single_probability_of_two_classes(flat: bool) -> None:
    """One number from 0 to 1 an item is the probability of the second class."""
    shares = SHARES[:, 0] if flat else SHARES[:, :1]
    head, values = head_and_scores({"scores": shares}, TWO)
    assert head.activation == "none"
    second = SHARES[:, 0].astype(np.float64)
    np.testing.assert_allclose(values[:, 0], np.column_stack([1 - second, second]), atol=1e-9)


def test_single_logit_of_passes() -> None:
    """One logit a pass is that of the second class, for every pass."""
    logits = RNG.normal(size=(5, 7, 1)) * 3
    head = find_head({"scores": logits}, 7, (), TWO)
    scores = head.scores({"scores": logits}, 7)
    assert scores.sampled
    second = expit(logits[:, :, 0])
    np.testing.assert_allclose(scores.values, np.stack([1 - second, second], axis=2), atol=1e-9)


def test_two_logits_of_two_classes() -> None:
    """Two scores an item are one for each class."""
    head, values = head_and_scores({"scores": LOGITS[:, :2]}, TWO)
    assert head.activation == "softmax"
    np.testing.assert_allclose(values[:, 0], scipy_softmax(LOGITS[:, :2], axis=1), atol=1e-6)


def test_passes() -> None:
    """Scores of passes are probabilities for each item and pass."""
    logits = RNG.normal(size=(4, 10, 3))
    head = find_head({"scores": logits}, 10, (), THREE)
    scores = head.scores({"scores": logits}, 10)
    assert scores.sampled
    np.testing.assert_allclose(scores.values, scipy_softmax(logits, axis=2), atol=1e-9)


def test_votes_of_an_ensemble() -> None:
    """An output named votes holds passes, whatever else there is."""
    votes = RNG.dirichlet([1, 1, 1], (16, 5))
    outputs = {"probabilities": SHARES, "votes": votes}
    head = find_head(outputs, None, (), THREE)
    scores = head.scores(outputs, None)
    assert (head.output, scores.sampled) == ("votes", True)
    np.testing.assert_array_equal(scores.values, votes)


def test_single_answer_is_not_sampled() -> None:
    """One answer an item is no sample."""
    head, _ = head_and_scores({"scores": SHARES})
    scores = head.scores({"scores": SHARES}, None)
    assert (scores.sampled, scores.graded, scores.values.shape) == (False, True, (16, 1, 3))


def test_models_classes_are_put_into_the_applications_order() -> None:
    """Where the file names the same classes in another order, columns are moved."""
    _, values = head_and_scores({"scores": SHARES}, ("c", "a", "b"), own=("a", "b", "c"))
    np.testing.assert_array_equal(values[:, 0], SHARES[:, [2, 0, 1]].astype(np.float64))


def test_votes_are_put_into_the_applications_order() -> None:
    """The same holds for votes."""
    votes = RNG.dirichlet([1, 1, 1], (16, 5))
    _, values = head_and_scores({"votes": votes}, ("c", "a", "b"), own=("a", "b", "c"))
    np.testing.assert_array_equal(values, votes[:, :, [2, 0, 1]])


def test_single_probability_is_that_of_the_files_second_class() -> None:
    """Where the file names two classes, a single score belongs to the second of the file's."""
    shares = SHARES[:, :1]
    _, values = head_and_scores({"scores": shares}, ("yes", "no"), own=("no", "yes"))
    np.testing.assert_allclose(values[:, 0, 0], shares[:, 0].astype(np.float64))


def test_other_names_of_as_many_classes_stand_in_the_files_order() -> None:
    """Where the file names other classes, the application's names stand in its order."""
    _, values = head_and_scores({"scores": SHARES}, THREE, own=("0", "1", "2"))
    np.testing.assert_array_equal(values[:, 0], SHARES.astype(np.float64))


def test_other_number_of_classes() -> None:
    """A file of other classes in another number does not fit."""
    with pytest.raises(ModelError) as caught:
        find_head({"votes": RNG.dirichlet([1, 1], (16, 5))}, None, ("x", "y"), THREE)
    assert str(caught.value) == "The model has 2 classes (x, y); [task] lists 3 labels"


def test_labels_of_text() -> None:
    """Where a model tells labels alone, they are the answer, and there is no probability."""
    outputs = {"label": np.array(["c", "a"] * 8, np.object_)}
    head = find_head(outputs, None, (), THREE)
    scores = head.scores(outputs, None)
    assert (head.activation, scores.graded, scores.sampled) == ("label", False, False)
    assert scores.values[:2, 0].tolist() == [[0, 0, 1], [1, 0, 0]]


def test_labels_by_number() -> None:
    """Whole numbers that are no labels count the labels from 0."""
    outputs = {"label": np.array([2, 0, 1] * 5 + [0])}
    scores = find_head(outputs, None, (), THREE).scores(outputs, None)
    assert scores.values[:3, 0].argmax(axis=1).tolist() == [2, 0, 1]


def test_numbers_that_are_labels() -> None:
    """Whole numbers that are labels themselves name them."""
    outputs = {"label": np.array([7, 3] * 8)}
    scores = find_head(outputs, None, ("3", "7"), ("7", "3")).scores(outputs, None)
    assert scores.values[:2, 0].tolist() == [[1, 0], [0, 1]]


def test_labels_of_passes() -> None:
    """Labels of passes are refused or counted; they are not mixed between items."""
    outputs = {"label": np.array([[2, 2, 1], [0, 0, 0]])}
    try:
        scores = find_head(outputs, 3, (), ("0", "1", "2")).scores(outputs, 3)
    except ModelError:
        return
    assert scores.values.shape[0] == 2


def test_no_output_fits() -> None:
    """Without an output that fits, the error shows what came."""
    with pytest.raises(ModelError) as caught:
        find_head({"x": np.zeros((16, 4)), "y": np.zeros((16, 5))}, None, (), THREE)
    expected = (
        "No output fits 3 labels. For a probe batch came: x [16, 4], y [16, 5]. "
        "A [pipeline] postprocess can make scores or a value of other outputs."
    )
    assert str(caught.value) == expected


@pytest.mark.parametrize("shape", [(16,), (16, 1), (16, 1, 1)])
def test_values(shape: tuple[int, ...]) -> None:
    """One number an item is a regression's value, however its axes stand."""
    numbers = RNG.normal(size=16)
    head = find_value({"y": numbers.reshape(shape)}, None)
    scores = head.scores({"y": numbers.reshape(shape)}, None)
    assert not scores.sampled
    np.testing.assert_array_equal(scores.values, numbers[:, None])


def test_values_of_whole_numbers() -> None:
    """A regression may answer with whole numbers."""
    numbers = np.arange(16)
    scores = find_value({"y": numbers}, None).scores({"y": numbers}, None)
    np.testing.assert_array_equal(scores.values[:, 0], numbers)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_values_of_passes(shape: tuple[int, ...]) -> None:
    """One number an item and pass has a pass's axis."""
    numbers = RNG.normal(size=(5, 7))
    scores = find_value({"y": numbers.reshape(shape)}, 7).scores({"y": numbers.reshape(shape)}, 7)
    assert scores.sampled
    np.testing.assert_array_equal(scores.values, numbers)


def test_values_of_votes() -> None:
    """Votes of a regression are passes."""
    votes = RNG.normal(size=(5, 7))
    scores = find_value({"votes": votes}, None).scores({"votes": votes}, None)
    assert scores.sampled
    np.testing.assert_array_equal(scores.values, votes)


def test_no_value_fits() -> None:
    """Several numbers an item are no regression's value."""
    with pytest.raises(ModelError) as caught:
        find_value({"y": np.zeros((16, 2))}, None)
    assert str(caught.value) == (
        "A regression needs one number an item. For a probe batch came: y [16, 2]. "
        "A [pipeline] postprocess can make scores or a value of other outputs."
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_answers_that_are_not_finite(bad: float) -> None:
    """An item whose answer is not finite is named; the others' numbers are not."""
    values = np.zeros((4, 1))
    values[2] = bad
    with pytest.raises(InvalidInput) as caught:
        Head("y", "one").scores({"y": values}, None)
    message = "the model gives no finite answer for these values"
    assert caught.value.errors == (FieldError("inputs[2]", message),)


def test_logits_that_are_not_finite() -> None:
    """Logits without a number are named, without a warning of numpy."""
    with pytest.raises(InvalidInput) as caught:
        Head("y", "softmax", THREE).scores({"y": np.array([[0, 1, 2], [0, np.nan, 1.0]])}, None)
    assert [error.field for error in caught.value.errors] == ["inputs[1]"]


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_extreme_single_logit(logit: float) -> None:
    """A logit far from 0 is sure of its class, without a warning of numpy."""
    found = Head("y", "sigmoid", TWO).scores({"y": np.array([[logit]])}, None).values
    np.testing.assert_allclose(found[0, 0], [float(logit < 0), float(logit > 0)], atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "classes", "sampled"),
    [((5, 3), 3, False), ((5, 7, 3), 3, True), ((5,), None, False), ((5, 7), None, True)],
)
def test_scores_of_the_makers_own(
    shape: tuple[int, ...], classes: int | None, sampled: bool
) -> None:
    """The maker's postprocess returns scores with or without passes."""
    made = RNG.normal(size=shape)
    scores = custom_scores(lambda outputs: outputs["y"], {"y": made}, classes)
    assert scores.sampled is sampled
    np.testing.assert_array_equal(scores.values, made if sampled else made[:, None])


@pytest.mark.parametrize(
    ("shape", "classes"), [((5, 2), 3), ((5,), 3), ((5, 2, 2), None), ((), None)]
)
def test_scores_of_the_makers_own_that_do_not_fit(
    shape: tuple[int, ...], classes: int | None
) -> None:
    """Scores of another shape are told with both shapes."""
    expected = "(batch, 3)" if classes else "(batch,) or (batch, passes)"
    with pytest.raises(ModelError) as caught:
        custom_scores(lambda _: np.zeros(shape), {}, classes)
    assert str(caught.value) == f"[pipeline] postprocess returned {shape}; expected {expected}"
