"""`python -m benchmarks.front FOLDER PORT [--tls]`: an application behind nginx, until SIGTERM.

nginx and Gunicorn are set up by Podium's own files; the site's are in a folder of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests.support.front import write_site

from podium.cpus import available_cpus
from podium.folder import parse
from podium.operate.self_signed import self_signed
from podium.production.gunicorn import serve_command
from podium.production.nginx import nginx_command
from podium.production.site import Site

DOMAIN = "127.0.0.1"
STOP_S = 15.0


def site_of(app: Path, folder: Path, port: int, tls: bool) -> Site:
    """Return the facts of a site that is reached at one port; where TLS is, HTTP has the next."""
    return Site(
        name="benchmark", folder=folder, state=folder / "state" / "benchmark",
        spec=parse(app).spec, domain=DOMAIN, http_port=port + 1 if tls else port, https_port=port,
        certificate=self_signed(DOMAIN, folder / "tls") if tls else None,
        workers=available_cpus(), user="root" if os.geteuid() == 0 else "",
    )  # fmt: skip


def main(app: Path, port: int, tls: bool) -> None:
    """Run both programs until one ends, or this one is told to."""
    signal.signal(signal.SIGTERM, _end)
    with tempfile.TemporaryDirectory(prefix="podium-") as made:
        site = site_of(app.resolve(), Path(made), port, tls)
        write_site(site)
        site.live.symlink_to(site.socket("a"))
        command, more = serve_command(site, "a", app.resolve())
        front = nginx_command(site, shutil.which("nginx") or "nginx")
        programs = [
            subprocess.Popen(command, env={**os.environ, **more}),  # noqa: S603
            subprocess.Popen(front),  # noqa: S603
        ]
        try:
            programs[0].wait()
        finally:
            for one in programs:
                one.terminate()
            for one in programs:
                one.wait(STOP_S)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), "--tls" in sys.argv)
