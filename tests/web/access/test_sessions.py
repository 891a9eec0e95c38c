"""The page's password: asked for, given, held in a cookie, forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from itsdangerous import TimestampSigner
from werkzeug.test import TestResponse

from podium.keys import Credentials
from podium.web.access import ways
from tests.support.apps import SHORT_NOTE
from tests.support.client import BROWSER
from tests.support.page import Page
from tests.support.pseudo import LANGUAGE, accented, write_pseudo
from tests.web.access import PASSWORD, Site, assert_answered, assert_shown, site

ASKED = 'require = ["password"]'
COOKIE = "podium-state"


@pytest.fixture
def found(tmp_path: Path) -> Site:
    """An application whose page asks for a password, which is set."""
    made = site(tmp_path, ASKED)
    made.credentials.set_password(PASSWORD)
    return made


def cookie_of(answer: TestResponse) -> dict[str, str]:
    """Return the one cookie that is set: its name, value and attributes in lower case."""
    (line,) = answer.headers.getlist("Set-Cookie")
    first, *rest = line.split("; ")
    name, _, value = first.partition("=")
    attributes = (one.partition("=") for one in rest)
    return {"name": name, "value": value} | {key.lower(): text for key, _, text in attributes}


def test_the_password_lets_in(found: Site) -> None:
    """From then on /predict and the page answer this browser."""
    assert found.predict().status_code == 403
    assert found.send_form().status_code == 303
    assert found.sign_in().status_code == 303
    assert_answered(found.predict())
    assert_shown(found.send_form())


def test_a_wrong_password_does_not(found: Site, caplog: pytest.LogCaptureFixture) -> None:
    """It is said beside the field, and the log has the address and nothing of what was given."""
    page = found.sign_in("wrong horse battery")
    assert (page.status_code, page.headers.getlist("Set-Cookie")) == (403, [])
    field = Page(page.text).by_id("password")
    assert (field.attributes["aria-invalid"], field.attributes["aria-describedby"]) == (
        "true", "wrong",
    )  # fmt: skip
    assert Page(page.text).by_id("wrong").text == "This is not the password."
    assert [record.getMessage() for record in caplog.records] == ["A wrong password from 192.0.2.7"]
    assert found.predict().status_code == 403


def test_without_a_password_nobody_gets_in(tmp_path: Path) -> None:
    """Neither with nothing, nor with a cookie signed by nothing; the page says why."""
    found = site(tmp_path, ASKED)
    page = found.sign_in("")
    assert (page.status_code, Page(page.text).by_id("wrong").text) == (
        403, "Nobody has set a password yet.",
    )  # fmt: skip
    found.client.set_cookie(COOKIE, ways.session_of("x"))
    assert found.predict().status_code == 403
    assert not ways.is_session(ways.session_of("x"), "", 60)


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_the_cookie_is_kept_to_this_page(found: Site, scheme: str, secure: bool) -> None:
    """No script reads it, no other site sends it, and over HTTPS it never leaves in the clear."""
    cookie = cookie_of(found.sign_in(base_url=f"{scheme}://localhost/"))
    assert (cookie["name"], cookie["path"], cookie["samesite"]) == (COOKIE, "/", "Lax")
    assert ("httponly" in cookie, "secure" in cookie, "domain" in cookie) == (True, secure, False)
    assert cookie["max-age"] == str(7 * 86400)


def test_the_cookie_stays_below_the_prefix(tmp_path: Path) -> None:
    """Another application on the same host gets nothing of it."""
    found = site(tmp_path, ASKED, '[server]\nbase_path = "/lab/notes"\n')
    found.credentials.set_password(PASSWORD)
    answer = found.ask("POST", "/lab/notes/login", data={"password": PASSWORD, "next": "/?text=b"})
    assert cookie_of(answer)["path"] == "/lab/notes"
    assert answer.headers["Location"] == "/lab/notes/?text=b"
    led = found.ask("GET", "/lab/notes/docs", Accept=BROWSER, Cookie="")
    assert led.status_code == 200
    found.ask("POST", "/lab/notes/logout")
    led = found.ask("GET", "/lab/notes/docs", Accept=BROWSER)
    assert led.headers["Location"] == "/lab/notes/login?next=/docs"


@pytest.mark.parametrize(
    "value", ["", "page", "page.aaaa.bbbb", "page..", "\\", '"', "x" * 3000, "{other}", "{late}"]
)
def test_a_cookie_that_is_made_up_lets_nobody_in(
    found: Site, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither without a signature, nor with another secret's, nor of a time that is over."""
    with monkeypatch.context() as patch:
        patch.setattr(TimestampSigner, "get_timestamp", lambda _: 1_700_000_000)
        late = ways.session_of(found.credentials.read().secret)
    made = {"{other}": ways.session_of("0" * 64), "{late}": late}
    found.client.set_cookie(COOKIE, made.get(value, value))
    assert found.predict().status_code == 403
    assert found.open().status_code == 303


def test_a_new_password_ends_the_session(found: Site) -> None:
    """Who came in with the old one is asked again, without a restart."""
    found.sign_in()
    assert_answered(found.predict())
    found.credentials.set_password(PASSWORD)
    assert found.predict().status_code == 403


