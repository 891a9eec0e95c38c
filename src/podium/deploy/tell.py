"""What happens on the way to a platform, told to people or to programs; secrets only by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from podium.deploy.prepare import is_archive
from podium.deploy.steps import Call, Command, Secret, Step, masked
from podium.deploy.target import Files, Finding

LARGEST: Final = 10


class InWords:
    """Tells people, on a terminal."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo

    def say(self, line: str) -> None:
        """Tell a line."""
        self._echo(line)

    def files(self, files: Files) -> None:
        """Tell of what is copied the size, and each text in full."""
        self._echo("\nFiles that are copied as they are:")
        for name, content in sorted(files.items()):
            if not isinstance(content, str):
                self._sized(name, _size(content))
        self._echo("\nFiles that are made:")
        for name, content in sorted(files.items()):
            if isinstance(content, str):
                self._echo(f"\n# {name}\n{content.rstrip()}")

    def sizes(self, files: Files, written: Mapping[str, Path]) -> None:
        """Tell how large what goes along is, and the largest files of it."""
        whole = sum(_size(content) for content in files.values())
        self._echo(f"\nAll {len(files)} files: {whole:,} bytes")
        for name, size in _archives(written):
            self._echo(f"{name}: {size:,} bytes")
        self._echo("The largest files:")
        for name, size in _largest(files):
            self._sized(name, size)

    def finding(self, finding: Finding) -> None:
        """Tell what does not fit; what is fatal is told with the error."""
        if not finding.fatal:
            self._echo(f"Note: {finding.told}")

    def plan(self, steps: Sequence[Step]) -> None:
        """Tell all that will be done, with what is sent."""
        self._echo("\nSteps, in this order:")
        for number, step in enumerate(steps, 1):
            self._echo(f"{number}. {step.what}: {step.why}")
            for line in _call_lines(step.call):
                self._echo(f"     {line}")

    def step(self, number: int, of: int, step: Step) -> None:
        """Tell that a step begins."""
        self._echo(f"[{number}/{of}] {step.what} ...")

    def _sized(self, name: str, size: int) -> None:
        self._echo(f"  {size:>13,} bytes  {name}")


class AsJson:
    """Tells programs: a line of JSON for each thing that happens."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo

    def say(self, line: str) -> None:
        """Tell a line."""
        self.event("said", line=line)

    def files(self, files: Files) -> None:
        """Tell each text in full, of the others the size."""
        for name, content in sorted(files.items()):
            told = {"text": content} if isinstance(content, str) else {}
            self.event("file", name=name, size=_size(content), **told)

    def sizes(self, files: Files, written: Mapping[str, Path]) -> None:
        """Tell how large what goes along is, and the largest files of it."""
        self.event("sizes", archives=dict(_archives(written)), largest=dict(_largest(files)))

    def finding(self, finding: Finding) -> None:
        """Tell what does not fit."""
        self.event("finding", told=finding.told, fatal=finding.fatal)

    def plan(self, steps: Sequence[Step]) -> None:
        """Tell all that will be done, with what is sent."""
        for number, step in enumerate(steps, 1):
            self.event("planned", number=number, what=step.what, why=step.why, **_told(step.call))

    def step(self, number: int, of: int, step: Step) -> None:
        """Tell that a step begins."""
        self.event("step", number=number, of=of, what=step.what)

    def event(self, kind: str, **told: Any) -> None:
        """Tell one thing."""
        self._echo(json.dumps({"event": kind, **told}, ensure_ascii=False))


def _size(content: str | bytes | Path) -> int:
    if isinstance(content, Path):
        return content.stat().st_size
    return len(content.encode() if isinstance(content, str) else content)


def _largest(files: Files) -> list[tuple[str, int]]:
    sizes = [(name, _size(content)) for name, content in files.items()]
    return sorted(sizes, key=lambda one: (-one[1], one[0]))[:LARGEST]


def _archives(written: Mapping[str, Path]) -> list[tuple[str, int]]:
    return [(name, path.stat().st_size) for name, path in written.items() if is_archive(name)]


def _call_lines(call: Call | Command) -> list[str]:
    if isinstance(call, Command):
        given = ["  (its input is " + masked(call.input) + ")"] * isinstance(call.input, Secret)
        return ["$ " + " ".join(call.arguments), *given]
    goes = [f"with the file {call.file}"] if call.file else []
    payload = json.dumps(masked(call.payload), indent=2, ensure_ascii=False)
    return [call.operation, *goes, *(payload.splitlines() if call.payload else [])]


def _told(call: Call | Command) -> dict[str, Any]:
    if isinstance(call, Command):
        return {"command": list(call.arguments), "input": masked(call.input)}
    return {"operation": call.operation, "payload": masked(call.payload), "file": call.file}
