"""[access] on a real server: every way in, on /predict and on the page; nothing secret is told."""

from __future__ import annotations

import http.client
import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from podium.keys import Credentials, CredentialsFile, exposures, missing_ways
from podium.spec import Access
from tests.support.apps import write_notes
from tests.support.client import BROWSER, JSON, PROBLEM
from tests.support.server import Server, running

PASSWORD = "a few words, easy to say"  # noqa: S105  made up
BODY = json.dumps({"inputs": [{"text": "a"}]})
FORM = "application/x-www-form-urlencoded"
KEY_NEEDED = "A key is needed. Send it as a header: Authorization: Bearer KEY"
ANSWER = 3904355907


class Guarded(NamedTuple):
    """A server that asks for a key or the password, and what it takes."""

    server: Server
    folder: Path
    key: str
    credentials: CredentialsFile

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Any:
        """Return the answer, with its body read."""
        connection = self.server.client.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            answer.text = answer.read().decode()  # type: ignore[attr-defined]
            return answer
        finally:
            connection.close()

    def predict(self, **headers: str) -> Any:
        """Ask /predict as a program does."""
        return self.ask("POST", "/predict", BODY, Content_Type=JSON, **headers)

    def send_form(self, **headers: str) -> Any:
        """Send the page's form as a browser does."""
        form = urlencode({"text": "a"})
        return self.ask("POST", "/", form, Content_Type=FORM, Accept=BROWSER, **headers)

    def sign_in(self, password: str = PASSWORD) -> Any:
        """Give the password."""
        form = urlencode({"password": password, "next": "/"})
        return self.ask("POST", "/login", form, Content_Type=FORM)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """`podium serve --host 0.0.0.0` of an application that asks for a key or the password."""
    folder = tmp_path_factory.mktemp("access")
    app = write_notes(folder / "app")
    toml = app / "podium.toml"
    toml.write_text(toml.read_text() + '[access]\nrequire = ["key", "password"]\nrate = "60/min"\n')
    command = ("serve", str(app), "--host", "0.0.0.0")  # noqa: S104
    with running(folder, *command, workers=2) as server:
        (state,) = (folder / "state").iterdir()
        credentials = CredentialsFile(state)
        key = credentials.add("ci")
        credentials.set_password(PASSWORD)
        yield Guarded(server, folder, key, credentials)


def bearer(key: str) -> str:
    """Return the header that shows a key."""
    return f"Bearer {key}"


def test_a_public_address_is_told_when_it_is_served(guarded: Guarded) -> None:
    """That nothing is encrypted, and which way in is not set up yet, before the first request."""
    access = Access(require=("key", "password"))
    expected = [*exposures("0.0.0.0", access, 0),  # noqa: S104
                *missing_ways(access, Credentials(), 0, str(guarded.folder / "app"))]  # fmt: skip
    told = guarded.server.log.read_text().splitlines()[: len(expected)]
    assert (len(expected), told) == (3, [f"Warning: {line}" for line in expected])


def test_nobody_is_let_in_without_showing_anything(guarded: Guarded) -> None:
    """A program is told to send a key, a browser is led to the password."""
    answer = guarded.predict()
    assert (answer.status, answer.headers["Content-Type"]) == (401, PROBLEM)
    assert json.loads(answer.text)["detail"] == KEY_NEEDED
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="podium"'
    page = guarded.send_form()
    assert (page.status, page.headers["Location"]) == (303, "/login?next=/")
    assert guarded.ask("GET", "/healthz").status == 200


def test_a_key_lets_in_and_revoked_it_does_not(guarded: Guarded) -> None:
    """Both workers take up the change at once."""
    key = guarded.credentials.add("soon-gone")
    for answer in (guarded.predict(Authorization=bearer(key)) for _ in range(4)):
        assert json.loads(answer.text)["predictions"][0]["value"] == ANSWER
    assert guarded.send_form(Authorization=bearer(key)).status == 200
    guarded.credentials.revoke("soon-gone")
    for _ in range(4):
        assert guarded.predict(Authorization=bearer(key)).status == 401
    assert guarded.send_form(Authorization=bearer(key)).status == 303


def test_the_password_lets_a_browser_in(guarded: Guarded) -> None:
    """On the page and on /predict, by whichever worker; another site's page not."""
    signed = guarded.sign_in()
    assert (signed.status, signed.headers["Location"]) == (303, "/")
    cookie = signed.headers["Set-Cookie"].partition(";")[0]
    for _ in range(3):
        assert guarded.predict(Cookie=cookie).status == 200
        page = guarded.send_form(Cookie=cookie)
        assert (page.status, f"{ANSWER:,}" in page.text) == (200, True)
    foreign = {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"}
    assert guarded.predict(Cookie=cookie, **foreign).status == 403
    assert guarded.send_form(Cookie=cookie, **foreign).status == 403


def test_two_workers_count_together(guarded: Guarded) -> None:
    """Sixty in a minute are sixty, and not sixty for each worker."""
    key = bearer(guarded.credentials.add("eager"))
    connection = guarded.server.client.connect()
    connections = [connection, guarded.server.client.connect()]
    started = time.monotonic()
    statuses = [_predict_on(connections[index % 2], key) for index in range(70)]
    seconds = time.monotonic() - started
    for one in connections:
        one.close()
    assert 60 <= statuses.count(200) <= 61 + seconds
    assert set(statuses) == {200, 429}


def _predict_on(connection: http.client.HTTPConnection, key: str) -> int:
    headers = {"Content-Type": JSON, "Authorization": key}
    connection.request("POST", "/predict", BODY, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_nothing_secret_is_told_anywhere(guarded: Guarded) -> None:
    """No key, password or cookie stands in the log, an error, or a file that others can read."""
    wrong_key, wrong_password = "pod_" + "w" * 43, "not the password at all"
    cookie = guarded.sign_in().headers["Set-Cookie"].partition(";")[0]
    session = cookie.partition("=")[2]
    shown = {"Authorization": bearer(guarded.key), "Cookie": cookie}
    secrets = [guarded.key, wrong_key, PASSWORD, wrong_password, session,
               guarded.credentials.read().secret]  # fmt: skip
    answers = [
        guarded.ask("POST", "/predict", "{", Content_Type=JSON, **shown),
        guarded.predict(Authorization=bearer(wrong_key), Cookie="x" + cookie),
        guarded.sign_in(wrong_password),
        guarded.ask("GET", "/nothing", Accept=BROWSER, **shown),
        guarded.ask("GET", "/datasets/" + "0" * 32, **shown),
        guarded.ask("PUT", "/predict", "x", **shown),
    ]
    assert [answer.status for answer in answers] == [400, 401, 403, 404, 404, 405]
    files = [path for path in guarded.folder.rglob("*") if path.is_file()]
    kept = [path for path in files if path.name == "access.json"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in kept] == [0o600]
    read = {str(path): path.read_bytes() for path in files if path not in kept}
    told = [answer.text + str(answer.headers) for answer in answers]
    for secret in secrets:
        assert [text for text in told if secret in text] == []
        assert [name for name, content in read.items() if secret.encode() in content] == []
    assert guarded.key.encode() not in kept[0].read_bytes()
    assert '"path":"/login","status":403' in guarded.server.log.read_text()