def test_who_signs_out_is_asked_again(found: Site) -> None:
    """The page offers it as a form, which needs no script."""
    found.sign_in()
    (form,) = [one for one in Page(found.open().text).all("form")
               if one.attributes.get("action") == "/logout"]  # fmt: skip
    assert form.attributes["method"] == "post"
    answer = found.ask("POST", "/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert found.predict().status_code == 403


@pytest.mark.parametrize(
    ("path", "login"),
    [
        ("/", "/login?next=/"),
        ("/?text=a%20b&model=crc", "/login?next=/%3Ftext%3Da%2520b%26model%3Dcrc"),
        ("/docs", "/login?next=/docs"),
    ],
)
def test_a_browser_is_led_to_the_password_and_back(found: Site, path: str, login: str) -> None:
    """Back to the very page with all that its address says."""
    led = found.open(path)
    assert (led.status_code, led.headers["Location"]) == (303, login)
    onward = Page(found.open(login).text).all("input", name="next")[0].attributes["value"]
    back = found.ask("POST", "/login", data={"password": PASSWORD, "next": onward})
    assert (back.status_code, back.headers["Location"]) == (303, path)


@pytest.mark.parametrize(
    "onward",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "javascript:alert(1)",
     "/a\r\nSet-Cookie: x=y", "/\t/evil.example", "", "/ x", "\\\\evil.example", "/a\\b"],
)  # fmt: skip
def test_the_password_leads_to_no_other_site(found: Site, onward: str) -> None:
    """What is no path of this site leads to its first page."""
    page = found.ask("GET", "/login", query_string={"next": onward})
    assert Page(page.text).all("input", name="next")[0].attributes["value"] == "/"
    answer = found.ask("POST", "/login", data={"password": PASSWORD, "next": onward})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_htmx_is_led_to_the_password_and_back(found: Site) -> None:
    """A form whose session has ended leaves the whole page, and comes back to it."""
    answer = found.send_form(
        HX_Request="true", HX_Current_URL="http://localhost/?text=b", Sec_Fetch_Site="same-origin"
    )
    assert answer.status_code == 403
    assert answer.headers["HX-Redirect"] == "/login?next=/%3Ftext%3Db"


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_another_site_signs_nobody_in_or_out(found: Site, path: str) -> None:
    """Who is signed in stays so."""
    foreign = {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"}
    found.sign_in()
    refused = found.ask("POST", path, data={"password": PASSWORD}, **foreign)
    assert (refused.status_code, refused.headers.getlist("Set-Cookie")) == (403, [])
    assert_answered(found.predict())


def test_another_site_sends_nothing_with_the_cookie(found: Site) -> None:
    """Should a browser send it along, /predict and the page refuse."""
    found.sign_in()
    for foreign in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert found.predict(**foreign).status_code == 403
        page = found.send_form(**foreign)
        assert page.status_code == 403
        assert "The form was sent from another site." in page.text


def test_guessing_is_slow(found: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten attempts an address has to wait, whatever it gives; another one need not."""
    asked = []

    def is_password(_: Credentials, text: str) -> bool:
        asked.append(text)
        return text == PASSWORD

    monkeypatch.setattr(Credentials, "is_password", is_password)
    guesses = [found.sign_in(f"guess {number}").status_code for number in range(10)]
    assert guesses == [403] * 10
    late = found.sign_in()
    assert late.status_code == 429
    assert re.fullmatch(r"[1-6]", late.headers["Retry-After"])
    assert "That was too often. Try again in" in Page(late.text).by_id("wrong").text
    assert len(asked) == 10
    assert found.sign_in(environ_base={"REMOTE_ADDR": "192.0.2.8"}).status_code == 303


def test_a_large_form_is_refused(found: Site) -> None:
    """A password has a few bytes."""
    answer = found.ask("POST", "/login", data={"password": "x" * 70_000})
    assert answer.status_code == 413


def test_the_page_of_the_password_shows_nothing_else(tmp_path: Path) -> None:
    """It stands alone: its looks and the maker's are everybody's, the rest is not shown."""
    found = site(tmp_path, ASKED, '[theme]\nlogo = "logo.png"\n',
                 lambda app: (app / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n"))  # fmt: skip
    page = found.open("/login")
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert SHORT_NOTE.strip()[:4] not in page.text
    linked = {one.attributes.get("href") or one.attributes.get("src")
              for tag in ("link", "script", "img") for one in Page(page.text).all(tag)}  # fmt: skip
    assert "/files/logo.png" in linked
    for address in linked - {None}:
        with found.ask("GET", str(address)) as answer:
            assert answer.status_code == 200, address
    assert Page(page.text).all("a", href="/docs") == []


def test_the_page_speaks_the_applications_language(tmp_path: Path) -> None:
    """Every text of it stands in the catalogue."""
    found = site(tmp_path, ASKED, prepare=write_pseudo)
    page = found.open("/login")
    assert Page(page.text).all("button")[0].text == accented("Sign in")
    assert accented("Password") in page.text
    assert f'lang="{LANGUAGE}"' in page.text
