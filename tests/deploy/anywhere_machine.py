"""The machine of an account at PythonAnywhere: its files, its consoles and its web worker."""

from __future__ import annotations

import http.client
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import podium
from tests.deploy import anywhere_worker

PACKAGES = os.pathsep.join([
    next(path for path in sys.path if path.endswith("site-packages")),
    str(Path(podium.__file__).parents[1]),
])  # fmt: skip
"""What is installed for the tests, and is so for the account too: nothing is downloaded."""
FORWARDED = ("content-type", "accept", "x-forwarded-for", "authorization")


class Machine:
    """Files below `root`, as the account sees them from its own /home and /var.

    In a console a virtual environment is made without a package, unless it is `real`; `breaks` is
    what is said there if it cannot be made.
    """

    def __init__(self, root: Path, username: str) -> None:
        self.root, self.home = root, root / "home" / username
        for folder in (self.home, root / "var/www", root / "var/log"):
            folder.mkdir(parents=True)
        self.real, self.breaks = False, ""
        self.typed: list[str] = []
        self._worker: subprocess.Popen[str] | None = None
        self._port = 0

    def path(self, name: str) -> Path | None:
        """Return the file of a name there; None where the account may not look."""
        path = Path(os.path.normpath(self.root / name.strip("/")))
        places = (self.home, self.root / "var/www", self.root / "var/log")
        return path if any(path.is_relative_to(place) for place in places) else None

    def type(self, line: str) -> str:
        """Run a line in a console, and return what it shows."""
        self.typed.append(line)
        if self.real:
            done = subprocess.run(  # noqa: S603  the installer's line, taken apart
                self._arguments(line), env=self._environment(), capture_output=True, text=True
            )
            return done.stdout + done.stderr
        folder = self.home / "podium" / line.split("/")[2] / "environments"
        name = line.split()[-1]
        if self.breaks:
            (folder / f"{name}.failed").write_text(self.breaks)
            return f"{self.breaks}\n"
        venv = [sys.executable, "-m", "venv", "--without-pip", str(folder / name)]
        subprocess.run(venv, check=True)  # noqa: S603  a list
        (folder / f"{name}.whole").touch()
        return "The packages are installed.\n"

    def start(self, domain: str, settings: Mapping[str, str]) -> None:
        """Start the web worker anew, with what lies there now."""
        self.stop()
        virtual = self.path(settings["virtualenv_path"])
        assert virtual is not None
        wsgi = self.root / "var/www" / f"{domain.replace('.', '_')}_wsgi.py"
        with self.log(domain, "error").open("w") as error:
            self._worker = subprocess.Popen(  # noqa: S603  a list
                [str(virtual / "bin/python"), anywhere_worker.__file__, str(wsgi)],
                cwd=self.home, env=self._environment(), text=True, stdout=subprocess.PIPE,
                stderr=error,
            )  # fmt: skip
        assert self._worker.stdout is not None
        told = self._worker.stdout.readline()
        self._port = int(told) if told else 0

    def stop(self) -> None:
        """End the web worker."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker, self._port = None, 0

    def log(self, domain: str, kind: str) -> Path:
        """Return where a log of a web app lies."""
        return self.root / "var/log" / f"{domain}.{kind}.log"

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, bytes]:
        """Return what the web worker answers, as status, content type and body."""
        if not self._port:
            return 502, "text/html", b"Something went wrong :-("
        told = {name: value for name, value in headers.items() if name.lower() in FORWARDED}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as asked:
            asked.request(method, target, body, {
                **told, "Host": headers["Host"], "X-Forwarded-Proto": "https",
                "X-Forwarded-For": ", ".join(filter(None, [told.get("X-Forwarded-For"), "::1"])),
            })  # fmt: skip
            answer = asked.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()

    def _arguments(self, line: str) -> list[str]:
        _python, program, *more = shlex.split(line.replace("~", str(self.home)))
        return [sys.executable, program, *more]

    def _environment(self) -> dict[str, str]:
        """Return what a process there finds: nothing of the tests but their packages."""
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "PYTHONPATH": PACKAGES}
