"""What a release has to show before it serves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import cast

import pytest

from podium.errors import ServeError
from podium.folder import parse
from podium.jobs.state import StateFolder
from podium.operate.asking import Door, Reply
from podium.operate.home import Home
from podium.operate.switch import _prove
from tests.support.visitors import write_offset


class Elsewhere:
    """A way through nginx that leads to the server before."""

    def is_alive(self) -> bool:
        """Some server answers."""
        return True

    def get(self, _path: str) -> Reply:
        """It is another release."""
        return Reply(200, json.dumps({"models": [], "release": "before"}).encode())


def test_release_that_nginx_does_not_lead_to_is_told(tmp_path: Path) -> None:
    """An answer through nginx counts only if the new release gives it."""
    app = write_offset(tmp_path / "app", 1)
    home = Home(StateFolder(tmp_path / "state"))
    with pytest.raises(ServeError, match=re.escape("nginx does not lead to release app: 200")):
        _prove(home, cast("Door", Elsewhere()), parse(app), app, app.name, asks=True)
