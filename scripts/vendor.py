"""Copies the pinned files of npm packages into the package, where the page finds them.

    vendor.py                      copy what pins.json says, each file checked by its hash
    vendor.py NAME@VERSION ...     first move these packages' pins to other versions

npm must be there; it fetches from the registry that it is configured for. Of packages that stand
inside of others' minified files, only the licence is copied.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parents[1] / "src" / "podium" / "web" / "static" / "vendor"
PINS = VENDOR / "pins.json"


def main(moves: list[str]) -> None:
    """Bring every pinned file; nothing is written when one is not what its pin says."""
    pins: dict[str, dict[str, Any]] = json.loads(PINS.read_text("utf-8"))
    for move in moves:
        name, _, version = move.rpartition("@")
        if name not in pins:
            sys.exit(f"{name!r} is not pinned. Pinned: {', '.join(pins)}")
        pins[name] |= {"version": version, "integrity": ""}
    bodies: dict[Path, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, pin in pins.items():
            archive = fetch(f"{name}@{pin['version']}", Path(folder))
            for inside, body in checked(archive, name, pin).items():
                bodies[place(name, inside)] = body
    for path, body in bodies.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
    PINS.write_text(json.dumps(pins, indent=2) + "\n", "utf-8")


def fetch(package: str, folder: Path) -> Path:
    """Return the archive of NAME@VERSION, fetched into `folder`."""
    command = ["npm", "pack", "--silent", package]
    done = subprocess.run(  # noqa: S603  the pins are ours
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"npm pack {package} failed:\n{done.stderr}")
    return folder / done.stdout.split()[-1]


def checked(archive: Path, name: str, pin: dict[str, Any]) -> dict[str, bytes]:
    """Return an archive's pinned files, by their paths in it; they must be what the pin says.

    A pin without an integrity takes over the hashes of what was fetched.
    """
    moved = not pin["integrity"]
    digest = hashlib.sha512(archive.read_bytes()).digest()
    found = {"integrity": "sha512-" + base64.b64encode(digest).decode(), "files": {}}
    bodies: dict[str, bytes] = {}
    with tarfile.open(archive) as tar:
        for inside in pin["files"]:
            stream = tar.extractfile(f"package/{inside}")
            bodies[inside] = stream.read() if stream else b""
            found["files"][inside] = hashlib.sha256(bodies[inside]).hexdigest()
    if not moved and pin != pin | found:
        sys.exit(f"{name} {pin['version']} is not what was pinned: expected {pin}, found {found}")
    pin |= found
    return bodies


def place(name: str, inside: str) -> Path:
    """Return where a package's file goes: scripts by their own names, licences by the package's."""
    file = Path(inside).name
    return VENDOR / file if file.endswith(".js") else VENDOR / "licences" / f"{name}.txt"


if __name__ == "__main__":
    main(sys.argv[1:])
