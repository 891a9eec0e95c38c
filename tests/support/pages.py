"""The pages of an application, without a server."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from podium.app import App
from podium.jobs.state import StateFolder
from podium.web.body import BodyReader
from podium.web.datasets.api import add_datasets
from podium.web.wsgi import create_pages


def pages_of(app: App) -> Flask:
    """Return the pages of an application, whose state lies in its own folder."""
    reader = BodyReader(app.signature, app.spec.limits, app.names, app.image_of)
    pages = create_pages(app, reader)
    add_datasets(pages, app, StateFolder(app.folder), threads=2)
    return pages


def client_of(folder: Path) -> FlaskClient:
    """Return a client of the pages of the application in a folder."""
    return pages_of(App(folder)).test_client()
