"""What stands in for `docker` where there is no engine: it keeps what it is given, as folders.

python docker_stand_in.py REGISTRY COMMAND...; a file `denied` in the registry refuses a push.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

REFUSED = "denied: Permission artifactregistry.repositories.uploadArtifacts denied on resource"


def installed(programs: Path, registry: Path) -> None:
    """Make it the `docker` of a folder of programs."""
    for folder in (programs, registry):
        folder.mkdir(parents=True, exist_ok=True)
    docker = programs / "docker"
    docker.write_text(f'#!/bin/sh\nexec {sys.executable} -S {__file__} {registry} "$@"\n')
    docker.chmod(0o755)


def main(registry: Path, *command: str) -> int:
    """Build, push or tell of an image; return the exit code."""
    with (registry / "calls").open("a") as calls:
        calls.write(f"docker {' '.join(command)}\n")
    image = command[command.index("--tag") + 1] if "--tag" in command else command[-1]
    built, pushed = (registry / folder / quote(image, safe="") for folder in ("built", "pushed"))
    if command[0] == "build":
        shutil.copytree(command[-1], built, dirs_exist_ok=True)
        print(f"naming to {image} done")
    elif command[0] == "push":
        if (registry / "denied").exists():
            print(REFUSED)
            return 1
        shutil.copytree(built, pushed, dirs_exist_ok=True)
        print(f"{image}: digest: sha256:{'0' * 64} size: 1234")
    elif not pushed.is_dir():
        print(f"no such manifest: {image}", file=sys.stderr)
        return 1
    else:
        print(json.dumps({"Ref": image, "Descriptor": {"digest": f"sha256:{'0' * 64}"}}))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
