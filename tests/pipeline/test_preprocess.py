"""Rows become the arrays that a model takes, by the rule of encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.errors import FieldError, InvalidInput, ModelError
from podium.pipeline.preprocess import custom_encoder, encoder
from podium.runtimes import Arrays, Model, TensorSpec
from podium.signature import Signature
from podium.spec import Feature

FLOAT = np.dtype(np.float32)
TEXT = np.dtype(np.object_)
INTEGER = np.dtype(np.int64)


@dataclass(kw_only=True)
class Inputs(Model):
    """A model of which only the inputs count."""

    platform: str = "none"

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Answer nothing."""
        return dict(inputs)


def signature(*features: Feature) -> Signature:
    """Return the signature of a regression."""
    return Signature("regression", "value", None, (), features, None)


def matrix(width: int | None, dtype: Any = FLOAT, features: tuple[str, ...] = ()) -> Inputs:
    """Return a model that takes one matrix."""
    return Inputs(inputs=(TensorSpec("X", dtype, (None, width)),), features=features)


A, B = Feature(name="a"), Feature(name="b")
COLOUR = Feature(name="colour", kind="category", choices=("red", "green", "blue"))
FLAG = Feature(name="flag", kind="boolean")
COUNT = Feature(name="count", kind="integer")
OPEN = Feature(name="open", optional=True)
OPEN_COLOUR = Feature(name="open", kind="category", choices=("p", "q"), optional=True)


def test_numbers_become_a_matrix() -> None:
    """Rows of numbers are a matrix of the model's type."""
    found = encoder(signature(A, B), matrix(2))([(1.0, 2.0), (3.0, 4.5)])
    assert list(found) == ["X"]
    assert found["X"].dtype == np.float32
    np.testing.assert_array_equal(found["X"], [[1, 2], [3, 4.5]])


def test_rule_of_encoding() -> None:
    """A category is its index in choices, a boolean 0 or 1, a missing value NaN."""
    encode = encoder(signature(A, COLOUR, FLAG, COUNT, OPEN, OPEN_COLOUR), matrix(6))
    found = encode([(1.5, "blue", True, 7, None, None), (2.5, "red", False, -1, 0.5, "q")])
    expected = [[1.5, 2, 1, 7, np.nan, np.nan], [2.5, 0, 0, -1, 0.5, 1]]
    np.testing.assert_array_equal(found["X"], expected)


def test_width_may_be_open() -> None:
    """A model that takes any number of columns gets the features that there are."""
    found = encoder(signature(A, B), matrix(None))([(1.0, 2.0)])
    np.testing.assert_array_equal(found["X"], [[1, 2]])


@pytest.mark.parametrize("feature", [B, COLOUR])
def test_columns_stand_in_the_models_order(feature: Feature) -> None:
    """A model that names its features gets them in its own order, plain numbers or not."""
    names = (feature.name, "c", "a")
    encode = encoder(signature(A, feature, Feature(name="c")), matrix(3, features=names))
    value = 2.0 if feature is B else "blue"
    np.testing.assert_array_equal(encode([(1.0, value, 3.0)])["X"], [[2, 3, 1]])


def test_model_with_other_names_throughout_keeps_the_order() -> None:
    """Names that share nothing with the features are passed over: columns go by their place."""
    found = encoder(signature(A, B), matrix(2, features=("x0", "x1")))([(1.0, 2.0)])
    np.testing.assert_array_equal(found["X"], [[1, 2]])


def test_model_with_some_other_names_is_refused() -> None:
    """Names of which some fit are a mistake, told with both lists."""
    with pytest.raises(ModelError) as caught:
        encoder(signature(A, B), matrix(2, features=("a", "c")))
    assert str(caught.value) == "The model was trained on a, c; [[features]] lists a, b"


def test_other_width() -> None:
    """A matrix of another width is told with the features."""
    with pytest.raises(ModelError) as caught:
        encoder(signature(A, B), matrix(3))
    assert str(caught.value) == (
        "The model takes [n, 3]; [[features]] lists 2: a, b. "
        "A [pipeline] preprocess may make other columns."
    )


def test_input_that_is_no_matrix() -> None:
    """An input of three axes takes no features."""
    model = Inputs(inputs=(TensorSpec("X", FLOAT, (None, 5, 2)),))
    with pytest.raises(ModelError, match=r"takes \[n, 5, 2\]"):
        encoder(signature(A, B), model)


def test_text_matrix() -> None:
    """A matrix of text gets every value as text, and a missing one as nothing."""
    found = encoder(signature(COLOUR, OPEN_COLOUR), matrix(2, TEXT))([("red", None), ("blue", "q")])
    assert found["X"].tolist() == [["red", ""], ["blue", "q"]]


