"""Both engines answer alike: one suite of requests, to servers whose models are here and there.

What the answers of the local engine must be, tests/http says.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.support.apps import write_colours, write_half_broken, write_notes, write_weights
from tests.support.client import BROWSER, JSON, Answer, Client, Fields, Upload, multipart
from tests.support.server import running
from tests.support.waiting import until


class Sent(NamedTuple):
    """One request."""

    path: str = "/predict"
    body: bytes | None = None
    content_type: str = JSON
    accept: str = "*/*"


def form(path: str, fields: Fields = (), *images: bytes, accept: str = "*/*") -> Sent:
    """Return a form with images."""
    return Sent(path, *multipart(fields, [Upload("image", one) for one in images]), accept)


def png(*colours: tuple[int, int, int], size: tuple[int, int] = (16, 16)) -> bytes:
    """Return a picture of stripes."""
    made = Image.new("RGB", size)
    for place, colour in enumerate(colours):
        made.paste(colour, (place * size[0] // len(colours), 0, *size))
    stream = io.BytesIO()
    made.save(stream, "PNG")
    return stream.getvalue()


def noise(side: int) -> bytes:
    """Return a photograph that is scaled while it is decoded."""
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


ROW = b'{"length": 2.5, "count": 3, "wet": true, "material": "pine"}'
FIELDS = (("length", "2.5"), ("count", "3"), ("wet", "true"), ("material", "pine"))
FAR = b'{"length": 99, "count": 3, "wet": true, "material": "pine"}'
HALVES = png((255, 0, 0), (0, 0, 255))
WEIGHTS = {
    "row": Sent(body=b'{"inputs": [%s]}' % ROW),
    "warned": Sent(body=b'{"inputs": [%s, %s]}' % (ROW, FAR)),
    "noisy": Sent("/predict?model=noisy", b'{"inputs": [%s]}' % ROW),
    "seed": Sent("/predict?model=noisy&seed=7", b'{"inputs": [%s, %s]}' % (ROW, ROW)),
    "samples": Sent("/predict?model=noisy&include=samples", b'{"inputs": [%s]}' % ROW),
    "level": Sent("/predict?model=noisy&confidence_level=0.5", b'{"inputs": [%s]}' % ROW),
    "form": form("/predict", FIELDS),
    "no JSON": Sent(body=b"{"),
    "wrong values": Sent(body=b'{"inputs": [{"length": "x", "count": 1.5}]}'),
    "too many": Sent(body=b'{"inputs": [%s]}' % b", ".join([ROW] * 6)),
    "unknown model": Sent("/predict?model=nosy", b'{"inputs": [%s]}' % ROW),
    "unread type": Sent(body=ROW, content_type="text/csv"),
    "page": Sent("/", accept=BROWSER),
    "page's answer": form("/", FIELDS, accept=BROWSER),
    "page's samples": form("/", (*FIELDS, ("model", "noisy")), accept=BROWSER),
    "compared": form("/", (*FIELDS, ("model", "*")), accept=BROWSER),
    "models": Sent("/models"),
    "ready": Sent("/readyz"),
    "openapi": Sent("/openapi.json"),
}
COLOURS = {
    "picture": form("/predict", (), HALVES),
    "pictures": form("/predict", (), HALVES, png((0, 255, 0)), noise(300)),
    "raw": Sent(body=noise(100), content_type="image/jpeg"),
    "map": form("/predict?include=map", (), noise(64)),
    "top": form("/predict?top=1&model=topleft", (), HALVES),
    "no picture": form("/predict", (), b"this is none"),
    "page's answer": form("/", (), noise(200), accept=BROWSER),
    "page's map": form("/", (("include", "map"),), HALVES, accept=BROWSER),
    "compared": form("/", (("model", "*"),), HALVES, accept=BROWSER),
    "models": Sent("/models"),
}
NOTES = {
    "text": Sent(body='{"inputs": [{"text": "caf\u00e9"}]}'.encode()),
    "plain": Sent(body=b"hello", content_type="text/plain"),
    "page's answer": form("/", (("text", "hello"),), accept=BROWSER),
}
BROKEN = {
    "served": form("/predict", (), HALVES),
    "not served": form("/predict?model=bad", (), HALVES),
    "page's answer": form("/", (("model", "bad"),), HALVES, accept=BROWSER),
    "ready": Sent("/readyz"),
    "models": Sent("/models"),
    "card": Sent("/models/bad"),
    "card's page": Sent("/models/bad", accept=BROWSER),
    "calls": Sent("/docs", accept=BROWSER),
    "compared": form("/", (("model", "*"),), HALVES, accept=BROWSER),
}
SUITE = {"weights": (write_weights, WEIGHTS), "colours": (write_colours, COLOURS),
         "notes": (write_notes, NOTES), "broken": (write_half_broken, BROKEN)}  # fmt: skip
BASES = {"weights": "/lab/weights"}


@pytest.fixture(scope="module", params=list(SUITE))
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Client, Client]]:
    """One application with both engines: its name and their clients."""
    name = request.param
    with ExitStack() as stack:
        clients = []
        for engine in ("local", "gunicorn"):
            folder = tmp_path_factory.mktemp(engine)
            app = SUITE[name][0](folder / "app")
            toml = app / "podium.toml"
            text = toml.read_text()
            text = text if "[server]\n" in text else f"{text}[server]\n"
            toml.write_text(text.replace("[server]\n", f'[server]\nengine = "{engine}"\n'))
            ready = "/healthz" if name == "broken" else "/readyz"
            arguments = ("serve", str(app))
            server = stack.enter_context(
                running(folder, *arguments, base=BASES.get(name, ""), ready=ready, workers=2)
            )
            clients.append(server.client)
        yield name, clients[0], clients[1]


def test_both_engines_answer_alike(served: tuple[str, Client, Client]) -> None:
    """Status, content type and body are the same, but for what differs from one to the next."""
    name, local, pooled = served
    for title, sent in SUITE[name][1].items():
        answers = [_answer(client, sent) for client in (local, pooled)]
        first, second = ((one.status, one.content_type, _lasting(one)) for one in answers)
        assert first == second, title
        assert first[0] != 500 or name == "broken", title


@pytest.mark.parametrize("served", ["weights"], indirect=True)
def test_data_sets_are_answered_alike(served: tuple[str, Client, Client]) -> None:
    """The worker of data sets has its own models, wherever those of the web workers are."""
    name, *clients = served
    file = b"length,count,wet,material\n" + b"2.5,3,true,pine\n" * 3
    results = []
    for client in clients:
        sent = Sent("/datasets", *multipart((), [Upload("file", file, "rows.csv", "text/csv")]))
        place = _answer(client, sent).headers["Location"].removeprefix(BASES[name])
        until(partial(_is_done, client, place), 60)
        results.append(client.get(f"{place}/results.csv").text)
    assert results[0] == results[1]
    assert results[0].count("pine") == 3


def _is_done(client: Client, place: str) -> bool:
    return bool(client.get(place).json()["state"] == "done")


def _answer(client: Client, sent: Sent) -> Answer:
    headers = {"Content-Type": sent.content_type, "Accept": sent.accept}
    return client.send("GET" if sent.body is None else "POST", sent.path, sent.body, headers)


def _lasting(answer: Answer) -> str:
    """Return an answer's text without the server's address and times."""
    text = re.sub(r"(localhost|127\.0\.0\.1):\d+", "HOST", answer.text)
    text = re.sub(r"[0-9a-f]{16}\b", "ID", text)
    text = re.sub(r"/(local|gunicorn)\d+/", "/FOLDER/", text)
    text = re.sub(r'"milliseconds":[0-9.e-]+', '"milliseconds":0', text)
    return re.sub(r"one at a time, in [0-9.]+ s", "one at a time", text)
