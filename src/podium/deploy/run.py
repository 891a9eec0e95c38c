"""`podium deploy`: render, check, plan, apply, prove, record; the same for each target."""

from __future__ import annotations

import http.client
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final, Protocol

from msgspec import Struct

from podium.deploy.checks import findings
from podium.deploy.commands import run_command
from podium.deploy.prepare import prepare, write_files
from podium.deploy.record import Record, Records
from podium.deploy.steps import Call, Command, Step, hidden, resolved, secrets_in, unset
from podium.deploy.target import Deployment, Files, Finding, Live, Platform, Target
from podium.errors import DeployError, PodiumError
from podium.operate.asking import Door, made_up, public_door, question_of
from podium.operate.locked import locked

READY_S: Final = 300.0
POLL_S: Final = 2.0


class PutBack(DeployError):
    """A new version did not become ready, and the one before serves again."""

    exit_code: ClassVar = 3


class NotPutBack(DeployError):
    """A new version did not become ready, and the one before could not be put back."""

    exit_code: ClassVar = 4


class Outcome(Struct, frozen=True):
    """How a deployment ended: which version serves at which address, and whether that is new."""

    address: str
    version: str
    changed: bool


class Teller(Protocol):
    """Who is told what happens, as it happens: a terminal, or a program."""

    def say(self, line: str) -> None:
        """Tell a line, of Podium's or of the platform's own."""

    def files(self, files: Files) -> None:
        """Tell all files."""

    def sizes(self, files: Files, written: Mapping[str, Path]) -> None:
        """Tell how large what goes along is, and the largest files of it."""

    def finding(self, finding: Finding) -> None:
        """Tell what does not fit."""

    def plan(self, steps: Sequence[Step]) -> None:
        """Tell all that will be done."""

    def step(self, number: int, of: int, step: Step) -> None:
        """Tell that a step begins."""


class Task:
    """One application on its way to one target: what the commands share."""

    def __init__(
        self, target: Target, folder: Path, state: Path, teller: Teller,
        environment: Mapping[str, str], wheel: Path | None = None,
    ) -> None:  # fmt: skip
        self.target, self.teller, self.environment = target, teller, environment
        self.records = Records(state)
        self.place = self.records.workplace(target.name)
        self.made = self.place / "files"
        self.app = prepare(target, folder, self.place, wheel)

    def say(self, line: str) -> None:
        """Tell a line without secrets, whoever has put one there."""
        self.teller.say(self._hidden(line))

    def render(self, out: Path) -> tuple[Files, Mapping[str, Path]]:
        """Write all files into a folder that is new or empty, and return them.

        Raises:
            DeployError: the application cannot work there; all reasons at once.
        """
        if out.exists() and any(out.iterdir()):
            raise DeployError(f"{out} is not empty. Name a folder that is not there yet.")
        files = self.target.files(self.app)
        written = write_files(files, out)
        found = list(findings(self.target, self.app, files, written, self.environment, self.place))
        for finding in found:
            self.teller.finding(finding)
        fatal = [finding.told for finding in found if finding.fatal]
        if fatal:
            raise DeployError("\n".join([f"{self.app.folder} cannot go to {self.target.title}:",
                                         *(f"  {told}" for told in fatal)]))  # fmt: skip
        return files, written

    def connect(self) -> Platform:
        """Return the platform, spoken to."""
        with self._quiet():
            return self.target.connect(self.app, self.environment)

    def look(self, platform: Platform) -> Live:
        """Return what is there."""
        with self._quiet():
            return platform.look()

    def apply(self, steps: Sequence[Step], platform: Platform, written: Mapping[str, Path]) -> None:
        """Do exactly what a plan says."""
        for number, step in enumerate(steps, 1):
            self.teller.step(number, len(steps), step)
            with self._quiet():
                self._do(step.call, platform, written)

    def reason(self, platform: Platform, err: PodiumError) -> str:
        """Return what went wrong, with what the platform says of it."""
        try:
            said = platform.reason()
        except PodiumError:
            said = ""
        told = f"{err}\n{self.target.title}: {said}" if said else str(err)
        return self._hidden(told)

    def agree(self, steps: Sequence[Step], agreed: Callable[[], bool]) -> None:
        """Tell a plan and ask whether it shall be done, before anything is sent.

        Raises:
            DeployError: it shall not, or its secrets have no values.
        """
        names = dict.fromkeys(name for step in steps for name in _secrets_of(step.call))
        missing = [name for name in names if not self.environment.get(name)]
        if missing:
            raise DeployError(unset(missing))
        self.teller.plan(steps)
        if not agreed():
            raise DeployError("Nothing was done.")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have a folder for the files, and let nobody else change the same on this machine.

        Raises:
            DeployError: somebody is at it.
        """
        with locked(self.place / "lock") as held:
            if not held:
                raise DeployError(
                    f"Another `podium deploy` is at work for {self.app.folder} at "
                    f"{self.target.title}. Wait until it has ended."
                )
            with _emptied(self.made):
                yield

    def _do(self, call: Call | Command, platform: Platform, written: Mapping[str, Path]) -> None:
        if isinstance(call, Command):
            run_command(call, self.made, self.environment, self.say)
        else:
            payload = resolved(call.payload, self.environment)
            platform.send(Call(call.operation, payload, call.file), written, self.say)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Take secrets out of what an error says: platforms repeat what they were sent."""
        try:
            yield
        except PodiumError as err:
            err.args = tuple(self._hidden(str(one)) for one in err.args)
            raise

    def _hidden(self, text: str) -> str:
        return hidden(text, self.app.hosted.hidden, self.environment)


