"""Programs are loaded only when the maker vouches for their very bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from podium.errors import UntrustedModel
from podium.runtimes.base import Source


def require_trust(source: Source, files: Sequence[Path], risk: str, remedy: str) -> None:
    """Return if [[models]] trust is the sha256 of the model.

    `risk` says what the model is, such as "is a pickle, which runs code when it is loaded";
    `remedy` is the safe way to save it again.

    Raises:
        UntrustedModel: naming the file, the risk, the remedy, and the sha256 to vouch for.
    """
    digest = sha256(source.file, files)
    if source.trust == digest:
        return
    told = "" if source.trust is None else " It is not the one that trust names."
    raise UntrustedModel(
        f"{source.file.name} {risk}.{told} {remedy} Only if you know who made it and what is in "
        f'it: trust = "{digest}" in its [[models]] table.'
    )


def sha256(file: Path, files: Sequence[Path]) -> str:
    """Return a file's sha256; a folder's is that of its sorted "path sha256" lines."""
    if not file.is_dir():
        return _sha256(file)
    lines = sorted(f"{one.relative_to(file).as_posix()} {_sha256(one)}\n" for one in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
