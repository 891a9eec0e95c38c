"""All files of a container's folder: text made from the facts, and what is copied."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from podium.app import sources_of
from podium.bundle.files import Bundle
from podium.container.compose import compose
from podium.container.dockerfile import dockerfile
from podium.container.facts import Container
from podium.folder import Parsed
from podium.production.nginx import nginx_files
from podium.runtimes import model_files

IGNORE: Final = """\
# Written by podium build, which writes it anew. The image needs nothing else.
*
!requirements.txt
!wheels
!app
!models
"""

Files = dict[str, str | Path]
"""By a file's path in the folder its text, or the file that is copied there."""


def render(container: Container, bundle: Bundle, models: frozenset[Path], wheel: Path) -> Files:
    """Return every file of the folder; `models` are the files that make the models."""
    lock = container.lock
    return {
        "Dockerfile": dockerfile(container),
        "compose.yaml": compose(container),
        ".dockerignore": IGNORE,
        "requirements.txt": lock.text if lock else container.packages.text,
        f"wheels/{container.wheel}": wheel,
        **nginx_files(container.site),
        **{f"{'models' if file.path.resolve() in models else 'app'}/{file.name}": file.path
           for file in bundle.files},
    }  # fmt: skip


def files_of_models(parsed: Parsed, folder: Path) -> frozenset[Path]:
    """Return the files that make an application's models."""
    sources = [one for spec in parsed.spec.models for one in sources_of(folder, spec)]
    return frozenset(
        file.resolve() for one in sources for file in model_files(one.file, one.runtime)
    )
