"""What the page, its docs and the API's description say of [access]."""

from __future__ import annotations

from pathlib import Path

import pytest
from openapi_spec_validator import validate

from podium.check import check_application
from podium.jobs.state import state_folder
from podium.keys import CredentialsFile
from tests.support.apps import write_notes
from tests.support.client import BROWSER
from tests.support.page import Page
from tests.web.access import bearer, site

SHOWN = "Authorization: Bearer YOUR_KEY"


def test_the_description_names_the_key_and_the_refusals(tmp_path: Path) -> None:
    """It is a valid OpenAPI document, in which health alone needs no key."""
    found = site(tmp_path, 'require = ["key"]\nrate = "10/s"')
    key = bearer(found.credentials.add("ci"))
    api = found.ask("GET", "/openapi.json", Authorization=key).get_json()
    validate(api)
    scheme = api["components"]["securitySchemes"]["key"]
    assert (scheme["type"], scheme["scheme"], api["security"]) == ("http", "bearer", [{"key": []}])
    open_paths = {path for path, item in api["paths"].items()
                  for one in item.values() if isinstance(one, dict) and one.get("security") == []
                  }  # fmt: skip
    assert open_paths == {"/healthz", "/readyz"}
    responses = api["paths"]["/predict"]["post"]["responses"]
    assert {"401", "403", "429"} <= set(responses)
    assert "WWW-Authenticate" in responses["401"]["headers"]
    assert "429" not in api["paths"]["/models"]["get"]["responses"]


@pytest.mark.parametrize("access", ["", 'rate = "10/s"'])
def test_the_description_of_an_open_application_names_no_key(tmp_path: Path, access: str) -> None:
    """What is not asked for is not described."""
    api = site(tmp_path, access).ask("GET", "/openapi.json").get_json()
    validate(api)
    assert ("security" in api, "securitySchemes" in api["components"]) == (False, False)
    responses = set(api["paths"]["/predict"]["post"]["responses"])
    assert {"401", "403"} & responses == set()
    assert ("429" in responses) is bool(access)


@pytest.mark.parametrize(("access", "shows"), [("", False), ('require = ["key", "header"]', True)])
def test_the_calls_show_a_key_where_one_is_needed(tmp_path: Path, access: str, shows: bool) -> None:
    """On the page in each language, and in the docs on each line of curl."""
    found = site(tmp_path, access, "[server]\nproxies = 1\n")
    page = Page(found.open(X_Remote_User="ann").text)
    codes = [page.by_id(f"call-{one}").raw for one in ("curl", "python", "javascript")]
    assert [("YOUR_KEY" in code) for code in codes] == [shows] * 3
    docs = Page(found.ask("GET", "/docs", Accept=BROWSER, X_Remote_User="ann").text)
    lines = [one.raw for one in docs.all("pre") if one.raw.startswith("curl ")]
    assert len(lines) == 7
    assert [(SHOWN in line) for line in lines] == [shows] * 7


def test_check_tells_which_way_is_not_set_up(tmp_path: Path) -> None:
    """As notes, which fail nothing; none once it is, or where nobody is asked."""
    app = write_notes(tmp_path / "app")
    state = tmp_path / "state"
    assert check_application(app, state).notes == ()
    assert not state.exists()
    toml = app / "podium.toml"
    toml.write_text(toml.read_text() + '[access]\nrequire = ["key"]\n')
    report = check_application(app, state)
    assert (report.passed, report.notes) == (
        True, (f'access.require: there is no "key" yet. Make one: podium keys add NAME {app}',),
    )  # fmt: skip
    assert not state.exists()
    CredentialsFile(state_folder(app, state).path).add("ci")
    assert check_application(app, state).notes == ()
