"""Images that stand in for the official ones: no registry is asked.

They are made of Debian's packages: the same system, Python's and nginx's same programs, though in
Debian's places and versions. They prove the files that Podium writes, not the official images.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from podium.container.compose import NGINX_IMAGE as NGINX
from tests.container.engine import Engine
from tests.support.missing import missing, program

SUITE = "bookworm"
DEBIAN = "debian:bookworm-slim"
PYTHON = "python:3.11-slim-bookworm"
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"

_SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
_LEFT_OUT = ("doc", "man", "locale")
_PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_INSTALL = "RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends"
_TIDY = "rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*"

_PYTHON = f"""FROM {DEBIAN}
{_INSTALL} python3 python3-venv python3-pip libpython3.11-dev \\
 && for name in python python3; do ln -s /usr/bin/python3.11 /usr/local/bin/$name; done \\
 && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && {_TIDY}
# What is built is of the versions that all other tests are run with.
COPY constraints.txt /etc/constraints.txt
ENV PIP_CONSTRAINT=/etc/constraints.txt
CMD ["python3"]
"""
_NGINX = f"""FROM {DEBIAN}
{_INSTALL} nginx-light \\
 && rm -rf /etc/nginx/sites-enabled/* && {_TIDY} && mkdir /var/log/nginx \\
 && ln -s /dev/stdout /var/log/nginx/access.log && ln -s /dev/stderr /var/log/nginx/error.log
EXPOSE 80
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
"""


def make_stand_ins(engine: Engine, kept: Path) -> None:
    """Give the engine the images that applications are built on; Debian's files lie in `kept`."""
    if sys.version_info[:2] != (3, 11):
        missing(f"Python 3.11 is needed, the one of Debian's {SUITE}")
    if not engine.has(DEBIAN):  # made anew, nothing of what is built on it would be found again
        engine.run("docker", "import", "--change", f"ENV {_PATH}", "--change", 'CMD ["bash"]',
                   str(_debian(kept)), DEBIAN)  # fmt: skip
    for name, image, text in (("python", PYTHON, _PYTHON), ("nginx", NGINX, _NGINX)):
        context = kept / name
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(text)
        shutil.copy(CONSTRAINTS, context)
        engine.run("docker", "build", "--tag", image, str(context))


def _debian(kept: Path) -> Path:
    """Make an archive of a small Debian, with this host's ways to packages and certificates."""
    file = kept / "debian.tar"
    if file.exists():
        return file
    sources = next((path for path in _SOURCES if path.exists()), None)
    if sources is None or SUITE not in sources.read_text():
        missing(f"This host's packages are not those of Debian's {SUITE}")
    new = kept / "new.tar"
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    subprocess.run(  # noqa: S603  the arguments are a list, not a shell's text
        [program("mmdebstrap", "mmdebstrap"), "--quiet", "--mode=root", "--variant=minbase",
         "--include=ca-certificates", "--dpkgopt=force-unsafe-io", *left_out,
         "--customize-hook=copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs",
         '--customize-hook=[ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$1/etc/pip.conf"',
         SUITE, str(new), str(sources)],
        stdin=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return new.rename(file)
