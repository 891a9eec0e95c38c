"""Examples that are chosen from labelled data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.init import examples
from podium.init.examples import with_examples
from podium.init.guess import Guess
from podium.init.table import LabelledTable, read_table
from podium.runtimes import Arrays, Model, TensorSpec
from podium.spec import Example, Feature, TextInput

AB = (Feature(name="a"), Feature(name="b", optional=True))
LABELS = ("no", "yes")


@dataclass(kw_only=True)
class Computed(Model):
    """A model that answers what a function makes of its input."""

    answer: Callable[[Any], NDArray[Any]]

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return the function's answer."""
        return {"y": self.answer(next(iter(inputs.values())))}


def model(answer: Callable[[Any], Any], spec: TensorSpec | None = None) -> Computed:
    """Return a model of a matrix of two columns, or of another input."""
    spec = spec or TensorSpec("X", np.dtype(np.float64), (None, 2))
    return Computed(platform="computed", inputs=(spec,), answer=answer)


def positive(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probabilities of no and yes: whether the first column is above 0."""
    yes = (x[:, 0] > 0).astype(float)
    return np.stack([1 - yes, yes], axis=1)


def strict(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return what `positive` does, and fail where a value misses."""
    assert not np.isnan(x).any()
    return positive(x)


def data_of(folder: Path, text: str, target: str = "kind") -> LabelledTable:
    """Return labelled data from their text."""
    file = folder / "data.csv"
    file.write_text(text)
    return read_table(file, target)


def test_an_example_of_each_label(tmp_path: Path) -> None:
    """Each label gets a row that the model answers as the data say, with few gaps."""
    data = data_of(tmp_path, "a,b,c,kind\n1,,x,yes\n-1,9,x,yes\n2,3,x,yes\n-1,4,x,no\n")
    found = with_examples(Guess("M", "classification", LABELS, AB), model(positive), data)
    assert found.examples == (
        Example(title="no", inputs={"a": -1.0, "b": 4.0}, expected="no"),
        Example(title="yes", inputs={"a": 2.0, "b": 3.0}, expected="yes"),
    )
    assert found.notes == (
        "Of 4 rows of data.csv, drawn from all labels alike, the model answers 3 as they say.",
    )
    assert found.features == AB


def test_label_that_the_model_misses_has_no_example(tmp_path: Path) -> None:
    """Where the model is wrong throughout, there is no example, and what to look at is told."""
    data = data_of(tmp_path, "a,b,kind\n1,2,no\n-1,2,yes\n-2,2,yes\n-3,1,no\n")
    found = with_examples(Guess("M", "classification", LABELS, AB), model(positive), data)
    assert [one.title for one in found.examples] == ["no"]
    assert found.notes[-1].endswith(
        "answers 1 as they say. Check the order of the columns, of the choices and of the labels."
    )


def test_guessed_order_is_doubted_earlier(tmp_path: Path) -> None:
    """Where an order is a guess, some wrong answers are enough to hint at it."""
    data = data_of(tmp_path, "a,b,kind\n1,2,yes\n2,1,yes\n-1,2,yes\n-3,1,no\n")
    known = Guess("M", "classification", LABELS, AB, why={"title": "from the file's name"})
    guessed = replace(known, why={"features[1].choices": "check the order"})
    hint = "Check the order of the columns, of the choices and of the labels."
    assert hint not in with_examples(known, model(positive), data).notes[0]
    assert hint in with_examples(guessed, model(positive), data).notes[0]


def test_model_that_cannot_do_without(tmp_path: Path) -> None:
    """Where the data miss values that the model needs, its features are not optional."""
    data = data_of(tmp_path, "a,b,kind\n1,,yes\n2,3,yes\n-1,4,no\n")
    found = with_examples(Guess("M", "classification", LABELS, AB), model(strict), data)
    assert [one.optional for one in found.features] == [False, False]
    assert found.notes[0] == "The data miss values of b; the model cannot answer without them."
    assert len(found.examples) == 2


def test_model_that_answers_nonsense_to_gaps(tmp_path: Path) -> None:
    """An answer that is not finite is none: the feature is not optional either."""
    data = data_of(tmp_path, "a,b,kind\n1,,yes\n2,3,yes\n-1,4,no\n")
    nonsense = model(lambda x: positive(x) + 0 * x[:, 1:])
    found = with_examples(Guess("M", "classification", LABELS, AB), nonsense, data)
    assert [one.optional for one in found.features] == [False, False]


def test_inputs_that_the_file_calls_optional_stay_so(tmp_path: Path) -> None:
    """What the file itself lets miss may miss."""
    spec = TensorSpec("a", np.dtype(np.float64), (None,), optional=True)
    other = TensorSpec("b", np.dtype(np.int64), (None,))

    class Two(Computed):
        def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
            return {"y": positive(np.nan_to_num(inputs["a"])[:, None])}

    two = Two(platform="two", inputs=(spec, other), answer=positive)
    both = (Feature(name="a", optional=True), Feature(name="b", kind="integer", optional=True))
    data = data_of(tmp_path, "a,b,kind\n1,,yes\n,3,no\n")
    found = with_examples(Guess("M", "classification", LABELS, both), two, data)
    assert [one.optional for one in found.features] == [True, False]


def test_values_with_a_tolerance(tmp_path: Path) -> None:
    """Five rows from the least to the greatest, and how far the model may be off."""
    rows = "".join(f"{index},{index % 2},{index + 0.5}\n" for index in range(50))
    data = data_of(tmp_path, f"a,b,kind\n{rows}")
    guess = Guess("M", "regression", (), AB, unit="g")
    found = with_examples(guess, model(lambda x: x[:, :1]), data)
    values = [float(one.expected or 0) for one in found.examples]
    assert len(values) == 5
    assert values == sorted(values)
    assert {one.tolerance for one in found.examples} == {0.56}
    assert found.examples[0].title == f"{values[0]:g} g"
    assert found.why["examples[4].tolerance"] == "the model is off by at most 0.5 on these"
    assert found.notes == (
        "On 50 rows of data.csv the model is off by 0.5 in the median; the values are off their "
        "median by 12.5.",
    )


def test_values_that_the_model_misses(tmp_path: Path) -> None:
    """A model that is further off than the values' own spread is told."""
    data = data_of(tmp_path, "a,b,kind\n1,1,10\n2,1,11\n3,1,12\n")
    guess = Guess("M", "regression", (), AB, target="mass")
    found = with_examples(guess, model(lambda x: 1000 * x[:, 0]), data)
    assert found.notes[0].endswith("Check the order of the columns and of the choices.")
    assert found.examples[0].title == "kind 10"


def test_exact_model_has_a_tolerance_for_rounding(tmp_path: Path) -> None:
    """Another machine may round otherwise, also where the model is off by nothing here."""
    data = data_of(tmp_path, "a,b,kind\n10,1,10\n20,1,20\n")
    found = with_examples(Guess("M", "regression", (), AB), model(lambda x: x[:, 0]), data)
    assert [one.tolerance for one in found.examples] == [2e-5, 2e-5]


def test_texts(tmp_path: Path) -> None:
    """Texts are examples of texts, the shortest that the model answers rightly."""
    text = "review,kind\nbad and very long,no\nbad,no\ngood,yes\n"
    spec = TensorSpec("t", np.dtype(np.object_), (None,))
    reader = model(lambda x: positive(np.array([[1.0 if "good" in one else 0] for one in x])), spec)
    guess = Guess("M", "classification", LABELS, text=TextInput(), text_column="review")
    assert with_examples(guess, reader, data_of(tmp_path, text)).examples == (
        Example(title="no", text="bad", expected="no"),
        Example(title="yes", text="good", expected="yes"),
    )


def test_model_that_fails_has_no_examples(tmp_path: Path) -> None:
    """A model that does not fit stays as guessed; the check tells what is wrong."""

    def fail(_: Any) -> NDArray[Any]:
        raise ValueError("shapes")

    guess = Guess("M", "classification", LABELS, (Feature(name="a"), Feature(name="b")))
    data = data_of(tmp_path, "a,b,kind\n1,2,yes\n-1,2,no\n")
    assert with_examples(guess, model(fail), data) == guess


def test_row_that_fails_alone_is_left_out(tmp_path: Path) -> None:
    """One row that the model cannot answer does not spoil the others, nor one that fits not."""

    def answer(x: NDArray[Any]) -> NDArray[Any]:
        return positive(x) + np.where(x[:, 1:] == 666, np.nan, 0)

    features = (Feature(name="a"), Feature(name="b"))
    data = data_of(tmp_path, "a,b,kind\n1,666,yes\nx,1,yes\n3,4,yes\n-1,2,no\n")
    found = with_examples(Guess("M", "classification", LABELS, features), model(answer), data)
    assert [one.inputs for one in found.examples] == [{"a": -1, "b": 2}, {"a": 3, "b": 4}]
    assert found.notes[0].startswith("Of 2 rows")


def test_data_of_which_no_row_fits(tmp_path: Path) -> None:
    """Where no row fits, there are no examples, and that is told."""
    features = (Feature(name="a"), Feature(name="b"))
    data = data_of(tmp_path, "a,b,kind\nx,1,yes\ny,1,no\n")
    found = with_examples(Guess("M", "classification", LABELS, features), model(positive), data)
    assert found.notes == ("No row of data.csv was answered; the examples are left out.",)


def test_slow_model_answers_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes too long ends after a batch, in which every label has its turn."""
    monkeypatch.setattr(examples, "BUDGET_S", 0.0)
    rows = "".join(f"{sign}1,2,{label}\n" for sign, label in (("-", "no"), ("", "yes")) * 40)
    found = with_examples(
        Guess("M", "classification", LABELS, AB), model(positive),
        data_of(tmp_path, f"a,b,kind\n{rows}"),
    )  # fmt: skip
    assert found.notes[0].startswith("Of 20 rows")
    assert [one.title for one in found.examples] == ["no", "yes"]
