"""A version proves itself at its address: it says that it serves, and predicts; else it goes."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from podium.deploy import proof
from podium.deploy.run import PutBack, rollback
from podium.operate.asking import Door, Question, Reply
from tests.deploy.conftest import write_rule
from tests.deploy.shelf import FACTS, Shelf, ShelfPlatform, fact
from tests.deploy.test_run import Maker, answered

BUSY = Reply(503, b'{"detail": "Too many wait."}')


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again soon."""
    monkeypatch.setattr(proof, "POLL_S", 0.05)


@pytest.fixture
def maker(app: Path, wheel: Path, tmp_path: Path, shelf: ShelfPlatform) -> Maker:
    """Return the small application and where its state is."""
    assert shelf.operations == []
    return Maker(app, wheel, tmp_path / "state")


def answers(monkeypatch: pytest.MonkeyPatch, *replies: Reply) -> None:
    """Let the next predictions be answered so, in place of the application."""
    told, real = iter(replies), Door.predict

    def predict(self: Door, question: Question) -> Reply:
        return next(told, None) or real(self, question)

    monkeypatch.setattr(Door, "predict", predict)


def test_who_is_busy_is_asked_again(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue is no reason to take a good version away."""
    answers(monkeypatch, BUSY, Reply(429, b""), Reply(502, b"<html>"))
    assert answered(maker.deploy().address) == 2


def test_who_stays_busy_is_put_back(
    maker: Maker, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its time is over, what it said last is told."""
    first = maker.deploy()
    write_rule(app, 10)
    monkeypatch.setattr(Shelf, "facts", replace(FACTS, start=fact(0.3)))
    monkeypatch.setattr(Door, "predict", lambda *_: BUSY)
    monkeypatch.setattr(ShelfPlatform, "reason", lambda _: "")
    with pytest.raises(Exception, match=r"A prediction was refused: 503 Too many wait\."):
        maker.deploy()
    assert answered(first.address) == 2


@pytest.mark.parametrize("body", [b"<html>Be back soon</html>", b'{"predictions": []}', b"{}"])
def test_what_is_no_prediction_is_put_back(
    body: bytes, maker: Maker, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that some proxy puts in its place is none."""
    first = maker.deploy()
    write_rule(app, 10)
    answers(monkeypatch, Reply(200, body))
    with pytest.raises(PutBack, match="What answers at /predict is no prediction: 200"):
        maker.deploy()
    assert answered(first.address) == 2


def test_another_version_that_answers_is_not_the_new_one(
    maker: Maker, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform that goes on serving the version before has not deployed."""
    first = maker.deploy()
    write_rule(app, 10)
    monkeypatch.setattr(Shelf, "facts", replace(FACTS, start=fact(0.3)))
    monkeypatch.setattr(ShelfPlatform, "_start", lambda *_: None)
    with pytest.raises(PutBack, match=rf"version {first.version} answers(.|\n)*serves again\."):
        maker.deploy()


@pytest.mark.parametrize("at", ["reason", "send"])
def test_a_fault_of_a_client_library_goes_back_too(
    at: str, maker: Maker, app: Path, shelf: ShelfPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong, the version before serves again."""
    first = maker.deploy()
    write_rule(app, 10)
    broken, real = maker.task().app.version, getattr(ShelfPlatform, at)

    def fails(self: ShelfPlatform, *given: object) -> object:
        if at == "reason" or broken in str(given[0]):
            raise ValueError("not a word of UTF-8")
        return real(self, *given)

    (shelf.folder / "fails").write_text(broken)
    monkeypatch.setattr(ShelfPlatform, at, fails)
    told = "could not start" if at == "reason" else "ValueError: not a word of UTF-8"
    with pytest.raises(PutBack, match=told):
        maker.deploy()
    assert answered(first.address) == 2


def test_a_rollback_that_fails_goes_back(maker: Maker, app: Path, shelf: ShelfPlatform) -> None:
    """To what served before it, and its exit code says so."""
    first = maker.deploy()
    write_rule(app, 10)
    second = maker.deploy()
    (shelf.folder / "fails").write_text(first.version)
    with pytest.raises(PutBack, match=f"Version {second.version} serves again") as failed:
        rollback(maker.task(), lambda: True)
    assert failed.value.exit_code == 3
    assert answered(second.address) == 20


class Proxy(socketserver.BaseRequestHandler):
    """Leads to where it is told, and notes it."""

    def handle(self) -> None:
        """Take one CONNECT, and pass on what comes from either side until one ends."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        self.server.noted.append(head.decode())  # type: ignore[attr-defined]
        host, port = head.split()[1].decode().split(":")
        with socket.create_connection((host, int(port))) as other:
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            ways = {self.request: other, other: self.request}
            while True:
                for one in select.select(list(ways), [], [])[0]:
                    if not (part := one.recv(65536)):
                        return
                    ways[one].sendall(part)


@contextmanager
def proxied() -> Iterator[tuple[int, list[str]]]:
    """Run a proxy; yield its port, and the heads of what it was asked."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        server.noted = noted = list[str]()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], noted
        finally:
            server.shutdown()


@pytest.mark.parametrize("past", [False, True])
def test_proxy_of_the_environment(
    past: bool, maker: Maker, environment_of: Callable[..., None]
) -> None:
    """The way to the address is that of the SDKs: through the proxy that the environment names."""
    with proxied() as (port, noted):
        environment_of(
            HTTP_PROXY=f"http://ada:p%40ss@127.0.0.1:{port}", NO_PROXY="127.0.0.1" if past else ""
        )
        address = maker.deploy().address
    assert bool(noted) is not past
    for head in noted:
        assert head.startswith(f"CONNECT {address.removeprefix('http://')} ")
        assert "Proxy-Authorization: Basic YWRhOnBAc3M=" in head


@pytest.fixture
def environment_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what sets variables of a proxy, however they are written."""

    def told(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv(name.lower(), value)

    return told
