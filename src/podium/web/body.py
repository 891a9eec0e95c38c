"""A request's body, in any of its forms, becomes items and options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl

from podium.cells import printable
from podium.errors import (
    FieldError,
    InvalidInput,
    UnknownModel,
    UnsupportedBody,
    nearest,
)
from podium.messages import after, said
from podium.options import Options
from podium.pipeline.decode import Items, JsonReader, check_count, read_images, read_texts
from podium.signature import Signature
from podium.spec import RESERVED, Image, Limits
from podium.web.fetched import FIELD, Fetcher
from podium.web.form import MULTIPART, URLENCODED, Form, decode_utf8, read_form
from podium.web.http import JSON, media_type, read_body

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

TEXT: Final = "text/plain"
_MISPLACED: Final = {
    "image": said("expected a file: -F image=@photo.jpg"),
    FIELD: said("is not fetched: podium.toml does not allow it ([image] url). "
                "Send the file: -F image=@photo.jpg"),
}  # fmt: skip
"""What to do about a form's fields that are no file, by name."""


class Received(NamedTuple):
    """A request of which all bytes are here."""

    model: str | None
    decode: Callable[[], tuple[Items, Options]]
    """Decodes the items and the options; raises RequestError for what is wrong with them."""


Read = Callable[[Image | None], Items]
"""Decodes a body's items for what [image] says of the model."""


