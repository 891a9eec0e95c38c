"""Who is let in: by a key, by a proxy's word, and nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.test import Client

from podium.web.access.gate import USER, Private, is_local
from tests.support.client import BROWSER
from tests.web.access import PASSWORD, Site, assert_answered, assert_shown, bearer, site, told

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

NEEDED = "A key is needed. Send it as a header: Authorization: Bearer KEY"
NOT_HELD = "This key does not hold: it is not complete, its time is over, or it was revoked."
SIGNED_IN = "Only who has signed in may ask. Open the page again."
PROXY = "[server]\nproxies = 1\n"


def test_an_open_application_asks_nobody(tmp_path: Path) -> None:
    """Without [access] program and page are answered, and no cookie is set."""
    found = site(tmp_path, "")
    answer = found.predict()
    assert_answered(answer)
    assert_shown(found.send_form())
    assert (answer.headers.get("Set-Cookie"), answer.headers.get("Cache-Control")) == (None, None)
    assert found.open("/login").status_code == 404


def test_a_key_lets_in(tmp_path: Path) -> None:
    """On /predict, on the page, and wherever else it is shown; the word before it in any case."""
    found = site(tmp_path, 'require = ["key"]')
    key = found.credentials.add("ci")
    assert_answered(found.predict(Authorization=bearer(key)))
    assert_answered(found.predict(Authorization=f"bearer  {key} "))
    assert_shown(found.send_form(Authorization=bearer(key)))
    assert found.ask("GET", "/models", Authorization=bearer(key)).status_code == 200


@pytest.mark.parametrize(
    ("shown", "challenge", "detail"),
    [
        ({}, 'Bearer realm="podium"', NEEDED),
        ({"Authorization": "Basic cG9kOnBvZA=="}, 'Bearer realm="podium"', NEEDED),
        ({"Authorization": "Bearer "}, 'Bearer realm="podium"', NEEDED),
        ({"Authorization": "Bearer pod_x"},
         'Bearer realm="podium", error="invalid_token"', NOT_HELD),
        ({"X_Remote_User": "ann"}, 'Bearer realm="podium"', NEEDED),
        ({"Cookie": "podium-state=page.x.y"}, 'Bearer realm="podium"', NEEDED),
    ],
)  # fmt: skip
def test_without_a_key_nothing_is_answered(
    tmp_path: Path, shown: dict[str, str], challenge: str, detail: str
) -> None:
    """Programs and browsers are told alike what is needed; no cache keeps it."""
    found = site(tmp_path, 'require = ["key"]')
    found.credentials.add("ci")
    for answer in (found.predict(**shown), found.ask("POST", "/", data={"text": "a"}, **shown)):
        assert told(answer) == (401, detail)
        assert answer.headers.getlist("WWW-Authenticate") == [challenge]
        assert answer.headers.getlist("Cache-Control") == ["no-store"]
    page = found.send_form(**shown)
    assert (page.status_code, page.mimetype) == (401, "text/html")
    assert detail in page.text
    assert page.headers["WWW-Authenticate"] == challenge


@pytest.mark.parametrize(
    "path",
    ["/", "/predict", "/models", "/models/crc", "/docs", "/openapi.json", "/datasets",
     "/datasets/" + "0" * 32, "/answers/" + "0" * 32, "/files/x", "/thumbnails/0", "/nothing",
     "/healthz/", "//healthz", "/static", "/login/../models"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_every_address_is_guarded(tmp_path: Path, path: str, method: str) -> None:
    """Those that are not there, too: nobody learns what is."""
    found = site(tmp_path, 'require = ["key"]', "[history]\non = true\n")
    assert found.ask(method, path).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told_to_everybody(tmp_path: Path, path: str) -> None:
    """What watches the server needs no key."""
    assert site(tmp_path, 'require = ["key"]').ask("GET", path).status_code in (200, 503)


def test_a_revoked_key_lets_nobody_in(tmp_path: Path) -> None:
    """Without a restart: the next request with it is refused."""
    found = site(tmp_path, 'require = ["key"]')
    key = found.credentials.add("ci")
    assert_answered(found.predict(Authorization=bearer(key)))
    found.credentials.revoke("ci")
    assert told(found.predict(Authorization=bearer(key))) == (401, NOT_HELD)
    assert found.open(Authorization=bearer(key)).status_code == 401


def test_damaged_credentials_let_nobody_in(tmp_path: Path) -> None:
    """The request fails, the log says why, and the answer says nothing of it."""
    found = site(tmp_path, 'require = ["key"]')
    key = found.credentials.add("ci")
    (tmp_path / "state" / "access.json").write_text("{")
    for answer in (found.predict(Authorization=bearer(key)),
                   found.ask("GET", "/", Authorization=bearer(key))):  # fmt: skip
        assert told(answer) == (500, "The server's log says why.")


def test_a_proxy_names_its_users(tmp_path: Path) -> None:
    """Whom it names is let in, on /predict and on the page; who is named nothing is not."""
    found = site(tmp_path, 'require = ["header"]', PROXY)
    assert_answered(found.predict(X_Remote_User="ann"))
    assert_shown(found.send_form(X_Remote_User="ann"))
    for nobody in ({}, {"X_Remote_User": ""}, {"X_Remote_User": " "}, {"X_User": "ann"},
                   {"X_Remote_User": "a\x7fb"}, {"X_Remote_User": "a" * 129}):  # fmt: skip
        assert told(found.predict(**nobody)) == (403, SIGNED_IN)
        assert found.send_form(**nobody).status_code == 403


def test_the_header_has_the_name_that_is_set(tmp_path: Path) -> None:
    """Proxies call it differently."""
    found = site(tmp_path, 'require = ["header"]\nheader = "X-Auth-Request-Email"', PROXY)
    assert_answered(found.predict(X_Auth_Request_Email="ann@example.org"))
    assert found.predict(X_Remote_User="ann").status_code == 403


def test_without_a_proxy_nobody_can_name_himself(tmp_path: Path) -> None:
    """The header is a client's own then, on /predict and on the page."""
    found = site(tmp_path, 'require = ["header"]')
    assert told(found.predict(X_Remote_User="ann")) == (403, SIGNED_IN)
    assert found.send_form(X_Remote_User="ann").status_code == 403


