"""An application on a host that brings a WSGI server of its own, one request at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from podium.cli import DEMOS
from podium.folder import parse
from podium.web.hosted import _Bounded
from tests.support.apps import SIDE, write_colours, write_half_broken
from tests.support.client import BROWSER, Client, Upload

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# A server that asks the application as the specification has it (PEP 3333), and starts no thread.
HOST = """
import sys, threading
from wsgiref.simple_server import make_server
from wsgiref.validate import validator

def refuse(thread):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse

from podium.web.hosted import application_of

application = application_of(sys.argv[1], state=sys.argv[2], base_path="/lab")
with make_server("127.0.0.1", 0, validator(application)) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
"""


@contextmanager
def hosted(folder: Path, state: Path) -> Iterator[Client]:
    """Run an application on such a host; its standard error must tell of no crash."""
    with subprocess.Popen(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", HOST, str(folder), str(state)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield Client(int(process.stdout.readline()), "/lab")
        finally:
            process.terminate()
            _, said = process.communicate(timeout=20)
        assert "Traceback" not in said


def plain(colour: str) -> Upload:
    """Return an image of one colour."""
    picture = BytesIO()
    Image.new("RGB", (SIDE, SIDE), colour).save(picture, "PNG")
    return Upload("image", picture.getvalue(), "plain.png", "image/png")


def test_examples_of_the_penguins(tmp_path: Path) -> None:
    """Every model answers, as the examples expect; the page is there, and data sets are off."""
    folder = DEMOS / "penguins"
    spec = parse(folder).spec
    with hosted(folder, tmp_path) as client:
        found = [client.predict(dict(one.inputs or {})).predictions[0]["label"]
                 for one in spec.examples]  # fmt: skip
        assert found == [one.expected for one in spec.examples]
        for model in spec.models:
            first = dict(spec.examples[0].inputs or {})
            asked = client.predict(first, query=f"?model={model.name}")
            assert (asked.status, asked.json()["model"]) == (200, model.name)
        assert client.get("/readyz").json() == {"status": "ready"}
        assert "Penguin species" in client.get("/", Accept=BROWSER).text
        assert client.post("/datasets", b"a\n1\n", "text/csv").status == 404


def test_several_images_of_one_form(tmp_path: Path) -> None:
    """A body ends where it says, though the server would wait for more; images need no threads."""
    with hosted(write_colours(tmp_path / "app"), tmp_path) as client:
        answer = client.submit("/predict", files=[plain(one) for one in ("#f00", "#0f0", "#00f")])
    thirds = [one["probabilities"] for one in answer.predictions]
    assert [one["red"] for one in thirds] == pytest.approx([1 / 3, 0, 0], abs=1e-6)
    assert [one["blue"] for one in thirds] == pytest.approx([0, 0, 1 / 3], abs=1e-6)


class Open:
    """The input of a server that waits for more after a body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes; more than there are never come."""
        assert 0 <= size <= len(self._body), "it would wait for ever"
        found, self._body = self._body[:size], self._body[size:]
        return found


@pytest.mark.parametrize("size", [-1, 1 << 16])
def test_a_body_is_read_no_further_than_it_says(size: int) -> None:
    """Whoever reads all that comes gets the body, though the server's own input goes on."""

    def echo(environ: WSGIEnvironment, _start: object) -> list[bytes]:
        stream = environ["wsgi.input"]
        return [stream.read(size), stream.read(size)]

    environ = {"wsgi.input": Open(b"body"), "CONTENT_LENGTH": "4", "REQUEST_METHOD": "POST"}
    assert list(_Bounded(echo)(environ, lambda *_: lambda _: None)) == [b"body", b""]


def test_default_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    """The host's error log shows the reason."""
    folder = write_half_broken(tmp_path / "app")
    text = (folder / "podium.toml").read_text()
    (folder / "podium.toml").write_text(text.replace("good.onnx", "bad.onnx"))
    code = "import sys; from podium.web.hosted import application_of; application_of(sys.argv[1])"
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "podium.errors.ModelError: bad.onnx" in done.stderr
