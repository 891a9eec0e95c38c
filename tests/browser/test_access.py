"""A visitor meets the password: signs in, is let in, comes back when the session has ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from podium.keys import CredentialsFile
from tests.browser.conftest import opened
from tests.browser.sound import check_sound
from tests.support.apps import write_notes
from tests.support.server import running

PASSWORD = "a few words, easy to say"  # noqa: S105  made up


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, CredentialsFile]]:
    """The address of an application that asks for the password, and where it is kept."""
    folder = tmp_path_factory.mktemp("access")
    app = write_notes(folder / "app")
    toml = app / "podium.toml"
    toml.write_text(toml.read_text() + '[access]\nrequire = ["password"]\n')
    with running(folder, "serve", str(app)) as server:
        (state,) = (folder / "state").iterdir()
        credentials = CredentialsFile(state)
        credentials.set_password(PASSWORD)
        yield f"http://127.0.0.1:{server.client.port}", credentials


def sign_in(page: Page) -> None:
    """Give the password on the page that asks for it."""
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_visitor_signs_in_and_out(
    browser: Browser, served: tuple[str, CredentialsFile], scripts: bool
) -> None:
    """With scripts and without: from the password to the answer, and back at the password."""
    address, _ = served
    with opened(browser, may_fail=True, scripts=scripts) as page:
        page.goto(f"{address}/?text=b")
        expect(page).to_have_title("Sign in · Notes")
        page.get_by_label("Password").fill("wrong horse battery")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("This is not the password.")
        sign_in(page)
        expect(page.get_by_label("Text")).to_have_value("b")
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#answer")).to_contain_text("1,908,338,681")
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_title("Sign in · Notes")


def test_a_session_that_ends_leads_to_the_password_and_back(
    bare: Page, served: tuple[str, CredentialsFile]
) -> None:
    """The click leaves for the password, which leads back to the page it was made on."""
    address, credentials = served
    bare.goto(address)
    sign_in(bare)
    bare.get_by_label("Text").fill("a")
    credentials.set_password(PASSWORD)
    bare.get_by_role("button", name="Predict").click()
    expect(bare).to_have_title("Sign in · Notes")
    sign_in(bare)
    expect(bare.get_by_label("Text")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_of_the_password_is_sound(
    page: Page, served: tuple[str, CredentialsFile], dark: bool
) -> None:
    """It can be read and used by everybody, light and dark."""
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.goto(f"{served[0]}/login")
    check_sound(page)
