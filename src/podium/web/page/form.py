"""The form of one input, as the templates show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from re import fullmatch
from typing import Final, Literal, NamedTuple
from urllib.parse import urlencode

from flask_babel import gettext as _
from PIL.Image import Image

from podium.app import App
from podium.cells import MAX_NUMBER, NUMBER, expectation, parse_cell
from podium.errors import FieldError
from podium.signature import Signature
from podium.spec import Example, Feature, Value
from podium.web.calls import Call, calls_with, field_text
from podium.web.language import translated
from podium.web.page.picture import data_url

PREVIEW_PIXELS: Final = 320
ALL_MODELS: Final = "*"
"""What the form sends as its model to have every model answer; no model can have this name."""
FEW_CHOICES: Final = 5
SHORT_CHOICES: Final = 36
"""So many choices, of so many letters in all, are seen at once; others unfold."""
HALF_ROW: Final = 26
"""So many letters in all, with two for each choice's edges, fit into half of the form's width."""
MENU_CHOICES: Final = 60
"""More choices than this are searched by typing."""
LONG_ADDRESS: Final = 2000
"""Servers refuse much longer addresses."""
SLIDER_STEPS: Final = 100
"""A slider has at least so many steps, and at most ten times as many."""
FIELD: Final = "field."
"""What leads a feature's name in the page's form, where a bare one could hide a form's property."""


class Control(NamedTuple):
    """Where something is filled in: the id of its control in the page, and what people call it."""

    id: str
    title: str


class Slider(NamedTuple):
    """A number's slider: round numbers from `first` to `last`; it stops at `low` and `high`."""

    first: float
    last: float
    step: float
    low: float
    high: float


class FieldView(NamedTuple):
    """One field of the form; `id` is its control's id in the page."""

    feature: Feature
    id: str
    value: str
    error: str

    @property
    def name(self) -> str:
        """The name under which the form sends it."""
        return FIELD + self.feature.name

    @property
    def title(self) -> str:
        """What people call it."""
        return self.feature.label or self.feature.name

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
    def whole(self) -> bool:
        """Whether its choices, seen at once, need the whole width of the form."""
        words = [words for _value, words in self.choices]
        if self.feature.optional:
            words.append(_("not known"))
        return sum(map(len, words)) + 2 * len(words) > HALF_ROW

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
    controls: Mapping[str, Control]
    image_url: str = ""
    image_url_error: str = ""

    @property
    def filled(self) -> bool:
        """Whether the form holds anything that can be cleared."""
        return bool(self.text) or any(field.value for field in self.fields)

    @property
    def marked(self) -> dict[str, Control]:
        """The controls with something wrong said beside them, by their names in a request."""
        wrong = {field.feature.name: field.error for field in self.fields} or {
            "image": self.image_error,
            "image_url": self.image_url_error,
            "text": self.text_error,
        }
        return {name: one for name, one in self.controls.items() if wrong[name]}


def form_view(app: App, values: Mapping[str, str], errors: Sequence[FieldError] = ()) -> FormView:
    """Return the form filled with `values`, each mistake beside its field."""
    wrong = {error.field: error.message for error in errors}
    values = {**_example_values(app, values), **values}
    controls = controls_of(app.signature)
    fields = tuple(
        FieldView(
            feature,
            controls[feature.name].id,
            _value(feature, values.get(feature.name, "")),
            _told(feature, values.get(feature.name, ""), wrong.get(feature.name, "")),
        )
        for feature in app.signature.features
    )
    model = values.get("model", "")
    return FormView(
        fields,
        values.get("text", ""),
        model if model in app.names else app.names[0],
        wrong.get("image", ""),
        _text_told(app.signature, values.get("text", ""), wrong.get("text", "")),
        "map" in values.get("include", "").split(","),
        _examples(app),
        controls,
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
    # As in what is answered for, whose lines a form ends with CR LF.
    text = form.text.replace("\r\n", "\n")
    return calls_with(app.signature, values or {"text": text, "image": image}, address, query,
                      app.spec.access.takes_keys)  # fmt: skip


def controls_of(signature: Signature) -> dict[str, Control]:
    """Return the control of each input, by its name in a request."""
    if signature.image is not None:
        return {
            "image": Control("image", _("Image")),
            "image_url": Control("image_url", _("Address of an image")),
        }
    if signature.text is not None:
        return {"text": Control("text", _("Text"))}
    return {
        feature.name: Control(_id(feature.name, number), feature.label or feature.name)
        for number, feature in enumerate(signature.features)
    }


def sent_values(signature: Signature, fields: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the fields of the page's form by the bare names of the features.

    A number's unit may stand behind it.
    """
    by_name = {FIELD + feature.name: feature for feature in signature.features}
    found = dict(fields)
    for name in found.keys() & by_name.keys():
        feature = by_name[name]
        found[feature.name] = [_without_unit(feature, text) for text in found.pop(name)]
    return found


def image_preview(image: object) -> str | None:
    """Return an image as a small data: URL, so that the page shows what was answered for."""
    if not isinstance(image, Image):
        return None
    small = image.copy()
    small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    return data_url(small, "PNG")


def slider_of(feature: Feature) -> Slider | None:
    """Return a slider over a feature's training range; its step is a power of ten."""
    if feature.range is None or max(map(abs, feature.range)) > MAX_NUMBER:
        return None
    low, high = feature.range
    if feature.kind == "integer":
        low, high = ceil(low), floor(high)
    if not (high - low) / SLIDER_STEPS > 1e-300:
        return None
    power = floor(log10((high - low) / SLIDER_STEPS))
    if feature.kind == "integer":
        power = max(0, power)
    step = 10.0**power
    first, last = (round(end * step, 12 - power) for end in (floor(low / step), ceil(high / step)))
    return Slider(first, last, step, low, high)


def _id(name: str, number: int) -> str:
    """Return the id of a feature's control; one that is no plain word gives way to a number."""
    return f"field-{name}" if fullmatch(r"[\w-]+", name) else f"field.{number}"


def _without_unit(feature: Feature, text: str) -> str:
    """Return a number without its own unit behind it; any other text as it is."""
    if feature.unit is None or not text.strip().endswith(feature.unit):
        return text
    number = text.strip().removesuffix(feature.unit).strip()
    return number if NUMBER.fullmatch(number) else text


def _told(feature: Feature, text: str, wrong: str) -> str:
    """Return what is wrong with a field as a sentence for people; "" if nothing is."""
    if not wrong:
        return ""
    if feature.kind == "boolean":
        return _("Choose yes or no.")
    if not text.strip() and feature.kind == "category":
        return _("Choose one.")
    if not text.strip():
        return _("Enter %(expected)s.", expected=translated(expectation(feature)))
    told: str = translated(wrong)
    return told[:1].upper() + told[1:] + ("" if told.endswith((".", "?")) else ".")


def _value(feature: Feature, text: str) -> str:
    """Return a field's text; the words for a boolean become those of its choices."""
    if feature.kind == "boolean" and isinstance(read := parse_cell(feature, text), bool):
        return field_text(read)
    return text


def _text_told(signature: Signature, text: str, wrong: str) -> str:
    """Return what is wrong with the text as a sentence for people; "" if nothing is."""
    most = signature.text.max_length if signature.text else 0
    if wrong and not text.strip():
        return _("Enter a text.")
    # Forms send a line's end as CR LF.
    if wrong and (count := len(text.replace("\r\n", "\n"))) > most:
        return _(
            "The text has %(count)s characters; at most %(most)s fit.",
            count=f"{count:,}", most=f"{most:,}",
        )  # fmt: skip
    return wrong


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
