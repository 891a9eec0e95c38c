"""An ensemble's members have a vote each, whatever each of them can tell."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.errors import InvalidInput, MissingExtra, ModelError
from podium.options import Options
from podium.pipeline.ensemble import ask_each, check_alike, pooled, shared_inputs, told_of
from podium.pipeline.postprocess import Scores
from podium.pipeline.uncertainty import class_predictions, value_predictions

FIRST = np.array([[0.8, 0.2], [0.3, 0.7]])
SECOND = np.array([[0.6, 0.4], [0.1, 0.9]])
RNG = np.random.default_rng(0)


@dataclass(eq=False)
class FakeMember:
    """What an ensemble knows of a member."""

    passes: object | None
    model: Any
    encode: Any


def member(passes: bool = False, labels: tuple[str, ...] = (), encode: Any = None) -> Any:
    """Return what an ensemble knows of a member."""
    return FakeMember(
        passes=object() if passes else None, model=SimpleNamespace(labels=labels), encode=encode
    )


def single(values: NDArray[np.float64], **told: Any) -> Scores:
    """Return the scores of a model that answers once."""
    return Scores(values[:, None], sampled=False, **told)


def pool(*members: tuple[Any, Scores]) -> Scores:
    """Return the scores of an ensemble."""
    return pooled([one for one, _ in members], [scores for _, scores in members])


def test_one_model_is_no_ensemble() -> None:
    """What a single model says stays what it is."""
    scores = single(FIRST, graded=False)
    assert ask_each({"": member()}, 7, lambda _, own: scores if own == 7 else pool()) is scores


def test_each_answer_is_a_vote() -> None:
    """Members that answer once have a vote each, in their order."""
    found = pool((member(), single(FIRST)), (member(), single(SECOND)))
    np.testing.assert_array_equal(found.values, np.stack([FIRST, SECOND], axis=1))
    assert found._replace(values=None) == Scores(None, sampled=True)  # type: ignore[arg-type]


def test_the_trees_of_a_forest_have_one_vote_together() -> None:
    """A member that has votes of its own counts as their mean, not once for each of them."""
    trees = Scores(RNG.dirichlet([1, 1], (2, 7)), sampled=True)
    found = pool((member(), trees), (member(), single(SECOND)))
    np.testing.assert_array_equal(found.values, np.stack([trees.values.mean(1), SECOND], axis=1))


def test_passes_are_votes() -> None:
    """A stochastic member votes with each of its passes."""
    passes = [Scores(RNG.dirichlet([1, 1], (2, 5)), sampled=True) for _ in range(2)]
    found = pool(*((member(passes=True), one) for one in passes))
    np.testing.assert_array_equal(found.values, np.concatenate([s.values for s in passes], axis=1))


def test_no_member_outvotes_another() -> None:
    """The member with the fewest passes says how many count; one answer counts as often."""
    many, few = (Scores(RNG.dirichlet([1, 1], (2, n)), sampled=True) for n in (9, 4))
    found = pool((member(passes=True), many), (member(passes=True), few), (member(), single(FIRST)))
    assert found.values.shape == (2, 12, 2)
    np.testing.assert_array_equal(found.values[:, :4], many.values[:, :4])
    np.testing.assert_array_equal(found.values[:, 4:8], few.values)
    np.testing.assert_array_equal(found.values[:, 8:], np.repeat(FIRST[:, None], 4, axis=1))


def test_labels_are_votes_for_them() -> None:
    """Labels alone make shares of votes; how far doubt is noise, votes cannot tell."""
    hot = [np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])]
    found = pool(*((member(), single(one, graded=False)) for one in hot))
    assert not found.graded
    (prediction,) = class_predictions(found, ("a", "b"), Options(), [[]])
    assert prediction.probabilities == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    certainty = prediction.uncertainty
    assert certainty.entropy == pytest.approx(-(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)))
    assert (certainty.aleatoric, certainty.epistemic, certainty.samples) == (None, None, 3)


def test_variances_of_members_add_up() -> None:
    """The noise is the mean of what the members tell, the rest the variance of their values."""
    values, noise, own = np.array([1.0, 2.0, 6.0]), np.array([0.1, 0.2, 0.6]), np.full(3, 0.5)
    members = [
        (member(), Scores(np.array([[value]]), sampled=False, variances=np.array([[told]]),
                          epistemic=np.array([[part]])))
        for value, told, part in zip(values, noise, own, strict=True)
    ]  # fmt: skip
    (prediction,) = value_predictions(pool(*members), None, Options(), [[]])
    certainty = prediction.uncertainty
    assert prediction.value == pytest.approx(3)
    assert certainty.aleatoric == pytest.approx(0.3)
    assert certainty.epistemic == pytest.approx(values.var() + 0.5)
    assert certainty.std == pytest.approx(np.sqrt(0.3 + values.var() + 0.5))


def test_variances_that_one_member_does_not_tell_are_unknown() -> None:
    """The noise is known only where every member tells it."""
    one = Scores(np.array([[1.0]]), sampled=False, variances=np.array([[0.1]]))
    found = pool((member(), one), (member(), one._replace(variances=None)))
    assert (found.variances, found.epistemic) == (None, None)


def test_chance_in_one_member_is_chance_in_all() -> None:
    """An ensemble is reproducible where each member is."""
    drawn = Scores(FIRST[:, None], sampled=True, reproducible=False)
    assert not pool((member(passes=True), drawn), (member(), single(FIRST))).reproducible


def test_each_member_draws_with_its_own_seed() -> None:
    """No two members share their noise, another seed gives others, the same the same."""

    def seeds(seed: int, count: int) -> list[int]:
        given: list[int] = []

        def ask(_: Any, own: int) -> Scores:
            given.append(own)
            return single(FIRST)

        ask_each({str(n): member() for n in range(count)}, seed, ask)
        return given

    assert seeds(5, 1) == [5]
    assert seeds(5, 3) == seeds(5, 3)
    assert seeds(5, 3)[0] == 5
    assert len({*seeds(5, 3), *seeds(6, 3)}) == 6


@pytest.mark.parametrize("error", [ModelError("it fails"), MissingExtra("m.pt", "torch")])
def test_what_goes_wrong_names_the_member(error: ModelError) -> None:
    """An error keeps its kind and begins with the member's file, but for a model on its own."""
    before = str(error)
    with pytest.raises(type(error)) as caught, told_of(""):
        raise error
    assert str(caught.value) == before
    with pytest.raises(type(error)) as caught, told_of("models/a.pt"):
        raise error
    assert str(caught.value) == f"models/a.pt: {before}"
    with pytest.raises(ModelError, match=r"^models/a\.pt: it fails$"), told_of("models/a.pt"):
        raise ModelError("models/a.pt: it fails")