class BodyReader:
    """Reads the requests of one application.

    `image_of` tells what [image] says of a model, by its name or None for the default one; the
    `fetcher` is there where images may be given by their address.
    """

    def __init__(
        self,
        signature: Signature,
        limits: Limits,
        models: Sequence[str],
        image_of: Callable[[str | None], Image | None] = lambda _: None,
        fetcher: Fetcher | None = None,
    ) -> None:
        self.signature = signature
        self.limits = limits
        self.models = models
        self._image_of = image_of
        self._fetcher = fetcher
        self._json = JsonReader(signature, limits.rows)

    def receive(self, environ: WSGIEnvironment) -> Received:
        """Take in a request's whole body; what it says is decoded later, when there is room.

        Raises:
            RequestError: of the kind that says what is wrong with the request.
        """
        query = _query(environ)
        kind = media_type(environ)
        if kind in (MULTIPART, URLENCODED):
            form = self.filled(read_form(environ, self.limits.rows))
            return self.receive_form(form, query)
        if kind == JSON:
            body = read_body(environ)
            return self._received(lambda image: self._json.read(body, image), query)
        if kind.startswith("image/") and self.signature.image is not None:
            body = read_body(environ)
            return self._received(lambda image: read_images([body], "image", image), query)
        if kind == TEXT and self.signature.text is not None:
            body = read_body(environ)
            return self._received(lambda _: self._plain_text(body), query)
        raise UnsupportedBody(f"Content type {printable(kind)!r} is not read. {self._accepted()}")

    def filled(self, form: Form) -> Form:
        """Return a form with the picture whose address it gives, where that is allowed.

        Raises:
            RequestError: it cannot be fetched.
        """
        return self._fetcher.filled(form) if self._fetcher else form

    def receive_form(self, form: Form, query: Mapping[str, str]) -> Received:
        """Return what a form asks to be predicted; options may stand among its fields.

        Raises:
            InvalidInput: an option stands there more than once.
        """
        given = {name: len(form.fields[name]) for name in RESERVED if name in form.fields}
        errors = [_repeated(name, count) for name, count in given.items() if count > 1]
        if errors:
            raise InvalidInput(errors)
        wishes: dict[str, str] = {
            name: form.fields[name][0] for name in RESERVED if name in form.fields
        }
        fields = {name: texts for name, texts in form.fields.items() if name not in RESERVED}
        asked = Form(fields, form.files)
        return self._received(lambda image: self._items(asked, image), {**query, **wishes})

    def _received(self, read: Read, wishes: Mapping[str, str]) -> Received:
        return Received(wishes.get("model"), lambda: self._together(read, wishes))

    def _together(self, read: Read, wishes: Mapping[str, str]) -> tuple[Items, Options]:
        """Return items and options; when both are wrong, all their mistakes in one error."""
        try:
            options = Options.parse(wishes, self.models)
        except (InvalidInput, UnknownModel) as wrong:
            try:
                read(None)
            except InvalidInput as err:
                raise InvalidInput([*err.errors, *wrong.errors]) from err
            raise
        return read(self._image_of(options.model)), options

    def _items(self, form: Form, image: Image | None) -> Items:
        if self.signature.image is not None:
            return self._images(form, image)
        if self.signature.text is not None:
            return self._texts(form)
        return self._row(form)

    def _row(self, form: Form) -> Items:
        errors = [FieldError(name, said("is a file; expected a value")) for name in form.files]
        errors += [_repeated(name, len(texts))
                   for name, texts in form.fields.items() if len(texts) > 1]  # fmt: skip
        if errors:
            raise InvalidInput(errors)
        return [self.signature.parse_row(form.values)]

    def _images(self, form: Form, image: Image | None) -> Items:
        errors = [FieldError(printable(name), _MISPLACED[name])
                  if name in _MISPLACED else _unknown(name, "image")
                  for name in form.fields]  # fmt: skip
        errors += [_unknown(name, "image") for name in form.files if name != "image"]
        bodies = [file.body for file in form.files.get("image", [])]
        if not bodies and not errors:
            missing = said("is missing; expected a file: -F image=@photo.jpg")
            errors = [FieldError("image", missing)]
        if errors:
            raise InvalidInput(errors)
        check_count(len(bodies), self.limits.rows)
        return read_images(bodies, "image" if len(bodies) == 1 else "image[{}]", image)

    def _texts(self, form: Form) -> Items:
        file = said("is a file; expected a text: -F 'text=<query.txt'")
        errors = [FieldError(printable(name), file) if name == "text" else _unknown(name, "text")
                  for name in form.files]  # fmt: skip
        errors += [_unknown(name, "text") for name in form.fields if name != "text"]
        # Forms send a line's end as CR LF, whatever was typed.
        texts = [text.replace("\r\n", "\n") for text in form.fields.get("text", [])]
        if not texts and not errors:
            missing = said("is missing; expected --data-urlencode 'text=...'")
            errors = [FieldError("text", missing)]
        if errors:
            raise InvalidInput(errors)
        check_count(len(texts), self.limits.rows)
        return read_texts(self.signature, texts, "text" if len(texts) == 1 else "text[{}]")

    def _plain_text(self, body: bytes) -> Items:
        return read_texts(self.signature, [decode_utf8(body).removeprefix("\ufeff")], "text")

    def _accepted(self) -> str:
        if self.signature.image is not None:
            return (
                "Send the image as multipart (-F image=@photo.jpg), as a raw body with an image/* "
                'type, or as JSON (-H "Content-Type: application/json").'
            )
        if self.signature.text is not None:
            return (
                'Send JSON (-H "Content-Type: application/json"), a form '
                "(--data-urlencode 'text=...') or the text alone "
                '(-H "Content-Type: text/plain" --data-binary @query.txt).'
            )
        return 'Send JSON (-H "Content-Type: application/json") or a form (-F name=value).'


def _query(environ: WSGIEnvironment) -> dict[str, str]:
    text = environ.get("QUERY_STRING", "")
    if not text:
        return {}
    pairs = parse_qsl(text, keep_blank_values=True)
    names = Counter(name for name, _ in pairs)
    errors = [_repeated(name, count) for name, count in names.items() if count > 1]
    if errors:
        raise InvalidInput(errors)
    return dict(pairs)


def _repeated(name: str, count: int) -> FieldError:
    message = said("is given %(count)s times; expected once", count=count)
    return FieldError(printable(name), message)


def _unknown(name: str, wanted: str) -> FieldError:
    hint = nearest(name, (wanted, *RESERVED)) or after(said("Expected %(name)s.", name=wanted))
    return FieldError(printable(name), said("is not a field of this form.%(hint)s", hint=hint))
