"""POST /predict, straight on WSGI: the one address where every microsecond counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from podium.app import App
from podium.messages import said
from podium.web.body import BodyReader
from podium.web.http import JSON, Reply
from podium.web.noted import noted
from podium.web.problem import reply_of, status_problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class PredictEndpoint:
    """Answers /predict with JSON; its errors leave to the middleware around it."""

    def __init__(self, app: App, reader: BodyReader) -> None:
        self._app = app
        self._reader = reader

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        if environ["REQUEST_METHOD"] != "POST":
            problem = status_problem(405, said("/predict takes POST; GET /docs shows how"))
            return reply_of(problem, (("Allow", "POST"),)).send(start_response)
        request = self._reader.receive(environ)
        self._app.await_model(request.model)
        decode = noted(environ, self._app, request.decode)
        body = self._app.answer_json(decode, self._app.ends())
        return Reply(200, JSON, body).send(start_response)
