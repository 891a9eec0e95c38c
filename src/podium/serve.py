"""`podium serve`: from a folder, or a model file, to a running server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from podium.errors import ServeError
from podium.folder import FILE, parse
from podium.jobs.state import StateFolder, state_folder
from podium.production.gunicorn import Address, run, settings, watched_files, worker_count
from podium.production.keeper import Keeper, worker_call
from podium.runtimes import RUNTIMES
from podium.signature import Signature
from podium.web.calls import curl_calls

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class ServeOptions(NamedTuple):
    """What the command line says of the server."""

    host: str = "127.0.0.1"
    port: int = 5000
    workers: int | None = None
    threads: int | None = None
    state: Path | None = None
    database: str | None = None
    reload: bool = False


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
    state = state_folder(source, options.state, options.database)
    if _is_model(source):
        with tempfile.TemporaryDirectory(prefix="podium-", dir=state.path) as made:
            _serve_folder(_application_of(source, Path(made) / "app"), state, options, say)
    else:
        _serve_folder(source, state, options, say)


def _serve_folder(
    folder: Path, state: StateFolder, options: ServeOptions, say: Callable[[str], None]
) -> None:
    folder = folder.resolve()
    parsed = parse(folder)
    address = _free_address(options.host, options.port)
    workers = worker_count(parsed.spec, options.workers)
    gunicorn = settings(parsed.spec, address, workers, options.threads, options.reload)
    if options.reload:
        gunicorn["reload_extra_files"] = watched_files(folder)
    url = address.url + parsed.spec.server.base_path
    images = [folder / example.image for example in parsed.spec.examples if example.image]
    more = {"image": min(os.path.relpath(images[0]), str(images[0]), key=len)} if images else {}
    _, call = curl_calls(Signature.of(parsed), url, **more)[0]
    ready = partial(say, f"{parsed.spec.title}: {url}/\n\n  {call}\n\nStop with Ctrl+C.")
    load = partial(_load, folder, workers, gunicorn["threads"], state, options.reload)
    run(gunicorn, load, ready, Keeper(*worker_call(folder, state)))


def _load(
    folder: Path, workers: int, threads: int, state: StateFolder, reload: bool
) -> WSGIApplication:
    # Imported in the worker: the frameworks behind it must not be loaded before the fork.
    from podium.web.wsgi import start_worker

    return start_worker(folder, workers, threads, state, reload)


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
