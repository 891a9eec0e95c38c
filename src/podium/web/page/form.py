"""The form of one input, as the templates show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from PIL.Image import Image

from podium.app import App
from podium.errors import FieldError
from podium.spec import Feature
from podium.web.page.picture import data_url

PREVIEW_PIXELS = 320
ALL_MODELS: Final = "*"
"""What the form sends as its model to have every model answer; no model can have this name."""


class FieldView(NamedTuple):
    """One field of the form."""

    feature: Feature
    value: str
    error: str


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


def form_view(app: App, values: Mapping[str, str], errors: Sequence[FieldError] = ()) -> FormView:
    """Return the form filled with `values`, each mistake beside its field."""
    wrong = {error.field: error.message for error in errors}
    fields = tuple(
        FieldView(feature, values.get(feature.name, ""), wrong.get(feature.name, ""))
        for feature in app.signature.features
    )
    model = values.get("model", "")
    return FormView(
        fields,
        values.get("text") or _example_text(app, values.get("example", "")),
        model if model in (*app.names, ALL_MODELS) else app.names[0],
        wrong.get("image", ""),
        wrong.get("text", ""),
        "map" in values.get("include", "").split(","),
    )


def image_preview(image: object) -> str | None:
    """Return an image as a small data: URL, so that the page shows what was answered for."""
    if not isinstance(image, Image):
        return None
    small = image.copy()
    small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    return data_url(small, "PNG")


def _example_text(app: App, number: str) -> str:
    """Return the text of an example that is too long for an address, by its number."""
    texts = {str(index): example.text for index, example in enumerate(app.spec.examples)}
    return texts.get(number) or ""
