"""Every page can be used by everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.sound import check_sound


@pytest.mark.parametrize("address", ["", "docs", "datasets", "models/bnn"])
def test_penguins(page: Page, penguins_url: str, address: str) -> None:
    """Each page of the penguins is sound before anything is sent."""
    page.goto(penguins_url + address)
    check_sound(page)