def test_an_input_a_feature() -> None:
    """With an input a feature, each gets its own array of its own type and shape."""
    model = Inputs(inputs=(
        TensorSpec("colour", TEXT, (None, 1)),
        TensorSpec("count", INTEGER, (None,)),
        TensorSpec("a", FLOAT, (None, 1)),
        TensorSpec("flag", np.dtype(np.bool_), (None, 1)),
    ))  # fmt: skip
    found = encoder(signature(A, COLOUR, FLAG, COUNT), model)(
        [(1.5, "blue", True, 7), (2.5, "red", False, 8)]
    )
    assert found["colour"].tolist() == [["blue"], ["red"]]
    assert (found["count"].tolist(), found["count"].dtype) == ([7, 8], INTEGER)
    assert (found["a"].tolist(), found["a"].dtype) == ([[1.5], [2.5]], FLOAT)
    assert (found["flag"].tolist(), found["flag"].dtype.kind) == ([[True], [False]], "b")


def test_category_of_a_number_column_is_its_index() -> None:
    """A category whose input takes numbers is its index there too."""
    model = Inputs(
        inputs=(TensorSpec("colour", INTEGER, (None, 1)), TensorSpec("a", FLOAT, (None, 1)))
    )
    found = encoder(signature(A, COLOUR), model)([(0.0, "blue"), (0.0, "red")])
    assert found["colour"].tolist() == [[2], [0]]


def test_one_feature_of_a_flat_input() -> None:
    """One feature goes to an input of shape (batch,) of its name."""
    model = Inputs(inputs=(TensorSpec("a", FLOAT, (None,)),))
    assert encoder(signature(A), model)([(1.5,), (2.5,)])["a"].tolist() == [1.5, 2.5]


def test_one_feature_of_a_matrix_of_any_name() -> None:
    """One feature goes to a matrix of one column, whatever its name."""
    assert encoder(signature(A), matrix(1))([(1.5,), (2.5,)])["X"].tolist() == [[1.5], [2.5]]


def test_other_inputs() -> None:
    """Inputs that are not named as the features are told with both lists."""
    model = Inputs(inputs=(TensorSpec("b", FLOAT, (None,)), TensorSpec("a", FLOAT, (None,))))
    with pytest.raises(ModelError) as caught:
        encoder(signature(A, COLOUR), model)
    assert str(caught.value) == (
        "The model takes the inputs a, b; [[features]] lists a, colour. "
        "Name them alike, or write a [pipeline] preprocess."
    )


@pytest.mark.parametrize("columns", [False, True])
def test_whole_numbers_hold_no_missing_value(columns: bool) -> None:
    """A feature that may be missing does not fit an input of whole numbers."""
    feature = Feature(name="open", kind="integer", optional=True)
    if columns:
        specs = [TensorSpec(name, INTEGER, (None, 1)) for name in ("count", "open")]
        model, name = Inputs(inputs=tuple(specs)), "open"
    else:
        model, name = matrix(2, INTEGER), "X"
    with pytest.raises(ModelError) as caught:
        encoder(signature(COUNT, feature), model)
    assert str(caught.value) == (
        f"{name!r} is int64, which cannot hold a missing value; open cannot be optional"
    )


def test_noise_is_no_feature() -> None:
    """The input that takes the noise is not counted."""
    model = Inputs(inputs=(TensorSpec("eps", FLOAT, (None, 9)), TensorSpec("X", FLOAT, (None, 2))))
    assert list(encoder(signature(A, B), model, "eps")([(1.0, 2.0)])) == ["X"]


def test_own_function_gets_dicts_and_names_its_arrays() -> None:
    """The maker's function gets a dict an item; its arrays are those that the model takes."""
    model = Inputs(inputs=(TensorSpec("u", FLOAT, (None,)), TensorSpec("v", FLOAT, (None,))))
    seen: list[Any] = []

    def prepare(items: list[Any]) -> dict[str, Any]:
        seen.extend(items)
        return {"v": [i["b"] for i in items], "u": [i["a"] for i in items], "more": 1}

    found = custom_encoder(prepare, signature(A, B), model)([(1.0, 2.0), (3.0, None)])
    assert seen == [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": None}]
    assert {name: array.tolist() for name, array in found.items()} == {"u": [1, 3], "v": [2, None]}


def test_own_functions_refusal_is_the_callers_mistake() -> None:
    """A ValueError of the maker's function is told to the caller."""

    def prepare(_: Any) -> Any:
        raise ValueError("too long")

    with pytest.raises(InvalidInput) as caught:
        custom_encoder(prepare, signature(A), matrix(1))([(1.0,)])
    assert caught.value.errors == (FieldError("inputs", "too long"),)


def test_own_function_that_forgets_an_input() -> None:
    """An input for which the maker's function makes nothing is named."""
    model = Inputs(inputs=(TensorSpec("u", FLOAT, (None,)), TensorSpec("v", FLOAT, (None,))))
    with pytest.raises(ModelError, match=r"^\[pipeline\] preprocess made no array for v$"):
        custom_encoder(lambda _: {"u": [1]}, signature(A), model)([(1.0,)])
