"""Gunicorn's settings from [server] and [limits], and the server itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from podium.cpus import available_cpus
from podium.folder import FILE
from podium.production.keeper import Keeper
from podium.spec import Spec

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_WEB: Final = Path(__file__).parents[1] / "web"


class Address(NamedTuple):
    """Where the server listens."""

    host: str
    port: int

    @property
    def bind(self) -> str:
        """The address as Gunicorn takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as a visitor of this machine types it."""
        host = "localhost" if self.host in ("0.0.0.0", "127.0.0.1", "::", "::1") else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def worker_count(spec: Spec, asked: int | None = None) -> int:
    """Return the number of web workers: as asked, as [server] says, or one a processor."""
    return asked or spec.server.workers or available_cpus()


def settings(
    spec: Spec, address: Address, workers: int, threads: int | None = None, reload: bool = False
) -> dict[str, Any]:
    """Return Gunicorn's settings for an application.

    Models are loaded in each worker, after the fork: frameworks with threads of their own do
    not survive one.
    """
    return {
        "bind": [address.bind],
        "workers": workers,
        "threads": threads or spec.server.threads,
        "worker_class": "podium.production.worker.Worker",
        "preload_app": False,
        "reload": reload,
        "timeout": math.ceil(spec.limits.timeout) + 30,
        "graceful_timeout": math.ceil(spec.limits.timeout),
        "keepalive": 75,  # longer than the 60 s that proxies keep a connection
        "http_parser": "auto",
        "control_socket_disable": True,
        "loglevel": "warning",
        "proc_name": "podium",
    }


def watched_files(folder: Path) -> list[str]:
    """Return the files whose change restarts the workers: the application's, and the page's own."""
    told = [path for kind in ("*.py", "*.md") for path in folder.rglob(kind)]
    own = [path for part in ("templates", "static") for path in (_WEB / part).rglob("*.*")]
    return [str(path) for path in (folder / FILE, *told, *own)]


def run(
    options: dict[str, Any], load: Callable[[], WSGIApplication], ready: Callable[[], None],
    keeper: Keeper,
) -> None:  # fmt: skip
    """Serve until told to stop. `load` runs in each worker, `ready` once the address is bound.

    `keeper` has its process as long as the server runs.

    Raises:
        ServeError: several workers ended at once because they could not load the application.
    """
    from gunicorn.app.base import BaseApplication
    from gunicorn.errors import AppImportError, HaltServer

    from podium.errors import PodiumError, ServeError
    from podium.production.worker import counts

    arbiter = _supervisor(keeper)

    class Server(BaseApplication):  # type: ignore[misc]
        """Gunicorn with settings from here, not from its own files or environment."""

        def load_config(self) -> None:
            """Set the options."""
            for name, value in options.items():
                self.cfg.set(name, value)
            self.cfg.set("when_ready", lambda _server: ready())
            self.cfg.set("post_fork", lambda _server, _worker: keeper.let_go())
            self.cfg.set("child_exit", lambda _server, worker: counts.remove(worker.age))

        def run(self) -> None:
            """Serve."""
            arbiter(self).run()

        def load(self) -> WSGIApplication:
            """Return the application in a worker; a PodiumError ends the server in words."""
            try:
                return load()
            except PodiumError as err:
                raise AppImportError(str(err)) from err

    try:
        Server().run()
    except HaltServer as err:  # a second worker's end, while Gunicorn stops for the first one's
        raise ServeError("The server has ended: its workers cannot load the application.") from err


def _supervisor(keeper: Keeper) -> Callable[[Any], Any]:
    """Return the class of Gunicorn's main process, with one more process to look after."""
    from gunicorn.arbiter import Arbiter

    class Supervisor(Arbiter):  # type: ignore[misc]
        """Looks after one more process in its loop."""

        def manage_workers(self) -> None:
            """Keep all processes alive."""
            super().manage_workers()
            keeper.look()

        def reload(self) -> None:
            """Start all processes anew."""
            keeper.restart()
            super().reload()

        def stop(self, graceful: bool = True) -> None:
            """End all processes."""
            keeper.stop()
            super().stop(graceful)
            keeper.wait()

    return Supervisor
