"""What web workers and model workers tell each other comes through as it was."""

from __future__ import annotations

import socket
import threading

import msgspec
import numpy as np
import pytest
from PIL import Image

from podium.errors import (
    FieldError,
    InvalidInput,
    ModelError,
    Overloaded,
    PodiumError,
    RequestTooLarge,
    TimedOut,
    UnknownModel,
)
from podium.messages import Message, plain, said
from podium.options import Options
from podium.pipeline.decode import Items
from podium.pool import wire
from podium.prediction import Caution, ValueAnswer, ValuePrediction, ValueUncertainty
from podium.web.problem import problem_of

OPTIONS = Options(model="bnn", seed=3, include=frozenset({"samples", "map"}), map_ms=50)
TOLD = said("%(name)s is beyond %(most)s", name="x", most=3)


def exchanged(message: wire.Message) -> bytearray:
    """Return a message's bytes after a way through a socket."""
    here, there = socket.socketpair()
    with here, there:
        sender = threading.Thread(target=wire.send, args=(here, message))
        sender.start()
        body = wire.receive(there)
        sender.join()
    return body


@pytest.mark.parametrize(
    "items",
    [[(1.5, 3, True, "oak", None), (float("inf"), -(2**53), False, "", None)], ["café", "\0"]],
    ids=["rows", "texts"],
)
def test_items_come_through(items: Items) -> None:
    """Values keep their types, and the options all that they hold."""
    question = wire.asked(exchanged(wire.ask(items, OPTIONS, 12.5, "json")))
    assert isinstance(question, wire.Ask)
    assert (question.options, question.ends, question.form) == (OPTIONS, 12.5, "json")
    found = wire.items_of(question)
    assert found == items
    assert repr(found) == repr(items)  # types, too


def test_pictures_come_through() -> None:
    """An image has its pixels and what is known of the picture that it was cut from."""
    picture = Image.effect_noise((37, 21), 80).convert("RGB")
    picture.info = {"podium.extent": (0.5, 0.0, 70.0, 42.0)}
    grey = Image.new("L", (4000, 3000), 7)
    question = wire.asked(exchanged(wire.ask([picture, grey], OPTIONS, 1.0, "whole")))
    assert isinstance(question, wire.Ask)
    found = wire.items_of(question)
    assert [one.mode for one in found] == ["RGB", "L"]  # type: ignore[union-attr]
    assert [one.tobytes() for one in found] == [picture.tobytes(), grey.tobytes()]  # type: ignore[union-attr]
    assert [one.info for one in found] == [picture.info, {}]  # type: ignore[union-attr]


def test_an_answer_comes_through_with_its_texts() -> None:
    """What a page translates is a Message again; the JSON is the same."""
    one = ValuePrediction(2.5, "kg", ValueUncertainty(std=0.1), [Caution("x", "far", TOLD)])
    answer = ValueAnswer("m", "1", [one])
    reply = wire.replied(exchanged(wire.told(answer)))
    assert isinstance(reply, wire.Told)
    found = wire.answer_of(reply)
    assert found == answer
    message = found.predictions[0].warnings[0].message
    assert isinstance(message, Message)
    assert (message.template, message.values) == (TOLD.template, TOLD.values)
    assert msgspec.json.encode(found, enc_hook=plain) == msgspec.json.encode(answer, enc_hook=plain)


@pytest.mark.parametrize(
    "error",
    [
        InvalidInput([FieldError("x", TOLD), FieldError("y", "is wrong")]),
        UnknownModel("bmn", ["bnn", "forest"]),
        RequestTooLarge(TOLD, [FieldError("inputs", TOLD)]),
        Overloaded(said("Too many requests"), retry_after=7),
        TimedOut(TOLD),
        ModelError("The model fails: 'X'"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_becomes_the_same_problem(error: PodiumError) -> None:
    """Its kind, status, texts and headers are those of an error that was raised here."""
    reply = wire.replied(exchanged(wire.wrong(error)))
    assert isinstance(reply, wire.Wrong)
    found = wire.error_of(reply)
    assert type(found) is type(error)
    assert problem_of(found) == problem_of(error)
    assert isinstance(found.args[0], Message) == isinstance(error.args[0], Message)


def test_an_error_of_another_kind_is_the_models() -> None:
    """What is no error of Podium's is told as a failure of the model."""
    reply = wire.replied(exchanged(wire.wrong(KeyError("X"))))
    assert isinstance(reply, wire.Wrong)
    found = wire.error_of(reply)
    assert (type(found), str(found)) == (ModelError, "KeyError('X')")


def test_pixels_come_through() -> None:
    """An array has its type, shape and values."""
    array = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    reply = wire.replied(exchanged(wire.pixels(array)))
    assert isinstance(reply, wire.Pixels)
    found = wire.array_of(reply)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_a_connection_that_breaks_off_is_an_error() -> None:
    """Half a message is none."""
    here, there = socket.socketpair()
    with there:
        here.sendall((100).to_bytes(8, "big") + b"half")
        here.close()
        with pytest.raises(ConnectionResetError):
            wire.receive(there)
