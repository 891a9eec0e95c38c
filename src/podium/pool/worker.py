"""What a model worker does from its beginning to its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from podium.app import App
from podium.errors import ModelError, PodiumError
from podium.logs import log_to_stderr
from podium.metrics import join
from podium.pool.server import ModelServer

log = logging.getLogger("podium")


class ModelWorker:
    """Loads an application's models and answers for them; begins at once, in a thread.

    The default model is there when web workers can ask, or what is wrong with it; the others come
    behind. `workers` processes share this machine's processors. When all are there, `outgrown` is
    asked every so many seconds whether this process must be replaced.
    """

    def __init__(
        self, folder: Path, sockets: Path, workers: int, grace_s: float,
        outgrown: Callable[[], bool], every_s: float,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._sockets = sockets
        self._workers = workers
        self._grace_s = grace_s
        self._outgrown = outgrown
        self._every_s = every_s
        self._server: ModelServer | None = None
        log_to_stderr()
        join(models=True)
        threading.Thread(target=self._begin, name="load-models", daemon=True).start()

    def close(self) -> None:
        """Finish what is asked, and end."""
        if self._server is not None:
            self._server.close(self._grace_s)

    def _begin(self) -> None:
        try:
            app: App | PodiumError = App(self._folder, self._workers)
            assert isinstance(app, App)
            loading = app.load_all()
            told = [next(loading)]
        except PodiumError as err:
            app, told = err, []
        except Exception as err:  # whatever a framework or the maker's code raises
            log.exception("The models cannot be loaded")
            app, told = ModelError(f"The models cannot be loaded: {err}"), []
        self._server = ModelServer(app, self._sockets)
        self._server.start()
        if isinstance(app, App):
            for name, error in chain(told, loading):
                _tell(app, name, error)
        self._server.watch(self._outgrown, self._every_s)


def _tell(app: App, name: str, error: ModelError | None) -> None:
    if error is not None:
        log.error("Model %r is not served: %s", name, error)
    elif app.kept(name).trouble:
        log.warning("Model %r is served uncalibrated: %s", name, app.kept(name).trouble)
