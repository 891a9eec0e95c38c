"""The form of one input: what each feature is filled with, and what an address fills it with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podium.app import App
from podium.errors import FieldError
from podium.signature import Signature
from podium.spec import Feature
from podium.web.page.form import (
    FieldView,
    FormView,
    form_calls,
    form_view,
    sent_values,
    slider_of,
)

LETTERS = [chr(97 + number) for number in range(26)]


def category(choices: list[str], *, optional: bool = False) -> Feature:
    """Return a feature with these choices."""
    return Feature(name="x", kind="category", choices=tuple(choices), optional=optional)


@pytest.mark.parametrize(
    ("ends", "kind", "slider"),
    [
        ((32.1, 59.6), "number", (32.1, 59.6, 0.1, 32.1, 59.6)),
        ((0, 1), "number", (0, 1, 0.01, 0, 1)),
        ((-3, 2), "number", (-3, 2, 0.01, -3, 2)),
        ((2700, 6050), "number", (2700, 6050, 10, 2700, 6050)),
        ((1.005e-7, 9e-7), "number", (1e-7, 9e-7, 1e-9, 1.005e-7, 9e-7)),
        ((0, 5), "integer", (0, 5, 1, 0, 5)),
        ((0.5, 9999.5), "integer", (0, 10_000, 10, 1, 9999)),
        ((0.2, 0.8), "integer", None),
        ((-1.7e308, 1.7e308), "number", None),
        ((0, 5e-324), "number", None),
        (None, "number", None),
    ],
)
def test_a_slider_has_round_steps_over_the_range(ends: Any, kind: Any, slider: Any) -> None:
    """Its step is a power of ten, whole for integers; it stops at the range's own ends."""
    found = slider_of(Feature(name="x", kind=kind, range=ends))
    assert found == (None if slider is None else pytest.approx(slider, rel=1e-12))


@pytest.mark.parametrize(
    ("feature", "value", "control"),
    [
        (Feature(name="x"), "", "number"),
        (Feature(name="x", kind="integer"), "long", "number"),
        (Feature(name="x", kind="boolean", optional=True), "", "segments"),
        (category(LETTERS[:5]), "a", "segments"),
        (category(LETTERS[:5], optional=True), "", "menu"),
        (category(["a" * 30, "b" * 30]), "", "menu"),
        (category(LETTERS[:3]), "z", "menu"),
        (category([f"choice {number}" for number in range(60)]), "", "menu"),
        (category([f"choice {number}" for number in range(61)]), "", "search"),
    ],
)
def test_few_short_choices_are_seen_at_once(feature: Feature, value: str, control: str) -> None:
    """Others unfold, many are searched; a value that is no choice is shown in a menu."""
    assert FieldView(feature, "x", value, "").control == control


FEATURES = """title = "Beams"
[task]
kind = "regression"
[[features]]
name = "length (m)"
[[features]]
name = "answer"
kind = "boolean"
{more}
[[models]]
name = "one"
python = "beams:weigh"
[[models]]
name = "two"
python = "beams:weigh"
"""


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Return a function that makes the application with more in its podium.toml."""

    def made(more: str = "") -> App:
        (tmp_path / "beams.py").write_text("def weigh(rows): return [1.0 for _ in rows]\n")
        (tmp_path / "podium.toml").write_text(FEATURES.format(more=more))
        return App(tmp_path, 1)

    return made


def values(form: FormView) -> dict[str, str]:
    """Return what a form's fields hold."""
    return {field.feature.name: field.value for field in form.fields}


def test_each_mistake_stands_beside_its_field(make: Any) -> None:
    """The value is kept as it was typed, and the field tells what is wrong with it."""
    wrong = [FieldError("length (m)", "expected a number; found '1,5'.")]
    form = form_view(make(), {"length (m)": "1,5", "answer": "Yes"}, wrong)
    assert [(field.value, field.error) for field in form.fields] == [
        ("1,5", "Expected a number; found '1,5'."), ("true", ""),
    ]  # fmt: skip


def test_ids_are_words(make: Any) -> None:
    """A name that is none gives way to a number."""
    assert [field.id for field in form_view(make(), {}).fields] == ["field.0", "field-answer"]


def test_a_fields_unit_may_stand_behind_its_number() -> None:
    """The form's names become the features' own; another unit, or a word, stays and is refused."""
    notes = Signature("regression", "y", None, (), (Feature(name="x", unit="mm"),))
    fields = {"field.x": ["40 mm", " 4e1mm", "40 cm", "4 0 mm", "mm"], "model": ["one"]}
    assert sent_values(notes, fields) == {
        "x": ["40", "4e1", "40 cm", "4 0 mm", "mm"], "model": ["one"],
    }  # fmt: skip


@pytest.mark.parametrize(("model", "chosen"), [("two", "two"), ("three", "one"), ("*", "one")])
def test_the_model_is_one_that_there_is(make: Any, model: str, chosen: str) -> None:
    """An unknown one, or all, leave the first chosen."""
    assert form_view(make(), {"model": model}).model == chosen


EXAMPLES = """[[examples]]
title = "Short"
inputs = {"length (m)" = 2.5, answer = true}
[[examples]]
title = "Word"
inputs = {"length (m)" = 3, answer = false}
"""


def test_examples_fill_the_form_by_their_address(make: Any) -> None:
    """Each example has the query that fills the form as a visitor would."""
    form = form_view(make(EXAMPLES), {})
    assert [(one.title, one.query) for one in form.examples] == [
        ("Short", "length+%28m%29=2.5&answer=true"), ("Word", "length+%28m%29=3&answer=false"),
    ]  # fmt: skip


def test_a_long_example_is_named_by_its_number(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its values are too long for an address, the number fills the form all the same."""
    monkeypatch.setattr("podium.web.page.form.LONG_ADDRESS", 20)
    app = make(EXAMPLES)
    assert form_view(app, {}).examples[1].query == "example=1"
    assert values(form_view(app, {"example": "1"})) == {"length (m)": "3", "answer": "false"}
    assert values(form_view(app, {"example": "7"})) == {"length (m)": "", "answer": ""}


def test_features_own_examples_make_one(make: Any) -> None:
    """Without [[examples]] the features' own values are offered together."""
    more = '[[features]]\nname = "age"\nkind = "integer"\nexample = 30\n'
    (example,) = form_view(make(more), {}).examples
    assert (example.title, example.query) == ("Fill in an example", "age=30")
    assert form_view(make(), {}).examples == ()


def test_a_form_can_be_cleared_once_it_holds_something(make: Any) -> None:
    """A model alone is nothing to clear."""
    app = make()
    assert not form_view(app, {"model": "two"}).filled
    assert form_view(app, {"answer": "true"}).filled


def test_calls_name_the_model_that_is_not_the_first(make: Any) -> None:
    """The first model needs no mention."""
    app = make()
    first, second = (
        form_calls(app, form_view(app, {"model": name}), "http://host/")[0].code.splitlines()[0]
        for name in ("one", "two")
    )
    assert first == "curl http://host/predict \\"
    assert second == "curl 'http://host/predict?model=two' \\"
