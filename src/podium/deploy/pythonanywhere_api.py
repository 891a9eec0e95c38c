"""How PythonAnywhere is asked: with its own client; and what its errors mean, in one place."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from podium.errors import DeployError, MissingExtra

TIMEOUT_S: Final = 300.0
WAIT_S: float = 60.0
"""How long is waited where the platform does not say, after more than 40 requests in a minute."""
PATIENCE: Final = 10
_LOGIN: Final = (
    "Make an API token on the page Account, API token, and set API_TOKEN for `podium deploy` alone."
)
_FULL: Final = re.compile(r"quota|no space left", re.IGNORECASE)
_WAYS_OUT: Final[dict[int, str]] = {
    HTTPStatus.FORBIDDEN: "The token may not do that: it is that of one account, and names and "
                          "folders of others are closed to it.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Make the models smaller (podium optimize), or leave out "
                                         "what is not needed (.podiumignore).",
}  # fmt: skip


class Refused(DeployError):
    """The platform does not do as asked; `status` is that of its answer."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class Api:
    """The API of one account, at `site`; `say` is told what is waited for."""

    def __init__(self, username: str, site: str) -> None:
        try:
            from pythonanywhere_core.base import call_api
        except ImportError as err:
            raise MissingExtra("PythonAnywhere", "pythonanywhere") from err
        self._call = call_api
        self._username, self._site = username, site
        self._url = f"https://{site}/api/v0/user/{username}/"
        self.say: Callable[[str], None] = lambda _line: None

    def page(self, path: str) -> str:
        """Return the address of a page of the account, for browsers."""
        return f"https://{self._site}/user/{self._username}/{path}"

    def get(self, path: str) -> Any:
        """Return what is there: JSON, or the bytes of a file; None where nothing is.

        Raises:
            DeployError: the platform refuses, or cannot be reached.
        """
        try:
            answer = self.ask("GET", path)
        except Refused as err:
            if err.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        is_json = "application/json" in answer.headers.get("Content-Type", "")
        return answer.json() if is_json else answer.content

    def delete(self, path: str) -> None:
        """Remove what is there; what is gone already is no mistake.

        Raises:
            DeployError: the platform refuses, or cannot be reached.
        """
        try:
            self.ask("DELETE", path)
        except Refused as err:
            if err.status != HTTPStatus.NOT_FOUND:
                raise

    def upload(self, path: str, content: bytes | Path) -> None:
        """Write a file whole; folders above it are made.

        Raises:
            DeployError: the platform refuses, or cannot be reached.
        """
        data = content.read_bytes() if isinstance(content, Path) else content
        if len(data) > 1_000_000:
            self.say(f"  {len(data) / 1e6:,.1f} MB ...")
        self.ask("POST", path, files={"content": data})

    def ask(self, method: str, path: str, **sent: Any) -> Any:
        """Return an answer; after too many requests in a minute it waits.

        Raises:
            Refused: the platform refuses.
            DeployError: there is no token, or nobody answers.
        """
        for _ in range(PATIENCE):
            answer = self._asked(method, path, sent)
            if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                break
            after = str(answer.headers.get("Retry-After", ""))
            wait_s = float(after) if after.isdigit() else WAIT_S
            self.say(f"  It takes 40 requests a minute: waiting {wait_s:.0f} s ...")
            time.sleep(wait_s)
        if not answer.ok or _failed(answer):
            raise Refused(_refusal(method, path, answer), answer.status_code)
        return answer

    def _asked(self, method: str, path: str, sent: Mapping[str, Any]) -> Any:
        from pythonanywhere_core.exceptions import AuthenticationError, NoTokenError
        from requests.exceptions import RequestException

        try:
            return self._call(f"{self._url}{path}", method, timeout=TIMEOUT_S, **sent)
        except NoTokenError as err:
            raise DeployError(f"There is no API token. {_LOGIN}") from err
        except AuthenticationError as err:
            raise DeployError(
                f"{self._site} does not know the token in API_TOKEN. {_LOGIN} An account in the EU "
                'has another host: [deploy.pythonanywhere] host = "eu.pythonanywhere.com". Then '
                "run it again: it goes on."
            ) from err
        except RequestException as err:
            raise DeployError(
                f"{self._site} cannot be reached: {err} Look at the network, and run it again: it "
                "goes on."
            ) from err


def is_full(told: str) -> bool:
    """Whether something was refused because the disk has no room."""
    return _FULL.search(told) is not None


def full(told: str) -> str:
    """Return what is said where the disk has no room."""
    return (
        f"{told.rstrip('.')}. The account's disk is full. Remove what is not needed there "
        "(du -hs /tmp ~/.[!.]* ~/* | sort -h lists it), or make the models smaller (podium "
        "optimize), and run it again: it goes on."
    )


def _failed(answer: Any) -> bool:
    """Whether an answer that looks well tells of an error, as that to a new web app may."""
    if "application/json" not in answer.headers.get("Content-Type", ""):
        return False
    told = answer.json()
    return isinstance(told, dict) and told.get("status") == "ERROR"


def _told(answer: Any) -> str:
    """Return what an answer says, whichever of its shapes it has."""
    if "application/json" not in answer.headers.get("Content-Type", ""):
        return str(answer.reason)
    told = answer.json()
    if isinstance(told, dict):
        for key in ("detail", "error_message", "message", "error"):
            if told.get(key):
                return str(told[key])
    return str(answer.text)[:300]


def _refusal(method: str, path: str, answer: Any) -> str:
    told = _told(answer)
    what = f"{method} {path}: {told.rstrip('.')} ({answer.status_code})"
    return (
        full(what) if is_full(told) else f"{what}. {_WAYS_OUT.get(answer.status_code, '')}".rstrip()
    )