def show(task: Task, out: Path | None = None) -> None:
    """Tell every file, step and payload of a first deployment: a dry run, offline.

    Raises:
        PodiumError: the application cannot go there.
    """
    with tempfile.TemporaryDirectory(dir=task.place) as made:
        files, written = task.render(out or Path(made))
        task.teller.files(files)
        task.teller.sizes(files, written)
    task.teller.plan(task.target.plan(task.app, Live()))


def deploy(task: Task, agreed: Callable[[], bool]) -> Outcome:
    """Put an application on a platform, so that this version serves; once more is safe.

    `agreed` is asked when all that will be done has been told.

    Raises:
        PutBack, NotPutBack: it did not become ready.
        PodiumError: nothing was changed, or what was begun goes on when it is run again.
    """
    with task.alone():
        files, written = task.render(task.made)
        task.teller.sizes(files, written)
        platform = task.connect()
        live = task.look(platform)
        if live.version == task.app.version and not live.unfinished:
            return _unchanged(task, platform, live)
        task.agree(steps := task.target.plan(task.app, live), agreed)
        try:
            task.apply(steps, platform, written)
            address = prove(task.app, task.target, task.look(platform), say=task.say)
        except PodiumError as err:
            _put_back(task, platform, live, err)
            raise
        _note(task, address, task.app.version, live)
        return Outcome(address, task.app.version, changed=True)


def rollback(task: Task, agreed: Callable[[], bool], to: str | None = None) -> Outcome:
    """Let the version before serve again, or the version `to`.

    Raises:
        DeployError: there is none, or it is not there any more.
    """
    with task.alone():
        platform = task.connect()
        live = task.look(platform)
        version = to or _before(task, live)
        if version not in live.versions:
            raise DeployError(
                f"Version {version} is not at {task.target.title}"
                f"{_listed(live) or ', nor is any other'}. Put the folder back to what it was, "
                f"and deploy it: podium deploy {task.target.name} {task.app.folder}"
            )
        task.agree(steps := task.target.back(task.app, live, version), agreed)
        task.apply(steps, platform, {})
        address = prove(task.app, task.target, task.look(platform), version, task.say)
        _note(task, address, version, live)
        return Outcome(address, version, changed=True)


def destroy(task: Task, agreed: Callable[[], bool]) -> bool:
    """Remove all that a target has of an application; return whether there was anything."""
    with task.alone():
        platform = task.connect()
        live = task.look(platform)
        steps = task.target.removal(task.app, live) if live.exists else []
        if steps:
            task.agree(steps, agreed)
            task.apply(steps, platform, {})
        task.records.forget(task.target.name)
        return bool(steps)


