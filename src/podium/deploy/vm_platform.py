"""The server of the target vm, spoken to over ssh."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from podium.deploy.steps import Call
from podium.deploy.target import Deployment, Live, Say
from podium.deploy.vm_ssh import BUSY, Ssh, in_parts
from podium.errors import DeployError
from podium.operate.variables import text_of
from podium.strict import Size

_LOOK: Final = Path(__file__).with_name("vm_look.py")


class VmPlatform:
    """A server."""

    def __init__(
        self, app: Deployment, place: str, domain: str, environment: Mapping[str, str]
    ) -> None:  # fmt: skip
        self._app, self._place, self._domain = app, place, domain
        self._ssh = Ssh(app.settings.host, app.settings.port, environment)
        self._killed: int | None = None

    def look(self) -> Live:
        """Return what is there; only reads."""
        there = self._looked()
        if self._killed is None:
            self._killed = there["killed"]
        status, current = there["status"] or {}, there["current"]
        serves = bool(status.get("ready") and status.get("reachable")
                      and status["release"] == there["served"])  # fmt: skip
        address = status.get("address")
        plain = str(address).startswith("http:")
        waits = self._app.settings.tls == "certbot" and there["certificate"] and plain
        signed = there["self_signed"] if self._app.settings.tls == "self-signed" else None
        return Live(
            exists=there["mark"] == self._app.name, version=current if serves else None,
            versions=tuple(sorted(there["versions"])), address=address,
            unfinished=bool(serves and waits), details=there, trusted=signed or "",
        )  # fmt: skip

    def send(self, call: Call, files: Mapping[str, Path], say: Say) -> None:
        """Run a command there, alone, with a file or variables for its standard input."""
        told = call.payload
        sent = None
        if call.file:
            sent = in_parts(files[call.file], say)
        elif "input" in told:
            sent = iter([text_of(told["input"]).encode()])
        # The lock is not for what the command leaves running.
        alone = shlex.join(["flock", "-n", "-o", "-E", str(BUSY), told["lock"],
                            "sh", "-euc", told["command"]])  # fmt: skip
        made = f"mkdir -p -m 700 {shlex.quote(self._place)}"
        self._ssh.run(f"{made}; exec {alone}", lambda line: say(f"  {line}"), sent)

    def reason(self) -> str:
        """Return whether memory was short, or whether it answers on the server itself."""
        there = self._looked()
        killed = there["killed"] - (self._killed or 0)
        if self._killed is not None and killed > 0:
            return (
                f"Out of memory: the system has ended {killed} of its processes meanwhile; "
                f"{Size(there['memory'])} are free now. Take a larger server, fewer [server] "
                "workers, or smaller models: podium optimize."
            )
        if there["current"] == self._app.version and (there["status"] or {}).get("reachable"):
            return (
                f"On the server itself it answers. Does {self._domain} lead to it, and does its "
                "firewall let visitors in?"
            )
        return ""

    def logs(self, follow: bool) -> Iterator[str]:
        """Yield what `podium logs` tells there."""
        place = shlex.quote(self._place)
        told = f"logs {place}/app --state {place}/state{' --follow' * follow}"
        yield from self._ssh.lines(f"exec {place}/podium {told}")

    def _looked(self) -> dict[str, Any]:
        words = shlex.join([self._app.settings.python, "-", self._place, self._domain])
        try:
            text = self._ssh.output(f"exec {words}", _LOOK.read_text("utf-8"))
        except DeployError as err:
            if "not found" not in str(err):
                raise
            raise DeployError(
                f"{self._app.settings.host} has no {self._app.settings.python!r}. Install Python "
                "3.11 or newer (apt-get install python3 python3-venv), or name it: [deploy.vm] "
                'python = "..."'
            ) from err
        try:
            found: dict[str, Any] = json.loads(text.splitlines()[-1])
        except (ValueError, IndexError) as err:
            raise DeployError(
                f"{self._app.settings.host} does not answer as expected: {text}"
            ) from err
        return found
