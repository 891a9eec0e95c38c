"""Gunicorn's settings from [server] and [limits], and the server itself."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from podium.cpus import available_cpus
from podium.folder import FILE
from podium.pool import STOPPING
from podium.production.keeper import Keeper
from podium.production.recycling import VARIABLE, Turnover, marks
from podium.production.site import HEADER_BYTES, HUNG_S, Site
from podium.spec import Spec

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from podium.production.models import Pool

CONNECTIONS: Final = 4000
"""How many connections a worker has at most; then those that ask nothing are closed."""
FILES: Final = 16_384
"""How many files the server asks the system for, connections being some; 1024 are usual."""
AGAIN_S: Final = 1.0
"""The pool forgets a signal that comes while it starts, so it is told again."""
SPARE: Final = 8
"""Threads of a worker for what needs no model, while all who may wait for one do."""
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


class SocketFile(NamedTuple):
    """The file through which a proxy on this host reaches the server."""

    path: Path

    @property
    def bind(self) -> str:
        """The address as Gunicorn takes it."""
        return f"unix:{self.path}"


def worker_count(spec: Spec, asked: int | None = None) -> int:
    """Return the number of web workers: as asked, as [server] says, or one a processor."""
    return asked or spec.server.workers or available_cpus()


def settings(
    spec: Spec, address: Address | SocketFile, workers: int, threads: int | None = None,
    reload: bool = False,
) -> dict[str, Any]:  # fmt: skip
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
        "timeout": math.ceil(spec.limits.timeout) + HUNG_S,
        "graceful_timeout": math.ceil(spec.limits.timeout),
        "keepalive": 75,  # longer than the 60 s that proxies keep a connection
        "http_parser": "auto",
        "control_socket_disable": True,
        "limit_request_line": HEADER_BYTES - 2,
        "limit_request_field_size": HEADER_BYTES - 2,
        # What a proxy says of its client is read in one place: podium.web.forwarded.
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        # With neither, it matters to nobody who is believed; Gunicorn parses each client's address
        # to find out, in a tenth of the time of a small model's answer.
        "forwarded_allow_ips": "*",
        "loglevel": "warning",
        "logger_class": "podium.production.logger.Logger",
        "proc_name": "podium",
        "worker_connections": CONNECTIONS,
        "raw_env": [
            f"{VARIABLE}={int(spec.limits.memory or 0)}",
            f"PODIUM_ANSWERING={spec.limits.concurrency + spec.limits.queue + SPARE}",
        ],
        # What has changed is loaded anew by web workers alone.
        **(_model_workers(spec) if spec.server.engine == "gunicorn" and not reload else {}),
    }


def _model_workers(spec: Spec) -> dict[str, Any]:
    """Return Gunicorn's settings for its dirty pool, in which the models are."""
    return {
        "dirty_apps": ["podium.production.models:Models"],
        "dirty_workers": spec.server.model_workers,
        "dirty_timeout": math.ceil(spec.limits.timeout) + HUNG_S,
        "dirty_graceful_timeout": math.ceil(spec.limits.timeout),
    }


def serve_command(site: Site, slot: str, release: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves a release in a slot, and what it adds to its environment."""
    command = [sys.executable, "-m", "podium", "serve", str(release),
               "--socket", str(site.socket(slot)), "--proxies", "1", "--base-path", site.base_path,
               "--workers", str(site.workers), "--threads", str(site.threads),
               "--state", str(site.state.parent), "--key", site.state.name]  # fmt: skip
    # The address may hold a password, which everybody would see among the arguments.
    database = {"PODIUM_DATABASE": site.database} if site.database else {}
    return command, {**site.variables, **database}


def watched_files(folder: Path) -> list[str]:
    """Return the files whose change restarts the workers: the application's, and the page's own."""
    told = [path for kind in ("*.py", "*.md") for path in folder.rglob(kind)]
    own = [path for part in ("templates", "static") for path in (_WEB / part).rglob("*.*")]
    return [str(path) for path in (folder / FILE, *told, *own)]


def run(
    options: dict[str, Any], load: Callable[[], WSGIApplication], ready: Callable[[], None],
    keeper: Keeper, pool: Pool | None = None,
) -> None:  # fmt: skip
    """Serve until told to stop. `load` runs in each worker, `ready` once the address is bound.

    `keeper` has its process as long as the server runs, and so has the `pool` of models.

    Raises:
        ServeError: several workers ended at once because they could not load the application.
    """
    from gunicorn.app.base import BaseApplication
    from gunicorn.errors import AppImportError, HaltServer

    from podium.errors import PodiumError, ServeError
    from podium.production.sharing import counts

    arbiter = _supervisor(keeper, pool)

    def forget(age: int) -> None:
        counts.remove(age)
        marks[age] = 0

    class Server(BaseApplication):  # type: ignore[misc]
        """Gunicorn with settings from here, not from its own files or environment."""

        def load_config(self) -> None:
            """Set the options."""
            for name, value in options.items():
                self.cfg.set(name, value)
            self.cfg.set("when_ready", lambda _server: _tell(ready))
            self.cfg.set("post_fork", lambda _server, _worker: keeper.let_go())
            self.cfg.set("on_dirty_starting", lambda _arbiter: keeper.let_go())
            self.cfg.set("child_exit", lambda _server, worker: forget(worker.age))

        def run(self) -> None:
            """Serve."""
            arbiter(self).run()

        def load(self) -> WSGIApplication:
            """Return the application in a worker; a PodiumError ends the server in words."""
            try:
                return load()
            except PodiumError as err:
                raise AppImportError(str(err)) from err

    _allow_files()
    try:
        Server().run()
    except HaltServer as err:  # a second worker's end, while Gunicorn stops for the first one's
        raise ServeError("The server has ended: its workers cannot load the application.") from err


def _tell(ready: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):  # the disk of the log is full: no reason not to serve
        ready()


def _allow_files() -> None:
    """Let the server have as many files open as it may, or as it needs."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _supervisor(keeper: Keeper, pool: Pool | None) -> Callable[[Any], Any]:
    """Return the class of Gunicorn's main process, with one more process to look after."""
    from gunicorn.arbiter import Arbiter

    from podium.production.models import begin_by

    if pool is not None:
        begin_by(pool.begin)
    turnover = Turnover()

    class Supervisor(Arbiter):  # type: ignore[misc]
        """Looks after one more process in its loop, and has workers replaced."""

        _told_pool = math.inf

        def manage_workers(self) -> None:
            """Keep all processes alive."""
            turnover.look(self)
            super().manage_workers()
            keeper.look()

        def reload(self) -> None:
            """Start all processes anew."""
            keeper.restart()
            super().reload()

        def stop(self, graceful: bool = True) -> None:
            """End all processes."""
            if pool is not None:
                (pool.folder / STOPPING).touch()
                self._told_pool = time.monotonic()
            keeper.stop()
            super().stop(graceful)
            keeper.wait()

        def reap_dirty_arbiter(self) -> None:
            """Look whether the pool has ended; while all do, tell it again if it has not heard."""
            super().reap_dirty_arbiter()
            if time.monotonic() - self._told_pool > AGAIN_S:
                self._told_pool = time.monotonic()
                self.kill_dirty_arbiter(signal.SIGTERM)

        def _get_dirty_pidfile_path(self) -> str:
            # Gunicorn's own is one for all servers of a name, which would end each other's pools.
            assert pool is not None
            return str(pool.folder / "arbiter.pid")

    return Supervisor
