"""`podium serve`: from a folder, or a model file, to a running server."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from podium import metrics
from podium.errors import ServeError
from podium.folder import FILE, Parsed, parse
from podium.hosting import as_hosted, takes_datasets
from podium.jobs.state import StateFolder, state_folder
from podium.keys import CredentialsFile, exposures, missing_ways
from podium.logs import log_to_stderr
from podium.pool import STOPPING
from podium.production.gunicorn import (
    Address,
    SocketFile,
    run,
    settings,
    watched_files,
    worker_count,
)
from podium.production.keeper import Keeper, worker_call
from podium.runtimes import RUNTIMES
from podium.signature import Signature
from podium.spec import Spec
from podium.web.calls import curl_calls, with_key

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from podium.production.models import Pool, Serving

LONGEST_SOCKET: Final = 103
"""Bytes in the path of a Unix socket, its end included: 108 on Linux, 104 on macOS."""


class ServeOptions(NamedTuple):
    """What the command line says of the server."""

    host: str = "127.0.0.1"
    port: int = 5000
    workers: int | None = None
    threads: int | None = None
    state: Path | None = None
    database: str | None = None
    reload: bool = False
    socket: Path | None = None
    proxies: int | None = None
    base_path: str | None = None
    key: str | None = None
    worker: bool = True


def serve_application(source: Path, options: ServeOptions, say: Callable[[str], None]) -> None:
    """Serve an application folder or a model until told to stop.

    Raises:
        SpecError: podium.toml has mistakes.
        StateError: the state folder cannot be used.
        ServeError: the address is taken, or this system has no Gunicorn.
    """
    if sys.platform == "win32":
        raise ServeError(
            "Gunicorn does not run on Windows. Use WSL (wsl --install), or a container."
        )
    log_to_stderr()
    state = state_folder(source, options.state, options.database, options.key)
    if _is_model(source):
        with _own_folder("podium-", state.path) as made:
            _serve_folder(_application_of(source, made / "app"), state, options, say)
    else:
        _serve_folder(source, state, options, say)


def _serve_folder(
    folder: Path, state: StateFolder, options: ServeOptions, say: Callable[[str], None]
) -> None:
    folder = folder.resolve()
    parsed = parse(folder)
    parsed = replace(parsed, spec=as_hosted(parsed.spec))
    address = _address(options)
    changes = _changes(options)
    workers = worker_count(parsed.spec, options.workers)
    gunicorn = settings(parsed.spec, address, workers, options.threads, options.reload)
    if options.reload:
        gunicorn["reload_extra_files"] = watched_files(folder)
    base_path = changes.get("base_path", parsed.spec.server.base_path)
    told = _told(parsed, folder, address, base_path)
    for line in _warnings(parsed.spec, folder, state, options):
        say(f"Warning: {line}")
    metrics.share()
    with _pool(folder, gunicorn) as pool:
        models = pool and pool.folder
        load = partial(_load, folder, workers, gunicorn["threads"], state, options.reload, changes,
                       models)  # fmt: skip
        keeper = Keeper(*worker_call(folder, state))
        if not (options.worker and takes_datasets()):
            keeper.stop()
        run(gunicorn, load, partial(say, told), keeper, pool)


@contextmanager
def _pool(folder: Path, gunicorn: dict[str, Any]) -> Iterator[Pool | None]:
    """Make the folder of the model workers' sockets; None where the models are in web workers."""
    workers = gunicorn.get("dirty_workers", 0)
    if not workers:
        yield None
        return
    from podium.production.models import Pool

    with _own_folder("podium-models-") as made:
        grace_s = gunicorn["dirty_graceful_timeout"]
        yield Pool(made, partial(_begin, folder, made, workers, grace_s))


