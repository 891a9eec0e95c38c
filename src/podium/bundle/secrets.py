"""Files that must not leave this machine: told by their names, and by a private key in them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

_HEAD: Final = 1_000_000
"""How many bytes of a file are looked at: a key stands alone, or in settings."""
_PRIVATE_KEY: Final = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])+[A-Za-z0-9+/=]{8}"
)
_HARMLESS: Final = (".env.example", ".env.sample", ".env.template", ".env.dist")
_NAMES: Final = {
    "holds settings of an environment, with their secrets": (".env", ".env.*", "*.env", ".envrc"),
    "holds passwords": (".netrc", "_netrc", ".pgpass", "pgpass.conf", ".my.cnf", ".htpasswd",
                        "*.kdbx"),
    "holds credentials": (".git-credentials", ".pypirc", ".npmrc", ".dockercfg", ".boto",
                          "credentials.json", "application_default_credentials.json",
                          "gha-creds-*.json", "accesskeys.csv", "*_accesskeys.csv"),
    "is a private key": ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.ppk", "*.p12", "*.pfx",
                         "*.jks", "*.keystore"),
}  # fmt: skip
_WAY_OUT: Final = (
    "Move it out of the folder, or name it in .podiumignore; the application gets secrets from "
    "its environment."
)


def risk_of(name: str, path: Path) -> str:
    """Return why a file must not go along, and the way out; "" where it may."""
    plain = PurePosixPath(name).name.lower()
    if plain in _HARMLESS:
        return ""
    for risk, patterns in _NAMES.items():
        if any(fnmatchcase(plain, pattern) for pattern in patterns):
            return f"{risk}. {_WAY_OUT}"
    try:
        with path.open("rb") as stream:
            held = _PRIVATE_KEY.search(stream.read(_HEAD))
    except OSError as err:
        return f"cannot be read: {err.strerror}. Change that, or name it in .podiumignore."
    return f"holds a private key. {_WAY_OUT}" if held else ""
