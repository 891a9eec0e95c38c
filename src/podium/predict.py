"""`podium predict`: one answer without a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from podium.app import App
from podium.errors import FieldError, InvalidInput
from podium.messages import plain
from podium.options import Options
from podium.pipeline.decode import Items, read_images, read_texts


def predict_once(folder: Path, inputs: Sequence[str], options: Mapping[str, str | None]) -> str:
    """Return the JSON that POST /predict would answer, indented.

    Raises:
        PodiumError: the application, the model or the input is wrong.
    """
    app = App(folder)
    given = {name: text for name, text in options.items() if text is not None}
    wishes = Options.parse(given, app.names)
    answer = app.predict(_items(app, inputs, wishes.model), wishes)
    return msgspec.json.format(msgspec.json.encode(answer, enc_hook=plain), indent=2).decode()


def _items(app: App, inputs: Sequence[str], model: str | None) -> Items:
    if app.signature.image is not None:
        return read_images([_read(name) for name in inputs], "image {}", app.image_of(model))
    if app.signature.text is not None:
        return read_texts(app.signature, inputs, "text {}")
    pairs = [text.partition("=") for text in inputs]
    wrong = [
        FieldError(text, "expected name=value")
        for text, (_, equals, _) in zip(inputs, pairs, strict=True)
        if not equals
    ]
    names = Counter(name.strip() for name, _, _ in pairs)
    wrong += [FieldError(name, f"is given {count} times; expected once")
              for name, count in names.items() if count > 1]  # fmt: skip
    if wrong:
        raise InvalidInput(wrong)
    return [app.signature.parse_row({name.strip(): value for name, _, value in pairs})]


def _read(name: str) -> bytes | FieldError:
    try:
        return Path(name).read_bytes()
    except OSError as err:
        return FieldError(name, f"{name} cannot be read: {err.strerror}")
