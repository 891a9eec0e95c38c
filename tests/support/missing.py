"""What a test needs and a machine may lack: a failure under CI, a named skip on a laptop."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str, package: str) -> str:
    """Return the path of a program that a Debian package brings."""
    return shutil.which(name) or missing(f"{name} is not installed: apt-get install {package}")


def missing(what: str) -> NoReturn:
    """Fail where everything must be there, else skip and name what is missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
