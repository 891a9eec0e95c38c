"""Who may ask, from where, and how often: on /predict and on the page."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from werkzeug.test import Client, TestResponse

from podium.app import App
from podium.jobs.state import StateFolder
from podium.keys import CredentialsFile
from podium.web.wsgi import create_wsgi
from tests.support.apps import write_notes
from tests.support.client import BROWSER, PROBLEM

PASSWORD = "a few words, easy to say"  # noqa: S105  made up
ADDRESS = {"REMOTE_ADDR": "192.0.2.7"}


class Site(NamedTuple):
    """An application with [access], who asks it, and its credentials."""

    client: Client
    credentials: CredentialsFile

    def predict(self, **given: Any) -> TestResponse:
        """Ask /predict as a program does; `X_User="a"` is a header."""
        return self.ask("POST", "/predict", json={"inputs": [{"text": "a"}]}, **given)

    def send_form(self, **given: Any) -> TestResponse:
        """Send the page's form as a browser without scripts does."""
        return self.ask("POST", "/", data={"text": "a"}, Accept=BROWSER, **given)

    def open(self, path: str = "/", **given: Any) -> TestResponse:
        """Open a page as a browser does."""
        return self.ask("GET", path, Accept=BROWSER, **given)

    def ask(self, method: str, path: str, /, **given: Any) -> TestResponse:
        """Ask; what begins with a capital is a header."""
        named = [name for name in given if name[0].isupper()]
        headers = {name.replace("_", "-"): given.pop(name) for name in named}
        base: dict[str, Any] = {"environ_base": ADDRESS}
        return self.client.open(path, method=method, headers=headers, **(base | given))

    def sign_in(self, password: str = PASSWORD, **given: Any) -> TestResponse:
        """Give the password, as the page's form does."""
        return self.ask("POST", "/login", data={"password": password, "next": "/"}, **given)


def site(
    folder: Path, access: str, more: str = "", prepare: Callable[[Path], object] = lambda _: None
) -> Site:
    """Return an application whose [access] is that text; `more` stands behind it.

    `prepare` puts into its folder what else it needs.
    """
    app = write_notes(folder / "app")
    prepare(app)
    file = app / "podium.toml"
    file.write_text(f"{file.read_text()}[access]\n{access}\n{more}")
    state = folder / "state"
    state.mkdir()
    wsgi = create_wsgi(App(app), StateFolder(state), threads=2)
    return Site(Client(wsgi), CredentialsFile(state))


def bearer(key: str) -> str:
    """Return the header that shows a key."""
    return f"Bearer {key}"


def assert_answered(answer: TestResponse) -> None:
    """Check that /predict gave the right answer."""
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["predictions"][0]["value"] == zlib.crc32(b"a")


def assert_shown(page: TestResponse) -> None:
    """Check that the page shows the right answer."""
    assert page.status_code == 200, page.text
    assert f"{zlib.crc32(b'a'):,}".replace(",", "") in page.text.replace(",", "")


def told(answer: TestResponse) -> tuple[int, str]:
    """Return the status and the detail of a problem document."""
    assert answer.content_type == PROBLEM, answer.text
    problem = answer.get_json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["detail"]
