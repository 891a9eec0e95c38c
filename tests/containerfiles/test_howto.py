"""The how-to tells what the files hold."""

from __future__ import annotations

import re
from pathlib import Path

from podium.container.compose import NGINX_IMAGE
from podium.container.facts import USER
from podium.errors import PYTORCH_INDEX
from tests.containerfiles.cases import CASES, texts

HOWTO = (Path(__file__).parents[2] / "docs" / "howto" / "container.md").read_text("utf-8")


def test_every_variable_is_told() -> None:
    """What compose.yaml and the Dockerfile take from the environment stands in the how-to."""
    made = "".join(texts(CASES["torch"]).values())
    asked = set(re.findall(r"\$\{([A-Z_]+)", made)) | {"PODIUM_DATABASE", "PODIUM_RATE_STORE"}
    assert asked == set(re.findall(r"\b(?:PODIUM|PYTHON|PYTORCH|NGINX)_[A-Z_]+\b", HOWTO))


def test_what_is_told_is_so() -> None:
    """Images, the index and the user are those of the files."""
    told = [NGINX_IMAGE, PYTORCH_INDEX, f"user {USER}", "python:3.11-slim-bookworm"]
    assert [one for one in told if one not in HOWTO.replace("User", "user")] == []