def test_any_of_several_ways_lets_in(tmp_path: Path) -> None:
    """A key, the password or a proxy's word: each alone is enough."""
    found = site(tmp_path, 'require = ["key", "password", "header"]', PROXY)
    key = found.credentials.add("ci")
    found.credentials.set_password(PASSWORD)
    assert_answered(found.predict(Authorization=bearer(key)))
    assert_answered(found.predict(X_Remote_User="ann"))
    assert found.predict().status_code == 401
    found.sign_in()
    assert_answered(found.predict())
    assert_shown(found.send_form())


def test_the_log_is_told_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the key or the user, never by the key."""
    seen = []
    monkeypatch.setattr(
        "podium.web.middleware._log", lambda environ, *_, **__: seen.append(environ.get(USER))
    )
    found = site(tmp_path, 'require = ["key", "header"]', PROXY)
    found.predict(Authorization=bearer(found.credentials.add("ci")))
    found.predict(X_Remote_User="ann")
    found.predict()
    assert seen == ["ci", "ann", None]


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/", "no-store"), ("/models", "no-store"), ("/openapi.json", "no-store"),
     ("/files/sums.py", "no-store"), ("/datasets/" + "0" * 32, "no-store"),
     ("/static/icon.svg", "no-cache")],
)  # fmt: skip
def test_no_cache_keeps_what_is_guarded(tmp_path: Path, path: str, kept: str) -> None:
    """The page's own scripts and looks, which are everybody's, may be kept."""
    offered = '[[references]]\ntitle = "Code"\nfile = "sums.py"\n'
    found = site(tmp_path, 'require = ["key"]', offered)
    key = found.credentials.add("ci")
    with found.ask("GET", path, Authorization=bearer(key)) as answer:
        assert answer.headers.getlist("Cache-Control") == [kept]


def test_what_a_cache_was_told_of_one_visitor_stays(tmp_path: Path) -> None:
    """The page of a data set is asked for again and again: the browser itself may keep it."""
    found = site(tmp_path, 'require = ["key"]')
    key = bearer(found.credentials.add("ci"))
    sent = found.ask("POST", "/datasets?start=false", data=b"text\na\n", Content_Type="text/csv",
                     Authorization=key)  # fmt: skip
    shown = found.ask("GET", sent.headers["Location"], Authorization=key)
    assert (sent.status_code, shown.status_code) == (202, 200)
    assert shown.headers.getlist("Cache-Control") == ["private, no-cache"]


@pytest.mark.parametrize(
    "foreign", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"},
                {"Sec_Fetch_Site": "same-site"}, {"Origin": "null"}],
)  # fmt: skip
def test_another_site_sends_nothing_in_a_users_name(
    tmp_path: Path, foreign: dict[str, str]
) -> None:
    """What a browser sends along by itself counts for this site's own pages alone."""
    found = site(tmp_path, 'require = ["header"]', PROXY)
    detail = "The form was sent from another site. Open this page itself and send it again."
    assert told(found.predict(X_Remote_User="ann", **foreign)) == (403, detail)
    refused = found.send_form(X_Remote_User="ann", **foreign)
    assert (refused.status_code, detail in refused.text) == (403, True)


