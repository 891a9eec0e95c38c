"""An application as one WSGI callable: middleware around /predict and the pages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from flask import Flask
from msgspec import structs

from podium.app import App
from podium.errors import PodiumError
from podium.jobs.state import StateFolder
from podium.logs import log_to_stderr
from podium.metrics import join
from podium.pool.app import PooledApp
from podium.web.about import about
from podium.web.access.guarded import guarded, private
from podium.web.body import BodyReader
from podium.web.datasets.api import add_datasets
from podium.web.fetched import Fetcher
from podium.web.forwarded import forwarded
from podium.web.history.pages import add_history
from podium.web.hung import Watched
from podium.web.metrics import MetricsEndpoint
from podium.web.middleware import Middleware, Router
from podium.web.page.pages import pages
from podium.web.predict import PredictEndpoint
from podium.web.problem import reply_of, status_problem
from podium.web.site import create_site
from podium.web.thumbnails import thumbnails

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

log = logging.getLogger("podium")


def create_wsgi(app: App, state: StateFolder, threads: int) -> WSGIApplication:
    """Return the WSGI callable of an application; its models are loaded when asked for.

    Its data sets lie in `state`; `threads` is how many requests the server takes at once.
    """
    limits = app.spec.limits
    image = app.signature.image
    # Few of them, since the rest of the threads shall answer while pictures are on their way.
    fetcher = Fetcher(limits.upload, max(1, threads // 4)) if image and image.url else None
    reader = BodyReader(app.signature, limits, app.names, app.image_of, fetcher)
    site = create_pages(app, reader)
    add_datasets(site, app, state, threads)
    add_history(site, app, state)
    metrics = MetricsEndpoint(app, site.extensions["podium.datasets"].states)
    router = Router(
        {"/predict": PredictEndpoint(app, reader), "/metrics": private(metrics, app, state)}, site
    )
    watched = Watched(router)
    app.when_hung(watched.tell)
    answers = guarded(watched, site, app, state)
    return forwarded(Middleware(answers, limits, app.spec.server), app.spec.server.proxies)


def create_pages(app: App, reader: BodyReader) -> Flask:
    """Return the Flask application behind every address but /predict and /datasets."""
    site = create_site(app, reader)
    site.register_blueprint(pages)
    site.register_blueprint(about)
    site.register_blueprint(thumbnails)
    return site


def start_worker(
    folder: Path, workers: int, threads: int, state: StateFolder, reload: bool = False,
    changes: Mapping[str, Any] = NOTHING, models: Path | None = None,
) -> WSGIApplication:  # fmt: skip
    """Return the WSGI callable of one of so many web workers, each with so many threads.

    The default model is loaded before the first request is taken, the others behind it, so
    that a worker answers early; a request for one of them waits for it.

    With `reload`, an application that cannot be loaded is served as its error: the next change
    of the folder may mend it. `changes` are keys of [server] that the command line has the say of.
    With `models` they are in the processes whose sockets lie there, and none is loaded here.

    Raises:
        PodiumError: the application or its default model cannot be loaded.
    """
    log_to_stderr()
    join()
    try:
        app = App(folder, workers) if models is None else PooledApp(folder, workers, models)
        app.spec = structs.replace(app.spec, server=structs.replace(app.spec.server, **changes))
        app.begin()
    except PodiumError as err:
        if not reload:
            raise
        log.error("%s", err)
        return partial(_tell, str(err))
    threading.Thread(target=load_rest, args=(app,), name="load-models", daemon=True).start()
    return create_wsgi(app, state, threads)


def _tell(
    message: str, _environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Answer every request with what is wrong with the application."""
    return reply_of(status_problem(503, message)).send(start_response)


def load_rest(app: App) -> None:
    """Load all models, and note which ones are not served as they should be."""
    if app.spec.history.on:
        import podium.jobs.answers  # noqa: F401  the first answer that is kept need not wait for it
    for name, error in app.load_all():
        if error is not None:
            log.error("Model %r is not served: %s", name, error)
        elif app.kept(name).trouble:
            log.warning("Model %r is served uncalibrated: %s", name, app.kept(name).trouble)
