"""The addresses that describe an application: its API, models, cards, files, and its health."""

from __future__ import annotations

import os

import msgspec
from flask import Blueprint, Response, render_template, request, send_from_directory

from podium.errors import UnknownModel
from podium.web.calls import curl_calls, dataset_calls, with_key
from podium.web.http import JSON
from podium.web.problem import reply_of, status_problem
from podium.web.site import json_response, respond, site

about = Blueprint("about", __name__)


@about.get("/models")
def models() -> Response:
    """The models to choose from, and which release of the application answers, if it has any."""
    app = site().app
    listed = [
        {"name": spec.name, "title": spec.title or spec.name,
         "version": app.version(spec.name), "default": spec.name == app.names[0],
         "calibration": _calibration(spec.name)}
        for spec in app.spec.models
    ]  # fmt: skip
    return json_response({"models": listed, **_release()})


@about.get("/healthz")
def healthz() -> Response:
    """Whether this process is alive."""
    return json_response({"status": "alive"})


@about.get("/readyz")
def readyz() -> Response:
    """Whether every model is loaded and warm in this worker; `?worker` tells which one it is."""
    app = site().app
    if app.ready:
        told = {"worker": os.getpid(), **_release()} if "worker" in request.args else {}
        return json_response({"status": "ready", **told})
    if app.failures:
        return json_response({"status": "failed", "errors": app.failures}, 503)
    return json_response({"status": "loading"}, 503, {"Retry-After": "1"})


def _release() -> dict[str, str]:
    """Return which release answers: as whoever put it there calls it, or by its copy's name."""
    folder = site().app.folder  # `podium up` serves a copy, named by its content
    copy = folder.name if folder.parent.parts[-2:] == ("site", "releases") else ""
    release = os.environ.get("PODIUM_RELEASE") or copy
    return {"release": release} if release else {}


@about.get("/openapi.json")
def openapi_json() -> Response:
    """The API's description (OpenAPI 3.1)."""
    return Response(site().openapi, content_type=JSON)


@about.get("/docs")
def docs() -> str:
    """The API's description for people."""
    api = msgspec.json.decode(site().openapi)
    app = site().app
    calls = curl_calls(app.signature, request.url_root)
    sets = dataset_calls(app.signature, request.url_root, len(app.names))
    if app.spec.access.takes_keys:
        calls, sets = with_key(calls), with_key(sets)
    return render_template("docs.html", api=api, calls=calls, dataset_calls=sets)


@about.get("/models/<name>")
def card(name: str) -> str:
    """The card of one model."""
    app = site().app
    spec = next((spec for spec in app.spec.models if spec.name == name), None)
    if spec is None:
        raise UnknownModel(name, app.names)
    html = site().offer.card_of(spec)
    return render_template("card.html", model=spec, card=html, calibration=_calibration(name))


@about.get("/files/<path:name>")
def file(name: str) -> Response:
    """A file that podium.toml or the introduction offers."""
    known = site().offer.files
    if name not in known:
        message = f"There is no file {name!r}. Offered: {', '.join(sorted(known)) or 'none'}."
        return respond(reply_of(status_problem(404, message)))
    return send_from_directory(site().app.folder, name, max_age=60)


def _calibration(name: str) -> dict[str, object] | None:
    """Return what a model's prediction sets or intervals rest on; None without a calibration."""
    found = site().app.kept(name).calibration
    if found is None:
        return None
    measured = found.coverage
    return {
        "method": found.fit.method, "confidence_level": found.confidence_level,
        "temperature": found.fit.temperature, "coverage": measured.coverage,
        "coverage_interval": (measured.low, measured.high), "rows": found.rows,
        "date": found.date, "data": found.data, "sha256": found.sha256,
    }  # fmt: skip
