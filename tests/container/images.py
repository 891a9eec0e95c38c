"""Images that `podium build` makes of application folders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tests.container.engine import Engine
from tests.container.stand_ins import PYTHON


class Image(NamedTuple):
    """An image by its tag, the folder it was built from, and what the build said."""

    tag: str
    folder: Path
    told: str

    @property
    def made(self) -> list[str]:
        """The steps of the build that were carried out, and not found done."""
        steps = re.findall(r"^#(\d+) \[[^]]*\d+/\d+\] ((?!FROM ).*)$", self.told, re.M)
        done = set(re.findall(r"^#(\d+) CACHED$", self.told, re.M))
        return [words for number, words in steps if number not in done]


def build(engine: Engine, app: Path, *options: str, **environment: str) -> Image:
    """Build the image of an application folder, as its maker would: from the folder above it."""
    told = engine.run("podium", "build", app.name, *options, folder=app.parent, **environment)
    return Image(app.name, app.parent / f"{app.name}-container", told)


def above_base(engine: Engine, image: Image) -> int:
    """Return the bytes of an image's layers above those of its base image."""
    return engine.size(image.tag) - engine.size(PYTHON)