def prove(
    app: Deployment, target: Target, live: Live, version: str | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> str:  # fmt: skip
    """Return the address, once the version answers there, and predicts.

    Raises:
        DeployError: it does not within the time that it has.
    """
    address = target.address(app, live)
    if address is None:
        raise DeployError(f"{target.title} tells no address of {app.name}.")
    door = public_door(address, app.parsed.spec, live.headers, live.trusted)
    expected = version or app.version
    say(f"Asking {address} for version {expected} and a prediction ...")
    start = target.facts.start
    wait_s = float(start.value) if start is not None else READY_S
    ends = time.monotonic() + wait_s
    while told := _not_ready(door, app, target, expected):
        if time.monotonic() > ends:
            raise DeployError(
                f"Version {expected} was not ready at {address} within {wait_s:.0f} s: {told}"
            )
        time.sleep(POLL_S)
    _predict(door, app)
    return address


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Make a folder for the time being; what an interrupted command has left there goes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _not_ready(door: Door, app: Deployment, target: Target, version: str) -> str:
    """Return why a version does not answer yet; "" where it does.

    Where /readyz is the platform's own, /models tells the version; but not to everybody.
    """
    reserved = target.facts.reserved is not None
    try:
        reply = door.get("/models" if reserved else "/readyz?worker")
    except (OSError, http.client.HTTPException) as err:
        return str(err) or type(err).__name__
    if reserved and reply.status == 401 and app.parsed.spec.access.require:
        return ""
    if reply.status != 200 or not isinstance(reply.json, dict):
        return reply.told
    found = reply.json.get("release")
    return "" if found == version else f"version {found} answers"


def _predict(door: Door, app: Deployment) -> None:
    if app.parsed.spec.access.require:  # no key is known there yet
        return
    examples = app.parsed.spec.examples
    door.prediction(question_of(app.folder, examples[0]) if examples else made_up(app.parsed))


def _unchanged(task: Task, platform: Platform, live: Live) -> Outcome:
    """Return that the very version serves already, having asked it."""
    try:
        address = prove(task.app, task.target, live, say=task.say)
    except PodiumError as err:
        raise DeployError(task.reason(platform, err)) from err
    _note(task, address, task.app.version, live)
    return Outcome(address, task.app.version, changed=False)


def _put_back(task: Task, platform: Platform, before: Live, err: PodiumError) -> None:
    """Let what served before serve again, where something did, and tell why."""
    why, version = task.reason(platform, err), before.version
    if version is None or version == task.app.version:
        raise DeployError(why) from err
    try:
        live = task.look(platform)
        goes_on = live.version == version and not live.unfinished
        if not goes_on:
            task.say(f"Putting version {version} back ...")
            task.apply(task.target.back(task.app, live, version), platform, {})
            prove(task.app, task.target, task.look(platform), version, task.say)
    except PodiumError as failed:
        raise NotPutBack(f"{why}\nVersion {version} could not be put back: {failed}") from err
    raise PutBack(f"{why}\nVersion {version} serves {'on' if goes_on else 'again'}.") from err


def _before(task: Task, live: Live) -> str:
    """Return the version that had served before the last one."""
    record = task.records.read(task.target.name)
    if record is None or record.before is None:
        raise DeployError(
            f"Nothing tells on this machine which version served at {task.target.title} before"
            f"{_listed(live)}. Name one with --to."
        )
    return record.before


def _listed(live: Live) -> str:
    return f"; there are {', '.join(live.versions)}" if live.versions else ""


def _note(task: Task, address: str, version: str, before: Live) -> None:
    task.records.write(Record(
        target=task.target.name, name=task.app.name, version=version, address=address,
        before=before.version,
    ))  # fmt: skip


def _secrets_of(call: Call | Command) -> list[str]:
    return list(secrets_in(call.payload if isinstance(call, Call) else call.input))
