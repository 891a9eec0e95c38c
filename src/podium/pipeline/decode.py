"""The bytes of a request become items, checked against the signature.

JSON is decoded straight into typed structs. Only when that fails does a tolerant pass read it
again, to name every mistake with its field: good requests are fast, bad ones well explained.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from PIL.Image import Image

from podium.cells import MAX_INTEGER, MAX_NUMBER, printable
from podium.cpus import available_cpus, works_alone
from podium.errors import FieldError, InvalidInput, MalformedRequest, RequestTooLarge
from podium.messages import said, told_by
from podium.pipeline.columns import Columns
from podium.pipeline.photo import MAX_REQUEST_PIXELS, decode, peek
from podium.signature import Row, Signature, merged
from podium.spec import Feature
from podium.spec import Image as ImageSpec
from podium.strict import shown

T = TypeVar("T")

Items = list[Row] | Columns | list[Image] | list[str]
"""The inputs of one request: rows of features, upright RGB images, or texts."""

_CELLS: Final[dict[str, Any]] = {
    "number": Annotated[float, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)],
    "integer": Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)],
    "boolean": bool,
}


class JsonReader:
    """Reads the JSON bodies of one application."""

    def __init__(self, signature: Signature, limit: int) -> None:
        self.signature = signature
        self.limit = limit
        self.body_type = body_type(signature)
        self._decoder = msgspec.json.Decoder(self.body_type)

    def read(self, body: bytes, image: ImageSpec | None = None) -> Items:
        """Return the items of a JSON body; `image` is what its images are for.

        Raises:
            MalformedRequest: it is no JSON, or no {"inputs": [...]}.
            RequestTooLarge: it has more items than the limit.
            InvalidInput: naming every value that is wrong, as inputs[i].name.
        """
        try:
            items = self._decoder.decode(body).inputs
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._read_tolerantly(body, image)
        self._check_count(items)
        if self.signature.image is not None:
            return read_images([item.image for item in items], "inputs[{}].image", image)
        if self.signature.text is not None:
            return read_texts(self.signature, [item.text for item in items], "inputs[{}].text")
        return list(map(msgspec.structs.astuple, items))

    def _read_tolerantly(self, body: bytes, image: ImageSpec | None) -> Items:
        inputs = _inputs(body, self.signature)
        self._check_count(inputs)
        if self.signature.image is not None:
            return read_images([_base64(item) for item in inputs], "inputs[{}].image", image)
        if self.signature.text is not None:
            return read_texts(self.signature, list(map(_text, inputs)), "inputs[{}].text")
        rows: list[Row] = []
        errors: list[FieldError] = []
        for index, item in enumerate(inputs):
            try:
                rows.append(self.signature.row_of(_table(item), f"inputs[{index}]."))
            except InvalidInput as err:
                errors += err.errors
            except TypeError as err:
                errors.append(FieldError(f"inputs[{index}]", told_by(err)))
        if errors:
            raise merged(errors)
        return rows

    def _check_count(self, items: Sequence[object]) -> None:
        if not items:
            message = said("is empty; expected at least one item")
            raise InvalidInput([FieldError("inputs", message)])
        check_count(len(items), self.limit)


def check_count(count: int, limit: int) -> None:
    """Raise RequestTooLarge when a request has more items than [limits] rows."""
    if count > limit:
        message = said(
            "%(count)s items in one request; the limit is %(limit)s ([limits] rows)",
            count=count, limit=limit,
        )  # fmt: skip
        raise RequestTooLarge(message, [FieldError("inputs", message)])


def read_images(
    bodies: Sequence[bytes | FieldError], where: str, image: ImageSpec | None = None
) -> list[Image]:
    """Return the images in `bodies`; `where` names each one's field by its index.

    `image` is what they are for. All headers are looked at before anything is decoded.

    Raises:
        InvalidInput: naming every one that cannot be read.
        RequestTooLarge: together they have too many pixels.
    """
    fields = [where.format(index) for index in range(len(bodies))]
    opened = _each(peek, bodies, fields)
    pixels = sum(one.width * one.height for one in opened)
    if pixels > MAX_REQUEST_PIXELS:
        message = said(
            "The images have %(found)s megapixels together; the limit of one request is "
            "%(limit)s. Send fewer at a time.",
            found=pixels // 10**6, limit=MAX_REQUEST_PIXELS // 10**6,
        )  # fmt: skip
        raise RequestTooLarge(message, [FieldError("image", message)])
    read = _decoders().map if len(opened) > 1 and not works_alone() else map
    return _each(lambda one: decode(one, image), opened, fields, read)


def read_texts(signature: Signature, texts: Sequence[object], where: str) -> list[str]:
    """Return texts, checked; `where` names each one's field by its index.

    Raises:
        InvalidInput: naming every one that is empty, too long or no text.
    """
    errors: list[FieldError] = []
    for index, text in enumerate(texts):
        try:
            if isinstance(text, FieldError):
                raise ValueError(text.message)
            signature.check_text(text)
        except ValueError as err:
            errors.append(FieldError(where.format(index), told_by(err)))
    if errors:
        raise merged(errors)
    return list(map(str, texts))


def _each(
    stage: Callable[[T], Image],
    things: Sequence[T | FieldError],
    fields: Sequence[str],
    run: Callable[..., Iterable[Image | FieldError]] = map,
) -> list[Image]:
    """Return the stage's result for each thing, or raise all that went wrong, in their order."""

    def attempt(thing: T | FieldError, field: str) -> Image | FieldError:
        if isinstance(thing, FieldError):
            return FieldError(field, thing.message)
        try:
            return stage(thing)
        except ValueError as err:
            return FieldError(field, told_by(err))

    found = list(run(attempt, things, fields))
    errors = [one for one in found if isinstance(one, FieldError)]
    if errors:
        raise merged(errors)
    return [one for one in found if isinstance(one, Image)]


