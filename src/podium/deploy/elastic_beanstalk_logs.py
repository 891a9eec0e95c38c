"""The end of the logs of an environment, as its platform gathers it when it is asked."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Final

from podium.deploy.elastic_beanstalk_session import Clients, date_of
from podium.errors import DeployError

POLL_S: float = 2.0
LONGEST_S: Final = 60.0
ASK_S: Final = 60.0
_PART: Final = re.compile(r"^-{10,}\n(/\S+)\n-{10,}\n", re.MULTILINE)
"""How the parts of the platform's log are told apart: a file's path between two lines."""
_OWN: Final = ("/var/log/web.stdout.log", "/var/log/worker.stdout.log")


def tail_of(aws: Clients, environment: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the last lines of the application's logs, by file; of all where it has none.

    Raises:
        DeployError: the platform does not gather them, or its storage does not give them.
    """
    what = {**environment, "InfoType": "tail"}
    since = date_of(aws.ask("RequestEnvironmentInfo", **what))
    ends = time.monotonic() + LONGEST_S
    while True:
        told = aws.ask("RetrieveEnvironmentInfo", **what)["EnvironmentInfo"]
        fresh = [one["Message"] for one in told if one["SampleTimestamp"] >= since]
        if fresh:
            break
        if time.monotonic() > ends:
            raise DeployError("The environment sends no logs. Look into the AWS console.")
        time.sleep(POLL_S)
    return _parts("\n".join(map(_fetched, fresh)))


def new_lines(before: Sequence[str], lines: Sequence[str]) -> Sequence[str]:
    """Return the lines of a log's end that stand behind what was told of it before."""
    for count in range(min(len(before), len(lines)), 0, -1):
        if lines[:count] == before[-count:]:
            return lines[count:]
    return lines


def _fetched(url: str) -> str:
    """Return what lies at an address, whose signature lets everybody in: it is told to nobody."""
    import urllib3

    try:
        answer = urllib3.PoolManager().request("GET", url, timeout=ASK_S)
    except urllib3.exceptions.HTTPError as err:
        why = getattr(err, "reason", None) or type(err).__name__
        raise DeployError(f"The environment's log cannot be fetched: {why}.") from err
    if answer.status != 200:
        raise DeployError(
            f"The environment's log cannot be fetched: its storage answers with {answer.status}."
        )
    return answer.data.decode(errors="replace")


def _parts(text: str) -> dict[str, list[str]]:
    """Return the lines of a log by file: the application's own, or all where there are none."""
    _, *told = _PART.split(text)
    found: dict[str, list[str]] = {}
    for path, lines in zip(told[::2], told[1::2], strict=True):
        found.setdefault(path, []).extend(lines.strip().splitlines())
    own = {path: lines for path, lines in found.items() if path in _OWN}
    return own or found or {"": text.splitlines()}