def test_members_of_other_classes_are_refused() -> None:
    """Files that name other classes do not vote together; the order and numbers do not matter."""
    alike = {
        "a": member(labels=("x", "y")),
        "b": member(labels=("y", "x")),
        "c": member(labels=("0", "1")),
        "d": member(),
    }
    check_alike(alike)
    with pytest.raises(ModelError) as caught:
        check_alike({**alike, "models/e.onnx": member(labels=("x", "z"))})
    assert str(caught.value) == (
        "models/e.onnx: its classes are not those of a; only one of them knows y, z. Members of an "
        "ensemble have the same classes."
    )


def test_arrays_of_other_names_are_the_first_members() -> None:
    """Members that get the same arrays of the same items may call them otherwise."""
    first = member(encode=lambda items: {"image": np.array(items)})
    other = member(encode=lambda items: {"x": np.array(items)})
    found = shared_inputs({"a": first, "b": other}, ["one", "two"], first.encode(["one", "two"]))
    assert (found[first], found[other]) == ({"image": "image"}, {"x": "image"})


@pytest.mark.parametrize("arrays", [{"x": np.zeros((2, 3))}, {"x": np.ones(2), "y": np.ones(2)}])
def test_other_arrays_are_refused(arrays: dict[str, Any]) -> None:
    """A patch over one array covers nothing in another."""
    first = member(encode=lambda _: {"image": np.ones(2)})
    members = {"a": first, "models/b.pt": member(encode=lambda _: arrays)}
    with pytest.raises(InvalidInput, match=r"than the first gets models/b\.pt: x \[2") as caught:
        shared_inputs(members, [], {"image": np.ones(2)})
    assert [error.field for error in caught.value.errors] == ["include"]
