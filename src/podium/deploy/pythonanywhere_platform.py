"""PythonAnywhere spoken to: what is there, one call after another, and its console."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from podium.deploy.pythonanywhere import (
    INSTALLED,
    USERNAME,
    There,
    address_of,
    domain_of,
    place_of,
    site_of,
    username_of,
    wsgi_path,
)
from podium.deploy.pythonanywhere_api import Api, Refused, full, is_full
from podium.deploy.pythonanywhere_files import is_ours, release_in, split
from podium.deploy.steps import Call
from podium.deploy.target import Deployment, Live, Say
from podium.errors import DeployError
from podium.operate.asking import public_door

POLL_S: float = 5.0
FOLLOW_S: float = 10.0
INSTALL_S: float = 1800.0
_RELEASE: Final = re.compile(r"([0-9a-f]{12}-3\.\d+-[0-9a-f]{12})(\.zip|\.json)?")
_ENVIRONMENT: Final = re.compile(r"3\.\d+-[0-9a-f]{12}")
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|[\x00-\x08\x0b-\x1f]")
_KILLED: Final = re.compile(r".*(?:killed by signal 9|out of memory).*", re.IGNORECASE)
_HUNG: Final = re.compile(r".*harakiri.*", re.IGNORECASE)
_RECENT: Final = 40
"""Lines at the end of the server's log that belong to the last start, at most."""


class PythonAnywherePlatform:
    """An account at PythonAnywhere."""

    def __init__(self, app: Deployment, environment: Mapping[str, str]) -> None:
        username = username_of(app, environment)
        if username == USERNAME:
            raise DeployError(
                "No account is named. Name yours: PYTHONANYWHERE_USERNAME, or in podium.toml:\n"
                '  [deploy.pythonanywhere]\n  username = "..."'
            )
        self._app, self._domain = app, domain_of(app)
        self._api = Api(username, site_of(app, environment))

    def look(self) -> Live:
        """Return what the account has of the application.

        Raises:
            DeployError: the domain serves something else, or the platform refuses.
        """
        place = f"files/path{place_of(self._app)}"
        web_apps = self._api.get("webapps/") or []
        web_app = next((one for one in web_apps if one["domain_name"] == self._domain), None)
        top = self._api.get(place) or {}
        begun = "domain" in top and _text(self._api.get(f"{place}/domain")) == self._domain
        named = self._named(begun) if web_app is not None else None
        served = _text(self._api.get(f"{place}/served")) if "served" in top else None
        versions = self._names(f"{place}/versions") if "versions" in top else set()
        releases = _releases(versions)
        names = self._names(f"{place}/environments") if "environments" in top else set()
        found = {name for name in names if _ENVIRONMENT.fullmatch(name)}
        whole = {name for name in found if f"{name}.whole" in names}
        version = self._running() if named is not None else None
        return Live(
            exists=bool(web_app or top), versions=tuple(releases), version=version,
            unfinished=named is not None and split(named)[0] != version,
            details={"there": There(
                web_app=web_app, releases=releases, parts=tuple(_parts(versions, releases)),
                environments=tuple(sorted(whole)), others=tuple(sorted(found - whole)),
                named=named, served=served, begun=begun,
            )},
        )  # fmt: skip

    def send(self, call: Call, files: Mapping[str, Path], say: Say) -> None:
        """Do what a step says.

        Raises:
            DeployError: the platform refuses, or packages cannot be installed.
        """
        self._api.say = say
        if call.operation == INSTALLED:
            _Console(self._api, call.payload, say).run()
            return
        method, _, path = call.operation.partition(" ")
        if method == "DELETE":
            self._api.delete(path)
        elif path.startswith("files/"):
            self._api.upload(path, files[call.file] if call.file else _content(call.payload))
        else:
            self._change(method, path, call.payload, say)

    def reason(self) -> str:
        """Return why it does not become ready: what its process died of, else its last error."""
        server = self._log("server")[-_RECENT:]
        killed = next((line for line in reversed(server) if _KILLED.match(line)), None)
        if killed is not None:
            return f"Its process was killed, as for more than 3 GB of memory: {killed.strip()}"
        hung = next((line for line in reversed(server) if _HUNG.match(line)), None)
        if hung is not None:
            return f"It took longer than five minutes: {hung.strip()}"
        lines = [line for line in self._log("error") if line.strip()]
        return f"Its error log ends: {lines[-1].strip()}" if lines else ""

    def logs(self, follow: bool) -> Iterator[str]:
        """Yield what the application has written since it was reloaded, and then what is new."""
        told: list[str] = []
        while True:
            lines = self._log("error")
            yield from lines[len(told) :] if lines[: len(told)] == told else lines
            told = lines
            if not follow:
                return
            time.sleep(FOLLOW_S)

    def _named(self, begun: bool) -> str | None:
        """Return the release that the WSGI file of the domain names.

        Raises:
            DeployError: the web app is not this application's.
        """
        wsgi = _text(self._api.get(f"files/path{wsgi_path(self._app)}")) or ""
        if is_ours(wsgi, self._app):
            return release_in(wsgi)
        if begun:
            return None
        raise DeployError(
            f"The account has a web app {self._domain!r} that is not {self._app.name!r} of "
            "`podium deploy`. Remove it on the page Web, or name another: [deploy.pythonanywhere] "
            'domain = "..." (a free account has one web app).'
        )

    def _running(self) -> str | None:
        """Return the version that answers visitors; that of the last reload, if it answers."""
        door = public_door(address_of(self._app), self._app.parsed.spec, {})
        try:
            told = door.get("/readyz?worker").json
        except (OSError, http.client.HTTPException):
            return None
        return told.get("release") if isinstance(told, dict) else None

    def _names(self, path: str) -> set[str]:
        """Return the names of what lies in a folder."""
        return set(self._api.get(path) or ())

    def _log(self, kind: str) -> list[str]:
        text = _text(self._api.get(f"files/path/var/log/{self._domain}.{kind}.log"))
        return (text or "").splitlines()

    def _change(self, method: str, path: str, payload: Mapping[str, Any], say: Say) -> None:
        try:
            self._api.ask(method, path, data=dict(payload))
        except Refused as err:
            if err.status != HTTPStatus.CONFLICT or not path.endswith("/reload/"):
                raise
            say(f"  {err}")  # it is reloaded, and no CNAME found for a domain of one's own