@contextmanager
def _own_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder for as long as this process runs.

    Workers are forks that leave through here as well, when the others still need it.
    """
    made, owner = Path(tempfile.mkdtemp(prefix=prefix, dir=parent)), os.getpid()
    try:
        yield made
    finally:
        if os.getpid() == owner:
            shutil.rmtree(made, ignore_errors=True)


def _begin(
    folder: Path, sockets: Path, workers: int, grace_s: float,
    outgrown: Callable[[], bool], every_s: float,
) -> Serving:  # fmt: skip
    if (sockets / STOPPING).exists():  # the signal may have come too early to be seen
        raise SystemExit(0)
    # Imported in the model worker, as in a web worker.
    from podium.pool.worker import ModelWorker

    return ModelWorker(folder, sockets, workers, grace_s, outgrown, every_s)


def _load(
    folder: Path, workers: int, threads: int, state: StateFolder, reload: bool,
    changes: dict[str, Any], models: Path | None,
) -> WSGIApplication:  # fmt: skip
    # Imported in the worker: the frameworks behind it must not be loaded before the fork.
    from podium.web.wsgi import start_worker

    return start_worker(folder, workers, threads, state, reload, changes, models)


def _address(options: ServeOptions) -> Address | SocketFile:
    if options.socket is None:
        return _free_address(options.host, options.port)
    path = options.socket.absolute()
    if len(os.fsencode(path)) > LONGEST_SOCKET:
        raise ServeError(
            f"The path of the socket is longer than {LONGEST_SOCKET} bytes, the most that the "
            f"system takes: {path}. Choose a folder with a shorter one."
        )
    return SocketFile(path)


def _changes(options: ServeOptions) -> dict[str, Any]:
    """Return what the command line says otherwise than [server]."""
    asked = {"proxies": options.proxies, "base_path": options.base_path}
    return {key: value for key, value in asked.items() if value is not None}


def _warnings(spec: Spec, folder: Path, state: StateFolder, options: ServeOptions) -> Iterator[str]:
    """Yield who can ask that should not, and who cannot that should."""
    proxies = spec.server.proxies if options.proxies is None else options.proxies
    if options.socket is None:
        yield from exposures(options.host, spec.access, proxies)
    if spec.access.require:
        held = CredentialsFile(state.path).read()
        named = "DIR" if options.key else str(folder)  # a release is not where keys are made
        yield from missing_ways(spec.access, held, proxies, named)


def _told(parsed: Parsed, folder: Path, address: Address | SocketFile, base_path: str) -> str:
    """Return what is said once the server can be reached."""
    title = parsed.spec.title
    if isinstance(address, SocketFile):
        return f"{title}: {address.bind}"
    url = address.url + base_path
    images = [folder / example.image for example in parsed.spec.examples if example.image]
    more = {"image": min(os.path.relpath(images[0]), str(images[0]), key=len)} if images else {}
    calls = curl_calls(Signature.of(parsed), url, **more)
    _, call = (with_key(calls) if parsed.spec.access.takes_keys else calls)[0]
    return f"{title}: {url}/\n\n  {call}\n\nStop with Ctrl+C."


def _is_model(source: Path) -> bool:
    """Whether it is a model, as a file or as a folder, and no application."""
    if source.is_dir():
        kinds = (kind.marker for kind in RUNTIMES.values() if kind.marker)
        return not (source / FILE).exists() and any((source / kind).is_file() for kind in kinds)
    return source.is_file()


def _application_of(model: Path, folder: Path) -> Path:
    """Make an application folder of a model, in a process of its own for the frameworks."""
    command = [sys.executable, "-m", "podium", "init", str(model), "--output", str(folder),
               "--no-check"]  # fmt: skip
    made = subprocess.run(  # noqa: S603  the arguments are a list, not a shell's text
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if made.returncode:
        raise ServeError(re.sub(r"^podium: ", "", made.stderr.strip()))
    return folder


def _free_address(host: str, port: int) -> Address:
    """Return the address with its port (0: any free one), sure that it can be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as err:
            raise ServeError(
                f"Cannot listen on {host}:{port}: {err.strerror}. Choose another with --port."
            ) from err
        return Address(host, probe.getsockname()[1])
