"""Scripts of other sites: they may call the API where they are listed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.web.access import assert_answered, bearer, site, told

LISTED = "https://example.org"
OTHER = "https://evil.example"
FOREIGN = "The form was sent from another site. Open this page itself and send it again."
ASKED = {"Access_Control_Request_Method": "POST"}


def cors_of(answer: TestResponse) -> dict[str, str]:
    """Return the headers by which a browser lets scripts read an answer."""
    return {name.removeprefix("Access-Control-"): value for name, value in answer.headers
            if name.startswith("Access-Control-")}  # fmt: skip


READABLE = {"Allow-Origin": LISTED, "Expose-Headers": "Location, Retry-After, X-Request-Id"}


@pytest.mark.parametrize("access", ["", 'cors = ["https://example.org"]'])
def test_no_other_site_reads_answers(tmp_path: Path, access: str) -> None:
    """Nothing is said to a site that is not listed, in no answer and no preflight."""
    found = site(tmp_path, access)
    assert_answered(found.predict(Origin=OTHER))
    for answer in (found.predict(Origin=OTHER), found.open(Origin=OTHER),
                   found.ask("OPTIONS", "/predict", Origin=OTHER, **ASKED)):  # fmt: skip
        assert cors_of(answer) == {}


@pytest.mark.parametrize("path", ["/predict", "/datasets", "/models", "/openapi.json",
                                  "/datasets/" + "0" * 32])  # fmt: skip
def test_a_preflight_is_answered_without_a_key(tmp_path: Path, path: str) -> None:
    """A browser asks first, and cannot show one; the answer is no more than the listing."""
    found = site(tmp_path, f'require = ["key"]\ncors = ["{LISTED}"]')
    answer = found.ask("OPTIONS", path, Origin=LISTED, **ASKED)
    assert (answer.status_code, answer.data) == (204, b"")
    assert cors_of(answer) == {
        "Allow-Origin": LISTED, "Allow-Methods": "GET, POST, DELETE",
        "Allow-Headers": "Authorization, Content-Type", "Max-Age": "600",
    }  # fmt: skip
    assert "Origin" in answer.vary


def test_a_listed_site_reads_answers_and_errors(tmp_path: Path) -> None:
    """A wrong value, a missing key and too many requests are told to its script, too."""
    found = site(tmp_path, f'require = ["key"]\ncors = ["{LISTED}"]\nrate = "3/min"')
    key = bearer(found.credentials.add("ci"))
    answer = found.predict(Origin=LISTED, Authorization=key)
    assert_answered(answer)
    wrong = found.ask("POST", "/predict", data=b"{", Content_Type="application/json",
                      Origin=LISTED, Authorization=key)  # fmt: skip
    models = found.ask("GET", "/models", Origin=LISTED, Authorization=key)
    found.predict(Authorization=key)
    answers = [answer, wrong, models, found.predict(Origin=LISTED),
               found.predict(Origin=LISTED, Authorization=key)]  # fmt: skip
    assert [one.status_code for one in answers] == [200, 400, 200, 401, 429]
    for one in answers:
        assert cors_of(one) == READABLE
        assert "Origin" in one.headers.getlist("Vary")


def test_all_sites_may_be_listed(tmp_path: Path) -> None:
    """Then a star stands there, with which no browser sends a cookie along."""
    found = site(tmp_path, 'cors = ["*"]')
    answer = found.predict(Origin=OTHER)
    assert_answered(answer)
    assert cors_of(answer)["Allow-Origin"] == "*"
    assert "Allow-Credentials" not in cors_of(answer)
    assert cors_of(found.predict()) == {}


def test_pages_are_for_no_other_site(tmp_path: Path) -> None:
    """Listed or not: what is for people is neither read nor sent from elsewhere."""
    found = site(tmp_path, f'cors = ["{LISTED}"]')
    assert cors_of(found.open(Origin=LISTED)) == {}
    assert cors_of(found.ask("OPTIONS", "/", Origin=LISTED, **ASKED)) == {}
    sent = found.ask("POST", "/", data={"text": "a"}, Origin=LISTED)
    assert told(sent) == (403, FOREIGN)


@pytest.mark.parametrize(("origin", "status"), [(LISTED, 202), (OTHER, 403)])
def test_a_listed_site_sends_data_sets(tmp_path: Path, origin: str, status: int) -> None:
    """As any program does; another site's page sends none."""
    found = site(tmp_path, f'cors = ["{LISTED}"]')
    sent = found.ask("POST", "/datasets?start=false", data=b"text\na\n", Content_Type="text/csv",
                     Origin=origin, Sec_Fetch_Site="cross-site")  # fmt: skip
    assert sent.status_code == status


def test_a_listed_site_has_nobodys_name(tmp_path: Path) -> None:
    """Who a proxy let in on this page is nobody to a script of that site, which shows a key."""
    found = site(tmp_path, f'require = ["header", "key"]\ncors = ["{LISTED}"]',
                 "[server]\nproxies = 1\n")  # fmt: skip
    assert told(found.predict(X_Remote_User="ann", Origin=LISTED)) == (403, FOREIGN)
    key = bearer(found.credentials.add("ci"))
    assert_answered(found.predict(Authorization=key, Origin=LISTED))