def test_this_site_and_programs_send_as_they_like(tmp_path: Path) -> None:
    """A page of this site tells its own origin, a program none; a key is shown on purpose."""
    found = site(tmp_path, 'require = ["key", "header"]', PROXY)
    own = {"Origin": "http://localhost", "Sec_Fetch_Site": "same-origin"}
    assert_answered(found.predict(X_Remote_User="ann", **own))
    assert_shown(found.send_form(X_Remote_User="ann", **own))
    assert_answered(found.predict(X_Remote_User="ann"))
    key = bearer(found.credentials.add("ci"))
    assert_answered(found.predict(Authorization=key, Origin="https://example.org"))


def test_a_pages_script_is_told_to_sign_in(tmp_path: Path) -> None:
    """Where both are taken, a key is no help to a visitor whose session has ended."""
    found = site(tmp_path, 'require = ["key", "password"]')
    assert told(found.predict(Sec_Fetch_Site="same-origin")) == (403, SIGNED_IN)
    assert told(found.predict()) == (401, NEEDED)


@pytest.mark.parametrize("require", ["", 'require = ["password"]'])
def test_figures_are_for_this_host_and_for_keys(tmp_path: Path, require: str) -> None:
    """Whether anybody else has to show something or not."""
    found = site(tmp_path, require)
    key = found.credentials.add("prometheus")
    guarded = Client(Private(_figures, found.credentials, proxies=0))
    here, elsewhere = {"REMOTE_ADDR": "127.0.0.1"}, {"REMOTE_ADDR": "192.0.2.7"}
    assert guarded.get("/metrics", environ_base=here).text == "figures"
    shown = {"Authorization": bearer(key)}
    assert guarded.get("/metrics", environ_base=elsewhere, headers=shown).text == "figures"
    for wrong, challenge in (({}, ""), ({"Authorization": "Bearer x"}, ', error="invalid_token"')):
        refused = guarded.get("/metrics", environ_base=elsewhere, headers=wrong)
        detail = "The figures are for this host, and for programs that show a key."
        assert told(refused) == (401, detail)
        assert refused.headers["WWW-Authenticate"] == f'Bearer realm="podium"{challenge}'


def _figures(_: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"figures"]


@pytest.mark.parametrize(
    ("environ", "proxies", "local"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 0, True),
        ({"REMOTE_ADDR": "::1"}, 0, True),
        ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, 0, True),
        ({"REMOTE_ADDR": ""}, 0, True),
        ({"REMOTE_ADDR": "192.0.2.7"}, 0, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}, 0, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 1, True),
        ({"REMOTE_ADDR": "192.0.2.7", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}, 1, False),
    ],
)
def test_this_host_is_told_from_a_proxy_on_it(
    environ: dict[str, str], proxies: int, local: bool
) -> None:
    """A proxy nobody speaks of hides who asks; one that is counted tells the address."""
    assert is_local(environ, proxies) is local


def test_browsers_that_sign_in_elsewhere_are_told(tmp_path: Path) -> None:
    """Where the proxy names users, there is no password to be asked for."""
    found: Site = site(tmp_path, 'require = ["header"]', PROXY)
    page = found.open()
    assert (page.status_code, SIGNED_IN in page.text) == (403, True)
    assert page.headers.get("Location") is None
    assert found.ask("GET", "/", Accept=BROWSER, X_Remote_User="ann").status_code == 200
