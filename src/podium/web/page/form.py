"""The form of one input, as the templates show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Final, Literal, NamedTuple
from urllib.parse import urlencode

from flask_babel import gettext as _
from PIL.Image import Image

from podium.app import App
from podium.cells import parse_cell
from podium.errors import FieldError
from podium.spec import Example, Feature, Value
from podium.web.calls import Call, calls_with, field_text
from podium.web.page.picture import data_url

PREVIEW_PIXELS = 320
ALL_MODELS: Final = "*"
"""What the form sends as its model to have every model answer; no model can have this name."""
FEW_CHOICES: Final = 5
SHORT_CHOICES: Final = 36
"""So many choices, of so many letters in all, are seen at once; others unfold."""
MENU_CHOICES: Final = 60
"""More choices than this are searched by typing."""
LONG_ADDRESS: Final = 2000
"""Servers refuse much longer addresses."""
SLIDER_STEPS: Final = 100
"""A slider has at least so many steps, and at most two and a half times as many."""
_IDS: Final = frozenset(
    ("answer", "calls", "content", "examples", "filled", "form", "model", "texts")
)
"""Ids of the page's own parts."""


class Slider(NamedTuple):
    """The ends and the step of a number's slider: round numbers within its training range."""

    low: float
    high: float
    step: float


class FieldView(NamedTuple):
    """One field of the form; `id` is its control's id in the page."""

    feature: Feature
    id: str
    value: str
    error: str

    @property
    def control(self) -> Literal["number", "segments", "menu", "search"]:
        """What the visitor is given to fill the field."""
        if self.feature.kind in ("number", "integer"):
            return "number"
        choices = [*self.feature.choices]
        if len(choices) > MENU_CHOICES:
            return "search"
        few = len(choices) + self.feature.optional <= FEW_CHOICES
        short = sum(map(len, choices)) <= SHORT_CHOICES
        return "segments" if few and short and not self.unknown else "menu"

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The (value, words) to choose from."""
        if self.feature.kind == "boolean":
            return [("true", _("yes")), ("false", _("no"))]
        return [(choice, choice) for choice in self.feature.choices]

    @property
    def unknown(self) -> bool:
        """Whether the value is none of the choices; it stays in the form as it was sent."""
        return bool(self.value) and self.value not in [value for value, _words in self.choices]

    @property
    def slider(self) -> Slider | None:
        """The number's slider; None without a range to slide over."""
        return slider_of(self.feature)


class ExampleView(NamedTuple):
    """An example: what the form is filled with, as it stands in an address, or an image's path."""

    title: str
    query: str
    image: str | None


class FormView(NamedTuple):
    """The form: its fields or text, the chosen model, and what is wrong with image or text.

    `map` says whether to show where the model looked.
    """

    fields: tuple[FieldView, ...]
    text: str
    model: str
    image_error: str
    text_error: str
    map: bool
    examples: tuple[ExampleView, ...]
    image_url: str = ""
    image_url_error: str = ""

    @property
    def filled(self) -> bool:
        """Whether the form holds anything that can be cleared."""
        return bool(self.text) or any(field.value for field in self.fields)


def form_view(app: App, values: Mapping[str, str], errors: Sequence[FieldError] = ()) -> FormView:
    """Return the form filled with `values`, each mistake beside its field."""
    wrong = {error.field: error.message for error in errors}
    values = {**_example_values(app, values), **values}
    fields = tuple(
        FieldView(
            feature,
            _id(feature.name, number),
            _value(feature, values.get(feature.name, "")),
            wrong.get(feature.name, ""),
        )
        for number, feature in enumerate(app.signature.features)
    )
    model = values.get("model", "")
    return FormView(
        fields,
        values.get("text", ""),
        model if model in app.names else app.names[0],
        wrong.get("image", ""),
        wrong.get("text", ""),
        "map" in values.get("include", "").split(","),
        _examples(app),
        values.get("image_url", ""),
        wrong.get("image_url", ""),
    )


def form_calls(app: App, form: FormView, address: str, image: str = "") -> list[Call]:
    """Return the calls of the API at an address that send what a form holds, in each language.

    `image` is the name of the chosen image's file.
    """
    values = {field.feature.name: field.value for field in form.fields}
    query = {"model": form.model} if form.model != app.names[0] else {}
    if form.map:
        query["include"] = "map"
    return calls_with(app.signature, values or {"text": form.text, "image": image}, address, query)


def image_preview(image: object) -> str | None:
    """Return an image as a small data: URL, so that the page shows what was answered for."""
    if not isinstance(image, Image):
        return None
    small = image.copy()
    small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    return data_url(small, "PNG")


def slider_of(feature: Feature) -> Slider | None:
    """Return a slider over a feature's training range; its step is 1, 2 or 5 times 10^k."""
    if feature.range is None:
        return None
    low, high = feature.range
    finest = high / SLIDER_STEPS - low / SLIDER_STEPS
    if finest < 1e-300:
        return None
    power = floor(log10(finest))
    step = max(
        times * 10.0**power for times in (1, 2, 5) if times == 1 or times * 10.0**power <= finest
    )
    if feature.kind == "integer":
        step = max(1.0, step)
    first, last = (round(end * step, 12 - power) for end in (ceil(low / step), floor(high / step)))
    return Slider(first, last, step) if first < last else None


def _id(name: str, number: int) -> str:
    """Return the id of a feature's control: its name, unless the page would mistake it."""
    plain = name not in _IDS and not any(map(str.isspace, name))
    return name if plain else f"feature-{number}"


def _value(feature: Feature, text: str) -> str:
    """Return a field's text; the words for a boolean become those of its choices."""
    if feature.kind == "boolean" and isinstance(read := parse_cell(feature, text), bool):
        return field_text(read)
    return text


def _examples(app: App) -> tuple[ExampleView, ...]:
    """Return the maker's examples, or one of the features' own."""
    given = [
        _example(number, example.title, _filled(example), example.image)
        for number, example in enumerate(app.spec.examples)
    ]
    own = {
        feature.name: field_text(feature.example)
        for feature in app.signature.features
        if feature.example is not None
    }
    if own and not given:
        given = [ExampleView(_("Fill in an example"), urlencode(own), None)]
    return tuple(given)


def _example(number: int, title: str, values: Mapping[str, str], image: str | None) -> ExampleView:
    query = urlencode(values)
    return ExampleView(title, query if len(query) <= LONG_ADDRESS else f"example={number}", image)


def _filled(example: Example) -> dict[str, str]:
    """Return what an example fills the form with, by the field's name."""
    inputs: Mapping[str, Value] = example.inputs or {}
    text = {"text": example.text} if example.text else {}
    return {name: field_text(value) for name, value in inputs.items()} | text


def _example_values(app: App, values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the example that an address names by its number."""
    if "example" in app.signature.names:
        return {}
    known = {str(number): example for number, example in enumerate(app.spec.examples)}
    found = known.get(values.get("example", ""))
    return _filled(found) if found else {}