@cache
def _decoders() -> ThreadPoolExecutor:
    """Return the threads that decode several images at once; codecs hold no interpreter lock."""
    return ThreadPoolExecutor(available_cpus(), "podium-decode")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_decoders.cache_clear)  # a fork has none of the threads


def body_type(signature: Signature) -> Any:
    """Return the struct of a JSON body; its JSON Schema is the API's."""
    if signature.image is not None:
        item = msgspec.defstruct("Item", [("image", bytes)], forbid_unknown_fields=True)
    elif signature.text is not None:
        text = Annotated[str, msgspec.Meta(min_length=1, max_length=signature.text.max_length)]
        item = msgspec.defstruct("Item", [("text", text)], forbid_unknown_fields=True)
    else:
        item = _item_type(signature.features)
    return msgspec.defstruct("Inputs", [("inputs", list[item])], forbid_unknown_fields=True)  # type: ignore[valid-type]


def _item_type(features: Sequence[Feature]) -> Any:
    # Fields are numbered, since a feature's name need not be an identifier.
    names = [f"f{index}" for index in range(len(features))]
    fields = [(name, *_field(feature)) for name, feature in zip(names, features, strict=True)]
    renamed = dict(zip(names, (feature.name for feature in features), strict=True))
    return msgspec.defstruct(
        "Item", fields, rename=renamed, forbid_unknown_fields=True, kw_only=True
    )


def _field(feature: Feature) -> tuple[Any, ...]:
    kind = Literal[feature.choices] if feature.choices else _CELLS[feature.kind]
    about = ". ".join(filter(None, [feature.label, feature.help, feature.unit]))
    extra = {"examples": [feature.example]} if feature.example is not None else {}
    meta = msgspec.Meta(description=about or feature.name, extra_json_schema=extra)
    return (Annotated[kind | None, meta], None) if feature.optional else (Annotated[kind, meta],)


def _inputs(body: bytes, signature: Signature) -> list[Any]:
    """Return the list under "inputs" in a JSON body that the fast way refused."""
    example = _example(signature)
    if not body.strip():
        raise MalformedRequest(f"The body is empty. Send JSON such as {example}")
    try:
        # The standard library also reads NaN and Infinity, so that their field can be named.
        document = json.loads(body, parse_int=_integer)
    except RecursionError as err:
        raise MalformedRequest("The body is nested too deeply to be read") from err
    except ValueError as err:
        raise MalformedRequest(f"The body is not JSON: {err}. Send {example}") from err
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
        found = f"expected {example}; found {_kind(document)}"
        raise MalformedRequest(
            f"The JSON has another shape: {found}", [FieldError("inputs", found)]
        )
    others = [name for name in document if name != "inputs"]
    if others:
        message = 'stands beside "inputs"; options go into the query string'
        raise MalformedRequest(
            "The JSON has another shape", [FieldError(printable(n), message) for n in others]
        )
    return document["inputs"]  # type: ignore[no-any-return]


def _integer(digits: str) -> int | float:
    """Return an integer; Python refuses to read one of thousands of digits, no model takes it."""
    return int(digits) if len(digits) < 400 else float(digits)


def _example(signature: Signature) -> str:
    if signature.image is not None:
        return '{"inputs": [{"image": "<base64>"}]}'
    if signature.text is not None:
        return '{"inputs": [{"text": "..."}]}'
    first = signature.names[0]
    return f'{{"inputs": [{{"{first}": ...}}]}}'


def _kind(document: object) -> str:
    if isinstance(document, dict):
        kind = type(document["inputs"]).__name__ if "inputs" in document else "no inputs"
        return f"an object with {kind}"
    return shown(document)


def _table(item: object) -> dict[str, object]:
    if not isinstance(item, dict):
        raise TypeError(f"expected an object of features; found {shown(item)}")
    return item


def _text(item: object) -> object:
    if not isinstance(item, dict) or set(item) != {"text"}:
        return FieldError("text", f'expected {{"text": "..."}}; found {shown(item)}')
    return item["text"]


def _base64(item: object) -> bytes | FieldError:
    """Return the bytes in {"image": "<base64>"}; a data: URL is taken too."""
    if not isinstance(item, dict) or set(item) != {"image"} or not isinstance(item["image"], str):
        return FieldError("image", f'expected {{"image": "<base64>"}}; found {shown(item)}')
    text = item["image"]
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text,
                                validate=True)  # fmt: skip
    except (binascii.Error, ValueError) as err:
        return FieldError("image", f"is not base64: {err}")
