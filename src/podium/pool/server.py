"""A model worker: answers what web workers ask over its socket, many at a time."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import MsgspecError

from podium.app import App
from podium.errors import ModelError, Overloaded, PodiumError, RequestError, TimedOut
from podium.messages import said
from podium.options import Options
from podium.pipeline.decode import Items
from podium.pool import STOPPING, wire

LOOK_S: Final = 0.1

log = logging.getLogger("podium")


class ModelServer:
    """Answers for one application in a folder of sockets, in which web workers find it.

    `app` may be what keeps the application from being loaded: that is then all it tells.
    """

    def __init__(self, app: App | PodiumError, folder: Path) -> None:
        self._app = app
        self._folder = folder
        self._path = folder / f"{os.getpid()}.sock"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connections: set[socket.socket] = set()
        self._asking: dict[int, socket.socket] = {}
        self._versions: dict[str, str] = {}
        if isinstance(app, App):
            app.when_hung(self._end_hung)

    def start(self) -> None:
        """Take connections from now on."""
        unready = self._path.with_suffix(".unready")
        self._listener.bind(str(unready))
        self._listener.listen(128)
        unready.rename(self._path)  # who sees it can connect
        threading.Thread(target=self._accept, name="models", daemon=True).start()

    def watch(self, outgrown: Callable[[], bool], every_s: float) -> None:
        """Leave once another model worker stands, when this process has outgrown its memory."""
        threading.Thread(
            target=self._watch, args=(outgrown, every_s), name="memory", daemon=True
        ).start()

    def close(self, grace_s: float) -> None:
        """Finish what is asked and end all connections.

        While the whole server stops, web workers may still ask; then they leave first.
        """
        ends = time.monotonic() + grace_s
        if not (self._folder / STOPPING).exists():
            self._path.unlink(missing_ok=True)
            for one in list(self._connections):
                with _gone():
                    one.shutdown(socket.SHUT_RD)  # what has come is still read and answered
        while self._connections and time.monotonic() < ends:
            time.sleep(LOOK_S)
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """Answer one web worker's thread for as long as it asks."""
        self._asking[threading.get_ident()] = connection
        try:
            while True:
                question = wire.asked(wire.receive(connection))
                wire.send(connection, self._reply(question))
        except OSError:  # the web worker has ended, or this one ends
            pass
        except MsgspecError as err:
            log.error("A connection is closed on which no question came: %s", err)
        finally:
            self._asking.pop(threading.get_ident(), None)
            self._connections.discard(connection)
            connection.close()

    def _reply(self, question: wire.Asked) -> wire.Reply | bytes:
        try:
            if isinstance(self._app, PodiumError):
                raise self._app
            if isinstance(question, wire.Query):
                return self._facts(self._app, question)
            return self._answer(self._app, question)
        except Exception as err:  # the web worker raises it again
            if not isinstance(err, RequestError):
                log.error("A request failed", exc_info=err)
            return wire.wrong(err)

    def _answer(self, app: App, question: wire.Ask) -> wire.Reply | bytes:
        options = question.options
        name = options.model or app.names[0]
        self._await(app, name, question.ends)
        if question.form == "picture":
            return wire.pixels(app.picture(name, wire.items_of(question)))

        def decode() -> tuple[Items, Options]:
            return wire.items_of(question), options

        if question.form == "json":
            return wire.JSON + app.answer_json(decode, question.ends)
        return wire.told(app.answer(decode, question.ends).answer)

    def _facts(self, app: App, question: wire.Query) -> wire.Facts:
        if question.load is not None:
            self._await(app, question.load, question.ends)
        for name in app.names:
            if name not in self._versions:
                self._versions[name] = app.version(name)
        return wire.Facts(
            app.ready, app.failures, app.signature.labels, self._versions,
            {name: app.draws(name) for name in app.loaded},
        )  # fmt: skip

    def _await(self, app: App, name: str, ends: float) -> None:
        """Wait until a model is loaded.

        Raises:
            ModelError: it cannot be.
            Overloaded: it takes too long.
        """
        while name not in app.loaded:
            if name in app.failures:
                raise ModelError(app.failures[name])
            if time.monotonic() > ends:
                raise Overloaded(said("The model is being started; try again shortly"))
            time.sleep(LOOK_S)

    def _end_hung(self, thread: int, error: TimedOut) -> None:
        """Answer the request that hangs, and end: others are asked again of the next worker."""
        log.error("A model hangs: its request is answered %d, and its worker is replaced",
                  error.status)  # fmt: skip
        self._path.unlink(missing_ok=True)
        with _gone():
            wire.send(self._asking[thread], wire.wrong(error))
        os._exit(1)

    def _watch(self, outgrown: Callable[[], bool], every_s: float) -> None:
        outgrown()  # what it holds before the first request
        while True:
            time.sleep(every_s)
            if outgrown():
                log.warning("A model worker has outgrown [limits] memory: it is replaced")
                self._replace_oldest()

    def _replace_oldest(self) -> None:
        """Have another model worker started, and the oldest ended when that one stands.

        That is as much as Gunicorn's pool can be told; who is not the oldest has its turn later.
        """
        with (self._folder / "replacing").open("w") as turn:
            # One after the other: of two signals at the same time only one would be seen.
            fcntl.flock(turn, fcntl.LOCK_EX)
            before = self._standing()
            os.kill(os.getppid(), signal.SIGTTIN)
            while self._standing() <= before:
                time.sleep(LOOK_S)
            os.kill(os.getppid(), signal.SIGTTOU)
            while before <= self._standing():
                time.sleep(LOOK_S)

    def _standing(self) -> set[Path]:
        return set(self._folder.glob("*.sock"))


class _gone:  # noqa: N801  reads as a statement
    """Within, it is no matter whether the other side has gone."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, (OSError, KeyError))