class _Console:
    """A console there, into which a line is typed; the API makes one, and a browser starts it."""

    def __init__(self, api: Api, payload: Mapping[str, Any], say: Say) -> None:
        self._api, self._say = api, say
        self._line: str = payload["line"]
        self._place: str = payload["working_directory"]
        self._whole, self._failed = payload["whole"], payload["failed"]
        self._shown = ""

    def run(self) -> None:
        """Type the line as soon as there is a console, and wait until it has done its work.

        Raises:
            DeployError: it fails, or takes too long.
        """
        self._api.delete(f"files/path{self._failed}")
        console, typed, asked = self._made(), False, False
        ends = time.monotonic() + INSTALL_S
        while not self._done():
            if time.monotonic() > ends:
                raise DeployError(f"Nothing was installed within {INSTALL_S / 60:.0f} minutes. "
                                  "Run it again: it goes on.")  # fmt: skip
            if console is not None and not typed:
                typed = self._typed(console)
            if not typed and not asked:
                asked = True
                self._tell(console)
            if typed:
                self._output(console)
            time.sleep(POLL_S)
        if console is not None:
            self._api.delete(f"consoles/{console}/")  # a free account has two

    def _done(self) -> bool:
        folder, _, whole = self._whole.rpartition("/")
        names = self._api.get(f"files/path{folder}") or ()
        if self._failed.rpartition("/")[2] in names:
            told = (_text(self._api.get(f"files/path{self._failed}")) or "").strip()
            told = f"The packages could not be installed: {told}"
            raise DeployError(full(told) if is_full(told) else told)
        return whole in names

    def _made(self) -> int | None:
        """Return a console of this application's own; None where the account has its share."""
        for one in self._api.get("consoles/") or ():
            if (one["executable"], one.get("working_directory")) == ("bash", self._place):
                return int(one["id"])
        sent = {"executable": "bash", "arguments": "", "working_directory": self._place}
        try:
            return int(self._api.ask("POST", "consoles/", data=sent).json()["id"])
        except Refused:
            return None

    def _typed(self, console: int) -> bool:
        """Type the line; whether the console takes it, as it does once a browser has opened it."""
        try:
            self._api.ask("POST", f"consoles/{console}/send_input/",
                          data={"input": f"{self._line}\n"})  # fmt: skip
        except Refused as err:
            if err.status not in (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_FOUND):
                raise
            return False
        return True

    def _tell(self, console: int | None) -> None:
        """Tell what the API cannot do."""
        steps = ["Now it is your turn: PythonAnywhere starts a console only for a browser."]
        if console is None:
            where = f"{self._api.page('consoles/')} and start a Bash console"
            line = f"2. Paste this line:\n       {self._line}"
        else:
            where = self._api.page(f"consoles/{console}/")
            line = ("2. This line is typed there by itself; if it is not, paste it:\n"
                    f"       {self._line}")  # fmt: skip
        steps += [f"1. Open {where}", line,
                  "3. Leave the page open until all is installed, some minutes. This goes on by "
                  "itself; ended meanwhile, run it again."]  # fmt: skip
        for step in steps:
            self._say(f"  {step}")

    def _output(self, console: int | None) -> None:
        """Tell the last whole line that the console shows, if it is new."""
        answer = self._api.get(f"consoles/{console}/get_latest_output/") or {}
        lines = _ESCAPES.sub("", answer.get("output", "")).splitlines()
        last = next((line.strip() for line in reversed(lines[:-1]) if line.strip()), "")
        if last not in ("", self._shown):
            self._shown = last
            self._say(f"  {last}")


def _releases(names: set[str]) -> dict[str, str]:
    """Return the releases that lie there whole, by their versions.

    One is so with its variables, which come last: of an archive a full disk may have kept a part.
    """
    found = sorted(match[1] for name in names if (match := _RELEASE.fullmatch(name)))
    return {split(release)[0]: release for release in found
            if f"{release}.json" in names and {release, f"{release}.zip"} & names}  # fmt: skip


def _parts(names: set[str], releases: Mapping[str, str]) -> Iterator[str]:
    """Yield the files of the releases that do not lie there whole."""
    for name in sorted(names):
        match = _RELEASE.fullmatch(name)
        if match and match[1] not in releases.values():
            yield name


def _content(payload: Mapping[str, Any]) -> bytes:
    """Return what a file holds that a step tells, as text or as JSON."""
    if "text" in payload:
        return str(payload["text"]).encode()
    return json.dumps(payload["json"], indent=2).encode()


def _text(content: Any) -> str | None:
    """Return what a file holds; the API may take a JSON file for an answer of its own."""
    if content is None or isinstance(content, str):
        return content
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else json.dumps(content)
