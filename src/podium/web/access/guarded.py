"""[access] around an application: layers that are there only where they are asked for.

    Cors -> Gate -> Limited -> the application

An open application has none of them, and pays nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flask import Flask

from podium.app import App
from podium.keys import CredentialsFile
from podium.web.access.cors import Cors
from podium.web.access.gate import Gate, Limited, Private, Refusal
from podium.web.access.pages import Door, add_refusals, add_sessions
from podium.web.access.rate import Counter, HostCounter, RedisCounter
from podium.web.access.ways import Ways

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from podium.jobs.state import StateFolder


def guarded(
    answers: WSGIApplication, pages: Flask, app: App, state: StateFolder
) -> WSGIApplication:
    """Return an application that asks who asks, as [access] says; refusals are told by `pages`."""
    access, credentials = app.spec.access, CredentialsFile(state.path)
    by_password = "password" in access.require
    cookie = f"podium-{state.application}"
    refusal = Refusal(pages)
    add_refusals(pages)
    if by_password or access.most:
        counter = _counter(app, state)
    if access.most:
        answers = Limited(answers, refusal, access, counter)
    if by_password:
        add_sessions(pages, Door(credentials, counter, cookie, access.session))
    if access.require:
        ways = Ways(access, credentials, cookie, app.spec.server.proxies)
        answers = Gate(answers, refusal, access, ways, _looks(app))
    if access.cors:
        answers = Cors(answers, access.cors)
    return answers


def private(answers: WSGIApplication, app: App, state: StateFolder) -> WSGIApplication:
    """Return an application for this host, and for who shows a key."""
    return Private(answers, CredentialsFile(state.path), app.spec.server.proxies)


def _counter(app: App, state: StateFolder) -> Counter:
    url = os.environ.get("PODIUM_RATE_STORE") or app.spec.access.rate_store
    if url:
        return RedisCounter(url, f"podium:{state.application}:")
    return HostCounter(state.path / "rate")


def _looks(app: App) -> frozenset[str]:
    """Return the paths of the maker's logos and font, which the page of the password shows."""
    theme = app.spec.theme
    files = (theme.logo, theme.logo_dark, theme.font_file)
    return frozenset(f"/files/{file}" for file in files if file)
