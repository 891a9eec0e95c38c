"""An application for hosts that bring a WSGI server of their own.

    from podium.web.hosted import application_of

    application = application_of("/home/ada/penguins")

Models are in the process that answers, and no thread is started. Nothing ends a model that hangs:
that is left to the host.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from werkzeug.wsgi import get_input_stream

from podium.app import App
from podium.cpus import work_alone
from podium.jobs.state import state_folder
from podium.logs import log_to_stderr
from podium.web.wsgi import create_wsgi, load_rest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def application_of(
    folder: str | Path, *, state: str | Path | None = None, proxies: int | None = None,
    base_path: str | None = None, datasets: bool = False,
) -> WSGIApplication:  # fmt: skip
    """Return an application folder as a WSGI callable, its models loaded.

    `state`, `proxies` and `base_path` are what `podium serve` has by these names. Data sets are
    taken only with `datasets`, where a `podium worker` runs beside it on the same state folder.

    Raises:
        PodiumError: podium.toml has mistakes, or the default model cannot be loaded.
    """
    work_alone()
    log_to_stderr()
    folder = Path(folder)
    app = App(folder)
    app.takes_datasets = datasets and app.takes_datasets
    told = {"proxies": proxies, "base_path": base_path}
    changes = {key: value for key, value in told.items() if value is not None}
    app.spec = replace(app.spec, server=replace(app.spec.server, **changes))
    app.begin()
    load_rest(app)
    place = state_folder(folder, Path(state) if state else None)
    return _Bounded(create_wsgi(app, place, threads=1))


class _Bounded:
    """Lets a body end where it says, which the servers of some hosts do not do."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        environ["wsgi.input"] = get_input_stream(environ)
        return self._app(environ, start_response)
