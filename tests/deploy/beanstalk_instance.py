"""An instance of Elastic Beanstalk: a bundle's Procfile, run behind an nginx as its platform's."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tests.support.front import free_ports
from tests.support.missing import program

VARIABLES = "aws:elasticbeanstalk:application:environment"
KEPT = ("PATH", "HOME", "LANG")
"""What of the tests' environment reaches an instance: nothing that would help it."""
BODY = "127.0.0.1:8000"
"""Where the platform's nginx asks, unless PORT says otherwise."""
CONFIGURATION = """\
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 128; }}
http {{
    access_log off;
    {temporary}
    include {proxy}/conf.d/*.conf;
    server {{
        listen 127.0.0.1:{port} default_server;
        client_header_timeout 60;
        client_body_timeout 60;
        keepalive_timeout 60;
        include {proxy}/conf.d/elasticbeanstalk/*.conf;
    }}
}}
"""
"""As the platform's own nginx.conf, which the project knows only by its documentation."""
LOCATION = """\
location / {{
    proxy_pass http://{body};
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
}}
"""


class Instance:
    """One machine: what is deployed to it replaces what was there, but for what lies elsewhere."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs = folder, programs
        folder.mkdir(parents=True)
        self.port, self._own_port = free_ports()
        self._running: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Where visitors reach nginx."""
        return f"127.0.0.1:{self.port}"

    @property
    def current(self) -> Path:
        """The folder of the application, in which processes start."""
        return self.folder / "current"

    def deploy(self, bundle: bytes, options: Mapping[tuple[str, str], str]) -> None:
        """Start what a bundle holds; options that were set directly win over its own."""
        self.stop()
        nginx = self.unpack(bundle)
        told = {name: value for (space, name), value in {**self.settings(), **options}.items()
                if space == VARIABLES}  # fmt: skip
        self._start("nginx", [program("nginx", "nginx"), "-e", str(self.folder / "error.log"),
                              "-c", str(nginx)], {})  # fmt: skip
        for line in (self.current / "Procfile").read_text().splitlines():
            name, _, command = line.partition(": ")
            self._start(name, ["/bin/sh", "-c", f"exec {command}"], told)

    def unpack(self, bundle: bytes) -> Path:
        """Put a bundle in the place of what was there, and return the file that nginx reads."""
        shutil.rmtree(self.current, ignore_errors=True)
        with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
            archive.extractall(self.current)
        return self._nginx()

    def settings(self) -> dict[tuple[str, str], str]:
        """Return the options that the bundle sets."""
        found = {}
        for file in sorted(self.current.glob(".ebextensions/*.config")):
            options = json.loads(file.read_text())["option_settings"]
            found.update({(space, name): value for space, named in options.items()
                          for name, value in named.items()})  # fmt: skip
        return found

    def ready(self) -> bool | None:
        """Whether the application answers; None where a process has ended."""
        if any(process.poll() is not None for process in self._running):
            return None
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", "/readyz?worker")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False

    def log(self) -> str:
        """Return the end of its logs, as the platform puts them together."""
        line = "-" * 40
        return "".join(f"{line}\n/var/log/{path.name}\n{line}\n{path.read_text()}\n"
                       for path in sorted(self.folder.glob("*.stdout.log")))  # fmt: skip

    def stop(self) -> None:
        """End its processes."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            process.wait(30)
        self._running.clear()

    def _start(self, name: str, command: list[str], told: Mapping[str, str]) -> None:
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        here = {"PATH": path, "PORT": str(self._own_port), "PYTHONUNBUFFERED": "1",
                "PODIUM_STATE": str(self.folder / "state")}  # fmt: skip
        with (self.folder / f"{name}.stdout.log").open("wb") as log:
            self._running.append(subprocess.Popen(  # noqa: S603  a list; sh as the platform does
                command, cwd=self.current, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**{one: os.environ[one] for one in KEPT if one in os.environ}, **told, **here},
            ))  # fmt: skip

    def _nginx(self) -> Path:
        """Write nginx's files: the platform's, and the bundle's over them."""
        proxy, body = self.folder / "proxy", f"127.0.0.1:{self._own_port}"
        shutil.rmtree(proxy, ignore_errors=True)
        server = proxy / "conf.d" / "elasticbeanstalk"
        server.mkdir(parents=True)
        (server / "00_application.conf").write_text(LOCATION.format(body=body))
        own = self.current / ".platform" / "nginx"
        if own.is_dir():
            shutil.copytree(own, proxy, dirs_exist_ok=True)
        for file in proxy.rglob("*.conf"):
            file.write_text(file.read_text().replace(BODY, body))
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {self.folder / kind}; " for kind in kinds)
        made = proxy / "nginx.conf"
        made.write_text(CONFIGURATION.format(
            user="user root;\n" if os.geteuid() == 0 else "", folder=self.folder, proxy=proxy,
            port=self.port, temporary=temporary,
        ))  # fmt: skip
        return made
