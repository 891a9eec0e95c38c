"""What tests say of models that are not trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podium.errors import UntrustedModel
from podium.runtimes import Source, load


def refusal(file: Path, **options: Any) -> str:
    """Return why a file or folder is refused."""
    with pytest.raises(UntrustedModel) as caught:
        load(Source.alone(file, **options))
    return str(caught.value)


def trust_in(message: str) -> str:
    """Return the sha256 that a refusal names."""
    return message.partition('trust = "')[2][:64]
