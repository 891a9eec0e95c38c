"""What web workers and model workers tell each other, as bytes: msgpack, and lengths before it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image as pil
from PIL.Image import Image

from podium import errors
from podium.errors import FieldError, ModelError, Overloaded, PodiumError, RequestError
from podium.messages import heard, heard_in, message_of, told_by, whole
from podium.options import Options
from podium.pipeline.decode import Items
from podium.prediction import Answer, ClassAnswer, ValueAnswer

_LENGTH: Final = struct.Struct(">Q")
LONGEST: Final = 1 << 32
"""More bytes than any request's items have once they are decoded: what says so is no message."""
JSON: Final = b"j"
"""The first byte of a reply that is the JSON of the API; all else is msgpack."""


class Picture(Struct, frozen=True, array_like=True):
    """An image's pixels, with what Podium keeps beside them."""

    mode: str
    size: tuple[int, int]
    extent: tuple[float, float, float, float] | None
    pixels: memoryview


class Ask(Struct, frozen=True, array_like=True, tag=True):
    """Items that want an answer until `ends` on the clock that all processes share."""

    ends: float
    options: Options
    form: Literal["json", "whole", "picture"]
    rows: list[tuple[Any, ...]] | None = None
    texts: list[str] | None = None
    pictures: list[Picture] | None = None


class Query(Struct, frozen=True, array_like=True, tag=True):
    """A question about the models themselves; `load` waits until that one is loaded."""

    ends: float
    load: str | None = None


class Facts(Struct, frozen=True, array_like=True, tag=True):
    """What the web must know of the models: versions, and of loaded ones whether they draw."""

    ready: bool
    failures: dict[str, str]
    labels: tuple[str, ...]
    versions: dict[str, str]
    draws: dict[str, bool]


class Pixels(Struct, frozen=True, array_like=True, tag=True):
    """An array of an image's pixels."""

    dtype: str
    shape: tuple[int, ...]
    values: memoryview


class Told(Struct, frozen=True, array_like=True, tag=True):
    """A whole answer, its texts as they are kept."""

    kind: str
    answer: Any


class Wrong(Struct, frozen=True, array_like=True, tag=True):
    """An error: what kind, and its facts."""

    kind: str
    message: Any
    fields: list[tuple[str, Any]] = []
    retry_after: int | None = None


Asked = Ask | Query
Reply = Facts | Pixels | Told | Wrong
Message = Asked | Reply

_encoder: Final = msgspec.msgpack.Encoder(enc_hook=whole)
_asked: Final = msgspec.msgpack.Decoder(Asked)
_reply: Final = msgspec.msgpack.Decoder(Reply)
_KINDS: Final[Mapping[str, type[Answer]]] = {
    kind.__name__: kind for kind in (ClassAnswer, ValueAnswer)
}


def encoded(message: Message) -> bytes:
    """Return a message's bytes."""
    return _encoder.encode(message)


def send(connection: socket.socket, message: Message | bytes) -> None:
    """Send a message, or what is encoded already."""
    body = message if isinstance(message, bytes) else encoded(message)
    connection.sendall(_LENGTH.pack(len(body)) + body)


def receive(connection: socket.socket) -> bytearray:
    """Return the next message's bytes.

    Raises:
        ConnectionError: the other side has closed, maybe within a message, or is a stranger.
    """
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > LONGEST:
        raise ConnectionAbortedError(f"The other side announces {length} bytes")
    return _exactly(connection, length)


def asked(body: bytearray) -> Asked:
    """Return what a web worker asks."""
    question: Asked = _asked.decode(body)
    return question


def replied(body: bytearray) -> Reply:
    """Return what a model worker tells, but for JSON."""
    reply: Reply = _reply.decode(body)
    return reply


def ask(
    items: Items, options: Options, ends: float, form: Literal["json", "whole", "picture"]
) -> Ask:
    """Return the question for the answer to items."""
    first = items[0]
    if isinstance(first, Image):
        return Ask(ends, options, form, pictures=[_picture(one) for one in items])  # type: ignore[arg-type]
    if isinstance(first, str):
        return Ask(ends, options, form, texts=items)  # type: ignore[arg-type]
    return Ask(ends, options, form, rows=items)  # type: ignore[arg-type]


def items_of(question: Ask) -> Items:
    """Return the items that want an answer."""
    if question.pictures is not None:
        return [_image(one) for one in question.pictures]
    return question.texts if question.texts is not None else question.rows or []


def told(answer: Answer) -> Told:
    """Return an answer as it is sent."""
    return Told(type(answer).__name__, answer)


def answer_of(reply: Told) -> Answer:
    """Return the answer that was sent, with its texts as they were."""
    return _with_texts(reply.answer, _KINDS[reply.kind])


def pixels(array: NDArray[Any]) -> Pixels:
    """Return an array as it is sent."""
    return Pixels(array.dtype.str, array.shape, memoryview(array.tobytes()))


def array_of(reply: Pixels) -> NDArray[Any]:
    """Return the array that was sent."""
    return np.frombuffer(reply.values, reply.dtype).reshape(reply.shape)


def wrong(error: Exception) -> Wrong:
    """Return an error as it is sent; what is not Podium's own is told as a failure of the model."""
    kind = type(error).__name__ if isinstance(error, PodiumError) else ModelError.__name__
    fields = [(one.field, one.message) for one in getattr(error, "errors", ())]
    retry_after = error.retry_after if isinstance(error, Overloaded) else None
    message = told_by(error) if isinstance(error, PodiumError) else repr(error)
    return Wrong(kind, message, fields, retry_after)


def error_of(reply: Wrong) -> PodiumError:
    """Return the error that was sent, of its own kind."""
    kind = getattr(errors, reply.kind, ModelError)
    error: PodiumError = Exception.__new__(kind)
    error.args = (_text(reply.message),)
    if isinstance(error, RequestError):
        error.errors = tuple(FieldError(name, _text(message)) for name, message in reply.fields)
    if isinstance(error, Overloaded):
        error.retry_after = reply.retry_after or 1
    return error


def _text(kept: object) -> str:
    return message_of(heard_in(kept)) if isinstance(kept, dict) else str(kept)


def _with_texts(value: Any, kind: type[Answer]) -> Answer:
    return msgspec.convert(heard_in(value), kind, dec_hook=heard)


def _picture(image: Image) -> Picture:
    return Picture(
        image.mode, image.size, image.info.get("podium.extent"), memoryview(image.tobytes())
    )


def _image(picture: Picture) -> Image:
    pixels: Any = picture.pixels  # not copied; Pillow's types know no memoryview
    image = pil.frombuffer(picture.mode, picture.size, pixels, "raw", picture.mode, 0, 1)
    if picture.extent is not None:
        image.info["podium.extent"] = picture.extent
    return image


def _exactly(connection: socket.socket, count: int) -> bytearray:
    body = bytearray(count)
    view, done = memoryview(body), 0
    while done < count:
        got = connection.recv_into(view[done:])
        if not got:
            raise ConnectionResetError("The other side has closed the connection")
        done += got
    return body
